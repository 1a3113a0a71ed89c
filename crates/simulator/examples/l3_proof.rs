//! Plays the known recording and insists on what it is known to show: all trades, all levels. Part of the full test command,
//! after `tools/fetch-l3-sample`; it is no test of `cargo test`, since the recording is no part of this project.
//!
//! `cargo run --release -p simulator --example l3_proof [FOLDER]`, by default `.cache/l3` of the project.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use simulator::l3::Recording;
use simulator::l3::naive::{Diagnosis, Tally};
use simulator::l3::replay::replay;
use simulator::l3::traps::Traps;

const TRAPS: Traps = Traps {
    rows: 314_057,
    made_up_creates: 6_512,
    made_up_deletes: 6_518,
    deletes_without_create: 13,
    prices_of_no_limit: 51,
    quantities_zero: 306,
    prices_moved: 2_223,
    prices_moved_in_changes: 83,
};

fn main() -> ExitCode {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/l3"), PathBuf::from);
    let orders = folder.join("orders.csv.gz");
    let recording = match Recording::read(&orders, &Recording::trades_beside(&orders)) {
        Ok(recording) => recording,
        Err(error) => {
            eprintln!("l3_proof: {error} (tools/fetch-l3-sample brings the recording)");
            return ExitCode::FAILURE;
        }
    };
    let diagnosis = Diagnosis::of(&recording.rows, &recording.flow);
    println!("the naive book after each live row\n{diagnosis}");
    let replayed = match replay(&recording, &mut |_| {}) {
        Ok(replayed) => replayed,
        Err(reject) => {
            eprintln!("l3_proof: the exchange does not take the preparations: {reject}");
            return ExitCode::FAILURE;
        }
    };
    let report = &replayed.report;
    println!("{report}");

    assert_eq!(report.traps, TRAPS, "this is the known recording");
    assert_eq!(diagnosis.everything, Tally { crossed: 281_332, locked: 2_343, apart: 17_352 });
    assert_eq!(diagnosis.without_stale_when_settled, Tally { crossed: 0, locked: 0, apart: 168_655 });
    assert!(report.within_bounds(), "the bounds hold");
    let findings = &report.findings;
    assert_eq!((findings.trades.recorded, findings.trades.ours, findings.trades.agreed), (284, 284, 284));
    assert_eq!(findings.levels.differences, [], "no level differs");
    assert!(findings.levels.moments >= 900);
    println!("l3_proof: 284 of 284 trades agree, none of {} levels differs", findings.levels.compared);
    ExitCode::SUCCESS
}
