//! The part of the witness that looks at algo orders: who waits, and whose price has come, worked out from events alone, order by
//! order and price by price.

use std::collections::{BTreeMap, BTreeSet};

use exchange::Partition;
use model::{
    AlgoEndReason, AlgoId, AlgoOrder, AlgoTrigger, Event, MarketId, OrderId, PriceTicks, Side, TriggerKind,
    WorkingPrice,
};

#[derive(Clone, Debug)]
struct Waits {
    order: AlgoOrder,
    /// The best price since it follows the price.
    extreme: Option<i64>,
    /// It has been told to follow the price.
    told: bool,
    /// Its price has come.
    is_due: bool,
}

#[derive(Default)]
pub struct AlgoWitness {
    waiting: BTreeMap<AlgoId, Waits>,
    /// By contract: mark price and last price.
    prices: BTreeMap<MarketId, (i64, i64)>,
    /// Orders that were placed for algo orders and are not accepted yet.
    placed: BTreeMap<OrderId, AlgoId>,
    /// All that have been triggered or have ended.
    over: BTreeSet<AlgoId>,
}

impl AlgoWitness {
    pub fn see(&mut self, event: &Event) {
        match event {
            Event::ContractAdded { market, terms, .. } => {
                let first = terms.initial_reference_ticks.0;
                self.prices.entry(*market).or_insert((first, first));
            }
            Event::Traded(traded) => self.price(traded.market, None, Some(traded.price_ticks)),
            Event::MarkPriceChanged(changed) => self.price(changed.market, Some(changed.mark_ticks), None),
            Event::AlgoOrderAccepted(accepted) => {
                let order = **accepted;
                let last = self.prices[&order.market];
                let price = if order.working_price == WorkingPrice::Mark { last.0 } else { last.1 };
                let trails_at_once =
                    matches!(order.trigger, AlgoTrigger::Trails { activation_ticks: None, .. });
                let extreme = trails_at_once.then_some(price);
                let waits = Waits { order, extreme, told: trails_at_once, is_due: false };
                assert!(!self.over.contains(&order.algo), "a number is given out once");
                let same = self.waiting.values().filter(|other| {
                    other.order.account == order.account && other.order.client_algo_id == order.client_algo_id
                });
                assert!(
                    order.client_algo_id.is_empty() || same.count() == 0,
                    "a name is given to one algo order at a time"
                );
                assert!(self.waiting.insert(order.algo, waits).is_none(), "a number is given out once");
            }
            Event::AlgoOrderTracks(tracks) => {
                let waits = self.waiting.get_mut(&tracks.algo).expect("only who waits follows the price");
                assert!(waits.extreme.is_some() && !waits.told, "it follows the price when that has come");
                waits.told = true;
            }
            Event::AlgoOrderTriggered(triggered) => {
                let waits = self.waiting.remove(&triggered.algo).expect("whoever is triggered has waited");
                assert!(waits.is_due, "nobody is triggered before his price has come: {waits:?}");
                assert!(self.over.insert(triggered.algo), "an algo order is triggered once");
                self.placed.insert(triggered.order, triggered.algo);
            }
            Event::ContractOrderAccepted(accepted) => {
                self.placed.remove(&accepted.order);
            }
            Event::AlgoOrderEnded(ended) => {
                if let Some(waits) = self.waiting.remove(&ended.algo) {
                    let refused = matches!(ended.reason, AlgoEndReason::Refused { .. });
                    assert!(!refused || waits.is_due, "nobody is triggered before his price has come");
                    assert!(self.over.insert(ended.algo), "an algo order ends once");
                } else {
                    let placed = self.placed.iter().find(|(_, algo)| **algo == ended.algo);
                    let order = *placed.expect("an order that is refused was placed").0;
                    self.placed.remove(&order);
                }
            }
            _ => {}
        }
    }

    fn price(&mut self, market: MarketId, mark: Option<PriceTicks>, last: Option<PriceTicks>) {
        let Some(prices) = self.prices.get_mut(&market) else { return };
        *prices = (mark.map_or(prices.0, |mark| mark.0), last.map_or(prices.1, |last| last.0));
        let (mark, last) = *prices;
        for waits in self.waiting.values_mut().filter(|waits| waits.order.market == market) {
            let price = if waits.order.working_price == WorkingPrice::Mark { mark } else { last };
            let is_near = i128::from((mark - last).abs()) * 20 <= i128::from(mark);
            if !waits.order.price_protect || is_near {
                waits.sees(price);
            }
        }
    }

    /// What is there is what was told, and nobody waits whose price has come. It is the only partition.
    pub fn agrees_with(&self, partition: &Partition) {
        let there: Vec<_> = partition.algo_orders().copied().collect();
        let told: Vec<_> = self.waiting.values().map(|waits| waits.order).collect();
        assert_eq!(there, told, "those wait that were told to");
        assert!(self.placed.is_empty(), "every order that was placed is accepted or refused");
        if !partition.has_work() {
            for waits in self.waiting.values() {
                // A sweep may have passed prices at which protected ones are shown something, of which only its ends are told.
                assert!(
                    !waits.is_due || waits.order.price_protect,
                    "whoever's price has come is triggered: {waits:?}"
                );
                assert_eq!(waits.told, waits.extreme.is_some(), "it is told who follows the price");
            }
        }
    }
}

impl Waits {
    fn sees(&mut self, price: i64) {
        let side = self.order.side;
        match self.order.trigger {
            AlgoTrigger::Reaches { kind, trigger_ticks } => {
                let rises = (kind == TriggerKind::StopLoss) == (side == Side::Buy);
                self.is_due |= if rises { price >= trigger_ticks.0 } else { price <= trigger_ticks.0 };
            }
            AlgoTrigger::Trails { activation_ticks, callback_permille } => {
                let callback = i128::from(callback_permille);
                if let Some(extreme) = self.extreme {
                    let best = if side == Side::Sell { extreme.max(price) } else { extreme.min(price) };
                    self.extreme = Some(best);
                    let (price, best) = (i128::from(price), i128::from(best));
                    self.is_due |= match side {
                        Side::Sell => price * 1_000 <= best * (1_000 - callback),
                        Side::Buy => price * 1_000 >= best * (1_000 + callback),
                    };
                } else if activation_ticks
                    .is_some_and(|at| if side == Side::Sell { price >= at.0 } else { price <= at.0 })
                {
                    self.extreme = Some(price);
                }
            }
        }
    }
}
