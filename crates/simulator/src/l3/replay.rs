//! Plays the flow: [`replay`] drives a fresh partition row by row and returns what was found, together with the [`Plan`], the
//! commands as they were sent. The plan can be sent again through a journal, at any speed, with an
//! [`super::observer::Observer`] listening behind the gate: it needs no more decisions.
//!
//! Here is decided what the rules cannot know: whether our own matching has done already what a row reports. It has when as
//! little is open of the order as the row says, or less; then the row leads to nothing.

use std::collections::BTreeMap;
use std::fmt;

use exchange::Partition;
use model::{
    AmendOrder, CancelOrder, CancelRestriction, ClientOrderId, Command, Event, OrderKind, OrderRef,
    PlaceOrder, Reject, ReplaceMode, ReplaceOrder, SelfTradePrevention, Seq, Sequenced, Side, TimeInForce,
    TimeNs,
};

use super::Recording;
use super::observer::{Fate, Findings, Observer};
use super::reference::Levels;
use super::rules::{Action, Entry, Step};
use super::setup::{MARKET, Setup};
use super::traps::Traps;

/// A command of the flow, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The row that led to it.
    pub row: u32,
    /// The venue's number for the order; also its client order id.
    pub order: u64,
    /// When it is to be sent, in milliseconds since 1970; never falls.
    pub time_ms: u64,
    /// What to send.
    pub command: Command,
}

impl Planned {
    /// True when it brings an order.
    pub const fn places(&self) -> bool {
        matches!(self.command, Command::PlaceOrder(_) | Command::ReplaceOrder(_))
    }

    /// True when it brings an order that may only rest.
    pub const fn is_post_only(&self) -> bool {
        matches!(&self.command, Command::PlaceOrder(PlaceOrder { kind: OrderKind::LimitMaker { .. }, .. }))
    }
}

/// All that is sent to an empty exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Assets, market, accounts, money: before the first row.
    pub setup: Vec<Command>,
    /// The flow.
    pub commands: Vec<Planned>,
}

/// Why a row for which the rules have a step leads to no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Done {
    /// A change; our matching left no more of the order than it says.
    Change,
    /// A delete; our matching left nothing of the order.
    Delete,
    /// A delete of an order that our exchange did not take either.
    Refused,
}

impl Done {
    const fn words(self) -> &'static str {
        match self {
            Self::Change => "change by a match that our matching had made",
            Self::Delete => "delete after a match that our matching had made",
            Self::Refused => "delete of an order that was refused here too",
        }
    }
}

/// Which kind of command how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Limit orders.
    pub limit: u32,
    /// Limit orders that may only rest.
    pub limit_maker: u32,
    /// Market orders.
    pub market: u32,
    /// Orders made smaller, because the recording had less open than our matching left.
    pub amends: u32,
    /// Orders replaced.
    pub replaces: u32,
    /// Orders cancelled.
    pub cancels: u32,
}

impl Sent {
    /// All commands of the flow.
    pub const fn total(&self) -> u32 {
        self.limit + self.limit_maker + self.market + self.amends + self.replaces + self.cancels
    }

    fn count(&mut self, command: &Command) {
        let counter = match command {
            Command::PlaceOrder(place) => match place.kind {
                OrderKind::Limit { .. } => &mut self.limit,
                OrderKind::LimitMaker { .. } => &mut self.limit_maker,
                OrderKind::Market { .. } | OrderKind::MarketQuote { .. } => &mut self.market,
                OrderKind::StopMarket { .. } | OrderKind::StopLimit { .. } => {
                    unreachable!("a replay places nothing that waits for a price")
                }
            },
            Command::AmendOrder(_) => &mut self.amends,
            Command::ReplaceOrder(_) => &mut self.replaces,
            _ => &mut self.cancels,
        };
        *counter += 1;
    }
}

/// What a replay has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the recording is like.
    pub traps: Traps,
    /// Commands before the first row.
    pub setup_commands: usize,
    /// Commands of the flow.
    pub sent: Sent,
    /// Rows without a command, by reason.
    pub left_out: Vec<(&'static str, u32)>,
    /// What came of it.
    pub findings: Findings,
    /// The partition's hash after the last command, on the recording's own clock.
    pub state_hash: [u8; 32],
}

impl Report {
    /// The bounds: of the trades 256 in 284, of the levels 19 in 20 at 20 moments or more, and no order refused that the venue
    /// took.
    pub fn within_bounds(&self) -> bool {
        let Findings { levels, trades, refused_otherwise, .. } = &self.findings;
        levels.within_bounds() && trades.within_bounds() && refused_otherwise.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, findings, .. } = self;
        writeln!(out, "rows\n{}", self.traps)?;
        writeln!(out, "commands")?;
        writeln!(out, "{:>8}  before the first row", self.setup_commands)?;
        writeln!(out, "{:>8}  of the flow:", sent.total())?;
        writeln!(out, "{:>8}  limit orders", sent.limit)?;
        writeln!(out, "{:>8}  limit orders that may only rest", sent.limit_maker)?;
        writeln!(out, "{:>8}  of these refused, as by the venue", findings.refused_as_recorded)?;
        writeln!(out, "{:>8}  market orders", sent.market)?;
        writeln!(out, "{:>8}  amends", sent.amends)?;
        writeln!(out, "{:>8}  replaces", sent.replaces)?;
        writeln!(out, "{:>8}  cancels", sent.cancels)?;
        writeln!(out, "{:>8}  other refusals", findings.refused_otherwise.len())?;
        for refusal in &findings.refused_otherwise {
            writeln!(out, "          row {}: order {}: {}", refusal.row, refusal.order, refusal.reject)?;
        }
        writeln!(out, "\nrows left out")?;
        for (words, count) in &self.left_out {
            writeln!(out, "{count:>8}  {words}")?;
        }
        let trades = &findings.trades;
        writeln!(out, "\ntrades")?;
        writeln!(out, "{:>8}  recorded", trades.recorded)?;
        writeln!(out, "{:>8}  made here", trades.ours)?;
        writeln!(out, "{:>8}  agree in both orders, price and quantity", trades.agreed)?;
        for difference in &trades.differences {
            writeln!(out, "          {difference}")?;
        }
        let levels = &findings.levels;
        writeln!(out, "\nlevels")?;
        writeln!(
            out,
            "{:>8}  moments at which the best {} a side were compared",
            levels.moments,
            Recording::DEPTH
        )?;
        writeln!(out, "{:>8}  levels compared", levels.compared)?;
        writeln!(out, "{:>8}  differ", levels.differences.len())?;
        for difference in &levels.differences {
            writeln!(out, "          {difference}")?;
        }
        writeln!(out, "{:>8}  orders open before the made-up deletes", findings.open_at_end)?;
        write!(out, "\nstate hash ")?;
        self.state_hash.iter().try_for_each(|byte| write!(out, "{byte:02x}"))?;
        writeln!(out)
    }
}

/// A replay that has come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// What was sent.
    pub plan: Plan,
    /// What was found.
    pub report: Report,
}

/// How far a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Steps done.
    pub done: usize,
    /// Steps in all.
    pub of: usize,
}

/// Plays a recording against a fresh partition, as fast as it goes. `progress` is told now and then, and at the end.
///
/// Refused when the exchange does not take the preparations: the recording has a quantity or a price beyond what a market can
/// be listed with.
pub fn replay(recording: &Recording, progress: &mut dyn FnMut(Progress)) -> Result<Replayed, Reject> {
    const STEPS_BETWEEN_REPORTS: usize = 4_096;

    let flow = &recording.flow;
    let setup = Setup::of(flow);
    let mut driver = Driver::new(recording, &setup)?;
    let mut left_out: BTreeMap<Done, u32> = BTreeMap::new();
    for (done, step) in flow.steps.iter().enumerate() {
        if done % STEPS_BETWEEN_REPORTS == 0 {
            progress(Progress { done, of: flow.steps.len() });
        }
        if let Err(reason) = driver.play(step) {
            *left_out.entry(reason).or_default() += 1;
        }
    }
    progress(Progress { done: flow.steps.len(), of: flow.steps.len() });

    let Driver { partition, observer, commands, sent, .. } = driver;
    let by_rule = flow.left_out.iter().map(|(reason, &count)| (reason.words(), count));
    let report = Report {
        traps: Traps::count(&recording.rows),
        setup_commands: setup.commands.len(),
        sent,
        left_out: by_rule.chain(left_out.iter().map(|(reason, &count)| (reason.words(), count))).collect(),
        findings: observer.finish(&recording.trades),
        state_hash: partition.state_hash(),
    };
    let rows_left_out: u32 = report.left_out.iter().map(|(_, count)| count).sum();
    assert_eq!(sent.total() + rows_left_out, report.traps.rows, "every row is a command or has a reason");
    Ok(Replayed { plan: Plan { setup: setup.commands, commands }, report })
}

struct Driver<'a> {
    setup: &'a Setup,
    partition: Partition,
    seq: Seq,
    events: Vec<Event>,
    observer: Observer<'a>,
    commands: Vec<Planned>,
    sent: Sent,
}

impl<'a> Driver<'a> {
    fn new(recording: &'a Recording, setup: &'a Setup) -> Result<Self, Reject> {
        let start = recording.flow.steps.first().map_or(0, |step| step.time_ms);
        let mut driver = Self {
            setup,
            partition: Partition::default(),
            seq: Seq(0),
            events: Vec::new(),
            observer: Observer::new(&recording.moments),
            commands: Vec::with_capacity(recording.flow.steps.len()),
            sent: Sent::default(),
        };
        for command in &setup.commands {
            driver.apply(start, command.clone());
            for event in &driver.events {
                if let Event::Rejected { reject, .. } = event {
                    return Err(*reject);
                }
            }
        }
        Ok(driver)
    }

    fn apply(&mut self, time_ms: u64, command: Command) -> Command {
        self.seq = self.seq.next();
        let input = Sequenced { seq: self.seq, time_ns: TimeNs::from_millis(time_ms), command };
        self.events.clear();
        self.partition.apply(&input, &mut self.events);
        input.command
    }

    fn play(&mut self, step: &Step) -> Result<(), Done> {
        if self.observer.is_due_before(step.row) {
            assert_eq!(self.observer.best(), self.best(), "the events tell the book as it is");
        }
        let command = self.command(step)?;
        self.sent.count(&command);
        let command = self.apply(step.time_ms, command);
        let planned = Planned { row: step.row, order: step.order, time_ms: step.time_ms, command };
        self.observer.hear(&planned, &self.events);
        self.commands.push(planned);
        Ok(())
    }

    fn best(&self) -> Levels {
        let levels = |side| {
            let levels = self.partition.levels(MARKET, side).expect("the market was listed");
            levels.take(Recording::DEPTH).collect()
        };
        Levels { bids: levels(Side::Buy), asks: levels(Side::Sell) }
    }

    /// What a step comes to, now that it is known what has become of its order.
    fn command(&self, step: &Step) -> Result<Command, Done> {
        let fate = self.observer.fate(step.order);
        match (step.action, fate) {
            (Action::Place { entry, qty }, _) => {
                let kind = match entry {
                    Entry::Limit(price_ticks) => {
                        OrderKind::Limit { price_ticks, qty_lots: qty, time_in_force: TimeInForce::Gtc }
                    }
                    Entry::PostOnly(price_ticks) => OrderKind::LimitMaker { price_ticks, qty_lots: qty },
                    Entry::Market => OrderKind::Market { qty_lots: qty },
                };
                Ok(Command::PlaceOrder(self.place(step, kind)))
            }
            (Action::Amend { open: told }, Some(Fate::Open { filled, open, .. })) => {
                if open <= told {
                    Err(Done::Change)
                } else if told.is_zero() {
                    Ok(self.cancel(step))
                } else {
                    Ok(Command::AmendOrder(AmendOrder {
                        account: self.setup.accounts[&step.order],
                        market: MARKET,
                        order: OrderRef::Client(name(step.order)),
                        new_qty_lots: filled + told,
                        new_client_order_id: ClientOrderId::EMPTY,
                        valid_until_ns: TimeNs::NEVER,
                    }))
                }
            }
            (Action::Replace { price, open }, Some(Fate::Open { .. })) => {
                let kind =
                    OrderKind::Limit { price_ticks: price, qty_lots: open, time_in_force: TimeInForce::Gtc };
                Ok(Command::ReplaceOrder(Box::new(ReplaceOrder {
                    cancel: OrderRef::Client(name(step.order)),
                    restriction: CancelRestriction::None,
                    mode: ReplaceMode::StopOnFailure,
                    place: self.place(step, kind),
                })))
            }
            (Action::Cancel, Some(Fate::Open { .. })) => Ok(self.cancel(step)),
            (Action::Amend { .. } | Action::Replace { .. }, _) => Err(Done::Change),
            (Action::Cancel, Some(Fate::Refused) | None) => Err(Done::Refused),
            (Action::Cancel, Some(Fate::Ended)) => Err(Done::Delete),
        }
    }

    fn place(&self, step: &Step, kind: OrderKind) -> PlaceOrder {
        PlaceOrder {
            account: self.setup.accounts[&step.order],
            market: MARKET,
            side: step.side,
            kind,
            self_trade_prevention: SelfTradePrevention::None,
            client_order_id: name(step.order),
            valid_until_ns: TimeNs::NEVER,
        }
    }

    fn cancel(&self, step: &Step) -> Command {
        Command::CancelOrder(CancelOrder {
            account: self.setup.accounts[&step.order],
            market: MARKET,
            order: OrderRef::Client(name(step.order)),
            restriction: CancelRestriction::None,
            valid_until_ns: TimeNs::NEVER,
        })
    }
}

/// The client order id of an order of the recording.
fn name(order: u64) -> ClientOrderId {
    ClientOrderId::new(&order.to_string()).expect("twenty digits at most")
}
