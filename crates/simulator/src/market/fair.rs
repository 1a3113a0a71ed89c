//! What a market is worth: a random walk that is drawn home in the course of hours, with restless minutes in between; and what
//! a contract is worth beside its spot market.

use model::PriceTicks;

use crate::random::Random;

/// Millionths of a tick: 2^44 ticks, the highest price there is, have room.
pub(super) const MICRO: i128 = 1_000_000;

/// A fair price on its way.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    micro_ticks: i128,
    home_micro_ticks: i128,
    /// How restless it is right now, in thousandths of the usual. Unrest comes in clusters: it is stirred up now and then,
    /// and settles down by and by.
    heat_permille: i64,
}

impl Walk {
    /// A restless time settles down by one part in so many each beat.
    const COOLING_BEATS: i64 = 200;
    const HOTTEST_PERMILLE: i64 = 5_000;
    /// Once in so many beats it is stirred up.
    const STIRRED_ONCE_IN: u32 = 900;
    /// The way home is shortened by one part in so many each beat.
    const HOMING_BEATS: i128 = 200_000;

    pub(super) fn new(start: PriceTicks, home: PriceTicks) -> Self {
        let micro = |price: PriceTicks| i128::from(price.0) * MICRO;
        Self { micro_ticks: micro(start), home_micro_ticks: micro(home), heat_permille: 1_000 }
    }

    pub(super) const fn micro_ticks(&self) -> i128 {
        self.micro_ticks
    }

    /// One beat. `draw` is about normal, in thousandths; `unrest_ppb` is what one deviation moves it.
    pub(super) fn beat(&mut self, draw: i64, unrest_ppb: i64, random: &mut Random) {
        if random.below(Self::STIRRED_ONCE_IN) == 0 {
            let stirred = self.heat_permille + random.less_heavy(4);
            self.heat_permille = stirred.min(Self::HOTTEST_PERMILLE);
        }
        self.heat_permille += (1_000 - self.heat_permille) / Self::COOLING_BEATS;

        let moved_ppb =
            i128::from(unrest_ppb) * i128::from(draw) * i128::from(self.heat_permille) / 1_000_000;
        self.micro_ticks += self.micro_ticks * moved_ppb / 1_000_000_000;
        self.micro_ticks += (self.home_micro_ticks - self.micro_ticks) / Self::HOMING_BEATS;
        // Not even the wildest walk ends at nothing.
        self.micro_ticks = self.micro_ticks.max(self.home_micro_ticks / 10).max(MICRO);
    }
}

/// How far the price of a contract is from that of its spot market: far enough, and for long enough, that funding is not always
/// the same, which takes half a thousandth.
#[derive(Clone, Debug)]
pub(super) struct Basis {
    ppb: i64,
}

impl Basis {
    /// One deviation moves it so far in a beat at contracts, in parts per billion.
    const UNREST_PPB: i64 = 10_000;
    /// The way back to nothing is shortened by one part in so many each beat: about a thousandth of the price is usual.
    const HOMING_BEATS: i64 = 20_000;
    const MOST_PPB: i64 = 2_500_000;

    /// As if it had drifted for long.
    pub(super) fn new(random: &mut Random) -> Self {
        Self { ppb: (random.bell() * 800).clamp(-Self::MOST_PPB, Self::MOST_PPB) }
    }

    /// One beat at contracts.
    pub(super) fn beat(&mut self, random: &mut Random) {
        self.ppb += random.bell() * Self::UNREST_PPB / 1_000 - self.ppb / Self::HOMING_BEATS;
        self.ppb = self.ppb.clamp(-Self::MOST_PPB, Self::MOST_PPB);
    }

    /// A price of the spot market, with the basis.
    pub(super) fn beside(&self, micro_ticks: i128) -> i128 {
        micro_ticks + micro_ticks * i128::from(self.ppb) / 1_000_000_000
    }
}
