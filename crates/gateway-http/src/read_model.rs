//! The views as the gateway reads them: one copy in memory, kept current by a thread that follows what passes the gate, and
//! a way to wait until they know as much as anybody was told.

use std::collections::HashSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::thread;
use std::time::Duration;

use model::{Event, EventBatch, Seq};
use sequencer::Subscription;
use tokio::sync::watch;
use views::Views;

use crate::errors::ApiError;
use crate::gateway::now_ns;
use crate::limits::Limits;
use crate::listings::Listings;
use crate::streams::feed::Feed;
use crate::streams::hub::Hub;
use crate::streams::publisher;

/// How long the follower sleeps at most before it looks whether anybody still needs it.
const LOOK_UP: Duration = Duration::from_secs(1);

/// How long [`ReadModel::save_at_end`] sleeps between two looks.
const END_LOOK: Duration = Duration::from_millis(1);

/// The views, and how far they are.
pub struct ReadModel {
    views: RwLock<Views>,
    listings: RwLock<Arc<Listings>>,
    /// The last command whose events are in the views. Its sender lives in the follower: a closed channel means that the
    /// views will not go on.
    applied: watch::Receiver<Seq>,
    hub: Arc<Hub>,
    /// Who counts the first fills of orders, once there is a gateway.
    fills: OnceLock<Arc<Limits>>,
}

/// Brings the views up to date until the exchange ends or nobody needs them any more.
fn follow(
    model: &Weak<ReadModel>,
    subscription: &Subscription,
    announce: &watch::Sender<Seq>,
    mut feed: Feed,
) {
    while let Some(batches) = subscription.wait(LOOK_UP) {
        let Some(model) = model.upgrade() else { return };
        for batch in batches {
            let seq = model.apply(&batch, &mut feed);
            announce.send_replace(seq);
            feed.tell(&batch);
        }
    }
}

/// Tells `limits` which orders trade in `batch` for the first time; `views` do not have it yet.
fn count_first_fills(limits: &Limits, views: &Views, batch: &EventBatch) {
    let mut seen = HashSet::new();
    for event in &batch.events {
        let Event::OrderFilled(filled) = event else { continue };
        let traded_before =
            views.orders().by_id(filled.order).is_some_and(|order| !order.executed_lots.is_zero());
        if !traded_before && seen.insert(filled.order) {
            limits.first_fill(filled.account, filled.liquidity, now_ns());
        }
    }
}

impl ReadModel {
    /// Follows `subscription` with `views`, which are at least as far as the subscription begins (what they have already is
    /// left out). The follower ends with the exchange, or with the last owner of the read model; so does the thread that
    /// writes the streams.
    pub fn start(views: Views, subscription: Subscription) -> io::Result<Arc<Self>> {
        let (announce, applied) = watch::channel(views.command_seq());
        let listings = RwLock::new(Arc::new(Listings::of(views.catalog())));
        let model = Self {
            views: RwLock::new(views),
            listings,
            applied,
            hub: Arc::default(),
            fills: OnceLock::new(),
        };
        let model = Arc::new(model);
        let feed = Feed::new(Arc::clone(&model.hub), publisher::start(&model)?);
        let follower = Arc::downgrade(&model);
        thread::Builder::new().name("views".to_owned()).spawn(move || {
            // What is broken then, the panic hook has written.
            let _ = catch_unwind(AssertUnwindSafe(|| follow(&follower, &subscription, &announce, feed)));
        })?;
        Ok(model)
    }

    fn apply(&self, batch: &EventBatch, feed: &mut Feed) -> Seq {
        let mut views = self.views.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(limits) = self.fills.get() {
            count_first_fills(limits, &views, batch);
        }
        feed.take_in(&mut views, batch);
        let listed = |event: &Event| matches!(event, Event::AssetAdded { .. } | Event::MarketAdded { .. });
        if batch.events.iter().any(listed) {
            // While nobody can look at the views: whoever sees a market in them finds it here.
            let listings = Arc::new(Listings::of(views.catalog()));
            *self.listings.write().unwrap_or_else(PoisonError::into_inner) = listings;
        }
        views.command_seq()
    }

    /// Looks at the views while nothing changes in them. Keep it short: the follower waits.
    pub fn with_views<R>(&self, look: impl FnOnce(&Views) -> R) -> R {
        look(&self.read())
    }

    /// The views in the form of [`Views::save`], as they are when they have the events of `seq`, the last command of all; it
    /// waits for that. `None` when the views will not come that far.
    pub fn save_at_end(&self, seq: Seq) -> Option<Vec<u8>> {
        while self.applied_seq() < seq {
            if !self.goes_on() {
                return None;
            }
            thread::park_timeout(END_LOOK);
        }
        let views = self.read();
        assert_eq!(views.command_seq(), seq, "nothing comes behind the last command");
        let mut bytes = Vec::new();
        views.save(&mut bytes);
        Some(bytes)
    }

    fn read(&self) -> RwLockReadGuard<'_, Views> {
        self.views.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who listens to what happens.
    pub(crate) const fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// What is listed.
    pub fn listings(&self) -> Arc<Listings> {
        Arc::clone(&self.listings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has the first fills of orders counted from now on. Only the first call does anything.
    pub(crate) fn count_fills(&self, limits: Arc<Limits>) {
        let _ = self.fills.set(limits);
    }

    /// False once the views will not go on.
    pub(crate) fn goes_on(&self) -> bool {
        self.applied.has_changed().is_ok()
    }

    /// The last command whose events are in the views.
    pub fn applied_seq(&self) -> Seq {
        *self.applied.borrow()
    }

    /// Waits until the events of `seq` and of all before it are in the views. The error is for when that will never be.
    pub async fn applied(&self, seq: Seq) -> Result<(), ApiError> {
        if *self.applied.borrow() >= seq {
            return Ok(());
        }
        let mut applied = self.applied.clone();
        applied.wait_for(|applied| *applied >= seq).await.map(drop).map_err(|_| ApiError::stopping())
    }
}
