//! The accounts' half of perpetual contracts: what backs positions, what positions have cost, what open orders reserve, and
//! whose margin has to be looked at when a mark price changes. Source: semantics 2 and 8.
//!
//! All positions of an account that are settled in one asset are backed by one wallet (cross margin), but for isolated ones, each
//! of which has margin of its own: a wallet that backs nothing else (see `isolated.rs`). How wallets stand is in `standing.rs`,
//! from which mark prices on they have to be looked at in `watch.rs`.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroU64;

use ledger::{Ledger, WalletSlot};
use margin::{MicroAtoms, OpenOrders as OrderValues, Position};
use model::{
    AccountId, Amount, AssetId, ContractTerms, Event, MarketId, MarketTerms, MoveFunds, PositionSide,
    PriceTicks, QtyLots, Reject, Side, Wallet,
};

use crate::accounts::Accounts;
use crate::algo_book::Algos;
use crate::catalog::Catalog;
use crate::countdown::Countdowns;
use crate::good_till_date::GoodTill;
use crate::liquidation::{Liquidation, Ranking};
use crate::modify_contract::Modifications;
use crate::open_orders::{OpenOrders, SeatSlot};
use crate::standing::{Counted, Sums};
use crate::watch::{Watched, Watches};

/// What an account has at a contract: its position in one-way mode, or one of the two in hedge mode.
#[derive(Clone, Debug)]
pub struct Stake {
    /// The account's, of what it is settled in.
    pub wallet: WalletSlot,
    /// What backs the position instead, where it is isolated.
    pub margin: Option<WalletSlot>,
    pub position: Position,
    /// Which one it is.
    pub position_side: PositionSide,
    /// Where the two are that the account has in hedge mode: the long one, the short one. Only the seat of the one-way position knows.
    pub legs: Option<[SeatSlot; 2]>,
    /// For open orders.
    pub reserved: Reserved,
    /// 0 where the account has chosen none.
    pub chosen_leverage: u16,
    /// The mark price from which on the wallet has to be looked at: at or below it for a long position, at or above it for a
    /// short one.
    pub watched_at: Option<PriceTicks>,
    /// Whether the position was long when that was set: it may have turned since.
    pub is_watched_as_long: bool,
    /// What it was counted with when its account's wallet was last summed up.
    pub counted: Counted,
    /// Where it counts with something else since: the next one in its wallet's list of those. The last one names itself.
    pub next_changed: Option<SeatSlot>,
    /// Where the position has changed since it was last seen whether it is watched early enough: the next one in the list of what
    /// backs it. The last one names itself.
    pub next_moved: Option<SeatSlot>,
}

impl Stake {
    /// Nothing yet.
    pub fn new(wallet: WalletSlot, position_side: PositionSide) -> Self {
        Self {
            wallet,
            margin: None,
            position: Position::NONE,
            position_side,
            legs: None,
            reserved: Reserved::default(),
            chosen_leverage: 0,
            watched_at: None,
            is_watched_as_long: false,
            counted: Counted::default(),
            next_changed: None,
            next_moved: None,
        }
    }

    pub fn leverage(&self, contract: &ContractTerms) -> u16 {
        if self.chosen_leverage == 0 { contract.default_leverage } else { self.chosen_leverage }
    }
}

/// What open orders at a contract could lead to, as counted when each was placed. Of orders that only reduce nothing counts but what
/// they would lose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    /// Their values.
    pub values: OrderValues,
    /// What those would lose at once that are beyond the mark price.
    pub losses: Amount,
    /// What those that buy are for.
    pub bid_lots: QtyLots,
    /// What those that sell are for.
    pub ask_lots: QtyLots,
}

impl Reserved {
    /// So many lots of an order more, or fewer.
    #[inline]
    pub fn change(&mut self, terms: &MarketTerms, side: Side, reserve: Reserve, qty: QtyLots) {
        if !reserve.loss_ticks.is_zero() {
            self.losses += terms.notional(reserve.loss_ticks, qty);
        }
        if reserve.only_reduces() {
            return;
        }
        let value = terms.notional(reserve.value_ticks, qty);
        let (values, lots) = match side {
            Side::Buy => (&mut self.values.bids, &mut self.bid_lots),
            Side::Sell => (&mut self.values.asks, &mut self.ask_lots),
        };
        *values += value;
        *lots += qty;
    }

    /// With so many lots of an order more.
    #[must_use]
    pub fn with(mut self, terms: &MarketTerms, side: Side, reserve: Reserve, qty: QtyLots) -> Self {
        self.change(terms, side, reserve, qty);
        self
    }

    /// Without so many lots of an order.
    #[must_use]
    pub fn without(self, terms: &MarketTerms, side: Side, reserve: Reserve, qty: QtyLots) -> Self {
        self.with(terms, side, reserve, -qty)
    }
}

/// What is reserved for an open order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// The price at which each lot of it counts; zero of an order that only reduces.
    pub value_ticks: PriceTicks,
    /// How much worse than the mark price its price was.
    pub loss_ticks: PriceTicks,
    /// What can still trade of it.
    pub left_lots: QtyLots,
}

impl Reserve {
    /// Of an order of a liquidation, whose account may lose all that it has.
    pub const fn none(left_lots: QtyLots) -> Self {
        Self { value_ticks: PriceTicks::ZERO, loss_ticks: PriceTicks::ZERO, left_lots }
    }

    /// It counts with no value.
    #[inline]
    pub fn only_reduces(self) -> bool {
        self.value_ticks.is_zero()
    }
}

/// Which mark prices and terms something was counted with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stamp(NonZeroU64);

impl Default for Stamp {
    fn default() -> Self {
        Self(NonZeroU64::MIN)
    }
}

/// What a wallet backs: three lines of memory.
#[derive(Default)]
#[repr(align(64))]
pub struct Backs {
    /// Where, by market. The account's wallet lists isolated positions too, since their orders take from it.
    pub seats: Vec<(MarketId, SeatSlot)>,
    /// How far its liquidation is, while it is liquidated.
    pub liquidation: Option<Box<Liquidation>>,
    /// What those come to.
    pub sums: Sums,
    /// How early the positions among those are watched.
    pub watches: Watches,
}

/// The positions, wallets and open orders at contracts of all accounts of a partition.
#[derive(Default)]
pub struct Futures {
    pub open: OpenOrders<Stake, Reserve>,
    /// Accounts in hedge mode.
    pub hedgers: BTreeSet<AccountId>,
    /// By wallet.
    pub backs: Vec<Backs>,
    /// By market: the mark price that was heard of last; zero of spot markets.
    pub marks: Vec<PriceTicks>,
    /// Another one with every change of a mark price or of terms.
    pub stamp: Stamp,
    /// By market.
    pub watched: Vec<Watched>,
    /// Wallets of which something has changed in this command.
    pub touched: Vec<WalletSlot>,
    /// Wallets with seats that count with something else since this command.
    pub unsummed: Vec<WalletSlot>,
    /// Wallets that have too little left, in the order in which that was found.
    pub in_danger: VecDeque<WalletSlot>,
    /// Wallets that owe something, and have no position that could still win it.
    pub in_debt: Vec<WalletSlot>,
    /// Contracts whose mark price has changed, where not all were looked at whom that concerns.
    pub changed: BTreeSet<MarketId>,
    /// Who is deleveraged next, while the mark price stays as it is.
    pub ranking: Option<Ranking>,
    /// Contracts that wait to be told who is deleveraged next, and which way an order goes that closes his position.
    pub winners_asked: VecDeque<(MarketId, Side)>,
    /// What waits for a price.
    pub algos: Algos,
    /// Orders whose markets have not answered to a modification.
    pub modifying: Modifications,
    /// Orders that are good till a date.
    pub good_till: GoodTill,
    /// What waits for a time.
    pub countdowns: Countdowns,
}

pub fn at(market: MarketId) -> usize {
    usize::try_from(market.0).expect("markets fit into memory")
}

impl Futures {
    /// Makes room for the next market; of a contract this is its first mark price.
    pub fn add_market(&mut self, mark: PriceTicks) {
        self.marks.push(mark);
        self.watched.push(Watched::default());
    }

    /// What positions of a contract are measured by.
    #[inline]
    pub fn mark(&self, market: MarketId) -> PriceTicks {
        self.marks[at(market)]
    }

    /// What a wallet backs.
    pub fn backs(&self, wallet: WalletSlot) -> Option<&Backs> {
        self.backs.get(wallet.index())
    }

    pub fn backs_mut(&mut self, wallet: WalletSlot) -> &mut Backs {
        while self.backs.len() <= wallet.index() {
            self.backs.push(Backs::default());
        }
        &mut self.backs[wallet.index()]
    }

    pub fn is_in_liquidation(&self, wallet: WalletSlot) -> bool {
        self.backs(wallet).is_some_and(|backs| backs.liquidation.is_some())
    }

    /// The liquidation of a wallet goes on, in its turn; nothing happens when it is not liquidated.
    pub fn resume(&mut self, wallet: WalletSlot) {
        if let Some(liquidation) =
            self.backs.get_mut(wallet.index()).and_then(|backs| backs.liquidation.as_mut())
            && !std::mem::replace(&mut liquidation.is_queued, true)
        {
            self.in_danger.push_back(wallet);
        }
    }

    /// Remembers that something has changed that the wallet backs.
    #[inline]
    pub fn touch(&mut self, wallet: WalletSlot) {
        if self.touched.last() != Some(&wallet) {
            self.touched.push(wallet);
        }
    }

    /// A new mark price: whoever is concerned by it will be looked at.
    pub fn hear_mark(&mut self, market: MarketId, mark: PriceTicks) {
        if self.marks[at(market)] != mark {
            self.marks[at(market)] = mark;
            self.next_stamp();
        }
        self.ranking.take_if(|ranking| ranking.market == market);
        if self.watched[at(market)].first_at(mark).is_some() {
            self.changed.insert(market);
        }
    }

    /// What wallets were summed up with is so no more.
    fn next_stamp(&mut self) {
        self.stamp = Stamp(self.stamp.0.checked_add(1).expect("fewer than 2^64 changes"));
    }

    /// A contract has other terms: whoever has a position there is looked at, as if its mark price had changed.
    pub fn terms_changed(&mut self, market: MarketId, ledger: &Ledger) {
        self.next_stamp();
        let positions: Vec<WalletSlot> = ledger
            .wallets()
            .map(|(wallet, _)| wallet)
            .filter(|wallet| {
                let seats = self.backs(*wallet).into_iter().flat_map(|backs| &backs.seats);
                seats
                    .clone()
                    .filter(|(at, _)| *at == market)
                    .map(|(_, seat)| &self.open.seat(*seat).stake)
                    .any(|stake| stake.backing() == *wallet && !stake.position.is_none())
            })
            .collect();
        self.touched.extend(positions);
    }

    /// Looks at a wallet of which something has changed: one that has too little left is in danger, and of another one it is
    /// remembered from which mark prices on it has to be looked at again.
    fn look_at(&mut self, catalog: &Catalog, ledger: &Ledger, wallet: WalletSlot) {
        if self.is_in_liquidation(wallet) {
            // Nobody looks until it is over, and then at all of it.
            self.forget_watches(wallet);
            return;
        }
        self.sum_up(catalog, wallet);
        let standing = self.standing(catalog, ledger, wallet);
        let account = ledger.wallet(wallet).account;
        let is_fund = catalog.is_fund(account);
        if standing.counted.positions == 0 && standing.equity < Amount::ZERO && !is_fund {
            self.in_debt.push(wallet);
        }
        if standing.is_liquidatable() && !is_fund {
            self.backs_mut(wallet).liquidation = Some(Box::new(Liquidation::new()));
            self.resume(wallet);
        }
        if is_fund || self.is_in_liquidation(wallet) {
            return self.watch_nothing(wallet);
        }
        let share = (MicroAtoms::from_atoms(standing.equity) - standing.counted.maintenance)
            .0
            .checked_div(standing.counted.positions.max(1).into())
            .expect("a divisor above zero");
        self.watch_all(catalog, wallet, MicroAtoms(share));
    }

    /// True while somebody has to be looked at.
    #[inline]
    pub fn has_work(&self) -> bool {
        !self.touched.is_empty()
            || !self.in_danger.is_empty()
            || !self.changed.is_empty()
            || !self.winners_asked.is_empty()
            || self.algos.has_work()
    }

    /// Looks at the wallets of which something has changed in this command.
    pub fn look_at_touched(&mut self, catalog: &Catalog, ledger: &Ledger) {
        let mut touched = std::mem::take(&mut self.touched);
        for wallet in touched.drain(..) {
            self.look_at(catalog, ledger, wallet);
        }
        self.touched = touched;
    }

    /// Looks at positions that mark prices concern, no more than `budget` of them. Returns what is left of that.
    pub fn look_at_changed(&mut self, catalog: &Catalog, ledger: &Ledger, mut budget: u32) -> u32 {
        while let Some(market) = self.changed.first().copied() {
            let Some((account, is_long)) = self.watched[at(market)].first_at(self.mark(market)) else {
                self.changed.remove(&market);
                continue;
            };
            if budget == 0 {
                break;
            }
            budget = budget.saturating_sub(1);
            let seat = self.watched_seat(account, market, is_long).expect("a position has a seat");
            let wallet = self.open.seat(seat).stake.backing();
            self.look_at(catalog, ledger, wallet);
        }
        budget
    }
}

/// The terms of a contract that is listed.
pub fn contract_of(catalog: &Catalog, market: MarketId) -> (&MarketTerms, &ContractTerms) {
    let terms = catalog.market(market).expect("a position is at a listed market");
    (terms, catalog.contract(market).expect("a position is at a contract"))
}

impl Accounts {
    /// Moves money between the two wallets of an account.
    pub fn move_funds(
        &mut self,
        catalog: &Catalog,
        moves: &MoveFunds,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        let MoveFunds { account, asset, amount, to, .. } = *moves;
        self.account(account)?;
        catalog.asset(asset)?;
        if amount <= Amount::ZERO {
            return Err(Reject::AmountNotPositive { amount });
        }
        let signed = match to {
            Wallet::Futures => {
                let available = self
                    .ledger
                    .balances_of(account)
                    .find(|balance| balance.asset == asset)
                    .map_or(Amount::ZERO, |balance| balance.free);
                if available < amount {
                    return Err(Reject::InsufficientBalance { needed: amount, available });
                }
                amount
            }
            Wallet::Spot => {
                let wallet = self.ledger.find_wallet(account, asset);
                let available = wallet.map_or(Amount::ZERO, |wallet| {
                    let standing = self.futures.standing(catalog, &self.ledger, wallet);
                    standing.available(self.ledger.wallet(wallet).amount)
                });
                if wallet.is_some_and(|wallet| self.futures.is_in_liquidation(wallet)) {
                    return Err(Reject::InLiquidation);
                }
                if available < amount {
                    return Err(Reject::WalletShort { available });
                }
                -amount
            }
        };
        let slot = self.ledger.slot(account, asset);
        let wallet = self.ledger.wallet_slot(account, asset);
        self.ledger.move_funds(slot, wallet, signed);
        self.futures.touch(wallet);
        let left = self.ledger.wallet(wallet).amount;
        events.push(Event::FundsMoved(model::FundsMoved { account, asset, amount: signed, wallet: left }));
        Ok(())
    }

    /// The account's seat at a contract; it takes one where it has none.
    pub fn take_contract_seat(&mut self, account: AccountId, market: MarketId, asset: AssetId) -> SeatSlot {
        if let Some(seat) = self.futures.open.find_seat(account, market) {
            return seat;
        }
        let wallet = self.ledger.wallet_slot(account, asset);
        let seat = self.futures.open.add_seat(account, market, Stake::new(wallet, PositionSide::Both));
        let seats = &mut self.futures.backs_mut(wallet).seats;
        let before = seats.partition_point(|(other, _)| *other < market);
        seats.insert(before, (market, seat));
        seat
    }
}
