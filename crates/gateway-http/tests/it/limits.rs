//! Clients that are slow, greedy or broken harm only themselves, and stopping finishes what has begun.

use std::io::{ErrorKind, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_http::GatewaySettings;
use model::{AccountId, CancelAllOrders, Command, MarketId, TimeNs};
use sequencer::{Reply, Session, Submission};

use crate::http::{Connection, Trader};
use crate::world::World;

#[test]
fn unknown_paths_and_verbs_are_told_in_json() {
    let world = World::empty(GatewaySettings::default());
    world.get("/api/v3/nothing").assert_error(404, -1020, "There is no such endpoint.");
    let wrong_verb = Connection::open(world.public).send("POST", "/api/v3/depth", "", "");
    wrong_verb.assert_error(405, -1020, "This operation is not supported.");
}

#[test]
fn large_bodies_and_heads_are_refused() {
    let settings = GatewaySettings { max_body_bytes: 1_000, ..GatewaySettings::default() };
    let (world, alice, _) = World::open_with(settings);
    let body = format!("symbol={}", "A".repeat(2_000));
    let told = Connection::open(world.public).send("POST", "/api/v3/order", &alice.key_header(), &body);
    assert_eq!(told.status, 413);
    let mut chunked = Connection::open(world.public);
    let chunk = "A".repeat(2_000);
    chunked.write(
        format!("POST /api/v3/order HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n7d0\r\n{chunk}\r\n0\r\n\r\n")
            .as_bytes(),
    );
    assert_eq!(chunked.answer().status, 413);

    let headers = format!("x: {}\r\n", "A".repeat(100_000));
    let mut connection = Connection::open(world.public);
    connection.write(format!("GET /api/v3/ping HTTP/1.1\r\nhost: x\r\n{headers}\r\n").as_bytes());
    assert!(connection.try_answer().is_none_or(|answer| answer.status == 431));
    let many: String = vec!["x: y\r\n"; 100].concat();
    let answer = Connection::open(world.public).send("GET", "/api/v3/ping", &many, "");
    assert_eq!(answer.status, 431);
    assert_eq!(world.get("/api/v3/ping").status, 200, "others do not notice");
}

#[test]
fn garbage_is_answered_and_closed() {
    let world = World::empty(GatewaySettings::default());
    for garbage in ["\x16\x03\x01 hello\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\0\0\0\0\r\n\r\n"]
    {
        let mut connection = Connection::open(world.public);
        connection.write(garbage.as_bytes());
        assert!(connection.try_answer().is_none_or(|answer| answer.status >= 400), "{garbage:?}");
        assert!(connection.is_closed(), "{garbage:?}");
    }
    assert_eq!(world.get("/api/v3/ping").status, 200);
}

#[test]
fn silent_and_slow_clients_are_let_go() {
    let settings = GatewaySettings {
        idle_timeout: Duration::from_millis(500),
        body_timeout: Duration::from_millis(100),
        ..GatewaySettings::default()
    };
    let world = World::empty(settings);
    let mut silent = Connection::open(world.public);
    assert!(silent.is_closed(), "nothing was sent");
    let mut halfway = Connection::open(world.public);
    halfway.write(b"GET /api/v3/ping HTTP/1.1\r\nhost:");
    assert!(halfway.try_answer().is_none_or(|answer| answer.status == 408));
    let mut bodiless = Connection::open(world.public);
    bodiless.write(b"POST /api/v3/order HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf");
    assert_eq!(bodiless.answer().status, 408);
}

#[test]
fn one_connection_too_many_is_told_so() {
    let settings = GatewaySettings { max_connections: 2, ..GatewaySettings::default() };
    let world = World::empty(settings);
    let mut open: Vec<Connection> = (0..2).map(|_| Connection::open(world.public)).collect();
    for connection in &mut open {
        assert_eq!(connection.send("GET", "/api/v3/ping", "", "").status, 200);
    }
    let mut third = Connection::open(world.public);
    let answer = third.answer();
    assert_eq!((answer.status, answer.error().1), (503, -1008));
    assert!(answer.head.contains("retry-after: 1"));
    assert!(third.is_closed());
    drop(open);
    // The places come free when the server notices; until then the answer is 503 again.
    while world.get("/api/v3/ping").status != 200 {
        std::thread::yield_now();
    }
}

#[test]
fn a_client_that_takes_nothing_is_let_go() {
    let settings =
        GatewaySettings { write_timeout: Duration::from_millis(200), ..GatewaySettings::default() };
    let world = World::empty(settings);
    let mut stream = TcpStream::connect(world.public).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = "GET /api/v3/exchangeInfo HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000);
    // Answers pile up unread until the server gives up; then writing fails, and not because of our own patience.
    let mut errors = (0..10_000).filter_map(|_| stream.write_all(request.as_bytes()).err());
    let kind = errors.next().expect("nobody reads that much").kind();
    assert!(matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{kind}");
    assert_eq!(world.get("/api/v3/ping").status, 200);
}

/// Keeps the sequencer's thread from when it has told so until the other end is dropped.
struct Holding {
    told: Sender<()>,
    let_go: Mutex<Receiver<()>>,
}

impl Session for Holding {
    fn deliver(&self, _: u64, _: Reply) {
        self.told.send(()).expect("the test waits");
        // Ends with an error, as nothing is ever sent.
        let _ = self.let_go.lock().unwrap().recv();
    }

    fn abandon(&self, _: u64) {}
}

/// A command of alice's that changes nothing; it goes where her orders go.
fn nothing() -> Command {
    let (account, market, valid_until_ns) = (AccountId(1), MarketId(0), TimeNs::NEVER);
    Command::CancelAllOrders(CancelAllOrders { account, market, valid_until_ns })
}

/// Nothing is sequenced where alice lives from when this returns until what it returns is dropped.
pub fn hold(world: &World) -> Sender<()> {
    let ((told, holds), (held, let_go)) = (channel(), channel());
    let session = Arc::new(Holding { told, let_go: Mutex::new(let_go) });
    let submission = Submission { command: nothing(), reply_to: Some((session, 0)) };
    world.ingress.submit(submission).unwrap();
    holds.recv().expect("the sequencer comes this far");
    held
}

#[test]
fn an_answer_that_does_not_come_in_time_is_an_unknown_outcome() {
    let (world, alice, _) = World::open();
    let settings = GatewaySettings { reply_timeout: Duration::from_millis(50), ..GatewaySettings::default() };
    let world = world.restart_with(settings);
    let alice = Trader { address: world.public, ..alice };
    let held = hold(&world);
    let order = "side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=100";
    alice.place(order).assert_error(
        504,
        -1007,
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    );
    drop(held);
}

#[test]
fn a_full_queue_is_an_honest_busy() {
    let (world, alice, _) = World::open();
    let held = hold(&world);
    let another = || Submission { command: nothing(), reply_to: None };
    while world.ingress.submit(another()).is_ok() {}
    let busy = alice.place("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=100");
    assert_eq!((busy.error().0, busy.error().1), (503, -1008));
    assert!(busy.head.contains("retry-after: 1"));
    drop(held);
}

#[test]
fn a_stopping_exchange_says_so() {
    let (world, alice, _) = World::open();
    world.ingress.stop();
    let order = alice.place("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=100");
    order.assert_error(503, -1016, "This service is no longer available.");
    assert!(order.head.contains("retry-after"));
}

#[test]
fn stopping_finishes_requests_and_closes_connections() {
    let (mut world, alice, _) = World::open();
    let mut idle = Connection::open(world.public);
    assert_eq!(idle.send("GET", "/api/v3/ping", "", "").status, 200);
    let mut busy = Connection::open(world.public);
    let signed = alice.signed("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=100");
    let head = format!(
        "POST /api/v3/order HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {}\r\n{}\r\n",
        signed.len(),
        alice.key_header()
    );
    busy.write(head.as_bytes());
    assert_eq!(busy.answer().status, 100, "the server has begun with the request");
    world.begin_to_stop();
    assert!(idle.is_closed());
    busy.write(signed.as_bytes());
    assert_eq!(busy.answer().ok()["status"], "NEW", "what was begun is finished");
    assert!(busy.is_closed());
    world.stop_serving();
    assert!(TcpStream::connect(world.public).is_err(), "nobody listens any more");
}
