//! The yardsticks over REST, the WebSocket API, databases and Redis, as small as they can be: that they run, that nothing is refused and
//! everything that is meant to trade does, and that nothing is left behind. How fast is not asked here.

use std::fs;
use std::process::Command;

use serde_json::Value;

/// The rows of `rialto bench` with `arguments`; everything that it made is gone behind it.
pub fn measured(arguments: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(acceptance::binary())
        .arg("bench")
        .args(arguments)
        .args(["--json", "--folder"])
        .arg(folder.path())
        .output()
        .expect("cargo build --release -p rialto comes first");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the data is gone");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn the_load_over_rest_is_what_it_says() {
    let rows = measured(&["rest", "--connections", "3", "--orders", "240", "--single-orders", "40"]);
    check("REST", &rows);
}

#[test]
fn the_load_over_the_websocket_api_is_what_it_says() {
    let rows =
        measured(&["ws", "--connections", "3", "--window", "5", "--orders", "240", "--single-orders", "40"]);
    let [many, many_cancels, logged_on, logged_on_cancels, single, single_cancels] = rows.as_slice() else {
        panic!("six rows: {rows:#?}")
    };
    check("WebSocket API", &[many, many_cancels, single, single_cancels].map(Value::clone));
    for row in [logged_on, logged_on_cancels] {
        assert_eq!(row["rejects"], 0, "{row:#}");
    }
    assert_eq!(logged_on["commands"], 240);
}

#[test]
fn orders_at_a_contract_trade_over_the_websocket_api_and_reach_a_database() {
    let rows = measured(&[
        "perp",
        "--commands",
        "2000",
        "--contracts",
        "2",
        "--accounts",
        "200",
        "--liquidated",
        "40",
        "--seconds",
        "1",
        "--connections",
        "3",
    ]);
    let [_, _, _, _, durable, written] = rows.as_slice() else { panic!("six rows: {rows:#?}") };
    for row in [durable, written] {
        assert_eq!(row["rejects"], 0, "{row:#}");
        assert!(row["figures"]["trades"].as_u64().unwrap() > 10, "{row:#}");
    }
}

/// A flow that the generator has written goes through the exchange, and its journal leads to the same state.
#[test]
fn a_recorded_flow_at_contracts_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(acceptance::binary())
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .expect("cargo build --release -p rialto comes first");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let small = ["--contracts", "3", "--accounts", "100", "--commands", "5000"];
    let (is_well, told, errors) =
        run(&[&["bench", "perp", "--record", "flow.csv.gz"], small.as_slice()].concat());
    assert!(is_well && told.contains("5000 commands are in flow.csv.gz"), "{told}{errors}");
    let (is_well, told, errors) = run(&["replay", "flow.csv.gz"]);
    assert!(is_well, "{told}{errors}");
    for line in ["    5000  commands", "       0  refused", "the journal alone leads to the same"] {
        assert!(told.contains(line), "{line}: {told}");
    }
    fs::write(folder.path().join("wrong.csv"), "# rialto futures flow 1: 0 contracts, 2 accounts\n").unwrap();
    let (is_well, _, errors) = run(&["replay", "wrong.csv"]);
    assert!(!is_well && errors.contains("wrong.csv line 1: it should be"), "{errors}");
}

#[test]
fn what_is_due_is_sent_and_answered() {
    for api in ["rest", "ws"] {
        let rows = measured(&[api, "--connections", "3", "--rate", "200,400", "--seconds", "1"]);
        let [slow, fast] = rows.as_slice() else { panic!("two rows: {rows:#?}") };
        for (row, rate) in [(slow, 200), (fast, 400)] {
            assert_eq!(
                (row["rejects"].as_u64(), row["point"]["x"].as_u64()),
                (Some(0), Some(rate)),
                "{row:#}"
            );
            // Eight of ten requests are orders; a connection may stand anywhere in its round when it begins.
            assert!(row["commands"].as_u64().unwrap().abs_diff(rate) <= 6, "{row:#}");
            assert!(row["latency"]["p50_us"].as_f64().unwrap() > 0.0, "{row:#}");
        }
    }
}

/// Both databases have every order and every trade of what the writer and the old way did (the yardstick counts them), nothing is
/// refused, and servers and files are gone.
#[test]
fn databases_are_written_both_ways() {
    let arguments = ["sql", "--seconds", "1", "--seconds-each", "1", "--rate", "200", "--connections", "3"];
    let rows = measured(&[&arguments[..], &["--accounts", "12", "--backlog", "2000"]].concat());
    let figure =
        |row: &Value, name: &str| row["figures"][name].as_u64().unwrap_or_else(|| panic!("{name}: {row:#}"));
    let databases = rows.chunks_exact(8);
    assert!(databases.remainder().is_empty() && databases.len() == 2, "eight rows of each: {rows:#?}");
    for (rows, name) in databases.zip(["PostgreSQL", "MariaDB"]) {
        for row in rows {
            assert!(row["name"].as_str().unwrap().starts_with(name), "{row:#}");
            assert!(row["rejects"] == 0 && row["commands"].as_u64().unwrap() > 0, "{row:#}");
        }
        let [sustained, eight, one, batched, each, _bulk, behind, memory] = rows else {
            panic!("eight rows")
        };
        // Of eight orders two trade; each of a trade's sides has two postings.
        let orders = sustained["commands"].as_u64().unwrap();
        assert!(figure(sustained, "trades").abs_diff(orders / 4) <= 6, "{sustained:#}");
        assert!(figure(sustained, "rows") > 2 * orders, "{sustained:#}");
        for row in [eight, one] {
            assert!(figure(row, "transactions") >= row["commands"].as_u64().unwrap(), "{row:#}");
        }
        assert!(
            figure(batched, "syncs_per_s") > 0 && figure(each, "commits_per_s") > 0,
            "{batched:#}{each:#}"
        );
        assert!(
            figure(behind, "events") >= 2_000 && figure(memory, "memory_kib") > 0,
            "{behind:#}{memory:#}"
        );
    }
}

#[test]
fn orders_by_a_stream_are_all_acknowledged_and_answered() {
    let rows = measured(&["redis", "--orders", "800", "--traders", "3", "--pipeline", "50"]);
    let [row] = rows.as_slice() else { panic!("one row: {rows:#?}") };
    assert_eq!((row["commands"].as_u64(), row["rejects"].as_u64()), (Some(800), Some(0)), "{row:#}");
    let entries = row["figures"]["entries"].as_u64().unwrap();
    assert!(entries.abs_diff(1_000) <= 3, "two of ten are cancels: {row:#}");
    // Those of the warm-up as well.
    assert!(row["figures"]["results"].as_u64().unwrap() > entries, "{row:#}");
}

#[test]
fn a_report_has_every_yardstick_and_its_plots() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("figures.md");
    let rows = measured(&["report", "--quick", "--into", file.to_str().unwrap()]);
    let text = fs::read_to_string(&file).unwrap();
    for yardstick in [
        "book",
        "partition",
        "partitions",
        "durable",
        "rest",
        "ws",
        "streams",
        "many",
        "growth",
        "memory",
        "snapshot",
        "sql",
        "redis",
    ] {
        assert!(text.contains(&format!("### `rialto bench {yardstick} ")), "{yardstick}: {text}");
    }
    for row in &rows {
        let name = row["name"].as_str().unwrap();
        assert!(text.contains(&format!("| {name} |")), "{name}: {text}");
    }
    let plots: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("![")?.split_once("](")).collect();
    assert!(plots.len() >= 2, "latency over REST and over the WebSocket API: {text}");
    for (_, path) in plots {
        let svg = fs::read_to_string(folder.path().join(path.trim_end_matches(')'))).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{path}");
    }
}

/// Rows of 240 orders over three connections, and of 40 one at a time.
fn check(what: &str, rows: &[Value]) {
    let [many, many_cancels, single, single_cancels] = rows else { panic!("four rows: {rows:#?}") };
    let named = |row: &Value| (row["name"].as_str().unwrap().to_owned(), row["commands"].as_u64().unwrap());
    assert_eq!(named(many), (format!("{what}, 3 connections: orders"), 240));
    assert_eq!(named(single), (format!("{what}, one at a time: orders"), 40));
    for row in rows {
        assert_eq!(row["rejects"], 0, "{row:#}");
        let latency = |field: &str| row["latency"][field].as_f64().unwrap();
        assert!(0.0 < latency("p50_us") && latency("p50_us") <= latency("p999_us"), "{row:#}");
    }
    // Two of ten requests are cancels; a connection may stand anywhere in its round when the last order is taken.
    for (orders, cancels, connections) in [(240, many_cancels, 3), (40, single_cancels, 1)] {
        let cancels = cancels["commands"].as_u64().unwrap();
        assert!(cancels.abs_diff(orders / 4) <= connections, "{cancels} cancels");
    }
    for row in [many, single] {
        let remark = row["remark"].as_str().unwrap();
        let (_, told) = remark.split_once('(').unwrap();
        let numbers: Vec<u64> = told.split(' ').take(3).filter_map(|word| word.parse().ok()).collect();
        let [filled, takes] = numbers.as_slice() else { panic!("{remark}") };
        assert!(*takes > 0 && filled == takes, "{remark}");
    }
}
