//! What is listed, ready for translation: decimal text to ticks, lots and atoms of a market, and back. A copy of the views'
//! catalog that a request can hold without a lock; it is made anew whenever something is listed or changed.

use std::collections::HashMap;
use std::sync::Arc;

use model::{
    Amount, AssetId, AssetName, AssetTerms, ContractTerms, MarketId, MarketName, MarketTerms, PartitionId,
    PriceTicks, QtyLots, Side,
};
use views::Catalog;

use crate::decimal::{self, Decimal, DecimalError};
use crate::errors::{self, ApiError};

/// A market with its assets.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Its id.
    pub market: MarketId,
    /// Where it lives.
    pub home: PartitionId,
    /// Where it is on its way to, if it is; it accepts nothing until it is there.
    pub moving_to: Option<PartitionId>,
    /// Its settings.
    pub terms: MarketTerms,
    /// What is bought and sold.
    pub base: AssetTerms,
    /// What it is paid with.
    pub quote: AssetTerms,
    /// What a perpetual contract has beside the settings of every market; `None` of a spot market.
    pub contract: Option<Arc<ContractTerms>>,
}

/// Everything that is listed, in the order of listing.
#[derive(Clone, Debug, Default)]
pub struct Listings {
    assets: Vec<AssetTerms>,
    /// By id.
    markets: Vec<Listing>,
    /// Contracts (true) have names of their own.
    by_symbol: HashMap<(bool, MarketName), usize>,
}

impl Listings {
    /// What the catalog has now.
    pub fn of(catalog: &Catalog) -> Self {
        let assets: Vec<AssetTerms> = catalog.assets().map(|(_, terms)| *terms).collect();
        let asset = |asset| *catalog.asset(asset).expect("a market's assets are listed before it");
        let markets: Vec<Listing> = catalog
            .markets()
            .map(|(market, terms)| Listing {
                market,
                home: catalog.market_home(market),
                moving_to: catalog.moving_to(market),
                terms: *terms,
                base: asset(terms.base),
                quote: asset(terms.quote),
                contract: catalog.contract(market).cloned().map(Arc::new),
            })
            .collect();
        Self { assets, ..Self::with(markets) }
    }

    /// Markets by their ids, from 0, and no assets by themselves.
    pub fn with(markets: Vec<Listing>) -> Self {
        let named = |listing: &Listing| (listing.contract.is_some(), listing.terms.name);
        let by_symbol = markets.iter().enumerate().map(|(index, listing)| (named(listing), index)).collect();
        Self { assets: Vec::new(), markets, by_symbol }
    }

    /// True when what partition `by` knows belongs in the place of `current`. Where markets live the first partition says; that
    /// something is new, those who follow another one may read before.
    pub fn supersede(&self, by: PartitionId, current: &Self) -> bool {
        let count = |listings: &Self| listings.assets.len() + listings.markets.len();
        count(self) > count(current) || by == PartitionId::FIRST && count(self) == count(current)
    }

    /// All assets.
    pub fn assets(&self) -> impl ExactSizeIterator<Item = (AssetId, &AssetTerms)> {
        self.assets
            .iter()
            .enumerate()
            .map(|(index, terms)| (AssetId(u32::try_from(index).expect("ids of assets have 32 bits")), terms))
    }

    /// An asset that an id names.
    pub fn asset(&self, asset: AssetId) -> Option<&AssetTerms> {
        self.assets.get(usize::try_from(asset.0).expect("fits"))
    }

    /// The asset of that name.
    pub fn asset_named(&self, name: &str) -> Option<(AssetId, &AssetTerms)> {
        let name = AssetName::new(name).ok()?;
        self.assets().find(|(_, terms)| terms.name == name)
    }

    /// All spot markets.
    pub fn markets(&self) -> impl Iterator<Item = &Listing> {
        self.markets.iter().filter(|listing| listing.contract.is_none())
    }

    /// All perpetual contracts.
    pub fn contracts(&self) -> impl Iterator<Item = &Listing> {
        self.markets.iter().filter(|listing| listing.contract.is_some())
    }

    /// A market that an id names; it may be a contract.
    pub fn market(&self, market: MarketId) -> Option<&Listing> {
        self.markets.get(usize::try_from(market.0).expect("fits"))
    }

    /// The spot market of that name; the error is what a client is told who asks for another.
    pub fn symbol(&self, symbol: &str) -> Result<&Listing, ApiError> {
        self.named(symbol, false)
    }

    /// The contract of that name; the error is what a client is told who asks for another.
    pub fn contract(&self, symbol: &str) -> Result<&Listing, ApiError> {
        self.named(symbol, true)
    }

    fn named(&self, symbol: &str, is_contract: bool) -> Result<&Listing, ApiError> {
        let found = MarketName::new(symbol).ok().and_then(|name| self.by_symbol.get(&(is_contract, name)));
        if let Some(index) = found {
            return Ok(&self.markets[*index]);
        }
        if symbol.is_empty() || market_name(symbol).is_ok() {
            Err(ApiError::invalid_symbol())
        } else {
            Err(ApiError::illegal_characters("symbol", errors::SYMBOL_RANGE))
        }
    }
}

/// A name under which an asset may be listed: capitals and digits, since clients put two of them together and take them apart.
/// The error says so.
pub fn asset_name(text: &str) -> Result<AssetName, String> {
    let legal = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let named = AssetName::new(text).ok().filter(|name| !name.is_empty() && text.bytes().all(legal));
    named.ok_or_else(|| format!("'{text}' must be 1 to 16 capital letters A to Z and digits"))
}

/// A name under which a market may be listed: what clients may send as a symbol. The error says so.
pub fn market_name(text: &str) -> Result<MarketName, String> {
    let legal = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    let named = MarketName::new(text).ok().filter(|name| !name.is_empty() && text.bytes().all(legal));
    named.ok_or_else(|| {
        format!("'{text}' must be 1 to 32 capital letters A to Z, digits, hyphens, underscores and dots")
    })
}

/// What a client is told whose parameter `name` is not the decimal number that it has to be.
pub fn decimal_refused(name: &str, error: DecimalError) -> ApiError {
    match error {
        DecimalError::Malformed => ApiError::illegal_characters(name, errors::DECIMAL_RANGE),
        DecimalError::TooPrecise { .. } => ApiError::too_precise(name),
        DecimalError::TooLarge => ApiError::overflow(name),
    }
}

impl Listing {
    /// A price as text shows it.
    pub fn price(&self, price: PriceTicks) -> Decimal {
        Decimal {
            // 2^44 ticks of 63 bits at the most.
            units: i128::from(price.0) * i128::from(self.terms.tick_size),
            scale: self.terms.price_scale,
        }
    }

    /// A quantity as text shows it.
    pub fn quantity(&self, qty: QtyLots) -> Decimal {
        self.base_amount(self.terms.base_amount(qty))
    }

    /// An amount of the base asset as text shows it.
    pub const fn base_amount(&self, amount: Amount) -> Decimal {
        Decimal { units: amount.0, scale: self.base.scale }
    }

    /// An amount of the quote asset as text shows it.
    pub const fn quote_amount(&self, amount: Amount) -> Decimal {
        Decimal { units: amount.0, scale: self.quote.scale }
    }

    /// The asset in which an order of this side receives, and pays its fee.
    pub const fn received(&self, side: Side) -> &AssetTerms {
        match side {
            Side::Buy => &self.base,
            Side::Sell => &self.quote,
        }
    }

    /// Decimals that a price may be given with before it is refused as too precise rather than as off the tick.
    pub const fn price_decimals(&self) -> u8 {
        if self.terms.price_scale > self.quote.scale { self.terms.price_scale } else { self.quote.scale }
    }

    /// Decimals of a quantity in whole lots.
    pub fn quantity_decimals(&self) -> u8 {
        let (mut lot, mut decimals) = (self.terms.base_atoms_per_lot.0, self.base.scale);
        while decimals > 0 && lot % 10 == 0 {
            lot /= 10;
            decimals -= 1;
        }
        decimals
    }

    /// The price that the parameter `name` gives: exact, or an error.
    pub fn price_ticks(&self, name: &str, text: &str) -> Result<PriceTicks, ApiError> {
        let scale = self.price_decimals();
        let units = decimal::parse(text, scale).map_err(|error| decimal_refused(name, error))?;
        let tick = i128::from(self.terms.tick_size) * decimal::power_of_ten(scale - self.terms.price_scale);
        whole(units, tick).map(PriceTicks).ok_or_else(|| ApiError::filter("PRICE_FILTER"))
    }

    /// The quantity that the parameter `name` gives: exact, or an error.
    pub fn qty_lots(&self, name: &str, text: &str) -> Result<QtyLots, ApiError> {
        let atoms = decimal::parse(text, self.base.scale).map_err(|error| decimal_refused(name, error))?;
        whole(atoms, self.terms.base_atoms_per_lot.0).map(QtyLots).ok_or_else(|| ApiError::filter("LOT_SIZE"))
    }

    /// The amount of the quote asset that the parameter `name` gives: exact, or an error.
    pub fn quote_atoms(&self, name: &str, text: &str) -> Result<Amount, ApiError> {
        decimal::parse(text, self.quote.scale).map(Amount).map_err(|error| decimal_refused(name, error))
    }

    /// The average price of what traded, as text shows it with the decimals of a price; `None` when nothing did.
    ///
    /// A figure to look at, rounded down; with more than 38 digits on the way it is exact to 19 of them only.
    pub fn average_price(&self, quote: Amount, base: Amount) -> Option<Decimal> {
        let scale = self.price_decimals();
        // quote atoms to units of 10^-scale, base atoms to whole units.
        let factor = decimal::power_of_ten(scale - self.quote.scale);
        let (mut quote, mut base) = (quote.0, base.0);
        while quote > i128::MAX / factor / self.base.atoms_per_unit().0 {
            quote /= 10;
            base /= 10;
        }
        let units = (quote * factor * self.base.atoms_per_unit().0).checked_div(base)?;
        Some(Decimal { units, scale })
    }
}

/// `units` in whole `steps`, when it is a whole number of them that 63 bits can count.
fn whole(units: i128, step: i128) -> Option<i64> {
    if units % step == 0 { i64::try_from(units / step).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::btcusdt;

    #[test]
    fn names_are_what_clients_may_send() {
        for name in ["BTC", "1000SATS", "A", "ABCDEFGHIJKLMNOP"] {
            assert!(asset_name(name).is_ok(), "{name}");
        }
        for name in ["", "btc", "B-C", "B C", "ABCDEFGHIJKLMNOPQ", "\u{20ac}"] {
            assert!(asset_name(name).is_err(), "{name}");
        }
        assert!(market_name("BTC-USDT_1.X").is_ok());
        for name in ["", "btcusdt", "BTC/USDT", &"X".repeat(33)] {
            assert!(market_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn prices_and_quantities_fit_exactly_or_are_refused() {
        let listing = btcusdt();
        let price = |text| listing.price_ticks("price", text).map_err(|error| (error.code, error.message));
        assert_eq!(price("50000.05"), Ok(PriceTicks(1_000_001)));
        assert_eq!(price("50000.050"), Ok(PriceTicks(1_000_001)));
        assert_eq!(price("0"), Ok(PriceTicks(0)));
        assert_eq!(price("50000.051"), Err((-1013, "Filter failure: PRICE_FILTER".into())));
        assert_eq!(price("50000.0500001"), Err((-1111, "Parameter 'price' has too much precision.".into())));
        assert_eq!(price("99999999999999999999"), Err((-1013, "Filter failure: PRICE_FILTER".into())));
        assert_eq!(price("-1").unwrap_err().0, -1100);

        let qty = |text| listing.qty_lots("quantity", text).map_err(|error| (error.code, error.message));
        assert_eq!(qty("1.234"), Ok(QtyLots(1_234)));
        assert_eq!(qty("0.0001"), Err((-1013, "Filter failure: LOT_SIZE".into())));
        assert_eq!(qty("0.000000001"), Err((-1111, "Parameter 'quantity' has too much precision.".into())));

        assert_eq!(listing.quote_atoms("quoteOrderQty", "10.5"), Ok(Amount(10_500_000)));
        assert_eq!(listing.quote_atoms("quoteOrderQty", "0.0000001").unwrap_err().code, -1111);
    }

    #[test]
    fn numbers_are_shown_with_the_decimals_of_their_asset() {
        let listing = btcusdt();
        assert_eq!(listing.price(PriceTicks(1_000_001)).to_string(), "50000.05");
        assert_eq!(listing.quantity(QtyLots(1_234)).to_string(), "1.23400000");
        assert_eq!(listing.quote_amount(Amount(1)).to_string(), "0.000001");
        let average = listing.average_price(Amount(150_000_000_000), Amount(200_000_000)).unwrap();
        assert_eq!(average.to_string(), "75000.000000");
        assert_eq!(listing.average_price(Amount(0), Amount(0)), None);
    }

    #[test]
    fn an_average_of_huge_amounts_stays_in_its_type() {
        let mut listing = btcusdt();
        listing.base.scale = 18;
        listing.quote.scale = 18;
        let average = listing.average_price(Amount(10_i128.pow(36)), Amount(2 * 10_i128.pow(35))).unwrap();
        assert_eq!(average.to_string(), "5.000000000000000000");
    }

    #[test]
    fn a_partition_may_tell_first_of_what_is_new_but_not_of_where_it_lives() {
        let (empty, listed) =
            (Listings::default(), Listings { markets: vec![btcusdt()], ..Listings::default() });
        let other = PartitionId(1);
        assert!(listed.supersede(other, &empty));
        assert!(!listed.supersede(other, &listed));
        assert!(!empty.supersede(other, &listed));
        assert!(listed.supersede(PartitionId::FIRST, &listed));
        assert!(!empty.supersede(PartitionId::FIRST, &listed), "what another one told of stays");
    }

    #[test]
    fn unknown_symbols_and_nonsense_are_told_apart() {
        let listings = Listings::default();
        assert_eq!(listings.symbol("FOOBAR").unwrap_err().code, -1121);
        assert_eq!(listings.symbol("btcusdt").unwrap_err().code, -1100);
        assert_eq!(listings.symbol("").unwrap_err().code, -1121);
    }
}
