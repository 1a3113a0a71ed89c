//! The few calls outside `/api` without which a default ccxt does not load its markets: currencies, fees, state, and margin
//! pairs, of which there are none; and what bots ask before they trade. Fields: those that ccxt's parsers read.

use model::{Amount, AssetTerms};
use serde::Serialize;
use utoipa::ToSchema;
use views::Balance;

use crate::account::{Asset, balances_of};
use crate::decimal::Decimal;
use crate::endpoint::Ask;
use crate::errors::ApiError;
use crate::gateway::{Gateway, Json};
use crate::market_data::{Chosen, Symbol, nothing, rate};

#[derive(Serialize, ToSchema)]
pub(crate) struct SystemStatus {
    status: u8,
    msg: &'static str,
}

pub(crate) fn system_status() -> Json {
    Json::ok(&SystemStatus { status: 0, msg: "normal" })
}

/// No margin trading: no pairs. Some clients sign this, some do not; there is nothing to protect.
pub(crate) fn no_margin_pairs() -> Json {
    Json::ok(&[(); 0])
}

/// Bots ask which markets will close soon before they trade. None is announced here. Public, as the list above is.
pub(crate) fn no_delistings() -> Json {
    Json::ok(&[(); 0])
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "the fields of the wire")]
pub(crate) struct Coin {
    coin: Asset,
    name: Asset,
    deposit_all_enable: bool,
    withdraw_all_enable: bool,
    trading: bool,
    is_legal_money: bool,
    free: Decimal,
    locked: Decimal,
    freeze: Decimal,
    withdrawing: Decimal,
    ipoing: Decimal,
    ipoable: Decimal,
    storage: Decimal,
    network_list: [Network; 1],
}

/// Where an asset lives. Deposits are the operator's matter, and so is what becomes of a withdrawal that was asked for; what
/// clients read is the precision.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "the fields of the wire")]
pub(crate) struct Network {
    network: Asset,
    coin: Asset,
    name: Asset,
    is_default: bool,
    deposit_enable: bool,
    withdraw_enable: bool,
    busy: bool,
    min_confirm: u32,
    un_lock_confirm: u32,
    withdraw_integer_multiple: Decimal,
    withdraw_fee: Decimal,
    withdraw_min: Decimal,
    withdraw_max: Decimal,
    deposit_dust: Decimal,
}

fn coin(terms: &AssetTerms, balance: Balance) -> Coin {
    let amount = |amount: Amount| Decimal { units: amount.0, scale: terms.scale };
    let none = nothing(terms.scale);
    let smallest = amount(Amount(1));
    let name = Asset(terms.name);
    Coin {
        coin: name,
        name,
        deposit_all_enable: true,
        withdraw_all_enable: true,
        trading: true,
        is_legal_money: false,
        free: amount(balance.free),
        locked: amount(balance.held),
        freeze: none,
        withdrawing: none,
        ipoing: none,
        ipoable: none,
        storage: none,
        network_list: [Network {
            network: name,
            coin: name,
            name,
            is_default: true,
            deposit_enable: true,
            withdraw_enable: true,
            busy: false,
            min_confirm: 1,
            un_lock_confirm: 1,
            withdraw_integer_multiple: smallest,
            withdraw_fee: none,
            withdraw_min: smallest,
            withdraw_max: amount(AssetTerms::MAX_TOTAL_DEPOSITS),
            deposit_dust: smallest,
        }],
    }
}

pub(crate) async fn all_coins(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let caller = ask.caller();
    let model = gateway.of_account(caller.account).await?;
    let listings = gateway.listings().await?;
    let balances = model.with_views(|views| views.balances().of(caller.account).to_vec());
    let coins: Vec<Coin> =
        balances_of(&listings, &balances).map(|(terms, balance)| coin(terms, balance)).collect();
    Ok(Json::ok(&coins))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TradeFee {
    symbol: Symbol,
    maker_commission: Decimal,
    taker_commission: Decimal,
}

pub(crate) async fn trade_fee(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let listings = gateway.listings().await?;
    let chosen = match Chosen::by(params, &listings)? {
        Chosen::One(listing) => vec![listing],
        Chosen::Many(several) => several,
    };
    let fees: Vec<TradeFee> = chosen
        .into_iter()
        .map(|listing| TradeFee {
            symbol: Symbol(listing.terms.name),
            maker_commission: rate(listing.terms.maker_fee_ppm),
            taker_commission: rate(listing.terms.taker_fee_ppm),
        })
        .collect();
    Ok(Json::ok(&fees))
}
