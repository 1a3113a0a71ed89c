//! How much is open at contracts and how many accounts are on each side, now and in the past.
//!
//! Of the past there is what was open at the end of each five minutes in which something has changed: what did not change is what
//! it was before.

use std::collections::{BTreeMap, VecDeque};

use codec::{Coded, DecodeError, Reader, coded_struct};
use model::{MarketId, PriceTicks, QtyLots, TimeNs};

/// How much is open at a contract, of the accounts that live in one partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenInterest {
    /// What all long positions come to. That of all short ones is the same over all partitions.
    pub long_lots: QtyLots,
    /// How many accounts have more long than short there; in hedge mode an account's two positions count as one.
    pub longs: u64,
    /// How many accounts have more short than long there.
    pub shorts: u64,
}
coded_struct!(OpenInterest { long_lots, longs, shorts });

impl OpenInterest {
    /// A position has another quantity.
    pub(crate) fn position(&mut self, before: QtyLots, now: QtyLots) {
        self.long_lots += now.max(QtyLots::ZERO);
        self.long_lots -= before.max(QtyLots::ZERO);
    }

    /// All that an account has there comes to something else.
    pub(crate) fn account(&mut self, before: QtyLots, now: QtyLots) {
        let is = |one: bool| u64::from(one);
        self.longs = self.longs.saturating_add(is(now > QtyLots::ZERO));
        self.longs = self.longs.saturating_sub(is(before > QtyLots::ZERO));
        self.shorts = self.shorts.saturating_add(is(now < QtyLots::ZERO));
        self.shorts = self.shorts.saturating_sub(is(before < QtyLots::ZERO));
    }
}

/// What was open at some moment of the past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PastInterest {
    /// Of the accounts that live in this partition.
    pub open: OpenInterest,
    /// What positions were measured by; `None` where that is not told: in other partitions than the contract's.
    pub mark_ticks: Option<PriceTicks>,
}
coded_struct!(PastInterest { open, mark_ticks });

/// How long the pieces are of which the past is kept: every period that can be asked for is made of whole ones.
const PIECE_NS: u64 = 300_000_000_000;

/// The past of all contracts.
#[derive(Clone, Debug)]
pub struct InterestHistory {
    /// By contract: the number of a piece since 1970, and what there was when it ended, or is now.
    past: BTreeMap<MarketId, VecDeque<(u64, PastInterest)>>,
    kept: usize,
}

impl InterestHistory {
    pub(crate) const fn new(kept: usize) -> Self {
        Self { past: BTreeMap::new(), kept }
    }

    /// What was open at a contract at this moment, rounded down to whole five minutes; `None` from before anything was known of it, or
    /// beyond what is kept.
    pub fn at(&self, market: MarketId, moment: TimeNs) -> Option<PastInterest> {
        let pieces = self.past.get(&market)?;
        let next = moment.0.checked_div(PIECE_NS).expect("five minutes are some time");
        let behind = pieces.partition_point(|(piece, _)| *piece < next);
        behind.checked_sub(1).map(|last| pieces[last].1)
    }

    /// The first moment of which [`Self::at`] knows something of a contract.
    pub fn first(&self, market: MarketId) -> Option<TimeNs> {
        let (piece, _) = self.past.get(&market)?.front()?;
        Some(TimeNs(piece.saturating_add(1).saturating_mul(PIECE_NS)))
    }

    /// Something has changed at a contract.
    pub(crate) fn changed(&mut self, market: MarketId, time_ns: TimeNs, now: PastInterest) {
        let piece = time_ns.0.checked_div(PIECE_NS).expect("five minutes are some time");
        let pieces = self.past.entry(market).or_default();
        match pieces.back_mut() {
            // What is heard late belongs to what is open now all the same.
            Some((last, there)) if piece <= *last => *there = now,
            Some(_) | None => pieces.push_back((piece, now)),
        }
        forget(pieces, self.kept);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.past.is_empty()
    }

    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        let of = |pieces: &VecDeque<(u64, PastInterest)>| pieces.iter().copied().collect::<Vec<_>>();
        self.past.iter().map(|(market, pieces)| (*market, of(pieces))).collect::<Vec<_>>().encode(out);
    }

    /// What [`Self::save`] wrote.
    pub(crate) fn load(kept: usize, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let past = Vec::<(MarketId, Vec<(u64, PastInterest)>)>::decode(input)?;
        let kept_of = |pieces: Vec<_>| {
            let mut pieces = pieces.into();
            forget(&mut pieces, kept);
            pieces
        };
        let past = past.into_iter().map(|(market, pieces)| (market, kept_of(pieces))).collect();
        Ok(Self { past, kept })
    }
}

/// Forgets the oldest beyond what is kept.
fn forget(pieces: &mut VecDeque<(u64, PastInterest)>, kept: usize) {
    pieces.drain(..pieces.len().saturating_sub(kept.max(1)));
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKET: MarketId = MarketId(3);

    fn minutes(minutes: u64) -> TimeNs {
        TimeNs::from_millis(minutes.saturating_mul(60_000))
    }

    fn open(long: i64) -> PastInterest {
        let open = OpenInterest { long_lots: QtyLots(long), longs: 1, shorts: 2 };
        PastInterest { open, mark_ticks: None }
    }

    #[test]
    fn the_past_is_what_there_was_when_five_minutes_ended() {
        let mut history = InterestHistory::new(3);
        for (at, long) in [(1, 10), (4, 20), (5, 30), (19, 40)] {
            history.changed(MARKET, minutes(at), open(long));
        }
        let at =
            |history: &InterestHistory, at| history.at(MARKET, minutes(at)).map(|it| it.open.long_lots.0);
        assert_eq!(
            [4, 5, 9, 10, 15, 19, 20, 99].map(|moment| at(&history, moment)),
            [None, Some(20), Some(20), Some(30), Some(30), Some(30), Some(40), Some(40)]
        );
        assert_eq!((history.first(MARKET), history.first(MarketId(4))), (Some(minutes(5)), None));
        // Said late by another partition.
        history.changed(MARKET, minutes(2), open(50));
        assert_eq!((at(&history, 5), at(&history, 20)), (Some(20), Some(50)));
        history.changed(MARKET, minutes(30), open(60));
        assert_eq!((at(&history, 5), at(&history, 10)), (None, Some(30)), "the oldest is forgotten");
        assert_eq!(history.at(MarketId(4), minutes(30)), None);

        let mut bytes = Vec::new();
        history.save(&mut bytes);
        let loaded = InterestHistory::load(2, &mut Reader::new(&bytes)).unwrap();
        assert_eq!((at(&loaded, 10), at(&loaded, 20), at(&loaded, 35)), (None, Some(50), Some(60)));
    }

    #[test]
    fn accounts_are_counted_by_what_they_have_together() {
        let mut open = OpenInterest::default();
        let lots = QtyLots;
        // One-way: opened, turned, closed.
        for (before, now, counted) in [(0, 5, (1, 0)), (5, -2, (0, 1)), (-2, 0, (0, 0))] {
            open.account(lots(before), lots(now));
            assert_eq!((open.longs, open.shorts), counted);
        }
    }
}
