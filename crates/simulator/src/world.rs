//! Several partitions in a world of their own: one clock, a network that delays, doubles, drops and reorders, disks that lose
//! what was not synced, and nodes that are killed at any moment. Everything follows from one seed.
//!
//! A node is what the sequencer makes of a partition: batches are stamped, applied, written, and synced later; what is said to
//! others, and every answer, leaves only behind the sync. After a kill a node begins again from its snapshot and its journal,
//! whose bytes are really read, and says again what it does not know to have been taken.
//!
//! At every moment the partitions together are looked at ([`exchange::Together`]), with what is on its way between them. At the
//! end, when the faults have stopped and everything was heard, it is looked at what anybody was told.

mod flow;
mod node;

use std::collections::BTreeMap;
use std::sync::Arc;

use codec::Coded;
use exchange::{Partition, Together};
use model::{Command, Confirm, Envelope, Event, JoinExchange, OrderId, PartitionId, Seq, TimeNs};

use crate::random::Random;
use flow::Flow;
use node::{Leaving, Node, Told};

/// How long anything takes on the network at the most, in nanoseconds.
const LONGEST_WAY_NS: u32 = 40_000_000;
/// After so long a node says again what it does not know to have been taken.
const SAY_AGAIN_NS: u64 = 60_000_000;
/// Commands of a run.
const COMMANDS: u32 = 90;

/// Something on the network.
enum Message {
    Envelope(Arc<Envelope>),
    /// So much of what the receiver has said is durable at the sender.
    Taken {
        by: PartitionId,
        taken: u64,
    },
}

struct OnItsWay {
    arrives_ns: u64,
    to: PartitionId,
    message: Message,
}

/// One run.
pub struct World {
    random: Random,
    now_ns: u64,
    nodes: Vec<Node>,
    /// The next time each node says again what was not taken.
    say_again_ns: Vec<u64>,
    network: Vec<OnItsWay>,
    faults: bool,
    flow: Flow,
    /// What came of each command, by its number in the flow.
    told: BTreeMap<u32, Told>,
    kills: u64,
}

/// What a run has seen, so that nobody takes a world without trouble for a proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Nodes that were killed.
    pub kills: u64,
    /// Envelopes that were taken.
    pub envelopes: u64,
    /// Fills that an account heard of.
    pub fills: u64,
    /// Commands whose answer was complete.
    pub answered: u64,
}

impl Seen {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            kills: self.kills + other.kills,
            envelopes: self.envelopes + other.envelopes,
            fills: self.fills + other.fills,
            answered: self.answered + other.answered,
        }
    }
}

/// Runs the world of a seed to its end. Panics, naming the seed, where something does not hold that must.
pub fn run(seed: u64) -> Seen {
    /// Says which world it was.
    struct Named(u64);
    impl Drop for Named {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("this was seed {}", self.0);
            }
        }
    }
    let _named = Named(seed);
    World::new(seed).run()
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, 0);
        let count = 2 + u8::try_from(random.below(2)).expect("small");
        let nodes: Vec<Node> = (0..count).map(|at| Node::new(PartitionId(at))).collect();
        let say_again_ns = vec![SAY_AGAIN_NS; nodes.len()];
        let flow = Flow::new(seed, count);
        let mut world = Self {
            random,
            now_ns: 1,
            nodes,
            say_again_ns,
            network: Vec::new(),
            faults: false,
            flow,
            told: BTreeMap::new(),
            kills: 0,
        };
        for partition in (1..count).map(PartitionId) {
            world.nodes[partition.index()].ask(Command::JoinExchange(JoinExchange { partition }), None);
            world.settle();
            world.nodes[0].ask(Command::AddPartition, None);
            world.settle();
        }
        for command in world.flow.preparation() {
            let home = world.flow.home(&command);
            world.nodes[home.index()].ask(command, None);
            world.settle();
        }
        world
    }

    fn run(mut self) -> Seen {
        self.faults = true;
        let mut asked = 0;
        while asked < COMMANDS {
            match self.random.below(100) {
                0..30 => {
                    let command = self.flow.next(&self.told);
                    let home = self.flow.home(&command);
                    self.nodes[home.index()].ask(command, Some(asked));
                    asked += 1;
                }
                30..55 => self.some_node().work(),
                55..75 => self.sync_some_node(),
                75..96 => self.pass_time(),
                96..98 => self.kill_some_node(),
                _ => {
                    let node = self.random.below(u32::try_from(self.nodes.len()).expect("few"));
                    self.nodes[usize::try_from(node).expect("fits")].take_snapshot();
                }
            }
            self.look();
        }
        self.faults = false;
        self.settle();
        self.judge()
    }

    fn some(&mut self) -> usize {
        let count = u32::try_from(self.nodes.len()).expect("few");
        usize::try_from(self.random.below(count)).expect("fits")
    }

    fn some_node(&mut self) -> AtNow<'_> {
        let at = self.some();
        // Clocks differ, and jump.
        let wrong = u64::from(self.random.below(20_000_000));
        AtNow { node: &mut self.nodes[at], clock_ns: self.now_ns.saturating_sub(wrong) }
    }

    fn sync_some_node(&mut self) {
        let at = self.some();
        self.sync(at);
    }

    /// What was written is durable, and what was said and answered in it may leave.
    fn sync(&mut self, at: usize) {
        let Leaving { said, told } = self.nodes[at].sync();
        for (to, envelope) in said {
            self.send(to, Message::Envelope(envelope));
        }
        for (number, what) in told {
            let before = self.told.insert(number, what);
            assert!(before.is_none(), "each command is answered once");
        }
    }

    /// Puts something on the network, perhaps twice, perhaps not at all.
    fn send(&mut self, to: PartitionId, message: Message) {
        if !self.faults {
            self.network.push(OnItsWay { arrives_ns: self.now_ns, to, message });
            return;
        }
        if self.random.permille(60) {
            return;
        }
        if self.random.permille(60)
            && let Message::Envelope(envelope) = &message
        {
            let again = Message::Envelope(envelope.clone());
            let arrives_ns = self.now_ns + u64::from(self.random.below(LONGEST_WAY_NS));
            self.network.push(OnItsWay { arrives_ns, to, message: again });
        }
        let arrives_ns = self.now_ns + u64::from(self.random.below(LONGEST_WAY_NS));
        self.network.push(OnItsWay { arrives_ns, to, message });
    }

    /// The clock goes on; what arrives meanwhile arrives.
    fn pass_time(&mut self) {
        self.now_ns += u64::from(self.random.below(8_000_000));
        self.arrive();
        for at in 0..self.nodes.len() {
            if self.now_ns >= self.say_again_ns[at] {
                self.say_again_ns[at] = self.now_ns + SAY_AGAIN_NS;
                self.say_again(at);
            }
        }
    }

    fn arrive(&mut self) {
        let mut at = 0;
        while at < self.network.len() {
            if self.network[at].arrives_ns > self.now_ns {
                at += 1;
                continue;
            }
            // Any that has arrived may be the first.
            let OnItsWay { to, message, .. } = self.network.swap_remove(at);
            let node = &mut self.nodes[to.index()];
            match message {
                Message::Envelope(envelope) => node.hear(envelope),
                Message::Taken { by, taken } => node.ask(Command::Confirm(Confirm { by, taken }), None),
            }
        }
    }

    /// A node says again what was not taken as far as it knows, and how much it has taken itself.
    fn say_again(&mut self, at: usize) {
        let by = PartitionId(u8::try_from(at).expect("few"));
        let others =
            (0..u8::try_from(self.nodes.len()).expect("few")).map(PartitionId).filter(|to| *to != by);
        for to in others {
            for envelope in self.nodes[at].said_before(to) {
                self.send(to, Message::Envelope(envelope));
            }
            let taken = self.nodes[at].durably_taken(to);
            self.send(to, Message::Taken { by, taken });
        }
    }

    fn kill_some_node(&mut self) {
        let at = self.some();
        self.kills += 1;
        // What was written and not synced may be on the disk all the same, to the last whole batch.
        let luck = self.random.next();
        self.nodes[at].kill(luck);
        if self.random.permille(500) {
            self.network.retain(|message| message.to.index() != at);
        }
        self.say_again_ns[at] = self.now_ns;
    }

    /// What must hold at every moment.
    fn look(&self) {
        let states: Vec<&Partition> = self.nodes.iter().map(Node::state).collect();
        if let Err(broken) = Together::new(&states).check() {
            panic!("{broken}");
        }
    }

    /// Without faults, until nobody has anything to do or to say.
    fn settle(&mut self) {
        loop {
            let mut is_quiet = true;
            self.now_ns += 1_000_000;
            for at in 0..self.nodes.len() {
                if self.nodes[at].has_work() {
                    is_quiet = false;
                    AtNow { node: &mut self.nodes[at], clock_ns: self.now_ns }.work();
                }
                self.sync(at);
            }
            if is_quiet && self.network.is_empty() {
                // Whatever the faults have swallowed is still kept by whoever has said it.
                let states: Vec<&Partition> = self.nodes.iter().map(Node::state).collect();
                if Together::new(&states).on_their_way().next().is_none() {
                    return;
                }
                (0..self.nodes.len()).for_each(|at| self.say_again(at));
            }
            self.now_ns += u64::from(LONGEST_WAY_NS);
            self.arrive();
        }
    }

    /// What must hold in the end.
    fn judge(self) -> Seen {
        let mut seen = Seen { kills: self.kills, ..Seen::default() };
        let mut ends: BTreeMap<OrderId, u32> = BTreeMap::new();
        let mut accepted: BTreeMap<OrderId, u32> = BTreeMap::new();
        let mut by_node: Vec<BTreeMap<Seq, Vec<Event>>> = Vec::new();
        let mut references = BTreeMap::new();
        for node in &self.nodes {
            let (again, events) = node.applied_again();
            assert!(again.snapshot() == node.state().snapshot(), "the journal leads to the same state again");
            again.assert_invariants();
            for event in events.values().flatten() {
                match event {
                    Event::OrderAccepted(order) => *accepted.entry(order.order).or_default() += 1,
                    Event::OrderEnded(order) => *ends.entry(order.order).or_default() += 1,
                    Event::OrderFilled(_) => seen.fills += 1,
                    Event::Deposited(deposited) => *references.entry(deposited.reference).or_default() += 1,
                    _ => {}
                }
            }
            by_node.push(events);
            seen.envelopes += node.heard();
        }
        assert!(references.values().all(|times: &u32| *times == 1), "a deposit is credited once");
        let states: Vec<&Partition> = self.nodes.iter().map(Node::state).collect();
        Together::new(&states).assert_invariants();
        for (order, times) in &accepted {
            assert_eq!(*times, 1, "order {order} is accepted once");
            let is_open = self.nodes.iter().any(|node| node.has_open(*order));
            let ended = ends.get(order).copied().unwrap_or_default();
            assert_eq!(ended + u32::from(is_open), 1, "order {order} is open or has ended, once");
        }
        assert!(ends.keys().all(|order| accepted.contains_key(order)), "only what was accepted ends");
        for told in self.told.values() {
            let Told { node, parts } = told;
            seen.answered += 1;
            for (seq, events) in parts {
                assert_eq!(
                    by_node[node.index()].get(seq),
                    Some(events),
                    "what anybody was told is in the journal for ever"
                );
            }
        }
        let prices = |state: &Partition| {
            let mut bytes = Vec::new();
            state.reference_prices().to_vec().encode(&mut bytes);
            bytes
        };
        assert!(
            states.iter().all(|state| prices(state) == prices(states[0])),
            "everybody has heard the last prices"
        );
        seen
    }
}

/// A node, and what its clock says.
struct AtNow<'a> {
    node: &'a mut Node,
    clock_ns: u64,
}

impl AtNow<'_> {
    fn work(self) {
        self.node.work(TimeNs(self.clock_ns));
    }
}
