//! What is always true of algo orders, and of countdowns, between two commands, looked at in full.

use std::collections::BTreeSet;

use model::{AlgoId, OrderId, PositionSide, WorkingPrice};

use crate::Partition;
use crate::algo_book::{Heard, Sees, are_apart, closes, trigger_of};
use crate::liquidation::Stage;

impl Partition {
    /// Panics with the sentence of the first invariant that does not hold.
    pub(crate) fn assert_algos(&self) {
        let futures = &self.accounts.futures;
        let algos = &futures.algos;
        let mut listed: BTreeSet<AlgoId> = BTreeSet::new();
        for (sees, list) in &algos.lists {
            let waiting = list.triggers.iter().map(|place| place.order);
            let in_turn = list.heard.iter().filter_map(|heard| match heard {
                Heard::Order { place, .. } => Some(place.order),
                Heard::Price { .. } => None,
            });
            let before = listed.len();
            for OrderId(number) in waiting.chain(in_turn) {
                let order = algos.waiting.get(&AlgoId(number)).expect("whoever is on a list waits");
                assert_eq!(Sees::of(order), *sees, "an algo order is on the list of its price");
                assert!(listed.insert(order.algo), "an algo order is on one list, once");
            }
            assert!(listed.len() > before, "nothing is kept of a list without orders");
            assert_eq!(
                algos.behind.contains(sees),
                !list.heard.is_empty(),
                "a list is behind while it has something to take in"
            );
            let mark = futures.mark(sees.market);
            let last = self.reference_prices()[usize::try_from(sees.market.0).expect("fits")];
            let price = match sees.working_price {
                WorkingPrice::Mark => mark,
                WorkingPrice::Contract => last,
            };
            let is_shown = !(sees.is_protected && are_apart(mark, last));
            assert!(
                !is_shown || !list.heard.is_empty() || !list.triggers.are_touched_by(price),
                "whoever's price has come is triggered"
            );
        }
        assert!(
            algos.behind.iter().all(|sees| algos.lists.contains_key(sees)),
            "only lists that are there are behind"
        );
        assert_eq!(listed.len(), algos.waiting.len(), "every algo order that waits is on a list");
        let mut counted: usize = 0;
        for order in algos.waiting.values() {
            assert!(self.catalog.contract(order.market).is_some(), "algo orders wait at contracts");
            assert!(
                algos.of(order.account, order.market).any(|other| other.algo == order.algo),
                "an algo order is found at its contract"
            );
            if !order.client_algo_id.is_empty() {
                let named = algos.find_named(order.account, order.client_algo_id);
                assert_eq!(named, Some(order.algo), "a name leads to its algo order");
            }
            let same = algos.of(order.account, order.market).filter(|other| {
                closes(other, order.side, order.position_side)
                    && trigger_of(&other.trigger).kind == trigger_of(&order.trigger).kind
            });
            assert!(
                !closes(order, order.side, order.position_side) || same.count() == 1,
                "one stop and one take-profit order close a position"
            );
            let seat = futures.open.find_seat(order.account, order.market);
            let wallet =
                futures.open.seat(seat.expect("whoever waits at a contract has a seat")).stake.wallet;
            let liquidation = futures.backs(wallet).and_then(|backs| backs.liquidation.as_ref());
            assert!(
                liquidation.is_none_or(|liquidation| liquidation.stage == Stage::Begun),
                "nothing waits for an account that is being liquidated"
            );
            counted = counted.saturating_add(1);
        }
        let one_way = futures.open.seats().filter(|(_, seat)| seat.stake.position_side == PositionSide::Both);
        let at_contracts = one_way.map(|(_, seat)| algos.count(seat.account, seat.market));
        assert_eq!(
            at_contracts.fold(0_usize, usize::saturating_add),
            counted,
            "algo orders at contracts are those that wait"
        );
        for order in algos.asked.keys() {
            assert!(futures.open.find(*order).is_some(), "an order that a market is asked for is open");
        }
        assert!(!self.is_alone() || algos.asked.is_empty(), "markets answer at once where they are here");
        let named = algos.waiting.values().filter(|order| !order.client_algo_id.is_empty());
        assert_eq!(algos.names.len(), named.count(), "whoever waits no longer has no name");
        let mut in_time: usize = 0;
        for (order, _, is_told) in futures.good_till.all() {
            assert!(futures.open.find(order).is_some(), "an order has a date until it ends");
            assert!(!is_told || !self.is_alone(), "markets answer at once where they are here");
            in_time = in_time.saturating_add(usize::from(!is_told));
        }
        assert_eq!(in_time, futures.good_till.waiting(), "only orders that are open expire");
        let countdowns: Vec<_> = futures.countdowns.all().collect();
        assert_eq!(countdowns.len(), futures.countdowns.len(), "a countdown runs out once");
        assert!(
            countdowns.iter().all(|(account, market, at)| futures.countdowns.has(*account, *market, *at)),
            "a countdown runs out when it was set to"
        );
    }
}
