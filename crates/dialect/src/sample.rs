//! A market for the tests of whoever speaks the dialect.

use model::{
    Amount, AssetId, AssetName, AssetTerms, FeeRounding, MarketId, MarketName, MarketStatus, MarketTerms,
    PartitionId, PriceTicks, QtyLots,
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
