//! Perpetual contracts, in memory, on one thread: orders with margin checks; a mark price that concerns nobody; a gap that
//! liquidates thousands of accounts; a settlement of funding.

pub mod road;

use std::time::{Duration, Instant};

use exchange::Partition;
use model::{
    Command, Event, MarketId, PartitionId, PlaceContractOrder, PriceTicks, Seq, Sequenced, SetIndexPrice,
    Side, TimeInForce, TimeNs,
};
use simulator::mixed::{Mixed, Shape};
use simulator::perp::{self, POSITION, RICH, limit, placed};

use crate::partition::refused;
use crate::{Measurement, Target};

const SECOND: u64 = 1_000_000_000;
/// Events are handed away after so many commands, as a batch of the sequencer's is.
const BATCH: usize = 1_000;
/// Commands made before the clock is started again.
const PIECE: usize = 65_536;
const MID: i64 = Shape::MID_TICKS;

/// How large everything is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Contracts that the flow spreads over.
    pub contracts: u32,
    /// Accounts with positions, in each contract's own measurements and in the flow.
    pub accounts: u32,
    /// Commands of the flow.
    pub commands: usize,
    /// Accounts that the gap liquidates; fewer than half of the accounts.
    pub liquidated: u32,
}

impl Options {
    /// With which the figures are comparable.
    pub const STANDARD: Self =
        Self { contracts: 20, accounts: 100_000, commands: 2_000_000, liquidated: 10_000 };
}

/// A partition that is given commands, and how long they took.
struct Driven {
    partition: Partition,
    seq: u64,
    time_ns: u64,
    events: Vec<Event>,
}

impl Driven {
    /// The command as the next one.
    fn next(&mut self, command: Command) -> Sequenced<Command> {
        self.seq += 1;
        Sequenced { seq: Seq(self.seq), time_ns: TimeNs(self.time_ns), command }
    }

    fn give(&mut self, command: Command) -> Duration {
        let input = self.next(command);
        let start = Instant::now();
        self.partition.apply(&input, &mut self.events);
        start.elapsed()
    }

    fn prepare(&mut self, command: Command) {
        let what = command.name();
        self.give(command);
        let refused = self.events.drain(..).find_map(|event| match event {
            Event::Rejected { reject, .. } => Some(reject),
            _ => None,
        });
        assert!(refused.is_none(), "{what} of the preparation is refused: {refused:?}");
    }

    /// A second passes, with this index price of the first contract.
    fn second(&mut self, contracts: u32, price: i64) -> Duration {
        for market in 0..contracts {
            let price = if market == 0 { price } else { MID };
            self.prepare(Command::SetIndexPrice(SetIndexPrice {
                partition: PartitionId::FIRST,
                market: MarketId(market),
                source: 0,
                price_ticks: PriceTicks(price),
            }));
        }
        self.time_ns += SECOND;
        self.give(Command::Tick)
    }
}

/// Contracts and accounts, of which each has a position: every other one is long, at the contract that `at` says for the pair.
/// The fund is behind them. `wallet` says what each has to back it.
fn begun(contracts: u32, accounts: u32, wallet: &dyn Fn(u64) -> i128, at: &dyn Fn(u64) -> u32) -> Driven {
    let (partition, events) = (Partition::default(), Vec::new());
    let mut driven = Driven { partition, seq: 0, time_ns: SECOND, events };
    for command in perp::founding(contracts, accounts, wallet) {
        driven.prepare(command);
    }
    driven.second(contracts, MID);
    driven.events.clear();
    for command in perp::positions(accounts, at) {
        driven.prepare(command);
    }
    driven
}

/// All of it, one after the other.
pub fn run_all(options: &Options, show: &mut dyn FnMut(Measurement)) {
    show(orders(options));
    let alone = |wallet: &dyn Fn(u64) -> i128| begun(1, options.accounts, wallet, &|_| 0);
    let mut driven = alone(&|_| RICH);
    show(mark_price(&mut driven, options));
    show(funding(&mut driven, options));
    drop(driven);
    show(gap(options));
}

/// Contracts and positions, the mixed flow over them, and how many of its commands warm it up.
fn flow_over(options: &Options) -> (Driven, impl Iterator<Item = Command>, usize) {
    let Options { contracts, accounts, .. } = *options;
    let shape = perp::shape(contracts, accounts);
    let driven = begun(contracts, accounts, &|_| RICH, &|pair| perp::spread(pair, contracts));
    let before = perp::orders_before(accounts);
    let flow = Mixed::new(&shape).map(move |step| perp::command_of(&step, before));
    (driven, flow, shape.fewest)
}

/// A partition with contracts and positions, warmed up, and the commands of the flow that come then.
pub fn prepared_for(options: &Options) -> (Partition, Vec<Sequenced<Command>>) {
    let (mut driven, mut flow, warm_up) = flow_over(options);
    for command in flow.by_ref().take(warm_up) {
        driven.prepare(command);
    }
    let commands = flow.take(options.commands).map(|command| driven.next(command)).collect();
    (driven.partition, commands)
}

/// The mixed flow over many contracts.
fn orders(options: &Options) -> Measurement {
    let Options { contracts, accounts, commands, .. } = *options;
    let (mut driven, mut flow, warm_up) = flow_over(options);
    let mut piece = Vec::with_capacity(PIECE);
    let (mut elapsed, mut rejects) = (Duration::ZERO, 0);
    let mut left = commands + warm_up;
    while left > 0 {
        piece.clear();
        let is_warm_up = left > commands;
        let most = if is_warm_up { left - commands } else { left };
        let count = PIECE.min(most);
        piece.extend(flow.by_ref().take(count).map(|command| driven.next(command)));
        left -= count;
        let start = Instant::now();
        let mut refused_now = 0;
        for batch in piece.chunks(BATCH) {
            driven.partition.apply_all(batch, &mut driven.events, |_, _| ());
            refused_now += refused(&mut driven.events);
        }
        if !is_warm_up {
            elapsed += start.elapsed();
            rejects += refused_now;
        }
    }
    driven.partition.assert_invariants();
    let name = format!("orders at {contracts} contracts, {accounts} positions");
    let found = Measurement::new(name, u64::try_from(commands).expect("fits"), elapsed, rejects);
    let target = Target::per_second(&found, 1_500_000.0);
    found.with_target(target)
}

/// Index and mark price move back and forth by half a per cent, which brings nobody near to liquidation.
fn mark_price(driven: &mut Driven, options: &Options) -> Measurement {
    const CHANGES: u64 = 50;
    let mut longest = Duration::ZERO;
    let mut elapsed = Duration::ZERO;
    for change in 0..CHANGES {
        let price = if change % 2 == 0 { MID + MID / 200 } else { MID - MID / 200 };
        // The last trade follows, so that the mark price does.
        trade_at(driven, options, price);
        let took = driven.second(1, price);
        assert_eq!(driven.partition.mark_price(MarketId(0)), PriceTicks(price), "the mark price follows");
        assert!(!driven.partition.has_work(), "nobody is to be looked at any more");
        driven.events.clear();
        elapsed += took;
        longest = longest.max(took);
    }
    let name = format!("a mark price, {} positions", options.accounts);
    let found = Measurement::new(name, CHANGES, elapsed, 0);
    let met = longest < Duration::from_millis(2);
    found
        .with_target(Target { wanted: "under 2 ms".into(), met })
        .with_figures([("longest_ns", u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX))])
        .with_remark(format!("the longest took {} us", longest.as_micros()))
}

/// One lot changes hands between the first two accounts.
fn trade_at(driven: &mut Driven, options: &Options, price: i64) {
    let rich = u64::from(options.accounts);
    let sell = placed(rich, 0, Side::Sell, limit(price, 1, TimeInForce::Gtc));
    let buy = placed(rich + 1, 0, Side::Buy, limit(price, 1, TimeInForce::Ioc));
    driven.prepare(Command::PlaceContractOrder(sell));
    driven.prepare(Command::PlaceContractOrder(buy));
}

/// Everybody pays or receives.
fn funding(driven: &mut Driven, options: &Options) -> Measurement {
    // Premiums are sampled for a minute, then the clock goes to the next settlement.
    for _ in 0..60 {
        driven.second(1, MID + MID / 200);
    }
    driven.time_ns = 8 * 3_600 * SECOND - SECOND;
    driven.events.clear();
    let first = driven.second(1, MID + MID / 200);
    let paid =
        |events: &[Event]| events.iter().filter(|event| matches!(event, Event::FundingPaid(_))).count();
    let mut all = paid(&driven.events);
    driven.events.clear();
    let (mut elapsed, mut longest, mut count) = (first, first, 1);
    while driven.partition.has_work() {
        let took = driven.give(Command::Continue);
        all += paid(&driven.events);
        driven.events.clear();
        elapsed += took;
        longest = longest.max(took);
        count += 1;
    }
    assert!(all >= options.accounts as usize, "everybody pays or receives");
    driven.partition.assert_invariants();
    let name = format!("funding of {all} positions");
    let found = Measurement::new(name, u64::try_from(all).expect("fits"), elapsed, 0);
    let met = elapsed < Duration::from_millis(100);
    found
        .with_target(Target { wanted: "under 100 ms".into(), met })
        .with_figures([("longest_ns", u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX))])
        .with_remark(format!("in {count} commands, of which the longest took {} us", longest.as_micros()))
}

/// The index price falls by a fifth. Half of those who are liquidated still have something, and are sold on the book; the other
/// half have less than nothing, and the fund takes them over. Between the steps somebody trades at another contract.
fn gap(options: &Options) -> Measurement {
    let value = i128::from(MID) * i128::from(POSITION) * 10_000;
    let poor = u64::from(options.liquidated);
    // Long ones have odd numbers.
    let wallet = |account: u64| match account {
        account if account % 2 == 0 || account > 2 * poor => RICH,
        account if account % 4 == 1 => value * 202 / 1_000,
        _ => value * 110 / 1_000,
    };
    let mut driven = begun(2, options.accounts, &wallet, &|_| 0);
    let after = MID - MID / 5;
    let fund = u64::from(options.accounts) + 1;
    let rich = u64::from(options.accounts);
    // Those who buy what is sold.
    for price in [after - 1, after - 2] {
        let order = placed(rich, 0, Side::Buy, limit(price, POSITION * 100_000 / 2, TimeInForce::Gtc));
        let halves = (0..1_000).map(|_| PlaceContractOrder {
            kind: limit(price, POSITION * i64::try_from(poor).expect("fits") / 1_000 + 1, TimeInForce::Gtc),
            ..order.clone()
        });
        for order in halves {
            driven.prepare(Command::PlaceContractOrder(order));
        }
    }
    let sell = placed(fund, 0, Side::Sell, limit(after - 1, 1, TimeInForce::Ioc));
    driven.prepare(Command::PlaceContractOrder(sell));
    let first = driven.second(2, after);
    assert_eq!(driven.partition.mark_price(MarketId(0)), PriceTicks(after), "the mark price follows");
    let (mut ended, mut traded, mut steps) = (0, 0, 1_u64);
    let mut see = |events: &mut Vec<Event>| {
        for event in events.drain(..) {
            ended += usize::from(matches!(event, Event::LiquidationEnded { .. }));
            traded += usize::from(matches!(event, Event::Traded(traded) if traded.market == MarketId(1)));
        }
    };
    see(&mut driven.events);
    let (mut elapsed, mut longest, mut slowest_order) = (first, first, Duration::ZERO);
    while driven.partition.has_work() {
        let took = driven.give(Command::Continue);
        see(&mut driven.events);
        (elapsed, longest, steps) = (elapsed + took, longest.max(took), steps + 1);
        for (account, side) in [(rich, Side::Sell), (fund, Side::Buy)] {
            let order = placed(account, 1, side, limit(MID, 1, TimeInForce::Gtc));
            let took = driven.give(Command::PlaceContractOrder(order));
            see(&mut driven.events);
            (elapsed, slowest_order) = (elapsed + took, slowest_order.max(took));
        }
    }
    driven.partition.assert_invariants();
    assert_eq!(ended, options.liquidated as usize, "so many are liquidated");
    let name = format!("a gap of 20 % that liquidates {ended} accounts");
    let measured = Measurement::new(name, steps, elapsed, 0);
    let met = elapsed < Duration::from_secs(1);
    measured
        .with_target(Target { wanted: "under 1 s of work".into(), met })
        .with_figures([("longest_ns", u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX))])
        .with_remark(format!(
            "the longest command took {} us; meanwhile {traded} trades at another contract, whose orders took {} us at the most, since each \
             goes on with the liquidations",
            longest.as_micros(),
            slowest_order.as_micros()
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_as_small_as_it_can_be() {
        let options = Options { contracts: 2, accounts: 200, commands: 3_000, liquidated: 40 };
        let mut found = Vec::new();
        run_all(&options, &mut |measurement| found.push(measurement));
        assert_eq!(found.len(), 4);
        assert!(found.iter().all(|measurement| measurement.rejects == 0), "{found:?}");
    }
}
