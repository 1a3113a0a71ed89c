//! Entries of a stream: their ids, and from fields to commands. Pure: what is listed and who there is, is handed in.
//! The fields are the parameters of Binance's API; see `docs/redis.md`.

use dialect::{ApiError, Caller, Listing, Listings, Params, orders, params};
use model::{AccountId, ApiKeyId, ClientOrderId, EntryId, OrderCommand, TimeNs};
use redis::Value;

use crate::Only;

mod contracts;

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

/// Fields of every entry.
const EVERY: &[&str] = &["action", "account", "accountId", "symbol", "market", "validUntil"];
/// And of one that places an order.
const PLACE: &[&str] = &[
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
/// And, where it is placed for another one.
const REPLACE: &[&str] =
    &["cancelReplaceMode", "cancelOrderId", "cancelOrigClientOrderId", "cancelRestrictions"];
/// And of one that cancels an order.
const CANCEL: &[&str] = &["orderId", "origClientOrderId", "cancelRestrictions"];
/// And of one that makes an order smaller.
const AMEND: &[&str] = &["orderId", "origClientOrderId", "newQty", "newClientOrderId"];

/// Which stream an entry is of, as far as that says something about it.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'s> {
    /// The one market that all entries are for.
    pub only: Option<&'s Only>,
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
    let listing = listing(&params, origin.only, listings)?;
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
    if listing.contract.is_some() {
        return contracts::command(&pairs, listing, caller, new_id);
    }
    match params.optional("action")? {
        None | Some("NEW") => {
            params.allow(&[EVERY, PLACE].concat())?;
            Ok(OrderCommand::Place(orders::place(&params, listing, caller, new_id)?.command))
        }
        Some("CANCEL") => {
            params.allow(&[EVERY, CANCEL].concat())?;
            Ok(OrderCommand::Cancel(orders::cancel(&params, listing, caller, new_id)?.command))
        }
        Some("CANCEL_ALL") => {
            params.allow(EVERY)?;
            Ok(OrderCommand::CancelAll(orders::cancel_all(listing, caller)))
        }
        Some("CANCEL_REPLACE") => {
            params.allow(&[EVERY, PLACE, REPLACE].concat())?;
            Ok(OrderCommand::Replace(orders::replace(&params, listing, caller, new_id)?.command))
        }
        Some("AMEND") => {
            params.allow(&[EVERY, AMEND].concat())?;
            Ok(OrderCommand::Amend(orders::amend(&params, listing, caller, new_id)?))
        }
        Some("CANCEL_ALL_ALGO") => Err(ApiError::new(
            -1130,
            "CANCEL_ALL_ALGO is for contracts, which an entry names by market=futures.",
        )),
        Some(_) => Err(ApiError::invalid_value("action")),
    }
}

/// The market that an entry names. `market` says whether it is a spot market or a contract; where nothing is said, a name that both
/// have is the spot market's, as it was before there was a contract of that name.
fn listing<'l>(
    params: &Params<'_>,
    only: Option<&Only>,
    listings: &'l Listings,
) -> Result<&'l Listing, ApiError> {
    let (symbol, kind) = (params.optional("symbol")?, params.optional("market")?);
    let is_futures = match kind {
        None => None,
        Some("spot") => Some(false),
        Some("futures") => Some(true),
        Some(_) => return Err(ApiError::invalid_value("market")),
    };
    if let Some(only) = only {
        let (name, is_contract) = match only {
            Only::Market(name) => (name, false),
            Only::Contract(name) => (name, true),
        };
        let is_meant = symbol.is_none_or(|symbol| symbol == name);
        if !is_meant || is_futures.is_some_and(|is_futures| is_futures != is_contract) {
            let what = if is_contract { "the contract " } else { "" };
            let other = symbol.filter(|_| !is_meant).unwrap_or("another market");
            let message = format!("This stream is for {what}{name}; orders for {other} go to another one.");
            return Err(ApiError::new(-1130, message));
        }
        return if is_contract { listings.contract(name) } else { listings.symbol(name) };
    }
    let symbol = symbol.ok_or_else(|| ApiError::mandatory("symbol"))?;
    match is_futures {
        Some(false) => listings.symbol(symbol),
        Some(true) => listings.contract(symbol),
        None => listings.symbol(symbol).or_else(|unknown| listings.contract(symbol).map_err(|_| unknown)),
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

#[cfg(test)]
mod tests {
    use dialect::sample::{btcusdt, btcusdt_contract};
    use model::{MarketId, MarketName, OrderAction, OrderKind, QtyLots};

    use super::*;

    const ID: EntryId = EntryId((1_700_000_000_123 << 64) | 5);

    fn listings() -> Listings {
        let mut alone = btcusdt_contract();
        (alone.market, alone.terms.name) = (MarketId(2), MarketName::new("SOLUSDT").unwrap());
        Listings::with(vec![btcusdt(), btcusdt_contract(), alone])
    }

    fn entry(fields: &[(&str, &str)]) -> Entry {
        let bytes = |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        Entry { id: ID, fields: Some(fields.iter().map(bytes).collect()) }
    }

    pub fn asked(fields: &[(&str, &str)]) -> Result<OrderCommand, (i32, String)> {
        asked_of(None, fields)
    }

    pub fn asked_of(only: Option<&Only>, fields: &[(&str, &str)]) -> Result<OrderCommand, (i32, String)> {
        let account = |name: &str| (name == "alice").then_some(AccountId(7));
        command(&entry(fields), Origin { only, prefix: "r0-" }, &listings(), account)
            .map_err(|error| (error.code, error.message.into_owned()))
    }

    const LIMIT: [(&str, &str); 7] = [
        ("account", "alice"),
        ("symbol", "BTCUSDT"),
        ("side", "BUY"),
        ("type", "LIMIT"),
        ("timeInForce", "GTC"),
        ("quantity", "0.5"),
        ("price", "50000"),
    ];

    #[test]
    fn an_entry_becomes_a_command() {
        let Ok(OrderCommand::Place(place)) = asked(&LIMIT) else { panic!("it is an order") };
        assert_eq!((place.account, place.kind.qty_lots()), (AccountId(7), Some(QtyLots(500))));
        assert_eq!(place.client_order_id.as_str(), "r0-1700000000123-5", "the entry gives it a name");
        assert_eq!(place.valid_until_ns, TimeNs::NEVER);
        let until = [&LIMIT[..], &[("validUntil", "1700000000000"), ("newClientOrderId", "mine")]].concat();
        let Ok(OrderCommand::Place(place)) = asked_of(Some(&Only::Market("BTCUSDT".into())), &until) else {
            panic!("it is an order")
        };
        assert_eq!(place.valid_until_ns, TimeNs::from_millis(1_700_000_000_000));
        assert_eq!(place.client_order_id.as_str(), "mine");

        let of = [("accountId", "9"), ("symbol", "BTCUSDT")];
        let action = |more: &[(&str, &str)]| {
            let order = asked(&[&of[..], more].concat()).unwrap();
            assert_eq!(order.account(), AccountId(9));
            order.action()
        };
        assert_eq!(action(&[("action", "CANCEL"), ("orderId", "4")]), OrderAction::Cancel);
        assert_eq!(action(&[("action", "CANCEL_ALL")]), OrderAction::CancelAll);
        assert_eq!(
            action(&[("action", "AMEND"), ("origClientOrderId", "a"), ("newQty", "0.1")]),
            OrderAction::Amend
        );
        let market = [("side", "SELL"), ("type", "MARKET"), ("quantity", "1")];
        let replace = [
            &[("action", "CANCEL_REPLACE"), ("cancelReplaceMode", "ALLOW_FAILURE"), ("cancelOrderId", "4")],
            &market[..],
        ]
        .concat();
        assert_eq!(action(&replace), OrderAction::Replace);
        let Ok(OrderCommand::Place(place)) =
            asked_of(Some(&Only::Market("BTCUSDT".into())), &[&of[..1], &market].concat())
        else {
            panic!("it is an order")
        };
        assert_eq!(place.kind, OrderKind::Market { qty_lots: QtyLots(1_000) });
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_reason() {
        let without = |name: &str| -> Vec<(&str, &str)> {
            LIMIT.into_iter().filter(|(field, _)| *field != name).collect()
        };
        let with = |field| [&LIMIT[..], &[field]].concat();
        let mandatory = |name| {
            (-1102, format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."))
        };
        assert_eq!(asked(&without("symbol")).unwrap_err(), mandatory("symbol"));
        assert_eq!(asked(&without("side")).unwrap_err(), mandatory("side"));
        assert_eq!(asked(&without("account")).unwrap_err().0, -1102);
        assert_eq!(asked(&with(("account", "bob"))).unwrap_err().0, -1101, "a field twice");
        assert_eq!(asked(&with(("accountId", "7"))).unwrap_err().0, -1128);
        assert_eq!(asked(&with(("qty", "1"))).unwrap_err().0, -1104, "a field that nobody reads");
        assert_eq!(asked(&with(("action", "BUY"))).unwrap_err().0, -1130);
        assert_eq!(asked_of(Some(&Only::Market("ETHUSDT".into())), &LIMIT).unwrap_err().0, -1130);
        let bob = [&[("account", "bob")], &LIMIT[1..]].concat();
        assert_eq!(asked(&bob).unwrap_err(), (UNKNOWN_ACCOUNT, "There is no account 'bob'.".into()));
        let other = [&LIMIT[..1], &[("symbol", "FOO")], &LIMIT[2..]].concat();
        assert_eq!(asked(&other).unwrap_err().0, UNKNOWN_SYMBOL);
        let gone = Entry { id: ID, fields: None };
        let refused = command(&gone, Origin { only: None, prefix: "" }, &listings(), |_| None).unwrap_err();
        assert!(refused.message.contains("was deleted"));
        let binary = Entry { id: ID, fields: Some(vec![(vec![0xFF], vec![])]) };
        assert!(command(&binary, Origin { only: None, prefix: "" }, &listings(), |_| None).is_err());
    }

    #[test]
    fn ids_are_those_of_redis() {
        assert_eq!(text_of(ID), "1700000000123-5");
        assert_eq!(id_of(b"1700000000123-5"), Some(ID));
        assert_eq!(id_of(b"18446744073709551615-18446744073709551615"), Some(EntryId(u128::MAX)));
        for wrong in ["", "5", "5-", "-5", "a-1", "5-1-2", "18446744073709551616-0"] {
            assert_eq!(id_of(wrong.as_bytes()), None, "{wrong}");
        }
        let text = |text: &str| Value::BulkString(text.into());
        let fields = Value::Array(vec![text("a"), text("b")]);
        let list = Value::Array(vec![
            Value::Array(vec![text("1-1"), fields]),
            Value::Array(vec![text("1-2"), Value::Nil]),
        ]);
        let read = Value::Array(vec![Value::Array(vec![text("stream"), list])]);
        let entries = entries_of(read).unwrap();
        assert_eq!(entries[0].fields, Some(vec![(b"a".to_vec(), b"b".to_vec())]));
        assert_eq!((entries[1].id, &entries[1].fields), (id_of(b"1-2").unwrap(), &None));
        assert_eq!(entries_of(Value::Nil), Some(Vec::new()));
        assert_eq!(entries_of(Value::Int(1)), None);
    }
}
