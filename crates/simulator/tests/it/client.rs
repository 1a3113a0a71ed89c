//! The traders' connection, against an end of the wire that says what a test wants it to say. How they fare with a real
//! exchange is shown with the built program.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt as _, StreamExt as _};
use model::PriceTicks;
use serde_json::{Value, json};
use simulator::client::{ClientError, Credentials, Mandate, Wishes, trade};
use simulator::market::{Action, Pace, Request, TRADERS, Traders};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use crate::market::listings;

/// The other end.
struct Wire {
    listener: TcpListener,
    traders: JoinHandle<Result<(), ClientError>>,
    stop: watch::Sender<bool>,
    wishes: watch::Sender<Wishes>,
}

struct Connection(WebSocketStream<TcpStream>);

impl Wire {
    async fn new(first_step: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mandate = Mandate {
            address: listener.local_addr().unwrap().to_string(),
            credentials: TRADERS
                .map(|name| Credentials { key: format!("key-of-{name}"), secret: "secret".to_owned() })
                .into(),
            listings: listings(),
            told: Vec::new(),
            seed: 9,
            first_step,
            pace: Pace::BUSY,
        };
        let (stop, stopping) = watch::channel(false);
        let (wishes, heard) = watch::channel(Vec::new());
        let traders = tokio::spawn(trade(mandate, stopping, heard));
        Self { listener, traders, stop, wishes }
    }

    async fn accept(&self) -> Connection {
        let (stream, _) = self.listener.accept().await.unwrap();
        Connection(accept_async(stream).await.unwrap())
    }
}

impl Connection {
    async fn request(&mut self) -> Value {
        let message = self.0.next().await.expect("they go on").unwrap();
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    }

    async fn answer(&mut self, request: &Value, mut answer: Value) {
        answer["id"] = request["id"].clone();
        self.0.send(Message::text(answer.to_string())).await.unwrap();
    }

    /// Takes a request and is content with it.
    async fn take(&mut self) -> Value {
        let request = self.request().await;
        self.answer(&request, json!({"status": 200, "result": {}})).await;
        request
    }

    /// Those that clean up: every trader in every market.
    async fn take_clean_up(&mut self) {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..TRADERS.len() * listings().len() {
            let request = self.take().await;
            assert_eq!(request["method"], "openOrders.cancelAll");
            let params = &request["params"];
            assert!(seen.insert((params["apiKey"].to_string(), params["symbol"].to_string())), "{request}");
        }
    }

    async fn take_last_prices(&mut self, price: &str) {
        self.take_last_prices_of(&["BTCUSDT", "ETHUSDT", "ETHBTC"], price).await;
    }

    async fn take_last_prices_of(&mut self, markets: &[&str], price: &str) {
        for market in markets {
            let request = self.request().await;
            assert_eq!(request["method"], "ticker.price");
            assert_eq!(request["params"]["symbol"], *market);
            self.answer(&request, json!({"status": 200, "result": {"price": price}})).await;
        }
    }
}

fn method(request: &Request) -> &'static str {
    match request.action {
        Action::Place(_) | Action::PlaceAtContract(_) | Action::ReduceAtContract(_) => "order.place",
        Action::Replace { .. } => "order.cancelReplace",
        Action::Cancel(_) => "order.cancel",
        Action::CancelAll => "openOrders.cancelAll",
    }
}

#[tokio::test]
async fn everything_is_sent_in_order_and_then_no_more() {
    let wire = Wire::new(0).await;
    let mut connection = wire.accept().await;
    let steps = Traders::new(9, 0, Pace::BUSY, &listings()).take(50);
    for request in steps.flat_map(|step| step.requests) {
        let sent = connection.take().await;
        assert_eq!(sent["method"], method(&request));
        let params = &sent["params"];
        assert_eq!(params["apiKey"], format!("key-of-{}", TRADERS[request.trader.0]));
        let name = params["newClientOrderId"].as_str().map(str::to_owned);
        let wanted = match request.action {
            Action::Place(order)
            | Action::Replace { order, .. }
            | Action::PlaceAtContract(order)
            | Action::ReduceAtContract(order) => Some(order.name.to_string()),
            Action::Cancel(_) | Action::CancelAll => None,
        };
        assert_eq!(name, wanted);
    }
    wire.stop.send_replace(true);
    wire.traders.await.unwrap().expect("asked to stop, they stop");
    while let Some(Ok(_)) = connection.0.next().await {}
}

#[tokio::test]
async fn they_come_back_clean_up_and_go_on_at_the_last_prices() {
    let wire = Wire::new(1_000).await;
    // Somebody was there before: they do not build on what is left.
    let mut connection = wire.accept().await;
    connection.take_clean_up().await;
    connection.take_last_prices("50000.00").await;
    let first = connection.take().await;
    assert_eq!(first["method"], "order.place");
    let price: f64 = first["params"]["price"].as_str().unwrap().parse().unwrap();
    assert!((price / 50_000.0 - 1.0).abs() < 0.05, "{price}");
    let name = first["params"]["newClientOrderId"].clone();
    drop(connection);

    let mut connection = wire.accept().await;
    connection.take_clean_up().await;
    connection.take_last_prices("0.00").await;
    let again = connection.take().await;
    assert_ne!(again["params"]["newClientOrderId"], name, "no name is used twice");
    wire.stop.send_replace(true);
    wire.traders.await.unwrap().unwrap();
}

#[tokio::test]
async fn they_take_a_market_where_somebody_wants_it_and_leave_the_others_where_they_are() {
    let wire = Wire::new(0).await;
    let mut connection = wire.accept().await;
    connection.take().await;
    wire.wishes.send_replace(vec![(listings()[0].market, PriceTicks(7_000_000))]);
    let mut connection = wire.accept().await;
    connection.take_clean_up().await;
    connection.take_last_prices_of(&["ETHUSDT", "ETHBTC"], "3000.00").await;
    let first = connection.take().await;
    assert_eq!(first["params"]["symbol"], "BTCUSDT");
    let price: f64 = first["params"]["price"].as_str().unwrap().parse().unwrap();
    assert!((price / 70_000.0 - 1.0).abs() < 0.05, "{price}");
    drop(connection);
    // The wish is granted once; afterwards the market goes on where it is.
    let mut connection = wire.accept().await;
    connection.take_clean_up().await;
    connection.take_last_prices("71000.00").await;
    wire.stop.send_replace(true);
    wire.traders.await.unwrap().unwrap();
}

#[tokio::test]
async fn they_pause_as_long_as_they_are_told_to_and_stop_without_answers() {
    let wire = Wire::new(0).await;
    let mut connection = wire.accept().await;
    let built = Traders::new(9, 0, Pace::BUSY, &listings()).next().unwrap().requests.len();
    let mut waiting = Vec::new();
    // No more than so many, whatever is to be sent.
    for _ in 0..256 {
        waiting.push(connection.request().await);
    }
    let silent = tokio::time::timeout(Duration::from_millis(50), connection.request()).await;
    assert!(silent.is_err(), "nothing more comes before an answer goes back");
    for request in &waiting {
        connection.answer(request, json!({"status": 200, "result": {}})).await;
    }
    for _ in waiting.len()..built - 1 {
        connection.take().await;
    }
    let last = connection.request().await;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = u64::try_from(since.as_millis()).unwrap();
    let (told, pause) = (Instant::now(), Duration::from_millis(700));
    let busy = json!({"status": 429, "error": {"code": -1003, "msg": "Too many", "data": {"retryAfter": now + 700}}});
    connection.answer(&last, busy).await;
    // What was on its way already comes at once; then there is a pause.
    let mut longest = Duration::ZERO;
    let mut before = told;
    while told.elapsed() < pause {
        connection.take().await;
        longest = longest.max(before.elapsed());
        before = Instant::now();
    }
    assert!(longest > pause / 2, "{longest:?}");
    wire.stop.send_replace(true);
    wire.traders.await.unwrap().unwrap();
}

#[tokio::test]
async fn without_their_keys_they_give_up() {
    let wire = Wire::new(0).await;
    let mut connection = wire.accept().await;
    let first = connection.request().await;
    let refusal = json!({"status": 401, "error": {"code": -2015, "msg": "Invalid API-key."}});
    connection.answer(&first, refusal).await;
    let told = wire.traders.await.unwrap().unwrap_err().to_string();
    assert_eq!(told, "the exchange refuses the traders' keys: -2015 Invalid API-key.");
}
