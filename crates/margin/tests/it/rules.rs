//! The edges of the rules, which no worked case stands on.

use margin::{
    MicroAtoms, Position, Source, impact_price, index_price, initial_margin, is_liquidatable, leverage_score,
    maintenance_margin, order_price, part_to_close, premium,
};
use model::{Amount, PriceTicks, QtyLots, Side};

use crate::terms::{Ticks, amount, contract, qty};

const CENTS: Ticks = Ticks(2);

#[test]
fn a_part_of_a_position_takes_its_cost_rounded_up_with_it() {
    let mut terms = CENTS.terms();
    terms.quote_atoms_per_tick_lot = Amount(1);
    // Three lots for 10 atoms: a third of that is no whole number.
    let mut long = Position { qty_lots: QtyLots(3), cost: Amount(10) };
    assert_eq!(long.fill(&terms, Side::Sell, PriceTicks(4), QtyLots(1)), Amount(0));
    assert_eq!(long, Position { qty_lots: QtyLots(2), cost: Amount(6) });
    assert_eq!(long.fill(&terms, Side::Sell, PriceTicks(4), QtyLots(2)), Amount(2));
    let mut short = Position { qty_lots: QtyLots(-3), cost: Amount(-10) };
    assert_eq!(short.fill(&terms, Side::Buy, PriceTicks(3), QtyLots(1)), Amount(0));
    assert_eq!(short, Position { qty_lots: QtyLots(-2), cost: Amount(-7) });
}

#[test]
fn initial_margin_is_rounded_up() {
    let all = [0, 1, 19, 20, 21].map(|value| initial_margin(Amount(value), 20).0);
    assert_eq!(all, [0, 1, 1, 1, 2]);
}

#[test]
fn exactly_the_maintenance_margin_is_too_little() {
    let margin = maintenance_margin(&contract(), amount("10000"));
    assert!(is_liquidatable(amount("40"), margin));
    assert!(!is_liquidatable(amount("40") + Amount(1), margin));
    // A part of an atom more is more than there is.
    let margin = maintenance_margin(&contract(), amount("10000") + Amount(1));
    assert!(is_liquidatable(amount("40"), margin));
    assert!(!is_liquidatable(margin.atoms_rounded_up(), margin));
}

#[test]
fn what_an_order_counts_at() {
    let [limit, last, mark] = ["49000", "50000", "50100"].map(|price| CENTS.price(price));
    assert_eq!(order_price(Side::Buy, Some(limit), last, mark), limit);
    assert_eq!(order_price(Side::Sell, Some(limit), last, mark), mark);
    assert_eq!(order_price(Side::Sell, Some(limit), last, PriceTicks(1)), limit);
    for side in [Side::Buy, Side::Sell] {
        assert_eq!(order_price(side, None, last, mark), mark);
        assert_eq!(order_price(side, None, last, PriceTicks(1)), CENTS.price("50075"));
    }
}

#[test]
fn an_index_leaves_out_who_is_far_from_the_others() {
    let index = |prices: &[(i64, u32)]| {
        let sources: Vec<_> =
            prices.iter().map(|&(price, weight)| Source { price: PriceTicks(price), weight }).collect();
        index_price(&sources, 50_000).map(|price| price.0)
    };
    assert_eq!(index(&[]), None);
    assert_eq!(index(&[(60_000, 1)]), Some(60_000));
    assert_eq!(index(&[(60_000, 1), (60_003, 2)]), Some(60_002));
    assert_eq!(index(&[(60_000, 1), (60_001, 1)]), Some(60_001), "halves are rounded up");
    // Exactly 5 % from the median counts, a tick more does not.
    assert_eq!(index(&[(60_000, 1), (60_000, 1), (63_000, 1)]), Some(61_000));
    assert_eq!(index(&[(60_000, 1), (60_000, 1), (63_001, 1)]), Some(60_000));
    assert_eq!(index(&[(50_000, 1), (70_000, 1)]), None, "two that disagree say nothing");
}

#[test]
fn a_thin_book_counts_at_its_last_price() {
    let levels = [(PriceTicks(100), QtyLots(10)), (PriceTicks(90), QtyLots(10))];
    // 1,000 at 100, 900 at 90, and 900 more at 90.
    assert_eq!(impact_price(levels, 2_800), Some(93_333_333));
    assert_eq!(impact_price(levels, 1_000), Some(100_000_000));
    assert_eq!(impact_price([], 1_000), None);
    let index = PriceTicks(95);
    assert_eq!(premium(None, None, index).0, 0);
    assert_eq!(premium(Some(96_000_000), None, index).0, 10_526_315_789);
    assert_eq!(premium(None, Some(94_000_000), index).0, -10_526_315_789);
}

#[test]
fn a_part_that_leaves_just_the_margin_is_too_small() {
    let (terms, mut contract) = (CENTS.terms(), contract());
    contract.clearance_fee_ppm = 0;
    contract.liquidation_step_lots = qty("1");
    let (size, mark) = (qty("20"), CENTS.price("50000"));
    let margin_of = |size| maintenance_margin(&contract, terms.notional(mark, size)).atoms_rounded_up();
    let part = |equity, others| part_to_close(&terms, &contract, size, (equity, others), mark, 0);
    let just = margin_of(qty("19"));
    assert_eq!(part(just + Amount(1), MicroAtoms::default()), Some(qty("1")));
    assert_eq!(part(just, MicroAtoms::default()), Some(qty("2")));
    assert_eq!(part(just + Amount(1), MicroAtoms(1_000_000)), Some(qty("2")), "other positions need theirs");
}

#[test]
fn a_wallet_counts_as_one_unit_at_least() {
    let margin = maintenance_margin(&contract(), amount("10000"));
    let score = |wallet| leverage_score(amount("100"), amount(wallet), margin, amount("1")).0;
    // 100 / 1 x 40 / 100.
    assert_eq!(score("0"), 40_000_000_000_000);
    assert_eq!(score("0.5"), 39_800_995_024_876);
    assert_eq!(score("-100"), 0);
    assert_eq!(leverage_score(Amount(0), amount("5"), margin, amount("1")).0, 0);
}
