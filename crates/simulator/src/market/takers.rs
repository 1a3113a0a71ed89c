//! What takers do in one market: mostly small orders, rarely very large ones, sometimes several the same way in a row.

use model::{Amount, MarketTerms, OrderKind, PriceTicks, QtyLots, Side, TimeInForce};

use super::record::Record;
use crate::random::Random;

/// The mood of a market's takers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Takers {
    /// The same way, and how many more.
    burst: Option<(Side, u32)>,
}

impl Takers {
    /// One of the orders in a thousand begins a burst.
    const BURST_PERMILLE: u32 = 60;
    /// In a burst, this often in a thousand beats.
    const IN_BURST_PERMILLE: u32 = 600;
    /// The largest order, in small ones.
    const LARGEST_UNITS: u32 = 1_500;

    /// Whether one comes in this beat, and which way it goes: rather the way that the fair price has gone.
    pub(super) fn next_side(&mut self, permille: u32, drift_ticks: i64, random: &mut Random) -> Option<Side> {
        if let Some((side, left)) = self.burst {
            if !random.permille(Self::IN_BURST_PERMILLE) {
                return None;
            }
            self.burst = (left > 1).then_some((side, left - 1));
            return Some(side);
        }
        if !random.permille(permille) {
            return None;
        }
        let up_permille = 500 + 120 * u32::from(drift_ticks > 0) - 120 * u32::from(drift_ticks < 0);
        let side = if random.permille(up_permille) { Side::Buy } else { Side::Sell };
        if random.permille(Self::BURST_PERMILLE) {
            self.burst = Some((side, 2 + random.below(8)));
        }
        Some(side)
    }

    /// The order: at the market by quantity or by amount, or with a limit a little beyond the touch, for what is there now.
    pub(super) fn order(
        side: Side,
        terms: &MarketTerms,
        unit_lots: i64,
        record: &Record,
        random: &mut Random,
    ) -> Option<OrderKind> {
        let touch_ticks = record.best(side.opposite())?;
        let lots = unit_lots * random.heavy(Self::LARGEST_UNITS) / 1_000;
        let qty_lots = QtyLots(round_sometimes(lots, random));
        Some(match random.below(100) {
            0..55 => OrderKind::Market { qty_lots },
            55..70 => {
                let amount = terms.notional(PriceTicks(touch_ticks), qty_lots);
                OrderKind::MarketQuote { quote_amount: Amount(first_digits(amount.0, 2)) }
            }
            _ => {
                let beyond = 1 + touch_ticks / 50_000;
                let price_ticks = match side {
                    Side::Buy => PriceTicks(touch_ticks + beyond),
                    Side::Sell => PriceTicks(touch_ticks - beyond),
                };
                OrderKind::Limit { price_ticks, qty_lots, time_in_force: TimeInForce::Ioc }
            }
        })
    }
}

/// People like round numbers; programs do not care.
fn round_sometimes(lots: i64, random: &mut Random) -> i64 {
    if random.permille(400) { i64::try_from(first_digits(lots.into(), 1)).unwrap_or(lots) } else { lots }
}

/// The number with zeros behind its first digits.
fn first_digits(number: i128, digits: u32) -> i128 {
    let mut grid: i128 = 1;
    while number / grid >= 10_i128.pow(digits) {
        grid *= 10;
    }
    number - number % grid
}
