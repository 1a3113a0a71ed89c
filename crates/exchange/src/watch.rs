//! Of each position it is remembered up to which mark price its wallet is safe, so that a new mark price looks only at those whom
//! it concerns: what is left above the maintenance margin is divided among the positions, and each may lose its share before
//! anybody looks again.
//!
//! The share changes with every fill, every fee, everything that the wallet pays or receives; but a watched price stays while it
//! is early enough, and not far too early. A new one keeps half of the share in reserve: the position may grow to twice its size
//! before it changes again. Whether one stays depends on nothing but itself, the position, the mark price and the share: all that
//! is in a snapshot.

use std::collections::BTreeSet;

use ledger::WalletSlot;
use margin::MicroAtoms;
use model::{AccountId, ContractTerms, MarketId, MarketTerms, PriceTicks, QtyLots};

use crate::catalog::Catalog;
use crate::futures::{Futures, Stake, Stamp, at, contract_of};
use crate::open_orders::SeatSlot;

/// Positions by the mark price from which on they have to be looked at.
#[derive(Default)]
pub struct Watched {
    /// Long ones: looked at when the mark price is at or below. Those that may lose all that they have cost are not among them.
    pub longs: BTreeSet<(PriceTicks, AccountId)>,
    /// Short ones: looked at when the mark price is at or above.
    pub shorts: BTreeSet<(PriceTicks, AccountId)>,
}

impl Watched {
    /// The next one to be looked at when the mark price is this, and whether its position is long.
    pub fn first_at(&self, mark: PriceTicks) -> Option<(AccountId, bool)> {
        let long = self.longs.last().filter(|(at, _)| mark <= *at);
        let short = || self.shorts.first().filter(|(at, _)| *at <= mark);
        let account_of = |is_long| move |(_, account): &(PriceTicks, AccountId)| (*account, is_long);
        long.map(account_of(true)).or_else(|| short().map(account_of(false)))
    }

    fn set_of(&mut self, position: &margin::Position) -> &mut BTreeSet<(PriceTicks, AccountId)> {
        if position.qty_lots > QtyLots::ZERO { &mut self.longs } else { &mut self.shorts }
    }
}

/// How early the positions that a wallet backs are watched, at the mark prices of a stamp. While the wallet's share stays between
/// these, none of their watched prices changes.
#[derive(Default)]
pub struct Watches {
    /// When that was; `None` where it is not known.
    stamp: Option<Stamp>,
    /// The most that one of them may lose before it is looked at.
    most: MicroAtoms,
    /// The least with which one of them is looked at.
    least: MicroAtoms,
    /// The first of the seats whose positions have changed since; each knows the next.
    moved: Option<SeatSlot>,
}

/// A watched price, and how early it is.
struct Watch {
    at: PriceTicks,
    /// What the position loses a tick before that.
    before: MicroAtoms,
    /// What it loses there; as much as there can be where no mark price comes.
    there: MicroAtoms,
}

impl Watch {
    /// Where a position is watched that may lose `share`, which is above zero. It errs towards looking too early.
    fn of(
        (terms, contract): (&MarketTerms, &ContractTerms),
        stake: &Stake,
        mark: PriceTicks,
        share: MicroAtoms,
    ) -> Self {
        // What a tick costs: of a short position the maintenance margin grows as well, by the rate of the last bracket at the most.
        let atoms_a_tick = terms.notional(PriceTicks(1), stake.position.size());
        let of_a_tick = MicroAtoms::from_atoms(atoms_a_tick).0;
        let is_long = stake.position.qty_lots > QtyLots::ZERO;
        let growth = contract.brackets.last().map_or(0, |last| last.maintenance_ppm);
        let growth = if is_long { 0 } else { i128::from(growth) };
        let per_tick = of_a_tick.saturating_add(saturating_times(atoms_a_tick.0, growth));
        let lost = |ticks: i64| MicroAtoms(saturating_times(per_tick, ticks.into()));
        let watch = |at: PriceTicks| {
            let ticks = if is_long { mark - at } else { at - mark }.0;
            let there = if is_never(at, is_long) { MicroAtoms(i128::MAX) } else { lost(ticks) };
            Self { at, before: lost(ticks.saturating_sub(1)), there }
        };
        let present = stake.watched_at.filter(|_| stake.is_watched_as_long == is_long).map(watch);
        let mark_is_short_of = |at| if is_long { at < mark } else { mark < at };
        if let Some(present) = present
            && mark_is_short_of(present.at)
            && present.before < share
            && too_early(share) <= present.there
        {
            return present;
        }
        let ticks = (share.0 / 2).checked_div(per_tick).expect("a position has a size");
        let most = MarketTerms::MAX_PRICE_TICKS;
        let ticks = PriceTicks(i64::try_from(ticks).unwrap_or(i64::MAX).min(most.0));
        // Behind the lowest and the highest price one is as good as another.
        watch(if is_long {
            (mark - ticks - PriceTicks(1)).max(PriceTicks::ZERO)
        } else {
            (mark + ticks + PriceTicks(1)).min(most.max(mark) + PriceTicks(1))
        })
    }
}

/// The product; of small numbers it takes one instruction, and nearly all are.
#[inline]
fn saturating_times(one: i128, other: i128) -> i128 {
    match (i64::try_from(one), i64::try_from(other)) {
        (Ok(small), Ok(other)) => i128::from(small).wrapping_mul(i128::from(other)),
        _ => one.saturating_mul(other),
    }
}

/// Whether no mark price comes to where a position is watched. Such a one needs no place among the others.
#[inline]
fn is_never(at: PriceTicks, is_long: bool) -> bool {
    if is_long { at < PriceTicks(1) } else { MarketTerms::MAX_PRICE_TICKS < at }
}

/// Whoever has lost less than this of a share need not be looked at yet. To be looked at early costs a look, and a place among the
/// others that is nearer.
fn too_early(share: MicroAtoms) -> MicroAtoms {
    MicroAtoms(share.0 / 8)
}

impl Futures {
    /// A seat's position has changed.
    pub fn position_changed(&mut self, seat: SeatSlot) {
        let stake = &mut self.open.seat_mut(seat).stake;
        let backing = stake.backing();
        if stake.next_moved.is_none() {
            let moved = &mut self.backs[backing.index()].watches.moved;
            stake.next_moved = Some(moved.replace(seat).unwrap_or(seat));
        }
        self.touch(backing);
    }

    /// How early the positions that a wallet backs are watched is not known any more.
    pub fn forget_watches(&mut self, wallet: WalletSlot) {
        let mut moved = std::mem::take(&mut self.backs_mut(wallet).watches).moved;
        while let Some(seat) = moved {
            moved = self.see_moved(seat);
        }
    }

    /// Takes a seat out of the list of those whose positions have changed, and returns the next one.
    fn see_moved(&mut self, seat: SeatSlot) -> Option<SeatSlot> {
        self.open.seat_mut(seat).stake.next_moved.take().filter(|next| *next != seat)
    }

    /// None of a wallet's positions is watched.
    pub fn watch_nothing(&mut self, wallet: WalletSlot) {
        self.forget_watches(wallet);
        for index in 0..self.backs[wallet.index()].seats.len() {
            let (market, seat) = self.backs[wallet.index()].seats[index];
            if self.open.seat(seat).stake.backing() == wallet {
                self.watch(market, seat, None);
            }
        }
    }

    /// Each of the positions that a wallet backs may lose `share`: remembers from which mark prices on they have to be looked at.
    pub fn watch_all(&mut self, catalog: &Catalog, wallet: WalletSlot, share: MicroAtoms) {
        let stamp = Some(self.stamp);
        let watches = &mut self.backs_mut(wallet).watches;
        let mut moved = watches.moved.take();
        if watches.stamp == stamp && watches.most < share && too_early(share) <= watches.least {
            let (mut most, mut least) = (watches.most, watches.least);
            while let Some(seat) = moved {
                moved = self.see_moved(seat);
                self.watch_seat(catalog, (wallet, seat), share, (&mut most, &mut least));
            }
            self.backs[wallet.index()].watches = Watches { stamp, most, least, moved };
            return;
        }
        while let Some(seat) = moved {
            moved = self.see_moved(seat);
        }
        let (mut most, mut least) = (MicroAtoms(0), MicroAtoms(i128::MAX));
        for at in 0..self.backs[wallet.index()].seats.len() {
            let seat = self.backs[wallet.index()].seats[at].1;
            self.watch_seat(catalog, (wallet, seat), share, (&mut most, &mut least));
        }
        self.backs[wallet.index()].watches = Watches { stamp, most, least, moved };
    }

    /// As [`Self::watch_all`], for one seat, where the wallet backs it.
    fn watch_seat(
        &mut self,
        catalog: &Catalog,
        (wallet, slot): (WalletSlot, SeatSlot),
        share: MicroAtoms,
        (most, least): (&mut MicroAtoms, &mut MicroAtoms),
    ) {
        let seat = self.open.seat(slot);
        let (market, stake) = (seat.market, &seat.stake);
        if stake.backing() != wallet {
            return;
        }
        let is_watched = !stake.position.is_none();
        let watch =
            is_watched.then(|| Watch::of(contract_of(catalog, market), stake, self.mark(market), share));
        if let Some(Watch { before, there, .. }) = watch {
            *most = before.max(*most);
            *least = there.min(*least);
        }
        self.watch(market, slot, watch.map(|watch| watch.at));
    }

    /// Remembers from which mark price on a position has to be looked at.
    fn watch(&mut self, market: MarketId, seat: SeatSlot, watch_at: Option<PriceTicks>) {
        let seat = self.open.seat_mut(seat);
        let (account, position) = (seat.account, seat.stake.position);
        let is_long = position.qty_lots > QtyLots::ZERO;
        if seat.stake.watched_at == watch_at
            && (watch_at.is_none() || seat.stake.is_watched_as_long == is_long)
        {
            return;
        }
        let watched = &mut self.watched[at(market)];
        let was_long = std::mem::replace(&mut seat.stake.is_watched_as_long, is_long);
        if let Some(before) = std::mem::replace(&mut seat.stake.watched_at, watch_at)
            && !is_never(before, was_long)
        {
            let kept = if was_long { &mut watched.longs } else { &mut watched.shorts };
            assert!(kept.remove(&(before, account)), "a position is watched where it was put");
        }
        if let Some(watch_at) = watch_at
            && !is_never(watch_at, is_long)
        {
            watched.set_of(&position).insert((watch_at, account));
        }
    }

    /// The position of an account that is watched as a long one, or as a short one. It has one of each at the most.
    pub fn watched_seat(&self, account: AccountId, market: MarketId, is_long: bool) -> Option<SeatSlot> {
        self.seats_at(account, market).find(|seat| {
            let stake = &self.open.seat(*seat).stake;
            stake.watched_at.is_some() && stake.is_watched_as_long == is_long
        })
    }

    /// What a snapshot has.
    pub fn restore_watch(&mut self, market: MarketId, seat: SeatSlot, watched_at: Option<PriceTicks>) {
        self.watch(market, seat, watched_at);
    }

    /// Whether a position is looked at from this mark price on.
    pub fn is_watched(&self, market: MarketId, from: PriceTicks, account: AccountId, is_long: bool) -> bool {
        let Watched { longs, shorts } = &self.watched[at(market)];
        is_never(from, is_long) || (if is_long { longs } else { shorts }).contains(&(from, account))
    }
}
