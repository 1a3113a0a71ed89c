//! A contract's half of what is beside its book: who has how much of it, orders that only reduce, and who takes what a
//! liquidation could not sell. Only here a quantity changes, so only here it is decided whether an order would reduce.
//! Source: semantics 2.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use model::{
    AccountId, Amount, EndReason, ExpiryReason, Forced, FromMarket, Letter, Marks, OrderId, OrderKind,
    PartitionId, PositionSide, PriceTicks, QtyLots, Reject, Side, ToHolder, ToMarket,
};
use orderbook::fetch_ahead;

use crate::mark_price::Pricing;
use crate::market::Desk;

/// Quantities by account, in pages, so that they are found without a search and passed through in the order of accounts.
#[derive(Default)]
pub struct Quantities {
    pages: Vec<Option<Box<[QtyLots; Self::PAGE]>>>,
}

impl Quantities {
    const PAGE: usize = 256;

    fn place(account: AccountId) -> (usize, usize) {
        let account = usize::try_from(account.0).expect("accounts fit into memory");
        (account / Self::PAGE, account % Self::PAGE)
    }

    /// How much an account has; below zero it is short.
    #[inline]
    pub fn of(&self, account: AccountId) -> QtyLots {
        let (page, at) = Self::place(account);
        self.pages.get(page).and_then(Option::as_ref).map_or(QtyLots::ZERO, |page| page[at])
    }

    /// Asks for the memory that [`Self::of`] will look into.
    #[inline]
    pub fn fetch_ahead(&self, account: AccountId) {
        let (page, at) = Self::place(account);
        if let Some(page) = self.pages.get(page).and_then(Option::as_ref) {
            fetch_ahead(&page[at]);
        }
    }

    #[inline]
    fn change(&mut self, account: AccountId, by: QtyLots) {
        let (page, at) = Self::place(account);
        if self.pages.len() <= page {
            self.pages.resize_with(page.saturating_add(1), || None);
        }
        self.pages[page].get_or_insert_with(|| Box::new([QtyLots::ZERO; Self::PAGE]))[at] += by;
    }

    /// What a snapshot has.
    pub fn restore(&mut self, account: AccountId, qty: QtyLots) {
        self.change(account, qty);
    }

    /// Those from this account on who have any, in the order of accounts.
    pub fn from(&self, first: AccountId) -> impl Iterator<Item = (AccountId, QtyLots)> {
        let (first_page, first_at) = Self::place(first);
        let pages = self.pages.iter().enumerate().skip(first_page);
        let held = pages.filter_map(|(at, page)| Some((at, page.as_ref()?)));
        let all = held.flat_map(move |(page, held)| {
            let skipped = if page == first_page { first_at } else { 0 };
            let first = page.saturating_mul(Self::PAGE);
            let numbered = held.iter().enumerate().skip(skipped);
            numbered.map(move |(at, qty)| (first.saturating_add(at), *qty))
        });
        all.filter(|(_, qty)| !qty.is_zero())
            .map(|(account, qty)| (AccountId(u64::try_from(account).expect("fits")), qty))
    }
}

/// What a liquidation could not sell, until somebody has taken it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeOver {
    /// Whose it is.
    pub account: AccountId,
    /// Which of its positions.
    pub position_side: PositionSide,
    /// Its bankruptcy price.
    pub price_ticks: PriceTicks,
    /// What is left of it.
    pub qty_lots: QtyLots,
    /// Partitions that have not told yet who is deleveraged first there.
    pub asked: BTreeSet<PartitionId>,
    /// The first one so far: by score, then by size, then the older account.
    pub winner: Option<(i128, QtyLots, std::cmp::Reverse<AccountId>)>,
}

/// A settlement of funding that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// What it takes, of which values.
    pub rate: model::FundingRate,
    pub mark_ticks: PriceTicks,
    /// Accounts before this one have had their turn.
    pub next: AccountId,
    /// Those behind whose positions have changed meanwhile: they have had their turn before that.
    pub early: BTreeSet<AccountId>,
    /// Collected, and not paid out; below zero paid out first.
    pub collected: Amount,
}

/// What a contract is beside its book.
#[derive(Default)]
pub struct Holders {
    /// In one-way mode.
    pub quantities: Quantities,
    /// In hedge mode: of the long positions, and of the short ones, which are below zero.
    pub legs: [Quantities; 2],
    /// Accounts whose last order here was one of hedge mode, and so are all that rest: an account with orders keeps its mode.
    pub hedgers: BTreeSet<AccountId>,
    /// Which position the order is for that is trading.
    pub arriving: PositionSide,
    /// Accounts' resting orders that only reduce, and perhaps some that are gone since.
    pub reducing: BTreeMap<AccountId, Vec<OrderId>>,
    /// Accounts with such orders whose quantity has changed just now.
    pub to_keep: Vec<AccountId>,
    /// In the order in which they came; only of the first anybody is asked.
    pub take_overs: VecDeque<TakeOver>,
    pub pricing: Pricing,
    pub settlement: Option<Settlement>,
}

impl Holders {
    /// The quantity that an order of this side would close; zero where it would open.
    pub fn closable(&self, account: AccountId, side: Side) -> QtyLots {
        self.closable_of((account, self.closed_by(account, side)), side)
    }

    fn closable_of(&self, (account, position_side): (AccountId, PositionSide), side: Side) -> QtyLots {
        let held = self.held(account, position_side);
        match side {
            Side::Buy => (-held).max(QtyLots::ZERO),
            Side::Sell => held.max(QtyLots::ZERO),
        }
    }

    /// The sum of all long positions, which is that of all short ones.
    pub fn open_interest(&self) -> QtyLots {
        let held = self.all_from(AccountId(0));
        held.fold(QtyLots::ZERO, |sum, (_, qty)| sum + qty.max(QtyLots::ZERO))
    }

    /// How much an account has of a position; below zero it is short.
    #[inline]
    pub fn held(&self, account: AccountId, position_side: PositionSide) -> QtyLots {
        match position_side {
            PositionSide::Both => self.quantities.of(account),
            PositionSide::Long => self.legs[0].of(account),
            PositionSide::Short => self.legs[1].of(account),
        }
    }

    fn change(&mut self, account: AccountId, position_side: PositionSide, by: QtyLots) {
        match position_side {
            PositionSide::Both => self.quantities.change(account, by),
            PositionSide::Long => self.legs[0].change(account, by),
            PositionSide::Short => self.legs[1].change(account, by),
        }
    }

    /// All positions of accounts from this one on; an account in hedge mode may have two.
    pub fn all_from(&self, first: AccountId) -> impl Iterator<Item = (AccountId, QtyLots)> {
        let [long, short] = &self.legs;
        self.quantities.from(first).chain(long.from(first)).chain(short.from(first))
    }

    #[inline]
    fn is_hedger(&self, account: AccountId) -> bool {
        !self.hedgers.is_empty() && self.hedgers.contains(&account)
    }

    /// Which position of an account an order of this side closes that does not open any, as its account sees it
    /// ([`crate::futures::Futures::side_closed_by`]).
    fn closed_by(&self, account: AccountId, side: Side) -> PositionSide {
        if !self.is_hedger(account) {
            return PositionSide::Both;
        }
        let leg = PositionSide::of_hedge(side, true);
        let closes = |position_side| !self.closable_of((account, position_side), side).is_zero();
        if !closes(leg) && closes(PositionSide::Both) { PositionSide::Both } else { leg }
    }

    /// Which position a resting order is for.
    pub fn resting_for(&self, account: AccountId, order: OrderId, side: Side) -> PositionSide {
        if !self.is_hedger(account) {
            return PositionSide::Both;
        }
        let closes = self.reducing.get(&account).is_some_and(|orders| orders.contains(&order));
        PositionSide::of_hedge(side, closes)
    }

    /// An order arrives, and says by its position in which mode its account is.
    pub fn arrives(&mut self, account: AccountId, position_side: PositionSide) {
        self.arriving = position_side;
        if position_side != PositionSide::Both {
            self.hedgers.insert(account);
        } else if self.is_hedger(account) {
            self.hedgers.remove(&account);
        }
    }
}

/// `kind` for another quantity.
fn cut_to(kind: OrderKind, qty_lots: QtyLots) -> OrderKind {
    match kind {
        OrderKind::Limit { price_ticks, time_in_force, .. } => {
            OrderKind::Limit { price_ticks, qty_lots, time_in_force }
        }
        OrderKind::LimitMaker { price_ticks, .. } => OrderKind::LimitMaker { price_ticks, qty_lots },
        OrderKind::Market { .. } => OrderKind::Market { qty_lots },
        OrderKind::MarketQuote { .. } | OrderKind::StopMarket { .. } | OrderKind::StopLimit { .. } => kind,
    }
}

impl Desk<'_> {
    pub fn holders(&mut self) -> &mut Holders {
        self.listed.holders.as_mut().expect("only contracts are told so")
    }

    /// What an order of this side and quantity does to a position of an account.
    #[inline(never)]
    pub fn change_quantity(
        &mut self,
        account: AccountId,
        position_side: PositionSide,
        side: Side,
        qty: QtyLots,
    ) {
        self.settle_before(account);
        let by = match side {
            Side::Buy => qty,
            Side::Sell => -qty,
        };
        let holders = self.holders();
        holders.change(account, position_side, by);
        if !holders.reducing.is_empty() && holders.reducing.contains_key(&account) {
            holders.to_keep.push(account);
        }
    }

    /// As [`Self::keep_reducing`], for all accounts whose quantity has changed.
    #[inline(never)]
    pub fn keep_all_reducing(&mut self) {
        for account in std::mem::take(&mut self.holders().to_keep) {
            self.keep_reducing(account);
        }
    }

    /// The quantity to which an order is cut that only reduces.
    pub fn reducible(
        &mut self,
        whose: (AccountId, PositionSide),
        side: Side,
        kind: OrderKind,
    ) -> Result<OrderKind, Reject> {
        let closable = self.holders().closable_of(whose, side);
        let qty = kind.qty_lots().expect("an order at a contract has a quantity");
        if closable.is_zero() {
            return Err(Reject::NothingToReduce);
        }
        Ok(cut_to(kind, qty.min(closable)))
    }

    /// An order rests that only reduces.
    pub fn rests_to_reduce(&mut self, account: AccountId, order: OrderId) {
        let slot = self.orders.find(order).expect("it rests");
        self.orders[slot].marks = self.orders[slot].marks.with(Marks::REDUCES);
        let orders = &*self.orders;
        let resting =
            self.listed.holders.as_mut().expect("only contracts do").reducing.entry(account).or_default();
        resting.retain(|order| orders.find(*order).is_some());
        resting.push(order);
        self.keep_reducing(account);
    }

    /// An account's orders that only reduce come to no more than its position: the worst priced are cut, of equal ones the newest.
    pub fn keep_reducing(&mut self, account: AccountId) {
        let Some(mut resting) = self.holders().reducing.remove(&account) else { return };
        resting.retain(|order| self.orders.find(*order).is_some());
        // The worst one first.
        let orders = &*self.orders;
        let worse = |order: &OrderId| {
            let resting = &orders[orders.find(*order).expect("seen just now")];
            let distance = match resting.side {
                Side::Buy => -resting.price_ticks,
                Side::Sell => resting.price_ticks,
            };
            std::cmp::Reverse((distance, *order))
        };
        resting.sort_by_key(worse);
        let mut open: [(Side, QtyLots); 2] = [(Side::Buy, QtyLots::ZERO), (Side::Sell, QtyLots::ZERO)];
        for order in &resting {
            let order = &self.orders[self.orders.find(*order).expect("seen just now")];
            for (side, sum) in &mut open {
                if *side == order.side {
                    *sum += order.open_lots;
                }
            }
        }
        for (side, sum) in open {
            let mut excess = sum - self.holders().closable(account, side).min(sum);
            for order in &resting {
                let slot = self.orders.find(*order).expect("each is looked at once");
                let (open_lots, qty_lots) = (self.orders[slot].open_lots, self.orders[slot].qty_lots);
                if excess.is_zero() || self.orders[slot].side != side {
                    continue;
                }
                let cut = excess.min(open_lots);
                excess -= cut;
                if cut == open_lots {
                    self.listed.book.cancel(self.orders, slot, self.reports);
                    self.report(None);
                    let reason = EndReason::Expired(ExpiryReason::ExchangeCanceled);
                    self.tell(account, *order, FromMarket::Ended { reason, replacement: None });
                } else {
                    self.listed.book.reduce(self.orders, slot, qty_lots - cut, self.reports);
                    self.report(None);
                    let body = FromMarket::Amended {
                        qty_lots: qty_lots - cut,
                        cut_lots: cut,
                        new_client_order_id: model::ClientOrderId::EMPTY,
                    };
                    self.tell(account, *order, body);
                }
            }
            resting.retain(|order| self.orders.find(*order).is_some());
        }
        if !resting.is_empty() {
            resting.sort_unstable();
            self.holders().reducing.insert(account, resting);
        }
    }

    pub fn tell_holder(&mut self, account: AccountId, body: ToHolder) {
        self.mail.push(Letter::ToHolder { account, market: self.market, body });
    }

    /// A liquidation could not sell so much of a position: the insurance fund is asked first.
    pub fn take_over(
        &mut self,
        (account, position_side): (AccountId, PositionSide),
        price_ticks: PriceTicks,
        qty_lots: QtyLots,
    ) {
        let (asked, winner) = (BTreeSet::new(), None);
        let take_overs = &mut self.holders().take_overs;
        take_overs.push_back(TakeOver { account, position_side, price_ticks, qty_lots, asked, winner });
        if take_overs.len() == 1 {
            self.next_take_over();
        }
    }

    /// Which way an order goes that closes the position that is taken over, and how much of it there is still.
    fn closes(&mut self, taken: &TakeOver) -> (Side, QtyLots) {
        let TakeOver { account, position_side, qty_lots, .. } = *taken;
        let held = self.holders().held(account, position_side);
        let is_long = held > QtyLots::ZERO;
        let side = position_side.closed_by().unwrap_or(if is_long { Side::Sell } else { Side::Buy });
        (side, qty_lots.min(QtyLots(held.0.saturating_abs())))
    }

    fn next_take_over(&mut self) {
        while let Some(first) = self.holders().take_overs.front().cloned() {
            let (side, qty_lots) = self.closes(&first);
            let TakeOver { account, position_side, price_ticks, .. } = first;
            if qty_lots.is_zero() {
                // It was deleveraged itself meanwhile.
                let forced = (Forced::TakenOver, side, price_ticks, qty_lots);
                self.taken((account, position_side), forced, true);
                self.holders().take_overs.pop_front();
                continue;
            }
            let fund = self.contract.expect("only contracts do").fund;
            let asked = ToHolder::CarryAsked { side: side.opposite(), price_ticks, qty_lots };
            return self.tell_holder(fund, asked);
        }
    }

    fn taken(
        &mut self,
        (account, position_side): (AccountId, PositionSide),
        (forced, side, price_ticks, qty_lots): (Forced, Side, PriceTicks, QtyLots),
        is_last: bool,
    ) {
        if !qty_lots.is_zero() {
            self.change_quantity(account, position_side, side, qty_lots);
        }
        self.tell_holder(account, ToHolder::Forced { forced, side, price_ticks, qty_lots, is_last });
        self.keep_all_reducing();
    }

    /// The insurance fund's answer.
    pub fn carries(&mut self, carries: bool) {
        let Some(first) = self.holders().take_overs.front().cloned() else { return };
        let (side, qty) = self.closes(&first);
        if !carries {
            return self.ask_winners(side.opposite());
        }
        let fund = self.contract.expect("only contracts do").fund;
        let taken = (first.account, first.position_side);
        self.taken(taken, (Forced::TakenOver, side, first.price_ticks, qty), true);
        let carries = (fund, PositionSide::Both);
        self.taken(carries, (Forced::Carried, side.opposite(), first.price_ticks, qty), false);
        self.holders().take_overs.pop_front();
        self.next_take_over();
    }

    fn ask_winners(&mut self, side: Side) {
        let asked = (0..self.partition_count).map(PartitionId).collect();
        let first = self.holders().take_overs.front_mut().expect("somebody is taken over");
        (first.asked, first.winner) = (asked, None);
        self.mail.push(Letter::WinnerAsked { market: self.market, side });
    }

    /// A partition has told who is deleveraged first there. When all have, the first of them is.
    pub fn winner(&mut self, partition: PartitionId, winner: Option<(AccountId, i128)>) {
        let Some(first) = self.holders().take_overs.front().cloned() else { return };
        let (side, missing) = self.closes(&first);
        let closes = side.opposite();
        let has = winner.map(|(account, _)| {
            let holders = self.holders();
            let held = holders.held(account, holders.closed_by(account, closes));
            QtyLots(held.0.saturating_abs())
        });
        let first = self.holders().take_overs.front_mut().expect("seen just now");
        if !first.asked.remove(&partition) {
            return;
        }
        if let (Some((account, score)), Some(has)) = (winner, has) {
            first.winner = first.winner.max(Some((score, has, std::cmp::Reverse(account))));
        }
        if !first.asked.is_empty() {
            return;
        }
        let TakeOver { account, position_side, price_ticks, winner, .. } = first.clone();
        let Some((_, _, std::cmp::Reverse(winner))) = winner else {
            // Nobody is known yet who has the other side: whoever has it will hear of it before he is asked again.
            return self.ask_winners(closes);
        };
        let qty = missing.min(self.holders().closable(winner, closes));
        let is_last = qty == missing;
        if is_last || !qty.is_zero() {
            self.taken((account, position_side), (Forced::Bankrupt, side, price_ticks, qty), is_last);
        }
        if !qty.is_zero() {
            let wins = (winner, self.holders().closed_by(winner, closes));
            self.taken(wins, (Forced::Deleveraged, closes, price_ticks, qty), false);
        }
        if is_last {
            self.holders().take_overs.pop_front();
            self.next_take_over();
        } else {
            let first = self.holders().take_overs.front_mut().expect("somebody is taken over");
            first.qty_lots = missing - qty;
            self.ask_winners(closes);
        }
    }

    /// What goes through a contract to its insurance fund.
    pub fn pay_fund(&mut self, amount: Amount) {
        let fund = self.contract.expect("only contracts do").fund;
        self.tell_holder(fund, ToHolder::FundReceives { amount });
    }

    #[inline(never)]
    pub fn receive_of_contract(&mut self, body: &ToMarket) {
        match *body {
            ToMarket::TakeOver { account, price_ticks, qty_lots } => {
                self.take_over((account, PositionSide::Both), price_ticks, qty_lots);
            }
            ToMarket::TakeOverLeg { account, position_side, price_ticks, qty_lots } => {
                self.take_over((account, position_side), price_ticks, qty_lots);
            }
            ToMarket::PayFund { amount } => self.pay_fund(amount),
            ToMarket::Carries { carries } => self.carries(carries),
            ToMarket::Winner { partition, winner } => self.winner(partition, winner),
            ToMarket::Place(_)
            | ToMarket::Cancel { .. }
            | ToMarket::Amend { .. }
            | ToMarket::Held { .. }
            | ToMarket::Modify { .. }
            | ToMarket::Expire { .. }
            | ToMarket::PlaceContract(_) => unreachable!("books are asked elsewhere"),
        }
    }
}
