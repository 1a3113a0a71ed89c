//! Several partitions in one process: every answer comes, whatever has to cross for it; the power goes at any moment, and
//! nothing that was answered is lost or done twice, and all partitions together add up.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use exchange::{Partition, Together};
use journal::faulty::FaultyStorage;
use model::{
    AccountId, AddMarketTo, Amount, AssetId, CancelAllOrders, ClientOrderId, Command, Deposit, Event,
    JoinExchange, MarketId, MoveMarket, OrderId, OrderKind, OrderRef, PartitionId, PlaceOrder, PriceTicks,
    QtyLots, Reference, SelfTradePrevention, Seq, Side, TimeInForce, TimeNs, WithdrawalId,
};
use sequencer::{
    Egress, Ingress, Lane, Reply, Sequencer, SequencerError, Session, Settings, Submission, SubmitError,
    audit, recover,
};

use crate::clients::PATIENCE;
use crate::flow::{Flow, Random, preparation};
use crate::memory;

/// What was told of one command: whose journal, the place there, and all events.
pub type Told = Option<(PartitionId, Seq, Vec<Event>)>;

/// Writes down what it hears, by token.
#[derive(Default)]
pub struct Listener {
    heard: Mutex<BTreeMap<u64, Told>>,
    changed: Condvar,
}

impl Listener {
    fn note(&self, token: u64, told: Told) {
        let before = self.heard.lock().unwrap().insert(token, told);
        assert!(before.is_none(), "each command is answered once");
        self.changed.notify_all();
    }

    /// Waits until it knows of `count` commands.
    pub fn wait_for(&self, count: usize) {
        let heard = self.heard.lock().unwrap();
        let (heard, _) =
            self.changed.wait_timeout_while(heard, PATIENCE, |heard| heard.len() < count).unwrap();
        assert!(heard.len() >= count, "only {} of {count} commands were answered", heard.len());
    }
}

impl Listener {
    /// A command that this one wants to hear of.
    pub fn asks(self: &Arc<Self>, token: u64, command: Command) -> Submission {
        let session: Arc<dyn Session> = Arc::<Self>::clone(self);
        Submission { command, reply_to: Some((session, token)) }
    }

    /// What it has heard, by token.
    pub fn heard(&self) -> BTreeMap<u64, Told> {
        self.heard.lock().unwrap().clone()
    }
}

impl Session for Listener {
    fn deliver(&self, token: u64, reply: Reply) {
        self.note(token, Some((reply.partition(), reply.seq(), reply.events().to_vec())));
    }

    fn abandon(&self, token: u64) {
        self.note(token, None);
    }
}

/// An exchange of several partitions, each on a disk of its own.
pub struct Exchange {
    pub disks: Vec<FaultyStorage>,
    flow: Flow,
    random: Random,
    pub settings: Settings,
    /// All that anybody was ever told.
    told: Vec<(PartitionId, Seq, Vec<Event>)>,
}

/// As small as the longest envelope allows.
pub fn files() -> journal::Settings {
    journal::Settings { journal_segment_bytes: 96 << 10, ..memory::files() }
}

pub fn settings() -> Settings {
    Settings {
        batch_max_commands: 8,
        snapshot_every_commands: 60,
        tick: Duration::from_millis(20),
        ..Settings::default()
    }
}

impl Exchange {
    /// New files of so many partitions.
    pub fn new(count: u8, seed: u64) -> Self {
        let disks: Vec<_> = (0..count).map(|_| FaultyStorage::new()).collect();
        for (at, disk) in (0..count).zip(&disks) {
            let recovered = recover(&disk.storage(), &files(), &mut ()).unwrap();
            let sequencer = recovered.start(settings(), Egress::default(), None);
            let commands = if at == 0 {
                vec![Command::AddPartition; usize::from(count) - 1]
            } else {
                vec![Command::JoinExchange(JoinExchange { partition: PartitionId(at) })]
            };
            for command in commands {
                sequencer.ingress().submit(Submission { command, reply_to: None }).unwrap();
            }
            sequencer.ingress().stop();
            sequencer.join().unwrap();
        }
        let (flow, random) = (Flow::new(seed), Random::new(!seed));
        let mut exchange = Self { disks, flow, random, settings: settings(), told: Vec::new() };
        let commands: Vec<_> = preparation().into_iter().map(|command| exchange.spread(command)).collect();
        exchange.live(&commands).unwrap();
        exchange
    }

    fn count(&self) -> u8 {
        u8::try_from(self.disks.len()).unwrap()
    }

    /// The second market lives in the last partition; numbers are those of some partition.
    fn spread(&mut self, command: Command) -> Command {
        let partition = self.random.below(self.count().into()) << 48;
        let anywhere = |order: &mut OrderRef| {
            if let OrderRef::Id(id) = order {
                *id = OrderId(id.0 / 3 + 1 + partition);
            }
        };
        match command {
            Command::AddMarket(add) if add.terms.name.as_str() == "BBBCCC" => {
                let partition = PartitionId(self.count() - 1);
                Command::AddMarketTo(Box::new(AddMarketTo { terms: add.terms, partition }))
            }
            Command::CancelOrder(mut cancel) => {
                anywhere(&mut cancel.order);
                Command::CancelOrder(cancel)
            }
            Command::AmendOrder(mut amend) => {
                anywhere(&mut amend.order);
                Command::AmendOrder(amend)
            }
            Command::ReplaceOrder(mut replace) => {
                anywhere(&mut replace.cancel);
                Command::ReplaceOrder(replace)
            }
            Command::SettleWithdrawal(mut settle) => {
                settle.withdrawal = WithdrawalId(settle.withdrawal.0 / 3 + 1 + partition);
                Command::SettleWithdrawal(settle)
            }
            other => other,
        }
    }

    pub fn start(&self) -> Result<Sequencer, SequencerError> {
        let lanes: Result<Vec<_>, SequencerError> = self
            .disks
            .iter()
            .map(|disk| {
                let recovered = recover(&disk.storage(), &files(), &mut ())?;
                Ok(Lane { recovered, egress: Egress::default(), companion: None })
            })
            .collect();
        Sequencer::start(lanes?, self.settings)
    }

    /// Starts, hands in commands, a few at a time, and stops.
    pub fn live(&mut self, commands: &[Command]) -> Result<(), SequencerError> {
        let sequencer = self.start()?;
        let listener = Arc::new(Listener::default());
        let mut asked = 0;
        for command in commands {
            if !hand_in(sequencer.ingress(), &listener, asked, command) {
                break;
            }
            asked += 1;
            if self.random.below(5) == 0 {
                listener.wait_for(usize::try_from(asked).unwrap());
            }
        }
        let ended = if self.random.below(4) == 0 {
            sequencer.abandon_all()
        } else {
            sequencer.ingress().stop();
            sequencer.join_all()
        };
        listener.wait_for(usize::try_from(asked).unwrap());
        let heard = std::mem::take(&mut *listener.heard.lock().unwrap());
        if ended.is_ok() {
            assert!(heard.values().all(Option::is_some), "a stop answers everybody");
        }
        for (token, told) in &heard {
            if let Some((.., events)) = told {
                assert_complete(&commands[usize::try_from(*token).unwrap()], events);
            }
        }
        self.told.extend(heard.into_values().flatten());
        let stopped = ended?;
        for (disk, stopped) in self.disks.iter().zip(&stopped) {
            match audit(&disk.storage(), &mut |_| Ok::<_, SequencerError>(())) {
                Ok(audited) => assert_eq!(audited, *stopped, "the journal leads to the same end"),
                // Only now.
                Err(error) => assert!(disk.is_off(), "{error}"),
            }
        }
        Ok(())
    }

    pub fn trade(&mut self, count: usize) -> Result<(), SequencerError> {
        let commands = self.flow.take(count);
        let mut commands: Vec<_> = commands.into_iter().map(|command| self.spread(command)).collect();
        if self.random.below(2) == 0 {
            let to = PartitionId(u8::try_from(self.random.below(self.count().into())).unwrap());
            let at = self.random.index(commands.len());
            commands.insert(at, Command::MoveMarket(MoveMarket { market: MarketId(1), to }));
        }
        self.live(&commands)
    }

    /// What every disk has is what was told, once, and adds up.
    pub fn check(&self) {
        let mut states = Vec::new();
        for (at, disk) in (0..).map(PartitionId).zip(&self.disks) {
            let mut events: Vec<Event> = Vec::new();
            audit(&disk.storage(), &mut |step| {
                events.extend(step.batch.events.iter().cloned());
                Ok::<_, SequencerError>(())
            })
            .unwrap();
            let mut left: Vec<&Event> = events.iter().collect();
            for event in self.told.iter().filter(|(told_by, ..)| *told_by == at).flat_map(|(.., told)| told) {
                let found = left.iter().position(|left| *left == event);
                left.remove(
                    found.unwrap_or_else(|| panic!("told and not in the journal of {at}: {event:?}")),
                );
            }
            states.push(recover(&disk.storage(), &files(), &mut ()).unwrap());
        }
        let partitions: Vec<&Partition> = states.iter().map(sequencer::Recovered::partition).collect();
        Together::new(&partitions).assert_invariants();
    }

    /// The files of a partition.
    pub fn copy_of(&self, partition: usize) -> Vec<(String, Vec<u8>)> {
        let disk = &self.disks[partition];
        disk.paths().into_iter().map(|path| (path.clone(), disk.bytes(&path))).collect()
    }

    /// A partition has the files that it once had.
    pub fn put_back(&self, partition: usize, files: &[(String, Vec<u8>)]) {
        let disk = &self.disks[partition];
        for path in disk.paths() {
            disk.lose(&path);
        }
        for (path, bytes) in files {
            disk.put(path, bytes);
        }
    }

    /// What a stop leaves: nothing is on its way.
    pub fn assert_quiet(&self) {
        let states: Vec<_> =
            self.disks.iter().map(|disk| recover(&disk.storage(), &files(), &mut ())).collect();
        let states: Vec<_> = states.into_iter().map(Result::unwrap).collect();
        let partitions: Vec<&Partition> = states.iter().map(sequencer::Recovered::partition).collect();
        let together = Together::new(&partitions);
        assert_eq!(together.on_their_way().count(), 0);
        for (asset, _) in partitions[0].catalog().assets() {
            assert_eq!(together.totals(asset).elsewhere, Amount::ZERO);
        }
    }
}

/// An answer says what became of the command, however many partitions have a part in it.
fn assert_complete(command: &Command, events: &[Event]) {
    let (owner, says): (_, fn(&Event) -> bool) = match command {
        Command::PlaceOrder(place) => (place.account, |event| matches!(event, Event::OrderAccepted(_))),
        Command::CancelOrder(cancel) => (cancel.account, |event| matches!(event, Event::OrderEnded(_))),
        // It ends when that much has traded already.
        Command::AmendOrder(amend) => {
            (amend.account, |event| matches!(event, Event::OrderAmended(_) | Event::OrderEnded(_)))
        }
        Command::Deposit(deposit) => (deposit.account, |event| matches!(event, Event::Deposited(_))),
        Command::RequestWithdrawal(request) => {
            (request.account, |event| matches!(event, Event::WithdrawalRequested(_)))
        }
        _ => return,
    };
    let refused = |event: &Event| matches!(event, Event::Rejected { account, .. } if *account == owner);
    let answers = events.iter().filter(|event| says(event) || refused(event)).count();
    assert_eq!(answers, 1, "{command:?} was answered by {events:?}");
}

/// False when the exchange has stopped.
fn hand_in(ingress: &Ingress, listener: &Arc<Listener>, token: u64, command: &Command) -> bool {
    loop {
        match ingress.submit(listener.asks(token, command.clone())) {
            Ok(()) => return true,
            Err(SubmitError::Busy { .. } | SubmitError::OutboxFull { .. }) => std::thread::yield_now(),
            Err(SubmitError::Stopped) => return false,
        }
    }
}

#[test]
fn every_command_is_answered_and_everything_adds_up() {
    for count in [1, 2, 3, 5] {
        let mut exchange = Exchange::new(count, 40 + u64::from(count));
        for _ in 0..4 {
            exchange.trade(150).unwrap();
            exchange.check();
            exchange.assert_quiet();
        }
        let fills = exchange.told.iter().flat_map(|(.., events)| events);
        let fills = fills.filter(|event| matches!(event, Event::OrderFilled(_))).count();
        assert!(fills > 50, "{fills} fills on {count} partitions");
    }
}

/// A question that does not fit into one envelope, and an answer that does not either.
#[test]
fn all_of_many_orders_are_in_the_answer_that_cancels_them() {
    const ORDERS: u64 = 200;
    let exchange = Exchange::new(2, 3);
    let sequencer = exchange.start().unwrap();
    let ingress = &sequencer.ingress().clone();
    let listener = Arc::new(Listener::default());
    let (markets, valid_until_ns) = ([MarketId(0), MarketId(1)], TimeNs::NEVER);
    let home = |account| ingress.partitions().home(account);
    let account = (1..=4).map(AccountId).find(|account| home(*account) != PartitionId(0)).unwrap();
    let money = Command::Deposit(Box::new(Deposit {
        account,
        asset: AssetId(2),
        amount: Amount(10_000_000),
        reference: Reference::new("enough-for-all").unwrap(),
    }));
    assert!(hand_in(ingress, &listener, 0, &money));
    listener.wait_for(1);
    let mut token = 1;
    for market in markets {
        for number in 0..ORDERS {
            let kind = OrderKind::Limit {
                price_ticks: PriceTicks(1 + number.cast_signed()),
                qty_lots: QtyLots(1),
                time_in_force: TimeInForce::Gtc,
            };
            let place = Command::PlaceOrder(PlaceOrder {
                account,
                market,
                side: Side::Buy,
                kind,
                self_trade_prevention: SelfTradePrevention::None,
                client_order_id: ClientOrderId::new(&format!("{}-{number}", market.0)).unwrap(),
                valid_until_ns,
            });
            assert!(hand_in(ingress, &listener, token, &place));
            token += 1;
        }
    }
    for market in markets {
        let cancel = Command::CancelAllOrders(CancelAllOrders { account, market, valid_until_ns });
        assert!(hand_in(ingress, &listener, token, &cancel));
        token += 1;
        listener.wait_for(usize::try_from(token).unwrap());
        let (.., events) = listener.heard().remove(&(token - 1)).flatten().expect("it was answered");
        let ended = events.iter().filter(|event| matches!(event, Event::OrderEnded(_))).count();
        assert_eq!(u64::try_from(ended), Ok(ORDERS), "in market {}", market.0);
    }
    ingress.stop();
    sequencer.join_all().unwrap();
}

/// Who was told of a fill waits for the other side of it by what was said until then.
#[test]
fn what_was_said_is_taken_after_a_while() {
    let mut exchange = Exchange::new(3, 5);
    exchange.trade(50).unwrap();
    let sequencer = exchange.start().unwrap();
    let ingress = &sequencer.ingress().clone();
    let listener = Arc::new(Listener::default());
    for (token, command) in (0..).zip(exchange.flow.take(100)) {
        assert!(hand_in(ingress, &listener, token, &command));
    }
    listener.wait_for(100);
    let said = [0, 1, 2].map(|to| ingress.said_to(PartitionId(to)));
    ingress.stop();
    let stopped = sequencer.join_all().unwrap();
    assert_eq!(stopped.len(), 3);
    assert!(said.iter().all(|said| ingress.has_taken(said)), "a stop leaves nothing unheard");
}

#[test]
fn the_power_may_go_in_any_partition_at_any_moment() {
    let mut crashed = 0;
    for seed in 0..40 {
        let count = 2 + u8::try_from(seed % 2).unwrap();
        let mut exchange = Exchange::new(count, seed);
        // The fewer, the more often a partition says what it has taken.
        exchange.settings.outbox_limit = [1, 4, 65_536][usize::try_from(seed % 3).unwrap()];
        for _ in 0..3 {
            let disk = exchange.random.index(exchange.disks.len());
            let disk = &exchange.disks[disk];
            disk.power_off_at_call(disk.call_count() + exchange.random.index(120));
            let ended = exchange.trade(60);
            crashed += u32::from(ended.is_err());
            for disk in &exchange.disks {
                disk.crash(exchange.random.next());
                disk.restart();
            }
        }
        exchange.trade(20).unwrap();
        exchange.check();
        exchange.assert_quiet();
    }
    assert!(crashed > 60, "only {crashed} lives ended by a crash");
}

#[test]
fn with_a_full_outbox_clients_are_refused_and_nothing_stands_still() {
    let mut exchange = Exchange::new(3, 7);
    exchange.settings = Settings { outbox_limit: 1, ..settings() };
    exchange.trade(300).unwrap();
    exchange.check();
}

#[test]
fn a_partition_that_lacks_what_another_has_heard_is_refused() {
    let mut exchange = Exchange::new(2, 9);
    exchange.trade(40).unwrap();
    let old = exchange.copy_of(0);
    exchange.trade(80).unwrap();
    exchange.put_back(0, &old);
    let error = exchange.start().err().expect("batches that were acknowledged are missing");
    assert!(
        matches!(
            error,
            SequencerError::PartitionBehind { behind: PartitionId(0), ahead: PartitionId(1), .. }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("Put all partitions back from one backup"));
}

#[test]
fn journals_in_other_places_are_refused() {
    let mut exchange = Exchange::new(3, 11);
    exchange.disks.swap(1, 2);
    let error = exchange.start().err().expect("they are not in order");
    assert!(matches!(
        error,
        SequencerError::OtherPartition { expected: PartitionId(1), found: PartitionId(2) }
    ));
    exchange.disks.truncate(2);
    let error = exchange.start().err().expect("one is missing");
    assert!(matches!(error, SequencerError::PartitionCount { count: 3, found: 2 }));
}
