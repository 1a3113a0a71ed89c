//! Assets and markets as a writer's own event log has told of them so far. They are saved with its position, since the writer of
//! another partition, which fills the tables of them, may be further or less far.

use std::collections::BTreeSet;

use codec::{Coded, DecodeError, Reader};
use model::{Amount, AssetId, AssetTerms, Event, MarketId, MarketTerms, PriceTicks, QtyLots, Side};

use crate::SqlError;
use crate::decimal::Decimal;

/// The form in which [`Listed::encode`] writes; another number is another form.
const FORM: u8 = 2;
/// The form before there were contracts; written as long as there are none.
const FIRST_FORM: u8 = 1;

/// What is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    assets: Vec<AssetTerms>,
    markets: Vec<MarketTerms>,
    /// Those of the markets that are contracts.
    contracts: BTreeSet<MarketId>,
}

/// A market with its assets.
#[derive(Clone, Copy, Debug)]
pub struct Market<'a> {
    pub terms: &'a MarketTerms,
    pub base: &'a AssetTerms,
    pub quote: &'a AssetTerms,
}

fn at(index: u32) -> usize {
    usize::try_from(index).expect("fits")
}

impl Listed {
    pub fn add_asset(&mut self, asset: AssetId, terms: &AssetTerms) -> Result<(), SqlError> {
        put(&mut self.assets, asset.0, *terms, "asset")
    }

    /// Also for a market that has other terms now.
    pub fn add_market(&mut self, market: MarketId, terms: &MarketTerms) -> Result<(), SqlError> {
        self.asset(terms.base)?;
        self.asset(terms.quote)?;
        put(&mut self.markets, market.0, *terms, "market")
    }

    /// A contract counts among the markets, and has no row.
    pub fn add_contract(&mut self, market: MarketId, terms: &MarketTerms) -> Result<(), SqlError> {
        self.add_market(market, terms)?;
        self.contracts.insert(market);
        Ok(())
    }

    /// Whether an event tells of orders, trades or the book of a contract.
    pub fn is_at_contract(&self, event: &Event) -> bool {
        let market = event.market_of_order();
        market.is_some_and(|market| self.contracts.contains(&market))
    }

    pub fn asset(&self, asset: AssetId) -> Result<&AssetTerms, SqlError> {
        let found = self.assets.get(at(asset.0));
        found.ok_or_else(|| SqlError::Disagrees(format!("asset {asset} was never listed")))
    }

    pub fn market(&self, market: MarketId) -> Result<Market<'_>, SqlError> {
        let terms = self.markets.get(at(market.0));
        let terms = terms.ok_or_else(|| SqlError::Disagrees(format!("market {market} was never listed")))?;
        Ok(Market { terms, base: self.asset(terms.base)?, quote: self.asset(terms.quote)? })
    }

    pub fn encode(&self) -> Vec<u8> {
        let form = if self.contracts.is_empty() { FIRST_FORM } else { FORM };
        let mut bytes = vec![form];
        self.assets.encode(&mut bytes);
        self.markets.encode(&mut bytes);
        if form == FORM {
            self.contracts.iter().copied().collect::<Vec<_>>().encode(&mut bytes);
        }
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let form = u8::decode(&mut input)?;
        if ![FIRST_FORM, FORM].contains(&form) {
            return Err(DecodeError::UnknownTag { what: "a form of what is listed", tag: form });
        }
        let (assets, markets) = (Coded::decode(&mut input)?, Coded::decode(&mut input)?);
        let mut listed = Self { assets, markets, contracts: BTreeSet::new() };
        if form == FORM {
            listed.contracts = Vec::decode(&mut input)?.into_iter().collect();
        }
        input.finish()?;
        Ok(listed)
    }
}

/// Replaces what is there or adds the next.
fn put<T>(list: &mut Vec<T>, index: u32, terms: T, what: &str) -> Result<(), SqlError> {
    if at(index) == list.len() {
        list.push(terms);
        return Ok(());
    }
    let there = list.get_mut(at(index));
    *there
        .ok_or_else(|| SqlError::Disagrees(format!("{what} {index} is listed before those ahead of it")))? =
        terms;
    Ok(())
}

impl Market<'_> {
    /// In quote units for one base unit.
    pub fn price(&self, price: PriceTicks) -> Decimal {
        // 2^44 ticks of 63 bits at the most.
        let units = i128::from(price.0) * i128::from(self.terms.tick_size);
        Decimal { units, scale: self.terms.price_scale }
    }

    pub fn quantity(&self, qty: QtyLots) -> Decimal {
        self.base_amount(self.terms.base_amount(qty))
    }

    pub const fn base_amount(&self, amount: Amount) -> Decimal {
        Decimal { units: amount.0, scale: self.base.scale }
    }

    pub const fn quote_amount(&self, amount: Amount) -> Decimal {
        Decimal { units: amount.0, scale: self.quote.scale }
    }

    /// What an order of this side pays with.
    pub const fn paid_in(&self, side: Side) -> AssetId {
        match side {
            Side::Buy => self.terms.quote,
            Side::Sell => self.terms.base,
        }
    }

    /// The decimals of what an order of this side pays with.
    pub const fn paid_scale(&self, side: Side) -> u8 {
        match side {
            Side::Buy => self.quote.scale,
            Side::Sell => self.base.scale,
        }
    }
}
