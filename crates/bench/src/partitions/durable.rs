//! One order at a time through two sequencers, durable in the journals of both.

use std::error::Error;
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use hdrhistogram::Histogram;
use journal::{DataDir, Storage};
use model::{
    AccountId, AddMarketTo, Command, Event, JoinExchange, MarketId, OrderKind, PartitionId, PlaceOrder,
    PriceTicks, QtyLots, SelfTradePrevention, Side, TimeInForce, TimeNs,
};
use sequencer::{Egress, Lane, Reply, Sequencer, SequencerError, Session, Settings, Submission};

use crate::Measurement;
use crate::flow::{self, preparation};

/// Orders that one client sends, each when the one before is answered.
const SINGLE_ORDERS: u32 = 2_000;
/// Syncs that are timed beside them.
const SYNCS: u32 = 500;

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

/// One order at a time through two sequencers with journals in `folder`: account and market together and apart, and what a sync
/// of the same disk takes.
pub fn run(folder: &Path) -> Result<Vec<Measurement>, Box<dyn Error>> {
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

    let mut refused = 0;
    for command in preparation() {
        let command = match command {
            Command::AddMarket(add) => {
                Command::AddMarketTo(AddMarketTo { terms: add.terms, partition: PartitionId(1) })
            }
            Command::CreateAccount(create) if create.name.as_str().len() > "trader-99".len() => continue,
            Command::Deposit(deposit) if deposit.account.0 > 99 => continue,
            other => other,
        };
        refused += u64::from(ask(command));
    }
    let homes = sequencer.ingress().partitions().clone();
    let at_home =
        |partition| (1..99).map(AccountId).find(|account| homes.home(*account) == PartitionId(partition));
    let mut rows = Vec::new();
    for (name, account) in [
        ("one order at a time, durable, account and market together", at_home(1)),
        ("one order at a time, durable, account and market apart", at_home(0)),
    ] {
        let account = account.expect("some account lives in each partition");
        let mut nanos = Histogram::<u64>::new(3).expect("three digits are within its range");
        let begun = Instant::now();
        for number in 0..SINGLE_ORDERS {
            let place = PlaceOrder {
                account,
                market: MarketId(0),
                side: Side::Buy,
                kind: OrderKind::Limit {
                    price_ticks: PriceTicks(40_000 + i64::from(number % 1_000)),
                    qty_lots: QtyLots(1),
                    time_in_force: TimeInForce::Gtc,
                },
                self_trade_prevention: SelfTradePrevention::None,
                client_order_id: flow::client_id(Side::Buy, account.0 * 1_000_000 + u64::from(number)),
                valid_until_ns: TimeNs::NEVER,
            };
            let start = Instant::now();
            refused += u64::from(ask(Command::PlaceOrder(place)));
            nanos.record(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)).expect("it grows");
        }
        let found = Measurement::new(name, u64::from(SINGLE_ORDERS), begun.elapsed(), refused);
        rows.push(found.with_latency(&nanos));
    }
    sequencer.abandon_all()?;
    let syncs = syncs(folder.path())?;
    let sync_us = syncs.latency.map_or(0.0, |latency| latency.p50_us);
    let apart = rows.pop().expect("there are two rows");
    let most = 4.0 * sync_us;
    let target = crate::Target::p50_us(&apart, most);
    let remark = Some("the target is four times the sync of the row below".to_owned());
    rows.push(Measurement { target: Some(target), remark, ..apart });
    rows.push(syncs);
    Ok(rows)
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

/// Writes of 4 KiB behind each other into a file that is there already, each synced.
fn syncs(folder: &Path) -> std::io::Result<Measurement> {
    let mut file = File::create(folder.join("syncs"))?;
    file.write_all(&vec![0; 4_096 * usize::try_from(SYNCS).expect("fits")])?;
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let mut nanos = Histogram::<u64>::new(3).expect("three digits are within its range");
    let begun = Instant::now();
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[7; 4_096])?;
        file.sync_data()?;
        nanos.record(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)).expect("it grows");
    }
    Ok(Measurement::new("one sync of 4 KiB", u64::from(SYNCS), begun.elapsed(), 0).with_latency(&nanos))
}
