//! REST under fixed rates: orders come when they are due, whatever the answers do. Whichever connection is free sends the next.

use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use tokio::task::{JoinSet, LocalSet};

use super::{Connection, RemoteError, Tally, Trader, together};
use crate::remote::accounts::Operator;
use crate::remote::orders::requests_with;
use crate::remote::pace::{Due, keep};
use crate::remote::server::{Server, Setup};
use crate::remote::{OpenLoop, fresh_folder, one_thread};
use crate::{Axis, Measurement};

/// Orders that come before the first rate, over all connections.
const WARM_UP: u64 = 10_000;

/// Starts `program serve`, opens the connections, and puts one rate after the other on it.
pub fn run(program: &Path, parent: &Path, load: &OpenLoop) -> Result<Vec<Measurement>, RemoteError> {
    let folder = fresh_folder(parent)?;
    let server = Server::start(program, folder.path(), &Setup::default())?;
    LocalSet::new().block_on(&one_thread()?, measure(&server, load))
}

async fn measure(server: &Server, load: &OpenLoop) -> Result<Vec<Measurement>, RemoteError> {
    let connections = load.connections;
    let mut traders = Vec::with_capacity(connections);
    let mut operator = Operator::open(&server.admin).await?;
    for number in 0..connections {
        let trader = Trader::open(number, &mut operator).await?;
        traders.push((Connection::open(&server.public).await?, trader));
    }
    let mut found = Vec::with_capacity(load.rates.len());
    (traders, _, _) = together(traders, WARM_UP.min(load.rates.iter().sum::<u64>().max(1))).await?;
    for rate in load.rates.iter().copied() {
        let mut tasks = JoinSet::new();
        let due = Rc::new(Due::default());
        let start = Instant::now();
        for (connection, trader) in traders.drain(..) {
            tasks.spawn_local(keep_up(connection, trader, Rc::clone(&due)));
        }
        keep(requests_with(rate), requests_with(rate * load.seconds), &[due]).await?;
        let mut tally = Tally::default();
        while let Some(ended) = tasks.join_next().await {
            let (connection, trader, its) = ended.expect("a trader does not panic")?;
            traders.push((connection, trader));
            tally.add(its);
        }
        let name = format!("REST, {connections} connections, {rate} orders/s are sent");
        let orders = Measurement::new(name, tally.orders, start.elapsed(), tally.orders_refused)
            .with_latency(&tally.order_nanos)
            .on_curve("REST, signed, durable", Axis::Rate, rate);
        found.push(match tally.first_refusal {
            Some(refusal) => orders.with_remark(format!("the first refusal: {refusal}")),
            None => orders,
        });
    }
    Ok(found)
}

/// One trader sends what is due, as soon as it is free, until nothing will be.
async fn keep_up(
    mut connection: Connection,
    mut trader: Trader,
    due: Rc<Due>,
) -> Result<(Connection, Trader, Tally), RemoteError> {
    let mut tally = Tally::default();
    loop {
        let Some(time) = due.take() else {
            if due.is_over() {
                due.pass_on();
                return Ok((connection, trader, tally));
            }
            due.told().await;
            continue;
        };
        let (kind, request_bytes) = (trader.kind(), trader.request().len());
        connection.send(trader.request()).await?;
        trader.sign_next();
        let answer = connection.answer().await?;
        let nanos = u64::try_from(time.elapsed().as_nanos()).expect("a run does not take centuries");
        tally.count(kind, nanos, request_bytes, &answer);
    }
}
