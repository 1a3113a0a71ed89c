//! Assets and markets as a writer's own event log has told of them so far. They are saved with its position, since the writer of
//! another partition, which fills the tables of them, may be further or less far.

use std::collections::BTreeMap;

use codec::{Coded, DecodeError, Reader};
use model::{
    Amount, AssetId, AssetTerms, ContractTerms, Event, MarketId, MarketTerms, PriceTicks, QtyLots, Side,
};

use crate::SqlError;
use crate::decimal::Decimal;
use crate::settings::Tables;

/// The form in which [`Listed::encode`] writes; another number is another form.
const FORM: u8 = 3;
/// The form before there were contracts.
const SPOT_FORM: u8 = 1;
/// The form of writers that left contracts out, and only knew which markets they were.
const FORM_WITHOUT_CONTRACTS: u8 = 2;

/// What is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Which tables were written with it.
    tables: Tables,
    assets: Vec<AssetTerms>,
    markets: Vec<MarketTerms>,
    /// Those of the markets that are contracts; without terms when they come from a writer that left contracts out.
    contracts: BTreeMap<MarketId, Option<ContractTerms>>,
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

    /// Before the first event, for a database with these tables.
    pub fn new(tables: Tables) -> Self {
        Self { tables, ..Self::default() }
    }

    /// Refuses a database that was written with other tables: rows of what was left out would be missing for ever.
    pub fn take_tables(&mut self, tables: Tables) -> Result<(), SqlError> {
        if self.tables != tables
            && !(self.contracts.is_empty() && self.tables.have_spot() && tables.have_spot())
        {
            return Err(SqlError::OtherTables);
        }
        self.tables = tables;
        Ok(())
    }

    /// A contract counts among the markets.
    pub fn add_contract(
        &mut self,
        market: MarketId,
        terms: &MarketTerms,
        contract: &ContractTerms,
    ) -> Result<(), SqlError> {
        self.add_market(market, terms)?;
        self.contracts.insert(market, Some(contract.clone()));
        Ok(())
    }

    /// True of a market that is a contract.
    pub fn is_contract(&self, market: MarketId) -> bool {
        self.contracts.contains_key(&market)
    }

    /// The terms that a contract has beside those of every market.
    pub fn contract(&self, market: MarketId) -> Result<&ContractTerms, SqlError> {
        let terms = self.contracts.get(&market).and_then(Option::as_ref);
        terms.ok_or_else(|| SqlError::Disagrees(format!("contract {market} was never listed")))
    }

    /// True of an event that tells of nothing but what another database has.
    pub fn leaves_out(&self, event: &Event) -> bool {
        let is_left_out = match event.market_of_order() {
            Some(market) if self.is_contract(market) => !self.tables.have_futures(),
            Some(market) if at(market.0) < self.markets.len() => !self.tables.have_spot(),
            // It is listed by an event that comes before this one.
            Some(_) => false,
            None => match event {
                Event::Deposited(_) | Event::WithdrawalRequested(_) | Event::WithdrawalSettled(_) => {
                    !self.tables.have_spot()
                }
                _ => false,
            },
        };
        // No table has the book.
        is_left_out || matches!(event, Event::LevelChanged(_))
    }

    pub const fn tables(&self) -> Tables {
        self.tables
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
        let tables: u8 = match self.tables {
            Tables::All => 0,
            Tables::Spot => 1,
            Tables::Futures => 2,
        };
        let mut bytes = vec![FORM, tables];
        self.assets.encode(&mut bytes);
        self.markets.encode(&mut bytes);
        let contracts = self.contracts.iter().map(|(market, terms)| (*market, terms.clone()));
        contracts.collect::<Vec<_>>().encode(&mut bytes);
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let form = u8::decode(&mut input)?;
        let tables = match form {
            SPOT_FORM | FORM_WITHOUT_CONTRACTS => Tables::Spot,
            FORM => match u8::decode(&mut input)? {
                0 => Tables::All,
                1 => Tables::Spot,
                2 => Tables::Futures,
                tag => return Err(DecodeError::UnknownTag { what: "tables", tag }),
            },
            tag => return Err(DecodeError::UnknownTag { what: "a form of what is listed", tag }),
        };
        let (assets, markets) = (Coded::decode(&mut input)?, Coded::decode(&mut input)?);
        let contracts = match form {
            FORM => Vec::decode(&mut input)?.into_iter().collect(),
            FORM_WITHOUT_CONTRACTS => {
                Vec::decode(&mut input)?.into_iter().map(|market| (market, None)).collect()
            }
            _ => BTreeMap::new(),
        };
        input.finish()?;
        Ok(Self { tables, assets, markets, contracts })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a writer has left in its row that knew no contracts, or left them out.
    fn of_older_writer(form: u8, contracts: &[MarketId]) -> Listed {
        let mut bytes = vec![form];
        Vec::<AssetTerms>::new().encode(&mut bytes);
        Vec::<MarketTerms>::new().encode(&mut bytes);
        if form == FORM_WITHOUT_CONTRACTS {
            contracts.to_vec().encode(&mut bytes);
        }
        Listed::decode(&bytes).unwrap()
    }

    #[test]
    fn a_database_goes_on_with_the_tables_that_it_was_begun_with() {
        let takes = |listed: &Listed, tables| listed.clone().take_tables(tables).is_ok();
        let spot_alone = of_older_writer(SPOT_FORM, &[]);
        assert!(takes(&spot_alone, Tables::All) && takes(&spot_alone, Tables::Spot));
        assert!(!takes(&spot_alone, Tables::Futures));
        let without_contracts = of_older_writer(FORM_WITHOUT_CONTRACTS, &[MarketId(3)]);
        assert!(takes(&without_contracts, Tables::Spot));
        assert!(!takes(&without_contracts, Tables::All) && !takes(&without_contracts, Tables::Futures));
        for tables in [Tables::All, Tables::Spot, Tables::Futures] {
            let written = Listed::decode(&Listed::new(tables).encode()).unwrap();
            assert_eq!(written, Listed::new(tables));
            assert!(takes(&written, tables));
            assert_eq!(takes(&written, Tables::Futures), tables == Tables::Futures);
        }
        assert!(Listed::decode(&[4]).is_err(), "a newer form");
    }
}
