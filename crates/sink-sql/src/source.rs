//! Reading somebody else's tables, for `rialto import`: rows as text, so that nothing is rounded on the way, and all queries at one
//! moment of the database.

use ::mysql::consts::ColumnType;
use ::mysql::prelude::Queryable as _;
use ::postgres::SimpleQueryMessage;
use ::postgres::types::Type;

use crate::SqlError;
use crate::dialect::Dialect;
use crate::mysql::Mysql;
use crate::postgres::Postgres;
use crate::settings::{Engine, SqlSettings};

/// Rows that are fetched together.
const TOGETHER: usize = 10_000;

/// Takes a row: the names of its columns, and their text.
pub type Take<'t> = &'t mut dyn FnMut(&[String], &[Option<String>]);

/// A database of somebody else's, at one moment.
pub struct Source(Inner);

enum Inner {
    Mysql(Box<Mysql>),
    Postgres(Box<Postgres>),
}

impl Source {
    /// Connects, and holds on to this moment. Nothing is ever written.
    pub fn connect(settings: &SqlSettings) -> Result<Self, SqlError> {
        let mut inner = match settings.engine()? {
            Engine::Mysql => Inner::Mysql(Box::new(Mysql::connect(settings)?)),
            Engine::Postgres => Inner::Postgres(Box::new(Postgres::connect(settings)?)),
            Engine::Sqlite => {
                return Err(SqlError::Settings(
                    "tables are read from MySQL, MariaDB and PostgreSQL".to_owned(),
                ));
            }
        };
        let database: &mut dyn Dialect = match &mut inner {
            Inner::Mysql(mysql) => &mut **mysql,
            Inner::Postgres(postgres) => &mut **postgres,
        };
        for statement in database.words().begin_to_read {
            database.execute(statement)?;
        }
        Ok(Self(inner))
    }

    /// Asks, and hands over one row after the other. A column of floating point is refused, since its numbers were rounded before
    /// they came here.
    pub fn each(&mut self, query: &str, take: Take<'_>) -> Result<(), SqlError> {
        // A query may end as it does in a console.
        let query = query.trim().trim_end_matches(';');
        match &mut self.0 {
            Inner::Mysql(mysql) => each_of_mysql(mysql, query, take),
            Inner::Postgres(postgres) => each_of_postgres(postgres, query, take),
        }
    }
}

fn refused(error: &dyn std::error::Error) -> SqlError {
    SqlError::database("the database refused a question")(error)
}

fn each_of_mysql(mysql: &mut Mysql, query: &str, take: Take<'_>) -> Result<(), SqlError> {
    let result = mysql.connection.query_iter(query).map_err(|error| refused(&error))?;
    let columns = result.columns();
    let floats = [ColumnType::MYSQL_TYPE_FLOAT, ColumnType::MYSQL_TYPE_DOUBLE];
    if let Some(column) = columns.as_ref().iter().find(|column| floats.contains(&column.column_type())) {
        return Err(SqlError::Floating(column.name_str().into_owned()));
    }
    let names: Vec<String> = columns.as_ref().iter().map(|column| column.name_str().into_owned()).collect();
    for row in result {
        let row = row.map_err(|error| refused(&error))?;
        let values: Result<Vec<_>, SqlError> = row.unwrap().into_iter().map(text).collect();
        take(&names, &values?);
    }
    Ok(())
}

fn text(value: ::mysql::Value) -> Result<Option<String>, SqlError> {
    match value {
        ::mysql::Value::NULL => Ok(None),
        ::mysql::Value::Bytes(bytes) => String::from_utf8(bytes).map(Some).map_err(|error| refused(&error)),
        other => Ok(Some(other.as_sql(true))),
    }
}

fn each_of_postgres(postgres: &mut Postgres, query: &str, take: Take<'_>) -> Result<(), SqlError> {
    let client = &mut postgres.client;
    let prepared = client.prepare(query).map_err(|error| refused(&error))?;
    let floats = [Type::FLOAT4, Type::FLOAT8];
    if let Some(column) = prepared.columns().iter().find(|column| floats.contains(column.type_())) {
        return Err(SqlError::Floating(column.name().to_owned()));
    }
    let names: Vec<String> = prepared.columns().iter().map(|column| column.name().to_owned()).collect();
    let declare = format!("DECLARE imported NO SCROLL CURSOR FOR {query}");
    client.batch_execute(&declare).map_err(|error| refused(&error))?;
    let fetch = format!("FETCH FORWARD {TOGETHER} FROM imported");
    loop {
        let mut fetched = 0;
        for message in client.simple_query(&fetch).map_err(|error| refused(&error))? {
            let SimpleQueryMessage::Row(row) = message else { continue };
            let values: Vec<_> = (0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect();
            take(&names, &values);
            fetched += 1;
        }
        if fetched < TOGETHER {
            break;
        }
    }
    client.batch_execute("CLOSE imported").map_err(|error| refused(&error))
}
