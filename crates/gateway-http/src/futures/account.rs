//! What an account may see of its futures wallets and positions, and its settings.

use margin::{MicroAtoms, bracket_at, maintenance_margin};
use model::{
    Amount, ChangeMarginType, ChangePositionMode, Command, Event, MarginMove, MarginType, MoveFunds,
    MovePositionMargin, PositionMode, TimeNs, Wallet,
};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use views::Views;

use crate::account::Asset;
use crate::decimal::{self, Decimal};
use crate::endpoint::Ask;
use crate::errors::ApiError;
use crate::futures::listed::{contract, optional, terms_of};
use crate::futures::margins::{Backed, Held, Prices, backed};
use crate::futures::trading::refused;
use crate::gateway::{Gateway, Json, TimeUnit, now_ns};
use crate::listings::{Listing, Listings, decimal_refused};
use crate::market_data::{Symbol, rate};
use dialect::contract_orders;
use dialect::contracts::{break_even_price, entry_price, position_side_name};

/// A number that is no text on the wire.
#[derive(Debug)]
pub(crate) struct Number(Decimal);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.to_string();
        let shortest =
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        RawValue::from_string(shortest.to_owned()).expect("a decimal is a number").serialize(serializer)
    }
}

impl PartialSchema for Number {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Number).into()
    }
}

impl ToSchema for Number {}

/// Amounts of one settlement asset as text shows them.
struct Money<'l> {
    terms: &'l model::AssetTerms,
}

impl Money<'_> {
    const fn show(&self, amount: Amount) -> Decimal {
        Decimal { units: amount.0, scale: self.terms.scale }
    }

    fn margin(&self, margin: MicroAtoms) -> Decimal {
        self.show(margin.atoms_rounded_up())
    }
}

/// All that an account has at contracts.
struct Seen<'l> {
    backed: Vec<Backed<'l>>,
    /// What they were measured by.
    prices: Prices,
    time_ns: TimeNs,
}

async fn seen<'l>(
    gateway: &Gateway,
    ask: &Ask<'_>,
    listings: &'l Listings,
    all: bool,
) -> Result<Seen<'l>, ApiError> {
    let account = ask.caller().account;
    let prices = gateway.prices(listings).await?;
    let model = gateway.of_account(account).await?;
    let (backed, time_ns) =
        model.with_views(|views: &Views| (backed(views, listings, &prices, account, all), views.time_ns()));
    Ok(Seen { backed, prices, time_ns })
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BalanceReply {
    account_alias: String,
    asset: Asset,
    balance: Decimal,
    cross_wallet_balance: Decimal,
    cross_un_pnl: Decimal,
    available_balance: Decimal,
    max_withdraw_amount: Decimal,
    margin_available: bool,
    update_time: u64,
}

pub(crate) async fn balance(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    let Seen { backed, time_ns, .. } = seen(gateway, ask, &listings, false).await?;
    let reply = |backed: &Backed<'_>| {
        let terms = listings.asset(backed.asset).expect("contracts are settled in listed assets");
        let money = Money { terms };
        BalanceReply {
            account_alias: ask.caller().account.0.to_string(),
            asset: Asset(terms.name),
            balance: money.show(backed.wallet()),
            cross_wallet_balance: money.show(backed.cross_wallet()),
            cross_un_pnl: money.show(backed.cross_unrealized()),
            available_balance: money.show(backed.available()),
            max_withdraw_amount: money.show(backed.movable()),
            margin_available: true,
            update_time: if backed.is_used() { ask.unit.of(time_ns) } else { 0 },
        }
    };
    Ok(Json::ok(&backed.iter().map(reply).collect::<Vec<_>>()))
}

/// The sums of an account, in the asset that contracts are settled in; where they are settled in several, in the first.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Totals {
    total_initial_margin: Decimal,
    total_maint_margin: Decimal,
    total_wallet_balance: Decimal,
    total_unrealized_profit: Decimal,
    total_margin_balance: Decimal,
    total_position_initial_margin: Decimal,
    total_open_order_initial_margin: Decimal,
    total_cross_wallet_balance: Decimal,
    total_cross_un_pnl: Decimal,
    available_balance: Decimal,
    max_withdraw_amount: Decimal,
}

impl Totals {
    fn of(assets: &[AccountAsset]) -> Self {
        let show = |of: fn(&AccountAsset) -> Decimal| assets.first().map_or(Decimal::zero(8), of);
        Self {
            total_initial_margin: show(|asset| asset.initial_margin),
            total_maint_margin: show(|asset| asset.maint_margin),
            total_wallet_balance: show(|asset| asset.wallet_balance),
            total_unrealized_profit: show(|asset| asset.unrealized_profit),
            total_margin_balance: show(|asset| asset.margin_balance),
            total_position_initial_margin: show(|asset| asset.position_initial_margin),
            total_open_order_initial_margin: show(|asset| asset.open_order_initial_margin),
            total_cross_wallet_balance: show(|asset| asset.cross_wallet_balance),
            total_cross_un_pnl: show(|asset| asset.cross_un_pnl),
            available_balance: show(|asset| asset.available_balance),
            max_withdraw_amount: show(|asset| asset.max_withdraw_amount),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountAsset {
    asset: Asset,
    wallet_balance: Decimal,
    unrealized_profit: Decimal,
    margin_balance: Decimal,
    maint_margin: Decimal,
    initial_margin: Decimal,
    position_initial_margin: Decimal,
    open_order_initial_margin: Decimal,
    cross_wallet_balance: Decimal,
    cross_un_pnl: Decimal,
    available_balance: Decimal,
    max_withdraw_amount: Decimal,
    margin_available: bool,
    update_time: u64,
}

impl AccountAsset {
    fn of(backed: &Backed<'_>, money: &Money<'_>, update_time: u64) -> Self {
        Self {
            asset: Asset(money.terms.name),
            wallet_balance: money.show(backed.wallet()),
            unrealized_profit: money.show(backed.unrealized()),
            margin_balance: money.show(backed.equity()),
            maint_margin: money.margin(backed.maintenance()),
            initial_margin: money.show(backed.initial_margin()),
            position_initial_margin: money.show(backed.position_margin()),
            open_order_initial_margin: money.show(backed.initial_margin() - backed.position_margin()),
            cross_wallet_balance: money.show(backed.cross_wallet()),
            cross_un_pnl: money.show(backed.cross_unrealized()),
            available_balance: money.show(backed.available()),
            max_withdraw_amount: money.show(backed.movable()),
            margin_available: true,
            update_time,
        }
    }
}

fn liquidation_price(backed: &Backed<'_>, held: &Held<'_>) -> Decimal {
    let terms = &held.listing.terms;
    // Of millionths of a tick, with two decimals more than a price.
    let units = backed.liquidation_price(held) * i128::from(terms.tick_size) / 10_000;
    Decimal { units, scale: terms.price_scale + 2 }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountPosition {
    symbol: Symbol,
    initial_margin: Decimal,
    maint_margin: Decimal,
    unrealized_profit: Decimal,
    position_initial_margin: Decimal,
    open_order_initial_margin: Decimal,
    leverage: String,
    isolated: bool,
    entry_price: Decimal,
    break_even_price: Decimal,
    max_notional: Decimal,
    position_side: &'static str,
    position_amt: Decimal,
    notional: Decimal,
    isolated_wallet: Decimal,
    bid_notional: Decimal,
    ask_notional: Decimal,
    update_time: u64,
}

impl AccountPosition {
    fn of(held: &Held<'_>, money: &Money<'_>, unit: TimeUnit) -> Self {
        Self {
            symbol: Symbol(held.listing.terms.name),
            initial_margin: money.show(held.initial_margin),
            maint_margin: money.margin(held.maintenance),
            unrealized_profit: money.show(held.unrealized),
            position_initial_margin: money.show(held.position_margin),
            open_order_initial_margin: money.show(held.initial_margin - held.position_margin),
            leverage: held.leverage.to_string(),
            isolated: held.is_isolated(),
            entry_price: entry_price(held.listing, &held.position),
            break_even_price: break_even_price(held.listing, &held.position),
            max_notional: money.show(terms_of(held.listing).max_value_at(held.leverage)),
            position_side: position_side_name(held.position_side),
            position_amt: held.listing.quantity(held.position.qty_lots),
            notional: money.show(held.notional),
            isolated_wallet: money.show(held.isolated_wallet()),
            bid_notional: money.show(held.bids),
            ask_notional: money.show(held.asks),
            update_time: unit.of(held.changed_ns),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "the fields of the wire")]
pub(crate) struct AccountV2 {
    fee_tier: u8,
    fee_burn: bool,
    can_trade: bool,
    can_deposit: bool,
    can_withdraw: bool,
    update_time: u64,
    multi_assets_margin: bool,
    trade_group_id: i64,
    #[serde(flatten)]
    totals: Totals,
    assets: Vec<AccountAsset>,
    positions: Vec<AccountPosition>,
}

pub(crate) async fn account_v2(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    let Seen { backed, time_ns, .. } = seen(gateway, ask, &listings, true).await?;
    let monies = monies(&listings, &backed);
    let positions = backed.iter().zip(&monies).flat_map(|(backed, money)| {
        backed.held.iter().map(|held| AccountPosition::of(held, money, ask.unit))
    });
    let assets = assets(&backed, &monies, ask.unit.of(time_ns));
    Ok(Json::ok(&AccountV2 {
        fee_tier: 0,
        fee_burn: false,
        can_trade: true,
        can_deposit: true,
        can_withdraw: true,
        update_time: ask.unit.of(time_ns),
        multi_assets_margin: false,
        trade_group_id: -1,
        totals: Totals::of(&assets),
        assets,
        positions: positions.collect(),
    }))
}

fn monies<'l>(listings: &'l Listings, backed: &[Backed<'_>]) -> Vec<Money<'l>> {
    let money = |backed: &Backed<'_>| Money {
        terms: listings.asset(backed.asset).expect("contracts are settled in listed assets"),
    };
    backed.iter().map(money).collect()
}

/// Those that nothing was ever put into are told with the time 0, by which clients know them.
fn assets(backed: &[Backed<'_>], monies: &[Money<'_>], time: u64) -> Vec<AccountAsset> {
    let of = |(backed, money): (&Backed<'_>, &Money<'_>)| {
        AccountAsset::of(backed, money, if backed.is_used() { time } else { 0 })
    };
    backed.iter().zip(monies).map(of).collect()
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PositionV3 {
    symbol: Symbol,
    position_side: &'static str,
    position_amt: Decimal,
    unrealized_profit: Decimal,
    isolated_margin: Decimal,
    notional: Decimal,
    isolated_wallet: Decimal,
    initial_margin: Decimal,
    maint_margin: Decimal,
    update_time: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AccountV3 {
    #[serde(flatten)]
    totals: Totals,
    assets: Vec<AccountAsset>,
    positions: Vec<PositionV3>,
}

pub(crate) async fn account_v3(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    let Seen { backed, time_ns, .. } = seen(gateway, ask, &listings, false).await?;
    let monies = monies(&listings, &backed);
    let position = |held: &Held<'_>, money: &Money<'_>| PositionV3 {
        symbol: Symbol(held.listing.terms.name),
        position_side: position_side_name(held.position_side),
        position_amt: held.listing.quantity(held.position.qty_lots),
        unrealized_profit: money.show(held.unrealized),
        isolated_margin: money.show(held.isolated_margin()),
        notional: money.show(held.notional),
        isolated_wallet: money.show(held.isolated_wallet()),
        initial_margin: money.show(held.initial_margin),
        maint_margin: money.margin(held.maintenance),
        update_time: ask.unit.of(held.changed_ns),
    };
    let positions = backed
        .iter()
        .zip(&monies)
        .flat_map(|(backed, money)| backed.held.iter().map(|held| position(held, money)));
    let assets = assets(&backed, &monies, ask.unit.of(time_ns));
    Ok(Json::ok(&AccountV3 { totals: Totals::of(&assets), assets, positions: positions.collect() }))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RiskV3 {
    symbol: Symbol,
    position_side: &'static str,
    position_amt: Decimal,
    entry_price: Decimal,
    break_even_price: Decimal,
    mark_price: Decimal,
    un_realized_profit: Decimal,
    liquidation_price: Decimal,
    isolated_margin: Decimal,
    notional: Decimal,
    margin_asset: Asset,
    isolated_wallet: Decimal,
    initial_margin: Decimal,
    maint_margin: Decimal,
    position_initial_margin: Decimal,
    open_order_initial_margin: Decimal,
    /// How soon it would be deleveraged, from 0 to 4.
    adl: u8,
    bid_notional: Decimal,
    ask_notional: Decimal,
    update_time: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RiskV2 {
    symbol: Symbol,
    position_amt: Decimal,
    entry_price: Decimal,
    break_even_price: Decimal,
    mark_price: Decimal,
    un_realized_profit: Decimal,
    liquidation_price: Decimal,
    leverage: String,
    max_notional_value: Decimal,
    margin_type: &'static str,
    isolated_margin: Decimal,
    is_auto_add_margin: &'static str,
    position_side: &'static str,
    notional: Decimal,
    isolated_wallet: Decimal,
    update_time: u64,
}

/// Tells something of each position, or of those at the contract that is named.
fn risks<T: Serialize>(
    ask: &Ask<'_>,
    listings: &Listings,
    seen: &Seen<'_>,
    tell: impl Fn(&Backed<'_>, &Held<'_>, &Money<'_>) -> T,
) -> Result<Json, ApiError> {
    let wanted = optional(&ask.params, listings)?.map(|listing| listing.market);
    let monies = monies(listings, &seen.backed);
    let mut told = Vec::new();
    for (backed, money) in seen.backed.iter().zip(&monies) {
        for held in &backed.held {
            if wanted.is_none_or(|wanted| held.listing.market == wanted) {
                told.push(tell(backed, held, money));
            }
        }
    }
    Ok(Json::ok(&told))
}

pub(crate) async fn position_risk_v3(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    let seen = seen(gateway, ask, &listings, false).await?;
    let quantiles = gateway.quantiles(&listings, &seen.prices, ask.caller().account).await?;
    risks(ask, &listings, &seen, |backed, held, money| RiskV3 {
        symbol: Symbol(held.listing.terms.name),
        position_side: position_side_name(held.position_side),
        position_amt: held.listing.quantity(held.position.qty_lots),
        entry_price: entry_price(held.listing, &held.position),
        break_even_price: break_even_price(held.listing, &held.position),
        mark_price: held.listing.price(held.mark),
        un_realized_profit: money.show(held.unrealized),
        liquidation_price: liquidation_price(backed, held),
        isolated_margin: money.show(held.isolated_margin()),
        notional: money.show(held.notional),
        margin_asset: Asset(money.terms.name),
        isolated_wallet: money.show(held.isolated_wallet()),
        initial_margin: money.show(held.initial_margin),
        maint_margin: money.margin(held.maintenance),
        position_initial_margin: money.show(held.position_margin),
        open_order_initial_margin: money.show(held.initial_margin - held.position_margin),
        adl: quantiles.of(held.listing.market, held.position_side),
        bid_notional: money.show(held.bids),
        ask_notional: money.show(held.asks),
        update_time: ask.unit.of(held.changed_ns),
    })
}

pub(crate) async fn position_risk_v2(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    let seen = seen(gateway, ask, &listings, true).await?;
    risks(ask, &listings, &seen, |backed, held, money| RiskV2 {
        symbol: Symbol(held.listing.terms.name),
        position_amt: held.listing.quantity(held.position.qty_lots),
        entry_price: entry_price(held.listing, &held.position),
        break_even_price: break_even_price(held.listing, &held.position),
        mark_price: held.listing.price(held.mark),
        un_realized_profit: money.show(held.unrealized),
        liquidation_price: liquidation_price(backed, held),
        leverage: held.leverage.to_string(),
        max_notional_value: money.show(terms_of(held.listing).max_value_at(held.leverage)),
        margin_type: if held.is_isolated() { "isolated" } else { "cross" },
        isolated_margin: money.show(held.isolated_margin()),
        is_auto_add_margin: "false",
        position_side: position_side_name(held.position_side),
        notional: money.show(held.notional),
        isolated_wallet: money.show(held.isolated_wallet()),
        update_time: ask.unit.of(held.changed_ns),
    })
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "the fields of the wire")]
pub(crate) struct AccountConfig {
    fee_tier: u8,
    can_trade: bool,
    can_deposit: bool,
    can_withdraw: bool,
    dual_side_position: bool,
    update_time: u64,
    multi_assets_margin: bool,
    trade_group_id: i64,
}

pub(crate) async fn account_config(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let dual_side_position = mode_of(gateway, ask).await? == PositionMode::Hedge;
    Ok(Json::ok(&AccountConfig {
        fee_tier: 0,
        can_trade: true,
        can_deposit: true,
        can_withdraw: true,
        dual_side_position,
        update_time: 0,
        multi_assets_margin: false,
        trade_group_id: -1,
    }))
}

async fn mode_of(gateway: &Gateway, ask: &Ask<'_>) -> Result<PositionMode, ApiError> {
    let account = ask.caller().account;
    let model = gateway.of_account(account).await?;
    Ok(model.with_views(|views| views.futures().position_mode(account)))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SymbolConfig {
    symbol: Symbol,
    margin_type: &'static str,
    is_auto_add_margin: bool,
    leverage: u16,
    max_notional_value: Decimal,
}

pub(crate) async fn symbol_config(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let account = ask.caller().account;
    let listings = gateway.listings().await?;
    let wanted = optional(&ask.params, &listings)?;
    let config = |listing: &Listing, views: &Views| {
        let contract = terms_of(listing);
        let leverage = views.futures().leverage(account, listing.market).unwrap_or(contract.default_leverage);
        SymbolConfig {
            symbol: Symbol(listing.terms.name),
            margin_type: match views.futures().margin_type(account, listing.market) {
                MarginType::Cross => "CROSSED",
                MarginType::Isolated => "ISOLATED",
            },
            is_auto_add_margin: false,
            leverage,
            max_notional_value: listing.quote_amount(contract.max_value_at(leverage)),
        }
    };
    let model = gateway.of_account(account).await?;
    let told: Vec<SymbolConfig> = model.with_views(|views| {
        let all =
            listings.contracts().filter(|listing| wanted.is_none_or(|one| one.market == listing.market));
        all.map(|listing| config(listing, views)).collect()
    });
    Ok(Json::ok(&told))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeverageReply {
    leverage: u16,
    max_notional_value: Decimal,
    symbol: Symbol,
}

pub(crate) async fn change_leverage(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let symbol = ask.params.required("symbol")?;
    let listings = gateway.listings_with_contract(symbol).await?;
    let listing = listings.contract(symbol)?;
    let command = contract_orders::leverage(&ask.params, listing, ask.caller())?;
    let leverage = command.leverage;
    let reply = gateway.execute(Command::ChangeLeverage(command)).await?;
    refused(&reply, Some(listing))?;
    gateway.after(&reply).await?;
    Ok(Json::ok(&LeverageReply {
        leverage,
        max_notional_value: listing.quote_amount(terms_of(listing).max_value_at(leverage)),
        symbol: Symbol(listing.terms.name),
    }))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Brackets {
    symbol: Symbol,
    brackets: Vec<BracketReply>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BracketReply {
    bracket: usize,
    initial_leverage: u16,
    notional_cap: Number,
    notional_floor: Number,
    maint_margin_ratio: Number,
    cum: Number,
}

fn brackets(listing: &Listing) -> Brackets {
    let contract = terms_of(listing);
    let number = |amount: Amount| Number(listing.quote_amount(amount));
    let mut floor = Amount::ZERO;
    let mut told = Vec::with_capacity(contract.brackets.len());
    for bracket in &contract.brackets {
        assert_eq!(bracket_at(contract, bracket.cap), told.len(), "a cap is in its bracket");
        // What the rate takes of the cap more than is to be left there.
        let by_rate = bracket.cap.0 * i128::from(bracket.maintenance_ppm);
        let cum = MicroAtoms(by_rate - maintenance_margin(contract, bracket.cap).0);
        told.push(BracketReply {
            bracket: told.len() + 1,
            initial_leverage: bracket.max_leverage,
            notional_cap: number(bracket.cap),
            notional_floor: number(floor),
            maint_margin_ratio: Number(rate(bracket.maintenance_ppm)),
            cum: number(cum.atoms_rounded_up()),
        });
        floor = bracket.cap;
    }
    Brackets { symbol: Symbol(listing.terms.name), brackets: told }
}

pub(crate) async fn leverage_brackets(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    Ok(match optional(&ask.params, &listings)? {
        Some(listing) => Json::ok(&[brackets(listing)]),
        None => Json::ok(&listings.contracts().map(brackets).collect::<Vec<_>>()),
    })
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CommissionRate {
    symbol: Symbol,
    maker_commission_rate: Decimal,
    taker_commission_rate: Decimal,
}

pub(crate) async fn commission_rate(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    let listing = contract(&ask.params, &listings)?;
    Ok(Json::ok(&CommissionRate {
        symbol: Symbol(listing.terms.name),
        maker_commission_rate: rate(listing.terms.maker_fee_ppm),
        taker_commission_rate: rate(listing.terms.taker_fee_ppm),
    }))
}

/// That something was done, as futures say it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Done {
    code: u16,
    msg: &'static str,
}

impl Done {
    const SUCCESS: Self = Self { code: 200, msg: "success" };

    pub(crate) const fn saying(msg: &'static str) -> Self {
        Self { code: 200, msg }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sides {
    dual_side_position: bool,
}

pub(crate) async fn position_mode(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let dual_side_position = mode_of(gateway, ask).await? == PositionMode::Hedge;
    Ok(Json::ok(&Sides { dual_side_position }))
}

pub(crate) async fn change_position_mode(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    ask.params.required("dualSidePosition")?;
    let is_dual = ask.params.flag("dualSidePosition")?;
    let command = ChangePositionMode {
        account: ask.caller().account,
        mode: if is_dual { PositionMode::Hedge } else { PositionMode::OneWay },
        valid_until_ns: ask.caller().valid_until_ns,
    };
    let reply = gateway.execute(Command::ChangePositionMode(command)).await?;
    refused(&reply, None)?;
    gateway.after(&reply).await?;
    Ok(Json::ok(&Done::SUCCESS))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AssetsMode {
    multi_assets_margin: bool,
}

pub(crate) fn assets_mode() -> Json {
    Json::ok(&AssetsMode { multi_assets_margin: false })
}

pub(crate) fn change_assets_mode(ask: &Ask<'_>) -> Result<Json, ApiError> {
    ask.params.required("multiAssetsMargin")?;
    if ask.params.flag("multiAssetsMargin")? {
        return Err(ApiError::new(
            -4165,
            "Multi-assets mode is not supported: each wallet backs its own contracts.",
        ));
    }
    Err(ApiError::new(-4171, "No need to change multi-assets mode."))
}

pub(crate) async fn change_margin_type(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    let listing = contract(&ask.params, &listings)?;
    let margin_type = match ask.params.required("marginType")? {
        "CROSSED" => MarginType::Cross,
        "ISOLATED" => MarginType::Isolated,
        _ => return Err(ApiError::invalid_value("marginType")),
    };
    let command = ChangeMarginType {
        account: ask.caller().account,
        market: listing.market,
        margin_type,
        valid_until_ns: ask.caller().valid_until_ns,
    };
    let reply = gateway.execute(Command::ChangeMarginType(command)).await?;
    refused(&reply, Some(listing))?;
    gateway.after(&reply).await?;
    Ok(Json::ok(&Done::SUCCESS))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct MarginMoved {
    code: u16,
    msg: &'static str,
    amount: Number,
    r#type: u8,
}

/// Moves money between the wallet and the margin of an isolated position.
pub(crate) async fn move_margin(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let listings = gateway.listings().await?;
    let listing = contract(params, &listings)?;
    let (way, number) = match params.required("type")? {
        "1" => (MarginMove::Add, 1),
        "2" => (MarginMove::Reduce, 2),
        _ => return Err(ApiError::invalid_value("type")),
    };
    let amount = listing.quote_atoms("amount", params.required("amount")?)?;
    let command = MovePositionMargin {
        account: ask.caller().account,
        market: listing.market,
        position_side: contract_orders::position_side(params)?,
        amount,
        way,
        valid_until_ns: ask.caller().valid_until_ns,
    };
    let reply = gateway.execute(Command::MovePositionMargin(Box::new(command))).await?;
    refused(&reply, Some(listing))?;
    gateway.after(&reply).await?;
    Ok(Json::ok(&MarginMoved {
        code: 200,
        msg: "Successfully modify position margin.",
        amount: Number(listing.quote_amount(amount)),
        r#type: number,
    }))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Transferred {
    tran_id: u64,
}

/// Moves money between the spot balance and the futures wallet.
pub(crate) async fn transfer(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let to = match params.required("type")? {
        "MAIN_UMFUTURE" => Wallet::Futures,
        "UMFUTURE_MAIN" => Wallet::Spot,
        _ => return Err(ApiError::invalid_value("type")),
    };
    let listings = gateway.listings().await?;
    let (asset, terms) =
        listings.asset_named(params.required("asset")?).ok_or_else(|| ApiError::invalid_value("asset"))?;
    let amount = decimal::parse(params.required("amount")?, terms.scale)
        .map_err(|error| decimal_refused("amount", error))?;
    let command = MoveFunds {
        account: ask.caller().account,
        asset,
        amount: Amount(amount),
        to,
        valid_until_ns: ask.caller().valid_until_ns,
    };
    let reply = gateway.execute(Command::MoveFunds(Box::new(command))).await?;
    refused(&reply, None)?;
    let moved = reply.events().iter().any(|event| matches!(event, Event::FundsMoved(_)));
    assert!(moved, "a command that is not refused does what it says");
    gateway.after(&reply).await?;
    // The command's place in the journal serves as the number of the transfer: unique, and rising.
    Ok(Json::ok(&Transferred { tran_id: reply.seq().0 }))
}

pub(crate) async fn order_rate_limits(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    gateway.of_account(ask.caller().account).await?;
    Ok(Json::ok(&gateway.limits.order_limits(ask.caller().account, now_ns())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_short_as_they_are() {
        let text = |units, scale| serde_json::to_string(&Number(Decimal { units, scale })).unwrap();
        assert_eq!(text(5_000_000, 2), "50000");
        assert_eq!(text(400_000, 8), "0.004");
        assert_eq!(text(0, 8), "0");
        assert_eq!(text(70, 0), "70");
    }
}
