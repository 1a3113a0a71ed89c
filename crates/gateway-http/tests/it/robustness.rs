//! Connections that open and close, break off and send nonsense by the thousand, while others go on trading.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gateway_http::{GatewaySettings, LimitSettings};

use crate::http::Connection;
use crate::metrics::{metric, metrics};
use crate::world::World;

/// What a broken client sends before it goes away.
const BROKEN: [&[u8]; 6] = [
    b"",
    b"GET /api/v3/ping HT",
    b"POST /api/v3/order HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nsymbol=BTC",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\xff\xfe\xfd\xfc\r\n\r\n",
    b"GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
      sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\xfe\x10",
];

#[test]
fn a_thousand_broken_connections_harm_only_themselves() {
    let settings = GatewaySettings { max_connections: 100, ..GatewaySettings::default() };
    let (world, alice, _) = World::open_with(settings);
    let stop = AtomicBool::new(false);
    // It has its place before the others come.
    let mut connection = Connection::open(world.public);
    assert_eq!(connection.send("GET", "/api/v3/ping", "", "").status, 200);
    let worst = std::thread::scope(|scope| {
        let trading = scope.spawn(|| {
            let mut worst = Duration::ZERO;
            while !stop.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let params = "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=IOC&quantity=0.1&price=60000";
                alice.send_on(&mut connection, "POST", "/api/v3/order", params).ok();
                worst = worst.max(begun.elapsed());
            }
            worst
        });
        for round in 0..1_200 {
            let Ok(mut stream) = TcpStream::connect(world.public) else { continue };
            // The server may have turned it away already.
            let _ = stream.write_all(BROKEN[round % BROKEN.len()]);
            if round % 2 == 0 {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        stop.store(true, Ordering::Relaxed);
        trading.join().expect("whoever behaves is served throughout")
    });
    assert!(worst < Duration::from_secs(5), "{worst:?}");
    drop(connection);
    // All places come back.
    while metric(&metrics(&world), "rialto_connections{port=\"public\"}") > 0.5 {
        std::thread::yield_now();
    }
    assert!(metric(&metrics(&world), "rialto_websocket_connections").abs() < 0.5);
}

#[test]
fn one_address_cannot_take_the_places_of_all() {
    let limits = LimitSettings { exempt: Vec::new(), connections_per_address: 5, ..LimitSettings::default() };
    let world = World::empty(GatewaySettings { limits, max_connections: 10, ..GatewaySettings::default() });
    let greedy: Vec<TcpStream> = (0..50).filter_map(|_| TcpStream::connect(world.public).ok()).collect();
    // Another address of this machine.
    let socket = |from: [u8; 4]| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind((from, 0).into()).unwrap();
            let stream = socket.connect(world.public).await.unwrap().into_std().unwrap();
            stream.set_nonblocking(false).unwrap();
            stream
        })
    };
    let mut other = Connection::over(socket([127, 0, 0, 2]));
    assert_eq!(other.send("GET", "/api/v3/ping", "", "").status, 200);
    drop(greedy);
}
