//! Funding: what one side of a contract pays the other, so that its price stays with the index. Source: semantics 2 (the rate
//! formula of 2025-09-18; who pays, and how it is rounded).

use model::{Amount, ContractTerms, FundingRate, MarketTerms, PriceTicks, QtyLots};

use crate::Premium;
use crate::rounding::{minus, negated, plus, quotient_down, quotient_half_up, times};

/// Units of 10^-12 in one of 10^-8.
const FINER: i128 = 10_000;
/// How far the rate leaves the premium towards the interest: 0.05 %, in units of 10^-12.
const DAMPING: i128 = 500_000_000;

/// The premiums since the last settlement. The n-th counts n times, so that the end of the interval counts most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AveragePremium {
    /// The sum of each times its number.
    pub weighted: i128,
    /// How many.
    pub count: u32,
}

impl AveragePremium {
    /// Takes the next sample in.
    pub fn add(&mut self, premium: Premium) {
        self.count = self.count.checked_add(1).expect("a settlement comes before 2^32 samples");
        self.weighted = plus(self.weighted, times(premium.0.into(), self.count.into()));
    }

    /// The average, rounded half up; zero before the first sample.
    pub fn average(&self) -> Premium {
        let count = i128::from(self.count);
        if count == 0 {
            return Premium::default();
        }
        let weights = times(count, plus(count, 1));
        let average = quotient_half_up(times(self.weighted, 2), weights);
        Premium(i64::try_from(average).expect("an average lies between samples"))
    }
}

/// The rate of a settlement: the average premium, moved towards the interest by 0.05 % at most, for the part of eight hours
/// that the interval is, within the contract's bounds; rounded half up.
pub fn funding_rate(contract: &ContractTerms, average: Premium) -> FundingRate {
    let premium = i128::from(average.0);
    let interest = times(contract.interest.0.into(), FINER);
    let of_eight_hours = plus(premium, minus(interest, premium).clamp(negated(DAMPING), DAMPING));
    let of_interval = times(of_eight_hours, contract.funding_interval_hours.into());
    let rate = quotient_half_up(of_interval, times(8, FINER));
    let bounded = rate.clamp(contract.funding_floor.0.into(), contract.funding_cap.0.into());
    FundingRate(i64::try_from(bounded).expect("a rate within the bounds fits"))
}

/// What a position receives at a settlement; below zero it pays. Whoever pays pays the part of an atom too, whoever receives goes
/// without it, so all flows together come to zero or less, and the insurance fund receives the difference.
pub fn funding_flow(terms: &MarketTerms, qty: QtyLots, mark: PriceTicks, rate: FundingRate) -> Amount {
    let value = terms.notional(mark, qty);
    Amount(quotient_down(negated(times(value.0, rate.0.into())), FundingRate::ONE.0.into()))
}
