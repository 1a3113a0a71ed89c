//! Decimal text and whole numbers of the smallest unit, in both directions and always exact: what does not fit is refused,
//! never rounded. Nothing here knows what a price or a quantity is; see [`crate::listings`].

use std::fmt;

use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// `units` x 10^-`scale`, shown with exactly `scale` decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// The number in its smallest unit.
    pub units: i128,
    /// Decimals, at most 38.
    pub scale: u8,
}

impl PartialSchema for Decimal {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(r"^-?[0-9]+(\.[0-9]+)?$"))
            .description(Some("A decimal number, as text"));
        text.into()
    }
}

impl ToSchema for Decimal {}

/// Why some text is not the decimal number that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalError {
    /// It is not of the form `123` or `123.45`, with at most 20 digits on either side. No signs, no exponents.
    Malformed,
    /// It has decimals below the smallest unit.
    TooPrecise {
        /// Decimals that the unit has.
        scale: u8,
    },
    /// It does not fit into 127 bits.
    TooLarge,
}

impl fmt::Display for DecimalError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => {
                write!(
                    out,
                    "a decimal number looks like 123 or 123.45, with at most 20 digits on either side"
                )
            }
            Self::TooPrecise { scale } => write!(out, "at most {scale} decimals are possible here"),
            Self::TooLarge => write!(out, "the number is too large"),
        }
    }
}

impl std::error::Error for DecimalError {}

/// Most digits before the point, and after it. Source: the legal range that Binance names in its error -1100.
const MAX_DIGITS: usize = 20;

/// 10^`digits`, for up to 38.
pub const fn power_of_ten(digits: u8) -> i128 {
    let mut power: i128 = 1;
    let mut left = digits;
    while left > 0 {
        power *= 10;
        left -= 1;
    }
    power
}

/// Reads `text` as a whole number of units of 10^-`scale`. Zeros at the end of the decimals do not count as precision.
pub fn parse(text: &str, scale: u8) -> Result<i128, DecimalError> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return Err(DecimalError::Malformed),
        None => (text, ""),
    };
    let digits_only = |part: &str| part.len() <= MAX_DIGITS && part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits_only(whole) || !digits_only(fraction) {
        return Err(DecimalError::Malformed);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > usize::from(scale) {
        return Err(DecimalError::TooPrecise { scale });
    }
    let mut units: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        units = units
            .checked_mul(10)
            .and_then(|units| units.checked_add(i128::from(byte - b'0')))
            .ok_or(DecimalError::TooLarge)?;
    }
    for _ in fraction.len()..usize::from(scale) {
        units = units.checked_mul(10).ok_or(DecimalError::TooLarge)?;
    }
    Ok(units)
}

/// Room for a sign, 39 digits and a point.
const WIDTH: usize = 41;

impl Decimal {
    /// Zero, shown with `scale` decimals.
    pub const fn zero(scale: u8) -> Self {
        Self { units: 0, scale }
    }

    /// Writes the number from its end into `buffer`; what is returned is the used part.
    fn write<'b>(&self, buffer: &'b mut [u8; WIDTH]) -> &'b str {
        let mut at = WIDTH;
        let mut push = |byte: u8| {
            at -= 1;
            buffer[at] = byte;
        };
        let magnitude = self.units.unsigned_abs();
        let mut decimals = 0;
        // Nearly every number fits into a machine word, whose division is many times faster.
        let mut emit = |digit: u8| {
            push(b'0' + digit);
            decimals += 1;
            if decimals == u32::from(self.scale) {
                push(b'.');
            }
        };
        if let Ok(mut left) = u64::try_from(magnitude) {
            while left > 0 {
                emit(u8::try_from(left % 10).expect("one digit"));
                left /= 10;
            }
        } else {
            let mut left = magnitude;
            while left > 0 {
                emit(u8::try_from(left % 10).expect("one digit"));
                left /= 10;
            }
        }
        while decimals <= u32::from(self.scale) {
            push(b'0');
            decimals += 1;
            if decimals == u32::from(self.scale) {
                push(b'.');
            }
        }
        if self.units < 0 {
            push(b'-');
        }
        std::str::from_utf8(&buffer[at..]).expect("digits are ASCII")
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.write(&mut [0; WIDTH]))
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.write(&mut [0; WIDTH]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_units_exactly_or_not_at_all() {
        let cases: [(&str, u8, Result<i128, DecimalError>); 17] = [
            ("1", 8, Ok(100_000_000)),
            ("0.1", 8, Ok(10_000_000)),
            ("0.00000001", 8, Ok(1)),
            ("0.000000010000", 8, Ok(1)),
            ("007.50", 2, Ok(750)),
            ("0", 0, Ok(0)),
            ("12.000", 0, Ok(12)),
            ("0.000000001", 8, Err(DecimalError::TooPrecise { scale: 8 })),
            (
                "99999999999999999999.999999999999999999",
                18,
                Ok(99_999_999_999_999_999_999_999_999_999_999_999_999),
            ),
            ("99999999999999999999.99999999999999999999", 20, Err(DecimalError::TooLarge)),
            ("123456789012345678901", 0, Err(DecimalError::Malformed)),
            ("", 8, Err(DecimalError::Malformed)),
            (".5", 8, Err(DecimalError::Malformed)),
            ("5.", 8, Err(DecimalError::Malformed)),
            ("-1", 8, Err(DecimalError::Malformed)),
            ("1e5", 8, Err(DecimalError::Malformed)),
            ("1.2.3", 8, Err(DecimalError::Malformed)),
        ];
        for (text, scale, expected) in cases {
            assert_eq!(parse(text, scale), expected, "{text:?} at scale {scale}");
        }
    }

    #[test]
    fn units_become_text_with_all_their_decimals() {
        let cases = [
            (0, 0, "0"),
            (0, 8, "0.00000000"),
            (1, 8, "0.00000001"),
            (100_000_000, 8, "1.00000000"),
            (-12_345, 2, "-123.45"),
            (7, 0, "7"),
            (i128::MAX, 18, "170141183460469231731.687303715884105727"),
            (i128::MIN, 38, "-1.70141183460469231731687303715884105728"),
        ];
        for (units, scale, expected) in cases {
            assert_eq!(Decimal { units, scale }.to_string(), expected);
        }
    }

    #[test]
    fn text_and_back_is_the_same_number() {
        for units in [0, 1, 9, 10, 12_345, 10_i128.pow(20) - 1] {
            for scale in 0..=18 {
                let text = Decimal { units, scale }.to_string();
                assert_eq!(parse(&text, scale), Ok(units), "{text}");
            }
        }
    }
}
