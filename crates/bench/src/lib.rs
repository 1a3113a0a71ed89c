//! The yardsticks. Each measures one part on a fixed flow and gives back a [`Measurement`]; printing is the program's matter.

pub mod book;
pub mod durable;
pub mod flow;
pub mod growth;
pub mod many;
pub mod memory;
pub mod partition;
pub mod partitions;
pub mod perp;
pub mod plot;
pub mod redis;
pub mod remote;
pub mod report;
pub mod rest;
pub mod snapshot;
pub mod sql;
pub mod streams;
pub mod ws;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// What one yardstick found.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// What was measured.
    pub name: String,
    /// How many commands.
    pub commands: u64,
    /// In what time, in seconds.
    pub seconds: f64,
    /// Commands a second.
    pub per_second: f64,
    /// Commands that were refused.
    pub rejects: u64,
    /// How long one took, where each was timed.
    pub latency: Option<Latency>,
    /// Where it stands on a curve, where it is one of several points.
    pub point: Option<Point>,
    /// What it was meant to reach, where that was said beforehand.
    pub target: Option<Target>,
    /// What else was counted, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<&'static str, u64>,
    /// What one should know about these figures, in a sentence or two.
    pub remark: Option<String>,
}

/// Where a measurement stands on a curve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Point {
    /// Which curve: what is the same all along it.
    pub curve: String,
    /// What changes along it.
    pub axis: Axis,
    /// How much of that there is here.
    pub x: u64,
}

/// What changes along a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Markets that the flow spreads over.
    Markets,
    /// Orders that rest in the books.
    RestingOrders,
    /// Accounts that the flow spreads over.
    Accounts,
    /// Connections to the server.
    Connections,
    /// Commands that a batch has at the most.
    BatchBound,
    /// Orders a second that are sent whatever the answers do (an open loop).
    Rate,
}

impl Axis {
    /// What stands at the axis of a plot.
    pub fn label(self) -> &'static str {
        match self {
            Self::Markets => "markets",
            Self::RestingOrders => "resting orders",
            Self::Accounts => "accounts",
            Self::Connections => "connections",
            Self::BatchBound => "commands in a batch at the most",
            Self::Rate => "orders a second",
        }
    }
}

/// What a figure is meant to reach.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    /// In words.
    pub wanted: String,
    /// Whether it was reached.
    pub met: bool,
}

impl Target {
    /// At least so many a second.
    pub fn per_second(found: &Measurement, least: f64) -> Self {
        Self { wanted: format!("{least:.0}/s"), met: found.per_second >= least && found.rejects == 0 }
    }

    /// At most so many microseconds in half of all cases. Not met where nothing was timed.
    pub fn p50_us(found: &Measurement, most: f64) -> Self {
        let met = found.latency.is_some_and(|latency| latency.p50_us <= most) && found.rejects == 0;
        Self { wanted: format!("p50 {most:.0} us"), met }
    }

    /// At most so many milliseconds in 99 of 100 cases. Not met where nothing was timed.
    pub fn p99_ms(found: &Measurement, most: f64) -> Self {
        let met = found.latency.is_some_and(|latency| latency.p99_us <= most * 1_000.0) && found.rejects == 0;
        Self { wanted: format!("p99 {most:.0} ms"), met }
    }
}

/// Percentiles, in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    /// Half were faster.
    pub p50_us: f64,
    /// 99 in 100 were faster.
    pub p99_us: f64,
    /// 999 in 1,000 were faster.
    pub p999_us: f64,
}

impl Latency {
    /// Of recorded nanoseconds.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn of(nanos: &Histogram<u64>) -> Self {
        let micros = |quantile| nanos.value_at_quantile(quantile) as f64 / 1_000.0;
        Self { p50_us: micros(0.5), p99_us: micros(0.99), p999_us: micros(0.999) }
    }
}

impl Measurement {
    /// The heads of the columns that `Display` fills. The remark is not among them.
    pub const HEADER: &'static str = "what                                                              commands  seconds   commands/s  refused   p50 us   p99 us  p99.9 us  target";

    /// Of `commands` in `elapsed`.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn new(name: impl Into<String>, commands: u64, elapsed: Duration, rejects: u64) -> Self {
        let seconds = elapsed.as_secs_f64();
        Self {
            name: name.into(),
            commands,
            seconds,
            per_second: commands as f64 / seconds,
            rejects,
            latency: None,
            point: None,
            target: None,
            figures: BTreeMap::new(),
            remark: None,
        }
    }

    /// With what one took.
    #[must_use]
    pub fn with_latency(self, nanos: &Histogram<u64>) -> Self {
        Self { latency: Some(Latency::of(nanos)), ..self }
    }

    /// As the point of a curve.
    #[must_use]
    pub fn on_curve(self, curve: impl Into<String>, axis: Axis, x: u64) -> Self {
        Self { point: Some(Point { curve: curve.into(), axis, x }), ..self }
    }

    /// With what it was meant to reach.
    #[must_use]
    pub fn with_target(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    /// With what else was counted.
    #[must_use]
    pub fn with_figures(self, figures: impl IntoIterator<Item = (&'static str, u64)>) -> Self {
        Self { figures: figures.into_iter().collect(), ..self }
    }

    /// With what one should know about it.
    #[must_use]
    pub fn with_remark(self, remark: String) -> Self {
        Self { remark: Some(remark), ..self }
    }
}

impl fmt::Display for Measurement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, commands, seconds, per_second, rejects, latency, target, .. } = self;
        write!(out, "{name:<62} {commands:>11} {seconds:>8.2} {per_second:>12.0} {rejects:>8}")?;
        match latency {
            Some(Latency { p50_us, p99_us, p999_us }) => {
                write!(out, " {p50_us:>8.1} {p99_us:>8.1} {p999_us:>9.1}")?;
            }
            None if target.is_some() => write!(out, "{:28}", "")?,
            None => {}
        }
        match target {
            Some(Target { wanted, met: true }) => write!(out, "  {wanted}: met"),
            Some(Target { wanted, met: false }) => write!(out, "  {wanted}: MISSED"),
            None => Ok(()),
        }
    }
}
