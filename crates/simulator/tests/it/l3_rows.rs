//! Reading a recording: a file that is not what it should be is refused with its line, never read half.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use model::{PriceTicks, QtyLots, Side};
use simulator::l3::rows::{ReadError, Row, RowKind, orders_from, read_orders, trades_from};

const HEADER: &str = "id,timestamp,exchange_timestamp,price,volume,action,direction\n";

fn orders(lines: &str) -> Result<Vec<Row>, ReadError> {
    orders_from(Path::new("orders.csv"), format!("{HEADER}{lines}").as_bytes())
}

fn refusal(lines: &str) -> String {
    orders(lines).expect_err("this is no recording").to_string()
}

#[test]
fn rows_are_read_exactly() {
    let rows = orders("7,1005,1000,78318.0,7.18e-06,created,bid\n8,1006,1001,1e2,1.5,deleted,ask\n").unwrap();
    assert_eq!(
        rows,
        [
            Row {
                number: 1,
                order: 7,
                local_ms: 1005,
                exchange_ms: 1000,
                price: PriceTicks(78_318),
                open: QtyLots(718),
                kind: RowKind::Created,
                side: Side::Buy,
            },
            Row {
                number: 2,
                order: 8,
                local_ms: 1006,
                exchange_ms: 1001,
                price: PriceTicks(100),
                open: QtyLots(150_000_000),
                kind: RowKind::Deleted,
                side: Side::Sell,
            },
        ]
    );
}

#[test]
fn compressed_or_not_is_seen_in_the_bytes() {
    let line = "7,1005,1000,78318.0,0.5,changed,ask\n";
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(format!("{HEADER}{line}").as_bytes()).unwrap();
    let compressed = encoder.finish().unwrap();
    let path = Path::new("orders.csv");
    assert_eq!(orders_from(path, compressed.as_slice()).unwrap(), orders(line).unwrap());

    let cut = &compressed[..compressed.len() - 9];
    assert!(matches!(orders_from(path, cut), Err(ReadError::Io { .. })), "half a file is no file");
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let good = "7,1005,1000,78318.0,0.5,created,bid\n";
    assert_eq!(
        refusal(&format!("{good}7,1005,1000,78318.5,0.5,deleted,bid\n")),
        "orders.csv: line 3: price is \"78318.5\", expected a whole number of ticks of 1"
    );
    assert_eq!(
        refusal("7,1005,1000,78318.0,1e-9,created,bid\n"),
        "orders.csv: line 2: volume is \"1e-9\", expected a whole number of lots of 0.00000001"
    );
    assert_eq!(
        refusal("7,1005,1000,78318.0,1.0,made,bid\n"),
        "orders.csv: line 2: action is \"made\", expected created, changed or deleted"
    );
    assert_eq!(
        refusal("-7,1005,1000,78318.0,1.0,created,bid\n"),
        "orders.csv: line 2: id is \"-7\", expected a whole number"
    );
    assert!(refusal("7,1005,1000\n").contains("orders.csv"), "a short line is refused");
}

#[test]
fn another_table_is_refused_by_its_first_line() {
    let error = trades_from(Path::new("trades.csv"), HEADER.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "trades.csv: the first line must be \
         trade_id,timestamp,exchange_timestamp,price,amount,buy_order_id,sell_order_id,side"
    );
}

#[test]
fn trades_are_read_exactly() {
    let text = "trade_id,timestamp,exchange_timestamp,price,amount,buy_order_id,sell_order_id,side\n\
                568,1005,1000,78319.0,6.405e-05,20,10,sell\n";
    let trades = trades_from(Path::new("trades.csv"), text.as_bytes()).unwrap();
    assert_eq!(trades.len(), 1);
    assert_eq!((trades[0].trade, trades[0].exchange_ms), (568, 1000));
    assert_eq!((trades[0].price, trades[0].qty), (PriceTicks(78_319), QtyLots(6_405)));
    assert_eq!((trades[0].buy_order, trades[0].sell_order, trades[0].taker_side), (20, 10, Side::Sell));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = read_orders(Path::new("no/such/orders.csv.gz")).unwrap_err();
    assert!(error.to_string().starts_with("no/such/orders.csv.gz: "), "{error}");
}
