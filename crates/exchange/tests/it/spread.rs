//! What a client sees does not depend on the number of partitions: every story and random plans, played command by command on
//! one partition and on several, with the accounts spread by their numbers and the markets put anywhere, lead to the same
//! events (but for the numbers of orders and withdrawals, and for reference data that is told once in each partition), the same
//! balances and the same queues. After every message all invariants of all partitions together are looked at.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use codec::Coded;
use exchange::{Partition, Together};
use model::{
    AccountId, AddMarket, AddMarketTo, AlgoEndReason, AlgoId, AlgoRef, Amount, AssetId, CancelAlgoOrder,
    ClientOrderId, Command, Confirm, EndReason, Event, ExpiryReason, JoinExchange, MarketId,
    ModifyContractOrder, MoveMarket, OrderId, OrderKind, OrderRef, PartitionId, PlaceContractOrder,
    PlaceOrder, PositionSide, PriceTicks, QtyLots, Reference, Reject, RequestWithdrawal, SelfTradePrevention,
    Seq, Sequenced, Side, TimeInForce, TimeNs, WithdrawalId,
};
use proptest::prelude::*;

use crate::contracts;
use crate::random::plan;
use crate::scenarios::sorted_files;
use crate::sources;
use crate::story::Story;
use crate::witness::Witness;

/// Several partitions, and the post between them.
struct Cluster {
    nodes: Vec<Partition>,
    time_ns: TimeNs,
    /// Everything that each was given.
    journals: Vec<Vec<Sequenced<Command>>>,
    /// The command whose answer is not complete yet, and where.
    awaited: Option<(PartitionId, Seq)>,
    /// The last entry of the source that hands in what accounts ask for, if one does.
    entry: Option<u128>,
}

impl Cluster {
    fn new(count: u8) -> Self {
        let mut cluster =
            Self { nodes: Vec::new(), time_ns: TimeNs(0), journals: Vec::new(), awaited: None, entry: None };
        cluster.nodes.push(Partition::default());
        cluster.journals.push(Vec::new());
        for _ in 1..count {
            cluster.add_partition();
        }
        cluster
    }

    /// One more partition joins.
    fn add_partition(&mut self) {
        let partition = PartitionId(u8::try_from(self.nodes.len()).unwrap());
        let command = Command::JoinExchange(JoinExchange { partition });
        let join = Sequenced { seq: Seq(1), time_ns: self.time_ns, command };
        let mut node = Partition::default();
        node.apply(&join, &mut Vec::new());
        assert_eq!(node.own_id(), partition);
        self.nodes.push(node);
        self.journals.push(vec![join]);
        self.apply(Command::AddPartition);
    }

    /// What accounts ask for comes of a source from now on.
    fn use_source(&mut self) {
        self.entry = Some(0);
        for partition in (0..).map(PartitionId).take(self.nodes.len()) {
            self.give(partition, sources::register(partition, "orders", 4));
        }
    }

    fn give(&mut self, to: PartitionId, command: Command) -> Vec<Event> {
        let node = &mut self.nodes[to.index()];
        let input = Sequenced { seq: node.seq().next(), time_ns: self.time_ns, command };
        let mut events = Vec::new();
        node.apply(&input, &mut events);
        let (seq, progress) = (input.seq, node.progress());
        if matches!(input.command, Command::Deliver(_)) {
            let answered = progress.answers.map(|seq| (to, seq));
            if answered.is_some() && answered == self.awaited && !progress.more_to_come {
                self.awaited = None;
            }
        } else if progress.more_to_come {
            assert_eq!(progress.answers, Some(seq), "a command waits for its own answer");
            self.awaited = Some((to, seq));
        }
        self.journals[to.index()].push(input);
        self.assert_invariants();
        events
    }

    fn assert_invariants(&self) {
        Together::new(&self.nodes.iter().collect::<Vec<_>>()).assert_invariants();
    }

    /// Carries envelopes until nobody has any more to say.
    fn carry(&mut self) -> Vec<(PartitionId, Event)> {
        let mut told = Vec::new();
        let all: Vec<_> = (0..u8::try_from(self.nodes.len()).unwrap()).map(PartitionId).collect();
        loop {
            let mut quiet = true;
            for from in &all {
                for to in all.iter().filter(|to| *to != from) {
                    let taken = self.nodes[to.index()].last_taken(*from);
                    let next = self.nodes[from.index()].envelopes_to(*to, taken).next().cloned();
                    if let Some(envelope) = next {
                        quiet = false;
                        let again = envelope.clone();
                        let events = self.give(*to, Command::Deliver(envelope));
                        told.extend(events.into_iter().map(|event| (*to, event)));
                        let nothing = self.give(*to, Command::Deliver(again));
                        assert_eq!(nothing, [], "what comes a second time changes nothing");
                    }
                }
            }
            if quiet {
                return told;
            }
        }
    }

    /// Each tells the others what it has taken.
    fn confirm(&mut self) {
        for by in 0..self.nodes.len() {
            for to in (0..self.nodes.len()).filter(|to| *to != by) {
                let id = |index: usize| PartitionId(u8::try_from(index).unwrap());
                let taken = self.nodes[by].last_taken(id(to));
                self.give(id(to), Command::Confirm(Confirm { by: id(by), taken }));
                assert_eq!(self.nodes[to].unconfirmed(id(by)), 0, "what was taken is forgotten");
            }
        }
    }

    /// Does a command where it belongs, and all that follows from it.
    fn apply(&mut self, command: Command) -> Vec<(PartitionId, Event)> {
        let directory = self.nodes[0].partitions();
        let to = match &command {
            Command::Deposit(deposit) => directory.home(deposit.account),
            Command::RequestWithdrawal(request) => directory.home(request.account),
            Command::SettleWithdrawal(settle) => settle.withdrawal.partition(),
            Command::PlaceOrder(place) => directory.home(place.account),
            Command::CancelOrder(cancel) => directory.home(cancel.account),
            Command::CancelAllOrders(cancel) => directory.home(cancel.account),
            Command::ReplaceOrder(replace) => directory.home(replace.place.account),
            Command::AmendOrder(amend) => directory.home(amend.account),
            Command::MoveFunds(moves) => directory.home(moves.account),
            Command::PlaceContractOrder(place) => directory.home(place.account),
            Command::ChangeLeverage(change) => directory.home(change.account),
            Command::ChangeMarginType(change) => directory.home(change.account),
            Command::MovePositionMargin(moves) => directory.home(moves.account),
            Command::ChangePositionMode(change) => directory.home(change.account),
            Command::PlaceAlgoOrder(place) => directory.home(place.account),
            Command::CancelAlgoOrder(cancel) => directory.home(cancel.account),
            Command::CancelAllAlgoOrders(cancel) => directory.home(cancel.account),
            Command::SetCountdown(set) => directory.home(set.account),
            Command::ModifyContractOrder(modify) => directory.home(modify.account),
            Command::PlaceGoodTillDate(place) => directory.home(place.account),
            Command::SetIndexPrice(set) => {
                self.nodes[0].catalog().home(set.market).unwrap_or(PartitionId::FIRST)
            }
            _ => PartitionId::FIRST,
        };
        let entry = self.entry.and_then(|entry| sources::from_source(entry + 1, &command));
        self.entry = self.entry.map(|last| last + u128::from(entry.is_some()));
        let is_entry = entry.is_some();
        let is_clock = matches!(command, Command::Tick | Command::Continue);
        let mut told: Vec<_> =
            self.give(to, entry.unwrap_or(command)).into_iter().map(|event| (to, event)).collect();
        let is_open = self.awaited.is_some();
        if is_clock {
            // Every partition has a clock, and goes on with what nobody waits for.
            for other in (1..u8::try_from(self.nodes.len()).unwrap()).map(PartitionId) {
                told.extend(self.give(other, Command::Tick).into_iter().map(|event| (other, event)));
            }
        }
        told.extend(self.carry());
        assert_eq!(self.awaited.take(), None, "every answer is complete in the end");
        let mut count = |is: fn(&Event) -> bool| {
            let before = told.len();
            told.retain(|(_, event)| !is(event));
            before - told.len()
        };
        let taken = count(|event| matches!(event, Event::EntryTaken { .. }));
        let open = count(|event| matches!(event, Event::EntryOpen { .. }));
        let answered = count(|event| matches!(event, Event::EntryAnswered { .. }));
        let expected = (usize::from(is_entry), usize::from(is_entry && is_open));
        assert_eq!(
            (taken, open, answered),
            (expected.0, expected.1, expected.1),
            "an entry is taken and answered once"
        );
        told
    }

    fn home(&self, market: MarketId) -> &Partition {
        let home = self.nodes[0].catalog().home(market).unwrap();
        &self.nodes[home.index()]
    }

    /// From now on with what snapshots of all partitions give back.
    fn restart(&mut self) {
        for node in &mut self.nodes {
            let bytes = node.snapshot();
            let restored = Partition::restore(&bytes).expect("a snapshot can be read");
            assert!(restored.snapshot() == bytes, "a restored partition has the same bytes");
            *node = restored;
        }
        self.assert_invariants();
    }

    /// The journals applied again lead to the same states.
    fn assert_same_again(&self) {
        for (journal, node) in self.journals.iter().zip(&self.nodes) {
            let mut again = Partition::default();
            for input in journal {
                again.apply(input, &mut Vec::new());
            }
            assert!(again.snapshot() == node.snapshot(), "the same journal leads to the same state");
        }
    }
}

/// The numbers that orders and withdrawals have on several partitions, by those that they have on one.
#[derive(Default)]
struct Names {
    orders: BTreeMap<OrderId, OrderId>,
    withdrawals: BTreeMap<WithdrawalId, WithdrawalId>,
    algos: BTreeMap<AlgoId, AlgoId>,
}

/// Numbers that nobody ever gets.
const NO_ALGO: AlgoId = AlgoId(1 << 47);
const NO_ORDER: OrderId = OrderId(1 << 47);
const NO_WITHDRAWAL: WithdrawalId = WithdrawalId(1 << 47);

impl Names {
    fn order(&self, order: OrderId) -> OrderId {
        self.orders.get(&order).copied().unwrap_or(NO_ORDER)
    }

    fn algo(&self, algo: AlgoId) -> AlgoId {
        self.algos.get(&algo).copied().unwrap_or(NO_ALGO)
    }

    fn withdrawal(&self, withdrawal: WithdrawalId) -> WithdrawalId {
        self.withdrawals.get(&withdrawal).copied().unwrap_or(NO_WITHDRAWAL)
    }

    fn order_ref(&self, order: &OrderRef) -> OrderRef {
        match order {
            OrderRef::Id(id) => OrderRef::Id(self.order(*id)),
            OrderRef::Client(name) => OrderRef::Client(*name),
            OrderRef::Both((id, name)) => OrderRef::Both((self.order(*id), *name)),
        }
    }

    /// The same command for several partitions.
    fn command(&self, mut command: Command, count: u8) -> Command {
        match &mut command {
            Command::CancelOrder(cancel) => cancel.order = self.order_ref(&cancel.order),
            Command::ReplaceOrder(replace) => replace.cancel = self.order_ref(&replace.cancel),
            Command::CancelAlgoOrder(CancelAlgoOrder { algo: AlgoRef::Id(algo), .. }) => {
                *algo = self.algo(*algo);
            }
            Command::ModifyContractOrder(modify) => modify.order = self.order_ref(&modify.order),
            Command::AmendOrder(amend) => amend.order = self.order_ref(&amend.order),
            Command::SettleWithdrawal(settle) => settle.withdrawal = self.withdrawal(settle.withdrawal),
            Command::AddContract(add) => {
                let letters: u32 = add.terms.name.as_str().bytes().map(u32::from).sum();
                add.partition = PartitionId(u8::try_from(letters % u32::from(count)).unwrap());
            }
            Command::AddMarket(add) => {
                let terms = add.terms;
                let letters: u32 = terms.name.as_str().bytes().map(u32::from).sum();
                let partition = PartitionId(u8::try_from(letters % u32::from(count)).unwrap());
                return Command::AddMarketTo(Box::new(AddMarketTo { terms, partition }));
            }
            _ => {}
        }
        command
    }

    /// The same event as it is on several partitions.
    fn event(&self, mut event: Event) -> Event {
        match &mut event {
            Event::OrderAccepted(accepted) => accepted.order = self.order(accepted.order),
            Event::OrderFilled(filled) => filled.order = self.order(filled.order),
            Event::OrderPrevented(prevented) => {
                prevented.order = self.order(prevented.order);
                prevented.counter_order = self.order(prevented.counter_order);
            }
            Event::OrderAmended(amended) => amended.order = self.order(amended.order),
            Event::OrderTracks(tracks) => tracks.order = self.order(tracks.order),
            Event::OrderTriggered(triggered) => triggered.order = self.order(triggered.order),
            Event::OrderEnded(ended) => ended.order = self.order(ended.order),
            Event::ContractOrderAccepted(accepted) => accepted.order = self.order(accepted.order),
            Event::ContractFilled(filled) => filled.order = self.order(filled.order),
            Event::GoodTillDate { order, .. } => *order = self.order(*order),
            Event::ContractOrderModified(modified) => modified.order = self.order(modified.order),
            Event::AlgoOrderAccepted(accepted) => accepted.algo = self.algo(accepted.algo),
            Event::AlgoOrderTracks(tracks) => tracks.algo = self.algo(tracks.algo),
            Event::AlgoOrderTriggered(triggered) => {
                triggered.algo = self.algo(triggered.algo);
                triggered.order = self.order(triggered.order);
            }
            Event::AlgoOrderEnded(ended) => ended.algo = self.algo(ended.algo),
            Event::Rejected { reject: Reject::ClosesAlready { algo }, .. } => *algo = self.algo(*algo),
            Event::Traded(traded) => {
                traded.maker_order = self.order(traded.maker_order);
                traded.taker_order = self.order(traded.taker_order);
            }
            Event::WithdrawalRequested(requested) => {
                requested.withdrawal = self.withdrawal(requested.withdrawal);
            }
            Event::WithdrawalSettled(settled) => settled.withdrawal = self.withdrawal(settled.withdrawal),
            Event::Rejected { reject: Reject::UnknownWithdrawal { withdrawal }, .. } => {
                *withdrawal = self.withdrawal(*withdrawal);
            }
            _ => {}
        }
        event
    }

    /// Learns the numbers that a command gave out.
    fn learn(&mut self, one: &[Event], several: &[(PartitionId, Event)]) {
        let waits = |event: &Event| match event {
            Event::AlgoOrderAccepted(accepted) => Some(accepted.algo),
            _ => None,
        };
        let algos = several.iter().filter_map(|(_, event)| waits(event));
        self.algos.extend(one.iter().filter_map(waits).zip(algos));
        // Orders of algo orders are known by those: partitions place theirs in any order.
        let placed = |event: &Event| match event {
            Event::AlgoOrderTriggered(triggered) => Some((triggered.algo, triggered.order)),
            _ => None,
        };
        let here: BTreeMap<_, _> = one.iter().filter_map(placed).collect();
        let there: BTreeMap<_, _> = several.iter().filter_map(|(_, event)| placed(event)).collect();
        for (algo, order) in &here {
            if let Some(order_there) = there.get(&self.algo(*algo)) {
                self.orders.insert(*order, *order_there);
            }
        }
        let accepted = |event: &Event| match event {
            Event::OrderAccepted(accepted) => Some(accepted.order),
            Event::ContractOrderAccepted(accepted) => Some(accepted.order),
            _ => None,
        };
        let by_owners = |event: &Event, placed: &BTreeMap<AlgoId, OrderId>| {
            accepted(event).filter(|order| !placed.values().any(|placed| placed == order))
        };
        let orders = several.iter().filter_map(|(_, event)| by_owners(event, &there));
        self.orders.extend(one.iter().filter_map(|event| by_owners(event, &here)).zip(orders));
        let requested = |event: &Event| match event {
            Event::WithdrawalRequested(requested) => Some(requested.withdrawal),
            _ => None,
        };
        let withdrawals = several.iter().filter_map(|(_, event)| requested(event));
        self.withdrawals.extend(one.iter().filter_map(requested).zip(withdrawals));
    }
}

/// Reference data is told once in each partition; the first one's telling counts. What is only told where there are several is
/// left out.
fn is_repeated(teller: PartitionId, event: &Event) -> bool {
    match event {
        Event::AssetAdded { .. }
        | Event::MarketAdded { .. }
        | Event::ContractAdded { .. }
        | Event::AccountCreated { .. } => teller != PartitionId::FIRST,
        Event::MarketPlaced { .. } | Event::Heard { .. } => true,
        _ => false,
    }
}

fn sorted(events: impl Iterator<Item = Event>) -> Vec<Event> {
    let mut events: Vec<_> = events.collect();
    events.sort_by_cached_key(|event| {
        let mut bytes = Vec::new();
        event.encode(&mut bytes);
        bytes
    });
    events
}

/// One partition and several, given the same commands.
struct Both {
    one: Partition,
    several: Cluster,
    names: Names,
    /// Some market has moved: its new home tells its levels again, which counts as changes.
    has_moved: bool,
}

impl Both {
    fn new(count: u8) -> Self {
        let mut several = Cluster::new(count);
        // Whether a source asks or a gateway makes no difference either.
        if count == 3 {
            several.use_source();
        }
        Self { one: Partition::default(), several, names: Names::default(), has_moved: false }
    }

    fn apply(&mut self, time_ns: TimeNs, command: &Command) -> Vec<Event> {
        let count = u8::try_from(self.several.nodes.len()).unwrap();
        let mut one = Vec::new();
        let input = Sequenced { seq: self.one.seq().next(), time_ns, command: command.clone() };
        self.one.apply(&input, &mut one);
        self.several.time_ns = time_ns;
        let several = self.several.apply(self.names.command(command.clone(), count));
        self.names.learn(&one, &several);

        let renumbered = |mut event: Event| {
            if let Event::LevelChanged(changed) = &mut event
                && self.has_moved
            {
                changed.update_id = 0;
            }
            event
        };
        let expected = sorted(one.iter().cloned().map(|event| renumbered(self.names.event(event))));
        let told = several.into_iter().filter(|(teller, event)| !is_repeated(*teller, event));
        let told = sorted(told.map(|(_, event)| renumbered(event)));
        if !is_known_difference(command, &expected, &told) {
            assert!(expected == told, "{command:?}\non one partition: {expected:#?}\non {count}: {told:#?}");
        }
        self.assert_same();
        one
    }

    fn assert_same(&self) {
        let accounts = (1..).map(AccountId).take_while(|account| self.one.balances(*account).is_ok());
        for account in accounts {
            let home = self.several.nodes[0].partitions().home(account);
            let there = self.several.nodes[home.index()].balances(account).expect("it lives there");
            let balances = |balances: &mut dyn Iterator<Item = exchange::Balance>| -> Vec<_> {
                let mut some: Vec<_> = balances.collect();
                some.retain(|balance| !balance.free.is_zero() || !balance.held.is_zero());
                some
            };
            assert_eq!(
                balances(&mut self.one.balances(account).unwrap()),
                balances(&mut { there }),
                "the same balances of account {account}"
            );
        }
        for (market, _) in self.one.catalog().markets() {
            for side in [Side::Buy, Side::Sell] {
                let renamed = self
                    .one
                    .queue(market, side)
                    .unwrap()
                    .map(|(order, account, price, open)| (self.names.order(order), account, price, open));
                let there: Vec<_> = self.several.home(market).queue(market, side).unwrap().collect();
                assert_eq!(renamed.collect::<Vec<_>>(), there, "the same queue");
            }
            let renamed = self.one.waiting(market).unwrap().map(|place| {
                let order = self.names.order(place.order);
                (order, (place.account, place.kind, place.held))
            });
            let there = self.several.home(market).waiting(market).unwrap();
            let there = there.map(|place| (place.order, (place.account, place.kind, place.held)));
            let (renamed, there) = (renamed.collect::<BTreeMap<_, _>>(), there.collect::<BTreeMap<_, _>>());
            assert_eq!(renamed, there, "the same wait for a price");
        }
    }
}

/// A withdrawal under a reference that another account has used, and for which there is not enough money: one partition alone
/// sees the reference first, several see the money first. It is refused either way.
fn is_known_difference(command: &Command, one: &[Event], several: &[Event]) -> bool {
    let (Command::RequestWithdrawal(_), [one], [several]) = (command, one, several) else { return false };
    matches!(one, Event::Rejected { reject: Reject::DuplicateReference, .. })
        && matches!(several, Event::Rejected { reject: Reject::InsufficientBalance { .. }, .. })
}

#[test]
fn every_story_is_the_same_on_several_partitions() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    for story in sorted_files(&folder) {
        let mut told = Story::default();
        let text = fs::read_to_string(&story).unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix("> ")) {
            told.tell(line);
        }
        for count in [2, 3] {
            println!("{} on {count}", story.display());
            let mut both = Both::new(count);
            for input in &told.world.journal {
                both.apply(input.time_ns, &input.command);
            }
            both.several.confirm();
            both.several.restart();
            both.assert_same();
            both.several.assert_same_again();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_plans_are_the_same_on_several_partitions(plan in plan(120), count in 2_u8..5, moves in any::<u64>()) {
        let mut both = Both::new(count);
        let mut witness = Witness::default();
        for (at, step) in plan.steps.iter().enumerate() {
            let command = step.aimed(&witness.open_orders());
            witness.see(&both.apply(step.time_ns, &command));
            if at == plan.restart_after {
                both.several.confirm();
                both.several.restart();
            }
            // Now and then a market moves, with all that rests there.
            if moves.rotate_left(u32::try_from(at % 64).unwrap()) % 8 == 0 {
                let markets = both.one.catalog().markets().count();
                if markets > 0 {
                    let market = MarketId(u32::try_from(at % markets).unwrap());
                    let to = PartitionId(u8::try_from(at % usize::from(count)).unwrap());
                    both.has_moved = true;
                    both.several.apply(Command::MoveMarket(MoveMarket { market, to }));
                    prop_assert_eq!(both.several.nodes[0].catalog().home(market), Some(to));
                    both.assert_same();
                }
            }
        }
        both.several.assert_same_again();
    }
}

#[test]
fn a_partition_is_told_what_there_is_when_it_joins() {
    let mut story = Story::default();
    story.tell("alice buy 2 @ 100");
    story.tell("bob sell 1 @ 100");
    let mut cluster = Cluster::new(1);
    for input in &story.world.journal {
        cluster.apply(input.command.clone());
    }
    cluster.add_partition();
    let names = |node: &Partition| -> Vec<_> {
        let assets = node.catalog().assets().map(|(_, terms)| terms.name.to_string());
        assets.chain(node.catalog().markets().map(|(_, terms)| terms.name.to_string())).collect()
    };
    assert_eq!(names(&cluster.nodes[1]), names(&cluster.nodes[0]));
    assert_eq!(cluster.nodes[1].partitions(), cluster.nodes[0].partitions());
    // Who was there stays; whoever comes is spread.
    let home = |account| cluster.nodes[0].partitions().home(AccountId(account));
    assert_eq!((home(1), home(2)), (PartitionId(0), PartitionId(0)));
    assert!((3..20).any(|account| home(account) == PartitionId(1)));
    cluster.assert_same_again();
}

/// An operator who changed a market's terms while it moved was never answered: the directory waited for the market's home to
/// have heard of it, and its old home, which had sent it away already, thought that the new one would say so. Found by the
/// simulated world.
#[test]
fn terms_stay_as_they_are_while_a_market_moves() {
    let mut story = Story::default();
    story.tell("alice buy 2 @ 100");
    let mut cluster = Cluster::new(3);
    for input in &story.world.journal {
        cluster.apply(input.command.clone());
    }
    let (market, to) = (MarketId(0), PartitionId(2));
    let terms = *cluster.nodes[0].catalog().market(market).unwrap();
    let change = Command::ChangeMarket(Box::new(AddMarket { terms }));
    cluster.give(PartitionId::FIRST, Command::MoveMarket(MoveMarket { market, to }));
    let refused = Event::Rejected { account: AccountId(0), reject: Reject::MarketMoves { to } };
    assert_eq!(cluster.give(PartitionId::FIRST, change.clone()), [refused]);
    cluster.carry();
    // The cluster asserts that the answer is complete in the end.
    let told = cluster.apply(change);
    assert!(told.iter().all(|(_, event)| matches!(event, Event::MarketAdded { .. })), "{told:?}");
}

/// An account far from its contract: between the price that triggers its algo order and the market's answer, its partition starts again.
/// What the market refuses then is still told of the algo order, and of nothing else.
#[test]
fn an_order_of_an_algo_order_is_answered_behind_a_restart() {
    let mut story = Story::default();
    for line in [
        "account house rich",
        "contract BTCUSDT_PERP tick 1 lot 0.1 reference 100 price 1..10000 band 0% with fund house source feed",
        "move alice 1000 USDT to futures",
        "move bob 10000 USDT to futures",
        "bob buy 1 @ 95 on BTCUSDT_PERP",
        "alice waits to sell 1 market stop 95 reduce-only as nothing-there on BTCUSDT_PERP",
        "alice waits to sell 1 @ 95 gtx stop 95 as would-rest on BTCUSDT_PERP",
    ] {
        story.tell(line);
    }
    let mut cluster = Cluster::new(2);
    let names = Names::default();
    for input in &story.world.journal {
        cluster.apply(names.command(input.command.clone(), 2));
    }
    let (alice, bob, market) = (AccountId(2), AccountId(3), MarketId(1));
    let directory = cluster.nodes[0].partitions();
    let (home, of_bob) = (directory.home(alice), directory.home(bob));
    let at = cluster.nodes[0].catalog().home(market).unwrap();
    assert_ne!(home, at, "alice lives elsewhere");
    let sell = |qty: i64, price: i64| PlaceContractOrder {
        account: bob,
        market,
        side: Side::Sell,
        position_side: PositionSide::Both,
        kind: OrderKind::Limit {
            price_ticks: PriceTicks(price),
            qty_lots: QtyLots(qty),
            time_in_force: TimeInForce::Gtc,
        },
        self_trade_prevention: SelfTradePrevention::None,
        reduce_only: false,
        client_order_id: ClientOrderId::EMPTY,
        valid_until_ns: TimeNs::NEVER,
    };
    cluster.give(of_bob, Command::PlaceContractOrder(sell(10, 95)));
    let hears = |cluster: &mut Cluster, to: PartitionId| {
        let from = PartitionId(1 - to.0);
        let taken = cluster.nodes[to.index()].last_taken(from);
        let said: Vec<_> = cluster.nodes[from.index()].envelopes_to(to, taken).cloned().collect();
        said.into_iter().flat_map(|envelope| cluster.give(to, Command::Deliver(envelope))).collect::<Vec<_>>()
    };
    // The trade happens, and alice's partition hears of the price.
    hears(&mut cluster, at);
    let told = hears(&mut cluster, home);
    let triggered = told.iter().filter(|event| matches!(event, Event::AlgoOrderTriggered(_)));
    assert_eq!(triggered.count(), 2, "{told:?}");
    cluster.restart();
    let told = cluster.carry();
    let refused = told.iter().filter_map(|(_, event)| match event {
        Event::AlgoOrderEnded(ended) => Some(ended.reason),
        Event::Rejected { reject, .. } => panic!("nobody has asked for it: {reject}"),
        _ => None,
    });
    let nothing_there = AlgoEndReason::Refused { reject: Reject::NothingToReduce };
    assert_eq!(refused.collect::<Vec<_>>(), [nothing_there]);
    let rests = told
        .iter()
        .filter(|(_, event)| matches!(event, Event::ContractOrderAccepted(it) if it.account == alice));
    assert_eq!(rests.count(), 1, "the other one rests");
    cluster.awaited = None;
    cluster.assert_same_again();
}

/// An account far from its contract starts again between a modification and the market's answer. It asks for no second one before
/// that, and reserves for both until then.
#[test]
fn a_modification_is_answered_behind_a_restart() {
    let mut story = Story::default();
    for line in [
        "account house rich",
        "contract BTCUSDT_PERP tick 1 lot 0.1 reference 100 price 1..10000 band 0% with fund house source feed",
        "move alice 1000 USDT to futures",
        "alice buy 100 @ 95 as mine on BTCUSDT_PERP",
    ] {
        story.tell(line);
    }
    let (alice, market) = (AccountId(2), MarketId(1));
    for qty in [1_100, 20, 1_000] {
        let mut cluster = Cluster::new(2);
        for input in &story.world.journal {
            cluster.apply(Names::default().command(input.command.clone(), 2));
        }
        let home = cluster.nodes[0].partitions().home(alice);
        assert_ne!(cluster.nodes[0].catalog().home(market), Some(home), "alice lives elsewhere");
        let price_ticks = PriceTicks(if qty == 1_000 { 95 } else { 96 });
        let modify = Command::ModifyContractOrder(ModifyContractOrder {
            account: alice,
            market,
            order: OrderRef::Client(ClientOrderId::new("mine").unwrap()),
            price_ticks,
            qty_lots: QtyLots(qty),
            maker_only: false,
            self_trade_prevention: SelfTradePrevention::None,
            valid_until_ns: TimeNs::NEVER,
        });
        assert_eq!(cluster.give(home, modify.clone()), []);
        let refused = Event::Rejected { account: alice, reject: Reject::BeingModified };
        assert_eq!(cluster.give(home, modify), [refused]);
        cluster.restart();
        let told = cluster.carry();
        cluster.awaited = None;
        let modified = told.iter().find_map(|(_, event)| match event {
            Event::ContractOrderModified(modified) => Some(modified.kind),
            _ => None,
        });
        let (qty_lots, time_in_force) = (QtyLots(qty), TimeInForce::Gtc);
        let expected = OrderKind::Limit { price_ticks, qty_lots, time_in_force };
        if qty == 1_000 {
            let nothing = Event::Rejected { account: alice, reject: Reject::AmendChangesNothing };
            assert!(told.iter().any(|(_, event)| *event == nothing), "{told:?}");
        } else {
            assert_eq!(modified, Some(expected));
        }
        cluster.restart();
        cluster.assert_same_again();
    }
}

/// The same, between the time at which an order expires and the market's answer.
#[test]
fn an_order_expires_behind_a_restart() {
    let mut story = Story::default();
    for line in [
        "account house rich",
        "contract BTCUSDT_PERP tick 1 lot 0.1 reference 100 price 1..10000 band 0% with fund house source feed",
        "move alice 1000 USDT to futures",
        "alice good till 5 buy 10 @ 95 on BTCUSDT_PERP",
    ] {
        story.tell(line);
    }
    let mut cluster = Cluster::new(2);
    for input in &story.world.journal {
        cluster.apply(Names::default().command(input.command.clone(), 2));
    }
    let home = cluster.nodes[0].partitions().home(AccountId(2));
    assert_ne!(cluster.nodes[0].catalog().home(MarketId(1)), Some(home), "alice lives elsewhere");
    cluster.time_ns = TimeNs(5_000_000_000);
    assert_eq!(cluster.give(home, Command::Tick), []);
    cluster.restart();
    assert!(!cluster.nodes[home.index()].has_work(), "its market is told once");
    assert_eq!(cluster.give(home, Command::Tick), []);
    let told = cluster.carry();
    let expired = told.iter().filter(|(_, event)| {
        let reason = EndReason::Expired(ExpiryReason::GoodTillDate);
        matches!(event, Event::OrderEnded(ended) if ended.reason == reason)
    });
    assert_eq!(expired.count(), 1, "{told:?}");
    cluster.restart();
    cluster.assert_same_again();
}

/// The journal of the second of three partitions, cut where much is on its way.
pub fn in_the_middle_of_things() -> Vec<Sequenced<Command>> {
    let mut story = Story::default();
    let lines = [
        "market ETHUSDT base ETH",
        "market SOLUSDT base SOL",
        "ann buy 2 @ 100 as first",
        "bea sell 1 @ 100",
        "cyd sell 3 @ 99 on ETHUSDT as second",
        "dot buy 1 @ 99 on ETHUSDT",
        "eve buy 5 @ 98 on SOLUSDT",
        "fay sell 2 @ 98 on SOLUSDT stp expire-taker",
        "ann withdraw 5 BTC ref out-1",
        "bea amend second to 2 on ETHUSDT",
        "cyd replace second anyway with sell 2 @ 101 on ETHUSDT as third",
        "eve cancel all on SOLUSDT",
    ];
    for line in lines {
        story.tell(line);
    }
    let mut both = Both::new(3);
    for input in &story.world.journal {
        both.apply(input.time_ns, &input.command);
    }
    let mut cluster = both.several;
    // From now on nothing is carried but what the second partition hears.
    let second = PartitionId(1);
    cluster.give(PartitionId::FIRST, Command::MoveMarket(MoveMarket { market: MarketId(0), to: second }));
    for (account, market) in (1..7).flat_map(|account| [(account, 0), (account, 1), (account, 2)]) {
        let account = AccountId(account);
        let home = cluster.nodes[0].partitions().home(account);
        let place = PlaceOrder {
            account,
            market: MarketId(market),
            side: Side::Buy,
            kind: OrderKind::Limit {
                price_ticks: PriceTicks(9_900),
                qty_lots: QtyLots(100_000),
                time_in_force: TimeInForce::Gtc,
            },
            self_trade_prevention: SelfTradePrevention::None,
            client_order_id: ClientOrderId::EMPTY,
            valid_until_ns: TimeNs::NEVER,
        };
        cluster.give(home, Command::PlaceOrder(place));
        let (asset, amount) = (AssetId(0), Amount(7));
        let reference = Reference::new(&format!("late-{account}-{market}")).unwrap();
        cluster.give(
            home,
            Command::RequestWithdrawal(Box::new(RequestWithdrawal { account, asset, amount, reference })),
        );
    }
    for from in [PartitionId(0), PartitionId(2)] {
        let taken = cluster.nodes[1].last_taken(from);
        let heard: Vec<_> = cluster.nodes[from.index()].envelopes_to(second, taken).cloned().collect();
        for envelope in heard {
            cluster.give(second, Command::Deliver(envelope));
        }
    }
    cluster.journals.swap_remove(1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, failure_persistence: None, ..ProptestConfig::default() })]
    /// Traders at contracts whose accounts, funds and markets are anywhere. Whose turn it is when many are liquidated at once depends on
    /// the way that messages take, so the outcome need not be that of one partition; what must hold of all together does.
    #[test]
    fn contracts_are_safe_on_several_partitions(plan in contracts::plans(80), count in 2_u8..4) {
        let mut cluster = Cluster::new(count);
        let names = Names::default();
        for command in contracts::beginning(&plan) {
            cluster.apply(names.command(command, count));
        }
        let mut prices = contracts::Prices::default();
        for (at, step) in plan.steps.iter().enumerate() {
            let open: Vec<_> = cluster.nodes.iter().flat_map(Partition::open_orders).collect();
            let mode = |who| {
                let home = cluster.nodes[0].partitions().home(AccountId(who));
                cluster.nodes[home.index()].position_mode(AccountId(who))
            };
            for (passes, command) in step.commands(&mut prices, &open, mode, cluster.time_ns) {
                cluster.time_ns = TimeNs(cluster.time_ns.0 + passes);
                cluster.apply(command);
            }
            if at % plan.restart_every == 0 {
                cluster.restart();
            }
        }
        for _ in 0..1_000 {
            if cluster.nodes.iter().any(Partition::has_work) {
                cluster.apply(Command::Continue);
            }
        }
        prop_assert!(!cluster.nodes.iter().any(Partition::has_work), "there is an end to all work");
        cluster.assert_same_again();
    }
}
