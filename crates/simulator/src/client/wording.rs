//! Requests in the words of the WebSocket APIs, signed. Sources: clients.md 1.1, points 4 and 7; Binance's documents of USD-M
//! futures.

use std::fmt::Write as _;

use model::{OrderKind, Side, TimeInForce};
use ring::hmac;

use super::Credentials;
use crate::market::{Action, Listing, Order, Request};

/// A key, ready to sign.
pub(super) struct Signer {
    key: String,
    secret: hmac::Key,
}

impl Signer {
    fn sign(&self, payload: &str) -> String {
        let signature = hmac::sign(&self.secret, payload.as_bytes());
        signature.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a string takes everything");
            hex
        })
    }

    pub(super) fn new(credentials: &Credentials) -> Self {
        Self {
            key: credentials.key.clone(),
            secret: hmac::Key::new(hmac::HMAC_SHA256, credentials.secret.as_bytes()),
        }
    }
}

/// The names and values of a request. No value needs escaping: all are digits, letters, dots and dashes.
type Params = Vec<(&'static str, String)>;

/// A request of a trader at a time, in milliseconds since 1970.
pub(super) fn request(
    id: u64,
    request: &Request,
    listing: &Listing,
    signer: &Signer,
    timestamp_ms: u64,
) -> String {
    let mut params: Params = vec![
        ("apiKey", signer.key.clone()),
        // As wide as it may be: a request that is late is still the next one in the order.
        ("recvWindow", "60000".to_owned()),
        ("symbol", listing.terms.name.to_string()),
        ("timestamp", timestamp_ms.to_string()),
    ];
    let method = match &request.action {
        Action::Place(order) | Action::PlaceAtContract(order) => {
            order_params(order, listing, &mut params);
            "order.place"
        }
        Action::Replace { cancel, order } => {
            params.push(("cancelOrigClientOrderId", cancel.to_string()));
            params.push(("cancelReplaceMode", "ALLOW_FAILURE".to_owned()));
            order_params(order, listing, &mut params);
            "order.cancelReplace"
        }
        Action::Cancel(name) => {
            params.push(("origClientOrderId", name.to_string()));
            "order.cancel"
        }
        Action::CancelAll => "openOrders.cancelAll",
        Action::ReduceAtContract(order) => {
            order_params(order, listing, &mut params);
            params.push(("reduceOnly", "true".to_owned()));
            "order.place"
        }
    };
    // The signature covers them in the order of their names.
    params.sort_unstable();
    let signature = signer.sign(&joined(&params));
    params.push(("signature", signature));
    text(id, method, &params)
}

fn joined(params: &[(&'static str, String)]) -> String {
    params.iter().fold(String::new(), |payload, (name, value)| {
        let joint = if payload.is_empty() { "" } else { "&" };
        payload + joint + name + "=" + value
    })
}

/// What was paid last.
pub(super) fn last_price(id: u64, listing: &Listing) -> String {
    text(id, "ticker.price", &[("symbol", listing.terms.name.to_string())])
}

fn text(id: u64, method: &str, params: &[(&'static str, String)]) -> String {
    let mut text = format!("{{\"id\":{id},\"method\":\"{method}\",\"params\":{{");
    for (nth, (name, value)) in params.iter().enumerate() {
        let joint = if nth == 0 { "" } else { "," };
        // Times and windows are numbers in the documented examples.
        match *name {
            "timestamp" | "recvWindow" => write!(text, "{joint}\"{name}\":{value}"),
            _ => write!(text, "{joint}\"{name}\":\"{value}\""),
        }
        .expect("a string takes everything");
    }
    text.push_str("}}");
    text
}

fn order_params(order: &Order, listing: &Listing, params: &mut Params) {
    let terms = &listing.terms;
    let price =
        |ticks: i64| ("price", decimal(i128::from(ticks) * i128::from(terms.tick_size), terms.price_scale));
    let quantity =
        |lots: i64| ("quantity", decimal(i128::from(lots) * terms.base_atoms_per_lot.0, listing.base_scale));
    let side = match order.side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    };
    params.push(("newClientOrderId", order.name.to_string()));
    params.push(("newOrderRespType", "ACK".to_owned()));
    params.push(("selfTradePreventionMode", "EXPIRE_MAKER".to_owned()));
    params.push(("side", side.to_owned()));
    let kind = match order.kind {
        OrderKind::Limit { price_ticks, qty_lots, time_in_force } => {
            let in_force = match time_in_force {
                TimeInForce::Gtc => "GTC",
                TimeInForce::Ioc => "IOC",
                TimeInForce::Fok => "FOK",
            };
            params.extend([price(price_ticks.0), quantity(qty_lots.0), ("timeInForce", in_force.to_owned())]);
            "LIMIT"
        }
        OrderKind::LimitMaker { price_ticks, qty_lots } => {
            params.extend([price(price_ticks.0), quantity(qty_lots.0)]);
            if listing.is_contract() {
                params.push(("timeInForce", "GTX".to_owned()));
                "LIMIT"
            } else {
                "LIMIT_MAKER"
            }
        }
        OrderKind::Market { qty_lots } => {
            params.push(quantity(qty_lots.0));
            "MARKET"
        }
        OrderKind::StopMarket { .. } | OrderKind::StopLimit { .. } => {
            unreachable!("the traders of the simulation do not wait for prices")
        }
        OrderKind::MarketQuote { quote_amount } => {
            assert!(!listing.is_contract(), "contracts have no orders by amount");
            params.push(("quoteOrderQty", decimal(quote_amount.0, listing.quote_scale)));
            "MARKET"
        }
    };
    params.push(("type", kind.to_owned()));
}

/// `units` x 10^-`scale`, which is not negative, without zeros that say nothing.
fn decimal(units: i128, scale: u8) -> String {
    let one = 10_i128.pow(u32::from(scale));
    let (whole, part) = (units / one, units % one);
    if part == 0 {
        return whole.to_string();
    }
    let digits = format!("{part:0width$}", width = usize::from(scale));
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

/// A price in ticks, as far as it is one.
pub(super) fn ticks(text: &str, listing: &Listing) -> Option<i64> {
    let scale = usize::from(listing.terms.price_scale);
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = part.trim_end_matches('0');
    if whole.is_empty() || part.len() > scale {
        return None;
    }
    let units: i64 = format!("{whole}{part:0<scale$}").parse().ok()?;
    Some(units / listing.terms.tick_size)
}

#[cfg(test)]
mod tests {
    use model::{Amount, FeeRounding, MarketId, MarketName, MarketStatus, MarketTerms, PriceTicks, QtyLots};

    use super::*;
    use crate::market::{OrderName, PriceSource, TraderId};

    fn listing() -> Listing {
        Listing {
            market: MarketId(0),
            terms: MarketTerms {
                name: MarketName::new("BTCUSDT").unwrap(),
                base: model::AssetId(0),
                quote: model::AssetId(1),
                price_scale: 2,
                tick_size: 5,
                base_atoms_per_lot: Amount(1_000),
                quote_atoms_per_tick_lot: Amount(50),
                min_price_ticks: PriceTicks(1),
                max_price_ticks: PriceTicks(1_000_000_000),
                min_qty_lots: QtyLots(1),
                max_qty_lots: QtyLots(1_000_000),
                min_notional: Amount::ZERO,
                max_notional: Amount::ZERO,
                max_open_orders: 1_000,
                max_open_orders_per_account: 200,
                max_amends_per_order: 10,
                maker_fee_ppm: 0,
                taker_fee_ppm: 0,
                fee_rounding: FeeRounding::Up,
                band_ppm: 0,
                initial_reference_ticks: PriceTicks(1),
                status: MarketStatus::Trading,
            },
            base_scale: 8,
            quote_scale: 8,
            price: PriceSource::Walk {
                start: PriceTicks(1_200_000),
                home: PriceTicks(1_200_000),
                unrest_permille: 1_000,
            },
            activity_permille: 1_000,
        }
    }

    fn worded(action: Action) -> String {
        let signer = Signer::new(&Credentials { key: "KEY".to_owned(), secret: "SECRET".to_owned() });
        let request_of = Request { trader: TraderId(0), market: MarketId(0), action };
        request(7, &request_of, &listing(), &signer, 1_700_000_000_000)
    }

    const NAME: OrderName = OrderName { seed: 0xAB, step: 16, nth: 2 };

    fn order(kind: OrderKind) -> Order {
        Order { name: NAME, side: Side::Sell, kind }
    }

    /// The signature was computed with another program, over the parameters in the order of their names:
    /// `printf %s 'apiKey=KEY&newClientOrderId=...' | openssl dgst -sha256 -hmac SECRET`.
    #[test]
    fn an_order_is_worded_and_signed() {
        let kind = OrderKind::Limit {
            price_ticks: PriceTicks(1_200_001),
            qty_lots: QtyLots(1_250),
            time_in_force: TimeInForce::Gtc,
        };
        assert_eq!(
            worded(Action::Place(order(kind))),
            "{\"id\":7,\"method\":\"order.place\",\"params\":{\"apiKey\":\"KEY\",\"newClientOrderId\":\"sab-10-2\",\
             \"newOrderRespType\":\"ACK\",\"price\":\"60000.05\",\"quantity\":\"0.0125\",\"recvWindow\":60000,\
             \"selfTradePreventionMode\":\"EXPIRE_MAKER\",\"side\":\"SELL\",\"symbol\":\"BTCUSDT\",\"timeInForce\":\"GTC\",\
             \"timestamp\":1700000000000,\"type\":\"LIMIT\",\
             \"signature\":\"8d2d36bd6e560a1bcffe4240bd05b029ed59b89b1a3547cda24b4df12d31bb79\"}}"
        );
    }

    #[test]
    fn the_other_requests_have_words_too() {
        let by_amount = OrderKind::MarketQuote { quote_amount: Amount(1_250_000_000) };
        let replacing = worded(Action::Replace { cancel: NAME, order: order(by_amount) });
        assert!(replacing.contains("\"method\":\"order.cancelReplace\",\"params\":{\"apiKey\":\"KEY\",\"cancelOrigClientOrderId\":\"sab-10-2\",\"cancelReplaceMode\":\"ALLOW_FAILURE\""));
        assert!(
            replacing.contains("\"quoteOrderQty\":\"12.5\"") && replacing.contains("\"type\":\"MARKET\"")
        );
        assert!(worded(Action::Cancel(NAME)).contains(
            "\"method\":\"order.cancel\",\"params\":{\"apiKey\":\"KEY\",\"origClientOrderId\":\"sab-10-2\""
        ));
        assert!(worded(Action::CancelAll).contains("\"method\":\"openOrders.cancelAll\""));
    }

    #[test]
    fn contracts_have_words_of_their_own() {
        let signer = Signer::new(&Credentials { key: "KEY".to_owned(), secret: "SECRET".to_owned() });
        let listing = Listing { price: PriceSource::Contract { of: 0 }, ..listing() };
        let worded = |action| {
            let asked = Request { trader: TraderId(0), market: MarketId(0), action };
            request(7, &asked, &listing, &signer, 1_700_000_000_000)
        };
        let only_rests =
            OrderKind::LimitMaker { price_ticks: PriceTicks(1_200_001), qty_lots: QtyLots(1_250) };
        let placing = worded(Action::PlaceAtContract(order(only_rests)));
        assert!(placing.contains("\"method\":\"order.place\""), "{placing}");
        assert!(
            placing.contains("\"timeInForce\":\"GTX\"") && placing.contains("\"type\":\"LIMIT\""),
            "{placing}"
        );
        let closing = worded(Action::ReduceAtContract(order(OrderKind::Market { qty_lots: QtyLots(1_250) })));
        assert!(
            closing.contains("\"reduceOnly\":\"true\"") && closing.contains("\"type\":\"MARKET\""),
            "{closing}"
        );
    }

    #[test]
    fn numbers_are_written_and_read_exactly() {
        let written =
            [(0, 8, "0"), (1, 8, "0.00000001"), (150_000_000, 8, "1.5"), (7, 0, "7"), (1_005, 2, "10.05")];
        for (units, scale, text) in written {
            assert_eq!(decimal(units, scale), text);
        }
        let read = [
            ("60000.05", Some(1_200_001)),
            ("60000", Some(1_200_000)),
            ("60000.00000000", Some(1_200_000)),
            ("0.00", Some(0)),
            ("0.001", None),
            ("", None),
            ("x", None),
        ];
        for (text, told) in read {
            assert_eq!(ticks(text, &listing()), told, "{text}");
        }
    }
}
