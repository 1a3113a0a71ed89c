//! What an account may see of itself: orders, trades, balances, commission. Source: rest-api.md "Account Endpoints".

use model::{AccountId, AssetId, AssetName, OrderId, OrderRef, TradeId};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use views::{Balance, Order, OwnTrade, Page};

use crate::decimal::Decimal;
use crate::endpoint::Ask;
use crate::errors::ApiError;
use crate::gateway::{Gateway, Json, TimeUnit, now_ns};
use crate::listings::{Listing, Listings};
use crate::market_data::{Symbol, highest_fees_ppm, rate};
use crate::order_replies::{OrderReply, order_reply};
use crate::orders::order_ref;

/// An asset's name in an answer.
#[derive(Clone, Copy, Debug, ToSchema)]
#[schema(value_type = String, pattern = "^[A-Z0-9]{1,16}$")]
pub struct Asset(pub AssetName);

impl Serialize for Asset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

/// The longest range of times in a question about a history, in nanoseconds: 24 hours, and the millisecond at its end.
const MAX_RANGE_NS: u64 = 24 * 3_600 * 1_000_000_000 + 999_999;

pub(crate) async fn query_order(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let caller = ask.caller();
    let unit = ask.unit;
    let model = gateway.of_account(caller.account).await?;
    let listings = gateway.listings().await?;
    let listing = listings.symbol(params.required("symbol")?)?;
    let wanted = order_ref(params, "orderId", "origClientOrderId")?;
    let reply = model.with_views(|views| {
        let orders = views.orders();
        let found = match wanted {
            OrderRef::Id(id) => orders.by_id(id),
            OrderRef::Client(name) => orders.by_client_id(caller.account, listing.market, &name),
            OrderRef::Both((id, name)) => {
                let order = orders.by_id(id);
                if order.is_some_and(|order| order.client_order_id != name) {
                    return Err(other_name());
                }
                order
            }
        };
        let found = found.filter(|order| order.account == caller.account && order.market == listing.market);
        Ok(found.map(|order| order_reply(listing, order, unit)))
    })?;
    if let Some(reply) = reply {
        return Ok(Json::ok(&reply));
    }
    let (OrderRef::Id(id) | OrderRef::Both((id, _))) = wanted else { return Err(ApiError::no_such_order()) };
    let order = gateway.past_order(caller.account, listing, id).await.ok_or_else(ApiError::no_such_order)?;
    if matches!(wanted, OrderRef::Both((_, name)) if name != order.client_order_id) {
        return Err(other_name());
    }
    Ok(Json::ok(&order_reply(listing, &order, unit)))
}

fn other_name() -> ApiError {
    ApiError::new(-2039, "Client order ID is not correct for this order ID.")
}

pub(crate) async fn open_orders(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let caller = ask.caller();
    let unit = ask.unit;
    let model = gateway.of_account(caller.account).await?;
    let market = match params.optional("symbol")? {
        Some(symbol) => Some(gateway.listings().await?.symbol(symbol)?.market),
        None => None,
    };
    let open: Vec<Order> = model.with_views(|views| {
        let orders = match market {
            Some(market) => views.orders().open_in(caller.account, market),
            None => views.orders().open(caller.account),
        };
        orders.into_iter().cloned().collect()
    });
    // Asked for behind the orders, they have every market that an order is in.
    let listings = gateway.listings().await?;
    let reply = |order: &Order| {
        let listing = listings.market(order.market).expect("orders are in listed markets");
        order_reply(listing, order, unit)
    };
    let replies: Vec<OrderReply> = open.iter().map(reply).collect();
    Ok(Json::ok(&replies))
}

pub(crate) async fn all_orders(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let caller = ask.caller();
    let page = Page {
        from: params.optional_number("orderId")?.map(OrderId),
        start_ns: params.optional_start("startTime")?,
        end_ns: params.optional_end("endTime")?,
        limit: params.limit(500, gateway.settings.max_list_entries)?,
    };
    check_range(&page)?;
    let unit = ask.unit;
    let model = gateway.of_account(caller.account).await?;
    let listings = gateway.listings().await?;
    let listing = listings.symbol(params.required("symbol")?)?;
    let recent = model.with_views(|views| {
        let orders = views.orders().all(caller.account, listing.market, &page);
        orders.into_iter().cloned().collect()
    });
    let orders = gateway.with_past_orders(caller.account, listing, page, recent).await;
    let replies: Vec<OrderReply> = orders.iter().map(|order| order_reply(listing, order, unit)).collect();
    Ok(Json::ok(&replies))
}

fn check_range<Id>(page: &Page<Id>) -> Result<(), ApiError> {
    match (page.start_ns, page.end_ns) {
        (Some(start), Some(end)) if end.0.saturating_sub(start.0) > MAX_RANGE_NS => {
            Err(ApiError::more_than_hours(24))
        }
        (_, _) => Ok(()),
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MyTrade {
    symbol: Symbol,
    id: u64,
    order_id: u64,
    order_list_id: i8,
    price: Decimal,
    qty: Decimal,
    quote_qty: Decimal,
    commission: Decimal,
    commission_asset: Asset,
    time: u64,
    is_buyer: bool,
    is_maker: bool,
    is_best_match: bool,
}

impl MyTrade {
    fn of(listing: &Listing, unit: TimeUnit, trade: &OwnTrade) -> Self {
        let received = listing.received(trade.side);
        Self {
            symbol: Symbol(listing.terms.name),
            id: trade.id.0,
            order_id: trade.order.0,
            order_list_id: -1,
            price: listing.price(trade.price_ticks),
            qty: listing.quantity(trade.qty_lots),
            quote_qty: listing.quote_amount(trade.quote_amount(&listing.terms)),
            commission: Decimal { units: trade.fee.0, scale: received.scale },
            commission_asset: Asset(received.name),
            time: unit.of(trade.time_ns),
            is_buyer: trade.is_buyer(),
            is_maker: trade.is_maker(),
            is_best_match: true,
        }
    }
}

pub(crate) async fn my_trades(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let caller = ask.caller();
    let order = params.optional_number("orderId")?.map(OrderId);
    let page = Page {
        from: params.optional_number("fromId")?.map(TradeId),
        start_ns: params.optional_start("startTime")?,
        end_ns: params.optional_end("endTime")?,
        limit: params.limit(500, gateway.settings.max_list_entries)?,
    };
    let by_time = page.start_ns.is_some() || page.end_ns.is_some();
    if by_time && (page.from.is_some() || order.is_some()) {
        return Err(ApiError::bad_combination());
    }
    check_range(&page)?;
    let unit = ask.unit;
    let model = gateway.of_account(caller.account).await?;
    let listings = gateway.listings().await?;
    let listing = listings.symbol(params.required("symbol")?)?;
    let recent = model.with_views(|views| {
        let trades = views.own_trades().of(caller.account, listing.market, order, &page);
        trades.into_iter().cloned().collect()
    });
    let trades = gateway.with_past_trades(caller.account, listing, order, page, recent).await;
    let trades: Vec<MyTrade> = trades.iter().map(|trade| MyTrade::of(listing, unit, trade)).collect();
    Ok(Json::ok(&trades))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "the fields of the wire")]
pub(crate) struct Account {
    maker_commission: u32,
    taker_commission: u32,
    buyer_commission: u32,
    seller_commission: u32,
    commission_rates: Rates,
    can_trade: bool,
    can_withdraw: bool,
    can_deposit: bool,
    brokered: bool,
    require_self_trade_prevention: bool,
    prevent_sor: bool,
    update_time: u64,
    account_type: &'static str,
    balances: Vec<AssetBalance>,
    permissions: [&'static str; 1],
    uid: u64,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Rates {
    maker: Decimal,
    taker: Decimal,
    buyer: Decimal,
    seller: Decimal,
}

impl Rates {
    fn of((maker_ppm, taker_ppm): (u32, u32)) -> Self {
        Self { maker: rate(maker_ppm), taker: rate(taker_ppm), buyer: rate(0), seller: rate(0) }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AssetBalance {
    asset: Asset,
    free: Decimal,
    locked: Decimal,
}

/// What an account has of every asset that is listed.
pub(crate) fn balances_of<'l>(
    listings: &'l Listings,
    balances: &[(AssetId, Balance)],
) -> impl Iterator<Item = (&'l model::AssetTerms, Balance)> {
    listings.assets().map(move |(asset, terms)| {
        let found = balances.binary_search_by_key(&asset, |(asset, _)| *asset);
        (terms, found.map_or_else(|_| Balance::default(), |found| balances[found].1))
    })
}

pub(crate) async fn account(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let caller = ask.caller();
    let omit_zero = params.flag("omitZeroBalances")?;
    let unit = ask.unit;
    let model = gateway.of_account(caller.account).await?;
    let listings = gateway.listings().await?;
    let (balances, time_ns) =
        model.with_views(|views| (views.balances().of(caller.account).to_vec(), views.time_ns()));
    let fees = highest_fees_ppm(&listings);
    Ok(Json::ok(&Account {
        // In hundredths of a percent.
        maker_commission: fees.0 / 100,
        taker_commission: fees.1 / 100,
        buyer_commission: 0,
        seller_commission: 0,
        commission_rates: Rates::of(fees),
        can_trade: true,
        can_withdraw: true,
        can_deposit: true,
        brokered: false,
        require_self_trade_prevention: false,
        prevent_sor: false,
        update_time: unit.of(time_ns),
        account_type: "SPOT",
        balances: balances_of(&listings, &balances)
            .filter(|(_, balance)| !omit_zero || !balance.free.is_zero() || !balance.held.is_zero())
            .map(|(terms, balance)| AssetBalance {
                asset: Asset(terms.name),
                free: Decimal { units: balance.free.0, scale: terms.scale },
                locked: Decimal { units: balance.held.0, scale: terms.scale },
            })
            .collect(),
        permissions: ["SPOT"],
        uid: uid(caller.account),
    }))
}

const fn uid(account: AccountId) -> u64 {
    account.0
}

/// What is told counts all orders whose fate anybody was told.
pub(crate) async fn order_rate_limits(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    gateway.of_account(ask.caller().account).await?;
    Ok(Json::ok(&gateway.limits.order_limits(ask.caller().account, now_ns())))
}

/// Fees of one market, as `account/commission` and `order/test` tell them.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Commission {
    symbol: Symbol,
    standard_commission: Rates,
    special_commission: Rates,
    tax_commission: Rates,
    discount: Discount,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Discount {
    enabled_for_account: bool,
    enabled_for_symbol: bool,
    /// `null`: there is none.
    #[schema(required)]
    discount_asset: Option<Asset>,
    discount: Decimal,
}

impl Discount {
    fn none() -> Self {
        Self {
            enabled_for_account: false,
            enabled_for_symbol: false,
            discount_asset: None,
            discount: rate(0),
        }
    }
}

pub(crate) async fn commission(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let listings = gateway.listings().await?;
    let listing = listings.symbol(params.required("symbol")?)?;
    Ok(Json::ok(&Commission {
        symbol: Symbol(listing.terms.name),
        standard_commission: Rates::of((listing.terms.maker_fee_ppm, listing.terms.taker_fee_ppm)),
        special_commission: Rates::of((0, 0)),
        tax_commission: Rates::of((0, 0)),
        discount: Discount::none(),
    }))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TwoRates {
    maker: Decimal,
    taker: Decimal,
}

/// What `order/test` tells with `computeCommissionRates`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TestCommission {
    standard_commission_for_order: TwoRates,
    special_commission_for_order: TwoRates,
    tax_commission_for_order: TwoRates,
    discount: Discount,
}

impl TestCommission {
    pub(crate) fn of(listing: &Listing) -> Self {
        let two = |maker, taker| TwoRates { maker: rate(maker), taker: rate(taker) };
        Self {
            standard_commission_for_order: two(listing.terms.maker_fee_ppm, listing.terms.taker_fee_ppm),
            special_commission_for_order: two(0, 0),
            tax_commission_for_order: two(0, 0),
            discount: Discount::none(),
        }
    }
}
