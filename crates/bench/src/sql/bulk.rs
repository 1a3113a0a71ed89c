//! A bare bulk load: the same rows into the same tables with the same indexes, as fast as the database takes them from a file, one
//! table after the other. PostgreSQL by binary `COPY`, MariaDB by `LOAD DATA LOCAL INFILE`.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use mysql::prelude::Queryable as _;

use crate::remote::RemoteError;
use crate::remote::databases::{Client, Database, Engine, TABLES, refused};
use crate::remote::fresh_folder;

/// What was loaded.
pub(super) struct Loaded {
    pub(super) rows: u64,
    pub(super) elapsed: Duration,
}

/// Takes all rows out of the tables into files under `parent`, empties the tables, and loads them again; only the last is timed.
pub(super) fn load(database: &Database, parent: &Path) -> Result<Loaded, RemoteError> {
    let folder = fresh_folder(parent)?;
    let mut client = database.client()?;
    for table in TABLES {
        let path = folder.path().join(table);
        take_out(&mut client, table, &path)?;
    }
    database.empty()?;
    let began = Instant::now();
    let mut rows = 0;
    for table in TABLES {
        rows += put_in(&mut client, table, &folder.path().join(table))?;
    }
    Ok(Loaded { rows, elapsed: began.elapsed() })
}

fn take_out(client: &mut Client, table: &str, path: &Path) -> Result<(), RemoteError> {
    let failed = |source| RemoteError::Folder { path: path.to_owned(), source };
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    match client {
        Client::Postgres(client) => {
            let sql = format!("COPY {table} TO STDOUT BINARY");
            let mut reader = client.copy_out(&sql).map_err(|error| refused(Engine::Postgres, &error))?;
            io::copy(&mut reader, &mut file).map_err(failed)?;
        }
        Client::Mariadb(connection) => {
            let wrong = |error: mysql::Error| refused(Engine::Mariadb, &error);
            for row in connection.query_iter(format!("SELECT * FROM {table}")).map_err(wrong)? {
                write_row(row.map_err(wrong)?, &mut file).map_err(failed)?;
            }
        }
    }
    file.flush().map_err(failed)
}

/// As `LOAD DATA` reads it without further words: tabs, lines, and a backslash before what would be one of them.
fn write_row(row: mysql::Row, out: &mut impl Write) -> io::Result<()> {
    for (at, value) in row.unwrap().into_iter().enumerate() {
        if at > 0 {
            out.write_all(b"\t")?;
        }
        let bytes = match value {
            mysql::Value::NULL => {
                out.write_all(b"\\N")?;
                continue;
            }
            mysql::Value::Bytes(bytes) => bytes,
            other => other.as_sql(true).into_bytes(),
        };
        for byte in bytes {
            match byte {
                b'\t' | b'\n' | b'\\' => out.write_all(&[b'\\', byte])?,
                0 => out.write_all(b"\\0")?,
                other => out.write_all(&[other])?,
            }
        }
    }
    out.write_all(b"\n")
}

fn put_in(client: &mut Client, table: &str, path: &Path) -> Result<u64, RemoteError> {
    let failed = |source| RemoteError::Folder { path: path.to_owned(), source };
    match client {
        Client::Postgres(client) => {
            let wrong = |error: postgres::Error| refused(Engine::Postgres, &error);
            let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(failed)?);
            let mut writer = client.copy_in(&format!("COPY {table} FROM STDIN BINARY")).map_err(wrong)?;
            io::copy(&mut file, &mut writer).map_err(failed)?;
            writer.finish().map_err(wrong)
        }
        Client::Mariadb(connection) => {
            let path = path.to_owned();
            let handler = mysql::LocalInfileHandler::new(move |_, to| {
                io::copy(&mut BufReader::with_capacity(1 << 16, File::open(&path)?), to).map(drop)
            });
            connection.set_local_infile_handler(Some(handler));
            let sql = format!("LOAD DATA LOCAL INFILE '{table}' INTO TABLE {table} CHARACTER SET binary");
            connection.query_drop(sql).map_err(|error| refused(Engine::Mariadb, &error))?;
            Ok(connection.affected_rows())
        }
    }
}
