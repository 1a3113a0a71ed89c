//! The contract that the worked cases are about: USDT of 8 decimals, the brackets of `perp_margin.json`.

use model::{
    AccountId, Amount, AssetId, AssetTerms, Bracket, ContractTerms, ContractTermsError, FeeRounding,
    FundingRate, IndexSource, MarketStatus, MarketTerms, PriceTicks, QtyLots, Text,
};

use crate::decimal::units;

/// Decimals of an amount.
pub const SCALE: u32 = 8;
/// Decimals of a quantity.
pub const QTY_SCALE: u32 = 3;

/// Decimals of a price.
#[derive(Clone, Copy)]
pub struct Ticks(pub u32);

impl Ticks {
    pub fn price(self, text: &str) -> PriceTicks {
        PriceTicks(i64::try_from(units(text, self.0)).unwrap())
    }

    pub fn terms(self) -> MarketTerms {
        let asset = |name| AssetTerms { name: Text::new(name).unwrap(), scale: 8 };
        let price_scale = u8::try_from(self.0).unwrap();
        let base_atoms_per_lot = Amount(100_000);
        let quote_atoms_per_tick_lot = MarketTerms::quote_atoms_per_tick_lot(
            &asset("BTC"),
            &asset("USDT"),
            price_scale,
            1,
            base_atoms_per_lot,
        );
        let terms = MarketTerms {
            name: Text::new("BTCUSDT").unwrap(),
            base: AssetId(0),
            quote: AssetId(1),
            price_scale,
            tick_size: 1,
            base_atoms_per_lot,
            quote_atoms_per_tick_lot: quote_atoms_per_tick_lot.expect("the case's prices fit its lots"),
            min_price_ticks: PriceTicks(1),
            max_price_ticks: self.price("1000000"),
            min_qty_lots: QtyLots(1),
            max_qty_lots: QtyLots(1_000_000),
            min_notional: Amount::ZERO,
            max_notional: Amount::ZERO,
            max_open_orders: 100_000,
            max_open_orders_per_account: 200,
            max_amends_per_order: 10,
            maker_fee_ppm: 200,
            taker_fee_ppm: 400,
            fee_rounding: FeeRounding::Up,
            band_ppm: 0,
            initial_reference_ticks: self.price("50000"),
            status: MarketStatus::Trading,
        };
        assert_eq!(terms.check(&asset("BTC"), &asset("USDT")), Ok(()));
        assert_eq!(contract().check(&terms), Ok(()));
        terms
    }
}

pub fn amount(text: &str) -> Amount {
    Amount(units(text, SCALE))
}

pub fn qty(text: &str) -> QtyLots {
    QtyLots(i64::try_from(units(text, QTY_SCALE)).unwrap())
}

pub fn ppm(text: &str) -> u32 {
    u32::try_from(units(text, 6)).unwrap()
}

pub fn rate(text: &str) -> FundingRate {
    FundingRate(i64::try_from(units(text, 8)).unwrap())
}

pub fn contract() -> ContractTerms {
    let bracket =
        |cap, max_leverage, rate| Bracket { cap: amount(cap), max_leverage, maintenance_ppm: ppm(rate) };
    ContractTerms {
        brackets: vec![
            bracket("50000", 125, "0.004"),
            bracket("600000", 100, "0.005"),
            bracket("3000000", 75, "0.0065"),
            bracket("12000000", 50, "0.01"),
            bracket("70000000", 25, "0.02"),
            bracket("100000000", 20, "0.025"),
        ],
        default_leverage: 20,
        max_position_lots: QtyLots(10_000_000),
        funding_interval_hours: 8,
        funding_cap: rate("0.003"),
        funding_floor: rate("-0.003"),
        interest: rate("0.0001"),
        impact_notional: amount("25000"),
        clearance_fee_ppm: ppm("0.0125"),
        liquidation_step_lots: qty("0.1"),
        fund: AccountId(1),
        sources: vec![IndexSource { market: None, weight: 1 }],
        stale_after_ns: 10_000_000_000,
        outlier_ppm: ppm("0.05"),
    }
}

/// Each rule is broken once, and named.
#[test]
fn terms_that_contradict_themselves_are_refused() {
    type Change = fn(&mut ContractTerms);
    let broken: [(Change, ContractTermsError); 17] = [
        (|terms| terms.brackets.clear(), ContractTermsError::Brackets),
        (|terms| terms.brackets[1].cap = terms.brackets[0].cap, ContractTermsError::Caps),
        (|terms| terms.brackets[1].max_leverage = 126, ContractTermsError::Leverage),
        (|terms| terms.brackets[1].maintenance_ppm = 3_999, ContractTermsError::Maintenance),
        (|terms| terms.brackets[0].max_leverage = 250, ContractTermsError::MaintenanceAboveInitial),
        (
            |terms| terms.brackets[5].cap = Amount(ContractTerms::MAX_POSITION_VALUE.0 + 1),
            ContractTermsError::LastCap,
        ),
        (|terms| terms.default_leverage = 126, ContractTermsError::DefaultLeverage),
        (|terms| terms.max_position_lots = QtyLots(999_999), ContractTermsError::MaxPosition),
        (|terms| terms.funding_interval_hours = 3, ContractTermsError::FundingInterval),
        (|terms| terms.funding_floor = FundingRate(1), ContractTermsError::FundingBounds),
        (|terms| terms.interest = FundingRate(FundingRate::ONE.0 + 1), ContractTermsError::Interest),
        (|terms| terms.impact_notional = Amount::ZERO, ContractTermsError::ImpactNotional),
        (|terms| terms.clearance_fee_ppm = 1_000_001, ContractTermsError::ClearanceFee),
        (|terms| terms.liquidation_step_lots = QtyLots::ZERO, ContractTermsError::LiquidationStep),
        (|terms| terms.fund = AccountId(0), ContractTermsError::Fund),
        (|terms| terms.sources[0].weight = 0, ContractTermsError::Sources),
        (|terms| terms.outlier_ppm = 1_000_001, ContractTermsError::Outlier),
    ];
    let market = Ticks(2).terms();
    assert_eq!(broken.each_ref().map(|(_, error)| *error), ContractTermsError::ALL);
    for (change, error) in broken {
        let mut terms = contract();
        change(&mut terms);
        assert_eq!(terms.check(&market), Err(error), "{error}");
    }
}
