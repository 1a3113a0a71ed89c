//! Several partitions in a world of their own: one clock, a network that delays, doubles, drops and reorders, disks that lose
//! what was not synced, and nodes that are killed at any moment. Everything follows from one seed.
//!
//! A node is what the sequencer makes of a partition: batches are stamped, applied, written, and synced later; what is said to
//! others, and every answer, leaves only behind the sync. After a kill a node begins again from its snapshot and its journal,
//! whose bytes are really read, and says again what it does not know to have been taken.
//!
//! At every moment the partitions together are looked at ([`exchange::Together`]), with what is on its way between them. At the
//! end, when the faults have stopped and everything was heard, it is looked at what anybody was told (`judge`, `answer`,
//! `witness`). In some worlds clients wait for each other: there, what they come to is what one partition comes to (`alone`).
//!
//! `cargo run --release -p simulator --example world -- 1 SEED` runs the world of one seed again.

mod alone;
mod answer;
mod flow;
mod judge;
mod node;
mod witness;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Once};

use exchange::{Partition, Together};
use model::{Command, Confirm, Envelope, JoinExchange, PartitionId, Side, TimeNs};

use crate::random::Random;
use alone::Alone;
use flow::{Flow, Pace};
use node::{Leaving, Node, Told};

/// How long anything takes on the network at the most, in nanoseconds; on the slow way, six times as long.
const LONGEST_WAY_NS: u32 = 40_000_000;
/// After so long a node says again what it does not know to have been taken.
const SAY_AGAIN_NS: u64 = 60_000_000;
/// Commands of a world where everybody asks when he likes.
const AT_ONCE: u32 = 120;
/// Commands of a world where everybody waits until everything else is done.
const IN_TURN: u32 = 36;
/// Most partitions.
const MOST_PARTITIONS: u32 = 4;
/// A world in which nothing new is asked comes to rest in far fewer steps.
const MANY_STEPS: u32 = 100_000;

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
    /// From where to where everything takes longer than anywhere else.
    slow: (usize, usize),
    faults: bool,
    pace: Pace,
    flow: Flow,
    /// What was asked, by number, and of whom.
    asked: BTreeMap<u32, (PartitionId, Command)>,
    /// What came of it.
    told: BTreeMap<u32, Told>,
    kills: u64,
    /// Partitions that were added meanwhile.
    grown: u64,
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
    /// Markets that have moved.
    pub moves: u64,
    /// Partitions that were added meanwhile.
    pub grown: u64,
    /// Worlds that were compared with one partition.
    pub in_turn: u64,
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
            moves: self.moves + other.moves,
            grown: self.grown + other.grown,
            in_turn: self.in_turn + other.in_turn,
        }
    }
}

thread_local! {
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Runs the world of a seed to its end. Panics where something does not hold that must, and says first which seed it was.
pub fn run(seed: u64) -> Seen {
    static NAMED_FIRST: Once = Once::new();
    NAMED_FIRST.call_once(|| {
        let then = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if let Some(seed) = SEED.get() {
                eprintln!(
                    "seed {seed}: again with cargo run --release -p simulator --example world -- 1 {seed}"
                );
            }
            then(panic);
        }));
    });
    SEED.set(Some(seed));
    let what_happened = World::new(seed).run();
    SEED.set(None);
    what_happened
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, 0);
        let count = 2 + u8::try_from(random.below(2)).expect("small");
        let pace = if random.permille(300) { Pace::InTurn } else { Pace::AtOnce };
        let slow = (random.below(MOST_PARTITIONS) as usize, random.below(MOST_PARTITIONS) as usize);
        let nodes: Vec<Node> = (0..count).map(|at| Node::new(PartitionId(at))).collect();
        let say_again_ns = vec![SAY_AGAIN_NS; nodes.len()];
        let mut world = Self {
            random,
            now_ns: 1,
            nodes,
            say_again_ns,
            network: Vec::new(),
            slow,
            faults: false,
            pace,
            flow: Flow::new(seed, pace),
            asked: BTreeMap::new(),
            told: BTreeMap::new(),
            kills: 0,
            grown: 0,
        };
        for partition in (1..count).map(PartitionId) {
            world.nodes[partition.index()].ask(Command::JoinExchange(JoinExchange { partition }), None);
            world.settle();
            world.nodes[0].ask(Command::AddPartition, None);
            world.settle();
        }
        world
    }

    fn run(mut self) -> Seen {
        let mut alone = Alone::default();
        for command in self.flow.preparation(self.partitions()) {
            alone.play(&command, None);
            let home = flow::home(self.nodes[0].state().partitions(), &command);
            self.nodes[home.index()].ask(command, None);
            self.settle();
        }
        self.faults = true;
        match self.pace {
            Pace::AtOnce => self.at_once(),
            Pace::InTurn => self.in_turn(&mut alone),
        }
        self.faults = false;
        self.settle();
        // Kills may have swallowed the question, and markets that move refuse it.
        for _ in usize::from(self.partitions())..self.nodes.len() {
            self.nodes[0].ask(Command::AddPartition, None);
            self.settle();
        }
        self.judge()
    }

    fn at_once(&mut self) {
        let mut asked = 0;
        while asked < AT_ONCE {
            if self.random.permille(300) {
                self.ask(asked);
                asked += 1;
            } else {
                self.happen();
            }
        }
    }

    fn in_turn(&mut self, alone: &mut Alone) {
        for number in 0..IN_TURN {
            self.ask(number);
            self.rest();
            let (home, command) = &self.asked[&number];
            // Where a kill has swallowed it, it never was.
            if self.nodes[home.index()].place(number).is_some() {
                let reference = match command {
                    Command::SettleWithdrawal(settle) => self.flow.withdrawal(settle.withdrawal),
                    _ => None,
                };
                alone.play(command, reference);
            }
            alone.compare(&self.states());
        }
    }

    fn states(&self) -> Vec<&Partition> {
        self.nodes.iter().map(Node::state).collect()
    }

    /// How many the first one knows of.
    fn partitions(&self) -> u8 {
        self.nodes[0].state().partitions().count()
    }

    /// Some client asks for something.
    fn ask(&mut self, number: u32) {
        let command = self.flow.next(self.partitions(), TimeNs(self.now_ns));
        let home = flow::home(self.nodes[0].state().partitions(), &command);
        // A number that nobody gave out may lead to a partition that does not exist.
        let home = if home.index() < self.nodes.len() { home } else { PartitionId::FIRST };
        self.nodes[home.index()].ask(command.clone(), Some(number));
        self.asked.insert(number, (home, command));
    }

    /// Something happens that nobody asked for.
    fn happen(&mut self) {
        match self.random.below(1_000) {
            0..360 => {
                let at = self.some();
                if self.nodes[at].has_work() {
                    let clock_ns = self.clock_ns();
                    self.nodes[at].work(clock_ns);
                    self.look();
                }
            }
            360..640 => {
                let at = self.some();
                self.sync(at);
            }
            640..950 => self.pass_time(),
            950..975 => {
                self.kill_some_node();
                self.look();
            }
            975..980 => self.grow(),
            _ => {
                let at = self.some();
                self.nodes[at].take_snapshot();
            }
        }
    }

    /// One more partition begins, or the first one is asked again to take it in.
    fn grow(&mut self) {
        if usize::from(self.partitions()) == self.nodes.len() {
            let at = self.nodes.len();
            if at == MOST_PARTITIONS as usize {
                return;
            }
            let partition = PartitionId(u8::try_from(at).expect("few"));
            let mut node = Node::new(partition);
            node.ask(Command::JoinExchange(JoinExchange { partition }), None);
            node.work(TimeNs(self.now_ns));
            self.nodes.push(node);
            self.say_again_ns.push(self.now_ns);
            self.sync(at);
            self.grown += 1;
        }
        if !self.nodes[0].is_asked(&Command::AddPartition) {
            self.nodes[0].ask(Command::AddPartition, None);
        }
    }

    /// With all faults, until whatever was asked is done.
    fn rest(&mut self) {
        for _ in 0..MANY_STEPS {
            if self.nodes.iter().all(Node::is_done)
                && Together::new(&self.states()).on_their_way().next().is_none()
            {
                return;
            }
            self.happen();
        }
        panic!("it never comes to rest");
    }

    fn some(&mut self) -> usize {
        let count = u32::try_from(self.nodes.len()).expect("few");
        usize::try_from(self.random.below(count)).expect("fits")
    }

    /// What some node takes for the time: clocks differ, and jump.
    fn clock_ns(&mut self) -> TimeNs {
        TimeNs(self.now_ns.saturating_sub(u64::from(self.random.below(20_000_000))))
    }

    /// What was written is durable, and what was said and answered in it may leave.
    fn sync(&mut self, at: usize) {
        let Leaving { said, told } = self.nodes[at].sync();
        for (to, envelope) in said {
            self.send(to, Message::Envelope(envelope));
        }
        for (number, what) in told {
            what.parts.iter().for_each(|(_, events)| self.flow.learn(events));
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
        let (from, again) = match &message {
            Message::Envelope(envelope) => (envelope.from, Some(Message::Envelope(envelope.clone()))),
            Message::Taken { by, .. } => (*by, None),
        };
        let longest_ns =
            if self.slow == (from.index(), to.index()) { 6 * LONGEST_WAY_NS } else { LONGEST_WAY_NS };
        let again = again.filter(|_| self.random.permille(60));
        for message in again.into_iter().chain([message]) {
            let arrives_ns = self.now_ns + u64::from(self.random.below(longest_ns));
            self.network.push(OnItsWay { arrives_ns, to, message });
        }
    }

    /// The clock goes on; what arrives meanwhile arrives.
    fn pass_time(&mut self) {
        let most = match self.pace {
            Pace::AtOnce => 8_000_000,
            Pace::InTurn => 24_000_000,
        };
        self.now_ns += u64::from(self.random.below(most));
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
            if taken > 0 {
                self.send(to, Message::Taken { by, taken });
            }
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
        let states = self.states();
        if let Err(broken) = Together::new(&states).check() {
            panic!("{broken}");
        }
        for state in states {
            for (market, _) in state.catalog().markets() {
                let best = |side| state.levels(market, side).expect("it is listed").next();
                if let (Some((bid, _)), Some((ask, _))) = (best(Side::Buy), best(Side::Sell)) {
                    assert!(bid < ask, "the book of market {market} is crossed");
                }
            }
        }
    }

    /// Without faults, until nobody has anything to do or to say.
    fn settle(&mut self) {
        for _ in 0..MANY_STEPS {
            let mut is_quiet = true;
            self.now_ns += 1_000_000;
            for at in 0..self.nodes.len() {
                if self.nodes[at].has_work() {
                    is_quiet = false;
                    self.nodes[at].work(TimeNs(self.now_ns));
                }
                self.sync(at);
            }
            if is_quiet && self.network.is_empty() {
                // Whatever the faults have swallowed is still kept by whoever has said it.
                if Together::new(&self.states()).on_their_way().next().is_none() {
                    return;
                }
                (0..self.nodes.len()).for_each(|at| self.say_again(at));
            }
            self.now_ns += u64::from(6 * LONGEST_WAY_NS);
            self.arrive();
        }
        panic!("it never comes to rest");
    }
}
