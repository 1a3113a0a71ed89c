//! Terms at their bounds pass, and one step beyond they name the rule; what passes keeps every number within its type.

use model::{
    Amount, AssetId, AssetTerms, FeeRounding, MarketStatus, MarketTerms, PriceTicks, QtyLots, TermsError,
    Text,
};

fn asset(name: &str, scale: u8) -> AssetTerms {
    AssetTerms { name: Text::new(name).unwrap(), scale }
}

/// Both assets have no decimals, so a lot is `lot` atoms and one lot at one tick costs `tick` x `lot`.
fn terms(tick: i64, lot: i128) -> MarketTerms {
    MarketTerms {
        name: Text::new("AB").unwrap(),
        base: AssetId(0),
        quote: AssetId(1),
        price_scale: 0,
        tick_size: tick,
        base_atoms_per_lot: Amount(lot),
        quote_atoms_per_tick_lot: Amount(i128::from(tick) * lot),
        min_price_ticks: PriceTicks(1),
        max_price_ticks: PriceTicks(1_000),
        min_qty_lots: QtyLots(1),
        max_qty_lots: QtyLots(1_000),
        min_notional: Amount::ZERO,
        max_notional: Amount::ZERO,
        max_open_orders: 100,
        max_open_orders_per_account: 10,
        max_amends_per_order: 0,
        maker_fee_ppm: 0,
        taker_fee_ppm: 0,
        fee_rounding: FeeRounding::Up,
        band_ppm: 100_000,
        initial_reference_ticks: PriceTicks(100),
        status: MarketStatus::Trading,
    }
}

fn check(terms: &MarketTerms) -> Result<(), TermsError> {
    terms.check(&asset("A", 0), &asset("B", 0))
}

/// Changes one setting to its bound, which passes, and then beyond it, which does not.
fn bound(change: impl Fn(&mut MarketTerms, bool), broken: TermsError) {
    let with = |beyond| {
        let mut terms = terms(1, 1);
        change(&mut terms, beyond);
        check(&terms)
    };
    assert_eq!((with(false), with(true)), (Ok(()), Err(broken)), "{broken:?}");
}

#[test]
fn each_bound_is_where_its_sentence_says() {
    bound(|t, beyond| t.price_scale = if beyond { 19 } else { 0 }, TermsError::PriceScale);
    bound(|t, beyond| t.tick_size = i64::from(!beyond), TermsError::Tick);
    bound(|t, beyond| t.base_atoms_per_lot = Amount(i128::from(!beyond)), TermsError::Lot);
    bound(|t, beyond| t.quote_atoms_per_tick_lot = Amount(1 + i128::from(beyond)), TermsError::TickLot);
    bound(|t, beyond| t.min_price_ticks = PriceTicks(i64::from(!beyond)), TermsError::PriceRange);
    bound(
        |t, beyond| {
            t.initial_reference_ticks = PriceTicks(1_000);
            t.min_price_ticks = PriceTicks(1_000 + i64::from(beyond));
        },
        TermsError::PriceRange,
    );
    bound(|t, beyond| t.max_price_ticks = PriceTicks((1 << 44) + i64::from(beyond)), TermsError::MaxPrice);
    bound(|t, beyond| t.min_qty_lots = QtyLots(i64::from(!beyond)), TermsError::QtyRange);
    bound(|t, beyond| t.min_qty_lots = QtyLots(1_000 + i64::from(beyond)), TermsError::QtyRange);
    bound(|t, beyond| t.max_qty_lots = QtyLots((1 << 44) + i64::from(beyond)), TermsError::MaxQty);
    bound(|t, beyond| t.max_open_orders = u32::from(!beyond), TermsError::OpenOrders);
    bound(|t, beyond| t.max_open_orders = (1 << 24) + u32::from(beyond), TermsError::OpenOrders);
    bound(
        |t, beyond| {
            t.max_qty_lots = QtyLots(1 << 44);
            t.max_open_orders = (1 << 16) + u32::from(beyond);
        },
        TermsError::OpenLots,
    );
    bound(|t, beyond| t.max_open_orders_per_account = u32::from(!beyond), TermsError::OpenOrdersPerAccount);
    bound(|t, beyond| t.min_notional = Amount(-i128::from(beyond)), TermsError::NegativeNotional);
    bound(|t, beyond| t.max_notional = Amount(-i128::from(beyond)), TermsError::NegativeNotional);
    bound(
        |t, beyond| {
            t.min_notional = Amount(5 + i128::from(beyond));
            t.max_notional = Amount(5);
        },
        TermsError::NotionalRange,
    );
    bound(|t, beyond| t.maker_fee_ppm = 1_000_000 + u32::from(beyond), TermsError::MakerFee);
    bound(|t, beyond| t.taker_fee_ppm = 1_000_000 + u32::from(beyond), TermsError::TakerFee);
    bound(|t, beyond| t.band_ppm = 1_000_000 + u32::from(beyond), TermsError::Band);
    bound(|t, beyond| t.initial_reference_ticks = PriceTicks(i64::from(!beyond)), TermsError::Reference);
    bound(
        |t, beyond| t.initial_reference_ticks = PriceTicks(1_000 + i64::from(beyond)),
        TermsError::Reference,
    );
    bound(
        |t, beyond| {
            if beyond {
                t.name = Text::EMPTY;
            }
        },
        TermsError::NameMissing,
    );
    bound(
        |t, beyond| {
            if beyond {
                t.quote = t.base;
            }
        },
        TermsError::SameAsset,
    );
}

#[test]
fn the_largest_order_is_bounded_in_both_assets() {
    let (price, qty) = (1 << 44, 1 << 44);
    // 32,311 x 2^88 is the last below 10^31.
    for (tick, expected) in [(32_311, Ok(())), (32_312, Err(TermsError::MaxOrderNotional))] {
        let largest =
            MarketTerms { max_price_ticks: PriceTicks(price), max_qty_lots: QtyLots(qty), ..terms(tick, 1) };
        assert_eq!(check(&largest), expected);
    }
    // A lot of very many atoms of an asset with 18 decimals, for one quote atom a unit.
    let unit = 10_i128.pow(18);
    for (lot, expected) in
        [(10_i128.pow(28), Ok(())), (10_i128.pow(28) + unit, Err(TermsError::MaxOrderBase))]
    {
        let quote_atoms_per_tick_lot = Amount(lot / unit);
        let heavy = MarketTerms { quote_atoms_per_tick_lot, ..terms(1, lot) };
        assert_eq!(heavy.check(&asset("A", 18), &asset("B", 0)), expected);
    }
}

#[test]
fn tick_times_lot_is_a_whole_number_of_atoms_or_nothing() {
    let of = |base: u8, quote: u8, price_scale, tick, lot| {
        MarketTerms::quote_atoms_per_tick_lot(
            &asset("A", base),
            &asset("B", quote),
            price_scale,
            tick,
            Amount(lot),
        )
    };
    assert_eq!(of(8, 8, 2, 1, 1_000), Some(Amount(10)), "0.01 x 0.00001 of 8 decimals");
    assert_eq!(of(8, 8, 2, 1, 100), Some(Amount(1)));
    assert_eq!(of(8, 8, 2, 1, 99), None, "99 hundredths of an atom");
    assert_eq!(of(8, 8, 2, 100, 1), Some(Amount(1)));
    assert_eq!(of(18, 0, 18, 1, 1), None, "10^-36 of an atom");
    assert_eq!(of(0, 18, 0, 5, 7), Some(Amount(35_000_000_000_000_000_000)));
    assert_eq!(of(0, 0, 0, 0, 1), None, "nothing is not above zero");
    assert_eq!(of(0, 0, 0, -1, 1), None);
    assert_eq!(of(0, 18, 0, i64::MAX, i128::MAX), None, "more than can be counted");
}

/// The edges are the outermost whole ticks inside the band.
#[test]
fn the_edges_of_the_band() {
    for band_ppm in [1, 9_999, 10_000, 333_333, 500_000, 999_999, 1_000_000] {
        let terms = MarketTerms { band_ppm, ..terms(1, 1) };
        for reference in 1..=400_i64 {
            let inside = |price: i64| {
                let (price, reference) = (i128::from(price) * 1_000_000, i128::from(reference));
                let band = i128::from(band_ppm);
                (reference * (1_000_000 - band)..=reference * (1_000_000 + band)).contains(&price)
            };
            let upper = (1..=1_000).rev().find(|price| inside(*price)).unwrap();
            let lower = (1..=1_000).find(|price| inside(*price)).unwrap();
            assert_eq!(
                terms.band_upper(PriceTicks(reference)),
                PriceTicks(upper),
                "{band_ppm} ppm of {reference}"
            );
            assert_eq!(
                terms.band_lower(PriceTicks(reference)),
                PriceTicks(lower),
                "{band_ppm} ppm of {reference}"
            );
        }
    }
    let off = MarketTerms { band_ppm: 0, ..terms(1, 1) };
    assert_eq!(
        (off.band_lower(PriceTicks(500)), off.band_upper(PriceTicks(500))),
        (PriceTicks(1), PriceTicks(1_000))
    );
    let top = MarketTerms { max_price_ticks: PriceTicks(i64::MAX), band_ppm: 1_000_000, ..terms(1, 1) };
    assert_eq!(top.band_upper(PriceTicks(i64::MAX)), PriceTicks(i64::MAX), "not beyond the type");
}

#[test]
fn a_last_price_outside_the_range_counts_as_its_end() {
    let terms = MarketTerms { min_price_ticks: PriceTicks(50), ..terms(1, 1) };
    let of = |last| terms.reference(PriceTicks(last)).0;
    assert_eq!([of(49), of(50), of(700), of(1_000), of(1_001)], [50, 50, 700, 1_000, 1_000]);
}

#[test]
fn a_product_that_cannot_be_counted_is_none() {
    let terms = terms(32_311, 1);
    assert_eq!(terms.checked_notional(PriceTicks(2), QtyLots(3)), Some(Amount(6 * 32_311)));
    assert_eq!(terms.checked_notional(PriceTicks(i64::MAX), QtyLots(i64::MAX)), None);
}

/// Rule number n stands at place n: the byte form counts on it.
#[test]
fn rules_stand_in_the_order_of_their_numbers() {
    for (number, rule) in (0_u8..).zip(TermsError::ALL) {
        assert_eq!(rule as u8, number, "{rule}");
        assert!(!rule.sentence().is_empty());
    }
}
