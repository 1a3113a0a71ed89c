//! Takers at one contract: they bet on its rise or on its fall, with high leverage and no more margin than that takes, until
//! they have had enough of it or are liquidated. Of that they hear nothing, as of no answer: what closes a position that has
//! gone already is refused, and then comes the next bet.

use model::Side;

use super::{TAKERS, TraderId};
use crate::random::Random;

/// Who they are, and the leverage that they ask for at every contract; their positions are isolated. A tenth of a percent that
/// the price moves is about a tenth of their margin.
pub const GAMBLERS: [(TraderId, u16); 3] =
    [(TraderId(TAKERS.start), 125), (TraderId(TAKERS.start + 1), 100), (TraderId(TAKERS.start + 2), 75)];

/// A position, as its owner believes it to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bet {
    /// [`Side::Buy`] on the rise.
    pub(super) side: Side,
    pub(super) lots: i64,
}

/// What a gambler does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    Open { trader: TraderId, bet: Bet },
    Close { trader: TraderId, bet: Bet },
}

/// The gamblers at a contract.
#[derive(Clone, Debug, Default)]
pub(super) struct Gamblers {
    bets: [Option<Bet>; GAMBLERS.len()],
}

impl Gamblers {
    /// A bet comes once in so many beats at contracts, as long as there is none.
    const OPENED_ONCE_IN: u32 = 60;
    /// And goes once in so many: about as long as it takes until every third has been liquidated.
    const CLOSED_ONCE_IN: u32 = 3_000;

    /// One beat at contracts.
    pub(super) fn beat(&mut self, unit_lots: i64, random: &mut Random) -> Vec<Move> {
        let mut moves = Vec::new();
        for ((trader, _), place) in GAMBLERS.into_iter().zip(&mut self.bets) {
            match *place {
                Some(bet) if random.below(Self::CLOSED_ONCE_IN) == 0 => {
                    *place = None;
                    moves.push(Move::Close { trader, bet });
                }
                None if random.below(Self::OPENED_ONCE_IN) == 0 => {
                    let side = if random.permille(500) { Side::Buy } else { Side::Sell };
                    // In a main market at most some 25,000 units of the quote asset: more is not to be had with such leverage.
                    let bet = Bet { side, lots: unit_lots * i64::from(20 + random.below(200)) };
                    *place = Some(bet);
                    moves.push(Move::Open { trader, bet });
                }
                Some(_) | None => {}
            }
        }
        moves
    }
}
