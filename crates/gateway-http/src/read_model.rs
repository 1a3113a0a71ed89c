//! The views as the gateway reads them: one copy in memory, kept current by a thread that follows what passes the gate, and
//! a way to wait until they know as much as anybody was told.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::Duration;

use model::{Event, Seq};
use sequencer::Subscription;
use tokio::sync::watch;
use views::Views;

use crate::errors::ApiError;
use crate::listings::Listings;

/// How long the follower sleeps at most before it looks whether anybody still needs it.
const LOOK_UP: Duration = Duration::from_secs(1);

/// The views, and how far they are.
pub struct ReadModel {
    views: RwLock<Views>,
    listings: RwLock<Arc<Listings>>,
    /// Who wants the views saved as they are at a command that they have not reached yet.
    save_at: Mutex<Option<(Seq, SyncSender<Vec<u8>>)>>,
    /// The last command whose events are in the views. Its sender lives in the follower: a closed channel means that the
    /// views will not go on.
    applied: watch::Receiver<Seq>,
}

impl ReadModel {
    /// Follows `subscription` with `views`, which are at least as far as the subscription begins (what they have already is
    /// left out). The follower ends with the exchange, or with the last owner of the read model.
    pub fn start(views: Views, subscription: Subscription) -> io::Result<Arc<Self>> {
        let (announce, applied) = watch::channel(views.command_seq());
        let listings = RwLock::new(Arc::new(Listings::of(views.catalog())));
        let model =
            Arc::new(Self { views: RwLock::new(views), listings, save_at: Mutex::default(), applied });
        let follower = Arc::downgrade(&model);
        thread::Builder::new().name("views".to_owned()).spawn(move || {
            loop {
                let Some(batches) = subscription.wait(LOOK_UP) else { return };
                let Some(model) = follower.upgrade() else { return };
                if batches.is_empty() {
                    continue;
                }
                let mut views = model.views.write().unwrap_or_else(PoisonError::into_inner);
                let mut listed = false;
                // The panic hook has written what is broken; readers are told that there is nothing to read any more.
                let outcome = catch_unwind(AssertUnwindSafe(|| {
                    for batch in &batches {
                        views.apply(batch);
                        model.save_if_due(&views);
                        listed |= batch.events.iter().any(|event| {
                            matches!(event, Event::AssetAdded { .. } | Event::MarketAdded { .. })
                        });
                    }
                }));
                if outcome.is_err() {
                    return;
                }
                let seq = views.command_seq();
                if listed {
                    let listings = Arc::new(Listings::of(views.catalog()));
                    *model.listings.write().unwrap_or_else(PoisonError::into_inner) = listings;
                }
                drop(views);
                announce.send_replace(seq);
            }
        })?;
        Ok(model)
    }

    /// Has the views saved as they are at `seq`, which they have not gone beyond yet: the bytes come when they are there, at
    /// once when they are there now. Called before the batch that ends at `seq` is released.
    pub fn save_at(&self, seq: Seq) -> Receiver<Vec<u8>> {
        let (sender, receiver) = sync_channel(1);
        let views = self.read();
        assert!(views.command_seq() <= seq, "the views are asked for before they go on");
        *self.save_at.lock().unwrap_or_else(PoisonError::into_inner) = Some((seq, sender));
        self.save_if_due(&views);
        receiver
    }

    fn save_if_due(&self, views: &Views) {
        let mut save_at = self.save_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, sender)) = save_at.take_if(|(seq, _)| *seq == views.command_seq()) {
            let mut bytes = Vec::new();
            views.save(&mut bytes);
            // Whoever asked may have gone.
            let _ = sender.send(bytes);
        }
    }

    /// Looks at the views while nothing changes in them. Keep it short: the follower waits.
    pub fn with_views<R>(&self, look: impl FnOnce(&Views) -> R) -> R {
        look(&self.read())
    }

    fn read(&self) -> RwLockReadGuard<'_, Views> {
        self.views.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is listed.
    pub fn listings(&self) -> Arc<Listings> {
        Arc::clone(&self.listings.read().unwrap_or_else(PoisonError::into_inner))
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
