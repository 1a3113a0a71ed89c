//! What is always true of all partitions of an exchange together, what is on its way between them included: for tests and
//! `rialto verify`.

use std::collections::{BTreeMap, BTreeSet};

use ledger::AssetTotals;
use model::{
    AccountId, Amount, AssetId, Envelope, FromMarket, MarketId, Message, Notice, OrderId, Side, ToMarket,
};

use crate::Partition;

/// All partitions of an exchange, in order, as they stand at one moment or at a consistent cut.
pub struct Together<'a> {
    partitions: &'a [&'a Partition],
}

/// An order that some message on its way is about.
type Mentioned = BTreeSet<OrderId>;

impl<'a> Together<'a> {
    /// All partitions, in order.
    pub fn new(partitions: &'a [&'a Partition]) -> Self {
        Self { partitions }
    }

    /// Envelopes that were said and not taken yet.
    pub fn on_their_way(&self) -> impl Iterator<Item = &'a Envelope> {
        let pairs =
            self.partitions.iter().flat_map(|from| self.partitions.iter().map(move |to| (*from, *to)));
        pairs
            .filter(|(from, to)| from.own_id() != to.own_id())
            .flat_map(|(from, to)| from.envelopes_to(to.own_id(), to.last_taken(from.own_id())))
    }

    /// Where all of an asset is, over all partitions; `elsewhere` is what is on its way between them.
    pub fn totals(&self, asset: AssetId) -> AssetTotals {
        let mut sum = AssetTotals::default();
        for partition in self.partitions {
            if let Ok(totals) = partition.totals(asset) {
                sum.deposited += totals.deposited;
                sum.withdrawn += totals.withdrawn;
                sum.free += totals.free;
                sum.held += totals.held;
                sum.fees += totals.fees;
                sum.in_transit += totals.in_transit;
                sum.elsewhere += totals.elsewhere;
            }
        }
        sum
    }

    /// What the messages on their way will move: paid by accounts that have not heard of their fills yet, less what they will
    /// receive.
    pub fn in_flight(&self, asset: AssetId) -> Amount {
        let mut sum = Amount::ZERO;
        for message in self.on_their_way().flat_map(|envelope| &envelope.messages) {
            let Message::ToAccount { market, body, .. } = message else { continue };
            let FromMarket::Filled { side, price_ticks, qty_lots, .. } = body else { continue };
            let terms = self.partitions[0].catalog.market(*market).expect("only listed markets have fills");
            let (notional, base) = (terms.notional(*price_ticks, *qty_lots), terms.base_amount(*qty_lots));
            let (quote, base) = match side {
                Side::Buy => (notional, -base),
                Side::Sell => (-notional, base),
            };
            if asset == terms.quote {
                sum += quote;
            } else if asset == terms.base {
                sum += base;
            }
        }
        sum
    }

    /// Panics with the sentence of the first invariant that does not hold. Looks at everything.
    pub fn assert_invariants(&self) {
        for (at, partition) in self.partitions.iter().enumerate() {
            assert_eq!(partition.own_id().index(), at, "partitions are numbered in order");
            partition.assert_invariants();
        }
        self.assert_marks();
        for (asset, terms) in self.partitions[0].catalog.assets() {
            let totals = self.totals(asset);
            assert!(totals.agree(), "{}: deposits less withdrawals are all there is, anywhere", terms.name);
            assert_eq!(
                totals.elsewhere,
                -self.in_flight(asset),
                "{}: what is elsewhere is on its way between partitions",
                terms.name
            );
        }
        self.assert_orders();
    }

    /// Nobody has taken what was never said, and nothing that was not taken is forgotten.
    fn assert_marks(&self) {
        for from in self.partitions {
            for to in self.partitions.iter().filter(|to| to.own_id() != from.own_id()) {
                let (said, taken) = (from.last_said(to.own_id()), to.last_taken(from.own_id()));
                assert!(taken <= said, "nobody takes an envelope that was never sent");
                let waiting = from.envelopes_to(to.own_id(), taken).count();
                assert_eq!(
                    u64::try_from(waiting).ok(),
                    said.checked_sub(taken),
                    "an envelope that was not taken is kept"
                );
            }
        }
    }

    /// Every open order rests on a book, or a message on its way is about it; and both halves agree.
    fn assert_orders(&self) {
        let mentioned = self.mentioned();
        let mut open: BTreeMap<OrderId, (AccountId, MarketId)> = BTreeMap::new();
        for partition in self.partitions {
            for (account, market, order) in partition.open_orders() {
                assert_eq!(order.partition(), partition.own_id(), "an order's number tells its partition");
                open.insert(order, (account, market));
                let resting = self.partitions.iter().find_map(|other| other.resting(order));
                let Some((at_market, cost)) = resting else {
                    assert!(mentioned.contains(&order), "every open order rests on a book or is on its way");
                    continue;
                };
                assert_eq!(at_market, (account, market), "both halves of an order agree");
                if !mentioned.contains(&order) {
                    let held = partition.held_for(order);
                    assert_eq!(held, Some(cost), "what is held for an order is what it can still cost");
                }
            }
        }
        for partition in self.partitions {
            for (market, _) in partition.catalog.markets() {
                for side in [Side::Buy, Side::Sell] {
                    for order in partition.markets.resting(market, side) {
                        assert_eq!(
                            open.get(&order.order),
                            Some(&(order.account, market)),
                            "every resting order is open"
                        );
                    }
                }
            }
        }
    }

    /// The orders that messages on their way, or kept for later, are about.
    fn mentioned(&self) -> Mentioned {
        let mut mentioned = Mentioned::new();
        let early = self.partitions.iter().flat_map(|partition| &partition.post.early);
        let messages = self.on_their_way().flat_map(|envelope| &envelope.messages);
        for message in messages.chain(early.map(|(_, message)| message)) {
            match message {
                Message::ToMarket { body: ToMarket::Place(place), .. } => {
                    mentioned.insert(place.order);
                }
                Message::ToMarket {
                    body: ToMarket::Cancel { order, .. } | ToMarket::Amend { order, .. },
                    ..
                }
                | Message::ToAccount { order, .. } => {
                    mentioned.insert(*order);
                }
                Message::Notice(notice) => {
                    if let Notice::OrdersMove { orders, .. } = &**notice {
                        mentioned.extend(orders.iter().map(|order| order.order));
                    }
                }
                Message::ReferencePrice { .. } => {}
            }
        }
        mentioned
    }
}

impl Partition {
    /// Open orders as their accounts know them.
    fn open_orders(&self) -> impl Iterator<Item = (AccountId, MarketId, OrderId)> {
        let seats = self.accounts.list.iter().flat_map(|account| &account.seats);
        seats.flat_map(|(market, seat)| {
            let account = self.accounts.open.seat(*seat).account;
            self.accounts.open.at_seat(*seat).map(move |open| (account, *market, open.id))
        })
    }

    /// Whose a resting order is and where, and what it can still cost.
    fn resting(&self, order: OrderId) -> Option<((AccountId, MarketId), Amount)> {
        let resting = &self.markets.orders[self.markets.orders.find(order)?];
        let terms = self.catalog.market(resting.market).expect("orders rest at listed markets");
        let cost = match resting.side {
            Side::Buy => terms.notional(resting.price_ticks, resting.open_lots),
            Side::Sell => terms.base_amount(resting.open_lots),
        };
        Some(((resting.account, resting.market), cost))
    }

    fn held_for(&self, order: OrderId) -> Option<Amount> {
        self.accounts.open.find(order).map(|slot| self.accounts.open.order(slot).held)
    }
}
