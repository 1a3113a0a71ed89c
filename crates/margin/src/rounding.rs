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
}
