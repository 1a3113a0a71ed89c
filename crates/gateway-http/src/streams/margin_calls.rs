//! Whom to tell that little is missing to a liquidation: `MARGIN_CALL`. Nobody decides anything by it: the partition looks at margins with
//! every price by itself. Here somebody looks once a second, and at accounts alone that are listened to. Source: "Event: Margin Call".

use std::collections::BTreeSet;

use model::{AccountId, AssetId, MarketId, PositionSide};

use crate::futures::margins::Standing;

/// The margin ratio below which another call may come, as a part of that from which on one does: a ratio that goes up and down a little tells
/// nothing new.
const REARMED_AT_PERCENT: i128 = 90;

/// A wallet, or the margin of an isolated position.
type Backing = (AccountId, AssetId, Option<(MarketId, PositionSide)>);

/// Where the call was told already.
#[derive(Debug, Default)]
pub(super) struct MarginCalls {
    told: BTreeSet<Backing>,
}

impl MarginCalls {
    /// Which of an account's standings its owner is to be told of now: those whose maintenance margin has come to `ratio_ppm` millionths of what
    /// is left, and that had not before. An account that has nothing to stand any more is called with none.
    pub(super) fn crossed<'s, 'l>(
        &mut self,
        account: AccountId,
        standings: &'s [Standing<'l>],
        ratio_ppm: u32,
    ) -> Vec<&'s Standing<'l>> {
        let backing = |standing: &Standing<'_>| {
            let first = standing.positions.first().filter(|_| standing.is_isolated);
            (account, standing.asset, first.map(|stood| (stood.listing.market, stood.position_side)))
        };
        let there: BTreeSet<Backing> = standings.iter().map(backing).collect();
        self.told.retain(|told| told.0 != account || there.contains(told));
        let mut to_tell = Vec::new();
        for standing in standings {
            // Maintenance margins are counted in millionths of atoms, as the ratio is in millionths.
            let (maintenance, equity) = (standing.maintenance.0, standing.equity().0);
            let ratio_ppm = i128::from(ratio_ppm);
            if maintenance >= equity.saturating_mul(ratio_ppm) {
                if self.told.insert(backing(standing)) {
                    to_tell.push(standing);
                }
            } else if maintenance * 100 < equity.saturating_mul(ratio_ppm * REARMED_AT_PERCENT) {
                self.told.remove(&backing(standing));
            }
        }
        to_tell
    }

    /// Forgets accounts that are not among these, in their order.
    pub(super) fn keep(&mut self, listened: &[AccountId]) {
        self.told.retain(|told| listened.binary_search(&told.0).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use margin::{MicroAtoms, Position};
    use model::{Amount, PriceTicks};

    use super::*;
    use crate::futures::margins::Stood;
    use crate::listings::Listing;
    use dialect::sample::btcusdt;

    const ALICE: AccountId = AccountId(1);
    const RATIO_PPM: u32 = 800_000;

    /// What needs 80 at the least, with so much left.
    fn standing(listing: &Listing, left: i128, is_isolated: bool) -> Standing<'_> {
        let maintenance = MicroAtoms::from_atoms(Amount(80));
        Standing {
            asset: listing.terms.quote,
            wallet: Amount(1_000),
            is_isolated,
            unrealized: Amount(left - 1_000),
            maintenance,
            positions: vec![Stood {
                listing,
                position_side: PositionSide::Both,
                position: Position::NONE,
                mark: PriceTicks(1),
                unrealized: Amount(left - 1_000),
                maintenance,
            }],
        }
    }

    #[test]
    fn a_call_comes_once_until_the_ratio_has_been_well_below() {
        let listing = btcusdt();
        let mut calls = MarginCalls::default();
        let mut told = |left| calls.crossed(ALICE, &[standing(&listing, left, false)], RATIO_PPM).len();
        // The ratio is 80 % at 100, 72 % at 111.1.
        assert_eq!([101, 100, 99, 90, 101, 111, 100].map(&mut told), [0, 1, 0, 0, 0, 0, 0]);
        assert_eq!([112, 100, -5].map(&mut told), [0, 1, 0]);
        assert_eq!([500, -5].map(&mut told), [0, 1], "also where nothing is left");
    }

    #[test]
    fn each_backing_is_told_by_itself_and_forgotten_with_its_position() {
        let listing = btcusdt();
        let mut calls = MarginCalls::default();
        let both = [standing(&listing, 200, false), standing(&listing, 90, true)];
        let told = calls.crossed(ALICE, &both, RATIO_PPM);
        assert_eq!(told.iter().map(|told| told.is_isolated).collect::<Vec<_>>(), [true]);
        let both = [standing(&listing, 90, false), standing(&listing, 90, true)];
        let told = calls.crossed(ALICE, &both, RATIO_PPM);
        assert_eq!(told.iter().map(|told| told.is_isolated).collect::<Vec<_>>(), [false]);

        // Its owner has closed the isolated one, and opens another.
        assert!(calls.crossed(ALICE, &both[..1], RATIO_PPM).is_empty());
        assert_eq!(calls.crossed(ALICE, &both, RATIO_PPM).len(), 1);
        assert_eq!(
            calls.crossed(AccountId(2), &both, RATIO_PPM).len(),
            2,
            "another account is another matter"
        );
        calls.keep(&[AccountId(2)]);
        assert_eq!(calls.crossed(ALICE, &both, RATIO_PPM).len(), 2, "nobody had listened to alice");
        assert_eq!(calls.crossed(AccountId(2), &both, RATIO_PPM).len(), 0);
    }
}
