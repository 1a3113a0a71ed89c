//! What positions and open orders require: initial margin, maintenance margin, and the price at which nothing is left above
//! that. Source: semantics 2 ("Margin", "Liquidation price").

use model::{Amount, Bracket, ContractTerms, MarketTerms, PriceTicks, QtyLots, Side};

use crate::Position;
use crate::rounding::{minus, negated, plus, quotient_half_up, quotient_up, times};

const MILLION: i128 = 1_000_000;

/// Millionths of an atom, in which a maintenance margin is a whole number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MicroAtoms(pub i128);

impl MicroAtoms {
    /// So many whole atoms.
    #[inline]
    pub fn from_atoms(amount: Amount) -> Self {
        Self(times(amount.0, MILLION))
    }

    /// In atoms, rounded up.
    pub fn atoms_rounded_up(self) -> Amount {
        Amount(quotient_up(self.0, MILLION))
    }
}

impl std::ops::Add for MicroAtoms {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        Self(plus(self.0, other.0))
    }
}

impl std::ops::Sub for MicroAtoms {
    type Output = Self;

    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(minus(self.0, other.0))
    }
}

/// The bracket of a value: its floor is below the value, its cap is not. Above the last cap it is the last one.
pub fn bracket_at(contract: &ContractTerms, value: Amount) -> usize {
    let last = contract.brackets.len().saturating_sub(1);
    contract.brackets.partition_point(|bracket| bracket.cap < value).min(last)
}

/// What is subtracted from value x rate in a bracket, so that the margin has no steps where brackets meet.
fn maintenance_amount(contract: &ContractTerms, bracket: usize) -> MicroAtoms {
    let pairs = contract.brackets.iter().zip(contract.brackets.iter().skip(1)).take(bracket);
    pairs.fold(MicroAtoms::default(), |sum, (below, above)| {
        let step = minus(above.maintenance_ppm.into(), below.maintenance_ppm.into());
        MicroAtoms(plus(sum.0, times(below.cap.0, step)))
    })
}

/// What must be left of a position of this value (without its sign): value x rate of its bracket, less the bracket's amount.
pub fn maintenance_margin(contract: &ContractTerms, value: Amount) -> MicroAtoms {
    // Most positions are in the first bracket.
    if let Some(first) = contract.brackets.first().filter(|first| value <= first.cap) {
        return MicroAtoms(times(value.0, first.maintenance_ppm.into()));
    }
    // Rate by rate, which comes to the same and knows no amounts.
    let mut margin = 0;
    let mut floor = 0;
    let last = contract.brackets.len().saturating_sub(1);
    for (at, &Bracket { cap, maintenance_ppm, .. }) in contract.brackets.iter().enumerate() {
        let reaches = if at == last { value.0 } else { value.0.min(cap.0) };
        margin = plus(margin, times(minus(reaches, floor), maintenance_ppm.into()));
        if value <= cap {
            break;
        }
        floor = cap.0;
    }
    MicroAtoms(margin)
}

/// Whether what is left is too little. Exact.
#[inline]
pub fn is_liquidatable(equity: Amount, maintenance: MicroAtoms) -> bool {
    MicroAtoms::from_atoms(equity) <= maintenance
}

/// What a position of this value (without its sign) takes to be opened, rounded up.
#[inline]
pub fn initial_margin(value: Amount, leverage: u16) -> Amount {
    Amount(quotient_up(value.0, leverage.into()))
}

/// The values of the open orders at a contract, each at its [`order_price`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOrders {
    /// Of those that buy.
    pub bids: Amount,
    /// Of those that sell.
    pub asks: Amount,
}

/// What a position and the open orders beside it take: as much as the larger position that all buying, or all selling, orders
/// would lead to. `position_value` is signed. Orders that only close need nothing.
#[inline]
pub fn total_initial_margin(position_value: Amount, orders: OpenOrders, leverage: u16) -> Amount {
    initial_margin(largest_value(position_value, orders), leverage)
}

/// The value (without its sign) of the larger position that all buying, or all selling, orders would lead to.
#[inline]
pub fn largest_value(position_value: Amount, orders: OpenOrders) -> Amount {
    let long = position_value + orders.bids;
    let short = position_value - orders.asks;
    Amount(long.0.abs().max(short.0.abs()))
}

/// The price at which an order counts: its limit when it buys; when it sells no less than the mark price, since its fill opens at
/// that; without a limit 0.15 % above the last price, and no less than the mark price.
pub fn order_price(side: Side, limit: Option<PriceTicks>, last: PriceTicks, mark: PriceTicks) -> PriceTicks {
    match (side, limit) {
        (Side::Buy, Some(limit)) => limit,
        (Side::Sell, Some(limit)) => limit.max(mark),
        (Side::Buy | Side::Sell, None) => {
            let above = quotient_up(times(last.0.into(), 10_015), 10_000);
            PriceTicks(i64::try_from(above).unwrap_or(i64::MAX)).max(mark)
        }
    }
}

/// What an order loses at once when it is filled at its price: a buyer above the mark price, a seller below it.
pub fn open_loss(
    terms: &MarketTerms,
    side: Side,
    price: PriceTicks,
    mark: PriceTicks,
    qty: QtyLots,
) -> Amount {
    let worse_by = match side {
        Side::Buy => price - mark,
        Side::Sell => mark - price,
    };
    terms.notional(worse_by.max(PriceTicks::ZERO), qty)
}

/// The price at which what is left equals the maintenance margin, when nothing but this contract's price changes: in millionths
/// of a tick, rounded half up; `None` where there is no such price. For showing: nothing is decided by it.
///
/// `positions` are those of one margin at this contract: one, or the long and the short one of a hedge. `rest` is all else that
/// this margin has, less all else that must be left of it: for cross margin the wallet and the other contracts' unrealised
/// profits, less their maintenance margins; for an isolated position its margin.
pub fn liquidation_price(
    terms: &MarketTerms,
    contract: &ContractTerms,
    positions: &[Position],
    rest: MicroAtoms,
    mark: PriceTicks,
) -> Option<i128> {
    let all = positions.iter().fold(Position::NONE, |sum, position| sum.together_with(position));
    let of_a_tick = |qty: QtyLots| terms.notional(PriceTicks(1), qty).0;
    let brackets_at = |price_micro_ticks: i128| -> Vec<usize> {
        let value = |position: &Position| {
            Amount(quotient_up(times(of_a_tick(position.size()), price_micro_ticks), MILLION))
        };
        positions.iter().map(|position| bracket_at(contract, value(position))).collect()
    };
    let mut brackets = brackets_at(times(mark.0.into(), MILLION));
    // The function is concave, so each step leads to the bracket of the price or past one bracket at the least.
    for _ in 0..ContractTerms::MAX_BRACKETS.saturating_mul(2) {
        // rest + price x quantity - cost = price x sizes x rates - amounts, in millionths of atoms.
        let mut per_tick = times(of_a_tick(all.qty_lots), MILLION);
        let mut at_zero = minus(times(all.cost.0, MILLION), rest.0);
        for (position, &bracket) in positions.iter().zip(&brackets) {
            let rate = contract.brackets[bracket].maintenance_ppm;
            per_tick = minus(per_tick, times(of_a_tick(position.size()), rate.into()));
            at_zero = minus(at_zero, maintenance_amount(contract, bracket).0);
        }
        if per_tick < 0 {
            (per_tick, at_zero) = (negated(per_tick), negated(at_zero));
        }
        if per_tick == 0 || at_zero <= 0 {
            return None;
        }
        let price = quotient_half_up(at_zero.checked_mul(MILLION)?, per_tick);
        let found = brackets_at(price);
        if found == brackets {
            return Some(price);
        }
        brackets = found;
    }
    None
}
