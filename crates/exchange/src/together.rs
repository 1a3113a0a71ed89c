//! What is always true of all partitions of an exchange together, what is on its way between them included: for tests and
//! `rialto verify`.

use std::collections::{BTreeMap, BTreeSet};

use ledger::AssetTotals;
use model::{
    AccountId, Amount, AssetId, Envelope, Letter, MarketId, Message, Notice, OrderId, PartitionId, Side,
    ToMarket,
};

use crate::Partition;
use crate::open_orders::OpenOrders;

/// All partitions of an exchange, in order, as they stand at one moment or at a consistent cut.
pub struct Together<'a> {
    partitions: &'a [&'a Partition],
}

fn ensure(holds: bool, broken: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken()) }
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
            .map(AsRef::as_ref)
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
                sum.wallets += totals.wallets;
                sum.open_cost += totals.open_cost;
                sum.settling += totals.settling;
            }
        }
        sum
    }

    /// What the messages on their way will move: paid by accounts that have not heard of their fills yet, less what they will
    /// receive.
    pub fn in_flight(&self, asset: AssetId) -> Amount {
        let mut sum = Amount::ZERO;
        for message in self.on_their_way().flat_map(|envelope| &envelope.messages) {
            let Message::Letter(letter) = message else { continue };
            let (catalog, market) = (&self.partitions[0].catalog, letter.market());
            let terms = catalog.market(market).expect("only listed markets move money");
            let carried = letter.carries(terms, catalog.contract(market).is_some());
            let Some((base, quote)) = carried else { continue };
            if asset == terms.quote {
                sum -= quote;
            } else if asset == terms.base {
                sum -= base;
            }
        }
        sum
    }

    /// Panics with the sentence of the first invariant that does not hold. Looks at everything.
    pub fn assert_invariants(&self) {
        for partition in self.partitions {
            partition.assert_invariants();
        }
        if let Err(broken) = self.check() {
            panic!("{broken}");
        }
    }

    /// What must hold between partitions; the error is a sentence that says what does not.
    pub fn check(&self) -> Result<(), String> {
        for (at, partition) in (0..).map(PartitionId).zip(self.partitions) {
            let found = partition.own_id();
            ensure(found == at, || format!("partition {found} is in the place of partition {at}"))?;
        }
        self.check_marks()?;
        for (asset, terms) in self.partitions[0].catalog.assets() {
            let (totals, name) = (self.totals(asset), terms.name);
            ensure(totals.agree(), || {
                format!("{name}: what was deposited and not withdrawn is not what there is")
            })?;
            let in_flight = -self.in_flight(asset);
            ensure(totals.elsewhere == in_flight, || {
                format!(
                    "{name}: the partitions have {} atoms on their way to each other, and the messages between them {in_flight}",
                    totals.elsewhere
                )
            })?;
        }
        self.check_moves()?;
        self.check_orders()
    }

    /// Where nothing is on its way, no market is.
    fn check_moves(&self) -> Result<(), String> {
        if self.on_their_way().next().is_some() {
            return Ok(());
        }
        for partition in self.partitions {
            let waits = partition.post.moving.keys().chain(&partition.catalog.moving).next();
            ensure(waits.is_none(), || {
                let market = waits.and_then(|market| partition.catalog.market(*market).ok());
                let name = market.map_or_else(String::new, |terms| terms.name.to_string());
                format!(
                    "partition {} waits for {name} to arrive somewhere, and nothing is on its way",
                    partition.own_id()
                )
            })?;
        }
        Ok(())
    }

    /// That nobody has taken what was never said, and nothing that was not taken is forgotten; the error is a sentence. Where
    /// it holds, no batch is missing.
    pub fn check_marks(&self) -> Result<(), String> {
        for from in self.partitions {
            for to in self.partitions.iter().filter(|to| to.own_id() != from.own_id()) {
                let (sender, receiver) = (from.own_id(), to.own_id());
                let (said, taken) = (from.last_said(receiver), to.last_taken(sender));
                ensure(taken <= said, || {
                    format!(
                        "partition {receiver} has heard of partition {sender} up to message {taken}, which has said only {said}: \
                         batches of partition {sender} are missing"
                    )
                })?;
                let waiting = from.envelopes_to(receiver, taken).count();
                ensure(u64::try_from(waiting).ok() == said.checked_sub(taken), || {
                    format!(
                        "partition {sender} has forgotten messages behind {taken} that partition {receiver} has not taken: batches of \
                         partition {receiver} are missing"
                    )
                })?;
            }
        }
        Ok(())
    }

    /// Every open order rests on a book or waits at a market, or a message on its way is about it; and both halves agree.
    fn check_orders(&self) -> Result<(), String> {
        let mentioned = self.mentioned();
        let mut open: BTreeMap<OrderId, (AccountId, MarketId)> = BTreeMap::new();
        for partition in self.partitions {
            for (account, market, order) in partition.all_open_orders() {
                ensure(order.partition() == partition.own_id(), || {
                    format!("order {order} is not numbered by the partition of its account")
                })?;
                open.insert(order, (account, market));
                let found = self
                    .partitions
                    .iter()
                    .find_map(|other| other.resting(order).or_else(|| other.off_the_book(order, market)));
                let Some((at_market, cost)) = found else {
                    ensure(mentioned.contains(&order), || {
                        format!("order {order} is open, and neither at a market nor on its way")
                    })?;
                    continue;
                };
                ensure(at_market == (account, market), || {
                    format!("account and market of order {order} are told in two ways")
                })?;
                let held = partition.held_for(order);
                ensure(mentioned.contains(&order) || held == Some(cost), || {
                    format!("what is held for order {order} is not what it can still cost")
                })?;
            }
        }
        for partition in self.partitions {
            for (market, _) in partition.catalog.markets() {
                for resting in [Side::Buy, Side::Sell]
                    .map(|side| partition.markets.resting(partition.orders_at(market), market, side))
                {
                    for order in resting {
                        let owner = open.get(&order.order);
                        ensure(owner == Some(&(order.account, market)), || {
                            format!("order {} rests on a book, and its account does not know it", order.order)
                        })?;
                    }
                }
                for place in partition.markets.market(market).off_the_book() {
                    let owner = open.get(&place.order);
                    ensure(owner == Some(&(place.account, market)), || {
                        format!("order {} waits at a market, and its account does not know it", place.order)
                    })?;
                }
            }
        }
        Ok(())
    }

    /// The orders that messages on their way, or kept for later, are about.
    fn mentioned(&self) -> Mentioned {
        let mut mentioned = Mentioned::new();
        let early = self.partitions.iter().flat_map(|partition| &partition.post.early);
        let messages = self.on_their_way().flat_map(|envelope| &envelope.messages);
        for message in messages.chain(early.map(|(_, message)| message)) {
            match message {
                Message::Letter(Letter::ToMarket { body: ToMarket::Place(place), .. }) => {
                    mentioned.insert(place.order);
                }
                Message::Letter(
                    Letter::ToMarket {
                        body:
                            ToMarket::Cancel { order, .. }
                            | ToMarket::Amend { order, .. }
                            | ToMarket::Modify { order, .. }
                            | ToMarket::Expire { order, .. }
                            | ToMarket::Held { order, .. },
                        ..
                    }
                    | Letter::ToAccount { order, .. },
                ) => {
                    mentioned.insert(*order);
                }
                Message::Notice(notice) => {
                    if let Notice::OrdersMove { orders, .. } = &**notice {
                        mentioned.extend(orders.iter().map(|order| order.order));
                    }
                    if let Notice::WaitingMove { orders, .. } = &**notice {
                        mentioned.extend(orders.iter().map(|waiting| waiting.place.order));
                    }
                }
                Message::Letter(Letter::ToMarket { body: ToMarket::PlaceContract(place), .. }) => {
                    mentioned.insert(place.order);
                }
                Message::Letter(
                    Letter::ToMarket { .. }
                    | Letter::ReferencePrice { .. }
                    | Letter::ToHolder { .. }
                    | Letter::MarkPrice { .. }
                    | Letter::WinnerAsked { .. },
                ) => {}
            }
        }
        mentioned
    }
}

impl Partition {
    /// Open orders as their accounts know them.
    pub(crate) fn all_open_orders(&self) -> impl Iterator<Item = (AccountId, MarketId, OrderId)> {
        fn of<S, H: Clone>(open: &OpenOrders<S, H>) -> impl Iterator<Item = (AccountId, MarketId, OrderId)> {
            open.seats().flat_map(|(slot, seat)| {
                open.at_seat(slot).map(|open| (seat.account, seat.market, open.id()))
            })
        }
        of(&self.accounts.open).chain(of(&self.accounts.futures.open))
    }

    /// Whose a resting order is and where, and what it can still cost.
    fn resting(&self, order: OrderId) -> Option<((AccountId, MarketId), Amount)> {
        let resting = self.accounts.resting(order)?;
        let terms = self.catalog.market(resting.market).expect("orders rest at listed markets");
        let cost = match resting.side {
            // Nothing is held at contracts: what is reserved counts in lots.
            _ if self.catalog.contract(resting.market).is_some() => Amount(resting.open_lots.0.into()),
            Side::Buy => terms.notional(resting.price_ticks, resting.open_lots),
            Side::Sell => terms.base_amount(resting.open_lots),
        };
        Some(((resting.account, resting.market), cost))
    }

    /// Whose an order is that waits at a market for its price, or for its turn, and where, and what is held for it.
    fn off_the_book(&self, order: OrderId, market: MarketId) -> Option<((AccountId, MarketId), Amount)> {
        let mut off_the_book = self.markets.get(market)?.off_the_book();
        let place = off_the_book.find(|place| place.order == order)?;
        Some(((place.account, market), place.held))
    }

    fn held_for(&self, order: OrderId) -> Option<Amount> {
        let futures = &self.accounts.futures.open;
        let at_contract = || Some(Amount(futures.order(futures.find(order)?).held.left_lots.0.into()));
        let spot = self.accounts.open.find(order).map(|slot| self.accounts.open.order(slot).held);
        spot.or_else(at_contract)
    }
}
