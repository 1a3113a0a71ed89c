//! One order at a time through two sequencers, durable in the journals of both.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use journal::{DataDir, Durable, FrameBuffer, JournalWriter, Storage};
use model::{
    AccountId, AddMarketTo, Command, Event, JoinExchange, MarketId, OrderKind, PartitionId, PlaceOrder,
    PriceTicks, QtyLots, SelfTradePrevention, Seq, Side, TimeInForce, TimeNs,
};
use sequencer::{Egress, Lane, Reply, Sequencer, SequencerError, Session, Settings, Submission};
use simulator::mixed::client_id;

use crate::Measurement;
use crate::flow::{Shape, preparation};

/// Orders, or syncs, of a turn. Orders are sent each when the one before is answered.
const TURN: u64 = 100;

/// Hears one answer at a time.
struct Waiter(Sender<bool>);

impl Session for Waiter {
    fn deliver(&self, _: u64, reply: Reply) {
        let refused = reply.events().iter().any(|event| matches!(event, Event::Rejected { .. }));
        // The bench may have given up.
        let _ = self.0.send(refused);
    }

    fn abandon(&self, _: u64) {
        let _ = self.0.send(true);
    }
}

/// What was timed of one of the three.
struct Timed {
    nanos: Histogram<u64>,
    count: u64,
    refused: u64,
    elapsed: Duration,
}

impl Timed {
    fn new() -> Self {
        let nanos = Histogram::new(3).expect("three digits are within its range");
        Self { nanos, count: 0, refused: 0, elapsed: Duration::ZERO }
    }

    /// Times `work`, which says whether it was refused.
    fn time<E>(&mut self, work: impl FnOnce() -> Result<bool, E>) -> Result<(), E> {
        let start = Instant::now();
        self.refused += u64::from(work()?);
        let elapsed = start.elapsed();
        self.elapsed += elapsed;
        self.count += 1;
        self.nanos
            .record(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
            .expect("it grows as it must");
        Ok(())
    }

    fn measured(&self, name: &str) -> Measurement {
        Measurement::new(name, self.count, self.elapsed, self.refused).with_latency(&self.nanos)
    }
}

/// One order at a time through two sequencers with journals in `folder`: account and market together and apart; and between them
/// what one append to a journal takes, synced. They take turns, since a disk is not the same in every second;
/// each has so many.
pub fn run(folder: &Path, turns: u64) -> Result<Vec<Measurement>, Box<dyn Error>> {
    let folder = tempfile::tempdir_in(folder)?;
    let files = journal::Settings::default();
    let mut directory = DataDir::open(folder.path().join("data"))?;
    let second = directory.add_partition()?;
    let join = Command::JoinExchange(JoinExchange { partition: PartitionId(1) });
    begin(second, &files, join)?;
    begin(directory.storage(), &files, Command::AddPartition)?;
    let lanes = directory
        .storages()
        .iter()
        .map(|storage| {
            let recovered = sequencer::recover(storage, &files, &mut ())?;
            Ok(Lane { recovered, egress: Egress::default(), companion: None })
        })
        .collect::<Result<Vec<_>, SequencerError>>()?;
    let sequencer = Sequencer::start(lanes, Settings::default())?;
    let (tell, told) = channel();
    let session: Arc<dyn Session> = Arc::new(Waiter(tell));
    let ask = |command| {
        let reply_to = Some((Arc::clone(&session), 0));
        sequencer.ingress().submit(Submission { command, reply_to }).expect("nothing else waits");
        told.recv().expect("it is answered")
    };

    for command in preparation(&Shape::STANDARD) {
        let command = match command {
            Command::AddMarket(add) => {
                Command::AddMarketTo(Box::new(AddMarketTo { terms: add.terms, partition: PartitionId(1) }))
            }
            Command::CreateAccount(create) if create.name.as_str().len() > "trader-99".len() => continue,
            Command::Deposit(deposit) if deposit.account.0 > 99 => continue,
            other => other,
        };
        assert!(!ask(command), "the preparation is accepted");
    }
    let homes = sequencer.ingress().partitions().clone();
    let at_home = |partition| {
        let found = (1..99).map(AccountId).find(|account| homes.home(*account) == PartitionId(partition));
        found.expect("some account lives in each partition")
    };
    let (mut together, mut apart, mut syncs) = (Timed::new(), Timed::new(), Timed::new());
    let beside = DataDir::open(folder.path().join("beside"))?;
    let (_, mut journal) = JournalWriter::open(beside.storage(), &files, Durable::GENESIS)?;
    let mut frame = FrameBuffer::new();
    for first in (0..turns).map(|turn| turn * TURN) {
        for (timed, account) in [(&mut together, at_home(1)), (&mut apart, at_home(0))] {
            for number in first..first + TURN {
                let place = Command::PlaceOrder(order(account, number));
                timed.time(|| Ok::<_, SequencerError>(ask(place)))?;
            }
        }
        for number in first..first + TURN {
            let seq = Seq(number + 1);
            frame.begin(seq, TimeNs(1));
            frame.push(|bytes| bytes.extend([7; ORDER_BYTES]));
            syncs.time(|| journal.append(&mut frame).map(|_| false))?;
        }
    }
    sequencer.abandon_all()?;
    let syncs = syncs.measured("one order's bytes appended to a journal, synced");
    let together = together.measured("one order at a time, durable, account and market together");
    let apart = apart.measured("one order at a time, durable, account and market apart");
    let most = 4.0 * syncs.latency.map_or(0.0, |latency| latency.p50_us);
    let target = crate::Target::p50_us(&apart, most);
    let remark = "it is to take less than four of the syncs of the row below";
    let apart = apart.with_target(target).with_remark(remark.to_owned());
    Ok(vec![together, apart, syncs])
}

/// About what the envelope with an order takes in a journal.
const ORDER_BYTES: usize = 150;

fn order(account: AccountId, number: u64) -> PlaceOrder {
    PlaceOrder {
        account,
        market: MarketId(0),
        side: Side::Buy,
        kind: OrderKind::Limit {
            price_ticks: PriceTicks(40_000 + i64::try_from(number % 1_000).expect("fits")),
            qty_lots: QtyLots(1),
            time_in_force: TimeInForce::Gtc,
        },
        self_trade_prevention: SelfTradePrevention::None,
        client_order_id: client_id(account.0 * 1_000_000 + number),
        valid_until_ns: TimeNs::NEVER,
    }
}

/// The first command of a journal.
fn begin(
    storage: &Arc<dyn Storage>,
    files: &journal::Settings,
    command: Command,
) -> Result<(), Box<dyn Error>> {
    let recovered = sequencer::recover(storage, files, &mut ())?;
    let sequencer = recovered.start(Settings::default(), Egress::default(), None);
    sequencer.ingress().submit(Submission { command, reply_to: None })?;
    sequencer.abandon()?;
    Ok(())
}
