//! What the crowd does in one market: small orders near and far, and second thoughts.

use model::Side;

use super::ladder::{away, rounded_away};
use super::record::Record;
use super::{CROWD, OrderName, TraderId};
use crate::random::Random;

/// A thing that somebody of the crowd does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whim {
    /// Places an order.
    Place { trader: TraderId, side: Side, price_ticks: i64, lots: i64 },
    /// Cancels one.
    Cancel { trader: TraderId, name: OrderName },
    /// Leaves the market: cancels all that is there.
    Leave { trader: TraderId },
}

/// The crowd has about so many orders in a market.
const USUAL_ORDERS: usize = 40;
/// Once in so many times somebody leaves.
const LEAVES_ONCE_IN: u32 = 3_000;
/// The largest order, in small ones.
const LARGEST_UNITS: u32 = 150;

pub(super) fn whim(record: &Record, middle_ticks: i64, unit_lots: i64, random: &mut Random) -> Whim {
    let trader = TraderId(if random.permille(500) { CROWD.start } else { CROWD.end - 1 });
    if random.below(LEAVES_ONCE_IN) == 0 {
        return Whim::Leave { trader };
    }
    let own: Vec<_> = record.orders().iter().filter(|order| CROWD.contains(&order.trader.0)).collect();
    // As many come as go where there are as many as usual.
    let share = u32::try_from(1_000 * own.len() / (2 * USUAL_ORDERS)).expect("a few hundred orders");
    if random.permille(share) {
        let drawn = random.below(u32::try_from(own.len()).expect("a few hundred orders"));
        let gone = own[drawn as usize];
        return Whim::Cancel { trader: gone.trader, name: gone.name };
    }
    place(trader, middle_ticks, unit_lots, random)
}

/// An order somewhere: half of them within a hundredth of a percent of the middle, a few percents away.
pub(super) fn place(trader: TraderId, middle_ticks: i64, unit_lots: i64, random: &mut Random) -> Whim {
    let side = if random.permille(500) { Side::Buy } else { Side::Sell };
    let thousandths_of_ppm = random.heavy(600) * 40;
    let offset_ticks = 1 + middle_ticks * thousandths_of_ppm / 1_000_000_000;
    let price_ticks = rounded_away(away(middle_ticks, side, offset_ticks), side, offset_ticks);
    let lots = unit_lots * random.heavy(LARGEST_UNITS) / 1_000;
    Whim::Place { trader, side, price_ticks, lots }
}
