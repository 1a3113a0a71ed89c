//! The views as the gateway reads them: those of each partition in memory, kept current by a thread that follows what passes its
//! gate, and a way to wait until they know as much as anybody was told. Of an account the views of the partition know where it
//! lives, of a market those where that lives, and those of the first partition what is listed and who there is.

use std::collections::HashSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::thread;
use std::time::Duration;

use model::{AccountId, Event, EventBatch, MarketId, PartitionId, Partitions, Seq};
use sequencer::Subscription;
use tokio::sync::watch;
use tokio::time::timeout;
use views::{Stay, Views, history_of};

use crate::errors::ApiError;
use crate::futures::listen_keys::ListenKeys;
use crate::gateway::now_ns;
use crate::limits::Limits;
use crate::listings::{Listing, Listings};
use crate::streams::feed::Feed;
use crate::streams::hub::Hub;
use crate::streams::publisher;

/// How long a follower sleeps at most before it looks whether anybody still needs it.
const LOOK_UP: Duration = Duration::from_secs(1);

/// How long is waited at most between two looks at views that are not far enough yet.
pub(crate) const NEXT_LOOK: Duration = Duration::from_millis(1);

/// How often a market's new home looks for its history before it goes on without; whoever asks for it looks again.
const HISTORY_LOOKS: u32 = 2_000;

/// The views of one partition, and how far they are.
pub struct ReadModel {
    partition: PartitionId,
    views: RwLock<Views>,
    /// The last command whose events are in the views. Its sender lives in the follower: a closed channel means that the
    /// views will not go on.
    applied: watch::Receiver<Seq>,
}

/// The views of all partitions.
pub struct ReadModels {
    /// By partition.
    models: Vec<ReadModel>,
    partitions: Partitions,
    listings: RwLock<Arc<Listings>>,
    hub: Arc<Hub>,
    /// Who counts the first fills of orders, once there is a gateway.
    fills: OnceLock<Arc<Limits>>,
    /// What those who listen to accounts are told by the clock, once there is a gateway.
    watched: OnceLock<Watched>,
}

/// What the clock has to look at for those who listen to accounts.
pub(crate) struct Watched {
    pub(crate) listen_keys: Arc<ListenKeys>,
    /// As [`crate::FuturesSettings::margin_call_ppm`].
    pub(crate) margin_call_ppm: u32,
}

/// Brings the views of a partition up to date until the exchange ends or nobody needs them any more.
fn follow(
    models: &Weak<ReadModels>,
    partition: PartitionId,
    subscription: &Subscription,
    announce: &watch::Sender<Seq>,
    mut feed: Feed,
) {
    while let Some(batches) = subscription.wait(LOOK_UP) {
        let Some(models) = models.upgrade() else { return };
        for batch in batches {
            let seq = models.apply(partition, &batch, &mut feed);
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

impl ReadModels {
    /// Follows each subscription with views that are at least as far as it begins (what they have already is left out), in the
    /// order of partitions. The followers end with the exchange, or with the last owner of the read models; so does the thread
    /// that writes the streams.
    pub fn start(followed: Vec<(Views, Subscription)>) -> io::Result<Arc<Self>> {
        let first = &followed.first().expect("an exchange has a partition").0;
        let partitions = first.catalog().partitions().clone();
        let listings = RwLock::new(Arc::new(Listings::of(first.catalog())));
        let (mut models, mut followers) = (Vec::new(), Vec::new());
        for (partition, (views, subscription)) in (0..).map(PartitionId).zip(followed) {
            let (announce, applied) = watch::channel(views.command_seq());
            models.push(ReadModel { partition, views: RwLock::new(views), applied });
            followers.push((partition, subscription, announce));
        }
        let hub = Arc::<Hub>::default();
        let models =
            Self { models, partitions, listings, hub, fills: OnceLock::new(), watched: OnceLock::new() };
        // What was traded in a market before it came to its partition may have been missing in a snapshot.
        for listing in models.listings().markets() {
            models.find_history(listing.market, listing.home);
        }
        let models = Arc::new(models);
        let publisher = publisher::start(&models)?;
        for (partition, subscription, announce) in followers {
            let feed = Feed::new(partition, Arc::clone(&models.hub), publisher.clone());
            let owned = Arc::downgrade(&models);
            let name = match partition {
                PartitionId::FIRST => "views".to_owned(),
                other => format!("views-{other}"),
            };
            thread::Builder::new().name(name).spawn(move || {
                // What is broken then, the panic hook has written.
                let _ = catch_unwind(AssertUnwindSafe(|| {
                    follow(&owned, partition, &subscription, &announce, feed);
                }));
            })?;
        }
        Ok(models)
    }

    fn apply(&self, partition: PartitionId, batch: &EventBatch, feed: &mut Feed) -> Seq {
        let model = self.of(partition);
        let mut views = model.views.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(limits) = self.fills.get() {
            count_first_fills(limits, &views, batch);
        }
        feed.take_in(&mut views, batch);
        let changes_listings = |event: &Event| {
            matches!(
                event,
                Event::AssetAdded { .. }
                    | Event::MarketAdded { .. }
                    | Event::ContractAdded { .. }
                    | Event::MarketPlaced { .. }
                    | Event::MarketMoving { .. }
            )
        };
        if batch.events.iter().any(changes_listings) {
            // While nobody can look at the views: whoever sees a market in them, or is told of its events, finds it here.
            let listings = Listings::of(views.catalog());
            let mut current = self.listings.write().unwrap_or_else(PoisonError::into_inner);
            if listings.supersede(partition, &current) {
                *current = Arc::new(listings);
            }
        }
        let seq = views.command_seq();
        drop(views);
        for event in &batch.events {
            if let Event::MarketPlaced { market, partition: home } = event
                && *home == partition
            {
                self.wait_for_history(*market, partition);
            }
        }
        seq
    }

    /// Gives a market that has come to a partition what was traded in it before. The views of its former home are about to be
    /// far enough: its departure was released before its arrival.
    fn wait_for_history(&self, market: MarketId, home: PartitionId) {
        for _ in 0..HISTORY_LOOKS {
            if self.find_history(market, home) {
                return;
            }
            thread::park_timeout(NEXT_LOOK);
        }
    }

    /// True when a market has its history.
    fn find_history(&self, market: MarketId, home: PartitionId) -> bool {
        let has_it = |views: &Views| views.catalog().market(market).is_none() || views.has_history(market);
        if self.models.len() == 1 || has_it(&self.of(home).read()) {
            return true;
        }
        let history: Option<Vec<Stay>> = {
            let all: Vec<_> = self.models.iter().map(ReadModel::read).collect();
            let others = self.models.iter().zip(&all).filter(|(model, _)| model.partition != home);
            let others: Vec<&Views> = others.map(|(_, views)| &**views).collect();
            history_of(&all[home.index()], &others, market).map(|stays| stays.into_iter().cloned().collect())
        };
        let Some(history) = history else { return false };
        self.of(home).views.write().unwrap_or_else(PoisonError::into_inner).adopt(market, &history);
        true
    }

    /// The views of a partition.
    pub fn of(&self, partition: PartitionId) -> &ReadModel {
        &self.models[partition.index()]
    }

    /// The views that know what is listed and who there is.
    pub fn directory(&self) -> &ReadModel {
        self.of(PartitionId::FIRST)
    }

    /// The views that know an account.
    pub fn of_account(&self, account: AccountId) -> &ReadModel {
        self.of(self.partitions.home(account))
    }

    /// Where an account lives.
    pub fn home(&self, account: AccountId) -> PartitionId {
        self.partitions.home(account)
    }

    /// The views of all partitions, in their order.
    pub fn all(&self) -> &[ReadModel] {
        &self.models
    }

    /// Looks at the views that know a market's book, while nothing changes in them; `None` while no views do: in the moment
    /// after it was listed, and while the book moves.
    pub(crate) fn with_market<R>(&self, listing: &Listing, look: impl FnOnce(&Views) -> R) -> Option<R> {
        self.holder(listing)?.with_market(listing.market, look)
    }

    /// The views that know a market's book, if any do. Mostly those of its home; but while it moves, what is listed may be
    /// behind.
    pub(crate) fn holder(&self, listing: &Listing) -> Option<&ReadModel> {
        let home = self.of(listing.home);
        let has_it = |model: &&ReadModel| model.with_market(listing.market, |_| ()).is_some();
        std::iter::once(home).chain(&self.models).find(has_it)
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

    /// Has accounts looked at from now on. Only the first call does anything.
    pub(crate) fn watch(&self, watched: Watched) {
        let _ = self.watched.set(watched);
    }

    /// What is looked at.
    pub(crate) fn watched(&self) -> Option<&Watched> {
        self.watched.get()
    }

    /// False once the views of some partition will not go on.
    pub(crate) fn go_on(&self) -> bool {
        self.models.iter().all(ReadModel::goes_on)
    }
}

impl ReadModel {
    /// Whose events these views follow.
    pub(crate) const fn partition(&self) -> PartitionId {
        self.partition
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
            thread::park_timeout(NEXT_LOOK);
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

    /// Waits until they go on, or so long.
    pub(crate) async fn changes(&self, at_most: Duration) {
        let mut applied = self.applied.clone();
        applied.mark_unchanged();
        // The caller looks what there is, whatever came.
        let _ = timeout(at_most, applied.changed()).await;
    }

    /// Looks at the views while nothing changes in them, if they are those that know a market's book.
    pub(crate) fn with_market<R>(&self, market: MarketId, look: impl FnOnce(&Views) -> R) -> Option<R> {
        let views = self.read();
        views.has_market(self.partition, market).then(|| look(&views))
    }
}
