//! Placing an order, as its account sees it: check the market's rules, hold what it can cost, send it to its market.
//! Sources: semantics 1.2, 1.10; what is held, and why by the account alone, is in `ARCHITECTURE.md` under "Holds".

use model::{
    Amount, AssetId, MarketTerms, OrderKind, PlaceMessage, PlaceOrder, PriceTicks, QtyLots, Reject, Side,
    ToMarket, Trigger,
};

use crate::accounts::Accounts;
use crate::catalog::Catalog;
use crate::messages::Mail;
use crate::open_orders::{Hint, Named, SeatSlot};

impl Accounts {
    pub fn place(
        &mut self,
        catalog: &Catalog,
        place: &PlaceOrder,
        hint: Hint,
        mail: &mut Mail,
    ) -> Result<(), Reject> {
        let seat = self.check_rules(catalog, place, hint)?;
        let named = hint.named(place.account, &place.client_order_id);
        self.place_checked(catalog, place, (seat, &named), mail)
    }

    /// Everything about an order that does not depend on the account's money or on its other orders' names. The account's
    /// seat, where it has one.
    #[inline]
    pub fn check_rules(
        &self,
        catalog: &Catalog,
        place: &PlaceOrder,
        hint: Hint,
    ) -> Result<Option<SeatSlot>, Reject> {
        let terms = catalog.open_spot_market(place.market)?;
        let seat = self.seat(hint.seat, place.account, place.market)?;
        check_filters(terms, &place.kind, self.reference_price(terms, place))?;
        let open_orders = seat.map_or(0, |seat| self.open.seat(seat).open_orders);
        if open_orders >= terms.max_open_orders_per_account {
            return Err(Reject::TooManyOpenOrders { max: terms.max_open_orders_per_account });
        }
        if place.kind.trigger().is_some() {
            self.check_algo_orders(seat)?;
        }
        Ok(seat)
    }

    /// The rest of the checks, then the hold. The caller has the seat from [`Self::check_rules`].
    pub fn place_checked(
        &mut self,
        catalog: &Catalog,
        place: &PlaceOrder,
        (seat, named): (Option<SeatSlot>, &Named),
        mail: &mut Mail,
    ) -> Result<(), Reject> {
        let terms = catalog.open_market(place.market)?;
        if self.open.find_named(named).is_some() {
            return Err(Reject::DuplicateClientOrderId);
        }
        let seat_slot = seat.unwrap_or_else(|| self.add_seat(place.account, place.market, terms));
        let pays_from = self.open.seat(seat_slot).pays_from(place.side);
        let available = self.ledger.purse(pays_from).free;
        let held = hold_for(terms, place, self.reference_price(terms, place), available)?;
        let asset = paid_with(terms, place.side);
        self.ledger.hold(pays_from, asset, held).map_err(|short| Reject::InsufficientBalance {
            needed: short.needed,
            available: short.available,
        })?;

        let order = self.next_order;
        self.next_order = order.next();
        let limit_ticks = place.kind.price_ticks();
        let slot = self.open.insert(order, seat_slot, (place.side, limit_ticks), held, named);
        if place.kind.trigger().is_some() {
            self.open.begin_to_wait(slot);
        }
        let trade_group = self.account(place.account)?.trade_group;
        mail.send_about(slot, place.market, || {
            ToMarket::Place(PlaceMessage {
                order,
                account: place.account,
                trade_group,
                side: place.side,
                kind: place.kind,
                self_trade_prevention: place.self_trade_prevention,
                held,
            })
        });
        Ok(())
    }

    /// `MAX_NUM_ALGO_ORDERS`: the account's orders here that wait for a price.
    fn check_algo_orders(&self, seat: Option<SeatSlot>) -> Result<(), Reject> {
        let max = MarketTerms::MAX_ALGO_ORDERS_PER_ACCOUNT;
        let waiting = seat.map_or(0, |seat| self.open.waiting_at(seat));
        if waiting < max { Ok(()) } else { Err(Reject::TooManyAlgoOrders { max }) }
    }

    fn reference_price(&self, terms: &MarketTerms, place: &PlaceOrder) -> PriceTicks {
        let at = usize::try_from(place.market.0).expect("markets fit into memory");
        terms.reference(self.reference_prices[at])
    }
}

/// `PRICE_FILTER`, `LOT_SIZE`, `NOTIONAL` and `TRAILING_DELTA`. Orders without a price count at the price that they wait for, or
/// at the reference price.
pub fn check_filters(terms: &MarketTerms, kind: &OrderKind, reference: PriceTicks) -> Result<(), Reject> {
    let trigger = kind.trigger();
    if let Some(trigger) = &trigger {
        check_trigger(trigger)?;
    }
    let stop = trigger.and_then(|trigger| trigger.stop_ticks);
    let outside = |price: PriceTicks| price < terms.min_price_ticks || terms.max_price_ticks < price;
    if kind.price_ticks().is_some_and(outside) || stop.is_some_and(outside) {
        return Err(Reject::PriceOutOfRange {
            min_ticks: terms.min_price_ticks,
            max_ticks: terms.max_price_ticks,
        });
    }
    if let Some(qty) = kind.qty_lots()
        && (qty < terms.min_qty_lots || terms.max_qty_lots < qty)
    {
        return Err(Reject::QtyOutOfRange { min_lots: terms.min_qty_lots, max_lots: terms.max_qty_lots });
    }
    let notional = match *kind {
        OrderKind::Limit { price_ticks, qty_lots, .. }
        | OrderKind::LimitMaker { price_ticks, qty_lots }
        | OrderKind::StopLimit { price_ticks, qty_lots, .. } => terms.notional(price_ticks, qty_lots),
        OrderKind::Market { qty_lots } => terms.notional(reference, qty_lots),
        OrderKind::StopMarket { qty_lots, .. } => terms.notional(stop.unwrap_or(reference), qty_lots),
        OrderKind::MarketQuote { quote_amount } => quote_amount,
    };
    let max = if terms.max_notional.is_zero() { MarketTerms::MAX_ORDER_NOTIONAL } else { terms.max_notional };
    let min = terms.min_notional.max(Amount(1));
    if notional < min || max < notional {
        return Err(Reject::NotionalOutOfRange { min, max });
    }
    Ok(())
}

fn check_trigger(trigger: &Trigger) -> Result<(), Reject> {
    let (min_bips, max_bips) = (MarketTerms::MIN_TRAILING_BIPS, MarketTerms::MAX_TRAILING_BIPS);
    match trigger.trailing_bips {
        None if trigger.stop_ticks.is_none() => Err(Reject::TriggerMissing),
        Some(bips) if bips < min_bips || max_bips < bips => {
            Err(Reject::TrailingDeltaOutOfRange { min_bips, max_bips })
        }
        None | Some(_) => Ok(()),
    }
}

/// What the order can cost: quote atoms for a buy, base atoms for a sell. `available` is what is free.
fn hold_for(
    terms: &MarketTerms,
    place: &PlaceOrder,
    reference: PriceTicks,
    available: Amount,
) -> Result<Amount, Reject> {
    let between = |least: Amount, most: Amount| {
        if available < least {
            Err(Reject::InsufficientBalance { needed: least, available })
        } else {
            Ok(most.min(available))
        }
    };
    match (place.side, place.kind) {
        (
            Side::Buy,
            OrderKind::Limit { price_ticks, qty_lots, .. }
            | OrderKind::LimitMaker { price_ticks, qty_lots }
            | OrderKind::StopLimit { price_ticks, qty_lots, .. },
        ) => Ok(terms.notional(price_ticks, qty_lots)),
        // The rest is asked for when the price has come.
        (Side::Buy, OrderKind::StopMarket { qty_lots, .. }) => {
            let stop = place.kind.trigger().and_then(|trigger| trigger.stop_ticks);
            Ok(terms.notional(stop.unwrap_or(reference), qty_lots))
        }
        (Side::Buy, OrderKind::Market { qty_lots }) => between(
            terms.notional(reference, qty_lots),
            terms.notional(terms.band_upper(reference), qty_lots),
        ),
        (Side::Buy, OrderKind::MarketQuote { quote_amount }) => Ok(quote_amount),
        (
            Side::Sell,
            OrderKind::Limit { qty_lots, .. }
            | OrderKind::LimitMaker { qty_lots, .. }
            | OrderKind::Market { qty_lots }
            | OrderKind::StopMarket { qty_lots, .. }
            | OrderKind::StopLimit { qty_lots, .. },
        ) => Ok(terms.base_amount(qty_lots)),
        (Side::Sell, OrderKind::MarketQuote { quote_amount }) => {
            let base_for = |price| terms.base_amount(lots_rounded_up(terms, quote_amount, price));
            between(base_for(reference), base_for(terms.band_lower(reference)))
        }
    }
}

/// What an order of this side pays with.
#[inline]
pub fn paid_with(terms: &MarketTerms, side: Side) -> AssetId {
    match side {
        Side::Buy => terms.quote,
        Side::Sell => terms.base,
    }
}

/// The lots that must be sold at `price` to receive `quote`, at most the largest order.
fn lots_rounded_up(terms: &MarketTerms, quote: Amount, price: PriceTicks) -> QtyLots {
    let per_lot = terms.notional(price, QtyLots(1)).0;
    let lots = quote
        .0
        .saturating_add(per_lot.saturating_sub(1))
        .checked_div(per_lot)
        .expect("a price is above zero");
    QtyLots(i64::try_from(lots).unwrap_or(i64::MAX)).min(terms.max_qty_lots)
}
