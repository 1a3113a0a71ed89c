//! Random numbers that are the same on every machine: xorshift64*, one state, one multiplication, whole numbers only.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The stream that the published traces begin with.
    pub(crate) const TRACES: u64 = 0x9E37_79B9_7F4A_7C15;

    /// A stream that begins with this state, which is not zero.
    pub(crate) const fn from_state(state: u64) -> Self {
        assert!(state != 0, "xorshift never leaves zero");
        Self(state)
    }

    /// A stream of its own for each seed and each part of it, neighbours as different as any two (splitmix64).
    pub(crate) fn new(seed: u64, part: u64) -> Self {
        let mixed = |word: u64| {
            let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            word ^ (word >> 31)
        };
        let state = mixed(mixed(seed.wrapping_add(Self::TRACES)) ^ part.wrapping_mul(Self::TRACES));
        Self(state.max(1))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Below `bound`.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let scaled = ((self.next() >> 32) * u64::from(bound)) >> 32;
        u32::try_from(scaled).expect("a 32-bit number times `bound`, shifted by 32 bits, is below `bound`")
    }

    /// True so many times in a thousand.
    pub(crate) fn permille(&mut self, times: u32) -> bool {
        self.below(1_000) < times
    }

    /// How often something happens now that happens `permille` thousandths of a time on the average.
    pub(crate) fn count(&mut self, permille: u32) -> u32 {
        permille / 1_000 + u32::from(self.permille(permille % 1_000))
    }

    /// About normal around zero, in thousandths of the deviation: twelve dice.
    pub(crate) fn bell(&mut self) -> i64 {
        (0..12).map(|_| i64::from(self.below(1_001))).sum::<i64>() - 6_000
    }

    /// At least 1,000 thousandths, twice as much half as often (a power law), at most `most` times that.
    pub(crate) fn heavy(&mut self, most: u32) -> i64 {
        const GRAIN: u32 = 1_000_000;
        let scarce = 1 + self.below(GRAIN);
        (i64::from(GRAIN) * 1_000 / i64::from(scarce)).min(i64::from(most) * 1_000)
    }

    /// As [`Self::heavy`], twice as much a quarter as often.
    pub(crate) fn less_heavy(&mut self, most: u32) -> i64 {
        self.heavy(most).min(self.heavy(most))
    }
}
