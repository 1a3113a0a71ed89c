//! Entries of a stream: their ids, and from fields to commands. Pure: what is listed and who there is, is handed in.
//! The fields are the parameters of Binance's API; see `docs/redis.md`.

use dialect::{ApiError, Caller, Listings, Params, orders, params};
use model::{AccountId, ApiKeyId, ClientOrderId, EntryId, OrderCommand, TimeNs};
use redis::Value;

/// An entry as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub id: EntryId,
    /// Names and values; `None` when the entry was deleted before it was read.
    pub fields: Option<Vec<(Vec<u8>, Vec<u8>)>>,
}

/// What an account is called that is not there.
pub const UNKNOWN_ACCOUNT: i32 = -2015;
/// The code of a symbol that is not there.
pub const UNKNOWN_SYMBOL: i32 = -1121;

const PLACE: &[&str] = &[
    "action",
    "account",
    "accountId",
    "symbol",
    "validUntil",
    "side",
    "type",
    "timeInForce",
    "quantity",
    "quoteOrderQty",
    "price",
    "newClientOrderId",
    "selfTradePreventionMode",
    "stopPrice",
    "trailingDelta",
    "icebergQty",
];
const REPLACE: &[&str] = &[
    "action",
    "account",
    "accountId",
    "symbol",
    "validUntil",
    "side",
    "type",
    "timeInForce",
    "quantity",
    "quoteOrderQty",
    "price",
    "newClientOrderId",
    "selfTradePreventionMode",
    "stopPrice",
    "trailingDelta",
    "icebergQty",
    "cancelReplaceMode",
    "cancelOrderId",
    "cancelOrigClientOrderId",
    "cancelRestrictions",
];
const CANCEL: &[&str] = &[
    "action",
    "account",
    "accountId",
    "symbol",
    "validUntil",
    "orderId",
    "origClientOrderId",
    "cancelRestrictions",
];
const CANCEL_ALL: &[&str] = &["action", "account", "accountId", "symbol", "validUntil"];
const AMEND: &[&str] = &[
    "action",
    "account",
    "accountId",
    "symbol",
    "validUntil",
    "orderId",
    "origClientOrderId",
    "newQty",
    "newClientOrderId",
];

/// Which stream an entry is of, as far as that says something about it.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'s> {
    /// The market that all entries are for.
    pub market: Option<&'s str>,
    /// What begins the names of orders that came without one.
    pub prefix: &'s str,
}

/// What an entry asks for. `account` finds an account by its name.
pub fn command(
    entry: &Entry,
    origin: Origin<'_>,
    listings: &Listings,
    account: impl FnOnce(&str) -> Option<AccountId>,
) -> Result<OrderCommand, ApiError> {
    let Some(fields) = &entry.fields else {
        return Err(ApiError::new(
            -1102,
            "The entry was deleted from the stream before it was acknowledged.",
        ));
    };
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| ApiError::illegal_encoding());
    let pairs: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| Ok((text(name)?, text(value)?)))
        .collect::<Result<_, ApiError>>()?;
    let twice = |(at, (name, _)): (usize, &(&str, &str))| pairs[..at].iter().any(|(other, _)| other == name);
    if pairs.iter().enumerate().any(twice) {
        return Err(ApiError::duplicate_parameter());
    }
    let params = Params::of_pairs(pairs.iter().copied())?;
    let symbol = match (origin.market, params.optional("symbol")?) {
        (Some(market), None) => market,
        (Some(market), Some(symbol)) if symbol != market => {
            let message = format!("This stream is for {market}; orders for {symbol} go to another one.");
            return Err(ApiError::new(-1130, message));
        }
        (_, Some(symbol)) => symbol,
        (None, None) => return Err(ApiError::mandatory("symbol")),
    };
    let listing = listings.symbol(symbol)?;
    let caller = Caller {
        account: whose(&params, account)?,
        key: ApiKeyId::EMPTY,
        valid_until_ns: params
            .optional_number("validUntil")?
            .map_or(TimeNs::NEVER, |until| TimeNs(params::micros(until).saturating_mul(1_000))),
    };
    let new_id = || {
        let name = format!("{}{}", origin.prefix, text_of(entry.id));
        ClientOrderId::new(&name).map_err(|_| ApiError::mandatory("newClientOrderId"))
    };
    match params.optional("action")? {
        None | Some("NEW") => {
            params.allow(PLACE)?;
            Ok(OrderCommand::Place(orders::place(&params, listing, caller, new_id)?.command))
        }
        Some("CANCEL") => {
            params.allow(CANCEL)?;
            Ok(OrderCommand::Cancel(orders::cancel(&params, listing, caller, new_id)?.command))
        }
        Some("CANCEL_ALL") => {
            params.allow(CANCEL_ALL)?;
            Ok(OrderCommand::CancelAll(orders::cancel_all(listing, caller)))
        }
        Some("CANCEL_REPLACE") => {
            params.allow(REPLACE)?;
            Ok(OrderCommand::Replace(orders::replace(&params, listing, caller, new_id)?.command))
        }
        Some("AMEND") => {
            params.allow(AMEND)?;
            Ok(OrderCommand::Amend(orders::amend(&params, listing, caller, new_id)?))
        }
        Some(_) => Err(ApiError::invalid_value("action")),
    }
}

/// Whose order it is: by the account's name, or by its number.
fn whose(
    params: &Params<'_>,
    account: impl FnOnce(&str) -> Option<AccountId>,
) -> Result<AccountId, ApiError> {
    match (params.optional("account")?, params.optional_number("accountId")?) {
        (Some(name), None) => account(name)
            .ok_or_else(|| ApiError::new(UNKNOWN_ACCOUNT, format!("There is no account '{name}'."))),
        (None, Some(id)) => Ok(AccountId(id)),
        (Some(_), Some(_)) => Err(ApiError::bad_combination()),
        (None, None) => Err(ApiError::either("account", "accountId")),
    }
}

/// An id as Redis writes it.
pub fn text_of(id: EntryId) -> String {
    format!("{}-{}", id.0 >> 64, id.0 & u128::from(u64::MAX))
}

/// An id as Redis writes it.
pub fn id_of(text: &[u8]) -> Option<EntryId> {
    let (millis, count) = std::str::from_utf8(text).ok()?.split_once('-')?;
    let (millis, count): (u64, u64) = (millis.parse().ok()?, count.parse().ok()?);
    Some(EntryId((u128::from(millis) << 64) | u128::from(count)))
}

/// What `XREADGROUP` of one stream, or `XRANGE`, gave; `None` when it is of another form.
pub fn entries_of(value: Value) -> Option<Vec<Entry>> {
    let list = match value {
        Value::Nil => return Some(Vec::new()),
        Value::Array(streams) => match <[Value; 1]>::try_from(streams) {
            Ok([Value::Array(stream)]) => match <[Value; 2]>::try_from(stream).ok()? {
                [Value::BulkString(_), Value::Array(entries)] => entries,
                _ => return None,
            },
            _ => return None,
        },
        _ => return None,
    };
    list.into_iter().map(entry_of).collect()
}

/// One entry: its id, and its fields.
pub fn entry_of(value: Value) -> Option<Entry> {
    let Value::Array(parts) = value else { return None };
    let [Value::BulkString(id), fields] = <[Value; 2]>::try_from(parts).ok()? else { return None };
    let id = id_of(&id)?;
    let Value::Array(flat) = fields else { return Some(Entry { id, fields: None }) };
    let mut fields = Vec::with_capacity(flat.len() / 2);
    let mut flat = flat.into_iter();
    while let Some(name) = flat.next() {
        let (Value::BulkString(name), Some(Value::BulkString(value))) = (name, flat.next()) else {
            return None;
        };
        fields.push((name, value));
    }
    Some(Entry { id, fields: Some(fields) })
}
