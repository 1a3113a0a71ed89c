//! How much of a position is closed when too little margin is left, at which price, and who carries what nobody buys. Source:
//! semantics 2 ("Liquidation") and 8.

use model::{Amount, ContractTerms, MarketTerms, PriceTicks, QtyLots};

use crate::rounding::{minus, plus, quotient_down, quotient_up, times};
use crate::{MicroAtoms, Position, bracket_at, maintenance_margin};

/// The price at which nothing is left of `equity`, which is what it is at the mark price. Rounded so that what is sold there leaves
/// no debt: up for a long position, down for a short one; at least one tick.
pub fn bankruptcy_price(
    terms: &MarketTerms,
    position: &Position,
    equity: Amount,
    mark: PriceTicks,
) -> PriceTicks {
    let of_a_tick = terms.notional(PriceTicks(1), position.size()).0;
    let value = position.value(terms, mark).0;
    let price = if position.qty_lots > QtyLots::ZERO {
        quotient_up(minus(value, equity.0), of_a_tick)
    } else {
        quotient_down(minus(equity.0, value), of_a_tick)
    };
    PriceTicks(i64::try_from(price).unwrap_or(i64::MAX)).max(PriceTicks(1))
}

/// How much of a position is closed: the smallest multiple of the contract's step with which more would be left than the
/// maintenance margin of the rest, if it were sold at the mark price, fees included. `None` where no part does it, and for a
/// position in the lowest bracket: then all of it is closed.
///
/// `equity` and `others` are what is left at the mark price and what must be left of the same margin for other positions;
/// `fee_ppm` is the trading fee, in millionths.
pub fn part_to_close(
    terms: &MarketTerms,
    contract: &ContractTerms,
    size: QtyLots,
    (equity, others): (Amount, MicroAtoms),
    mark: PriceTicks,
    fee_ppm: u32,
) -> Option<QtyLots> {
    let of_a_lot = terms.notional(mark, QtyLots(1)).0;
    let step = i128::from(contract.liquidation_step_lots.0);
    let size = i128::from(size.0);
    let paid_ppm = plus(fee_ppm.into(), contract.clearance_fee_ppm.into());
    let value = times(size, of_a_lot);
    // Whether so many steps are enough.
    let is_enough = |steps: i128| {
        let closed = times(steps, step);
        let left = minus(size, closed);
        let fees = times(times(closed, of_a_lot), paid_ppm);
        let equity = minus(MicroAtoms::from_atoms(equity).0, fees);
        let margin = maintenance_margin(contract, Amount(times(left, of_a_lot)));
        equity > plus(margin.0, others.0)
    };
    // What would be left above the margin is a concave function of the part. Within one bracket of the rest it is a line, so it
    // is looked for bracket by bracket: where the end of one is enough, the least that is lies within it.
    let mut too_few = 0;
    for lower in contract.brackets[..bracket_at(contract, Amount(value))].iter().rev() {
        let end = quotient_up(minus(value, lower.cap.0), times(step, of_a_lot));
        if times(end, step) >= size {
            return None;
        }
        if is_enough(end) {
            let mut enough = end;
            while minus(enough, too_few) > 1 {
                let middle = plus(too_few, enough) / 2;
                if is_enough(middle) { enough = middle } else { too_few = middle }
            }
            let lots = i64::try_from(times(enough, step)).expect("a part is smaller than the whole");
            return Some(QtyLots(lots));
        }
        too_few = end;
    }
    None
}

/// What the insurance fund gets of a liquidation that left something: the contract's part of what was sold, rounded up, and no more
/// than is left.
pub fn clearance_fee(contract: &ContractTerms, sold: Amount, equity_left: Amount) -> Amount {
    let fee = quotient_up(times(sold.0, contract.clearance_fee_ppm.into()), 1_000_000);
    Amount(fee).min(equity_left.max(Amount::ZERO))
}

/// Whether an insurance fund can take a position over at what it has cost: with all of its loss at the mark price the fund is not
/// below zero.
pub fn fund_can_carry(fund: Amount, taken: &Position, terms: &MarketTerms, mark: PriceTicks) -> bool {
    fund + taken.unrealized(terms, mark) >= Amount::ZERO
}
