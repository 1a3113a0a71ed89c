//! The yardsticks over REST, as small as they can be: that they run, that nothing is refused and everything that is meant to
//! trade does, and that nothing is left behind. How fast is not asked here.

use std::fs;
use std::process::Command;

use serde_json::Value;

#[test]
fn the_load_over_rest_is_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(acceptance::binary())
        .args(["bench", "rest", "--json", "--connections", "3", "--orders", "240", "--single-orders", "40"])
        .arg("--folder")
        .arg(folder.path())
        .output()
        .expect("cargo build --release -p rialto comes first");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");

    let [many, many_cancels, single, single_cancels] = rows.as_slice() else {
        panic!("four rows: {rows:#?}")
    };
    assert_eq!((&many["name"], &many["commands"]), (&"REST, 3 connections: orders".into(), &240.into()));
    assert_eq!((&single["name"], &single["commands"]), (&"REST, one at a time: orders".into(), &40.into()));
    for row in &rows {
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
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the data is gone");
}
