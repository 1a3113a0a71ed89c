//! The statements of one worker, prepared on its own connection.

use std::fmt::Write as _;

use mysql::prelude::Queryable as _;
use postgres::types::ToSql;

use super::{Standing, Transaction, decimal};
use crate::remote::RemoteError;
use crate::remote::databases::{Client, Database, Engine, refused};

/// Balances that one statement changes at the most; more are changed by several.
const MOST_BALANCES: usize = 4;

/// One connection.
pub(super) enum Worker {
    Postgres {
        client: Box<postgres::Client>,
        order: postgres::Statement,
        change: postgres::Statement,
        trade: postgres::Statement,
        /// By how many balances they change, from one.
        balances: Vec<postgres::Statement>,
    },
    Mariadb {
        connection: Box<mysql::Conn>,
        order: mysql::Statement,
        change: mysql::Statement,
        trade: mysql::Statement,
        balances: Vec<mysql::Statement>,
    },
}

/// What a statement is given.
#[derive(Debug)]
enum Parameter<'t> {
    Number(i64),
    Text(&'t str),
    Owned(String),
    Flag(bool),
}

impl Parameter<'_> {
    fn id(number: u64) -> Self {
        Self::Number(i64::try_from(number).expect("counters stay below 2^53"))
    }

    fn postgres(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Number(number) => number,
            Self::Text(text) => text,
            Self::Owned(text) => text,
            Self::Flag(flag) => flag,
        }
    }

    fn mysql(&self) -> mysql::Value {
        match self {
            Self::Number(number) => (*number).into(),
            Self::Text(text) => (*text).into(),
            Self::Owned(text) => text.as_str().into(),
            Self::Flag(flag) => (*flag).into(),
        }
    }
}

/// Which statement.
#[derive(Clone, Copy, Debug)]
enum Which {
    Order,
    Change,
    Trade,
    Balances(usize),
}

/// With placeholders as each database writes them: `$1` or `?`, in order.
fn written(engine: Engine, text: &str) -> String {
    let (mut out, mut number) = (String::new(), 0);
    for piece in text.split_inclusive('?') {
        match (piece.strip_suffix('?'), engine) {
            (Some(before), Engine::Postgres) => {
                number += 1;
                out.push_str(before);
                write!(out, "${number}").expect("memory takes it");
            }
            _ => out.push_str(piece),
        }
    }
    out.replace('#', engine.number()).replace(
        "%int",
        match engine {
            Engine::Postgres => "::bigint",
            Engine::Mariadb => "",
        },
    )
}

// A `#` makes a number of a text, and `%int` says that a number is one, where the database wants to hear it.
const ORDER: &str = "INSERT INTO orders (order_id, account_id, market_id, client_order_id, side, type, time_in_force, \
     self_trade_prevention, price, quantity, executed_quantity, executed_quote, prevented_quantity, held, amendments, status, created_at, \
     updated_at, ended_at) VALUES (?%int, ?%int, ?%int, ?, ?, 'LIMIT', 'GTC', 'NONE', ?#, ?#, ?#, ?#, 0, ?#, 0, ?, CURRENT_TIMESTAMP(6), \
     CURRENT_TIMESTAMP(6), CASE WHEN ? THEN CURRENT_TIMESTAMP(6) END)";
const CHANGE: &str = "UPDATE orders SET executed_quantity = ?#, executed_quote = ?#, held = ?#, status = ?, updated_at = \
     CURRENT_TIMESTAMP(6), ended_at = CASE WHEN ? THEN CURRENT_TIMESTAMP(6) END WHERE order_id = ?";
const TRADE: &str = "INSERT INTO trades (market_id, trade_id, price, quantity, quote_quantity, taker_side, maker_order_id, \
     taker_order_id, traded_at) VALUES (?%int, ?%int, ?#, ?#, ?#, ?, ?%int, ?%int, CURRENT_TIMESTAMP(6))";
const BALANCE: &str = "(?%int, ?%int, ?#, ?#, CURRENT_TIMESTAMP(6))";

fn balances(engine: Engine, count: usize) -> String {
    let rows = vec![BALANCE; count].join(", ");
    let behind = match engine {
        Engine::Postgres => {
            "ON CONFLICT (account_id, asset_id) DO UPDATE SET free = balances.free + excluded.free, held = balances.held + excluded.held, \
             updated_at = excluded.updated_at"
        }
        Engine::Mariadb => {
            "ON DUPLICATE KEY UPDATE free = free + VALUES(free), held = held + VALUES(held), updated_at = VALUES(updated_at)"
        }
    };
    format!("INSERT INTO balances (account_id, asset_id, free, held, updated_at) VALUES {rows} {behind}")
}

impl Worker {
    pub(super) fn new(database: &Database) -> Result<Self, RemoteError> {
        let engine = database.engine;
        let texts = [ORDER, CHANGE, TRADE].map(|text| written(engine, text));
        let all = (1..=MOST_BALANCES).map(|count| written(engine, &balances(engine, count)));
        Ok(match database.client()? {
            Client::Postgres(mut client) => {
                let mut prepare = |text: &str| client.prepare(text).map_err(|error| refused(engine, &error));
                let [order, change, trade] = &texts;
                let (order, change, trade) = (prepare(order)?, prepare(change)?, prepare(trade)?);
                let balances = all.map(|text| prepare(&text)).collect::<Result<_, _>>()?;
                Self::Postgres { client, order, change, trade, balances }
            }
            Client::Mariadb(mut connection) => {
                let mut prepare = |text: &str| connection.prep(text).map_err(|error| refused(engine, &error));
                let [order, change, trade] = &texts;
                let (order, change, trade) = (prepare(order)?, prepare(change)?, prepare(trade)?);
                let balances = all.map(|text| prepare(&text)).collect::<Result<_, _>>()?;
                Self::Mariadb { connection, order, change, trade, balances }
            }
        })
    }

    /// One transaction, from its beginning until it is on the disk.
    pub(super) fn commit(&mut self, transaction: &Transaction) -> Result<(), RemoteError> {
        use Parameter::{Flag, Text};
        self.plain("BEGIN")?;
        if let Some(order) = &transaction.order {
            let Standing { executed, executed_quote, held, status, is_over } = &order.now;
            self.execute(
                Which::Order,
                &[
                    Parameter::id(order.order.0),
                    Parameter::id(order.account.0),
                    Parameter::id(order.market.0.into()),
                    Text(&order.client_order_id),
                    Text(order.side),
                    Text(&order.price),
                    Text(&order.quantity),
                    Text(executed),
                    Text(executed_quote),
                    Text(held),
                    Text(status),
                    Flag(*is_over),
                ],
            )?;
        }
        for trade in &transaction.trades {
            self.execute(
                Which::Trade,
                &[
                    Parameter::id(trade.market.0.into()),
                    Parameter::id(trade.number.0),
                    Text(&trade.price),
                    Text(&trade.quantity),
                    Text(&trade.quote),
                    Text(trade.taker_side),
                    Parameter::id(trade.maker.0),
                    Parameter::id(trade.taker.0),
                ],
            )?;
        }
        for changed in &transaction.changed {
            let Standing { executed, executed_quote, held, status, is_over } = &changed.now;
            let order = Parameter::id(changed.order.0);
            let parameters =
                [Text(executed), Text(executed_quote), Text(held), Text(status), Flag(*is_over), order];
            self.execute(Which::Change, &parameters)?;
        }
        for some in transaction.balances.chunks(MOST_BALANCES) {
            let mut parameters = Vec::with_capacity(4 * some.len());
            for (account, asset, change) in some {
                parameters.extend([
                    Parameter::id(account.0),
                    Parameter::id(asset.0.into()),
                    Parameter::Owned(decimal(change.free)),
                    Parameter::Owned(decimal(change.held)),
                ]);
            }
            self.execute(Which::Balances(some.len()), &parameters)?;
        }
        self.plain("COMMIT")
    }

    fn plain(&mut self, sql: &str) -> Result<(), RemoteError> {
        match self {
            Self::Postgres { client, .. } => {
                client.batch_execute(sql).map_err(|error| refused(Engine::Postgres, &error))
            }
            Self::Mariadb { connection, .. } => {
                connection.query_drop(sql).map_err(|error| refused(Engine::Mariadb, &error))
            }
        }
    }

    fn execute(&mut self, which: Which, parameters: &[Parameter<'_>]) -> Result<(), RemoteError> {
        match self {
            Self::Postgres { client, order, change, trade, balances } => {
                let statement = match which {
                    Which::Order => order,
                    Which::Change => change,
                    Which::Trade => trade,
                    Which::Balances(count) => &mut balances[count - 1],
                };
                let parameters: Vec<_> = parameters.iter().map(Parameter::postgres).collect();
                let done = client.execute(&*statement, &parameters);
                done.map(drop).map_err(|error| refused(Engine::Postgres, &error))
            }
            Self::Mariadb { connection, order, change, trade, balances } => {
                let statement = match which {
                    Which::Order => order,
                    Which::Change => change,
                    Which::Trade => trade,
                    Which::Balances(count) => &mut balances[count - 1],
                };
                let parameters: Vec<_> = parameters.iter().map(Parameter::mysql).collect();
                connection
                    .exec_drop(&*statement, parameters)
                    .map_err(|error| refused(Engine::Mariadb, &error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_written_as_each_database_wants_them() {
        assert_eq!(written(Engine::Postgres, "a ?# b ?%int c"), "a $1::text::numeric b $2::bigint c");
        assert_eq!(written(Engine::Mariadb, "a ?# b ?%int c"), "a ? b ? c");
        assert_eq!(balances(Engine::Mariadb, 3).matches('?').count(), 12);
    }
}
