//! Assets and markets as a writer's own event log has told of them so far. They are saved with its position, since the writer of
//! another partition, which fills the tables of them, may be further or less far.

use codec::{Coded, DecodeError, Reader};
use model::{Amount, AssetId, AssetTerms, MarketId, MarketTerms, PriceTicks, QtyLots, Side};

use crate::SqlError;
use crate::decimal::Decimal;

/// The form in which [`Listed::encode`] writes; another number is another form.
const FORM: u8 = 1;

/// What is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    assets: Vec<AssetTerms>,
    markets: Vec<MarketTerms>,
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
        let mut bytes = vec![FORM];
        self.assets.encode(&mut bytes);
        self.markets.encode(&mut bytes);
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        match u8::decode(&mut input)? {
            FORM => {}
            tag => return Err(DecodeError::UnknownTag { what: "a form of what is listed", tag }),
        }
        let listed = Self { assets: Coded::decode(&mut input)?, markets: Coded::decode(&mut input)? };
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
