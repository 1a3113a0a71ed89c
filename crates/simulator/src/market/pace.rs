//! How busy the traders are.

/// How often what happens. A beat is the mean time between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The mean pause between two steps, in microseconds.
    pub beat_us: u32,
    /// How far a fair price moves in a beat, as a standard deviation, in parts per billion.
    pub unrest_ppb: i64,
    /// How far a fair price may run away from the quotes before the makers follow it, about, in parts per million.
    pub patience_ppm: i64,
    /// Quotes that makers replace in a beat for no reason that anybody sees, in thousandths, per market.
    pub refreshed_permille: u32,
    /// What the crowd does in a beat, in thousandths, per market.
    pub crowd_permille: u32,
    /// Orders that take in a beat, in thousandths, per main market.
    pub taken_permille: u32,
    /// In one of so many beats something happens at perpetual contracts.
    pub contracts_once_in: u64,
}

impl Pace {
    /// 20 to 50 requests a second at spot markets, a trade every second or so in a main market; 0.08 % a minute, more when it is restless.
    pub const CALM: Self = Self {
        beat_us: 100_000,
        unrest_ppb: 32_000,
        patience_ppm: 260,
        refreshed_permille: 160,
        crowd_permille: 150,
        taken_permille: 70,
        contracts_once_in: 3,
    };
    /// 1,000 to 2,000 requests a second at spot markets, dozens of trades; half as restless again as calm.
    pub const BUSY: Self = Self {
        beat_us: 10_000,
        unrest_ppb: 15_000,
        patience_ppm: 70,
        refreshed_permille: 2_200,
        crowd_permille: 1_600,
        taken_permille: 200,
        contracts_once_in: 10,
    };
}
