//! Quotients with the rounding in their name. The divisor is above zero.

const ABOVE_ZERO: &str = "a divisor is above zero";

/// Towards minus infinity.
#[inline]
pub fn quotient_down(dividend: i128, divisor: i128) -> i128 {
    // Most numbers are small, and dividing those takes a fraction of the time.
    if let (Ok(dividend), Ok(divisor)) = (i64::try_from(dividend), i64::try_from(divisor))
        && let Some(quotient) = dividend.checked_div_euclid(divisor)
    {
        return quotient.into();
    }
    dividend.checked_div_euclid(divisor).expect(ABOVE_ZERO)
}

/// Towards plus infinity.
#[inline]
pub fn quotient_up(dividend: i128, divisor: i128) -> i128 {
    if let (Ok(dividend), Ok(divisor)) = (u64::try_from(dividend), u64::try_from(divisor))
        && let (Some(quotient), Some(rest)) = (dividend.checked_div(divisor), dividend.checked_rem(divisor))
    {
        return i128::from(quotient).wrapping_add(i128::from(rest != 0));
    }
    negated(quotient_down(negated(dividend), divisor))
}

/// To the nearest, halves away from zero.
#[inline]
pub fn quotient_half_up(dividend: i128, divisor: i128) -> i128 {
    let magnitude = times(dividend.abs(), 2).checked_add(divisor).expect("bounded by the terms");
    let rounded = quotient_down(magnitude, times(divisor, 2));
    if dividend < 0 { negated(rounded) } else { rounded }
}

/// A product that the terms of contracts keep inside the type.
#[inline]
pub fn times(one: i128, other: i128) -> i128 {
    if let (Ok(small), Ok(other)) = (i64::try_from(one), i64::try_from(other)) {
        return i128::from(small).wrapping_mul(i128::from(other));
    }
    one.checked_mul(other).expect("the terms of contracts bound products")
}

/// A sum that the terms of contracts keep inside the type.
#[inline]
pub fn plus(one: i128, other: i128) -> i128 {
    one.checked_add(other).expect("the terms of contracts bound sums")
}

/// A difference that the terms of contracts keep inside the type.
#[inline]
pub fn minus(one: i128, other: i128) -> i128 {
    plus(one, negated(other))
}

#[inline]
pub fn negated(number: i128) -> i128 {
    number.checked_neg().expect("the terms of contracts bound numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_where_to() {
        let all = |dividend, divisor| {
            (
                quotient_down(dividend, divisor),
                quotient_half_up(dividend, divisor),
                quotient_up(dividend, divisor),
            )
        };
        assert_eq!(all(7, 2), (3, 4, 4));
        assert_eq!(all(-7, 2), (-4, -4, -3));
        assert_eq!(all(4, 3), (1, 1, 2));
        assert_eq!(all(-4, 3), (-2, -1, -1));
        assert_eq!(all(6, 3), (2, 2, 2));
        assert_eq!(all(0, 3), (0, 0, 0));
    }

    #[test]
    fn small_and_large_numbers_come_to_the_same() {
        // On both sides of where 64 bits end.
        let ends = [0, 1, 2, 3, 1_000_000, i64::MAX.into(), i128::from(i64::MAX) + 1, u64::MAX.into()];
        let numbers = ends.iter().flat_map(|end| [*end, -*end, *end + 1, -*end - 1]);
        for dividend in numbers {
            for divisor in ends.iter().flat_map(|end| [*end, *end + 1]).filter(|divisor| *divisor > 0) {
                let down = dividend.div_euclid(divisor);
                let up = down + i128::from(dividend.rem_euclid(divisor) != 0);
                assert_eq!(quotient_down(dividend, divisor), down, "{dividend} / {divisor}");
                assert_eq!(quotient_up(dividend, divisor), up, "{dividend} / {divisor}");
                if let Some(product) = dividend.checked_mul(divisor) {
                    assert_eq!(times(dividend, divisor), product, "{dividend} x {divisor}");
                }
            }
        }
    }
}
