//! What the API is asked for and the views have forgotten: orders and trades out of the tables, in the form of the views.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use model::{
    AccountId, Amount, AssetTerms, Liquidity, MarketId, MarketTerms, OrderId, PriceTicks, QtyLots, Side,
    TimeNs, TradeId,
};
use views::{OwnTrade, Page};

use crate::dialect::{Dialect, Rows, connect};
use crate::listed::Market;
use crate::order::Order;
use crate::settings::SqlSettings;
use crate::table::{Moment, ORDERS};
use crate::{SqlError, decimal, schema};

/// How long nobody asks a database that has not answered: its answers would be late for whoever waits.
const REST: Duration = Duration::from_secs(2);

/// A market whose history is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Which one.
    pub market: MarketId,
    /// Its settings.
    pub terms: &'a MarketTerms,
    /// What is bought and sold.
    pub base: &'a AssetTerms,
    /// What it is paid with.
    pub quote: &'a AssetTerms,
}

impl<'a> Asked<'a> {
    const fn market(&self) -> Market<'a> {
        Market { terms: self.terms, base: self.base, quote: self.quote }
    }
}

/// One connection to the tables, which is opened when it is needed.
pub struct History {
    settings: SqlSettings,
    connection: Mutex<Connection>,
}

#[derive(Default)]
struct Connection {
    open: Option<Box<dyn Dialect + Send>>,
    /// When it has failed last.
    failed: Option<Instant>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // PostgreSQL's client waits for the end of its connection, which a thread that drives asynchronous tasks must not.
        if let Some(database) = self.open.take() {
            let _ = thread::spawn(move || drop(database)).join();
        }
    }
}

impl History {
    /// Of the tables that the writers of these settings fill.
    pub fn new(settings: SqlSettings) -> Self {
        Self { settings, connection: Mutex::default() }
    }

    /// Orders of an account in a market, open and over, by ascending number. `None` for a moment behind an error, in which the
    /// database is left alone.
    pub fn orders(
        &self,
        account: AccountId,
        asked: &Asked<'_>,
        page: &Page<OrderId>,
    ) -> Result<Option<Vec<views::Order>>, SqlError> {
        let market = asked.market();
        self.ask(|database| {
            let columns = ORDERS.columns_read(database.words());
            // Numbers of an account's orders rise with time, so from the time of the one that is named the index leads to the rest.
            let from = page.from.map_or_else(String::new, |from| {
                format!(
                    " AND order_id >= {from} AND created_at >= COALESCE((SELECT o.created_at FROM orders o WHERE o.order_id = {from} AND \
                     o.account_id = {account}), '1970-01-01 00:00:00')"
                )
            });
            let rows = database.query(&format!(
                "SELECT {columns} FROM orders WHERE account_id = {account} AND market_id = {}{from}{} ORDER BY created_at {direction}, \
                 order_id {direction} LIMIT {}",
                asked.market,
                between("created_at", page),
                page.limit,
                direction = direction(page),
            ))?;
            let orders = rows.iter().map(|row| Ok(Order::read(row, &market)?.view(&market)));
            Ok(ascending(page, orders.collect::<Result<Vec<_>, SqlError>>()?))
        })
    }

    /// One order, by its number.
    pub fn order(&self, asked: &Asked<'_>, order: OrderId) -> Result<Option<views::Order>, SqlError> {
        let market = asked.market();
        let found = self.ask(|database| {
            let columns = ORDERS.columns_read(database.words());
            let rows = database.query(&format!(
                "SELECT {columns} FROM orders WHERE order_id = {order} AND market_id = {}",
                asked.market
            ))?;
            rows.first().map(|row| Ok(Order::read(row, &market)?.view(&market))).transpose()
        })?;
        Ok(found.flatten())
    }

    /// Trades of an account in a spot market, of one of its orders if `order` says so, by ascending number. `None` as in
    /// [`Self::orders`].
    pub fn trades(
        &self,
        account: AccountId,
        asked: &Asked<'_>,
        order: Option<OrderId>,
        page: &Page<TradeId>,
    ) -> Result<Option<Vec<OwnTrade>>, SqlError> {
        self.ask(|database| {
            let micros = (database.words().micros)("p.posted_at");
            let from = page.from.map_or_else(String::new, |from| format!(" AND p.trade_id >= {from}"));
            let of = order.map_or_else(String::new, |order| format!(" AND p.order_id = {order}"));
            let rows = database.query(&format!(
                "SELECT p.trade_id, p.order_id, p.asset_id, t.price, t.quantity, p.fee, t.taker_order_id, {micros} FROM ledger_postings p \
                 JOIN trades t ON t.market_id = p.market_id AND t.trade_id = p.trade_id WHERE p.account_id = {account} AND p.market_id = {} \
                 AND p.kind = 'TRADE_RECEIVED'{from}{of}{} ORDER BY p.posted_at {direction}, p.event_seq {direction} LIMIT {}",
                asked.market,
                between("p.posted_at", page),
                page.limit,
                direction = direction(page),
            ))?;
            Ok(ascending(page, trades(account, asked, &rows)?))
        })
    }

    fn ask<T>(
        &self,
        question: impl FnOnce(&mut dyn Dialect) -> Result<T, SqlError>,
    ) -> Result<Option<T>, SqlError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let Connection { open, failed } = &mut *connection;
        if failed.is_some_and(|failed| failed.elapsed() < REST) {
            return Ok(None);
        }
        let answer = || {
            let mut database = if let Some(database) = open.take() {
                database
            } else {
                let mut database = connect(&self.settings)?;
                schema::check(&mut *database)?;
                database
            };
            let answered = question(&mut *database)?;
            // Only a connection on which all went well is used again.
            *open = Some(database);
            Ok(answered)
        };
        let answered = answer();
        *failed = answered.is_err().then(Instant::now);
        answered.map(Some)
    }
}

fn direction<Id>(page: &Page<Id>) -> &'static str {
    if page.from.is_some() || page.start_ns.is_some() { "ASC" } else { "DESC" }
}

/// Rows came in the direction of the page.
fn ascending<Id, T>(page: &Page<Id>, mut found: Vec<T>) -> Vec<T> {
    if direction(page) == "DESC" {
        found.reverse();
    }
    found
}

/// Between the times of a page. The tables have microseconds, rounded down.
fn between<Id>(column: &str, page: &Page<Id>) -> String {
    let bound = |sign, at: Option<TimeNs>| {
        at.map_or_else(String::new, |at| format!(" AND {column} {sign} '{}'", Moment::from(at)))
    };
    format!("{}{}", bound(">=", page.start_ns), bound("<=", page.end_ns.filter(|end| *end != TimeNs::NEVER)))
}

fn trades(account: AccountId, asked: &Asked<'_>, rows: &Rows) -> Result<Vec<OwnTrade>, SqlError> {
    let one = |row: &Vec<Option<String>>| {
        let number = |column: usize| row[column].as_deref()?.parse::<u64>().ok();
        let amount = |column: usize, scale| decimal::parse(row[column].as_deref()?, scale);
        let side = if number(2)? == u64::from(asked.terms.base.0) { Side::Buy } else { Side::Sell };
        let received = match side {
            Side::Buy => asked.base.scale,
            Side::Sell => asked.quote.scale,
        };
        let ticks = amount(3, asked.terms.price_scale)?.checked_div(asked.terms.tick_size.into())?;
        let lots = amount(4, asked.base.scale)?.checked_div(asked.terms.base_atoms_per_lot.0)?;
        Some(OwnTrade {
            id: TradeId(number(0)?),
            order: OrderId(number(1)?),
            account,
            market: asked.market,
            side,
            liquidity: if number(1)? == number(6)? { Liquidity::Taker } else { Liquidity::Maker },
            price_ticks: PriceTicks(i64::try_from(ticks).ok()?),
            qty_lots: QtyLots(i64::try_from(lots).ok()?),
            fee: Amount(amount(5, received)?),
            time_ns: TimeNs(number(7)?.checked_mul(1_000)?),
        })
    };
    let wrong =
        |row: &Vec<Option<String>>| SqlError::Disagrees(format!("a trade is not one of ours: {row:?}"));
    rows.iter().map(|row| one(row).ok_or_else(|| wrong(row))).collect()
}
