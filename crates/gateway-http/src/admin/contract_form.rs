//! A perpetual contract's settings as people write them, and as the vocabulary has them: those of every market, and a table
//! `perpetual` beside them. The operator's API and the settings file of the program share this form.

use model::{
    AccountId, Amount, AssetId, AssetTerms, Bracket, ContractTerms, FundingRate, IndexSource, MarketId,
    MarketTerms,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::market_form::{MarketChange, MarketForm, MarketReply, parse, qty_lots, wrong};
use super::{FormError, market_form};
use crate::decimal::Decimal;
use crate::listings::Listing;

/// A new perpetual contract.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct ContractForm {
    /// The settings of every market. Contracts have names of their own: one may be called as a spot market is. The fees of a
    /// contract are 0.0002 and 0.0005 by default, as parts of the value, and are paid in the quote asset.
    #[serde(flatten)]
    pub market: MarketForm,
    /// Those of a contract.
    #[serde(default)]
    pub perpetual: PerpetualChange,
}

/// Changes of a contract's settings. What is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct ContractChange {
    /// The settings of every market.
    #[serde(flatten)]
    pub market: MarketChange,
    /// Those of a contract.
    #[serde(default)]
    pub perpetual: PerpetualChange,
}

/// What a contract has beside the settings of every market. What is left out stays as it is, or is at its default for a new
/// contract.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PerpetualChange {
    /// The account that is the insurance fund, by name. A new contract needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fund: Option<String>,
    /// Whose prices make the index price. Default: the spot market of the contract's name if there is one, otherwise a feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<SourceForm>>,
    /// Margin rules by the value of a position, lowest first. Default: six, from 125x up to 50,000 to 20x up to 100,000,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brackets: Option<Vec<BracketForm>>,
    /// Leverage of accounts that have chosen none. Default: 20, or what the first bracket allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_leverage: Option<u16>,
    /// Largest position. Default: the largest quantity of an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_position: Option<String>,
    /// Hours between settlements of funding: 1, 2, 4 or 8. Default: 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funding_interval_hours: Option<u8>,
    /// Highest funding rate of a settlement. Default: 0.02.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funding_cap: Option<String>,
    /// Lowest funding rate of a settlement. Default: -0.02.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funding_floor: Option<String>,
    /// What borrowing the quote asset costs more than borrowing the base asset, for eight hours. Default: 0.0001.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interest: Option<String>,
    /// Value of the trade whose average price tells what the book is worth. Default: 200 x the highest leverage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact_notional: Option<String>,
    /// Paid to the insurance fund on what a liquidation has sold, as a part of its value. Default: 0.0125.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clearance_fee: Option<String>,
    /// A part of a position that is liquidated is a multiple of this quantity. Default: one lot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liquidation_step: Option<String>,
    /// A price of a feed that is older does not count. Default: 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_after_ms: Option<u64>,
    /// A price that is further from the median of all does not count, as a part of the median. Default: 0.05.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlier: Option<String>,
}

/// One whose prices make the index price.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceForm {
    /// The spot market whose last trade counts; left out for a feed, whose prices are handed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<String>,
    /// How much it counts beside the others. Default: 1.
    #[serde(default = "one")]
    pub weight: u32,
}

const fn one() -> u32 {
    1
}

/// Margin rules of positions up to a value.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BracketForm {
    /// Largest value of a position, in the quote asset.
    pub cap: String,
    /// Highest leverage.
    pub max_leverage: u16,
    /// What must be left, as a part of the value.
    pub maintenance: String,
}

/// Caps in whole units of the quote asset, highest leverage, maintenance margin in millionths. Source: semantics 8.
const DEFAULT_BRACKETS: [(i128, u16, u32); 6] = [
    (50_000, 125, 4_000),
    (600_000, 100, 5_000),
    (3_000_000, 75, 6_500),
    (12_000_000, 50, 10_000),
    (70_000_000, 25, 20_000),
    (100_000_000, 20, 25_000),
];

/// Those that a contract's settings name.
pub struct Named<'n> {
    /// The account of a name.
    pub account: &'n dyn Fn(&str) -> Option<AccountId>,
    /// The spot market of a name.
    pub market: &'n dyn Fn(&str) -> Option<MarketId>,
}

impl ContractForm {
    /// The terms of this contract, checked, but for what its account and its sources are.
    pub fn terms(
        &self,
        base: (AssetId, &AssetTerms),
        quote: (AssetId, &AssetTerms),
        named: &Named<'_>,
    ) -> Result<(MarketTerms, ContractTerms), FormError> {
        let mut market = self.market.clone();
        market.change.maker_fee.get_or_insert_with(|| "0.0002".to_owned());
        market.change.taker_fee.get_or_insert_with(|| "0.0005".to_owned());
        let terms = market.terms(base, quote)?;
        if self.perpetual.fund.is_none() {
            return Err(wrong("fund", "must be the name of the account that is the insurance fund"));
        }
        let unit = quote.1.atoms_per_unit().0;
        let bracket = |(cap, max_leverage, maintenance_ppm): (i128, u16, u32)| {
            let cap = Amount(cap.saturating_mul(unit)).min(ContractTerms::MAX_POSITION_VALUE);
            Bracket { cap, max_leverage, maintenance_ppm }
        };
        let market = (named.market)(terms.name.as_str());
        let defaults = ContractTerms {
            brackets: DEFAULT_BRACKETS.into_iter().map(bracket).collect(),
            default_leverage: 0,
            max_position_lots: terms.max_qty_lots,
            funding_interval_hours: 8,
            funding_cap: FundingRate(2_000_000),
            funding_floor: FundingRate(-2_000_000),
            interest: FundingRate(10_000),
            impact_notional: Amount::ZERO,
            clearance_fee_ppm: 12_500,
            liquidation_step_lots: model::QtyLots(1),
            fund: AccountId(0),
            sources: vec![IndexSource { market, weight: 1 }],
            stale_after_ns: 10_000_000_000,
            outlier_ppm: 50_000,
        };
        let contract = self.perpetual.applied_to(&defaults, &terms, (base.1, quote.1), named)?;
        Ok((terms, contract))
    }
}

impl PerpetualChange {
    /// `contract` with these changes, checked against `terms`.
    pub fn applied_to(
        &self,
        contract: &ContractTerms,
        terms: &MarketTerms,
        (base, quote): (&AssetTerms, &AssetTerms),
        named: &Named<'_>,
    ) -> Result<ContractTerms, FormError> {
        let mut changed = contract.clone();
        if let Some(name) = &self.fund {
            let unknown = || wrong("fund", format!("there is no account '{name}'; open it first"));
            changed.fund = (named.account)(name).ok_or_else(unknown)?;
        }
        if let Some(sources) = &self.sources {
            let source = |form: &SourceForm| {
                let market = match &form.spot {
                    None => None,
                    Some(name) => {
                        let unknown = || wrong("sources", format!("there is no spot market '{name}'"));
                        Some((named.market)(name).ok_or_else(unknown)?)
                    }
                };
                Ok(IndexSource { market, weight: form.weight })
            };
            changed.sources = sources.iter().map(source).collect::<Result<_, FormError>>()?;
        }
        if let Some(brackets) = &self.brackets {
            let bracket = |form: &BracketForm| {
                Ok(Bracket {
                    cap: Amount(parse("brackets", &form.cap, quote.scale)?),
                    max_leverage: form.max_leverage,
                    maintenance_ppm: ppm("brackets", &form.maintenance)?,
                })
            };
            changed.brackets = brackets.iter().map(bracket).collect::<Result<_, FormError>>()?;
        }
        let highest = changed.brackets.first().map_or(1, |bracket| bracket.max_leverage);
        if let Some(leverage) = self.default_leverage {
            changed.default_leverage = leverage;
        } else if changed.default_leverage == 0 {
            changed.default_leverage = highest.min(20);
        }
        let qty = |field, text: &Option<String>, before| {
            text.as_ref().map_or(Ok(before), |text| qty_lots(field, text, terms, base))
        };
        changed.max_position_lots = qty("max_position", &self.max_position, changed.max_position_lots)?;
        changed.liquidation_step_lots =
            qty("liquidation_step", &self.liquidation_step, changed.liquidation_step_lots)?;
        if let Some(hours) = self.funding_interval_hours {
            changed.funding_interval_hours = hours;
        }
        let rate = |field, text: &Option<String>, before| {
            text.as_ref().map_or(Ok(before), |text| funding_rate(field, text))
        };
        changed.funding_cap = rate("funding_cap", &self.funding_cap, changed.funding_cap)?;
        changed.funding_floor = rate("funding_floor", &self.funding_floor, changed.funding_floor)?;
        changed.interest = rate("interest", &self.interest, changed.interest)?;
        if let Some(text) = &self.impact_notional {
            changed.impact_notional = Amount(parse("impact_notional", text, quote.scale)?);
        } else if changed.impact_notional.is_zero() {
            changed.impact_notional =
                Amount(quote.atoms_per_unit().0.saturating_mul(200).saturating_mul(highest.into()));
        }
        if let Some(text) = &self.clearance_fee {
            changed.clearance_fee_ppm = ppm("clearance_fee", text)?;
        }
        if let Some(ms) = self.stale_after_ms {
            changed.stale_after_ns = ms.saturating_mul(1_000_000);
        }
        if let Some(text) = &self.outlier {
            changed.outlier_ppm = ppm("outlier", text)?;
        }
        changed.check(terms).map_err(|rule| wrong("perpetual", rule.sentence()))?;
        Ok(changed)
    }
}

fn ppm(field: &'static str, text: &str) -> Result<u32, FormError> {
    u32::try_from(parse(field, text, 6)?).map_err(|_| wrong(field, "must be at most 1"))
}

/// A rate may be below zero.
fn funding_rate(field: &'static str, text: &str) -> Result<FundingRate, FormError> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let units = i64::try_from(parse(field, digits, 8)?).map_err(|_| wrong(field, "must be at most 1"))?;
    Ok(FundingRate(sign * units))
}

/// A contract's settings as people read them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ContractReply {
    #[serde(flatten)]
    market: MarketReply,
    perpetual: PerpetualChange,
}

impl ContractReply {
    /// Of a contract; `account` and `market` tell the names of those that it names.
    pub(super) fn of(
        listing: &Listing,
        account: impl Fn(AccountId) -> String,
        market: impl Fn(MarketId) -> String,
    ) -> Self {
        let contract = listing.contract.as_ref().expect("a contract has terms of a contract");
        let ppm = |ppm: u32| Decimal { units: i128::from(ppm), scale: 6 }.to_string();
        let rate = |rate: FundingRate| Some(Decimal { units: rate.0.into(), scale: 8 }.to_string());
        let bracket = |bracket: &Bracket| BracketForm {
            cap: listing.quote_amount(bracket.cap).to_string(),
            max_leverage: bracket.max_leverage,
            maintenance: ppm(bracket.maintenance_ppm),
        };
        let source =
            |source: &IndexSource| SourceForm { spot: source.market.map(&market), weight: source.weight };
        Self {
            market: market_form::MarketReply::of(listing),
            perpetual: PerpetualChange {
                fund: Some(account(contract.fund)),
                sources: Some(contract.sources.iter().map(source).collect()),
                brackets: Some(contract.brackets.iter().map(bracket).collect()),
                default_leverage: Some(contract.default_leverage),
                max_position: Some(listing.quantity(contract.max_position_lots).to_string()),
                funding_interval_hours: Some(contract.funding_interval_hours),
                funding_cap: rate(contract.funding_cap),
                funding_floor: rate(contract.funding_floor),
                interest: rate(contract.interest),
                impact_notional: Some(listing.quote_amount(contract.impact_notional).to_string()),
                clearance_fee: Some(ppm(contract.clearance_fee_ppm)),
                liquidation_step: Some(listing.quantity(contract.liquidation_step_lots).to_string()),
                stale_after_ms: Some(contract.stale_after_ns / 1_000_000),
                outlier: Some(ppm(contract.outlier_ppm)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use dialect::sample::btcusdt;
    use serde_json::json;

    use super::*;

    fn terms(perpetual: &serde_json::Value) -> Result<(MarketTerms, ContractTerms), String> {
        let form = json!({
            "name": "BTCUSDT", "base": "BTC", "quote": "USDT", "tick_size": "0.05", "lot_size": "0.001",
            "initial_price": "50000", "perpetual": perpetual,
        });
        let form: ContractForm = serde_json::from_value(form).map_err(|error| error.to_string())?;
        let listing = btcusdt();
        let named = Named {
            account: &|name| (name == "fund").then_some(AccountId(7)),
            market: &|name| (name == "BTCUSDT").then_some(MarketId(0)),
        };
        let (base, quote) = ((AssetId(0), &listing.base), (AssetId(1), &listing.quote));
        form.terms(base, quote, &named).map_err(|error| error.to_string())
    }

    #[test]
    fn a_new_contract_needs_a_fund_and_nothing_more() {
        let (market, contract) = terms(&json!({ "fund": "fund" })).unwrap();
        assert_eq!((market.maker_fee_ppm, market.taker_fee_ppm), (200, 500));
        assert_eq!((contract.fund, contract.default_leverage), (AccountId(7), 20));
        assert_eq!(contract.sources, [IndexSource { market: Some(MarketId(0)), weight: 1 }]);
        assert_eq!(contract.brackets.len(), 6);
        // 200 x 125, with six decimals.
        assert_eq!(contract.impact_notional, Amount(25_000_000_000));
    }

    #[test]
    fn what_is_told_can_be_sent_back() {
        let (market, contract) = terms(&json!({
            "fund": "fund", "sources": [{ "spot": "BTCUSDT", "weight": 3 }, {}],
            "brackets": [{ "cap": "1000000", "max_leverage": 10, "maintenance": "0.05" }],
            "funding_floor": "-0.001", "max_position": "5000", "stale_after_ms": 2500,
        }))
        .unwrap();
        let listing =
            Listing { terms: market, contract: Some(std::sync::Arc::new(contract.clone())), ..btcusdt() };
        let told = ContractReply::of(&listing, |_| "fund".to_owned(), |_| "BTCUSDT".to_owned());
        assert_eq!(terms(&serde_json::to_value(&told.perpetual).unwrap()), Ok((market, contract)));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        for (perpetual, message) in [
            (json!({}), "fund: must be the name of the account that is the insurance fund"),
            (json!({ "fund": "nobody" }), "fund: there is no account 'nobody'; open it first"),
            (json!({ "fund": "fund", "sources": [{ "spot": "X" }] }), "sources: there is no spot market 'X'"),
            (
                json!({ "fund": "fund", "funding_cap": "1.5" }),
                "perpetual: funding_cap must be from 0 to 1 and",
            ),
            (json!({ "fund": "fund", "levrage": 5 }), "unknown field `levrage`"),
            (
                json!({ "fund": "fund", "default_leverage": 500 }),
                "perpetual: default_leverage must be from 1 to",
            ),
        ] {
            let error = terms(&perpetual).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
        let misspelt = json!({
            "name": "X", "base": "BTC", "quote": "USDT", "tick_size": "1", "lot_size": "1", "initial_price": "1",
            "tik": "1", "perpetual": {},
        });
        assert!(serde_json::from_value::<ContractForm>(misspelt).is_err(), "a field that there is not");
    }
}
