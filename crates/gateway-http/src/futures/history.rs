//! What an account has done at contracts: orders, trades, income, changes of margins, liquidations.

use dialect::contracts::{INCOME_KINDS, income_name, position_side_name, side_name};
use model::{Amount, Liquidity, OrderCause, OrderId, TradeId};
use serde::Serialize;
use utoipa::ToSchema;
use views::{ContractTrade, Income, MarginCause, MarginChange, Page};

use crate::account::Asset;
use crate::decimal::Decimal;
use crate::endpoint::Ask;
use crate::errors::ApiError;
use crate::futures::listed::{contract, optional};
use crate::futures::orders::{ContractOrderReply, order_reply};
use crate::gateway::{Gateway, Json, TimeUnit};
use crate::listings::{Listing, Listings};
use crate::market_data::Symbol;

fn page<Id>(gateway: &Gateway, ask: &Ask<'_>, from: Option<Id>, usual: usize) -> Result<Page<Id>, ApiError> {
    Ok(Page {
        from,
        start_ns: ask.params.optional_start("startTime")?,
        end_ns: ask.params.optional_end("endTime")?,
        limit: ask.params.limit(usual, gateway.settings.max_list_entries)?,
    })
}

pub(crate) async fn all_orders(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let account = ask.caller().account;
    let from = ask.params.optional_number("orderId")?.map(OrderId);
    let page = page(gateway, ask, from, 500)?;
    let model = gateway.of_account(account).await?;
    let listings = gateway.listings().await?;
    let listing = contract(&ask.params, &listings)?;
    let replies: Vec<ContractOrderReply> = model.with_views(|views| {
        let orders = views.contract_orders().all(account, listing.market, &page);
        orders.into_iter().map(|order| order_reply(listing, order, ask.unit)).collect()
    });
    Ok(Json::ok(&replies))
}

/// Orders that the exchange has placed to close positions of the account.
pub(crate) async fn force_orders(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let account = ask.caller().account;
    match ask.params.optional("autoCloseType")? {
        None | Some("LIQUIDATION") => {}
        // Positions that are deleveraged are closed without an order.
        Some("ADL") => return Ok(Json::ok(&[(); 0])),
        Some(_) => return Err(ApiError::invalid_value("autoCloseType")),
    }
    let limit = ask.params.limit(50, gateway.settings.max_list_entries)?;
    let Page { start_ns, end_ns, .. } = page::<OrderId>(gateway, ask, None, 50)?;
    let all = Page { from: None, start_ns, end_ns, limit: usize::MAX };
    let model = gateway.of_account(account).await?;
    let listings = gateway.listings().await?;
    let named = optional(&ask.params, &listings)?;
    let wanted: Vec<&Listing> = match named {
        Some(listing) => vec![listing],
        None => listings.contracts().collect(),
    };
    let mut replies: Vec<ContractOrderReply> = model.with_views(|views| {
        let of = |listing: &&Listing| {
            let orders = views.contract_orders().all(account, listing.market, &all);
            let forced = orders
                .into_iter()
                .filter(|order| order.at_contract.is_some_and(|at| at.cause == OrderCause::Liquidation));
            forced.map(|order| order_reply(listing, order, ask.unit)).collect::<Vec<_>>()
        };
        wanted.iter().flat_map(of).collect()
    });
    replies.reverse();
    replies.truncate(limit);
    Ok(Json::ok(&replies))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserTrade {
    symbol: Symbol,
    id: u64,
    order_id: u64,
    side: &'static str,
    price: Decimal,
    qty: Decimal,
    realized_pnl: Decimal,
    quote_qty: Decimal,
    commission: Decimal,
    commission_asset: Asset,
    time: u64,
    position_side: &'static str,
    buyer: bool,
    maker: bool,
}

impl UserTrade {
    fn of(listing: &Listing, unit: TimeUnit, trade: &ContractTrade) -> Self {
        Self {
            symbol: Symbol(listing.terms.name),
            id: trade.id.0,
            order_id: trade.order.0,
            side: side_name(trade.side),
            price: listing.price(trade.price_ticks),
            qty: listing.quantity(trade.qty_lots),
            realized_pnl: listing.quote_amount(trade.realized),
            quote_qty: listing.quote_amount(listing.terms.notional(trade.price_ticks, trade.qty_lots)),
            commission: listing.quote_amount(trade.fee),
            commission_asset: Asset(listing.quote.name),
            time: unit.of(trade.time_ns),
            position_side: position_side_name(trade.position_side),
            buyer: trade.side == model::Side::Buy,
            maker: trade.liquidity == Liquidity::Maker,
        }
    }
}

pub(crate) async fn user_trades(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let account = ask.caller().account;
    let order = ask.params.optional_number("orderId")?.map(OrderId);
    let from = ask.params.optional_number("fromId")?.map(TradeId);
    let page = page(gateway, ask, from, 500)?;
    if page.from.is_some() && (page.start_ns.is_some() || page.end_ns.is_some()) {
        return Err(ApiError::bad_combination());
    }
    let model = gateway.of_account(account).await?;
    let listings = gateway.listings().await?;
    let listing = contract(&ask.params, &listings)?;
    let trades: Vec<UserTrade> = model.with_views(|views| {
        let trades = views.contract_history().trades(account, listing.market, order, &page);
        trades.into_iter().map(|trade| UserTrade::of(listing, ask.unit, trade)).collect()
    });
    Ok(Json::ok(&trades))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IncomeReply {
    symbol: String,
    income_type: &'static str,
    income: Decimal,
    asset: Asset,
    info: String,
    time: u64,
    tran_id: u64,
    trade_id: String,
}

impl IncomeReply {
    fn of(listings: &Listings, unit: TimeUnit, income: &Income) -> Self {
        let asset = listings.asset(income.asset).expect("income is in a listed asset");
        let kind = income_name(income.kind);
        let listing = income.market.and_then(|market| listings.market(market));
        Self {
            symbol: listing.map(|listing| listing.terms.name.to_string()).unwrap_or_default(),
            income_type: kind,
            income: Decimal { units: income.amount.0, scale: asset.scale },
            asset: Asset(asset.name),
            info: kind.to_owned(),
            time: unit.of(income.time_ns),
            tran_id: income.id,
            trade_id: income.trade.map(|trade| trade.0.to_string()).unwrap_or_default(),
        }
    }
}

pub(crate) async fn income(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let account = ask.caller().account;
    let kind = match ask.params.optional("incomeType")? {
        None => None,
        Some(name) => match INCOME_KINDS.iter().find(|(_, known)| *known == name) {
            Some((kind, _)) => Some(*kind),
            // Binance has more kinds than there are here; of those there is nothing.
            None => return Ok(Json::ok(&[(); 0])),
        },
    };
    let page = page(gateway, ask, None, 100)?;
    let model = gateway.of_account(account).await?;
    let listings = gateway.listings().await?;
    let market = optional(&ask.params, &listings)?.map(|listing| listing.market);
    let replies: Vec<IncomeReply> = model.with_views(|views| {
        let wanted = |income: &Income| {
            kind.is_none_or(|kind| kind == income.kind) && (market.is_none() || market == income.market)
        };
        let income = views.contract_history().income(account, &page, wanted);
        income.into_iter().map(|income| IncomeReply::of(&listings, ask.unit, income)).collect()
    });
    Ok(Json::ok(&replies))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MarginChangeReply {
    symbol: Symbol,
    /// 1: into the margin; 2: out of it.
    r#type: u8,
    /// `USER_ADJUST`: its owner has moved it; `TRADE`: the position was opened or closed.
    delta_type: &'static str,
    amount: Decimal,
    asset: Asset,
    time: u64,
    position_side: &'static str,
    /// Nobody names what moves margins here.
    client_tran_id: &'static str,
}

impl MarginChangeReply {
    fn of(listing: &Listing, unit: TimeUnit, change: &MarginChange) -> Self {
        Self {
            symbol: Symbol(listing.terms.name),
            r#type: if change.moved > Amount::ZERO { ADDED } else { REDUCED },
            delta_type: match change.cause {
                MarginCause::Owner => "USER_ADJUST",
                MarginCause::Trade => "TRADE",
            },
            amount: listing.quote_amount(Amount(change.moved.0.abs())),
            asset: Asset(listing.quote.name),
            time: unit.of(change.time_ns),
            position_side: position_side_name(change.position_side),
            client_tran_id: "",
        }
    }
}

const ADDED: u8 = 1;
const REDUCED: u8 = 2;

/// What has moved between an account's wallet and the margins of its isolated positions at a contract.
pub(crate) async fn margin_changes(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let account = ask.caller().account;
    let wanted_type = match ask.params.optional("type")? {
        None => None,
        Some("1") => Some(ADDED),
        Some("2") => Some(REDUCED),
        Some(_) => {
            let right = "1 is margin that was added, 2 margin that was taken out; leave it out for both";
            return Err(ApiError::invalid_value_but("type", right));
        }
    };
    let page = page(gateway, ask, None, 500)?;
    let model = gateway.of_account(account).await?;
    let listings = gateway.listings().await?;
    let listing = contract(&ask.params, &listings)?;
    let replies: Vec<MarginChangeReply> = model.with_views(|views| {
        let wanted = |change: &MarginChange| {
            wanted_type.is_none_or(|wanted| (wanted == ADDED) == (change.moved > Amount::ZERO))
        };
        let changes = views.contract_history().margin_changes(account, listing.market, &page, wanted);
        changes.into_iter().map(|change| MarginChangeReply::of(listing, ask.unit, change)).collect()
    });
    Ok(Json::ok(&replies))
}
