//! How wallets stand at the present mark prices: what positions have won or lost, what must be left of them, what positions and
//! open orders take.
//!
//! It is asked for with every order and every fill, and an account may have something at many contracts. So each seat remembers
//! what it was counted with, each wallet the sum of that, and only what has changed since is counted anew, at the end of the command that has changed it. Sums are as of a
//! stamp, which changes with every mark price and all terms: behind that a wallet is summed up in full when it is next needed,
//! which may be never, so a mark price costs nothing here. None of it is in a snapshot.

use ledger::{Ledger, WalletSlot};
use margin::{MicroAtoms, initial_margin, maintenance_margin, total_initial_margin};
use model::{Amount, ContractTerms, MarketId};

use crate::catalog::Catalog;
use crate::futures::{Futures, Reserved, Stake, Stamp, contract_of};
use crate::open_orders::{Seat, SeatSlot};

/// How a wallet stands at the present mark prices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Wallet and unrealised profits.
    pub equity: Amount,
    pub counted: Counted,
}

/// What of that a seat counts with, or all seats of a wallet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// What the positions would win or lose if they were closed at their mark prices.
    pub unrealized: Amount,
    /// What must be left.
    pub maintenance: MicroAtoms,
    /// What positions and open orders take.
    pub required: Amount,
    /// What open orders would lose at once, which is a part of that.
    pub losses: Amount,
    /// How many positions there are.
    pub positions: u32,
}

impl Counted {
    fn with(self, other: Self) -> Self {
        Self {
            unrealized: self.unrealized + other.unrealized,
            maintenance: self.maintenance + other.maintenance,
            required: self.required + other.required,
            losses: self.losses + other.losses,
            positions: self.positions.saturating_add(other.positions),
        }
    }

    /// With what one of them counts with now instead of what it counted with before.
    #[inline]
    fn replaced(self, before: &Self, now: &Self) -> Self {
        let others = self.positions.checked_sub(before.positions).expect("what is counted is in the sum");
        Self {
            unrealized: self.unrealized + (now.unrealized - before.unrealized),
            maintenance: self.maintenance + (now.maintenance - before.maintenance),
            required: self.required + (now.required - before.required),
            losses: self.losses + (now.losses - before.losses),
            positions: others.saturating_add(now.positions),
        }
    }
}

impl Standing {
    /// Semantics 2: too little is left when it is no more than the maintenance margin.
    pub fn is_liquidatable(&self) -> bool {
        self.counted.positions > 0 && margin::is_liquidatable(self.equity, self.counted.maintenance)
    }

    /// What can be taken out of the wallet: unrealised profits back positions, but cannot be taken out.
    pub fn available(&self, wallet: Amount) -> Amount {
        (wallet + self.counted.unrealized.min(Amount::ZERO) - self.counted.required).max(Amount::ZERO)
    }
}

/// What the seats of an account's wallet were counted with when it was last summed up.
#[derive(Default)]
pub struct Sums {
    counted: Counted,
    /// When that was; `None` before the first time, and of margins of isolated positions, which need no sums.
    stamp: Option<Stamp>,
    /// The first of the seats that count with something else since. Each knows the next, so that no memory is looked into but
    /// that of the wallet and of the seats.
    changed: Option<SeatSlot>,
}

impl Futures {
    /// What a position and the open orders beside it take of the account's wallet, with what the orders would lose at once. What an
    /// isolated position takes is not in the wallet any more.
    pub fn required(
        &self,
        catalog: &Catalog,
        market: MarketId,
        stake: &Stake,
        reserved: &Reserved,
    ) -> Amount {
        let (terms, contract) = contract_of(catalog, market);
        required_at(contract, stake, stake.position.value(terms, self.mark(market)), reserved)
    }

    /// As [`Self::required`], for the orders that there are.
    #[inline]
    pub fn required_now(&self, catalog: &Catalog, market: MarketId, stake: &Stake) -> Amount {
        let is_counted = stake.next_changed.is_none()
            && self.backs(stake.wallet).is_some_and(|backs| backs.sums.stamp == Some(self.stamp));
        if is_counted {
            stake.counted.required
        } else {
            self.required(catalog, market, stake, &stake.reserved)
        }
    }

    /// A seat's stake, to be changed: what it counts with is counted anew when its wallet is looked at.
    #[inline]
    pub fn stake_mut(&mut self, seat: SeatSlot) -> &mut Stake {
        let stake = &mut self.open.seat_mut(seat).stake;
        if stake.next_changed.is_none() {
            let backs = &mut self.backs[stake.wallet.index()];
            stake.next_changed = Some(backs.sums.changed.replace(seat).unwrap_or(seat));
            self.unsummed.push(stake.wallet);
        }
        stake
    }

    /// At the end of a command its seats are counted that have changed: they are at hand now, and will not be when their wallet
    /// is asked for again. Wallets that were summed up at other mark prices wait for that.
    #[inline]
    pub fn sum_up_changed(&mut self, catalog: &Catalog) {
        while let Some(wallet) = self.unsummed.pop() {
            if self.backs[wallet.index()].sums.stamp == Some(self.stamp) {
                self.sum_up(catalog, wallet);
            }
        }
    }

    /// What a seat counts with for a wallet: its position for that which backs it, and what it takes for its account's.
    fn count(&self, catalog: &Catalog, seat: &Seat<Stake>, wallet: WalletSlot) -> Counted {
        let (market, stake) = (seat.market, &seat.stake);
        let mut counted = Counted::default();
        let has_position = !stake.position.is_none();
        // Without orders nothing is reserved.
        if !has_position && stake.reserved == Reserved::default() {
            return counted;
        }
        let (terms, contract) = contract_of(catalog, market);
        let value = stake.position.value(terms, self.mark(market));
        if has_position && stake.backing() == wallet {
            counted.unrealized = value - stake.position.cost;
            counted.maintenance = maintenance_margin(contract, Amount(value.0.abs()));
            counted.positions = 1;
        }
        if stake.wallet == wallet {
            counted.required = required_at(contract, stake, value, &stake.reserved);
            counted.losses = stake.reserved.losses;
        }
        counted
    }

    /// All that a wallet's seats count with, seat by seat.
    fn count_all(&self, catalog: &Catalog, wallet: WalletSlot) -> Counted {
        let seats = self.backs(wallet).into_iter().flat_map(|backs| &backs.seats);
        seats.fold(Counted::default(), |sum, (_, seat)| {
            sum.with(self.count(catalog, self.open.seat(*seat), wallet))
        })
    }

    /// How a wallet stands.
    pub fn standing(&self, catalog: &Catalog, ledger: &Ledger, wallet: WalletSlot) -> Standing {
        let sums = self.backs(wallet).map(|backs| &backs.sums);
        let counted = match sums.filter(|sums| sums.stamp == Some(self.stamp)) {
            Some(sums) => self.changed_of(sums).fold(sums.counted, |sum, seat| {
                let seat = self.open.seat(seat);
                sum.replaced(&seat.stake.counted, &self.count(catalog, seat, wallet))
            }),
            None => self.count_all(catalog, wallet),
        };
        Standing { equity: ledger.wallet(wallet).amount + counted.unrealized, counted }
    }

    /// The seats of a wallet that count with something else than is in its sums.
    fn changed_of(&self, sums: &Sums) -> impl Iterator<Item = SeatSlot> {
        std::iter::successors(sums.changed, |seat| self.after_changed(*seat))
    }

    /// The seat behind this one in the list of those that have changed.
    #[inline]
    fn after_changed(&self, seat: SeatSlot) -> Option<SeatSlot> {
        self.open.seat(seat).stake.next_changed.filter(|next| *next != seat)
    }

    /// Brings a wallet's sums up to date, so that asking how it stands costs little.
    pub fn sum_up(&mut self, catalog: &Catalog, wallet: WalletSlot) {
        let stamp = Some(self.stamp);
        let Some(backs) = self.backs.get_mut(wallet.index()) else { return };
        if backs.sums.stamp == stamp && backs.sums.changed.is_none() {
            return;
        }
        let is_margin = |(_, seat): &(MarketId, SeatSlot)| self.open.seat(*seat).stake.wallet != wallet;
        if backs.seats.len() < 2 && backs.seats.first().is_none_or(is_margin) {
            return;
        }
        let (mut counted, mut changed) = (backs.sums.counted, backs.sums.changed);
        if backs.sums.stamp == stamp {
            while let Some(seat) = changed {
                changed = self.after_changed(seat);
                let before = self.open.seat(seat).stake.counted;
                counted = counted.replaced(&before, &self.count_seat(catalog, seat, wallet));
            }
        } else {
            counted = Counted::default();
            for at in 0..self.backs[wallet.index()].seats.len() {
                let seat = self.backs[wallet.index()].seats[at].1;
                counted = counted.with(self.count_seat(catalog, seat, wallet));
            }
        }
        self.backs[wallet.index()].sums = Sums { counted, stamp, changed: None };
    }

    /// Counts a seat anew, and remembers with what.
    fn count_seat(&mut self, catalog: &Catalog, seat: SeatSlot, wallet: WalletSlot) -> Counted {
        let counted = self.count(catalog, self.open.seat(seat), wallet);
        let stake = &mut self.open.seat_mut(seat).stake;
        (stake.counted, stake.next_changed) = (counted, None);
        counted
    }

    /// Panics where a wallet's sums are not what its seats come to.
    pub(crate) fn assert_summed(&self, catalog: &Catalog, ledger: &Ledger, wallet: WalletSlot) {
        let standing = self.standing(catalog, ledger, wallet);
        assert_eq!(
            standing.counted,
            self.count_all(catalog, wallet),
            "a wallet's sums are what its seats come to"
        );
        let Some(backs) = self.backs(wallet) else { return };
        for (_, slot) in &backs.seats {
            let stake = &self.open.seat(*slot).stake;
            let is_listed = self.changed_of(&backs.sums).any(|changed| changed == *slot);
            let is_known = stake.wallet != wallet || stake.next_changed.is_some() == is_listed;
            assert!(is_known, "a wallet knows which of its seats have changed");
        }
    }
}

/// As [`Futures::required`], where the position is worth `value`.
#[inline]
pub fn required_at(contract: &ContractTerms, stake: &Stake, value: Amount, reserved: &Reserved) -> Amount {
    let leverage = stake.leverage(contract);
    let required = total_initial_margin(value, reserved.values, leverage) + reserved.losses;
    match stake.margin {
        Some(_) => required - initial_margin(Amount(value.0.abs()), leverage),
        None => required,
    }
}
