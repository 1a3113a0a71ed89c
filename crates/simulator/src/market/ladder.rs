//! A maker's quotes in one market: a ladder of prices on either side of the middle, close together near the touch and wide
//! apart in the depth, with more on the lower rungs.

use model::Side;

use super::OrderName;
use super::record::Record;
use crate::random::Random;

/// How a maker quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Rungs on each side.
    pub(super) rungs: u16,
    /// How far the last one is from the middle, in millionths of the price; the others lie closer by the square.
    pub(super) reach_ppm: i64,
    /// The first rung is at least so many ticks from the middle, each further one at least one more.
    pub(super) nearest_ticks: i64,
    /// What stands on the first rung, in the market's small orders.
    pub(super) first_units: i64,
    /// How much more stands on each further one.
    pub(super) more_units: i64,
}

/// The three makers: one close to the touch, one broad, one deep.
pub(super) const SHAPES: [Shape; 3] = [
    Shape { rungs: 6, reach_ppm: 200, nearest_ticks: 1, first_units: 120, more_units: 80 },
    Shape { rungs: 20, reach_ppm: 5_000, nearest_ticks: 2, first_units: 150, more_units: 90 },
    Shape { rungs: 16, reach_ppm: 30_000, nearest_ticks: 4, first_units: 400, more_units: 400 },
];

#[derive(Clone, Copy, Debug)]
struct Rung {
    /// From the middle, in ticks.
    offset_ticks: i64,
    units: i64,
    /// The order that was last put here, and where it went.
    quote: Option<(OrderName, i64)>,
}

/// A place on the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) side: Side,
    rung: usize,
}

/// What a maker sends: the order that goes, if there ever was one, and the price and size of the one that comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quote {
    pub(super) instead_of: Option<OrderName>,
    pub(super) price_ticks: i64,
    pub(super) lots: i64,
}

/// The quotes of one maker in one market.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    sides: [Vec<Rung>; 2],
}

impl Ladder {
    pub(super) fn new(shape: &Shape, price_ticks: i64) -> Self {
        let last = i64::from(shape.rungs) - 1;
        let rungs = (0..=last).map(|at| {
            let by_square = price_ticks * shape.reach_ppm / 1_000_000 * at * at / (last * last);
            Rung {
                offset_ticks: by_square.max(shape.nearest_ticks + at),
                units: shape.first_units + shape.more_units * at,
                quote: None,
            }
        });
        let rungs: Vec<Rung> = rungs.collect();
        Self { sides: [rungs.clone(), rungs] }
    }

    /// All its places on one side, nearest first.
    pub(super) fn places(&self, side: Side) -> impl Iterator<Item = Place> + use<> {
        (0..self.sides[side as usize].len()).map(move |rung| Place { side, rung })
    }

    /// A place drawn at random.
    pub(super) fn any_place(&self, random: &mut Random) -> Place {
        let side = if random.permille(500) { Side::Buy } else { Side::Sell };
        let rungs = u32::try_from(self.sides[side as usize].len()).expect("a ladder is short");
        Place { side, rung: random.below(rungs) as usize }
    }

    /// True where the quote is too far from where it should be, with the middle where it is now. Far from the touch nobody
    /// minds a little; at the touch a tick is too much.
    pub(super) fn is_astray(&self, place: Place, middle_ticks: i64) -> bool {
        let rung = self.rung(place);
        rung.quote.is_none_or(|(_, price_ticks)| {
            let wanted_ticks = away(middle_ticks, place.side, rung.offset_ticks);
            (price_ticks - wanted_ticks).abs() > rung.offset_ticks / 2
        })
    }

    /// True where the record has nothing any more.
    pub(super) fn is_taken(&self, place: Place, record: &Record) -> bool {
        self.rung(place).quote.is_some_and(|(name, _)| !record.is_open(name))
    }

    /// Puts a new quote there. Prices and sizes are never quite the same again, and round numbers are liked.
    pub(super) fn quote(
        &mut self,
        place: Place,
        middle_ticks: i64,
        unit_lots: i64,
        name: OrderName,
        random: &mut Random,
    ) -> Quote {
        let Rung { offset_ticks, units, quote } = *self.rung(place);
        let spread = u32::try_from(offset_ticks / 8).unwrap_or(u32::MAX / 2);
        let strayed = i64::from(random.below(2 * spread + 1)) - i64::from(spread);
        let exact = away(middle_ticks, place.side, offset_ticks + strayed);
        let price_ticks =
            if random.permille(700) { rounded_away(exact, place.side, offset_ticks) } else { exact };
        let lots = (unit_lots * units * random.less_heavy(6) / 2_000).max(unit_lots);
        self.sides[place.side as usize][place.rung].quote = Some((name, price_ticks));
        Quote { instead_of: quote.map(|(name, _)| name), price_ticks, lots }
    }

    fn rung(&self, place: Place) -> &Rung {
        &self.sides[place.side as usize][place.rung]
    }
}

/// So many ticks from the middle, where orders of this side rest.
pub(super) const fn away(middle_ticks: i64, side: Side, offset_ticks: i64) -> i64 {
    match side {
        Side::Buy => middle_ticks - offset_ticks,
        Side::Sell => middle_ticks + offset_ticks,
    }
}

/// The next round price, away from the middle: the deeper, the rounder, never by more than a tenth of the way.
pub(super) const fn rounded_away(price_ticks: i64, side: Side, offset_ticks: i64) -> i64 {
    let grid = match offset_ticks {
        ..100 => 1,
        100..1_000 => 10,
        1_000..10_000 => 100,
        10_000.. => 1_000,
    };
    match side {
        Side::Buy => price_ticks - price_ticks % grid,
        Side::Sell => price_ticks + (grid - price_ticks % grid) % grid,
    }
}
