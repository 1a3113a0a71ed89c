//! Markets for the tests of whoever speaks the dialect.

use std::sync::Arc;

use model::{
    AccountId, Amount, AssetId, AssetName, AssetTerms, Bracket, ContractTerms, FeeRounding, FundingRate,
    IndexSource, MarketId, MarketName, MarketStatus, MarketTerms, PartitionId, PriceTicks, QtyLots,
};

use crate::Listing;

/// BTCUSDT with 8 and 6 decimals, ticks of 0.05 and lots of 0.001.
pub fn btcusdt() -> Listing {
    let base = AssetTerms { name: AssetName::new("BTC").unwrap(), scale: 8 };
    let quote = AssetTerms { name: AssetName::new("USDT").unwrap(), scale: 6 };
    let terms = MarketTerms {
        name: MarketName::new("BTCUSDT").unwrap(),
        base: AssetId(0),
        quote: AssetId(1),
        price_scale: 2,
        tick_size: 5,
        base_atoms_per_lot: Amount(100_000),
        quote_atoms_per_tick_lot: Amount(50),
        min_price_ticks: PriceTicks(1),
        max_price_ticks: PriceTicks(20_000_000),
        min_qty_lots: QtyLots(1),
        max_qty_lots: QtyLots(1_000_000),
        min_notional: Amount(5_000_000),
        max_notional: Amount(0),
        max_open_orders: 100_000,
        max_open_orders_per_account: 200,
        max_amends_per_order: 10,
        maker_fee_ppm: 1_000,
        taker_fee_ppm: 1_500,
        fee_rounding: FeeRounding::Up,
        band_ppm: 100_000,
        initial_reference_ticks: PriceTicks(1_000_000),
        status: MarketStatus::Trading,
    };
    terms.check(&base, &quote).expect("the terms are sound");
    let (home, moving_to) = (PartitionId::FIRST, None);
    Listing { market: MarketId(0), home, moving_to, terms, base, quote, contract: None }
}

/// The contract of the same name, with the same ticks and lots.
pub fn btcusdt_contract() -> Listing {
    let contract = ContractTerms {
        brackets: vec![Bracket {
            cap: Amount(1_000_000_000_000_000),
            max_leverage: 20,
            maintenance_ppm: 25_000,
        }],
        default_leverage: 20,
        max_position_lots: QtyLots(1_000_000),
        funding_interval_hours: 8,
        funding_cap: FundingRate(2_000_000),
        funding_floor: FundingRate(-2_000_000),
        interest: FundingRate(10_000),
        impact_notional: Amount(25_000_000_000),
        clearance_fee_ppm: 12_500,
        liquidation_step_lots: QtyLots(1),
        fund: AccountId(1),
        sources: vec![IndexSource { market: Some(MarketId(0)), weight: 1 }],
        stale_after_ns: 10_000_000_000,
        outlier_ppm: 50_000,
    };
    Listing { market: MarketId(1), contract: Some(Arc::new(contract)), ..btcusdt() }
}
