//! What a market is worth: a random walk that is drawn home in the course of hours, with restless minutes in between.

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
