//! Decimal text and whole numbers of small units.

/// `text` in units of 10^-`scale`; panics when it does not fit, as a gateway would refuse it.
pub fn units(text: &str, scale: u32) -> i128 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let part = part.trim_end_matches('0');
    let missing = usize::try_from(scale).unwrap().checked_sub(part.len());
    let missing = missing.unwrap_or_else(|| panic!("{text} has more than {scale} decimals"));
    let all = format!("{whole}{part}{}", "0".repeat(missing));
    sign * all.parse::<i128>().unwrap_or_else(|_| panic!("{text} is no number"))
}

/// The other way, without zeros at the end.
pub fn text(units: i128, scale: u32) -> String {
    let scale = usize::try_from(scale).unwrap();
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    let part = part.trim_end_matches('0');
    let sign = if units < 0 { "-" } else { "" };
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

/// The number without zeros at the end, for comparing decimals that somebody else wrote.
pub fn canonical(number: &str) -> String {
    text(units(number, 30), 30)
}

#[test]
fn decimals_there_and_back() {
    assert_eq!(units("1.05", 4), 10_500);
    assert_eq!(units("-0.5", 1), -5);
    assert_eq!(
        (text(10_500, 4), text(-5, 1), text(7, 0), text(0, 3)),
        ("1.05".into(), "-0.5".into(), "7".into(), "0".into())
    );
    assert_eq!(canonical("1.0"), "1");
}
