//! The WebSocket API under fixed rates: orders come when they are due, whatever the answers do.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use tokio::task::{JoinSet, LocalSet};

use super::{Client, Load, Proof, Tally, together};
use crate::remote::accounts::Operator;
use crate::remote::orders::requests_with;
use crate::remote::pace::{Due, keep};
use crate::remote::server::{Server, Setup};
use crate::remote::socket::Scratch;
use crate::remote::{OpenLoop, RemoteError, fresh_folder, one_thread};
use crate::{Axis, Measurement};

/// Requests that a connection has under way at the most: what is due beyond that waits, and its time runs.
const MOST_UNDER_WAY: usize = 256;
/// Orders that come before the first rate, over all connections.
const WARM_UP: u64 = 20_000;

/// Starts `program serve`, opens the connections, and puts one rate after the other on it.
pub fn run(program: &Path, parent: &Path, load: &OpenLoop) -> Result<Vec<Measurement>, RemoteError> {
    let folder = fresh_folder(parent)?;
    let server = Server::start(program, folder.path(), &Setup::default())?;
    LocalSet::new().block_on(&one_thread()?, measure(&server, load))
}

async fn measure(server: &Server, load: &OpenLoop) -> Result<Vec<Measurement>, RemoteError> {
    let connections = load.connections;
    let closed = Load { connections, window: 16, proof: Proof::Signed, orders: WARM_UP };
    let mut clients = Vec::with_capacity(connections);
    let mut operator = Operator::open(&server.admin).await?;
    let scratch = Rc::new(RefCell::new(Scratch::new()));
    for number in 0..connections {
        clients.push(Client::open(number, &closed, server, &mut operator, &scratch).await?);
    }
    let mut found = Vec::with_capacity(load.rates.len());
    (clients, _, _) = together(clients, WARM_UP.min(load.rates.iter().sum::<u64>().max(1)), &scratch).await?;
    for rate in load.rates.iter().copied() {
        let mut tasks = JoinSet::new();
        let lists: Vec<_> = clients.iter().map(|_| Rc::new(Due::default())).collect();
        let start = Instant::now();
        for (mut client, due) in clients.drain(..).zip(lists.clone()) {
            let scratch = Rc::clone(&scratch);
            tasks.spawn_local(
                async move { client.keep_up(&due, &scratch).await.map(|tally| (client, tally)) },
            );
        }
        keep(requests_with(rate), requests_with(rate * load.seconds), &lists).await?;
        let mut tally = Tally::new();
        while let Some(ended) = tasks.join_next().await {
            let (client, its) = ended.expect("a client does not panic")?;
            clients.push(client);
            tally.add(its);
        }
        let name = format!("WebSocket API, {connections} connections, {rate} orders/s are sent");
        let orders = Measurement::new(name, tally.order_nanos.len(), start.elapsed(), tally.refused.orders)
            .with_latency(&tally.order_nanos)
            .on_curve("WebSocket API, signed, durable", Axis::Rate, rate);
        found.push(match tally.refused.first {
            Some(refusal) => orders.with_remark(format!("the first refusal: {refusal}")),
            None => orders,
        });
    }
    Ok(found)
}

impl Client {
    /// Sends what is due, as soon as it is, until nothing will be and everything is answered.
    async fn keep_up(&mut self, due: &Due, scratch: &RefCell<Scratch>) -> Result<Tally, RemoteError> {
        let mut tally = Tally::new();
        loop {
            while self.trader.under_way() < MOST_UNDER_WAY
                && let Some(time) = due.take()
            {
                self.trader.put_due(self.round.next(), time);
            }
            self.trader.flush().await?;
            let under_way = self.trader.under_way();
            if under_way == 0 && due.is_over() {
                return Ok(tally);
            }
            tokio::select! {
                () = due.told(), if under_way < MOST_UNDER_WAY && !due.is_over() => {}
                answers = self.trader.answers(scratch, |answered| tally.count(answered)), if under_way > 0 => answers?,
            }
        }
    }
}
