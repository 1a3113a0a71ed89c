//! Two partitions against one: what an order costs when its account and its market live apart, and what two threads on two cores
//! reach together; no journal, no API. The flow is that of [`crate::flow`], from its first order on, with resting orders named
//! as their owners call them, since numbers tell the partition, and without prevention of self-trades, since accounts are
//! exchanged for others.

mod durable;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use exchange::Partition;
use model::{
    AccountId, AddMarketTo, AmendOrder, CancelOrder, Command, Confirm, Envelope, Event, JoinExchange,
    OrderRef, PartitionId, Partitions, PlaceOrder, SelfTradePrevention, Seq, Sequenced, TimeNs,
};

pub use durable::run as durable;
use simulator::mixed::client_id;

use crate::Measurement;
use crate::flow::{Flow, Shape, preparation};

/// Commands that are made before the clock is started again.
const PIECE: usize = 4_096;
/// Commands that a partition applies before it looks at its mail.
const BATCH: usize = 256;
/// How far an outbox may grow before somebody says how much of it was taken, as in the sequencer.
const CONFIRM_AFTER: usize = 256;
/// With so much in its outbox a thread lets the other one catch up before it goes on with commands of its own. Without a bound
/// mail begets mail, until all of it comes from memory instead of the caches.
const MOST_UNCONFIRMED: usize = 2_048;

const SHAPE: Shape =
    Shape { self_trade_prevention: SelfTradePrevention::None, stop_distance: 0, ..Shape::STANDARD };

/// Who trades where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// Each account in markets of its own partition.
    Together,
    /// Each account in markets of the other partition.
    Apart,
    /// Each account anywhere, as the hash of its number has it.
    Hashed,
}

/// A partition, and what was given to it so far.
struct Node {
    partition: Partition,
    seq: Seq,
    /// By partition: the last envelope that was handed to it.
    sent: Vec<u64>,
}

impl Node {
    fn new() -> Self {
        Self { partition: Partition::default(), seq: Seq(0), sent: Vec::new() }
    }

    fn apply(&mut self, command: Command, events: &mut Vec<Event>) {
        self.seq = self.seq.next();
        let input = Sequenced { seq: self.seq, time_ns: TimeNs(1), command };
        self.partition.apply(&input, events);
    }

    /// What it has to say to another partition that was not handed over yet.
    fn mail(&mut self, to: PartitionId) -> Vec<Arc<Envelope>> {
        self.sent.resize(self.sent.len().max(to.index() + 1), 0);
        let sent = &mut self.sent[to.index()];
        let mail: Vec<Arc<Envelope>> = self.partition.envelopes_to(to, *sent).cloned().collect();
        *sent = self.partition.last_said(to);
        mail
    }

    fn take(&mut self, mail: Vec<Arc<Envelope>>, events: &mut Vec<Event>) {
        for envelope in mail {
            self.apply(Command::Deliver(envelope), events);
        }
    }

    fn confirm(&mut self, by: PartitionId, taken: u64, events: &mut Vec<Event>) {
        let unconfirmed = self.partition.unconfirmed(by);
        let known = self.partition.last_said(by) - u64::try_from(unconfirmed).expect("fits");
        if unconfirmed >= CONFIRM_AFTER && taken > known {
            self.apply(Command::Confirm(Confirm { by, taken }), events);
        }
    }
}

/// An exchange of so many partitions with markets, accounts and money. Its markets take turns.
fn prepared(count: u8) -> Vec<Node> {
    let mut nodes: Vec<Node> = (0..count).map(|_| Node::new()).collect();
    let mut events = Vec::new();
    for added in 1..count {
        let partition = PartitionId(added);
        nodes[usize::from(added)].apply(Command::JoinExchange(JoinExchange { partition }), &mut events);
        nodes[0].apply(Command::AddPartition, &mut events);
    }
    let mut markets = 0;
    for command in preparation(&SHAPE) {
        let command = match command {
            Command::AddMarket(add) if count > 1 => {
                let partition = PartitionId(markets % count);
                markets += 1;
                Command::AddMarketTo(Box::new(AddMarketTo { terms: add.terms, partition }))
            }
            other => other,
        };
        let home = match &command {
            Command::Deposit(deposit) => nodes[0].partition.partitions().home(deposit.account),
            _ => PartitionId::FIRST,
        };
        nodes[home.index()].apply(command, &mut events);
        carry(&mut nodes, &mut events);
        assert!(
            !events.iter().any(|event| matches!(event, Event::Rejected { .. })),
            "the preparation is accepted"
        );
        events.clear();
    }
    nodes
}

/// Carries mail until nobody has any.
fn carry(nodes: &mut [Node], events: &mut Vec<Event>) {
    let ids = |nodes: &[Node]| (0..u8::try_from(nodes.len()).expect("few")).map(PartitionId);
    let mut quiet = nodes.len() < 2;
    while !quiet {
        quiet = true;
        for from in ids(nodes) {
            for to in ids(nodes).filter(|to| *to != from) {
                let mail = nodes[from.index()].mail(to);
                if !mail.is_empty() {
                    quiet = false;
                    nodes[to.index()].take(mail, events);
                }
            }
        }
    }
    for by in ids(nodes) {
        for to in ids(nodes).filter(|to| *to != by) {
            let taken = nodes[by.index()].partition.last_taken(to);
            nodes[to.index()].confirm(by, taken, events);
        }
    }
}

/// The flow, with the accounts that are to trade where it goes.
struct Spread {
    flow: Flow,
    homes: Partitions,
    count: u8,
    /// By partition: the accounts that live there.
    accounts: Vec<Vec<AccountId>>,
    who: Where,
    piece: Vec<Sequenced<Command>>,
}

impl Spread {
    fn new(count: u8, who: Where) -> Self {
        let mut homes = Partitions::default();
        for _ in 1..count {
            homes.add(AccountId(1));
        }
        let mut accounts = vec![Vec::new(); usize::from(count)];
        for account in (1..=u64::from(SHAPE.accounts)).map(AccountId) {
            accounts[homes.home(account).index()].push(account);
        }
        Self { flow: Flow::new(&SHAPE, 0), homes, count, accounts, who, piece: Vec::new() }
    }

    /// The account that trades in this market instead of `account`.
    fn account(&self, account: AccountId, market: u32) -> AccountId {
        let market = usize::try_from(market).expect("fits") % usize::from(self.count);
        let partition = match self.who {
            Where::Hashed => return account,
            Where::Together => market,
            Where::Apart => (market + 1) % usize::from(self.count),
        };
        let pool = &self.accounts[partition];
        pool[usize::try_from(account.0).expect("fits") % pool.len()]
    }

    /// Up to `count` commands by the partitions of their accounts; false at the end of the flow.
    fn fill(&mut self, count: usize, by_home: &mut [Vec<Command>]) -> bool {
        let mut piece = std::mem::take(&mut self.piece);
        piece.clear();
        self.flow.fill(count, &mut piece);
        for input in piece.drain(..) {
            let (account, command) = match input.command {
                Command::PlaceOrder(place) => {
                    let account = self.account(place.account, place.market.0);
                    (account, Command::PlaceOrder(PlaceOrder { account, ..place }))
                }
                Command::CancelOrder(cancel) => {
                    let account = self.account(cancel.account, cancel.market.0);
                    let order = named(cancel.order);
                    (account, Command::CancelOrder(CancelOrder { account, order, ..cancel }))
                }
                Command::AmendOrder(amend) => {
                    let account = self.account(amend.account, amend.market.0);
                    let order = named(amend.order);
                    (account, Command::AmendOrder(AmendOrder { account, order, ..amend }))
                }
                other => unreachable!("the flow has no {}", other.name()),
            };
            by_home[self.homes.home(account).index()].push(command);
        }
        self.piece = piece;
        by_home.iter().any(|commands| !commands.is_empty())
    }
}

/// As its owner calls it.
fn named(order: OrderRef) -> OrderRef {
    match order {
        OrderRef::Id(id) => OrderRef::Client(client_id(id.0)),
        OrderRef::Client(_) | OrderRef::Both(_) => order,
    }
}

fn rejects(events: &[Event]) -> u64 {
    u64::try_from(events.iter().filter(|event| matches!(event, Event::Rejected { .. })).count())
        .expect("fits")
}

/// Prepares and makes the commands that [`one_thread`] applies, and nothing else: what is to be subtracted from its instructions.
pub fn make(count: u8, who: Where, limit: usize) {
    let _nodes = prepared(count);
    let mut spread = Spread::new(count, who);
    let mut by_home = vec![Vec::new(); usize::from(count)];
    let mut done = 0;
    while done < limit && spread.fill(PIECE.min(limit - done), &mut by_home) {
        for commands in &mut by_home {
            done += commands.len();
            commands.clear();
        }
    }
}

/// All partitions on one thread: the work of a command, whoever does it.
pub fn one_thread(count: u8, who: Where, limit: usize) -> Measurement {
    let mut nodes = prepared(count);
    let mut spread = Spread::new(count, who);
    let mut by_home = vec![Vec::new(); usize::from(count)];
    let (mut elapsed, mut done, mut refused) = (Duration::ZERO, 0, 0);
    let mut events = Vec::with_capacity(1 << 14);
    while done < limit && spread.fill(PIECE.min(limit - done), &mut by_home) {
        done += by_home.iter().map(Vec::len).sum::<usize>();
        let start = Instant::now();
        let mut shares: Vec<_> = by_home.iter_mut().map(|commands| commands.drain(..)).collect();
        while shares.iter().any(|share| share.len() > 0) {
            for (node, share) in nodes.iter_mut().zip(&mut shares) {
                for command in share.by_ref().take(BATCH) {
                    node.apply(command, &mut events);
                }
            }
            carry(&mut nodes, &mut events);
            refused += rejects(&events);
            events.clear();
        }
        elapsed += start.elapsed();
    }
    let name = match (count, who) {
        (1, _) => "one partition, one thread".to_owned(),
        (_, Where::Together) => format!("{count} partitions, one thread, account and market together"),
        (_, Where::Apart) => format!("{count} partitions, one thread, account and market apart"),
        (_, Where::Hashed) => format!("{count} partitions, one thread, accounts by hash"),
    };
    Measurement::new(name, u64::try_from(done).expect("fits"), elapsed, refused)
}

/// What one thread sends another.
enum Mail {
    /// What a partition has to say, which may be nothing, and the last that it has taken of the receiver's.
    Said(Vec<Arc<Envelope>>, u64),
    /// Everything is done.
    Done,
}

/// What a thread has to itself.
struct Work<'a> {
    node: Node,
    share: Vec<Command>,
    inbox: Receiver<Mail>,
    out: Sender<Mail>,
    other: PartitionId,
    /// Shares that are not done, and envelopes on their way.
    open: &'a AtomicUsize,
}

/// Two partitions, a thread each.
pub fn two_threads(who: Where, limit: usize) -> Measurement {
    let mut nodes = prepared(2);
    let mut spread = Spread::new(2, who);
    let mut shares = vec![Vec::new(); 2];
    let mut by_home = vec![Vec::new(); 2];
    let mut done = 0;
    while done < limit && spread.fill(PIECE.min(limit - done), &mut by_home) {
        for (share, commands) in shares.iter_mut().zip(&mut by_home) {
            done += commands.len();
            share.append(commands);
        }
    }
    let ((to_first, first), (to_second, second)) = (channel(), channel());
    let ends = [(first, to_second, PartitionId(1)), (second, to_first, PartitionId(0))];
    let open = AtomicUsize::new(2);
    let start = Instant::now();
    let refused: u64 = thread::scope(|scope| {
        let threads: Vec<_> = nodes
            .drain(..)
            .zip(shares.drain(..))
            .zip(ends)
            .map(|((node, share), (inbox, out, other))| {
                let work = Work { node, share, inbox, out, other, open: &open };
                scope.spawn(move || work.run())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("it ends in order")).sum()
    });
    let name = match who {
        Where::Together => "two partitions, two threads, each account in its own",
        Where::Apart => "two partitions, two threads, each account in the other",
        Where::Hashed => "two partitions, two threads, accounts by hash",
    };
    Measurement::new(name, u64::try_from(done).expect("fits"), start.elapsed(), refused)
}

impl Work<'_> {
    /// Its own commands, and whatever the other one says, until neither has anything left. Commands that were refused.
    fn run(self) -> u64 {
        let Self { mut node, share, inbox, out, other, open } = self;
        let (mut refused, mut events) = (0, Vec::with_capacity(1 << 16));
        let mut share = share.into_iter();
        let mut is_sharing = true;
        loop {
            let goes_on = is_sharing && node.partition.unconfirmed(other) < MOST_UNCONFIRMED;
            if goes_on {
                for command in share.by_ref().take(BATCH) {
                    node.apply(command, &mut events);
                }
            }
            // With nothing of its own to do it waits for the other.
            let first = if goes_on { inbox.try_recv().ok() } else { inbox.recv().ok() };
            let mut done = 0;
            for mail in first.into_iter().chain(inbox.try_iter()) {
                let Mail::Said(envelopes, taken) = mail else { return refused };
                done += envelopes.len();
                node.take(envelopes, &mut events);
                node.confirm(other, taken, &mut events);
            }
            refused += rejects(&events);
            events.clear();
            let envelopes = node.mail(other);
            if done > 0 || !envelopes.is_empty() {
                open.fetch_add(envelopes.len(), Ordering::Relaxed);
                let said = Mail::Said(envelopes, node.partition.last_taken(other));
                out.send(said).expect("the other listens until everything is done");
            }
            if is_sharing && share.len() == 0 {
                is_sharing = false;
                done += 1;
            }
            if done > 0 && open.fetch_sub(done, Ordering::AcqRel) == done {
                // The other one may be waiting for this.
                let _ = out.send(Mail::Done);
                return refused;
            }
        }
    }
}

/// One after the other, each against one partition on one thread on the same flow.
pub fn run(limit: usize, show: &mut dyn FnMut(Measurement)) {
    let alone = one_thread(1, Where::Hashed, limit);
    let together = one_thread(2, Where::Together, limit);
    let apart = one_thread(2, Where::Apart, limit);
    let hashed = one_thread(2, Where::Hashed, limit);
    let apart = against(apart, together.per_second, |times| times >= 1.0 / 2.2, "at most 2.2 times the work");
    let two = two_threads(Where::Together, limit);
    let two = against(two, alone.per_second, |times| times >= 1.6, "1.6 times one partition");
    let two_hashed = two_threads(Where::Hashed, limit);
    let two_hashed = against(two_hashed, alone.per_second, |times| times >= 1.1, "1.1 times one partition");
    [alone, together, apart, hashed, two, two_hashed].into_iter().for_each(show);
}

/// With how it compares to another throughput, and whether that is as it should be.
fn against(found: Measurement, other: f64, is_met: impl Fn(f64) -> bool, wanted: &str) -> Measurement {
    let times = found.per_second / other;
    // Commands of accounts in different partitions may overtake each other, so that a cancel finds its order filled.
    let met = is_met(times) && found.rejects * 1_000 <= found.commands;
    let remark = format!("{times:.2} times the throughput that it is held against");
    Measurement {
        target: Some(crate::Target { wanted: wanted.to_owned(), met }),
        remark: Some(remark),
        ..found
    }
}
