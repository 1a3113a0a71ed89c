//! The prices that the order book does not decide alone: index, mark price, and the premium that funding is made of. Source:
//! semantics 2 ("Index", "Mark", "Premium index"). Index and mark price are whole ticks, rounded half up.

use model::{FundingRate, PriceTicks, QtyLots};

use crate::rounding::{minus, plus, quotient_half_up, times};

const MILLION: i128 = 1_000_000;
const TRILLION: i128 = 1_000_000_000_000;

/// What one spot market says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its price, in ticks of the contract.
    pub price: PriceTicks,
    /// How much it counts, beside the others; above zero.
    pub weight: u32,
}

/// The weighted average of the sources that say something, without those further than `outlier_ppm` millionths from their
/// median; `None` where none is left. The caller leaves out what is stale.
pub fn index_price(sources: &[Source], outlier_ppm: u32) -> Option<PriceTicks> {
    let mut prices: Vec<i128> = sources.iter().map(|source| source.price.0.into()).collect();
    prices.sort_unstable();
    let middle = prices.len() / 2;
    let upper = *prices.get(middle)?;
    let median = if prices.len() % 2 == 1 {
        upper
    } else {
        quotient_half_up(plus(upper, prices[middle.saturating_sub(1)]), 2)
    };
    let near = |source: &&Source| {
        let distance = minus(source.price.0.into(), median).abs();
        times(distance, MILLION) <= times(median, outlier_ppm.into())
    };
    let (mut weighted, mut weights) = (0, 0);
    for source in sources.iter().filter(near) {
        weighted = plus(weighted, times(source.price.0.into(), source.weight.into()));
        weights = plus(weights, source.weight.into());
    }
    (weights > 0).then(|| ticks(quotient_half_up(weighted, weights)))
}

/// The index price with that part of the last funding rate that is still to come: the first of the three prices whose median is
/// the mark price.
pub fn funding_price(
    index: PriceTicks,
    last: FundingRate,
    until_settlement_ns: u64,
    interval_ns: u64,
) -> PriceTicks {
    let by = times(times(index.0.into(), last.0.into()), until_settlement_ns.into());
    index + ticks(quotient_half_up(by, times(FundingRate::ONE.0.into(), interval_ns.into())))
}

/// How far the middle of the book was from the index in the last samples, one a second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasisWindow {
    /// Best bid + best ask - 2 x index, the oldest first.
    samples: std::collections::VecDeque<i64>,
}

impl BasisWindow {
    /// How many samples count.
    pub const SAMPLES: usize = 30;

    /// Takes a sample in, and forgets the oldest when there are enough.
    pub fn add(&mut self, best_bid: PriceTicks, best_ask: PriceTicks, index: PriceTicks) {
        self.push((best_bid - index + best_ask - index).0);
    }

    /// Takes a sample as [`Self::samples`] has it.
    pub fn push(&mut self, sample: i64) {
        if self.samples.len() == Self::SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// Twice the distances, the oldest first.
    pub fn samples(&self) -> impl Iterator<Item = i64> {
        self.samples.iter().copied()
    }

    /// The index price and the average distance: the second of the three prices whose median is the mark price.
    pub fn price(&self, index: PriceTicks) -> PriceTicks {
        let count = i128::try_from(self.samples.len()).expect("there are few samples");
        if count == 0 {
            return index;
        }
        let sum = self.samples.iter().fold(0, |sum, &sample| plus(sum, sample.into()));
        index + ticks(quotient_half_up(sum, times(count, 2)))
    }
}

/// The median of the two prices that follow the index and the contract's own.
pub fn mark_price(one: PriceTicks, other: PriceTicks, contract: PriceTicks) -> PriceTicks {
    one.max(other).min(one.min(other).max(contract))
}

/// The average price of a trade of this value (in ticks x lots, from 1 to 2^62) with a side of a book, in millionths of a tick
/// and rounded half up. What the book lacks counts at the last price that it reaches; `None` where it is empty.
pub fn impact_price(levels: impl IntoIterator<Item = (PriceTicks, QtyLots)>, value: i64) -> Option<i128> {
    let value = i128::from(value);
    let (mut lots, mut left, mut last) = (0, value, None);
    for (price, qty) in levels {
        last = Some(i128::from(price.0));
        let here = times(price.0.into(), qty.0.into());
        if left <= here {
            break;
        }
        lots = plus(lots, qty.0.into());
        left = minus(left, here);
    }
    let last = last?;
    // value / (lots + left / last)
    Some(quotient_half_up(times(times(value, last), MILLION), plus(times(lots, last), left)))
}

/// How far a contract trades from its index, as a part of the index, in units of 10^-12.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Premium(pub i64);

/// The premium of a book with these impact prices (in millionths of a tick), rounded half up.
pub fn premium(impact_bid: Option<i128>, impact_ask: Option<i128>, index: PriceTicks) -> Premium {
    let index = times(index.0.into(), MILLION);
    let above = impact_bid.map_or(0, |bid| minus(bid, index).max(0));
    let below = impact_ask.map_or(0, |ask| minus(index, ask).max(0));
    let part = quotient_half_up(times(minus(above, below), TRILLION), index);
    Premium(i64::try_from(part).unwrap_or(i64::MAX))
}

fn ticks(number: i128) -> PriceTicks {
    PriceTicks(i64::try_from(number).expect("a price near another price fits like it"))
}
