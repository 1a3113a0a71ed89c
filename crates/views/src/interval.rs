//! The intervals of candles: where each begins, in UTC or in another time zone.

use model::TimeNs;

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// How long a candle is. Source: semantics section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interval {
    /// `1s`
    Second1,
    /// `1m`
    Minute1,
    /// `3m`
    Minute3,
    /// `5m`
    Minute5,
    /// `15m`
    Minute15,
    /// `30m`
    Minute30,
    /// `1h`
    Hour1,
    /// `2h`
    Hour2,
    /// `4h`
    Hour4,
    /// `6h`
    Hour6,
    /// `8h`
    Hour8,
    /// `12h`
    Hour12,
    /// `1d`
    Day1,
    /// `3d`, counted from 1970-01-01.
    Day3,
    /// `1w`, from Monday.
    Week1,
    /// `1M`, a calendar month.
    Month1,
}

impl Interval {
    /// All of them, shortest first.
    pub const ALL: [Self; 16] = [
        Self::Second1,
        Self::Minute1,
        Self::Minute3,
        Self::Minute5,
        Self::Minute15,
        Self::Minute30,
        Self::Hour1,
        Self::Hour2,
        Self::Hour4,
        Self::Hour6,
        Self::Hour8,
        Self::Hour12,
        Self::Day1,
        Self::Day3,
        Self::Week1,
        Self::Month1,
    ];

    /// What everybody calls it, such as `15m`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Second1 => "1s",
            Self::Minute1 => "1m",
            Self::Minute3 => "3m",
            Self::Minute5 => "5m",
            Self::Minute15 => "15m",
            Self::Minute30 => "30m",
            Self::Hour1 => "1h",
            Self::Hour2 => "2h",
            Self::Hour4 => "4h",
            Self::Hour6 => "6h",
            Self::Hour8 => "8h",
            Self::Hour12 => "12h",
            Self::Day1 => "1d",
            Self::Day3 => "3d",
            Self::Week1 => "1w",
            Self::Month1 => "1M",
        }
    }

    /// The interval of that name; names differ by case (`1m` is a minute, `1M` a month).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| interval.name() == name)
    }

    /// Its length in seconds; `None` for a month.
    pub const fn length_s(self) -> Option<i64> {
        Some(match self {
            Self::Second1 => 1,
            Self::Minute1 => MINUTE,
            Self::Minute3 => 3 * MINUTE,
            Self::Minute5 => 5 * MINUTE,
            Self::Minute15 => 15 * MINUTE,
            Self::Minute30 => 30 * MINUTE,
            Self::Hour1 => HOUR,
            Self::Hour2 => 2 * HOUR,
            Self::Hour4 => 4 * HOUR,
            Self::Hour6 => 6 * HOUR,
            Self::Hour8 => 8 * HOUR,
            Self::Hour12 => 12 * HOUR,
            Self::Day1 => DAY,
            Self::Day3 => 3 * DAY,
            Self::Week1 => 7 * DAY,
            Self::Month1 => return None,
        })
    }

    /// A moment where one of them begins, in local time: 1970-01-05 was a Monday.
    const fn anchor_s(self) -> i64 {
        match self {
            Self::Week1 => 4 * DAY,
            Self::Second1
            | Self::Minute1
            | Self::Minute3
            | Self::Minute5
            | Self::Minute15
            | Self::Minute30
            | Self::Hour1
            | Self::Hour2
            | Self::Hour4
            | Self::Hour6
            | Self::Hour8
            | Self::Hour12
            | Self::Day1
            | Self::Day3
            | Self::Month1 => 0,
        }
    }

    /// True when it can be put together from pieces that begin at the multiples of `piece_s` in UTC.
    pub(crate) fn divides_into(self, piece_s: i64, offset: UtcOffset) -> bool {
        let length_s = self.length_s().unwrap_or(DAY);
        length_s.rem_euclid(piece_s) == 0 && offset.seconds().rem_euclid(piece_s) == 0
    }

    /// The number of the one that the moment `utc_s` falls into.
    pub(crate) fn index_of(self, utc_s: i64, offset: UtcOffset) -> i64 {
        let local_s = utc_s.saturating_add(offset.seconds());
        match self.length_s() {
            Some(length_s) => local_s.saturating_sub(self.anchor_s()).div_euclid(length_s),
            None => month_of_day(local_s.div_euclid(DAY)),
        }
    }

    /// When the one of that number begins, in seconds UTC.
    pub(crate) fn open_s(self, index: i64, offset: UtcOffset) -> i64 {
        let local_s = match self.length_s() {
            Some(length_s) => index.saturating_mul(length_s).saturating_add(self.anchor_s()),
            None => first_day_of_month(index).saturating_mul(DAY),
        };
        local_s.saturating_sub(offset.seconds())
    }

    /// The number of the first that begins at `utc_s` or later.
    pub(crate) fn index_from(self, utc_s: i64, offset: UtcOffset) -> i64 {
        let index = self.index_of(utc_s, offset);
        if self.open_s(index, offset) < utc_s { index.saturating_add(1) } else { index }
    }

    /// When the one in which `time` falls begins.
    pub fn open_time(self, time: TimeNs, offset: UtcOffset) -> TimeNs {
        time_ns(self.open_s(self.index_of(seconds_down(time), offset), offset))
    }
}

/// How far a time zone is from UTC: -12:00 to +14:00, in whole minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct UtcOffset {
    minutes: i16,
}

impl UtcOffset {
    /// None at all.
    pub const UTC: Self = Self { minutes: 0 };

    /// East of Greenwich for positive numbers; `None` outside -720 to 840.
    pub const fn from_minutes(minutes: i16) -> Option<Self> {
        if -720 <= minutes && minutes <= 840 { Some(Self { minutes }) } else { None }
    }

    /// In minutes, east of Greenwich for positive numbers.
    pub const fn minutes(self) -> i16 {
        self.minutes
    }

    fn seconds(self) -> i64 {
        i64::from(self.minutes).saturating_mul(MINUTE)
    }
}

/// Whole seconds, rounded down.
pub(crate) fn seconds_down(time: TimeNs) -> i64 {
    i64::try_from(time.0 / 1_000_000_000).expect("64 bits of nanoseconds are fewer than 2^35 seconds")
}

/// Whole seconds, rounded up.
pub(crate) fn seconds_up(time: TimeNs) -> i64 {
    i64::try_from(time.0.div_ceil(1_000_000_000)).expect("64 bits of nanoseconds are fewer than 2^35 seconds")
}

/// Seconds as a time; the epoch for what lies before it.
pub(crate) fn time_ns(seconds: i64) -> TimeNs {
    TimeNs(u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000_000))
}

/// Months are numbered from January of the year 0 of the proleptic Gregorian calendar. A year is counted from March, so that
/// the leap day comes last and the days before each month follow one rule.
fn month_of_day(day: i64) -> i64 {
    // Years of 365.2425 days: the guess is at most one month away.
    let guess = day.saturating_add(719_528).saturating_mul(4_800).div_euclid(146_097);
    let after = guess.saturating_add(1);
    if first_day_of_month(after) <= day {
        after
    } else if first_day_of_month(guess) <= day {
        guess
    } else {
        guess.saturating_sub(1)
    }
}

/// Days from 1970-01-01 to the first of that month.
fn first_day_of_month(month: i64) -> i64 {
    // March of the year 0 becomes month 0.
    let from_march = month.saturating_sub(2);
    let (year, month) = (from_march.div_euclid(12), from_march.rem_euclid(12));
    let leap_days =
        year.div_euclid(4).saturating_sub(year.div_euclid(100)).saturating_add(year.div_euclid(400));
    // 31 30 31 30 31 days, over and over: 153 days in five months.
    let days_before = month.saturating_mul(153).saturating_add(2).div_euclid(5);
    year.saturating_mul(365).saturating_add(leap_days).saturating_add(days_before).saturating_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_where_a_calendar_says() {
        // Walked day by day, by the rules that a child learns.
        let (mut year, mut month, mut day_of_month) = (1970_i64, 1_i64, 1_i64);
        for day in 0..(400 * 366) {
            let index = year * 12 + month - 1;
            assert_eq!(month_of_day(day), index, "day {day} is {year}-{month}-{day_of_month}");
            if day_of_month == 1 {
                assert_eq!(first_day_of_month(index), day, "{year}-{month}");
            }
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day_of_month += 1;
            if day_of_month > length {
                day_of_month = 1;
                month += 1;
            }
            if month > 12 {
                month = 1;
                year += 1;
            }
        }
    }

    #[test]
    fn weeks_begin_on_monday_and_names_come_back() {
        // 2026-11-23 is a Monday.
        let monday = TimeNs::from_millis(1_795_392_000_000);
        let sunday_night = TimeNs(monday.0 + 7 * 86_400 * 1_000_000_000 - 1);
        assert_eq!(Interval::Week1.open_time(sunday_night, UtcOffset::UTC), monday);
        assert_eq!(Interval::Week1.open_time(monday, UtcOffset::UTC), monday);
        for interval in Interval::ALL {
            assert_eq!(Interval::from_name(interval.name()), Some(interval));
        }
        assert_eq!(Interval::from_name("2m"), None);
    }

    #[test]
    fn a_day_begins_at_local_midnight() {
        let noon = TimeNs::from_millis(1_795_392_000_000 + 12 * 3_600_000);
        let tokyo = UtcOffset::from_minutes(9 * 60).unwrap();
        // 21:00 in Tokyo; its midnight was 15:00 UTC of the day before.
        assert_eq!(
            Interval::Day1.open_time(noon, tokyo),
            TimeNs::from_millis(1_795_392_000_000 - 9 * 3_600_000)
        );
        let kathmandu = UtcOffset::from_minutes(5 * 60 + 45).unwrap();
        assert_eq!(
            Interval::Hour1.open_time(noon, kathmandu),
            TimeNs::from_millis(1_795_392_000_000 + 12 * 3_600_000 - 45 * 60_000)
        );
        assert_eq!(UtcOffset::from_minutes(-721), None);
        assert_eq!(UtcOffset::from_minutes(841), None);
    }
}
