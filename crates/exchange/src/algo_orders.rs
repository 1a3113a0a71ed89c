//! Orders that wait for a price of a contract, as their account sees them: accepted, cancelled, triggered. Nothing is reserved while
//! one waits; when its price has come, an order is placed by the same rules as any other, and where those refuse it, it comes to
//! nothing. Sources: semantics 2, Binance USD-M "New Algo Order"; what they left open is in `docs/futures.md`.

use model::{
    AccountId, AlgoEndReason, AlgoId, AlgoOrder, AlgoOrderEnded, AlgoOrderTracks, AlgoOrderTriggered,
    AlgoPlaces, AlgoRef, AlgoTrigger, CancelAlgoOrder, CancelAllAlgoOrders, ClientOrderId, ContractTerms,
    Event, MarketId, MarketStatus, MarketTerms, OrderId, OrderKind, PlaceAlgoOrder, PlaceContractOrder,
    PositionSide, PriceTicks, QtyLots, Reject, Side, TimeInForce, TimeNs, WorkingPrice,
};

use crate::accounts::Accounts;
use crate::algo_book::{Reached, closes, trigger_of};
use crate::catalog::Catalog;
use crate::messages::Mail;
use crate::open_orders::{Named, SeatSlot};
use crate::place::check_filters;
use crate::place_contract::{Filters, check_kind};

impl Accounts {
    #[inline(never)]
    pub fn place_algo(
        &mut self,
        catalog: &Catalog,
        place: &PlaceAlgoOrder,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        let PlaceAlgoOrder { account, market, side, position_side, .. } = *place;
        let terms = catalog.open_market(market)?;
        catalog.contract(market).ok_or(Reject::NotContract { market })?;
        self.account(account)?;
        if terms.status != MarketStatus::Trading {
            return Err(Reject::MarketClosed);
        }
        check_combination(place)?;
        self.check_position_side(&first_sight(place))?;
        let price = self.working_price(market, place.working_price);
        check_prices(terms, place, terms.reference(price))?;
        if trigger_of(&place.trigger).is_reached(side, price) {
            return Err(Reject::WouldTrigger { last_ticks: price });
        }
        let max = ContractTerms::MAX_ALGO_ORDERS_PER_ACCOUNT;
        let algos = &self.futures.algos;
        if u32::try_from(algos.count(account, market)).is_ok_and(|count| count >= max) {
            return Err(Reject::TooManyAlgoOrders { max });
        }
        if algos.find_named(account, place.client_algo_id).is_some() {
            return Err(Reject::DuplicateClientOrderId);
        }
        let seat = self.take_seat_of(account, market, terms.quote, position_side);
        let stake = &self.futures.open.seat(seat).stake;
        if [stake.wallet, stake.backing()].into_iter().any(|wallet| self.futures.is_in_liquidation(wallet)) {
            return Err(Reject::InLiquidation);
        }
        if place.places == AlgoPlaces::ClosesPosition {
            self.check_close(place, seat)?;
        }

        let algos = &mut self.futures.algos;
        let first = AlgoId::first_of(self.next_order.partition());
        let algo = AlgoId(first.0.checked_add(algos.given).expect("a counter never runs out"));
        algos.given = algos.given.checked_add(1).expect("a counter never runs out");
        let order = AlgoOrder {
            algo,
            account,
            market,
            side,
            position_side,
            trigger: place.trigger,
            places: place.places,
            working_price: place.working_price,
            price_protect: place.price_protect,
            self_trade_prevention: place.self_trade_prevention,
            client_algo_id: place.client_algo_id,
        };
        algos.add(order, price);
        events.push(Event::AlgoOrderAccepted(Box::new(order)));
        Ok(())
    }

    /// The price that algo orders of a contract go by, as far as it is known here.
    fn working_price(&self, market: MarketId, working_price: WorkingPrice) -> PriceTicks {
        match working_price {
            WorkingPrice::Mark => self.futures.mark(market),
            WorkingPrice::Contract => {
                self.reference_prices[usize::try_from(market.0).expect("markets fit into memory")]
            }
        }
    }

    /// One that closes a position needs one, or an open order that may lead to one; of each position one stop and one take-profit
    /// order do so. Source: Binance USD-M errors -4509 and -4130.
    fn check_close(&self, place: &PlaceAlgoOrder, seat: SeatSlot) -> Result<(), Reject> {
        let PlaceAlgoOrder { account, market, side, position_side, trigger, .. } = *place;
        let stake = &self.futures.open.seat(seat).stake;
        let opening = match side {
            Side::Buy => stake.reserved.ask_lots,
            Side::Sell => stake.reserved.bid_lots,
        };
        let is_other_leg = position_side.closed_by().is_some_and(|closed_by| closed_by != side);
        if is_other_leg || (stake.position.closed_by() != Some(side) && opening.is_zero()) {
            return Err(Reject::NothingToReduce);
        }
        let kind = trigger_of(&trigger).kind;
        let mut others =
            self.futures.algos.of(account, market).filter(|other| closes(other, side, position_side));
        match others.find(|other| trigger_of(&other.trigger).kind == kind) {
            Some(other) => Err(Reject::ClosesAlready { algo: other.algo }),
            None => Ok(()),
        }
    }

    /// `at` is where it waits, where that was said; one that waits elsewhere is not meant.
    pub fn cancel_algo(
        &mut self,
        cancel: &CancelAlgoOrder,
        at: Option<MarketId>,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        let CancelAlgoOrder { account, algo, .. } = *cancel;
        self.account(account)?;
        let algos = &self.futures.algos;
        let found = match algo {
            AlgoRef::Id(algo) => Some(algo),
            AlgoRef::Client(name) => algos.find_named(account, name),
        };
        let found = found.and_then(|algo| algos.waiting.get(&algo));
        let is_meant =
            |order: &&AlgoOrder| order.account == account && at.is_none_or(|at| order.market == at);
        let order = found.filter(is_meant).ok_or(Reject::UnknownOrder)?;
        self.end_algo(order.algo, AlgoEndReason::Canceled, events);
        Ok(())
    }

    pub fn cancel_all_algos(
        &mut self,
        catalog: &Catalog,
        cancel: &CancelAllAlgoOrders,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        let CancelAllAlgoOrders { account, market, .. } = *cancel;
        catalog.market(market)?;
        catalog.contract(market).ok_or(Reject::NotContract { market })?;
        self.account(account)?;
        if self.futures.algos.count(account, market) == 0 {
            return Err(Reject::UnknownOrder);
        }
        self.end_algos(account, market, AlgoEndReason::Canceled, events);
        Ok(())
    }

    fn end_algo(&mut self, algo: AlgoId, reason: AlgoEndReason, events: &mut Vec<Event>) {
        let AlgoOrder { account, market, .. } = self.futures.algos.remove(algo);
        events.push(Event::AlgoOrderEnded(Box::new(AlgoOrderEnded { algo, account, market, reason })));
    }

    /// Ends all that wait for an account at a contract, oldest first.
    pub fn end_algos(
        &mut self,
        account: AccountId,
        market: MarketId,
        reason: AlgoEndReason,
        events: &mut Vec<Event>,
    ) {
        self.end_algos_of((account, market), |_| true, reason, events);
    }

    /// As [`Self::end_algos`], for one position.
    pub fn end_algos_of_position(
        &mut self,
        (account, market, position_side): (AccountId, MarketId, PositionSide),
        reason: AlgoEndReason,
        events: &mut Vec<Event>,
    ) {
        self.end_algos_of((account, market), |order| order.position_side == position_side, reason, events);
    }

    fn end_algos_of(
        &mut self,
        (account, market): (AccountId, MarketId),
        is_meant: impl Fn(&AlgoOrder) -> bool,
        reason: AlgoEndReason,
        events: &mut Vec<Event>,
    ) {
        let waiting = self.futures.algos.of(account, market);
        let meant: Vec<_> = waiting.filter(|order| is_meant(order)).map(|order| order.algo).collect();
        for algo in meant {
            self.end_algo(algo, reason, events);
        }
    }

    /// A position has changed that an order of this side closed before: those that would have closed it end where it is gone.
    pub fn end_closing_algos(
        &mut self,
        (account, market): (AccountId, MarketId),
        seat: SeatSlot,
        closed_by: Option<Side>,
        events: &mut Vec<Event>,
    ) {
        let now = self.futures.open.seat(seat).stake.position.closed_by();
        let Some(side) = closed_by.filter(|side| now != Some(*side)) else { return };
        let position_side = self.futures.open.seat(seat).stake.position_side;
        let waiting = self.futures.algos.of(account, market);
        let closing: Vec<_> =
            waiting.filter(|order| closes(order, side, position_side)).map(|order| order.algo).collect();
        for algo in closing {
            self.end_algo(algo, AlgoEndReason::PositionGone, events);
        }
    }

    /// One of a market's prices has changed, as far as it is known here.
    #[inline]
    pub fn algos_hear(&mut self, market: MarketId) {
        let mark = self.working_price(market, WorkingPrice::Mark);
        // Spot markets have no mark price.
        if !self.futures.algos.is_empty() && !mark.is_zero() {
            let last = self.working_price(market, WorkingPrice::Contract);
            self.futures.algos.hear(market, mark, last);
        }
    }

    /// Goes on with the algo orders whose prices have come, no more than `budget` of them. Returns what is left of that.
    pub fn go_on_triggering(
        &mut self,
        catalog: &Catalog,
        mail: &mut Mail,
        events: &mut Vec<Event>,
        mut budget: u32,
    ) -> u32 {
        while budget > 0 {
            let most = usize::try_from(budget).unwrap_or(usize::MAX);
            let Some((price_ticks, reached)) = self.futures.algos.go_on(most) else { break };
            // Looking at a price that does nothing any more is work as well.
            let steps = u32::try_from(reached.len().max(1)).expect("no more than the budget");
            budget = budget.saturating_sub(steps);
            for reached in reached {
                match reached {
                    Reached::Tracks(AlgoOrder { algo, account, market, .. }) => {
                        let tracks = AlgoOrderTracks { algo, account, market, price_ticks };
                        events.push(Event::AlgoOrderTracks(tracks));
                    }
                    Reached::Triggered(order) => {
                        self.trigger_algo(catalog, &order, price_ticks, mail, events);
                    }
                }
            }
        }
        budget
    }

    fn trigger_algo(
        &mut self,
        catalog: &Catalog,
        order: &AlgoOrder,
        price_ticks: PriceTicks,
        mail: &mut Mail,
        events: &mut Vec<Event>,
    ) {
        let AlgoOrder { algo, account, market, .. } = *order;
        match self.place_for_algo(catalog, order, mail) {
            Ok(placed) => {
                self.futures.algos.asked.insert(placed, algo);
                let triggered = AlgoOrderTriggered { algo, account, market, price_ticks, order: placed };
                events.push(Event::AlgoOrderTriggered(triggered));
            }
            Err(reject) => {
                let reason = AlgoEndReason::Refused { reject };
                let ended = AlgoOrderEnded { algo, account, market, reason };
                events.push(Event::AlgoOrderEnded(Box::new(ended)));
            }
        }
    }

    fn place_for_algo(
        &mut self,
        catalog: &Catalog,
        order: &AlgoOrder,
        mail: &mut Mail,
    ) -> Result<OrderId, Reject> {
        let AlgoOrder { account, market, side, position_side, self_trade_prevention, .. } = *order;
        let (kind, reduce_only, filters) = match order.places {
            AlgoPlaces::Order { kind, reduce_only } => (kind, reduce_only, Filters::Apply),
            AlgoPlaces::ClosesPosition => {
                let seat = self.futures.find_position(account, market, position_side);
                let position = seat.map(|seat| self.futures.open.seat(seat).stake.position);
                let closed = position.filter(|position| position.closed_by() == Some(side));
                let qty_lots = closed.ok_or(Reject::NothingToReduce)?.size();
                let reduce_only = position_side == PositionSide::Both;
                (OrderKind::Market { qty_lots }, reduce_only, Filters::Waived)
            }
        };
        // An order that could not be placed for its name alone would be the worse loss.
        let named = Named::new(account, &order.client_algo_id);
        let is_free = self.futures.open.find_named(&named).is_none();
        let client_order_id = if is_free { order.client_algo_id } else { ClientOrderId::EMPTY };
        let place = PlaceContractOrder {
            account,
            market,
            side,
            position_side,
            kind,
            self_trade_prevention,
            reduce_only,
            client_order_id,
            valid_until_ns: TimeNs::NEVER,
        };
        self.place_at_contract(catalog, &place, filters, mail)
    }

    /// The market has answered for an order that was placed for an algo order, if it was.
    pub fn algo_answered(&mut self, order: OrderId) -> Option<AlgoId> {
        self.futures.algos.asked.remove(&order)
    }
}

/// As what it places may come, as far as its position side counts.
fn first_sight(place: &PlaceAlgoOrder) -> PlaceContractOrder {
    let (kind, reduce_only) = match place.places {
        AlgoPlaces::Order { kind, reduce_only } => (kind, reduce_only),
        AlgoPlaces::ClosesPosition => (OrderKind::Market { qty_lots: QtyLots(1) }, false),
    };
    PlaceContractOrder {
        account: place.account,
        market: place.market,
        side: place.side,
        position_side: place.position_side,
        kind,
        self_trade_prevention: place.self_trade_prevention,
        reduce_only,
        client_order_id: place.client_algo_id,
        valid_until_ns: place.valid_until_ns,
    }
}

/// What can be told from the request alone.
fn check_combination(place: &PlaceAlgoOrder) -> Result<(), Reject> {
    let kind = match place.places {
        AlgoPlaces::Order { kind, .. } => kind,
        AlgoPlaces::ClosesPosition => OrderKind::Market { qty_lots: QtyLots(1) },
    };
    check_kind(&kind, place.self_trade_prevention)?;
    let AlgoTrigger::Trails { callback_permille, .. } = place.trigger else { return Ok(()) };
    let is_market = matches!(place.places, AlgoPlaces::Order { kind: OrderKind::Market { .. }, .. });
    if !is_market || place.price_protect {
        return Err(Reject::AlgoCombination);
    }
    let (min, max) = (AlgoTrigger::MIN_CALLBACK_PERMILLE, AlgoTrigger::MAX_CALLBACK_PERMILLE);
    if callback_permille < min || max < callback_permille {
        let bips = |permille: u16| permille.saturating_mul(10);
        return Err(Reject::TrailingDeltaOutOfRange { min_bips: bips(min), max_bips: bips(max) });
    }
    Ok(())
}

/// `PRICE_FILTER`, `LOT_SIZE` and `NOTIONAL`, as for an order that waits at a spot market. Of one that closes a position only the
/// price counts.
fn check_prices(terms: &MarketTerms, place: &PlaceAlgoOrder, reference: PriceTicks) -> Result<(), Reject> {
    let trigger = trigger_of(&place.trigger);
    let outside = |price: PriceTicks| price < terms.min_price_ticks || terms.max_price_ticks < price;
    if trigger.stop_ticks.is_some_and(outside) {
        return Err(Reject::PriceOutOfRange {
            min_ticks: terms.min_price_ticks,
            max_ticks: terms.max_price_ticks,
        });
    }
    let stop_ticks = trigger.stop_ticks.unwrap_or(PriceTicks::ZERO);
    let trailing_bips = trigger.trailing_bips.unwrap_or(0);
    let stop_limit = |price_ticks, qty_lots, time_in_force| OrderKind::StopLimit {
        price_ticks,
        qty_lots,
        time_in_force,
        trigger: trigger.kind,
        stop_ticks,
        trailing_bips,
    };
    let waits = match place.places {
        AlgoPlaces::ClosesPosition => return Ok(()),
        AlgoPlaces::Order { kind: OrderKind::Limit { price_ticks, qty_lots, time_in_force }, .. } => {
            stop_limit(price_ticks, qty_lots, time_in_force)
        }
        AlgoPlaces::Order { kind: OrderKind::LimitMaker { price_ticks, qty_lots }, .. } => {
            stop_limit(price_ticks, qty_lots, TimeInForce::Gtc)
        }
        AlgoPlaces::Order { kind, .. } => {
            let qty_lots = kind.qty_lots().expect("an order at a contract has a quantity");
            OrderKind::StopMarket { qty_lots, trigger: trigger.kind, stop_ticks, trailing_bips }
        }
    };
    check_filters(terms, &waits, reference)
}
