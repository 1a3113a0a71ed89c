//! What is always true of contracts between two commands, looked at in full.

use std::collections::BTreeMap;

use margin::{MicroAtoms, maintenance_margin};
use model::{
    AccountId, Amount, AssetId, MarketId, Marks, PositionMode, PositionSide, PriceTicks, QtyLots, Side,
};

use crate::Partition;
use crate::futures::{Reserved, Stake, contract_of};
use crate::modify_contract::Modifying;
use crate::open_orders::{Named, Seat};

impl Partition {
    /// Panics with the sentence of the first invariant that does not hold. Returns how many orders are open at contracts.
    pub(crate) fn assert_futures(&self) -> usize {
        for (market, _) in self.catalog.contracts() {
            self.assert_holders(market);
        }
        let futures = &self.accounts.futures;
        assert!(futures.touched.is_empty(), "wallets are looked at before a command is done");
        let mut open_orders: usize = 0;
        let mut modifying: usize = 0;
        let mut costs: BTreeMap<AssetId, Amount> = BTreeMap::new();
        for (slot, seat) in futures.open.seats() {
            let (terms, _) = contract_of(&self.catalog, seat.market);
            let stake = &seat.stake;
            assert_eq!(
                stake.position.qty_lots.0.signum(),
                signum(stake.position.cost),
                "cost and quantity have one sign"
            );
            *costs.entry(terms.quote).or_default() += stake.position.cost;
            if self.is_alone() {
                let holders =
                    self.markets.market(seat.market).holders.as_ref().expect("a contract has holders");
                let held = holders.held(seat.account, stake.position_side);
                assert_eq!(held, stake.position.qty_lots, "both halves of a position agree");
            }
            if let Some(margin) = stake.margin {
                let of = self.accounts.ledger.wallet(margin);
                assert_eq!(
                    (of.account, of.isolated_at),
                    (seat.account, Some((seat.market, stake.position_side))),
                    "margin is the position's own"
                );
            }
            let mut reserved = Reserved::default();
            let mut at_seat: u32 = 0;
            let found = futures.find_position(seat.account, seat.market, stake.position_side);
            assert_eq!(found, Some(slot), "a seat is found");
            self.assert_position_side(seat);
            for open in futures.open.at_seat(slot) {
                at_seat = at_seat.saturating_add(1);
                reserved = reserved.with(terms, open.side(), open.held, open.held.left_lots);
                if let Some(Modifying { reserve, .. }) = futures.modifying.get(&open.id()) {
                    assert!(!self.is_alone(), "markets answer at once where they are here");
                    reserved = reserved.with(terms, open.side(), *reserve, reserve.left_lots);
                    modifying = modifying.saturating_add(1);
                }
                assert!(open.held.left_lots > QtyLots::ZERO, "something is left of an open order");
                if self.is_alone() {
                    let slot = futures.open.orders.find(open.id()).expect("every open order rests on a book");
                    let resting = &futures.open.orders[slot];
                    assert_eq!(
                        (resting.account, resting.market, resting.side, resting.open_lots),
                        (seat.account, seat.market, open.side(), open.held.left_lots),
                        "both halves of an order agree"
                    );
                    assert_eq!(
                        resting.marks.has(Marks::REDUCES),
                        open.held.only_reduces(),
                        "both halves of an order agree"
                    );
                }
                if !open.client_order_id.is_empty() {
                    let named = futures.open.find_named(&Named::new(seat.account, &open.client_order_id));
                    assert_eq!(named, futures.open.find(open.id()), "a name leads to its order");
                }
            }
            assert_eq!(seat.open_orders, at_seat, "open orders are counted");
            assert_eq!(
                stake.reserved, reserved,
                "what is reserved is the sum of what each order reserves, as it is and as it will be"
            );
            open_orders = open_orders.saturating_add(usize::try_from(at_seat).expect("fits"));
        }
        assert_eq!(futures.modifying.len(), modifying, "only orders that are open are modified");
        for (asset, _) in self.catalog.assets() {
            let totals = self.accounts.ledger.totals(asset);
            let cost = costs.get(&asset).copied().unwrap_or_default();
            assert_eq!(totals.open_cost, cost, "what positions have cost together is the sum of it");
            let settled_in = |market: &MarketId| contract_of(&self.catalog, *market).0.quote == asset;
            let here = self.catalog.contracts().map(|(market, _)| market).filter(settled_in);
            let settling = here.filter_map(|market| {
                let holders = self.markets.market(market).holders.as_ref().expect("a contract has holders");
                Some(holders.settlement.as_ref()?.collected)
            });
            let settling = settling.fold(Amount::ZERO, |sum, collected| sum + collected);
            assert_eq!(totals.settling, settling, "what settlements have collected is the sum of it");
        }
        self.assert_wallets();
        self.assert_algos();
        open_orders
    }

    /// An account has the positions and orders of its mode. (A fund that was in hedge mode when it was made one may carry another.)
    fn assert_position_side(&self, seat: &Seat<Stake>) {
        let qty = seat.stake.position.qty_lots;
        match seat.stake.position_side {
            PositionSide::Both => {}
            PositionSide::Long => assert!(qty >= QtyLots::ZERO, "a long position is long"),
            PositionSide::Short => assert!(qty <= QtyLots::ZERO, "a short position is short"),
        }
        let is_of_hedge = seat.stake.position_side != PositionSide::Both;
        let is_hedger = self.accounts.futures.position_mode(seat.account) == PositionMode::Hedge;
        if is_of_hedge != is_hedger && !self.catalog.is_fund(seat.account) {
            assert!(qty.is_zero() && seat.open_orders == 0, "an account has the positions of its mode");
        }
    }

    fn assert_holders(&self, market: MarketId) {
        let listed = self.markets.market(market);
        let holders = listed.holders.as_ref().expect("a contract has holders");
        let held = holders.all_from(AccountId(0));
        let sum = held.fold(QtyLots::ZERO, |sum, (_, qty)| sum + qty);
        assert!(sum.is_zero(), "positions sum to zero");
        assert!(holders.to_keep.is_empty(), "orders that only reduce are looked at before a command is done");
        let mut reducing: BTreeMap<(AccountId, bool), QtyLots> = BTreeMap::new();
        for side in [Side::Buy, Side::Sell] {
            for order in listed.book.queue(&self.accounts.futures.open.orders, side) {
                if order.marks.has(Marks::REDUCES) {
                    *reducing.entry((order.account, side == Side::Buy)).or_default() += order.open_lots;
                    let known = holders.reducing.get(&order.account);
                    assert!(
                        known.is_some_and(|orders| orders.contains(&order.id)),
                        "who only reduces is known"
                    );
                }
            }
        }
        for ((account, buys), lots) in reducing {
            let closable = holders.closable(account, if buys { Side::Buy } else { Side::Sell });
            assert!(lots <= closable, "orders that only reduce come to no more than the position");
        }
    }

    /// Of each wallet it is known from which mark prices on it has to be looked at, or it is liquidated.
    fn assert_wallets(&self) {
        let (ledger, futures) = (&self.accounts.ledger, &self.accounts.futures);
        for (slot, wallet) in ledger.wallets() {
            let Some(backs) = futures.backs(slot) else { continue };
            futures.assert_summed(&self.catalog, ledger, slot);
            let standing = futures.standing(&self.catalog, ledger, slot);
            let is_fund = self.catalog.is_fund(wallet.account);
            let backed = backs.seats.iter().map(|(market, seat)| (market, &futures.open.seat(*seat).stake));
            let backed: Vec<_> = backed.filter(|(_, stake)| stake.backing() == slot).collect();
            if wallet.isolated_at.is_some() && !is_fund {
                assert!(
                    wallet.amount.is_zero() || !backed.is_empty(),
                    "nothing stays behind a position that its account's wallet backs"
                );
            }
            if let Some(liquidation) = &backs.liquidation {
                let queued = futures.in_danger.contains(&slot);
                assert_eq!(liquidation.is_queued, queued, "a liquidation knows whether it waits");
                continue;
            }
            if wallet.isolated_at.is_some() && !is_fund && standing.counted.positions == 0 {
                assert!(wallet.amount.is_zero(), "margin stands behind a position");
            }
            let concerned = backed.iter().any(|(market, _)| futures.changed.contains(market));
            if !is_fund && !concerned {
                assert!(!standing.is_liquidatable(), "who has too little left is liquidated");
                assert!(
                    wallet.amount >= Amount::ZERO || standing.equity > Amount::ZERO,
                    "a wallet is below zero only while its positions have won as much"
                );
            }
            if !is_fund && !concerned && standing.counted.positions > 0 {
                let stakes = backed.iter().copied();
                assert!(
                    self.left_unwatched(wallet.amount, stakes) > MicroAtoms(0),
                    "a wallet is looked at before it has too little left, however mark prices move"
                );
            }
            for (market, stake) in backed {
                assert_eq!(
                    stake.watched_at.is_some(),
                    !stake.position.is_none() && !is_fund,
                    "positions are watched, and nothing else"
                );
                if let Some(at) = stake.watched_at {
                    let (mark, is_long) = (futures.mark(*market), stake.position.qty_lots > QtyLots::ZERO);
                    let has_come = if is_long { mark <= at } else { at <= mark };
                    assert!(
                        futures.changed.contains(market) || !has_come,
                        "whom a mark price concerns is looked at"
                    );
                    assert!(
                        futures.is_watched(*market, at, wallet.account, is_long),
                        "a position is watched"
                    );
                }
            }
        }
    }
}

impl Partition {
    /// What is left above the maintenance margin where every mark price is a tick short of where its position is watched, which is
    /// the least that can be left while nobody looks.
    fn left_unwatched<'a>(
        &self,
        wallet: Amount,
        stakes: impl Iterator<Item = (&'a MarketId, &'a Stake)>,
    ) -> MicroAtoms {
        let mut left = MicroAtoms::from_atoms(wallet);
        for (market, stake) in stakes.filter(|(_, stake)| !stake.position.is_none()) {
            let (terms, contract) = contract_of(&self.catalog, *market);
            let at = stake.watched_at.expect("positions are watched");
            let is_long = stake.position.qty_lots > QtyLots::ZERO;
            let short_of_it = if is_long { at + PriceTicks(1) } else { at - PriceTicks(1) };
            let value = Amount(stake.position.value(terms, short_of_it).0.abs());
            let unrealized = stake.position.unrealized(terms, short_of_it);
            left = left + MicroAtoms::from_atoms(unrealized) - maintenance_margin(contract, value);
        }
        left
    }
}

fn signum(cost: Amount) -> i64 {
    i64::try_from(cost.0.signum()).expect("a sign is small")
}
