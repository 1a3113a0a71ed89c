//! What a contract's prices are beside its book: index, mark price, premium, and when funding is settled. They change once a
//! second, with the clock that commands bring. Source: semantics 2 ("Index", "Mark", "Premium index").

use margin::{
    AveragePremium, BasisWindow, Source, funding_price, funding_rate, impact_price, index_price, mark_price,
    premium,
};
use model::{
    ContractTerms, Event, FundingRate, FundingSettled, Letter, MarkPriceChanged, MarketId, MarketTerms,
    PriceTicks, Reject, SetIndexPrice, Side, TimeNs,
};

use crate::Partition;
use crate::market::Market;

const SECOND_NS: u64 = 1_000_000_000;
const HOUR_NS: u64 = 3_600 * SECOND_NS;
/// Seconds from one sample of the premium to the next.
const PREMIUM_EVERY: u64 = 5;

/// What was seen of prices so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pricing {
    /// By source: what a feed has said last, and when.
    pub feeds: Vec<Option<(PriceTicks, TimeNs)>>,
    pub basis: BasisWindow,
    pub premiums: AveragePremium,
    /// Of the last settlement.
    pub last_rate: FundingRate,
    /// 0 before the first second.
    pub next_funding_ns: TimeNs,
    /// The last second in which prices were taken.
    pub second: u64,
    /// What was told last.
    pub told: Option<(PriceTicks, PriceTicks, FundingRate)>,
}

impl Partition {
    /// A feed tells a price.
    pub(crate) fn set_index_price(
        &mut self,
        set: &SetIndexPrice,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        let SetIndexPrice { partition: _, market, source, price_ticks } = *set;
        let terms = self.catalog.open_market(market)?;
        let contract = self.catalog.contract(market).ok_or(Reject::NotContract { market })?;
        if self.catalog.home(market) != Some(self.post.own) {
            let partition = self.catalog.home(market).expect("a listed market has a home");
            return Err(Reject::LivesElsewhere { partition });
        }
        let index = usize::from(source);
        if contract.sources.get(index).is_none_or(|source| source.market.is_some()) {
            return Err(Reject::UnknownIndexSource { source });
        }
        if price_ticks < terms.min_price_ticks || terms.max_price_ticks < price_ticks {
            return Err(Reject::PriceOutOfRange {
                min_ticks: terms.min_price_ticks,
                max_ticks: terms.max_price_ticks,
            });
        }
        let holders = self.markets.market_mut(market).holders.as_mut().expect("a contract has holders");
        let feeds = &mut holders.pricing.feeds;
        feeds.resize(contract.sources.len(), None);
        feeds[index] = Some((price_ticks, self.time_ns));
        events.push(Event::IndexPriceSet { market, source, price_ticks });
        Ok(())
    }

    /// Whether a second has begun of which no prices were taken yet.
    pub fn prices_are_due(&self, now: TimeNs) -> bool {
        let here = self.catalog.contracts().map(|(market, _)| market);
        let mut here = here.filter(|market| self.catalog.home(*market) == Some(self.post.own));
        here.any(|market| {
            let holders = self.markets.market(market).holders.as_ref();
            holders.is_some_and(|holders| holders.pricing.second < now.0 / SECOND_NS)
        })
    }

    /// Takes the prices of this second at the contracts that live here, where a new one has begun.
    pub(crate) fn take_prices(&mut self, events: &mut Vec<Event>) {
        let second = self.time_ns.0 / SECOND_NS;
        let here: Vec<MarketId> = self
            .catalog
            .contracts()
            .map(|(market, _)| market)
            .filter(|market| self.catalog.home(*market) == Some(self.post.own))
            .collect();
        for market in here {
            self.take_price(market, second, events);
        }
        self.settles = self.has_settlements();
    }

    fn take_price(&mut self, market: MarketId, second: u64, events: &mut Vec<Event>) {
        let Self { catalog, accounts, markets, mail, time_ns, .. } = self;
        let terms = catalog.market(market).expect("a contract is listed");
        let contract = catalog.contract(market).expect("it is a contract");
        let listed = markets.market_mut(market);
        let holders = listed.holders.as_mut().expect("a contract has holders");
        if second <= holders.pricing.second {
            return;
        }
        let sources = contract.sources.iter().enumerate().filter_map(|(at, source)| {
            let price = if let Some(spot) = source.market {
                let spot_at = usize::try_from(spot.0).expect("markets fit into memory");
                let spot_terms = catalog.market(spot).expect("sources are listed");
                in_ticks_of(terms, spot_terms, accounts.reference_prices[spot_at])?
            } else {
                let (price, told_at) = (*holders.pricing.feeds.get(at)?)?;
                let age_ns = time_ns.0.saturating_sub(told_at.0);
                (age_ns <= contract.stale_after_ns).then_some(price)?
            };
            Some(Source { price, weight: source.weight })
        });
        let sources: Vec<Source> = sources.collect();
        let interval_ns = u64::from(contract.funding_interval_hours).saturating_mul(HOUR_NS);
        let mark_before = accounts.futures.mark(market);
        let pricing = &mut holders.pricing;
        pricing.second = second;
        if pricing.next_funding_ns == TimeNs(0) {
            pricing.next_funding_ns = next_settlement(*time_ns, interval_ns);
        }
        let mut mark = mark_before;
        if let Some(index) = index_price(&sources, contract.outlier_ppm) {
            mark = price(terms, contract, listed, (index, second), (*time_ns, interval_ns));
            let pricing = &mut listed.holders.as_mut().expect("a contract has holders").pricing;
            let rate = funding_rate(contract, pricing.premiums.average());
            if pricing.told != Some((index, mark, rate)) {
                pricing.told = Some((index, mark, rate));
                events.push(Event::MarkPriceChanged(MarkPriceChanged {
                    market,
                    index_ticks: index,
                    mark_ticks: mark,
                    rate,
                    next_funding_ns: pricing.next_funding_ns,
                }));
            }
        }
        if mark != mark_before {
            mail.push(Letter::MarkPrice { market, mark_ticks: mark });
        }
        let holders = listed.holders.as_mut().expect("a contract has holders");
        let pricing = &mut holders.pricing;
        if *time_ns >= pricing.next_funding_ns && holders.settlement.is_none() {
            let rate = funding_rate(contract, pricing.premiums.average());
            (pricing.premiums, pricing.last_rate) = (AveragePremium::default(), rate);
            pricing.next_funding_ns = next_settlement(*time_ns, interval_ns);
            holders.begin_settlement(rate, mark);
            events.push(Event::FundingSettled(FundingSettled { market, rate, mark_ticks: mark }));
        }
    }
}

/// The mark price of this second. Takes the samples that it and the funding rate are made of.
fn price(
    terms: &MarketTerms,
    contract: &ContractTerms,
    listed: &mut Market,
    (index, second): (PriceTicks, u64),
    (now, interval_ns): (TimeNs, u64),
) -> PriceTicks {
    let best = |side| listed.book.best(side);
    let both = best(Side::Buy).zip(best(Side::Sell));
    let is_sampled = second.is_multiple_of(PREMIUM_EVERY);
    let sample = is_sampled.then(|| {
        let value = contract.impact_notional.0.checked_div(terms.quote_atoms_per_tick_lot.0);
        let value = value.and_then(|value| i64::try_from(value).ok()).expect("terms are checked");
        let impact = |side| impact_price(listed.book.levels(side), value);
        premium(impact(Side::Buy), impact(Side::Sell), index)
    });
    let last = listed.reference_ticks;
    let pricing = &mut listed.holders.as_mut().expect("a contract has holders").pricing;
    if let Some((bid, ask)) = both {
        pricing.basis.add(bid, ask, index);
    }
    if let Some(sample) = sample {
        pricing.premiums.add(sample);
    }
    let until = pricing.next_funding_ns.0.saturating_sub(now.0);
    let one = funding_price(index, pricing.last_rate, until, interval_ns);
    mark_price(one, pricing.basis.price(index), last).clamp(PriceTicks(1), MarketTerms::MAX_PRICE_TICKS)
}

/// The next whole interval of the day behind a moment.
fn next_settlement(now: TimeNs, interval_ns: u64) -> TimeNs {
    let passed = now.0.checked_div(interval_ns).expect("an interval is at least an hour");
    TimeNs(passed.saturating_add(1).saturating_mul(interval_ns))
}

/// A spot market's price in ticks of a contract, rounded half up; `None` where it is beyond what can be counted.
fn in_ticks_of(contract: &MarketTerms, spot: &MarketTerms, price: PriceTicks) -> Option<PriceTicks> {
    let power = |scale: u8| 10_i128.checked_pow(scale.into());
    let units = i128::from(price.0)
        .checked_mul(spot.tick_size.into())?
        .checked_mul(power(contract.price_scale)?)?
        .checked_mul(2)?;
    let tick = power(spot.price_scale)?.checked_mul(contract.tick_size.into())?;
    let ticks = units.checked_add(tick)?.checked_div(tick.checked_mul(2)?)?;
    let ticks = PriceTicks(i64::try_from(ticks).ok()?);
    (PriceTicks(1) <= ticks && ticks <= MarketTerms::MAX_PRICE_TICKS).then_some(ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settlements_are_at_whole_hours() {
        let hours = |hours: u64| hours * HOUR_NS;
        assert_eq!(next_settlement(TimeNs(hours(8) - 1), hours(8)), TimeNs(hours(8)));
        assert_eq!(next_settlement(TimeNs(hours(8)), hours(8)), TimeNs(hours(16)));
        assert_eq!(next_settlement(TimeNs(hours(9)), hours(1)), TimeNs(hours(10)));
    }
}
