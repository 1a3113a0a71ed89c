//! Numbers with their units. Each is a newtype, so that ticks are never added to lots.
//!
//! Operators are checked: an overflow is a broken invariant (terms and deposit limits rule it out, see
//! [`crate::MarketTerms::check`]) and panics rather than wraps, in release as in debug builds.

use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident($inner:ty), $unit:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// The plain number.
            #[inline]
            pub const fn get(self) -> $inner {
                self.0
            }

            /// True for exactly zero.
            #[inline]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }
        }

        impl Add for $name {
            type Output = Self;
            #[inline]
            fn add(self, other: Self) -> Self {
                Self(self.0.checked_add(other.0).expect(concat!($unit, " stay within their type")))
            }
        }

        impl Sub for $name {
            type Output = Self;
            #[inline]
            fn sub(self, other: Self) -> Self {
                Self(self.0.checked_sub(other.0).expect(concat!($unit, " stay within their type")))
            }
        }

        impl Neg for $name {
            type Output = Self;
            #[inline]
            fn neg(self) -> Self {
                Self(self.0.checked_neg().expect(concat!($unit, " stay within their type")))
            }
        }

        impl AddAssign for $name {
            #[inline]
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl SubAssign for $name {
            #[inline]
            fn sub_assign(&mut self, other: Self) {
                *self = *self - other;
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    };
}

quantity! {
    /// A price, in ticks of its market. Prices of orders and trades are above zero.
    PriceTicks(i64), "ticks"
}

quantity! {
    /// A quantity of the base asset, in lots of its market. Quantities of orders and trades are above zero.
    QtyLots(i64), "lots"
}

quantity! {
    /// An amount of an asset, in atoms: units of 10^-scale of that asset.
    Amount(i128), "atoms"
}

quantity! {
    /// A part of a position's value that one side pays the other at a settlement of funding, in units of 10^-8. Above zero long
    /// positions pay short ones.
    FundingRate(i64), "rates"
}

impl FundingRate {
    /// All of the value.
    pub const ONE: Self = Self(100_000_000);
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl $name {
            /// The plain number.
            #[inline]
            pub const fn get(self) -> $inner {
                self.0
            }

            /// The one after this.
            #[inline]
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.checked_add(1).expect("a counter never runs out"))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    };
}

counter! {
    /// An asset, in the order of listing, from 0.
    AssetId(u32)
}

counter! {
    /// A market, in the order of listing, from 0.
    MarketId(u32)
}

counter! {
    /// An algo order, in the order of acceptance within its account's partition, whose number it begins with. Below 2^53.
    AlgoId(u64)
}

counter! {
    /// An account, in the order of creation, from 1. Below 2^53.
    AccountId(u64)
}

counter! {
    /// An order, in the order of arrival, from 1. Below 2^53. A refused order may use up a number.
    OrderId(u64)
}

counter! {
    /// A trade of one market, from 1. Below 2^53.
    TradeId(u64)
}

counter! {
    /// A withdrawal, in the order of requests, from 1. Below 2^53.
    WithdrawalId(u64)
}

counter! {
    /// A command's place in the journal, from 1.
    Seq(u64)
}

counter! {
    /// An event's place in the event log, from 1.
    EventSeq(u64)
}

counter! {
    /// A source of commands, as a partition numbers it, from 0.
    SourceId(u32)
}

counter! {
    /// An entry's place in its source, from 1: later ones are larger. Redis Streams count milliseconds in the upper 64 bits and the
    /// entries of each in the lower ones.
    EntryId(u128)
}

counter! {
    /// Nanoseconds since 1970-01-01 UTC, as the sequencer stamped them; never falls within one journal.
    TimeNs(u64)
}

impl TimeNs {
    /// Later than every moment: a command without a deadline.
    pub const NEVER: Self = Self(u64::MAX);

    /// From whole milliseconds, the unit of the Binance dialect.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Whole milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }
}
