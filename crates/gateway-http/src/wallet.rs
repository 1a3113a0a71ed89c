//! What an account's owner asks of money and keys outside trading: to withdraw, and what the key at hand may do. Whether and how
//! a withdrawal is paid out is the operator's matter. Source: the wallet endpoints of Binance.

use model::{AccountId, Amount, Command, Event, Reference, Reject, RequestWithdrawal};
use serde::Serialize;
use utoipa::ToSchema;
use views::ApiKey;

use crate::decimal;
use crate::endpoint::Ask;
use crate::errors::ApiError;
use crate::gateway::{Gateway, Json};
use crate::keys::Permissions;
use crate::listings::decimal_refused;
use crate::rejects::{Asked, api_error};

/// Characters that the parts of a withdrawal's reference may have: visible, but no `/`, which stands between them.
const PART_RANGE: &str = "^[!-.0-~]{1,90}$";

/// What the key at hand may do. What there is not at all is not enabled.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "the fields of the wire")]
pub(crate) struct Restrictions {
    ip_restrict: bool,
    /// In milliseconds.
    create_time: u64,
    enable_reading: bool,
    enable_spot_and_margin_trading: bool,
    enable_withdrawals: bool,
    enable_internal_transfer: bool,
    permits_universal_transfer: bool,
    enable_vanilla_options: bool,
    enable_futures: bool,
    enable_margin: bool,
    enable_portfolio_margin_trading: bool,
    enable_fix_api_trade: bool,
    enable_fix_read_only: bool,
}

impl Restrictions {
    fn of(key: &ApiKey) -> Self {
        let permissions = Permissions(key.permissions);
        Self {
            ip_restrict: !key.ip_ranges.is_empty(),
            create_time: key.created_ns.as_millis(),
            enable_reading: permissions.allow(Permissions::READ),
            enable_spot_and_margin_trading: permissions.allow(Permissions::TRADE),
            enable_withdrawals: permissions.allow(Permissions::WITHDRAW),
            enable_internal_transfer: false,
            permits_universal_transfer: false,
            enable_vanilla_options: false,
            enable_futures: false,
            enable_margin: false,
            enable_portfolio_margin_trading: false,
            enable_fix_api_trade: false,
            enable_fix_read_only: false,
        }
    }
}

/// What the key that asks may do.
pub(crate) async fn restrictions(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let id = ask.caller().key;
    let told = gateway.directory().await?.with_views(|views| views.catalog().key(&id).map(Restrictions::of));
    // Gone since it signed.
    told.map(|told| Json::ok(&told)).ok_or_else(ApiError::rejected_key)
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Requested {
    id: String,
}

/// Holds what is to be withdrawn, and leaves the rest to the operator.
pub(crate) async fn withdraw(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let (params, account) = (&ask.params, ask.caller().account);
    let coin = params.required("coin")?;
    let listings = gateway.listings().await?;
    let (asset, terms) = listings.asset_named(coin).ok_or_else(|| ApiError::invalid_value("coin"))?;
    // There is one network an asset, with its name (see `capital/config/getall`), and one wallet.
    if params.optional("network")?.is_some_and(|network| network != coin) {
        return Err(ApiError::invalid_value("network"));
    }
    if params.optional("walletType")?.is_some_and(|wallet| wallet != "0") {
        return Err(ApiError::invalid_value("walletType"));
    }
    let amount = decimal::parse(params.required("amount")?, terms.scale)
        .map_err(|error| decimal_refused("amount", error))?;
    let made_up = gateway.new_client_order_id()?;
    let id = params.optional("withdrawOrderId")?.unwrap_or(made_up.as_str());
    let reference = reference(account, id, params.required("address")?, params.optional("addressTag")?)?;

    let command = RequestWithdrawal { account, asset, amount: Amount(amount), reference };
    let reply = gateway.execute(Command::RequestWithdrawal(Box::new(command))).await?;
    for event in reply.events() {
        if let Event::Rejected { reject, .. } = event {
            return Err(refused(reject));
        }
        if let Event::WithdrawalRequested(requested) = event {
            return Ok(Json::ok(&Requested { id: requested.withdrawal.to_string() }));
        }
    }
    unreachable!("a withdrawal is requested or refused")
}

/// What the operator reads: who, which request of theirs, and where to. The same one is executed once, so that a client that does
/// not know what became of a request may send it again.
fn reference(account: AccountId, id: &str, address: &str, tag: Option<&str>) -> Result<Reference, ApiError> {
    let mut text = account.to_string();
    for (name, part) in [("withdrawOrderId", Some(id)), ("address", Some(address)), ("addressTag", tag)] {
        let Some(part) = part else { continue };
        if !part.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/') {
            return Err(ApiError::illegal_characters(name, PART_RANGE));
        }
        text.push('/');
        text.push_str(part);
    }
    // Only its length is left to be wrong.
    Reference::new(&text).map_err(|_| ApiError::invalid_value("address"))
}

fn refused(reject: &Reject) -> ApiError {
    match reject {
        Reject::DuplicateReference => ApiError::invalid_value("withdrawOrderId"),
        Reject::AmountNotPositive { .. } => ApiError::invalid_value("amount"),
        other => api_error(Asked::Place, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_the_account_the_request_and_the_address() {
        let of = |id, address, tag| {
            reference(AccountId(7), id, address, tag)
                .map(|reference| reference.to_string())
                .map_err(|error| (error.code, error.message.into_owned()))
        };
        assert_eq!(of("w-1", "bc1qxyz", None).as_deref(), Ok("7/w-1/bc1qxyz"));
        assert_eq!(of("w-1", "rXYZ", Some("12345")).as_deref(), Ok("7/w-1/rXYZ/12345"));
        assert_eq!(of("w/1", "bc1", None).unwrap_err().0, -1100);
        assert_eq!(of("w-1", "bc 1", None).unwrap_err().0, -1100);
        let long = "x".repeat(93);
        let refused = (-1130, "Data sent for parameter 'address' is not valid.".to_owned());
        assert_eq!(of("w", &long, None), Err(refused));
    }
}
