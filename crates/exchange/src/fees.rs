//! What a trade costs each side. Source: semantics 1.11.

use model::{Amount, FeeRounding};

const MILLION: u64 = 1_000_000;
const WIDE_MILLION: i128 = 1_000_000;

/// The fee on `received` at `fee_ppm` millionths, rounded as the market says, and never more than what was received.
pub fn fee_rounded(received: Amount, fee_ppm: u32, rounding: FeeRounding) -> Amount {
    if fee_ppm == 0 {
        return Amount::ZERO;
    }
    let up = match rounding {
        FeeRounding::Up => MILLION.saturating_sub(1),
        FeeRounding::HalfUp => MILLION / 2,
        FeeRounding::Down => 0,
    };
    // A division of 128 bits takes ten times as long as one of 64, which nearly always is enough.
    let small = u64::try_from(received.0).ok().and_then(|received| received.checked_mul(fee_ppm.into()));
    let fee = if let Some(parts) = small.and_then(|parts| parts.checked_add(up)) {
        i128::from(parts / MILLION)
    } else {
        let parts = received.0.checked_mul(fee_ppm.into()).expect("terms bound price x quantity x fee");
        parts.saturating_add(up.into()) / WIDE_MILLION
    };
    Amount(fee).min(received)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_what_its_name_says() {
        let all = |received, ppm| {
            [FeeRounding::Up, FeeRounding::HalfUp, FeeRounding::Down]
                .map(|rounding| fee_rounded(Amount(received), ppm, rounding).0)
        };
        assert_eq!(all(1_000_000, 1_000), [1_000, 1_000, 1_000], "an exact fee is not rounded");
        assert_eq!(all(1_499, 1_000), [2, 1, 1]);
        assert_eq!(all(1_500, 1_000), [2, 2, 1]);
        assert_eq!(all(1, 1), [1, 0, 0]);
        assert_eq!(all(1, 1_000_000), [1, 1, 1], "the fee is never more than what was received");
        // On both sides of what 64 bits hold.
        let edge = i128::from(u64::MAX) / 1_000;
        let exact = edge * 1_000 / 1_000_000;
        assert_eq!(all(edge, 1_000), [exact + 1, exact + 1, exact]);
        assert_eq!(all(1_000 * edge, 1_000)[2], edge);
    }
}
