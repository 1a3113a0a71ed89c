//! What a trade costs each side. Source: semantics 1.11.

use model::{Amount, FeeRounding};

const MILLION: i128 = 1_000_000;

/// The fee on `received` at `fee_ppm` millionths, rounded as the market says, and never more than what was received.
pub fn fee_rounded(received: Amount, fee_ppm: u32, rounding: FeeRounding) -> Amount {
    if fee_ppm == 0 {
        return Amount::ZERO;
    }
    let parts = received.0.checked_mul(i128::from(fee_ppm)).expect("terms bound price x quantity x fee");
    let up = match rounding {
        FeeRounding::Up => MILLION.saturating_sub(1),
        FeeRounding::HalfUp => MILLION / 2,
        FeeRounding::Down => 0,
    };
    Amount(parts.saturating_add(up) / MILLION).min(received)
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
    }
}
