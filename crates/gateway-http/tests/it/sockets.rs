//! WebSocket connections: requests of the streams, limits, and what hostile or careless clients do.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use gateway_http::{GatewaySettings, SocketSettings};
use serde_json::{Value, json};
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::http::Connection;
use crate::socket::Socket;
use crate::world::World;

fn with(sockets: SocketSettings) -> World {
    let (world, ..) = World::open_with(GatewaySettings { sockets, ..GatewaySettings::default() });
    world
}

fn patient() -> World {
    with(SocketSettings { max_frames_per_s: 1_000, ..SocketSettings::default() })
}

#[test]
fn streams_are_subscribed_to_and_listed() {
    let world = patient();
    let mut socket = Socket::open(world.public, "/ws/0");
    let ask = |socket: &mut Socket, method: &str, params: Value| {
        socket.ask(&json!({"method": method, "params": params, "id": 7}))["result"].clone()
    };
    assert_eq!(ask(&mut socket, "LIST_SUBSCRIPTIONS", json!([])), json!([]));
    assert_eq!(
        ask(&mut socket, "SUBSCRIBE", json!(["btcusdt@trade", "BTCUSDT@depth", "nothing@trade"])),
        Value::Null
    );
    assert_eq!(ask(&mut socket, "SUBSCRIBE", json!(["btcusdt@trade"])), Value::Null);
    assert_eq!(
        ask(&mut socket, "LIST_SUBSCRIPTIONS", json!([])),
        json!(["btcusdt@trade", "BTCUSDT@depth", "nothing@trade"])
    );
    assert_eq!(ask(&mut socket, "UNSUBSCRIBE", json!(["btcusdt@trade", "unknown"])), Value::Null);
    assert_eq!(ask(&mut socket, "LIST_SUBSCRIPTIONS", json!([])), json!(["BTCUSDT@depth", "nothing@trade"]));
    assert_eq!(ask(&mut socket, "GET_PROPERTY", json!(["combined"])), json!(false));
    assert_eq!(ask(&mut socket, "SET_PROPERTY", json!(["combined", true])), Value::Null);
    assert_eq!(ask(&mut socket, "GET_PROPERTY", json!(["combined"])), json!(true));
}

#[test]
fn streams_can_be_named_in_the_path() {
    let world = patient();
    for (path, combined, listed) in [
        ("/ws", false, json!([])),
        ("/ws/", false, json!([])),
        ("/ws/btcusdt@trade/btcusdt@depth@100ms", false, json!(["btcusdt@trade", "btcusdt@depth@100ms"])),
        ("/ws/btcusdt%40trade", false, json!(["btcusdt@trade"])),
        ("/stream", true, json!([])),
        ("/stream?streams=", true, json!([])),
        ("/stream?streams=btcusdt@trade/!miniTicker@arr", true, json!(["btcusdt@trade", "!miniTicker@arr"])),
        (
            "/stream?streams=btcusdt@kline_1d@+08:00&timeUnit=MICROSECOND",
            true,
            json!(["btcusdt@kline_1d@+08:00"]),
        ),
        ("/stream/stream", true, json!([])),
    ] {
        let mut socket = Socket::open(world.public, path);
        let ask = |socket: &mut Socket, method: &str, params: Value| {
            socket.ask(&json!({"method": method, "params": params, "id": null}))["result"].clone()
        };
        assert_eq!(ask(&mut socket, "LIST_SUBSCRIPTIONS", json!([])), listed, "{path}");
        assert_eq!(ask(&mut socket, "GET_PROPERTY", json!(["combined"])), json!(combined), "{path}");
    }
    assert!(Socket::try_open(world.public, "/stream?streams=a&timeUnit=HOUR").is_none());
    // Without the wish to become a WebSocket it is an error like others.
    let status = Connection::open(world.public).send("GET", "/ws", "", "").status;
    assert!((400..500).contains(&status), "{status}");
}

#[test]
fn a_wrong_request_is_told_what_is_wrong_and_ends_nothing() {
    let world = patient();
    let mut socket = Socket::open(world.public, "/ws");
    for (request, code, message) in [
        (json!({"method": "SET_PROPERTY", "params": ["combine", true], "id": 1}), 0, "Unknown property"),
        (
            json!({"method": "SET_PROPERTY", "params": ["combined", "yes"], "id": 1}),
            1,
            "Invalid value type: expected Boolean",
        ),
        (
            json!({"method": "GET_PROPERTY", "params": [true], "id": 1}),
            2,
            "Invalid request: property name must be a string",
        ),
        (
            json!({"method": "GET_PROPERTY", "params": ["combined", 1], "id": 1}),
            2,
            "Invalid request: too many parameters",
        ),
        (
            json!({"method": "LIST_SUBSCRIPTIONS", "params": ["x"], "id": 1}),
            2,
            "Invalid request: too many parameters",
        ),
        (
            json!({"method": "SUBSCRIBE", "params": [1], "id": 1}),
            2,
            "Invalid request: names of streams must be strings",
        ),
    ] {
        assert_eq!(
            socket.ask(&request),
            json!({"error": {"code": code, "msg": message}, "id": 1}),
            "{request}"
        );
    }
    socket.send("{\"method\":");
    assert_eq!(socket.next()["error"]["code"], 3);
    socket.send("[]");
    assert_eq!(socket.next()["error"]["code"], 2);
}

#[test]
fn a_connection_has_so_many_streams_and_no_more() {
    let world = with(SocketSettings { max_streams: 3, max_frames_per_s: 100, ..SocketSettings::default() });
    let mut socket = Socket::open(world.public, "/ws/a@trade/b@trade");
    let subscribe = |names: Value| json!({"method": "SUBSCRIBE", "params": names, "id": 1});
    assert_eq!(socket.ask(&subscribe(json!(["b@trade", "c@trade"])))["result"], Value::Null);
    let refused = socket.ask(&subscribe(json!(["d@trade"])));
    assert_eq!(refused["error"]["msg"], "Invalid request: more than 3 streams on one connection");
    assert!(Socket::try_open(world.public, "/ws/a@trade/b@trade/c@trade/d@trade").is_none());
}

#[test]
fn too_many_frames_in_a_second_end_the_connection() {
    let world = with(SocketSettings::default());
    let list = json!({"method": "LIST_SUBSCRIPTIONS", "id": 1}).to_string();
    for message in [Message::text(list), Message::Ping("x".into()), Message::Pong("x".into())] {
        let mut socket = Socket::open(world.public, "/ws");
        for _ in 0..6 {
            socket.send_message(message.clone());
        }
        assert_eq!(socket.rest().1, Some(CloseCode::Policy), "{message}");
    }
}

#[test]
fn what_is_no_proper_message_ends_only_its_own_connection() {
    let world = with(SocketSettings { max_message_bytes: 2_000, ..SocketSettings::default() });
    let mut bystander = Socket::open(world.public, "/ws");
    let fragment = |first: u8, bytes: &[u8]| {
        // Masked with zeros.
        let length = u8::try_from(bytes.len()).unwrap();
        [&[first, 0x80 | length, 0, 0, 0, 0], bytes].concat()
    };
    let endless = [fragment(0x01, &[b'x'; 100]), fragment(0x00, &[b'x'; 100]).repeat(30)].concat();
    for (bytes, code) in [
        // A text without a mask.
        (b"\x81\x02{}".to_vec(), CloseCode::Protocol),
        // An operation that there is not; reserved bits.
        (fragment(0x83, b"x"), CloseCode::Protocol),
        (fragment(0xf1, b"x"), CloseCode::Protocol),
        // A continuation of nothing.
        (fragment(0x80, b"x"), CloseCode::Protocol),
        // A ping in pieces.
        (fragment(0x09, b"x"), CloseCode::Protocol),
        // Not UTF-8.
        (fragment(0x81, b"\xff\xff"), CloseCode::Invalid),
        // A length of 2^62 bytes, of which none comes.
        (b"\x81\xff\x40\0\0\0\0\0\0\0\0\0\0\0".to_vec(), CloseCode::Size),
        (endless, CloseCode::Size),
        (fragment(0x82, b"x"), CloseCode::Unsupported),
    ] {
        let mut socket = Socket::open(world.public, "/ws");
        socket.write(&bytes);
        assert_eq!(socket.rest().1, Some(code), "{:?}", &bytes[..bytes.len().min(20)]);
    }
    let mut pieces = Socket::open(world.public, "/ws");
    pieces.write(&fragment(0x01, b"{\"method\":\"LIST_SUB"));
    pieces.write(&fragment(0x80, b"SCRIPTIONS\",\"id\":1}"));
    assert_eq!(pieces.next(), json!({"result": [], "id": 1}), "pieces are put together");
    assert_eq!(bystander.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 2}))["id"], 2);
}

#[test]
fn half_a_frame_and_silence_end_with_the_patience_for_pongs() {
    let world = with(SocketSettings {
        ping_interval: Duration::from_millis(100),
        pong_timeout: Duration::from_millis(200),
        max_frames_per_s: 1_000,
        ..SocketSettings::default()
    });
    let handshake = "GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                     sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    for sent in [&b""[..], b"\x81", b"\x81\x85\0\0\0\0ab"] {
        let mut stream = TcpStream::connect(world.public).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(handshake.as_bytes()).unwrap();
        stream.write_all(sent).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("the server closes the connection");
    }
    // Who answers pings stays: several intervals pass until the answer to the last of these.
    let mut socket = Socket::open(world.public, "/ws");
    for _ in 0..10 {
        assert!(socket.ping().is_some(), "the server goes on sending pings");
    }
    assert_eq!(socket.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 2}))["id"], 2);
}

#[test]
fn a_connection_has_an_end() {
    let world = with(SocketSettings { max_life: Duration::from_millis(100), ..SocketSettings::default() });
    assert_eq!(Socket::open(world.public, "/ws").rest(), (vec![], Some(CloseCode::Away)));
}

#[test]
fn a_closing_frame_is_answered() {
    let world = patient();
    let mut socket = Socket::open(world.public, "/ws");
    socket.send_message(Message::Close(None));
    assert_eq!(socket.rest(), (vec![], None));
}

#[test]
fn a_stop_is_announced_and_waits_for_the_connections() {
    let mut world = patient();
    let mut raw = Socket::open(world.public, "/ws");
    let mut combined = Socket::open(world.public, "/stream");
    for socket in [&mut raw, &mut combined] {
        socket.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 2}));
    }
    world.begin_to_stop();
    let (messages, code) = raw.rest();
    assert_eq!((messages.len(), code), (1, Some(CloseCode::Away)));
    assert_eq!(messages[0]["e"], "serverShutdown");
    assert!(messages[0]["E"].is_u64());
    let (messages, code) = combined.rest();
    assert_eq!((messages.len(), code), (1, Some(CloseCode::Away)));
    assert_eq!(messages[0]["stream"], "!serverShutdown");
    assert_eq!(messages[0]["data"]["e"], "serverShutdown");
    world.stop_serving();
}

#[test]
fn sockets_count_as_connections_until_they_end() {
    let world = World::empty(GatewaySettings { max_connections: 2, ..GatewaySettings::default() });
    let mut first = Socket::open(world.public, "/ws");
    let second = Socket::open(world.public, "/ws");
    assert!(Socket::try_open(world.public, "/ws").is_none());
    first.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 2}));
    drop(second);
    // As soon as the server has noticed.
    while Socket::try_open(world.public, "/ws").is_none() {
        std::thread::yield_now();
    }
}
