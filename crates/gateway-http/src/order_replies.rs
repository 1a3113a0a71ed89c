//! Answers about orders: from what a command caused to Binance's JSON, and from the views' orders for those who ask. What
//! became of a new order is told by its own events alone; a cancelled order is over, so the views tell it as it ended.
//! Source: rest-api.md "Trading endpoints", "Query order"; the fields that real clients read are in the tests.

use axum::http::StatusCode;
use model::{
    AccountId, Amount, ClientOrderId, EndReason, Event, ExpiryReason, OrderAccepted, OrderEnded, OrderId,
    OrderKind, PriceTicks, QtyLots, Reject, SelfTradePrevention, Side, TimeInForce, TimeNs, TriggerKind,
};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use utoipa::openapi::schema::Schema;
use views::{Order, OrderStatus, Orders};

use crate::account::Asset;
use crate::decimal::Decimal;
use crate::errors::{ApiError, ErrorBody};
use crate::gateway::TimeUnit;
use crate::listings::Listing;
use crate::market_data::Symbol;
use crate::openapi::{any_of, any_of_types, reference, words};
use crate::orders::{ResponseType, StrategyLabels};
use crate::rejects::{Asked, api_error};

/// What a command caused, when, and in which unit its owner wants times.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'e> {
    /// Whose command it was.
    pub account: AccountId,
    /// In order.
    pub events: &'e [Event],
    /// The command's time.
    pub time_ns: TimeNs,
    /// The unit of times in the answer.
    pub unit: TimeUnit,
}

/// Not part of a list of orders.
const NO_LIST: i8 = -1;

/// What a client calls an order.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, max_length = 36)]
pub(crate) struct Name(pub(crate) ClientOrderId);

impl Name {
    /// One that the exchange has made up.
    pub(crate) fn of(name: &str) -> Self {
        Self(ClientOrderId::new(name).expect("the exchange's names are short"))
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

/// The answer ACK, and the head of all others to a new order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ack {
    symbol: Symbol,
    order_id: u64,
    order_list_id: i8,
    client_order_id: Name,
    transact_time: u64,
}

/// What most answers tell of an order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    pub(crate) price: Decimal,
    pub(crate) orig_qty: Decimal,
    pub(crate) executed_qty: Decimal,
    pub(crate) orig_quote_order_qty: Decimal,
    /// Binance's spelling.
    pub(crate) cummulative_quote_qty: Decimal,
    #[schema(schema_with = words::order_status)]
    pub(crate) status: &'static str,
    #[schema(schema_with = words::time_in_force)]
    pub(crate) time_in_force: &'static str,
    #[schema(schema_with = words::order_type)]
    pub(crate) r#type: &'static str,
    #[schema(schema_with = words::side)]
    pub(crate) side: &'static str,
}

/// What is told only of orders to which it applies.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Conditional {
    #[serde(skip_serializing_if = "Option::is_none")]
    prevented_match_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prevented_quantity: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::expiry_reason)]
    expiry_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_price: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trailing_delta: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trailing_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy_type: Option<u64>,
}

/// One trade of a new order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fill {
    price: Decimal,
    qty: Decimal,
    commission: Decimal,
    commission_asset: Asset,
    trade_id: u64,
}

/// The answers RESULT and FULL.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placed {
    #[serde(flatten)]
    ack: Ack,
    #[serde(flatten)]
    state: State,
    working_time: i64,
    #[schema(schema_with = words::stp_mode)]
    self_trade_prevention_mode: &'static str,
    #[serde(flatten)]
    conditional: Conditional,
    #[serde(skip_serializing_if = "Option::is_none")]
    fills: Option<Vec<Fill>>,
}

/// The answer to a new order.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum PlaceReply {
    /// ACK.
    Ack(Ack),
    /// RESULT or FULL.
    Placed(Box<Placed>),
}

any_of_types!(PlaceReply: Ack, Placed);

/// The answer to a cancel, one of them for each order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cancelled {
    symbol: Symbol,
    orig_client_order_id: Name,
    order_id: u64,
    order_list_id: i8,
    client_order_id: Name,
    transact_time: u64,
    #[serde(flatten)]
    state: State,
    #[schema(schema_with = words::stp_mode)]
    self_trade_prevention_mode: &'static str,
    #[serde(flatten)]
    conditional: Conditional,
}

/// The answer to a cancel of an order of which nothing is remembered any more (one of thousands cancelled at once).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BareCancelled {
    symbol: Symbol,
    order_id: u64,
    order_list_id: i8,
    client_order_id: Name,
    transact_time: u64,
    #[schema(schema_with = words::order_status)]
    status: &'static str,
}

/// The answer to a cancel.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum CancelReply {
    /// As it should be.
    Full(Box<Cancelled>),
    /// All that is left to tell.
    Bare(BareCancelled),
}

any_of_types!(CancelReply: Cancelled, BareCancelled);

/// The answer to a question about an order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderReply {
    symbol: Symbol,
    order_id: u64,
    order_list_id: i8,
    client_order_id: Name,
    #[serde(flatten)]
    state: State,
    stop_price: Decimal,
    iceberg_qty: Decimal,
    time: u64,
    update_time: u64,
    is_working: bool,
    working_time: i64,
    #[schema(schema_with = words::stp_mode)]
    self_trade_prevention_mode: &'static str,
    #[serde(flatten)]
    conditional: Conditional,
}

/// The answer to a replacement that went through.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replaced {
    #[schema(schema_with = words::half_result)]
    cancel_result: &'static str,
    #[schema(schema_with = words::half_result)]
    new_order_result: &'static str,
    cancel_response: CancelReply,
    new_order_response: PlaceReply,
}

/// One half of a replacement.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Half<T> {
    Done(T),
    Failed {
        code: i32,
        msg: String,
    },
    /// `null`: it was not attempted.
    Nothing,
}

/// The answer to a replacement that did not go through, or only half.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplaceFailure {
    code: i32,
    msg: &'static str,
    data: ReplaceData,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplaceData {
    #[schema(schema_with = words::half_result)]
    cancel_result: &'static str,
    #[schema(schema_with = words::half_result)]
    new_order_result: &'static str,
    #[schema(schema_with = cancel_half)]
    cancel_response: Half<CancelReply>,
    #[schema(schema_with = place_half)]
    new_order_response: Half<PlaceReply>,
}

fn cancel_half() -> Schema {
    half::<CancelReply>()
}

fn place_half() -> Schema {
    half::<PlaceReply>()
}

fn half<T: ToSchema>() -> Schema {
    any_of([reference::<T>(), reference::<ErrorBody<'_>>(), words::null()])
}

/// The answer to a replacement.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ReplaceReply {
    /// Both halves.
    Replaced(Box<Replaced>),
    /// One half, or none.
    Failed(Box<ReplaceFailure>),
}

/// The answer to an amendment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Amended {
    transact_time: u64,
    execution_id: u64,
    amended_order: AmendedOrder,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AmendedOrder {
    symbol: Symbol,
    order_id: u64,
    order_list_id: i8,
    orig_client_order_id: Name,
    client_order_id: Name,
    price: Decimal,
    qty: Decimal,
    executed_qty: Decimal,
    prevented_qty: Decimal,
    quote_order_qty: Decimal,
    /// Spelled right, here.
    cumulative_quote_qty: Decimal,
    #[schema(schema_with = words::order_status)]
    status: &'static str,
    #[schema(schema_with = words::time_in_force)]
    time_in_force: &'static str,
    #[schema(schema_with = words::order_type)]
    r#type: &'static str,
    #[schema(schema_with = words::side)]
    side: &'static str,
    working_time: i64,
    #[schema(schema_with = words::stp_mode)]
    self_trade_prevention_mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::expiry_reason)]
    expiry_reason: Option<&'static str>,
}

impl<T> Half<T> {
    fn failed(asked: Asked, reject: Option<&Reject>) -> Self {
        let error = reject.map_or_else(ApiError::internal, |reject| api_error(asked, reject));
        Self::Failed { code: error.code, msg: error.message.into_owned() }
    }
}

impl<'e> Outcome<'e> {
    fn time(&self) -> u64 {
        self.unit.of(self.time_ns)
    }

    /// All that was refused, in order.
    fn rejects(&self) -> impl Iterator<Item = &'e Reject> {
        let account = self.account;
        self.events
            .iter()
            .filter_map(move |event| {
                if let Event::Rejected { account: whose, reject } = event {
                    Some((*whose, reject))
                } else {
                    None
                }
            })
            .filter_map(move |(whose, reject)| (whose == account).then_some(reject))
    }

    /// The new order of this command.
    fn accepted(&self) -> Option<&'e OrderAccepted> {
        let mut accepted = self.events.iter().filter_map(|event| {
            if let Event::OrderAccepted(accepted) = event { Some(accepted) } else { None }
        });
        accepted.find(|accepted| accepted.account == self.account)
    }

    /// The orders of this account that have ended.
    fn ended(&self) -> impl Iterator<Item = &'e OrderEnded> {
        let account = self.account;
        let ended = self
            .events
            .iter()
            .filter_map(|event| if let Event::OrderEnded(ended) = event { Some(ended) } else { None });
        ended.filter(move |ended| ended.account == account)
    }

    /// The orders that this command cancelled.
    fn cancelled(&self) -> impl Iterator<Item = &'e OrderEnded> {
        self.ended().filter(|ended| ended.reason == EndReason::Canceled)
    }

    /// The first thing refused, as an error.
    fn refused(&self, asked: Asked) -> ApiError {
        self.rejects().next().map_or_else(ApiError::internal, |reject| api_error(asked, reject))
    }

    /// The answer to a new order.
    pub fn placed(
        &self,
        listing: &Listing,
        response: ResponseType,
        labels: StrategyLabels,
    ) -> Result<PlaceReply, ApiError> {
        let accepted = self.accepted().ok_or_else(|| self.refused(Asked::Place))?;
        Ok(self.place_reply(listing, accepted, response, labels))
    }

    fn place_reply(
        &self,
        listing: &Listing,
        accepted: &OrderAccepted,
        response: ResponseType,
        labels: StrategyLabels,
    ) -> PlaceReply {
        let ack = Ack {
            symbol: Symbol(listing.terms.name),
            order_id: accepted.order.0,
            order_list_id: NO_LIST,
            client_order_id: Name(accepted.client_order_id),
            transact_time: self.time(),
        };
        if response == ResponseType::Ack {
            return PlaceReply::Ack(ack);
        }
        let mut fate = Fate::default();
        let mut fills = Vec::new();
        for event in self.events {
            if let Event::OrderFilled(filled) = event
                && filled.order == accepted.order
            {
                fate.executed += filled.qty_lots;
                fate.quote += listing.terms.notional(filled.price_ticks, filled.qty_lots);
                if response == ResponseType::Full {
                    let received = listing.received(filled.side);
                    fills.push(Fill {
                        price: listing.price(filled.price_ticks),
                        qty: listing.quantity(filled.qty_lots),
                        commission: Decimal { units: filled.fee.0, scale: received.scale },
                        commission_asset: Asset(received.name),
                        trade_id: filled.trade.0,
                    });
                }
            } else if let Event::OrderPrevented(prevented) = event
                && prevented.order == accepted.order
            {
                fate.prevented += prevented.prevented_lots;
                fate.prevented_match = Some(prevented.prevented_match);
            } else if let Event::OrderEnded(ended) = event
                && ended.order == accepted.order
            {
                fate.end = Some(ended.reason);
            }
        }
        let qty = accepted.kind.qty_lots().unwrap_or(fate.executed + fate.prevented);
        let follows = accepted.kind.trigger().is_some_and(|trigger| trigger.stop_ticks.is_none());
        PlaceReply::Placed(Box::new(Placed {
            ack,
            state: state(listing, accepted.side, &accepted.kind, qty, &fate),
            working_time: working_time(accepted.kind.trigger().is_none().then(|| self.time())),
            self_trade_prevention_mode: stp_name(accepted.self_trade_prevention),
            conditional: Conditional {
                strategy_id: labels.id,
                strategy_type: labels.kind,
                // Without a stop price it follows the price from the start.
                ..conditional(listing, &accepted.kind, Some(self.time()).filter(|_| follows), &fate)
            },
            fills: (response == ResponseType::Full).then_some(fills),
        }))
    }

    /// The answer to a cancel; `orders` are as far as the command at the least.
    pub fn order_cancelled(
        &self,
        listing: &Listing,
        orders: &Orders,
        cancel_id: ClientOrderId,
    ) -> Result<CancelReply, ApiError> {
        let ended = self.cancelled().next().ok_or_else(|| self.refused(Asked::Cancel))?;
        Ok(self.cancel_reply(listing, orders, cancel_id, ended.order))
    }

    /// The answer to a cancel of everything in a market; `orders` are as far as the command at the least.
    pub fn all_cancelled(
        &self,
        listing: &Listing,
        orders: &Orders,
        cancel_id: ClientOrderId,
    ) -> Result<Vec<CancelReply>, ApiError> {
        let cancelled: Vec<CancelReply> = self
            .cancelled()
            .map(|ended| self.cancel_reply(listing, orders, cancel_id, ended.order))
            .collect();
        if cancelled.is_empty() { Err(self.refused(Asked::Cancel)) } else { Ok(cancelled) }
    }

    fn cancel_reply(
        &self,
        listing: &Listing,
        orders: &Orders,
        cancel_id: ClientOrderId,
        id: OrderId,
    ) -> CancelReply {
        let Some(order) = orders.by_id(id) else {
            return CancelReply::Bare(BareCancelled {
                symbol: Symbol(listing.terms.name),
                order_id: id.0,
                order_list_id: NO_LIST,
                client_order_id: Name(cancel_id),
                transact_time: self.time(),
                status: status_name(OrderStatus::Canceled),
            });
        };
        let fate = Fate::of(order);
        CancelReply::Full(Box::new(Cancelled {
            symbol: Symbol(listing.terms.name),
            orig_client_order_id: Name(order.client_order_id),
            order_id: id.0,
            order_list_id: NO_LIST,
            client_order_id: Name(cancel_id),
            transact_time: self.time(),
            state: state(listing, order.side, &order.kind, order.qty_lots, &fate),
            self_trade_prevention_mode: stp_name(order.self_trade_prevention),
            conditional: conditional_of(listing, order, self.unit),
        }))
    }

    /// The answer to a replacement, with its status; `orders` are as far as the command at the least.
    pub fn replaced(
        &self,
        listing: &Listing,
        orders: &Orders,
        cancel_id: ClientOrderId,
        response: ResponseType,
        labels: StrategyLabels,
    ) -> Result<(StatusCode, ReplaceReply), ApiError> {
        let cancelled =
            self.cancelled().next().map(|ended| self.cancel_reply(listing, orders, cancel_id, ended.order));
        let placed = self.accepted().map(|accepted| self.place_reply(listing, accepted, response, labels));
        let mut rejects = self.rejects();
        let (first, second) = (rejects.next(), rejects.next());

        let (status, code, msg, data) = match (cancelled, placed) {
            (Some(cancelled), Some(placed)) => {
                let replaced = Replaced {
                    cancel_result: "SUCCESS",
                    new_order_result: "SUCCESS",
                    cancel_response: cancelled,
                    new_order_response: placed,
                };
                return Ok((StatusCode::OK, ReplaceReply::Replaced(Box::new(replaced))));
            }
            (Some(cancelled), None) => {
                let data = ReplaceData {
                    cancel_result: "SUCCESS",
                    new_order_result: "FAILURE",
                    cancel_response: Half::Done(cancelled),
                    new_order_response: Half::failed(Asked::Place, first),
                };
                (StatusCode::CONFLICT, -2021, "Order cancel-replace partially failed.", data)
            }
            (None, Some(placed)) => {
                let data = ReplaceData {
                    cancel_result: "FAILURE",
                    new_order_result: "SUCCESS",
                    cancel_response: Half::failed(Asked::Cancel, first),
                    new_order_response: Half::Done(placed),
                };
                (StatusCode::CONFLICT, -2021, "Order cancel-replace partially failed.", data)
            }
            (None, None) => {
                // One refusal alone came before either half was tried: it is that of the whole request.
                let Some(second) = second else { return Err(self.refused(Asked::Place)) };
                let attempted = *second != Reject::ReplaceNotAttempted;
                let data = ReplaceData {
                    cancel_result: "FAILURE",
                    new_order_result: if attempted { "FAILURE" } else { "NOT_ATTEMPTED" },
                    cancel_response: Half::failed(Asked::Cancel, first),
                    new_order_response: if attempted {
                        Half::failed(Asked::Place, Some(second))
                    } else {
                        Half::Nothing
                    },
                };
                (StatusCode::BAD_REQUEST, -2022, "Order cancel-replace failed.", data)
            }
        };
        Ok((status, ReplaceReply::Failed(Box::new(ReplaceFailure { code, msg, data }))))
    }

    /// The answer to an amendment. `orders` are as far as the command at the least, and may be further: the executed quantity
    /// is then that of a moment later. `name_before` is what the order was called.
    pub fn amended(
        &self,
        listing: &Listing,
        orders: &Orders,
        name_before: Option<ClientOrderId>,
        execution_id: u64,
    ) -> Result<Amended, ApiError> {
        let mut amended = self
            .events
            .iter()
            .filter_map(|event| if let Event::OrderAmended(amended) = event { Some(amended) } else { None });
        let amended = amended.find(|amended| amended.account == self.account);
        // Amended to no more than had traded, it ends instead.
        let id =
            amended.map(|amended| amended.order).or_else(|| self.ended().next().map(|ended| ended.order));
        let id = id.ok_or_else(|| self.refused(Asked::Amend))?;
        let order = orders.by_id(id).ok_or_else(ApiError::outcome_unknown)?;
        let fate = Fate::of(order);
        let (qty, name) = amended.map_or((order.qty_lots, order.client_order_id), |amended| {
            (amended.qty_lots, amended.client_order_id)
        });
        let state = state(listing, order.side, &order.kind, qty, &fate);
        Ok(Amended {
            transact_time: self.time(),
            execution_id,
            amended_order: AmendedOrder {
                symbol: Symbol(listing.terms.name),
                order_id: id.0,
                order_list_id: NO_LIST,
                orig_client_order_id: Name(name_before.unwrap_or(order.original_client_order_id)),
                client_order_id: Name(name),
                price: state.price,
                qty: state.orig_qty,
                executed_qty: state.executed_qty,
                prevented_qty: listing.quantity(fate.prevented),
                quote_order_qty: state.orig_quote_order_qty,
                cumulative_quote_qty: state.cummulative_quote_qty,
                status: state.status,
                time_in_force: state.time_in_force,
                r#type: state.r#type,
                side: state.side,
                working_time: working_time(order.working_ns().map(|time| self.unit.of(time))),
                self_trade_prevention_mode: stp_name(order.self_trade_prevention),
                expiry_reason: conditional_of(listing, order, self.unit).expiry_reason,
            },
        })
    }
}

/// The answer to a question about `order`.
pub fn order_reply(listing: &Listing, order: &Order, unit: TimeUnit) -> OrderReply {
    let fate = Fate::of(order);
    let working = order.working_ns().map(|time| unit.of(time));
    let stop = order.kind.trigger().and_then(|trigger| trigger.stop_ticks);
    OrderReply {
        symbol: Symbol(listing.terms.name),
        order_id: order.id.0,
        order_list_id: NO_LIST,
        client_order_id: Name(order.client_order_id),
        state: state(listing, order.side, &order.kind, order.qty_lots, &fate),
        stop_price: listing.price(stop.unwrap_or(PriceTicks::ZERO)),
        iceberg_qty: listing.quantity(QtyLots::ZERO),
        time: unit.of(order.accepted_ns),
        update_time: unit.of(order.updated_ns),
        is_working: working.is_some(),
        working_time: working_time(working),
        self_trade_prevention_mode: stp_name(order.self_trade_prevention),
        // The stop price stands among the fields that every order has.
        conditional: Conditional { stop_price: None, ..conditional_of(listing, order, unit) },
    }
}

/// Since when an order has taken part in its market; -1 of one that waits for a price.
fn working_time(time: Option<u64>) -> i64 {
    time.map_or(-1, |time| i64::try_from(time).expect("times fit into 63 bits"))
}

fn conditional_of(listing: &Listing, order: &Order, unit: TimeUnit) -> Conditional {
    let trailing_time = order.trailing_ns().map(|time| unit.of(time));
    conditional(listing, &order.kind, trailing_time, &Fate::of(order))
}

/// What most answers tell of `order`.
pub(crate) fn order_state(listing: &Listing, order: &Order) -> State {
    state(listing, order.side, &order.kind, order.qty_lots, &Fate::of(order))
}

/// What has become of an order.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    executed: QtyLots,
    quote: Amount,
    prevented: QtyLots,
    prevented_match: Option<u64>,
    end: Option<EndReason>,
}

impl Fate {
    const fn of(order: &Order) -> Self {
        Self {
            executed: order.executed_lots,
            quote: order.cumulative_quote,
            prevented: order.prevented_lots,
            prevented_match: order.prevented_match,
            end: order.end,
        }
    }

    const fn status(&self) -> OrderStatus {
        match self.end {
            None if self.executed.is_zero() => OrderStatus::New,
            None => OrderStatus::PartiallyFilled,
            Some(EndReason::Filled) => OrderStatus::Filled,
            Some(EndReason::Canceled) => OrderStatus::Canceled,
            Some(EndReason::Expired(_)) => OrderStatus::Expired,
            Some(EndReason::ExpiredInMatch) => OrderStatus::ExpiredInMatch,
        }
    }
}

fn state(listing: &Listing, side: Side, kind: &OrderKind, qty: QtyLots, fate: &Fate) -> State {
    let (type_name, time_in_force) = match kind {
        OrderKind::Limit { time_in_force, .. } => ("LIMIT", *time_in_force),
        OrderKind::LimitMaker { .. } => ("LIMIT_MAKER", TimeInForce::Gtc),
        OrderKind::Market { .. } | OrderKind::MarketQuote { .. } => ("MARKET", TimeInForce::Gtc),
        OrderKind::StopMarket { trigger: TriggerKind::StopLoss, .. } => ("STOP_LOSS", TimeInForce::Gtc),
        OrderKind::StopMarket { trigger: TriggerKind::TakeProfit, .. } => ("TAKE_PROFIT", TimeInForce::Gtc),
        OrderKind::StopLimit { trigger: TriggerKind::StopLoss, time_in_force, .. } => {
            ("STOP_LOSS_LIMIT", *time_in_force)
        }
        OrderKind::StopLimit { trigger: TriggerKind::TakeProfit, time_in_force, .. } => {
            ("TAKE_PROFIT_LIMIT", *time_in_force)
        }
    };
    let by_amount = match kind {
        OrderKind::MarketQuote { quote_amount } => *quote_amount,
        OrderKind::Limit { .. }
        | OrderKind::LimitMaker { .. }
        | OrderKind::Market { .. }
        | OrderKind::StopMarket { .. }
        | OrderKind::StopLimit { .. } => Amount::ZERO,
    };
    State {
        price: listing.price(kind.price_ticks().unwrap_or(PriceTicks::ZERO)),
        orig_qty: listing.quantity(qty),
        executed_qty: listing.quantity(fate.executed),
        orig_quote_order_qty: listing.quote_amount(by_amount),
        cummulative_quote_qty: listing.quote_amount(fate.quote),
        status: status_name(fate.status()),
        time_in_force: match time_in_force {
            TimeInForce::Gtc => "GTC",
            TimeInForce::Ioc => "IOC",
            TimeInForce::Fok => "FOK",
        },
        r#type: type_name,
        side: match side {
            Side::Buy => "BUY",
            Side::Sell => "SELL",
        },
    }
}

fn conditional(listing: &Listing, kind: &OrderKind, trailing_time: Option<u64>, fate: &Fate) -> Conditional {
    let trigger = kind.trigger();
    let prevented = !fate.prevented.is_zero();
    Conditional {
        prevented_match_id: fate.prevented_match.filter(|_| prevented),
        prevented_quantity: prevented.then(|| listing.quantity(fate.prevented)),
        expiry_reason: match fate.end {
            Some(EndReason::Expired(reason)) => Some(expiry_name(reason)),
            None | Some(EndReason::Filled | EndReason::Canceled | EndReason::ExpiredInMatch) => None,
        },
        stop_price: trigger.and_then(|trigger| trigger.stop_ticks).map(|stop| listing.price(stop)),
        trailing_delta: trigger.and_then(|trigger| trigger.trailing_bips),
        trailing_time,
        strategy_id: None,
        strategy_type: None,
    }
}

pub(crate) const fn status_name(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::New => "NEW",
        OrderStatus::PartiallyFilled => "PARTIALLY_FILLED",
        OrderStatus::Filled => "FILLED",
        OrderStatus::Canceled => "CANCELED",
        OrderStatus::Expired => "EXPIRED",
        OrderStatus::ExpiredInMatch => "EXPIRED_IN_MATCH",
    }
}

pub(crate) const fn expiry_name(reason: ExpiryReason) -> &'static str {
    match reason {
        ExpiryReason::UnfilledIoc => "UNFILLED_IOC_QUANTITY_EXPIRED",
        ExpiryReason::UnfilledFok => "UNFILLED_FOK_ORDER_EXPIRED",
        ExpiryReason::InsufficientLiquidity => "INSUFFICIENT_LIQUIDITY",
        ExpiryReason::PriceRangeExceeded => "EXECUTION_RULE_PRICE_RANGE_EXCEEDED",
        ExpiryReason::ExchangeCanceled => "EXCHANGE_CANCELED",
        // Only orders at contracts have a date.
        ExpiryReason::GoodTillDate => "GOOD_TILL_DATE",
    }
}

pub(crate) const fn stp_name(mode: SelfTradePrevention) -> &'static str {
    match mode {
        SelfTradePrevention::None => "NONE",
        SelfTradePrevention::ExpireMaker => "EXPIRE_MAKER",
        SelfTradePrevention::ExpireTaker => "EXPIRE_TAKER",
        SelfTradePrevention::ExpireBoth => "EXPIRE_BOTH",
        SelfTradePrevention::Decrement => "DECREMENT",
        SelfTradePrevention::Transfer => "TRANSFER",
    }
}

#[cfg(test)]
mod tests;
