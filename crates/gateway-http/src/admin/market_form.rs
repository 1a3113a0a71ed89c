//! A market's settings as people write them, in decimal text, and as the vocabulary has them. The operator's API and the
//! settings file of the program share this form.

use std::fmt;

use model::{Amount, AssetId, AssetTerms, FeeRounding, MarketStatus, MarketTerms, PriceTicks, QtyLots};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decimal::{self, Decimal, DecimalError};
use crate::listings::market_name;

/// A field that cannot be as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormError {
    /// Which one.
    pub field: &'static str,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl fmt::Display for FormError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.field, self.problem)
    }
}

impl std::error::Error for FormError {}

pub(super) fn wrong(field: &'static str, problem: impl Into<String>) -> FormError {
    FormError { field, problem: problem.into() }
}

/// A new market. Decimal text throughout, so that nothing is rounded on its way.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarketForm {
    /// Its name, such as `BTCUSDT`.
    pub name: String,
    /// What is bought and sold: the name of an asset.
    pub base: String,
    /// What it is paid with: the name of an asset.
    pub quote: String,
    /// The smallest step of a price.
    pub tick_size: String,
    /// The smallest step of a quantity.
    pub lot_size: String,
    /// The reference price before the first trade.
    pub initial_price: String,
    /// The partition where it lives. Default: what the table `[partitions]` of the settings says at the first start, otherwise 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<u8>,
    /// What may change later.
    #[serde(flatten)]
    pub change: MarketChange,
}

/// What may change about a market. What is left out stays as it is, or is at its default for a new market.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarketChange {
    /// Lowest price. Default: one tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_price: Option<String>,
    /// Highest price. Default: 100 times the initial price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<String>,
    /// Smallest quantity. Default: one lot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_qty: Option<String>,
    /// Largest quantity. Default: 1,000,000 lots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_qty: Option<String>,
    /// Smallest price x quantity. Default: 0, no such rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_notional: Option<String>,
    /// Largest price x quantity. Default: 0, no such rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_notional: Option<String>,
    /// Most orders on the book. Default: 1,000,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_open_orders: Option<u32>,
    /// Most open orders of one account. Default: 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_open_orders_per_account: Option<u32>,
    /// Most amendments of one order. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_amends_per_order: Option<u16>,
    /// Fee of the resting side, as a part of what it receives. Default: 0.001.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maker_fee: Option<String>,
    /// Fee of the arriving side, as a part of what it receives. Default: 0.001.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taker_fee: Option<String>,
    /// `UP`, `HALF_UP` or `DOWN`. Default: `UP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_rounding: Option<String>,
    /// How far from the reference price market orders trade, as a part of it; 0 for no such rule. Default: 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band: Option<String>,
    /// `TRADING`, `CANCEL_ONLY` or `HALT`. Default: `TRADING`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// How many times the initial price the highest price is, where none is given.
const DEFAULT_PRICE_ROOM: i64 = 100;

impl MarketForm {
    /// The terms of this market between these assets, checked.
    pub fn terms(
        &self,
        (base_id, base): (AssetId, &AssetTerms),
        (quote_id, quote): (AssetId, &AssetTerms),
    ) -> Result<MarketTerms, FormError> {
        let name = market_name(&self.name).map_err(|problem| wrong("name", problem))?;
        let (price_scale, tick_size) = tick(&self.tick_size)?;
        let lot = decimal::parse(&self.lot_size, base.scale)
            .map_err(|error| wrong("lot_size", format!("'{}': {error}", self.lot_size)))?;
        let base_atoms_per_lot = Amount(lot);
        let quote_atoms_per_tick_lot =
            MarketTerms::quote_atoms_per_tick_lot(base, quote, price_scale, tick_size, base_atoms_per_lot)
                .ok_or_else(|| wrong("tick_size", model::TermsError::TickLot.sentence()))?;
        let mut terms = MarketTerms {
            name,
            base: base_id,
            quote: quote_id,
            price_scale,
            tick_size,
            base_atoms_per_lot,
            quote_atoms_per_tick_lot,
            min_price_ticks: PriceTicks(1),
            max_price_ticks: PriceTicks(1),
            min_qty_lots: QtyLots(1),
            max_qty_lots: QtyLots(1_000_000),
            min_notional: Amount::ZERO,
            max_notional: Amount::ZERO,
            max_open_orders: 1_000_000,
            max_open_orders_per_account: 200,
            max_amends_per_order: 10,
            maker_fee_ppm: 1_000,
            taker_fee_ppm: 1_000,
            fee_rounding: FeeRounding::Up,
            band_ppm: 100_000,
            initial_reference_ticks: PriceTicks(1),
            status: MarketStatus::Trading,
        };
        let initial = price_ticks("initial_price", &self.initial_price, &terms)?;
        terms.initial_reference_ticks = initial;
        terms.max_price_ticks =
            PriceTicks(initial.0.saturating_mul(DEFAULT_PRICE_ROOM)).min(MarketTerms::MAX_PRICE_TICKS);
        self.change.applied_to(&terms, base, quote)
    }
}

impl MarketChange {
    /// `terms` with these changes, checked.
    pub fn applied_to(
        &self,
        terms: &MarketTerms,
        base: &AssetTerms,
        quote: &AssetTerms,
    ) -> Result<MarketTerms, FormError> {
        let mut changed = *terms;
        let price = |field, text: &Option<String>, before| {
            text.as_ref().map_or(Ok(before), |text| price_ticks(field, text, terms))
        };
        changed.min_price_ticks = price("min_price", &self.min_price, terms.min_price_ticks)?;
        changed.max_price_ticks = price("max_price", &self.max_price, terms.max_price_ticks)?;
        let qty = |field, text: &Option<String>, before| {
            text.as_ref().map_or(Ok(before), |text| qty_lots(field, text, terms, base))
        };
        changed.min_qty_lots = qty("min_qty", &self.min_qty, terms.min_qty_lots)?;
        changed.max_qty_lots = qty("max_qty", &self.max_qty, terms.max_qty_lots)?;
        let notional = |field, text: &Option<String>, before| {
            text.as_ref().map_or(Ok(before), |text| parse(field, text, quote.scale).map(Amount))
        };
        changed.min_notional = notional("min_notional", &self.min_notional, terms.min_notional)?;
        changed.max_notional = notional("max_notional", &self.max_notional, terms.max_notional)?;
        let ppm = |field, text: &Option<String>, before| {
            text.as_ref().map_or(Ok(before), |text| {
                let ppm = parse(field, text, 6)?;
                u32::try_from(ppm).map_err(|_| wrong(field, "must be at most 1"))
            })
        };
        changed.maker_fee_ppm = ppm("maker_fee", &self.maker_fee, terms.maker_fee_ppm)?;
        changed.taker_fee_ppm = ppm("taker_fee", &self.taker_fee, terms.taker_fee_ppm)?;
        changed.band_ppm = ppm("band", &self.band, terms.band_ppm)?;
        if let Some(max) = self.max_open_orders {
            changed.max_open_orders = max;
        }
        if let Some(max) = self.max_open_orders_per_account {
            changed.max_open_orders_per_account = max;
        }
        if let Some(max) = self.max_amends_per_order {
            changed.max_amends_per_order = max;
        }
        if let Some(rounding) = &self.fee_rounding {
            changed.fee_rounding = match rounding.as_str() {
                "UP" => FeeRounding::Up,
                "HALF_UP" => FeeRounding::HalfUp,
                "DOWN" => FeeRounding::Down,
                other => {
                    return Err(wrong("fee_rounding", format!("must be UP, HALF_UP or DOWN, not '{other}'")));
                }
            };
        }
        if let Some(status) = &self.status {
            changed.status = match status.as_str() {
                "TRADING" => MarketStatus::Trading,
                "CANCEL_ONLY" => MarketStatus::CancelOnly,
                "HALT" => MarketStatus::Halt,
                other => {
                    let problem = format!("must be TRADING, CANCEL_ONLY or HALT, not '{other}'");
                    return Err(wrong("status", problem));
                }
            };
        }
        changed.check(base, quote).map_err(|rule| wrong("terms", rule.sentence()))?;
        Ok(changed)
    }
}

pub(super) fn parse(field: &'static str, text: &str, scale: u8) -> Result<i128, FormError> {
    decimal::parse(text, scale).map_err(|error| wrong(field, format!("'{text}': {error}")))
}

/// `0.05` as its decimals and its number of units: 2 and 5.
fn tick(text: &str) -> Result<(u8, i64), FormError> {
    let field = "tick_size";
    let decimals = text.split_once('.').map_or(0, |(_, fraction)| fraction.trim_end_matches('0').len());
    let scale = u8::try_from(decimals).ok().filter(|scale| *scale <= AssetTerms::MAX_SCALE);
    let scale = scale.ok_or_else(|| {
        let max = AssetTerms::MAX_SCALE;
        wrong(field, format!("'{text}': {}", DecimalError::TooPrecise { scale: max }))
    })?;
    let units = parse(field, text, scale)?;
    let units = i64::try_from(units).map_err(|_| wrong(field, format!("'{text}' is too large")))?;
    if units == 0 { Err(wrong(field, "must be above zero")) } else { Ok((scale, units)) }
}

fn price_ticks(field: &'static str, text: &str, terms: &MarketTerms) -> Result<PriceTicks, FormError> {
    let tick = Decimal { units: i128::from(terms.tick_size), scale: terms.price_scale };
    let off = || wrong(field, format!("'{text}' must be a whole number of ticks of {tick}, at most 2^44"));
    let units = match decimal::parse(text, terms.price_scale) {
        Ok(units) => units,
        Err(DecimalError::TooPrecise { .. }) => return Err(off()),
        Err(error) => return Err(wrong(field, format!("'{text}': {error}"))),
    };
    if units % tick.units != 0 {
        return Err(off());
    }
    i64::try_from(units / tick.units).map(PriceTicks).map_err(|_| off())
}

pub(super) fn qty_lots(
    field: &'static str,
    text: &str,
    terms: &MarketTerms,
    base: &AssetTerms,
) -> Result<QtyLots, FormError> {
    let lot = Decimal { units: terms.base_atoms_per_lot.0, scale: base.scale };
    let off = || wrong(field, format!("'{text}' must be a whole number of lots of {lot}, at most 2^44"));
    let atoms = match decimal::parse(text, base.scale) {
        Ok(atoms) => atoms,
        Err(DecimalError::TooPrecise { .. }) => return Err(off()),
        Err(error) => return Err(wrong(field, format!("'{text}': {error}"))),
    };
    if lot.units == 0 || atoms % lot.units != 0 {
        return Err(off());
    }
    i64::try_from(atoms / lot.units).map(QtyLots).map_err(|_| off())
}

/// A market's settings as people read them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MarketReply {
    market: u32,
    /// The partition to which it is on its way; it accepts nothing until it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    moving_to: Option<u8>,
    #[serde(flatten)]
    form: MarketForm,
}

impl MarketReply {
    pub(super) fn of(listing: &crate::listings::Listing) -> Self {
        let terms = &listing.terms;
        let ppm = |ppm: u32| Some(Decimal { units: i128::from(ppm), scale: 6 }.to_string());
        let rounding = match terms.fee_rounding {
            FeeRounding::Up => "UP",
            FeeRounding::HalfUp => "HALF_UP",
            FeeRounding::Down => "DOWN",
        };
        Self {
            market: listing.market.0,
            moving_to: listing.moving_to.map(|to| to.0),
            form: MarketForm {
                name: terms.name.to_string(),
                base: listing.base.name.to_string(),
                quote: listing.quote.name.to_string(),
                tick_size: listing.price(PriceTicks(1)).to_string(),
                lot_size: listing.base_amount(terms.base_atoms_per_lot).to_string(),
                initial_price: listing.price(terms.initial_reference_ticks).to_string(),
                partition: Some(listing.home.0),
                change: MarketChange {
                    min_price: Some(listing.price(terms.min_price_ticks).to_string()),
                    max_price: Some(listing.price(terms.max_price_ticks).to_string()),
                    min_qty: Some(listing.quantity(terms.min_qty_lots).to_string()),
                    max_qty: Some(listing.quantity(terms.max_qty_lots).to_string()),
                    min_notional: Some(listing.quote_amount(terms.min_notional).to_string()),
                    max_notional: Some(listing.quote_amount(terms.max_notional).to_string()),
                    max_open_orders: Some(terms.max_open_orders),
                    max_open_orders_per_account: Some(terms.max_open_orders_per_account),
                    max_amends_per_order: Some(terms.max_amends_per_order),
                    maker_fee: ppm(terms.maker_fee_ppm),
                    taker_fee: ppm(terms.taker_fee_ppm),
                    fee_rounding: Some(rounding.to_owned()),
                    band: ppm(terms.band_ppm),
                    status: Some(crate::market_data::status_name(terms.status).to_owned()),
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialect::sample::btcusdt;

    fn form() -> MarketForm {
        MarketForm {
            name: "BTCUSDT".to_owned(),
            base: "BTC".to_owned(),
            quote: "USDT".to_owned(),
            tick_size: "0.05".to_owned(),
            lot_size: "0.001".to_owned(),
            initial_price: "50000".to_owned(),
            partition: None,
            change: MarketChange {
                max_price: Some("1000000".to_owned()),
                max_qty: Some("1000".to_owned()),
                min_notional: Some("5".to_owned()),
                max_open_orders: Some(100_000),
                taker_fee: Some("0.0015".to_owned()),
                ..MarketChange::default()
            },
        }
    }

    fn terms(form: &MarketForm) -> Result<MarketTerms, String> {
        let listing = btcusdt();
        form.terms((AssetId(0), &listing.base), (AssetId(1), &listing.quote))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn text_becomes_terms_and_terms_become_text() {
        let listing = btcusdt();
        assert_eq!(terms(&form()), Ok(listing.terms));
        let told = MarketReply::of(&listing).form;
        assert_eq!(terms(&told), Ok(listing.terms), "what is told can be sent back");
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        type Spoil = fn(&mut MarketForm);
        let cases: [(Spoil, &str); 8] = [
            (|form| form.tick_size = "0".to_owned(), "tick_size: must be above zero"),
            (
                |form| form.tick_size = "0.000000001".to_owned(),
                "tick_size: tick x lot must be a whole number of quote atoms: choose a larger tick or lot",
            ),
            (
                |form| form.initial_price = "1.01".to_owned(),
                "initial_price: '1.01' must be a whole number of ticks of 0.05, at most 2^44",
            ),
            (
                |form| form.change.min_qty = Some("0.0015".to_owned()),
                "min_qty: '0.0015' must be a whole number of lots of 0.00100000, at most 2^44",
            ),
            (
                |form| form.change.maker_fee = Some("1.5".to_owned()),
                "terms: maker_fee must be at most 1 (all of what is received)",
            ),
            (
                |form| form.change.maker_fee = Some("-1".to_owned()),
                "maker_fee: '-1': a decimal number looks like 123 or 123.45, with at most 20 digits on either side",
            ),
            (
                |form| form.change.status = Some("OPEN".to_owned()),
                "status: must be TRADING, CANCEL_ONLY or HALT, not 'OPEN'",
            ),
            (
                |form| form.change.fee_rounding = Some("up".to_owned()),
                "fee_rounding: must be UP, HALF_UP or DOWN, not 'up'",
            ),
        ];
        for (spoil, message) in cases {
            let mut form = form();
            spoil(&mut form);
            assert_eq!(terms(&form), Err(message.to_owned()));
        }
    }

    #[test]
    fn a_change_leaves_the_rest_alone() {
        let listing = btcusdt();
        let change = MarketChange { status: Some("HALT".to_owned()), ..MarketChange::default() };
        let changed = change.applied_to(&listing.terms, &listing.base, &listing.quote).unwrap();
        assert_eq!(changed, MarketTerms { status: MarketStatus::Halt, ..listing.terms });
    }
}
