//! What must hold of the rules for any position and price.

use margin::{
    MicroAtoms, Position, bankruptcy_price, funding_flow, is_liquidatable, liquidation_price,
    maintenance_margin, part_to_close,
};
use model::{Amount, FundingRate, PriceTicks, QtyLots, Side};
use proptest::prelude::*;

use crate::terms::{Ticks, contract, qty};

const CENTS: Ticks = Ticks(2);

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn price() -> impl Strategy<Value = PriceTicks> {
    (100_i64..10_000_000).prop_map(PriceTicks)
}

fn lots() -> impl Strategy<Value = QtyLots> {
    (1_i64..200_000).prop_map(QtyLots)
}

proptest! {
    /// Whatever is opened and closed in whatever parts: once it is closed, what was realised is what was received less what was
    /// paid, to the atom; and what a position has cost has its sign.
    #[test]
    fn closing_all_realises_all(fills in prop::collection::vec((side(), price(), lots()), 1..40), last in price()) {
        let terms = CENTS.terms();
        let (mut position, mut realized, mut received) = (Position::NONE, Amount::ZERO, Amount::ZERO);
        let mut trade = |position: &mut Position, side, price, lots| {
            realized += position.fill(&terms, side, price, lots);
            match side {
                Side::Buy => received -= terms.notional(price, lots),
                Side::Sell => received += terms.notional(price, lots),
            }
            prop_assert!(position.cost.0.signum() * i128::from(position.qty_lots.0.signum()) >= 0);
            // At any time: what was realised is what was received and what the position has cost.
            prop_assert_eq!(realized, received + position.cost);
            Ok(())
        };
        for (side, price, lots) in fills {
            trade(&mut position, side, price, lots)?;
        }
        if let Some(side) = position.closed_by() {
            let size = position.size();
            trade(&mut position, side, last, size)?;
        }
        prop_assert_eq!(position, Position::NONE);
    }

    /// On one side of the liquidation price a position is liquidated, on the other it is not.
    #[test]
    fn the_liquidation_price_is_where_it_begins(side in side(), entry in price(), lots in lots(), margin in 1_i128..50_000_000_000_000) {
        let (terms, contract) = (CENTS.terms(), contract());
        let mut position = Position::NONE;
        position.fill(&terms, side, entry, lots);
        let margin = Amount(margin);
        let at = |price: PriceTicks| {
            let value = Amount(position.value(&terms, price).0.abs());
            is_liquidatable(margin + position.unrealized(&terms, price), maintenance_margin(&contract, value))
        };
        match liquidation_price(&terms, &contract, &[position], MicroAtoms::from_atoms(margin), entry) {
            Some(found) => {
                let down = i64::try_from(found.div_euclid(1_000_000)).unwrap();
                let (lower, upper) = (PriceTicks((down - 1).max(0)), PriceTicks(down + 2));
                match side {
                    Side::Buy => prop_assert!(!at(upper) && (down < 1 || at(lower))),
                    Side::Sell => prop_assert!(at(upper) && !at(lower)),
                }
            }
            None => prop_assert!(side == Side::Buy && !at(PriceTicks(1))),
        }
    }

    /// At the bankruptcy price nothing is missing, a tick further something is.
    #[test]
    fn the_bankruptcy_price_leaves_no_debt(side in side(), entry in price(), mark in price(), lots in lots(), margin in 0_i128..10_000_000_000_000) {
        let terms = CENTS.terms();
        let mut position = Position::NONE;
        position.fill(&terms, side, entry, lots);
        let left_at = |price| Amount(margin) + position.unrealized(&terms, price);
        let worst = bankruptcy_price(&terms, &position, left_at(mark), mark);
        let further = PriceTicks(worst.0 - position.qty_lots.0.signum());
        prop_assert!(left_at(worst) >= Amount::ZERO || worst == PriceTicks(1));
        prop_assert!(left_at(further) < Amount::ZERO || worst == PriceTicks(1));
    }

    /// The part that is closed is enough, and no smaller multiple of the step is.
    #[test]
    fn the_smallest_part_that_is_enough_is_closed(steps in 1_i64..2_000, mark in price(), short_of in 0_i128..2_000_000_000_000, clearance in 0_u32..12_500) {
        let terms = CENTS.terms();
        let mut contract = contract();
        contract.clearance_fee_ppm = clearance;
        let step = qty("0.1");
        let size = QtyLots(step.0 * steps);
        let margin_of = |size| maintenance_margin(&contract, terms.notional(mark, size));
        let equity = margin_of(size).atoms_rounded_up() - Amount(short_of);
        let fees_ppm = i128::from(clearance) + 400;
        let is_enough = |closed: QtyLots| {
            let after = MicroAtoms::from_atoms(equity).0 - terms.notional(mark, closed).0 * fees_ppm;
            after > margin_of(size - closed).0
        };
        prop_assume!(is_liquidatable(equity, margin_of(size)));
        let found = part_to_close(&terms, &contract, size, (equity, MicroAtoms::default()), mark, 400);
        // The rule stops where the rest would come into the lowest bracket.
        let floor = contract.brackets[0].cap;
        let smallest = (1..steps)
            .map(|steps| QtyLots(step.0 * steps))
            .take_while(|closed| terms.notional(mark, size - *closed + step) > floor)
            .find(|closed| is_enough(*closed));
        prop_assert_eq!(found, smallest);
    }

    /// Funding makes no money, and loses less than an atom for each who takes part.
    #[test]
    fn funding_comes_to_nothing(sizes in prop::collection::vec(-100_000_i64..100_000, 1..20), mark in price(), rate in -100_000_000_i64..100_000_000) {
        let terms = CENTS.terms();
        let all: i64 = sizes.iter().sum();
        let flow = |lots| funding_flow(&terms, QtyLots(lots), mark, FundingRate(rate));
        let sum = sizes.iter().chain([&-all]).fold(Amount::ZERO, |sum, lots| sum + flow(*lots));
        let most = i128::try_from(sizes.len()).unwrap() + 1;
        prop_assert!(sum <= Amount::ZERO && sum.0 > -most);
    }
}
