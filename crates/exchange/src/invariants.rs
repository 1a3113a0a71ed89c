//! What is always true between two commands, looked at in full: for tests and `rialto verify`. The running program checks
//! the cheap part after every command, see [`ledger::Ledger::assert_settled`].

use std::collections::BTreeMap;

use model::{AccountId, Amount, AssetId, MarketId, Side};

use crate::Partition;
use crate::open_orders::{Named, Seat};

impl Partition {
    /// Panics with the sentence of the first invariant that does not hold. Looks at everything that is here; what must hold of
    /// several partitions is in [`crate::Together`].
    pub fn assert_invariants(&self) {
        assert!(self.mail.is_empty(), "nothing is on its way between commands");
        self.accounts.ledger.assert_sums();
        for (asset, _) in self.catalog.assets() {
            assert!(
                !self.is_alone() || self.accounts.ledger.totals(asset).elsewhere.is_zero(),
                "nothing is elsewhere where there is nothing else"
            );
            assert!(
                self.accounts.ledger.totals(asset).in_transit.is_zero(),
                "what one side of a trade paid, the other received"
            );
        }
        let mut held: BTreeMap<(AccountId, AssetId), Amount> = BTreeMap::new();
        for withdrawal in self.accounts.withdrawals.values() {
            *held.entry((withdrawal.account, withdrawal.asset)).or_default() += withdrawal.amount;
        }
        for asked in self.accounts.asked_withdrawals.values() {
            *held.entry((asked.account, asked.asset)).or_default() += asked.amount;
        }
        let mut open_orders: usize = 0;
        for (seat, &Seat { account, market, .. }) in self.accounts.open.seats() {
            let terms = self.catalog.market(market).expect("a seat is at a listed market");
            assert_eq!(
                self.accounts.open.find_seat(account, market),
                Some(seat),
                "an account and a market lead to a seat"
            );
            let (mut at_seat, mut waiting_at_seat) = (0_u32, 0_u32);
            let mut last = None;
            for open in self.accounts.open.at_seat(seat) {
                at_seat = at_seat.saturating_add(1);
                waiting_at_seat = waiting_at_seat.saturating_add(open.waits().into());
                assert!(last < Some(open.id()), "an account's open orders are listed oldest first");
                last = Some(open.id());
                let asset = match open.side() {
                    Side::Buy => terms.quote,
                    Side::Sell => terms.base,
                };
                let waiting = &self.markets.market(market).triggers;
                if let Some(place) = waiting.find(open.id()).filter(|_| self.is_alone()) {
                    assert!(open.waits(), "both halves of an order agree");
                    assert_eq!(
                        (place.account, place.side, place.kind.price_ticks(), place.held),
                        (account, open.side(), open.limit_ticks(), open.held),
                        "both halves of an order agree"
                    );
                } else if self.is_alone() {
                    assert!(!open.waits(), "both halves of an order agree");
                    let orders = &self.accounts.open.orders;
                    let slot = orders.find(open.id()).expect("every open order rests on a book");
                    let resting = &orders[slot];
                    assert_eq!(
                        (resting.account, resting.market),
                        (account, market),
                        "both halves of an order agree"
                    );
                    assert_eq!(
                        Some(resting.price_ticks),
                        open.limit_ticks(),
                        "both halves of an order agree"
                    );
                    let cost = match open.side() {
                        Side::Buy => terms.notional(resting.price_ticks, resting.open_lots),
                        Side::Sell => terms.base_amount(resting.open_lots),
                    };
                    assert_eq!(open.held, cost, "what is held for an order is what it can still cost");
                }
                *held.entry((account, asset)).or_default() += open.held;
                if !open.client_order_id.is_empty() {
                    let named = self.accounts.open.find_named(&Named::new(account, &open.client_order_id));
                    assert_eq!(named, self.accounts.open.find(open.id()), "a name leads to its order");
                }
            }
            assert_eq!(self.accounts.open.seat(seat).open_orders, at_seat, "open orders are counted");
            assert_eq!(self.accounts.open.waiting_at(seat), waiting_at_seat, "orders that wait are counted");
            open_orders = open_orders.saturating_add(usize::try_from(at_seat).expect("fits"));
        }
        for account in (1_u64..).map(AccountId).zip(&self.accounts.list).map(|(account, _)| account) {
            for balance in self.accounts.ledger.balances_of(account) {
                let accounted = held.get(&(account, balance.asset)).copied().unwrap_or_default();
                assert_eq!(balance.held, accounted, "no hold without an order or a withdrawal");
            }
        }
        let mut resting: usize = 0;
        open_orders = open_orders.saturating_add(self.assert_futures());
        for (id, market) in (0..).map(MarketId).zip(&self.markets.list) {
            if let (Some(bid), Some(ask)) = (market.book.best(Side::Buy), market.book.best(Side::Sell)) {
                assert!(bid < ask, "no crossed book");
            }
            let mut in_book: usize = 0;
            for side in [Side::Buy, Side::Sell] {
                let mut last = None;
                for order in market.book.queue(self.orders_at(id), side) {
                    in_book = in_book.saturating_add(1);
                    assert!(order.open_lots.0 > 0, "nothing on the book with nothing left");
                    let rank = match side {
                        Side::Buy => -order.price_ticks,
                        Side::Sell => order.price_ticks,
                    };
                    assert!(last.is_none_or(|last| last <= rank), "best price first");
                    last = Some(rank);
                }
            }
            assert_eq!(
                usize::try_from(market.book.open_orders()).ok(),
                Some(in_book),
                "resting orders are counted"
            );
            resting = resting.saturating_add(in_book).saturating_add(market.triggers.len());
            assert!(
                !self.is_alone() || market.triggered.is_empty(),
                "whoever is triggered has had his turn when the command is done"
            );
        }
        if self.is_alone() {
            assert_eq!(open_orders, resting, "every order at a market is open");
            assert!(self.accounts.replacements.is_empty(), "no replacement waits between commands");
        }
    }
}
