//! Exact decimals on their way to a database and back. What has more decimals than its asset is refused, never rounded.

use std::fmt;

/// `units` x 10^-`scale`, shown with exactly `scale` decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// The number in its smallest unit.
    pub units: i128,
    /// Decimals, at most 18.
    pub scale: u8,
}

const fn power_of_ten(digits: u8) -> u128 {
    10_u128.pow(digits as u32)
}

impl Decimal {
    /// The digits before and after the point.
    fn parts(&self) -> (u128, u128) {
        let unit = power_of_ten(self.scale);
        (self.units.unsigned_abs() / unit, self.units.unsigned_abs() % unit)
    }

    /// Appends it as PostgreSQL's binary `numeric`: the count of digits to the base 10,000, the place of the first, sign, shown
    /// decimals, and the digits.
    pub(crate) fn push_numeric(&self, out: &mut Vec<u8>) {
        let (mut whole, fraction) = self.parts();
        // 10^38 has ten groups of four digits.
        let mut groups = [0_u16; 10];
        let mut used = groups.len();
        while whole > 0 {
            used -= 1;
            groups[used] = u16::try_from(whole % 10_000).expect("below 10,000");
            whole /= 10_000;
        }
        let whole_groups = groups.len() - used;
        let fraction_groups = usize::from(self.scale.div_ceil(4));
        let short = |number: usize| u16::try_from(number).expect("a few groups");
        out.extend_from_slice(&short(whole_groups + fraction_groups).to_be_bytes());
        let weight = i16::try_from(whole_groups).expect("a few groups") - 1;
        out.extend_from_slice(&weight.to_be_bytes());
        let sign: u16 = if self.units < 0 { 0x4000 } else { 0 };
        out.extend_from_slice(&sign.to_be_bytes());
        out.extend_from_slice(&u16::from(self.scale).to_be_bytes());
        for group in &groups[used..] {
            out.extend_from_slice(&group.to_be_bytes());
        }
        let filled = self.scale.next_multiple_of(4);
        let mut left = fraction * power_of_ten(filled - self.scale);
        let mut place = filled;
        while place > 0 {
            place -= 4;
            let group = u16::try_from(left / power_of_ten(place)).expect("below 10,000");
            out.extend_from_slice(&group.to_be_bytes());
            left %= power_of_ten(place);
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = self.parts();
        let sign = if self.units < 0 { "-" } else { "" };
        match usize::from(self.scale) {
            0 => write!(out, "{sign}{whole}"),
            scale => write!(out, "{sign}{whole}.{fraction:0scale$}"),
        }
    }
}

/// Reads what a database shows as a whole number of units of 10^-`scale`. Zeros behind them do not count; anything else that
/// is no such number gives `None`.
pub(crate) fn parse(text: &str, scale: u8) -> Option<i128> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    if whole.is_empty() || fraction.len() > usize::from(scale) {
        return None;
    }
    let mut units: i128 = 0;
    let zeros = std::iter::repeat_n(b'0', usize::from(scale) - fraction.len());
    for byte in whole.bytes().chain(fraction.bytes()).chain(zeros) {
        let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
        units = units.checked_mul(10)?.checked_add(digit)?;
    }
    Some(sign * units)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(units: i128, scale: u8) -> String {
        Decimal { units, scale }.to_string()
    }

    /// The most that may ever be deposited of one asset.
    const LARGEST: i128 = 10_i128.pow(36);

    #[test]
    fn text_is_exact_in_both_directions() {
        assert_eq!(shown(150_000_000, 8), "1.50000000");
        assert_eq!(shown(-1, 18), "-0.000000000000000001");
        assert_eq!(shown(LARGEST, 0), "1000000000000000000000000000000000000");
        for (units, scale) in [(0, 0), (0, 8), (-7, 2), (123_456_789, 4), (LARGEST, 18), (-LARGEST, 0)] {
            assert_eq!(parse(&shown(units, scale), scale), Some(units));
        }
        // As a database with a fixed number of decimals shows it.
        assert_eq!(parse("1.500000000000000000", 2), Some(150));
        assert_eq!(parse("7", 2), Some(700));
    }

    #[test]
    fn what_is_no_whole_number_of_units_is_refused() {
        for text in ["1.505", "", "-", ".5", "1e3", "1.5x", "NaN", " 1", "+1"] {
            assert_eq!(parse(text, 2), None, "{text}");
        }
        assert_eq!(parse(&"9".repeat(40), 0), None, "more than 127 bits");
    }

    /// Against the form in PostgreSQL's `numeric_recv`; that real servers read it so, the acceptance tests show.
    #[test]
    fn the_binary_form_has_groups_of_four_digits() {
        let binary = |units, scale| {
            let mut out = Vec::new();
            Decimal { units, scale }.push_numeric(&mut out);
            let shorts = out.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            shorts.collect::<Vec<_>>()
        };
        assert_eq!(binary(150_000_000, 8), [3, 0, 0, 8, 1, 5_000, 0]);
        assert_eq!(binary(-12_345_678_901, 5), [4, 1, 0x4000, 5, 12, 3_456, 7_890, 1_000]);
        assert_eq!(binary(0, 0), [0, u16::MAX, 0, 0]);
        assert_eq!(binary(1, 18), [5, u16::MAX, 0, 18, 0, 0, 0, 0, 100]);
    }
}
