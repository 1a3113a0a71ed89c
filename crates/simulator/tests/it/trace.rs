//! The two traces, against the hashes and totals that their definition gives. A figure measured on a trace means nothing
//! when the trace is another one.

use sha2::{Digest, Sha256};
use simulator::trace::{Record, Shape, Totals, Trace};

fn sha256_hex(records: &[Record]) -> String {
    let mut hasher = Sha256::new();
    for record in records {
        hasher.update(record.to_bytes());
    }
    format!("{:x}", hasher.finalize())
}

#[test]
fn shallow_trace_is_the_known_one() {
    let trace = Trace::new(&Shape::SHALLOW);
    assert_eq!(
        trace.totals,
        Totals {
            adds: 501_359,
            takes: 99_561,
            cancels: 399_080,
            trades: 199_038,
            volume: 5_234_099,
            check: 0x0025_144f_0971_5d52,
        }
    );
    assert_eq!(
        sha256_hex(&trace.records),
        "00abe939f181d932d1666260387e0b36327ecb926a88925d31321c7d036f20f5"
    );
}

#[test]
fn deep_trace_is_the_known_one() {
    let trace = Trace::new(&Shape::DEEP);
    assert_eq!(
        trace.totals,
        Totals {
            adds: 499_216,
            takes: 100_301,
            cancels: 400_483,
            trades: 200_423,
            volume: 5_156_758,
            check: 0x02ea_a309_4ef1_f745,
        }
    );
    assert_eq!(
        sha256_hex(&trace.records),
        "78c3be561f44ff3256162f792839318930f1b528faafdc05ebde104a1b906e3b"
    );
}
