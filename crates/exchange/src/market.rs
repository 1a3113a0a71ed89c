//! The markets' half of a partition: books, trades, reference prices, and the orders that wait for a price. A market knows which account an order belongs to
//! and what was held for it, and nothing else of accounts.

use std::collections::VecDeque;

use model::{
    AccountId, Amount, CancelRestriction, ContractOrder, ContractTerms, EndReason, Event, ExpiryReason,
    FromMarket, LevelChanged, Liquidity, MarketId, MarketState, MarketStatus, MarketTerms, Marks, OrderId,
    OrderKind, PlaceMessage, PriceTicks, QtyLots, Reject, ReplacementId, RestingOrder, SelfTradePrevention,
    Side, TimeInForce, ToMarket, TradeId, Traded, WaitingOrder,
};
use orderbook::{
    Before, Book, Incoming, Order, OrderSlot, Orders, Outcome, Remainder, Report, Stop, TickLots, Touched,
    Triggers,
};

use crate::append::append;
use crate::catalog::Catalog;
use crate::holders::Holders;
use crate::messages::{Mail, Party, Trade};

/// One market.
pub struct Market {
    pub book: Book,
    /// The last trade's price; before the first trade the one given at listing.
    pub reference_ticks: PriceTicks,
    pub next_trade: TradeId,
    pub next_prevented_match: u64,
    /// Number of the last change of a level.
    pub update_id: u64,
    /// Orders that wait for a trade at their price.
    pub triggers: Triggers,
    /// Orders whose price has come, in the order in which they will enter the book.
    pub triggered: VecDeque<Triggered>,
    /// What a contract is beside its book; `None` of a spot market.
    pub holders: Option<Box<Holders>>,
}

/// An order whose price has come. It enters the book when the order that traded is done, and those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Triggered {
    /// Not what it was, but what it is now.
    pub place: PlaceMessage,
    /// Where it lies, as far as it is known.
    pub slot: OrderSlot,
    /// How often it was amended.
    pub amends: u16,
    /// Its account was asked to hold more, and has not answered yet.
    pub asks: bool,
}

impl Market {
    fn new(market: MarketId, reference_ticks: PriceTicks) -> Self {
        Self {
            book: Book::new(market),
            reference_ticks,
            next_trade: TradeId(1),
            next_prevented_match: 0,
            update_id: 0,
            triggers: Triggers::default(),
            triggered: VecDeque::new(),
            holders: None,
        }
    }

    /// The last trade's price, if there was a trade.
    fn last_ticks(&self) -> Option<PriceTicks> {
        (self.next_trade != TradeId(1)).then_some(self.reference_ticks)
    }

    /// The orders that wait for their price, or for their turn.
    pub fn off_the_book(&self) -> impl Iterator<Item = &PlaceMessage> {
        self.triggers.iter().chain(self.triggered.iter().map(|triggered| &triggered.place))
    }

    /// How many orders have a right to a place on the book.
    fn orders(&self) -> u32 {
        let waiting = self.triggers.len().saturating_add(self.triggered.len());
        self.book.open_orders().saturating_add(u32::try_from(waiting).unwrap_or(u32::MAX))
    }
}

fn resting_order(order: &Order) -> RestingOrder {
    RestingOrder {
        order: order.id,
        account: order.account,
        trade_group: order.trade_group,
        price_ticks: order.price_ticks,
        open_lots: order.open_lots,
        qty_lots: order.qty_lots,
        amends: order.amends,
    }
}

/// A market that goes to another partition.
pub struct Leaving {
    /// Its orders, in the order in which they would trade.
    pub orders: [(Side, Vec<RestingOrder>); 2],
    pub marks: Vec<(OrderId, Marks)>,
    /// Its orders that wait for a price.
    pub waiting: Vec<WaitingOrder>,
    /// The rest of it.
    pub state: MarketState,
}

/// All markets of a partition.
#[derive(Default)]
pub struct Markets {
    pub list: Vec<Market>,
    /// Reused for what the book reports.
    reports: Vec<Report>,
}

impl Markets {
    pub fn market(&self, market: MarketId) -> &Market {
        &self.list[usize::try_from(market.0).expect("markets fit into memory")]
    }

    /// A market, if there is one of that number.
    #[inline]
    pub fn get(&self, market: MarketId) -> Option<&Market> {
        self.list.get(usize::try_from(market.0).ok()?)
    }

    pub fn add(&mut self, market: MarketId, reference_ticks: PriceTicks) {
        self.list.push(Market::new(market, reference_ticks));
    }

    pub fn market_mut(&mut self, market: MarketId) -> &mut Market {
        &mut self.list[usize::try_from(market.0).expect("markets fit into memory")]
    }

    /// Takes a market out, which goes to another partition.
    pub fn take(&mut self, slab: &mut Orders, market: MarketId) -> Leaving {
        let orders = [Side::Buy, Side::Sell].map(|side| (side, self.resting(slab, market, side)));
        let marks = self.marks(slab, market);
        let waiting = self.market(market).triggers.list();
        let Self { list, reports } = self;
        let listed = &mut list[usize::try_from(market.0).expect("markets fit into memory")];
        for order in orders.iter().flat_map(|(_, orders)| orders) {
            let slot = slab.find(order.order).expect("an order of a book is in the slab");
            listed.book.cancel(slab, slot, reports);
        }
        reports.clear();
        let state = MarketState {
            reference_ticks: listed.reference_ticks,
            next_trade: listed.next_trade,
            next_prevented_match: listed.next_prevented_match,
            update_id: listed.update_id,
        };
        *listed = Market::new(market, state.reference_ticks);
        Leaving { orders, marks, waiting, state }
    }

    /// The orders of a book that have marks.
    pub fn marks(&self, slab: &Orders, market: MarketId) -> Vec<(OrderId, Marks)> {
        let orders = [Side::Buy, Side::Sell].map(|side| self.market(market).book.queue(slab, side));
        let with_marks = orders.into_iter().flatten().filter(|order| order.marks != Marks::NONE);
        with_marks.map(|order| (order.id, order.marks)).collect()
    }

    /// The orders of a book in the order in which they would trade.
    pub fn resting(&self, slab: &Orders, market: MarketId, side: Side) -> Vec<RestingOrder> {
        self.market(market).book.queue(slab, side).map(resting_order).collect()
    }

    /// Puts orders behind those that are on the book, each at its price.
    pub fn put_orders(
        &mut self,
        slab: &mut Orders,
        (market, side): (MarketId, Side),
        orders: &[RestingOrder],
    ) {
        let Self { list, reports } = self;
        let listed = &mut list[usize::try_from(market.0).expect("markets fit into memory")];
        for resting in orders {
            let order = Order::new(
                (resting.order, resting.account, resting.trade_group),
                (market, side, resting.price_ticks),
                (resting.open_lots, resting.qty_lots, resting.amends),
            );
            listed.book.rest(slab, &order, reports);
        }
        reports.clear();
    }

    /// Gives a market what it is beside its orders.
    pub fn put(&mut self, market: MarketId, state: &MarketState) {
        let listed = self.market_mut(market);
        listed.reference_ticks = state.reference_ticks;
        listed.next_trade = state.next_trade;
        listed.next_prevented_match = state.next_prevented_match;
        listed.update_id = state.update_id;
    }

    /// A market at work, of as many partitions.
    #[inline]
    pub fn desk<'a>(
        &'a mut self,
        catalog: &'a Catalog,
        (market, partition_count): (MarketId, u8),
        orders: &'a mut Orders,
        mail: &'a mut Mail,
        events: &'a mut Vec<Event>,
    ) -> Desk<'a> {
        let terms = catalog.market(market).expect("a message goes to a listed market");
        let listed = &mut self.list[usize::try_from(market.0).expect("markets fit into memory")];
        let contract = catalog.contract(market);
        let reports = &mut self.reports;
        let slot = OrderSlot::UNKNOWN;
        Desk { market, terms, contract, partition_count, listed, slot, orders, reports, mail, events }
    }

    pub fn receive(
        &mut self,
        catalog: &Catalog,
        whose: (MarketId, u8),
        (slot, body): (OrderSlot, &ToMarket),
        orders: &mut Orders,
        mail: &mut Mail,
        events: &mut Vec<Event>,
    ) {
        let mut desk = self.desk(catalog, whose, orders, mail, events);
        desk.slot = slot;
        match *body {
            ToMarket::Place(ref place) => desk.place(place),
            ToMarket::Cancel { order, account, restriction, replacement } => {
                desk.cancel(order, account, restriction, replacement);
            }
            ToMarket::Amend { order, account, new_qty_lots, new_client_order_id } => {
                let refused = desk.amend(order, account, new_qty_lots, new_client_order_id);
                if let Err(reject) = refused {
                    desk.tell(account, order, FromMarket::AmendRefused { reject });
                }
            }
            ToMarket::Held { order, held } => desk.held(order, held),
            ToMarket::PlaceContract(ref place) => desk.place_contract(place),
            ToMarket::Expire { order, account } => desk.expire(order, account),
            ToMarket::Modify { order, account, kind, self_trade_prevention, most_lots } => {
                desk.modify((order, account), kind, self_trade_prevention, most_lots);
            }
            ToMarket::TakeOver { .. }
            | ToMarket::TakeOverLeg { .. }
            | ToMarket::PayFund { .. }
            | ToMarket::Carries { .. }
            | ToMarket::Winner { .. } => desk.receive_of_contract(body),
        }
    }
}

/// One market at work: what a message may touch.
pub struct Desk<'a> {
    pub market: MarketId,
    pub terms: &'a MarketTerms,
    /// `None` of a spot market.
    pub contract: Option<&'a ContractTerms>,
    /// How many partitions there are.
    pub partition_count: u8,
    pub listed: &'a mut Market,
    /// Where the order lies that a message is about, as its sender knows.
    pub slot: OrderSlot,
    pub orders: &'a mut Orders,
    pub reports: &'a mut Vec<Report>,
    pub mail: &'a mut Mail,
    pub events: &'a mut Vec<Event>,
}

impl Desk<'_> {
    /// Tells an account about an order, mostly the one that the message is about.
    pub fn tell(&mut self, account: AccountId, order: OrderId, body: FromMarket) {
        self.tell_about((order, self.slot), account, body);
    }

    fn tell_about(&mut self, order: (OrderId, OrderSlot), account: AccountId, body: FromMarket) {
        self.mail.send_to_account(account, self.market, order, body);
    }

    fn place(&mut self, place: &PlaceMessage) {
        if let Err(reject) = self.check(place) {
            return self.tell(place.account, place.order, FromMarket::Refused { reject });
        }
        let PlaceMessage { account, order, side, kind, self_trade_prevention, .. } = *place;
        self.tell(account, order, FromMarket::Accepted { kind, side, self_trade_prevention });

        if kind.trigger().is_some() {
            self.listed.triggers.add(*place, self.listed.last_ticks());
            return;
        }
        self.work(place, 0);
        self.work_triggered();
    }

    /// An order enters the book: it trades, and rests or ends.
    fn work(&mut self, place: &PlaceMessage, amends: u16) {
        let PlaceMessage { account, order, .. } = *place;
        let incoming = self.incoming(place);
        let outcome = self.listed.book.place(self.orders, &incoming, self.reports);
        self.report(Some(&incoming));
        if !outcome.rests {
            let reason = end_reason(&place.kind, &incoming, &outcome);
            self.tell(account, order, FromMarket::Ended { reason, replacement: None });
        } else if amends != 0 {
            let slot = self.orders.find(order).expect("it rests");
            self.orders[slot].amends = amends;
        }
    }

    /// As [`Self::place`], at a contract. Whenever it comes to an order that only reduces, positions are looked at first.
    #[inline(never)]
    fn place_contract(&mut self, order: &ContractOrder) {
        let ContractOrder { account, side, position_side, self_trade_prevention, reduce_only, .. } = *order;
        let mut place = PlaceMessage {
            order: order.order,
            account,
            trade_group: order.trade_group,
            side,
            kind: order.kind,
            self_trade_prevention,
            held: Amount::ZERO,
        };
        let checked = match self.check(&place) {
            Ok(()) if reduce_only => self.reducible((account, position_side), side, place.kind),
            Ok(()) => Ok(place.kind),
            Err(reject) => Err(reject),
        };
        place.kind = match checked {
            Ok(kind) => kind,
            Err(reject) => return self.tell(account, order.order, FromMarket::Refused { reject }),
        };
        let kind = place.kind;
        self.holders().arrives(account, position_side);
        self.tell(account, order.order, FromMarket::Accepted { kind, side, self_trade_prevention });

        if self.work_contract(&place, order.worst_ticks) && reduce_only {
            self.rests_to_reduce(account, order.order);
        }
    }

    /// An order enters the book of a contract: it trades, no further than to `worst_ticks`, and rests or ends. True where it rests.
    pub fn work_contract(&mut self, place: &PlaceMessage, worst_ticks: PriceTicks) -> bool {
        let PlaceMessage { order, account, side, .. } = *place;
        let mut incoming = self.incoming(place);
        incoming.worst_ticks = match side {
            Side::Buy => incoming.worst_ticks.min(worst_ticks),
            Side::Sell => incoming.worst_ticks.max(worst_ticks),
        };
        if incoming.remainder == Remainder::NoneAllowed && !self.fills_without_reducing(&incoming) {
            let reason = EndReason::Expired(ExpiryReason::UnfilledFok);
            self.tell(account, order, FromMarket::Ended { reason, replacement: None });
            return false;
        }
        let outcome = loop {
            let outcome = self.listed.book.place(self.orders, &incoming, self.reports);
            self.report(Some(&incoming));
            if outcome.stop != Stop::Reduces {
                break outcome;
            }
            incoming.max_lots = incoming.max_lots - outcome.traded_lots - outcome.prevented_lots;
            incoming.before.traded_lots += outcome.traded_lots;
            incoming.before.prevented_lots += outcome.prevented_lots;
            if incoming.remainder == Remainder::NoneAllowed {
                // It was seen above that the others fill it.
                incoming.remainder = Remainder::Expires;
            }
        };
        if !outcome.rests {
            let reason = end_reason(&place.kind, &incoming, &outcome);
            self.tell(account, order, FromMarket::Ended { reason, replacement: None });
        }
        outcome.rests
    }

    /// Whether the orders that do not only reduce fill an order: those that do may be smaller when their turn comes.
    fn fills_without_reducing(&self, incoming: &Incoming) -> bool {
        let mut missing = incoming.max_lots;
        for order in self.listed.book.queue(self.orders, incoming.side.opposite()) {
            let is_within = match incoming.side {
                Side::Buy => order.price_ticks <= incoming.worst_ticks,
                Side::Sell => order.price_ticks >= incoming.worst_ticks,
            };
            if !is_within || missing.is_zero() {
                break;
            }
            if !order.marks.has(Marks::REDUCES) {
                missing -= missing.min(order.open_lots);
            }
        }
        missing.is_zero()
    }

    /// Lets the orders whose price has come enter the book, one after the other. What they trade may trigger others, which come
    /// behind them; since each is triggered once, there is an end.
    #[inline]
    fn work_triggered(&mut self) {
        while let Some(next) = self.listed.triggered.front()
            && !next.asks
        {
            let triggered = self.listed.triggered.pop_front().expect("seen just now");
            let Triggered { place, amends, .. } = triggered;
            self.slot = triggered.slot;
            if self.terms.status == MarketStatus::Trading {
                self.work(&place, amends);
            } else {
                // The market was closed while the account was asked.
                let reason = EndReason::Expired(ExpiryReason::ExchangeCanceled);
                self.tell(place.account, place.order, FromMarket::Ended { reason, replacement: None });
            }
        }
    }

    /// A trade has come to the price of orders that wait.
    #[cold]
    fn trigger(&mut self, price_ticks: PriceTicks) {
        let touched = self.listed.triggers.see(price_ticks);
        for touched in &touched {
            self.orders.fetch_index(touched.order());
        }
        for touched in touched {
            let order = touched.order();
            let slot = self.orders.guess(order).unwrap_or(OrderSlot::UNKNOWN);
            match touched {
                Touched::Tracks { account, .. } => {
                    self.tell_about((order, slot), account, FromMarket::Tracks { price_ticks });
                }
                Touched::Triggered { mut place, amends } => {
                    place.kind = place.kind.triggered();
                    let missing = self.missing(&place, price_ticks);
                    let body = FromMarket::Triggered { price_ticks, missing };
                    self.tell_about((order, slot), place.account, body);
                    let asks = !missing.is_zero();
                    self.listed.triggered.push_back(Triggered { place, slot, amends, asks });
                }
            }
        }
    }

    /// What an order may cost beyond what is held for it, now that its price has come. A buy without a limit has the price that it
    /// waited for; as any market order it may go to the edge of the band.
    fn missing(&self, place: &PlaceMessage, price: PriceTicks) -> Amount {
        match (place.side, place.kind) {
            (Side::Buy, OrderKind::Market { qty_lots }) => {
                let edge = self.terms.band_upper(self.terms.reference(price));
                let cost =
                    self.terms.checked_notional(edge, qty_lots).unwrap_or(MarketTerms::MAX_ORDER_NOTIONAL);
                (cost - place.held).max(Amount::ZERO)
            }
            (_, _) => Amount::ZERO,
        }
    }

    /// An account has held what an order asked for. The order may be gone by now.
    fn held(&mut self, order: OrderId, held: Amount) {
        let mut triggered = self.listed.triggered.iter_mut();
        if let Some(triggered) = triggered.find(|triggered| triggered.place.order == order) {
            triggered.place.held += held;
            triggered.asks = false;
        }
        self.work_triggered();
    }

    fn check(&self, place: &PlaceMessage) -> Result<(), Reject> {
        if self.terms.status != MarketStatus::Trading {
            return Err(Reject::MarketClosed);
        }
        let book = &self.listed.book;
        if let Some(last_ticks) = self.listed.last_ticks()
            && place.kind.trigger().is_some_and(|trigger| trigger.is_reached(place.side, last_ticks))
        {
            return Err(Reject::WouldTrigger { last_ticks });
        }
        let may_rest = match place.kind {
            OrderKind::LimitMaker { price_ticks, .. } => {
                if book.crosses(place.side, price_ticks) {
                    let best_ticks = book.best(place.side.opposite()).expect("an order crosses something");
                    return Err(Reject::WouldTake { best_ticks });
                }
                true
            }
            OrderKind::Limit { time_in_force, .. } => time_in_force == TimeInForce::Gtc,
            OrderKind::StopMarket { .. } | OrderKind::StopLimit { .. } => true,
            OrderKind::Market { .. } => false,
            OrderKind::MarketQuote { .. } => {
                if book.best(place.side.opposite()).is_none() {
                    return Err(Reject::NoLiquidity);
                }
                false
            }
        };
        if may_rest && self.listed.orders() >= self.terms.max_open_orders {
            return Err(Reject::BookFull { max: self.terms.max_open_orders });
        }
        Ok(())
    }

    /// The order as the book wants it: how far it may go in price, in lots, and in money.
    fn incoming(&self, place: &PlaceMessage) -> Incoming {
        let terms = self.terms;
        // Only for orders without a price: it takes a division.
        let band = || {
            let reference = terms.reference(self.listed.reference_ticks);
            match place.side {
                Side::Buy => terms.band_upper(reference),
                Side::Sell => terms.band_lower(reference),
            }
        };
        let tick_lots = |amount: Amount| {
            amount.0.checked_div(terms.quote_atoms_per_tick_lot.0).expect("terms are checked")
        };
        let held_lots = || {
            let lots = place.held.0.checked_div(terms.base_atoms_per_lot.0).expect("terms are checked");
            QtyLots(i64::try_from(lots).unwrap_or(i64::MAX))
        };
        let (worst_ticks, max_lots, max_tick_lots, remainder) = match (place.kind, place.side) {
            (OrderKind::Limit { price_ticks, qty_lots, time_in_force }, _) => {
                let remainder = match time_in_force {
                    TimeInForce::Gtc => Remainder::Rests,
                    TimeInForce::Ioc => Remainder::Expires,
                    TimeInForce::Fok => Remainder::NoneAllowed,
                };
                (price_ticks, qty_lots, TickLots::MAX, remainder)
            }
            (OrderKind::LimitMaker { price_ticks, qty_lots }, _) => {
                (price_ticks, qty_lots, TickLots::MAX, Remainder::Rests)
            }
            // Nothing is held for orders at contracts.
            (OrderKind::Market { qty_lots }, _) if self.contract.is_some() => {
                (band(), qty_lots, TickLots::MAX, Remainder::Expires)
            }
            (OrderKind::Market { qty_lots }, Side::Buy) => {
                (band(), qty_lots, tick_lots(place.held), Remainder::Expires)
            }
            (OrderKind::Market { qty_lots }, Side::Sell) => {
                (band(), qty_lots, TickLots::MAX, Remainder::Expires)
            }
            (OrderKind::MarketQuote { quote_amount }, Side::Buy) => {
                (band(), terms.max_qty_lots, tick_lots(quote_amount), Remainder::Expires)
            }
            (OrderKind::MarketQuote { quote_amount }, Side::Sell) => {
                (band(), held_lots(), tick_lots(quote_amount), Remainder::Expires)
            }
            (OrderKind::StopMarket { .. } | OrderKind::StopLimit { .. }, _) => {
                unreachable!("an order that waits enters the book as what it is then")
            }
        };
        Incoming {
            id: place.order,
            account: place.account,
            trade_group: place.trade_group,
            side: place.side,
            worst_ticks,
            max_lots,
            max_tick_lots,
            remainder,
            self_trade_prevention: place.self_trade_prevention,
            slot: self.slot,
            before: Before::default(),
        }
    }

    fn cancel(
        &mut self,
        order: OrderId,
        account: AccountId,
        restriction: CancelRestriction,
        replacement: Option<ReplacementId>,
    ) {
        match self.cancelable(order, restriction) {
            Ok(standing) => {
                match standing {
                    Standing::Rests(slot) => {
                        self.listed.book.cancel(self.orders, slot, self.reports);
                        self.report(None);
                    }
                    Standing::Waits => {
                        self.listed.triggers.remove(order).expect("it waits");
                    }
                    Standing::Triggered => {
                        self.listed.triggered.retain(|triggered| triggered.place.order != order);
                    }
                }
                self.tell(account, order, FromMarket::Ended { reason: EndReason::Canceled, replacement });
                // Those behind it may have waited for its account alone.
                self.work_triggered();
            }
            Err(reject) => self.tell(account, order, FromMarket::CancelRefused { reject, replacement }),
        }
    }

    fn cancelable(&self, order: OrderId, restriction: CancelRestriction) -> Result<Standing, Reject> {
        if self.terms.status == MarketStatus::Halt {
            return Err(Reject::MarketClosed);
        }
        let (standing, is_new) = if let Some(slot) = self.orders.find_at(self.slot, order) {
            (Standing::Rests(slot), !self.orders[slot].has_traded())
        } else if self.listed.triggers.find(order).is_some() {
            (Standing::Waits, true)
        } else if self.listed.triggered.iter().any(|triggered| triggered.place.order == order) {
            (Standing::Triggered, true)
        } else {
            return Err(Reject::OrderGone { order });
        };
        let allowed = match restriction {
            CancelRestriction::None => true,
            CancelRestriction::OnlyNew => is_new,
            CancelRestriction::OnlyPartiallyFilled => !is_new,
        };
        if allowed { Ok(standing) } else { Err(Reject::CancelRestricted) }
    }

    fn amend(
        &mut self,
        order: OrderId,
        account: AccountId,
        new_qty: QtyLots,
        new_client_order_id: model::ClientOrderId,
    ) -> Result<(), Reject> {
        if self.terms.status != MarketStatus::Trading {
            return Err(Reject::MarketClosed);
        }
        let Some(slot) = self.orders.find_at(self.slot, order) else {
            return self.amend_waiting(order, account, new_qty, new_client_order_id);
        };
        let resting = &self.orders[slot];
        let qty = resting.qty_lots;
        self.check_amendment(qty, new_qty, resting.amends)?;
        if new_qty <= resting.gone_lots() {
            self.listed.book.cancel(self.orders, slot, self.reports);
            self.report(None);
            let reason = EndReason::Expired(ExpiryReason::ExchangeCanceled);
            self.tell(account, order, FromMarket::Ended { reason, replacement: None });
        } else {
            self.listed.book.reduce(self.orders, slot, new_qty, self.reports);
            self.report(None);
            let body =
                FromMarket::Amended { qty_lots: new_qty, cut_lots: qty - new_qty, new_client_order_id };
            self.tell(account, order, body);
        }
        Ok(())
    }

    fn check_amendment(&self, qty: QtyLots, new_qty: QtyLots, amends: u16) -> Result<(), Reject> {
        if new_qty == qty {
            return Err(Reject::AmendChangesNothing);
        }
        if new_qty > qty {
            return Err(Reject::AmendIncreases { qty_lots: qty });
        }
        if amends >= self.terms.max_amends_per_order {
            return Err(Reject::TooManyAmends { max: self.terms.max_amends_per_order });
        }
        Ok(())
    }

    /// An order that waits becomes smaller. One whose price has come is as good as gone.
    fn amend_waiting(
        &mut self,
        order: OrderId,
        account: AccountId,
        new_qty: QtyLots,
        new_client_order_id: model::ClientOrderId,
    ) -> Result<(), Reject> {
        let triggers = &mut self.listed.triggers;
        let (Some(place), Some(amends)) = (triggers.find(order), triggers.amends(order)) else {
            return Err(Reject::OrderGone { order });
        };
        let (qty, held) = (place.kind.qty_lots().expect("an order that waits has a quantity"), place.held);
        self.check_amendment(qty, new_qty, amends)?;
        let left = held - held_for(held, qty, qty - new_qty);
        self.listed.triggers.amend(order, new_qty, left);
        let body = FromMarket::Amended { qty_lots: new_qty, cut_lots: qty - new_qty, new_client_order_id };
        self.tell(account, order, body);
        Ok(())
    }

    /// Tells the accounts and the public what the book reports.
    pub fn report(&mut self, taker: Option<&Incoming>) {
        // Nothing has traded, as a rule.
        if let [Report::LevelChanged { side, price_ticks, open_lots }] = self.reports[..]
            && self.contract.is_none()
        {
            self.reports.clear();
            return self.tell_level(side, price_ticks, open_lots);
        }
        let mut reports = std::mem::take(self.reports);
        let reference_before = self.listed.reference_ticks;
        let first_traded = self.contract.and_then(|_| first_traded(&reports));
        for report in reports.drain(..) {
            match report {
                Report::Traded { maker, maker_slot, maker_account, price_ticks, qty_lots, maker_done } => {
                    let taker = taker.expect("only an incoming order trades");
                    let maker = (maker, maker_slot);
                    self.traded(taker, (maker, maker_account), price_ticks, qty_lots, maker_done);
                }
                Report::Prevented {
                    maker,
                    maker_account,
                    price_ticks,
                    mode,
                    maker_lots,
                    taker_lots,
                    maker_done,
                } => {
                    let taker = taker.expect("only an incoming order meets its owner's own");
                    self.prevented(
                        taker,
                        (maker, maker_account, maker_done),
                        price_ticks,
                        mode,
                        (maker_lots, taker_lots),
                    );
                }
                Report::LevelChanged { side, price_ticks, open_lots } => {
                    self.tell_level(side, price_ticks, open_lots);
                }
            }
        }
        *self.reports = reports;
        if self.contract.is_some() {
            self.keep_all_reducing();
        }
        // The prices of a sweep go one way, so with the first one, where that lies the other way, everybody has heard of both ends:
        // algo orders miss no price.
        let last = self.listed.reference_ticks;
        let turned = first_traded
            .filter(|first| *first < reference_before.min(last) || reference_before.max(last) < *first);
        if let Some(first) = turned {
            self.mail.send_reference_price(self.market, first);
        }
        if last != reference_before || turned.is_some() {
            self.mail.send_reference_price(self.market, last);
        }
    }

    #[inline]
    fn tell_level(&mut self, side: Side, price_ticks: PriceTicks, open_lots: QtyLots) {
        self.listed.update_id = self.listed.update_id.checked_add(1).expect("a counter never runs out");
        let (market, update_id) = (self.market, self.listed.update_id);
        let changed = LevelChanged { market, update_id, side, price_ticks, open_lots };
        append(self.events, || Event::LevelChanged(changed));
    }

    fn traded(
        &mut self,
        taker: &Incoming,
        (maker, maker_account): ((OrderId, OrderSlot), AccountId),
        price_ticks: PriceTicks,
        qty_lots: QtyLots,
        maker_done: bool,
    ) {
        let trade = self.listed.next_trade;
        self.listed.next_trade = trade.next();
        self.listed.reference_ticks = price_ticks;
        let market = self.market;
        append(self.events, || {
            Event::Traded(Traded {
                market,
                trade,
                price_ticks,
                qty_lots,
                taker_side: taker.side,
                maker_order: maker.0,
                taker_order: taker.id,
            })
        });
        self.mail.send_trade(|| Trade {
            market,
            id: trade,
            price_ticks,
            qty_lots,
            taker_side: taker.side,
            maker: Party { order: maker.0, account: maker_account, slot: maker.1 },
            taker: Party { order: taker.id, account: taker.account, slot: self.slot },
            maker_done,
        });
        if self.contract.is_some() {
            let (side, maker_side) = (taker.side, taker.side.opposite());
            let position_side = self.holders().resting_for(maker_account, maker.0, maker_side);
            self.change_quantity(maker_account, position_side, maker_side, qty_lots);
            let position_side = self.holders().arriving;
            self.change_quantity(taker.account, position_side, side, qty_lots);
        }
        if self.listed.triggers.are_touched_by(price_ticks) {
            self.trigger(price_ticks);
        }
    }

    fn prevented(
        &mut self,
        taker: &Incoming,
        (maker, maker_account, maker_done): (OrderId, AccountId, bool),
        price_ticks: PriceTicks,
        mode: SelfTradePrevention,
        (maker_lots, taker_lots): (QtyLots, QtyLots),
    ) {
        let prevented_match = self.listed.next_prevented_match;
        self.listed.next_prevented_match = prevented_match.checked_add(1).expect("a counter never runs out");
        let prevented = |side, liquidity, counter_order, lots| {
            if mode == SelfTradePrevention::Transfer {
                FromMarket::Transferred {
                    prevented_match,
                    side,
                    liquidity,
                    counter_order,
                    price_ticks,
                    qty_lots: lots,
                }
            } else {
                FromMarket::Prevented {
                    prevented_match,
                    liquidity,
                    counter_order,
                    price_ticks,
                    prevented_lots: lots,
                    mode,
                }
            }
        };
        let to_maker = prevented(taker.side.opposite(), Liquidity::Maker, taker.id, maker_lots);
        self.tell(maker_account, maker, to_maker);
        self.tell(taker.account, taker.id, prevented(taker.side, Liquidity::Taker, maker, taker_lots));
        if maker_done {
            self.tell(
                maker_account,
                maker,
                FromMarket::Ended { reason: EndReason::ExpiredInMatch, replacement: None },
            );
        }
    }
}

/// Where an open order is.
enum Standing {
    Rests(OrderSlot),
    Waits,
    Triggered,
}

/// The price of the first trade among these.
fn first_traded(reports: &[Report]) -> Option<PriceTicks> {
    reports.iter().find_map(|report| match *report {
        Report::Traded { price_ticks, .. } => Some(price_ticks),
        Report::Prevented { .. } | Report::LevelChanged { .. } => None,
    })
}

/// What is held for `part` of an order that is worth the same, lot by lot.
pub fn held_for(held: Amount, qty: QtyLots, part: QtyLots) -> Amount {
    let for_part = held.0.checked_div(qty.0.into()).and_then(|lot| lot.checked_mul(part.0.into()));
    Amount(for_part.expect("an order has a quantity, and holds enough for it"))
}

/// Why an order that does not rest has ended. Sources: semantics 1.1, 1.10 and section 8.
fn end_reason(kind: &OrderKind, incoming: &Incoming, outcome: &Outcome) -> EndReason {
    let expired = match kind {
        OrderKind::Limit { time_in_force: TimeInForce::Fok, .. } => ExpiryReason::UnfilledFok,
        OrderKind::Limit { .. } | OrderKind::LimitMaker { .. } => ExpiryReason::UnfilledIoc,
        OrderKind::Market { .. } | OrderKind::MarketQuote { .. } if outcome.stop == Stop::Price => {
            ExpiryReason::PriceRangeExceeded
        }
        OrderKind::Market { .. } | OrderKind::MarketQuote { .. } => ExpiryReason::InsufficientLiquidity,
        OrderKind::StopMarket { .. } | OrderKind::StopLimit { .. } => {
            unreachable!("an order that waits enters the book as what it is then")
        }
    };
    let by_amount = matches!(kind, OrderKind::MarketQuote { .. });
    let nothing_traded = outcome.traded_lots.is_zero();
    match outcome.stop {
        // An order by amount has all it can get when what is left buys less than a lot; what stops it at a number of lots
        // is the largest order there may be, or too little to sell.
        Stop::Lots if !by_amount => EndReason::Filled,
        Stop::TickLots if by_amount && !nothing_traded => EndReason::Filled,
        Stop::Prevented if incoming.remainder != Remainder::NoneAllowed => EndReason::ExpiredInMatch,
        Stop::Reduces => unreachable!("an order goes on behind that"),
        Stop::Lots | Stop::TickLots | Stop::Prevented | Stop::BookEnded | Stop::Price => {
            EndReason::Expired(expired)
        }
    }
}
