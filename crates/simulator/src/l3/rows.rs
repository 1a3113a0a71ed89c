//! The recording as it is: one [`Row`] per line of `orders.csv` (or `orders.csv.gz`), one [`RecordedTrade`] per line of
//! `trades.csv`. Text becomes whole ticks and lots here, exactly or not at all. What a row means is left to [`super::rules`]
//! and [`super::reference`].

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use model::{PriceTicks, QtyLots, Side};

/// Decimals of a price in the recording that a tick can hold: the market's tick is one dollar.
pub const PRICE_DECIMALS: u8 = 0;
/// Decimals of a quantity in the recording that a lot can hold: one satoshi.
pub const QTY_DECIMALS: u8 = 8;

/// What a row says of its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKind {
    /// It has arrived.
    Created,
    /// Its open quantity is another one.
    Changed,
    /// It is gone.
    Deleted,
}

/// One line of the orders file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its place in the file, from 1, the header not counted.
    pub number: u32,
    /// The venue's number for the order. Numbers grow with time: they count 1/4096 of a millisecond.
    pub order: u64,
    /// When the recorder received it, in milliseconds since 1970.
    pub local_ms: u64,
    /// When the venue says it happened, in milliseconds since 1970.
    pub exchange_ms: u64,
    /// A price, but not always the order's: see [`super::rules`].
    pub price: PriceTicks,
    /// What is open of the order after this row; in a [`RowKind::Deleted`], what was left of it when it went: 0 when a match
    /// took it all.
    pub open: QtyLots,
    /// What it says.
    pub kind: RowKind,
    /// Which way the order goes.
    pub side: Side,
}

/// One line of the trades file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedTrade {
    /// The venue's number for it.
    pub trade: u64,
    /// When the venue says it happened, in milliseconds since 1970.
    pub exchange_ms: u64,
    /// At which price.
    pub price: PriceTicks,
    /// How much.
    pub qty: QtyLots,
    /// The buyer's order.
    pub buy_order: u64,
    /// The seller's order.
    pub sell_order: u64,
    /// Which way the arriving order went.
    pub taker_side: Side,
}

/// Why a recording could not be read.
#[derive(Debug)]
pub enum ReadError {
    /// The file could not be opened or read, or is no valid gzip.
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is no table of comma-separated values, or its columns are others.
    Table {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A field cannot be what its column says.
    Field {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1, the header counted.
        line: u64,
        /// Which column.
        column: &'static str,
        /// What stands there.
        text: String,
        /// What should.
        expected: &'static str,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(out, "{}: {source}", path.display()),
            Self::Table { path, problem } => write!(out, "{}: {problem}", path.display()),
            Self::Field { path, line, column, text, expected } => {
                write!(out, "{}: line {line}: {column} is {text:?}, expected {expected}", path.display())
            }
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Table { .. } | Self::Field { .. } => None,
        }
    }
}

const ORDER_COLUMNS: [&str; 7] =
    ["id", "timestamp", "exchange_timestamp", "price", "volume", "action", "direction"];
const TRADE_COLUMNS: [&str; 8] = [
    "trade_id",
    "timestamp",
    "exchange_timestamp",
    "price",
    "amount",
    "buy_order_id",
    "sell_order_id",
    "side",
];

/// Reads an orders file, compressed or not (it is the first two bytes that tell, not the name).
pub fn read_orders(path: &Path) -> Result<Vec<Row>, ReadError> {
    orders_from(path, open(path)?)
}

/// Reads a trades file, compressed or not.
pub fn read_trades(path: &Path) -> Result<Vec<RecordedTrade>, ReadError> {
    trades_from(path, open(path)?)
}

/// As [`read_orders`], from what was opened already; `path` is for messages only.
pub fn orders_from(path: &Path, input: impl BufRead) -> Result<Vec<Row>, ReadError> {
    let mut number: u32 = 0;
    read_table(path, input, &ORDER_COLUMNS, |fields| {
        number += 1;
        Ok(Row {
            number,
            order: fields.whole(0)?,
            local_ms: fields.whole(1)?,
            exchange_ms: fields.whole(2)?,
            price: PriceTicks(fields.units(3, PRICE_DECIMALS, "a whole number of ticks of 1")?),
            open: QtyLots(fields.units(4, QTY_DECIMALS, "a whole number of lots of 0.00000001")?),
            kind: fields.one_of(
                5,
                "created, changed or deleted",
                &[
                    ("created", RowKind::Created),
                    ("changed", RowKind::Changed),
                    ("deleted", RowKind::Deleted),
                ],
            )?,
            side: fields.one_of(6, "bid or ask", &[("bid", Side::Buy), ("ask", Side::Sell)])?,
        })
    })
}

/// As [`read_trades`], from what was opened already; `path` is for messages only.
pub fn trades_from(path: &Path, input: impl BufRead) -> Result<Vec<RecordedTrade>, ReadError> {
    read_table(path, input, &TRADE_COLUMNS, |fields| {
        Ok(RecordedTrade {
            trade: fields.whole(0)?,
            exchange_ms: fields.whole(2)?,
            price: PriceTicks(fields.units(3, PRICE_DECIMALS, "a whole number of ticks of 1")?),
            qty: QtyLots(fields.units(4, QTY_DECIMALS, "a whole number of lots of 0.00000001")?),
            buy_order: fields.whole(5)?,
            sell_order: fields.whole(6)?,
            taker_side: fields.one_of(7, "buy or sell", &[("buy", Side::Buy), ("sell", Side::Sell)])?,
        })
    })
}

fn open(path: &Path) -> Result<BufReader<File>, ReadError> {
    match File::open(path) {
        Ok(file) => Ok(BufReader::new(file)),
        Err(source) => Err(ReadError::Io { path: path.to_owned(), source }),
    }
}

fn read_table<T>(
    path: &Path,
    mut input: impl BufRead,
    columns: &'static [&'static str],
    mut parse: impl FnMut(&Fields<'_>) -> Result<T, ReadError>,
) -> Result<Vec<T>, ReadError> {
    let io_error = |source| ReadError::Io { path: path.to_owned(), source };
    let table_error = |error: csv::Error| {
        let problem = error.to_string();
        match error.into_kind() {
            csv::ErrorKind::Io(source) => io_error(source),
            _ => ReadError::Table { path: path.to_owned(), problem },
        }
    };

    let compressed = input.fill_buf().map_err(io_error)?.starts_with(&[0x1f, 0x8b]);
    let text: Box<dyn Read + '_> =
        if compressed { Box::new(MultiGzDecoder::new(input)) } else { Box::new(input) };
    let mut table = csv::ReaderBuilder::new().from_reader(text);

    if table.byte_headers().map_err(table_error)? != columns {
        return Err(ReadError::Table {
            path: path.to_owned(),
            problem: format!("the first line must be {}", columns.join(",")),
        });
    }
    let mut rows = Vec::new();
    let mut record = csv::ByteRecord::new();
    while table.read_byte_record(&mut record).map_err(table_error)? {
        rows.push(parse(&Fields { path, columns, record: &record })?);
    }
    Ok(rows)
}

/// One line, and where it stands.
struct Fields<'a> {
    path: &'a Path,
    columns: &'static [&'static str],
    record: &'a csv::ByteRecord,
}

impl Fields<'_> {
    fn text(&self, column: usize) -> &[u8] {
        &self.record[column]
    }

    fn wrong(&self, column: usize, expected: &'static str) -> ReadError {
        ReadError::Field {
            path: self.path.to_owned(),
            line: self.record.position().map_or(0, csv::Position::line),
            column: self.columns[column],
            text: String::from_utf8_lossy(self.text(column)).into_owned(),
            expected,
        }
    }

    fn whole(&self, column: usize) -> Result<u64, ReadError> {
        std::str::from_utf8(self.text(column))
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| self.wrong(column, "a whole number"))
    }

    fn units(&self, column: usize, decimals: u8, expected: &'static str) -> Result<i64, ReadError> {
        exact_units(self.text(column), decimals).ok_or_else(|| self.wrong(column, expected))
    }

    fn one_of<T: Copy>(
        &self,
        column: usize,
        expected: &'static str,
        words: &[(&str, T)],
    ) -> Result<T, ReadError> {
        words
            .iter()
            .find(|(word, _)| word.as_bytes() == self.text(column))
            .map(|&(_, meaning)| meaning)
            .ok_or_else(|| self.wrong(column, expected))
    }
}

/// Decimal text such as `78318.0`, `0.075` or `7.18e-06` as a count of 10^-`decimals`; `None` when it is no such text, has
/// a sign, or is no whole count below 2^63.
fn exact_units(text: &[u8], decimals: u8) -> Option<i64> {
    let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&text[..at], std::str::from_utf8(&text[at + 1..]).ok()?.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let mut digits: i64 = 0;
    let mut seen = 0_u32;
    let mut point_at = None;
    for &byte in mantissa {
        match byte {
            b'0'..=b'9' => {
                digits = digits.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
                seen += 1;
            }
            b'.' if point_at.is_none() => point_at = Some(seen),
            _ => return None,
        }
    }
    if seen == 0 {
        return None;
    }
    let fraction_digits = i32::try_from(seen - point_at.unwrap_or(seen)).ok()?;
    let shift = exponent.checked_sub(fraction_digits)?.checked_add(i32::from(decimals))?;
    let factor = 10_i64.checked_pow(shift.unsigned_abs());
    match factor {
        _ if digits == 0 => Some(0),
        Some(factor) if shift >= 0 => digits.checked_mul(factor),
        Some(factor) => (digits % factor == 0).then_some(digits / factor),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::exact_units;

    #[test]
    fn decimal_text_is_taken_exactly_or_not_at_all() {
        let lots = |text: &str| exact_units(text.as_bytes(), 8);
        assert_eq!(lots("1.53453667"), Some(153_453_667));
        assert_eq!(lots("7.18e-06"), Some(718));
        assert_eq!(lots("1e-08"), Some(1));
        assert_eq!(lots("1e-09"), None);
        assert_eq!(lots("0.0"), Some(0));
        assert_eq!(lots("0e-400000000"), Some(0));
        assert_eq!(lots("138800"), Some(13_880_000_000_000));
        assert_eq!(lots("1.5E+2"), Some(15_000_000_000));
        for wrong in ["", ".", "-1", "+1", "1.2.3", "1e", "e5", "nan", "inf", "1 ", "0x1", "100000000000"] {
            assert_eq!(lots(wrong), None, "{wrong:?}");
        }
        assert_eq!(exact_units(b"78318.0", 0), Some(78_318));
        assert_eq!(exact_units(b"78318.5", 0), None);
    }
}
