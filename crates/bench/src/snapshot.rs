//! A snapshot beside a steady flow: for how long nothing is released while one of many open orders is made, partition and
//! views, in process and durable; and the same without one.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use codec::Reader;
use hdrhistogram::Histogram;
use journal::{DataDir, DataDirError};
use model::{
    AccountId, CancelOrder, CancelRestriction, ClientOrderId, Command, EventBatch, MarketId, OrderKind,
    OrderRef, PlaceOrder, PriceTicks, QtyLots, SelfTradePrevention, Seq, Side, TimeInForce, TimeNs,
};
use sequencer::{
    Companion, CompanionCopy, Egress, Replay, Reply, Sections, Sequencer, SequencerError, Session, Settings,
    Submission,
};
use simulator::mixed::client_id;
use views::{ViewSettings, Views};

use crate::durable::{submit, wait_for};
use crate::flow::{Shape, preparation};
use crate::{Measurement, Target};

/// How it is loaded.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Open orders.
    pub open_orders: u64,
    /// Orders and cancels a second beside the snapshot.
    pub events_per_s: u64,
    /// How long it is watched without a snapshot.
    pub seconds: u64,
}

/// Nothing may be released for so long at the most.
const LONGEST: Duration = Duration::from_millis(50);
/// How often commands are handed in.
const PACE: Duration = Duration::from_millis(1);

/// The flow alone, then beside a snapshot that has everything to do: the first one of its journal.
pub fn run(parent: &Path, load: &Load) -> Result<[Measurement; 2], SequencerError> {
    let folder = tempfile::Builder::new()
        .prefix("rialto-bench-")
        .tempdir_in(parent)
        .map_err(|error| SequencerError::from(DataDirError::Io { path: parent.to_owned(), source: error }))?;
    let directory = DataDir::open(folder.path())?;
    let recovered = sequencer::recover(directory.storage(), &journal::Settings::default(), &mut ())?;
    let egress = Egress::default();
    let subscription = egress.subscribe();
    let views = Arc::new(RwLock::new(Views::new(ViewSettings::default())));
    let follower = std::thread::spawn({
        let views = Arc::clone(&views);
        move || {
            while let Some(batches) = subscription.wait(Duration::from_secs(1)) {
                for batch in batches {
                    views.write().unwrap_or_else(PoisonError::into_inner).apply(&batch);
                }
            }
        }
    });

    let before = preparation(&Shape::STANDARD);
    let prepared = before.len() as u64 + load.open_orders;
    let due = prepared + load.seconds * load.events_per_s;
    let settings = Settings { snapshot_every_commands: due, ..Settings::default() };
    let sequencer = recovered.start(settings, egress, Some(Arc::new(Copies)));
    let sent = submit(&sequencer, before.into_iter().chain((0..load.open_orders).map(resting)));
    wait_for(&sequencer, sent);

    let mut flow = Flow { number: load.open_orders, per_turn: load.events_per_s.div_ceil(1_000), sent };
    let mut phase = |name: &str, done: &dyn Fn(u64) -> bool| {
        let gaps = Arc::new(Gaps::default());
        let (begun, first) = (Instant::now(), flow.sent);
        flow.run(&sequencer, &gaps, done);
        let (elapsed, commands) = (begun.elapsed(), flow.sent - first);
        let gaps = gaps.lock();
        let longest = gaps.longest;
        let measured = Measurement::new(name, commands, elapsed, gaps.abandoned);
        let measured = match &gaps.nanos {
            Some(nanos) => measured.with_latency(nanos),
            None => measured,
        };
        measured
            .with_target(Target { wanted: "longest 50 ms".to_owned(), met: longest <= LONGEST })
            .with_figures([("longest_us", u64::try_from(longest.as_micros()).unwrap_or(u64::MAX))])
            .with_remark(format!(
                "the longest time between two released batches was {:.1} ms; the percentiles are of all such times",
                longest.as_secs_f64() * 1_000.0
            ))
    };
    let stats = || sequencer.egress().stats().counts().snapshots;
    let without = phase("steady flow, no snapshot", &|sent| sent >= due || stats().under_way.is_some());
    let with = phase("steady flow, a snapshot is made", &|_| stats().written > 0 || stats().failed > 0);
    let snapshots = stats();
    let with = Measurement {
        rejects: with.rejects + snapshots.failed,
        remark: with.remark.map(|remark| {
            format!(
                "{remark}; the snapshot took {:.1} s, of which the sequencer's thread gave {:.1} us",
                snapshots.last_took.as_secs_f64(),
                snapshots.last_stall.as_secs_f64() * 1e6
            )
        }),
        ..with
    };
    sequencer.abandon()?;
    follower.join().expect("the views do not panic");
    Ok([without, with])
}

/// Orders that come and go, each canceled by the next command.
struct Flow {
    number: u64,
    per_turn: u64,
    sent: u64,
}

impl Flow {
    /// At its pace, until `done` with so many commands.
    fn run(&mut self, sequencer: &Sequencer, gaps: &Arc<Gaps>, done: &dyn Fn(u64) -> bool) {
        let begun = Instant::now();
        let mut turn = 0;
        while !done(self.sent) && !sequencer.has_stopped() {
            for _ in 0..self.per_turn {
                let session = Arc::clone(gaps) as Arc<dyn Session>;
                let submission = Submission { command: self.next(), reply_to: Some((session, 0)) };
                self.sent += u64::from(sequencer.ingress().submit(submission).is_ok());
            }
            turn += 1;
            let next = begun + PACE * turn;
            while let Some(left) = next.checked_duration_since(Instant::now()) {
                std::thread::park_timeout(left);
            }
        }
        wait_for(sequencer, self.sent);
    }

    fn next(&mut self) -> Command {
        if self.sent.is_multiple_of(2) {
            self.number += 1;
            return resting(self.number);
        }
        let (account, market, _, client_order_id) = place(self.number);
        Command::CancelOrder(CancelOrder {
            account,
            market,
            order: OrderRef::Client(client_order_id),
            restriction: CancelRestriction::None,
            valid_until_ns: TimeNs::NEVER,
        })
    }
}

/// Whose, where, which way, and its name.
fn place(number: u64) -> (AccountId, MarketId, Side, ClientOrderId) {
    let side = if number.is_multiple_of(2) { Side::Buy } else { Side::Sell };
    let Shape { markets, accounts, .. } = Shape::STANDARD;
    let market = u32::try_from(number / 2 % u64::from(markets)).expect("it is small");
    (AccountId(1 + number % u64::from(accounts)), MarketId(market), side, client_id(number))
}

/// An order that meets no other.
fn resting(number: u64) -> Command {
    let (account, market, side, client_order_id) = place(number);
    let away = i64::try_from(number / 200 % 4_000).expect("it is small");
    let price_ticks = match side {
        Side::Buy => PriceTicks(49_000 - away),
        Side::Sell => PriceTicks(51_000 + away),
    };
    Command::PlaceOrder(PlaceOrder {
        account,
        market,
        side,
        kind: OrderKind::Limit { price_ticks, qty_lots: QtyLots(1), time_in_force: TimeInForce::Gtc },
        self_trade_prevention: SelfTradePrevention::None,
        client_order_id,
        valid_until_ns: TimeNs::NEVER,
    })
}

/// The times between two batches; answers are given when theirs is released.
#[derive(Default)]
struct Gaps(Mutex<Found>);

#[derive(Default)]
struct Found {
    /// When the last answer came, and the time that its batch is stamped with.
    last: Option<(Instant, TimeNs)>,
    longest: Duration,
    nanos: Option<Histogram<u64>>,
    abandoned: u64,
}

impl Gaps {
    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session for Gaps {
    fn deliver(&self, _: u64, reply: Reply) {
        let (now, time_ns) = (Instant::now(), reply.time_ns());
        let mut found = self.lock();
        let gap = match found.last.replace((now, time_ns)) {
            Some((last, stamp)) if stamp != time_ns => now - last,
            Some(_) | None => return,
        };
        found.longest = found.longest.max(gap);
        let nanos = found.nanos.get_or_insert_with(|| Histogram::new(3).expect("three digits"));
        let gap_ns = u64::try_from(gap.as_nanos()).unwrap_or(u64::MAX);
        nanos.record(gap_ns).expect("the histogram grows with what it is given");
    }

    fn abandon(&self, _: u64) {
        self.lock().abandoned += 1;
    }
}

/// Has the views in the snapshots, as a running exchange.
struct Copies;

struct ViewsCopy(Views);

impl Companion for Copies {
    fn copy(&self) -> Box<dyn CompanionCopy> {
        Box::new(ViewsCopy(Views::new(ViewSettings::default())))
    }

    fn last(&self, _: Seq) -> Sections {
        Vec::new()
    }

    fn failed(&self, _: &str) {}
}

impl Replay for ViewsCopy {
    fn snapshot(&mut self, _: Seq, section: &dyn Fn(&str) -> Option<Vec<u8>>) {
        let bytes = section("views").unwrap_or_default();
        if let Ok(views) = Views::load(ViewSettings::default(), &mut Reader::new(&bytes)) {
            self.0 = views;
        }
    }

    fn batch(&mut self, batch: &EventBatch) {
        self.0.apply(batch);
    }

    fn progress(&mut self, _: u64, _: u64) {}
}

impl CompanionCopy for ViewsCopy {
    fn sections(self: Box<Self>) -> Result<Sections, String> {
        let mut bytes = Vec::new();
        self.0.save(&mut bytes);
        Ok(vec![("views", bytes)])
    }
}
