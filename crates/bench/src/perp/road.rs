//! Orders at a perpetual contract through everything: the WebSocket API, the journal, and the SQL writer where a database is there.
//! Load generator, exchange and database share the machine.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use crate::remote::accounts::Operator;
use crate::remote::databases::{Database, Engine};
use crate::remote::metrics::Metrics;
use crate::remote::server::{PRICE_TICKS, SYMBOL, Server, Setup};
use crate::remote::trader::Venue;
use crate::remote::{RemoteError, allow_files, fresh_folder, one_thread};
use crate::sql::traders::{Pace, Traded, Traders, Until};
use crate::sql::written;
use crate::{Measurement, Target};

/// How much is asked.
#[derive(Clone, Debug)]
pub struct Load {
    /// Databases that are started beside the exchange, one after the other, behind a run without one.
    pub engines: Vec<Engine>,
    /// How long orders come, as fast as they are answered and written. At least 1.
    pub seconds: u64,
    /// Connections at once. At least 1.
    pub connections: usize,
    /// Accounts over all connections; at least two for each.
    pub accounts: usize,
}

/// Of orders a second.
const WANTED_ORDERS: f64 = 10_000.0;
/// Orders that come first, so that there is something in the book.
const WARM_UP: Duration = Duration::from_secs(2);

/// Without a database, then with each.
pub fn run(
    program: &Path,
    parent: &Path,
    load: &Load,
    show: &mut dyn FnMut(Measurement),
) -> Result<(), RemoteError> {
    allow_files(load.connections)?;
    show(measure(program, parent, load, None)?);
    for engine in load.engines.iter().copied() {
        let database = Database::start(engine, parent)?;
        database.migrate()?;
        show(measure(program, parent, load, Some(&database))?);
        database.give_back()?;
    }
    Ok(())
}

/// The contract beside the spot market of its name, whose price is its index price.
fn contract() -> String {
    let price = PRICE_TICKS / 100;
    format!(
        "[[contract]]\nname = \"{SYMBOL}\"\nbase = \"BTC\"\nquote = \"USDT\"\ntick_size = \"0.01\"\nlot_size = \"0.001\"\n\
         initial_price = \"{price}\"\nmaker_fee = \"0.0002\"\ntaker_fee = \"0.0005\"\nmax_open_orders_per_account = 1000000\n\
         [contract.perpetual]\nfund = \"insurance\"\n"
    )
}

fn measure(
    program: &Path,
    parent: &Path,
    load: &Load,
    database: Option<&Database>,
) -> Result<Measurement, RemoteError> {
    let folder = fresh_folder(parent)?;
    let more = format!("{}{}", database.map(Database::settings).unwrap_or_default(), contract());
    let setup = Setup { more, ..Setup::for_connections(load.connections) };
    let mut server = Server::start(program, folder.path(), &setup)?;
    let turn = async {
        let mut metrics = Metrics::open(&server.admin).await?;
        let mut operator = Operator::open(&server.admin).await?;
        let mut traders =
            Traders::open(Venue::Contract, &server, &mut operator, load.connections, load.accounts).await?;
        traders.trade(Pace::Follow, Until::Time(WARM_UP), &mut metrics).await?;
        if database.is_some() {
            written(&mut metrics).await?;
        }
        let began = Instant::now();
        let until = Until::Time(Duration::from_secs(load.seconds));
        let traded = traders.trade(Pace::Follow, until, &mut metrics).await?;
        if database.is_some() {
            written(&mut metrics).await?;
        }
        Ok::<_, RemoteError>((traded, began.elapsed()))
    };
    let (traded, elapsed) = LocalSet::new().block_on(&one_thread()?, turn)?;
    if let Some(ended) = server.ended() {
        return Err(RemoteError::Answer(format!("the server has ended: {ended}")));
    }
    row(load, database, &traded, elapsed)
}

fn row(
    load: &Load,
    database: Option<&Database>,
    traded: &Traded,
    elapsed: Duration,
) -> Result<Measurement, RemoteError> {
    let name = match database {
        None => "orders at a contract over the WebSocket API, durable".to_owned(),
        Some(database) => {
            format!("orders at a contract over the WebSocket API, written by {}", database.engine.name())
        }
    };
    let found = Measurement::new(name, traded.orders, elapsed, traded.refused);
    let target = Target::per_second(&found, WANTED_ORDERS);
    let mut remark = format!(
        "the journal syncs before it answers; {} connections, each request signed; {} trades and {} cancels beside them",
        load.connections, traded.filled, traded.cancels
    );
    if let Some(database) = database {
        remark = format!(
            "{}; {remark}; highest lag {:.2} s; all is written when the clock stops",
            database.described()?,
            traded.highest_lag_s
        );
    }
    if let Some(refusal) = &traded.first_refusal {
        remark = format!("{remark}; the first refusal: {refusal}");
    }
    Ok(found.with_target(target).with_figures([("trades", traded.filled)]).with_remark(remark))
}
