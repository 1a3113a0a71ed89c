//! Plots of what was measured, as SVG: cost against growth, and latency against throughput.

use std::collections::BTreeMap;
use std::error::Error;
use std::ops::Range;

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use crate::{Axis, Latency, Measurement, Point};

/// Pixels across and down.
const SIZE: (u32, u32) = (860, 480);
/// Told apart by those who do not tell red from green, too. Source: Okabe and Ito, Color Universal Design, 2008.
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(80, 80, 80),
];

/// One picture.
#[derive(Clone, Debug)]
pub struct Plot {
    /// What its file is called, without an ending.
    pub name: String,
    /// What it shows, in a few words.
    pub title: String,
    /// The picture.
    pub svg: String,
}

/// A line with its name.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// All pictures that there are points for: one for each axis of growth with all curves on it, and one for each curve of
/// rates. A curve has at least two points.
pub fn all(found: &[Measurement]) -> Result<Vec<Plot>, Box<dyn Error>> {
    let mut plots = Vec::new();
    for axis in
        [Axis::Markets, Axis::RestingOrders, Axis::Accounts, Axis::Connections, Axis::BatchBound, Axis::Rate]
    {
        let curves = curves(found, axis);
        match axis {
            Axis::Rate => {
                for (curve, points) in curves {
                    plots.push(latency(curve, &points)?);
                }
            }
            Axis::Markets | Axis::RestingOrders | Axis::Accounts | Axis::Connections | Axis::BatchBound => {
                plots.extend(cost(axis, &curves)?);
            }
        }
    }
    Ok(plots)
}

/// The points on this axis in order, by curve.
fn curves(found: &[Measurement], axis: Axis) -> BTreeMap<&str, Vec<(u64, &Measurement)>> {
    let mut curves: BTreeMap<&str, Vec<(u64, &Measurement)>> = BTreeMap::new();
    for measurement in found {
        if let Some(Point { curve, axis: its, x }) = &measurement.point
            && *its == axis
        {
            curves.entry(curve).or_default().push((*x, measurement));
        }
    }
    curves.retain(|_, points| points.len() > 1);
    for points in curves.values_mut() {
        points.sort_by_key(|(x, _)| *x);
    }
    curves
}

/// What one command costs while something grows.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn cost(
    axis: Axis,
    curves: &BTreeMap<&str, Vec<(u64, &Measurement)>>,
) -> Result<Option<Plot>, Box<dyn Error>> {
    let lines: Vec<Line> = curves
        .iter()
        .map(|(name, points)| Line {
            name: (*name).to_owned(),
            points: points.iter().map(|(x, found)| (*x as f64, 1e9 / found.per_second)).collect(),
        })
        .collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let across = axis.label();
    let title = format!("Cost of one command against {across}");
    let labels = Labels { title: &title, across, up: "nanoseconds per command" };
    let svg = draw(&labels, Across::Decades, &lines)?;
    Ok(Some(Plot { name: format!("cost-{}", dashed(across)), title, svg }))
}

/// How long an order takes while more and more of them come in.
fn latency(curve: &str, points: &[(u64, &Measurement)]) -> Result<Plot, Box<dyn Error>> {
    let line = |name: &str, quantile: fn(&Latency) -> f64| Line {
        name: name.to_owned(),
        points: points
            .iter()
            .filter_map(|(_, found)| Some((found.per_second, quantile(found.latency.as_ref()?))))
            .collect(),
    };
    let lines = [
        line("p50", |latency| latency.p50_us),
        line("p99", |latency| latency.p99_us),
        line("p99.9", |latency| latency.p999_us),
    ];
    let title = format!("{curve}: latency against throughput");
    let labels = Labels { title: &title, across: "orders a second", up: "microseconds" };
    let svg = draw(&labels, Across::Even, &lines)?;
    Ok(Plot { name: format!("latency-{}", dashed(curve)), title, svg })
}

/// Letters and digits with dashes between them, for the name of a file.
fn dashed(text: &str) -> String {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

/// The words around a picture.
struct Labels<'l> {
    title: &'l str,
    across: &'l str,
    up: &'l str,
}

/// How the axis across is divided. The other one has decades always.
#[derive(Clone, Copy)]
enum Across {
    Even,
    Decades,
}

fn draw(labels: &Labels<'_>, across: Across, lines: &[Line]) -> Result<String, Box<dyn Error>> {
    let x = lines.iter().flat_map(|line| &line.points).map(|(x, _)| *x);
    let mut svg = String::new();
    match across {
        Across::Even => draw_over(0.0..x.fold(1.0, f64::max) * 1.05, labels, lines, &mut svg)?,
        Across::Decades => draw_over(decades(x).log_scale(), labels, lines, &mut svg)?,
    }
    Ok(svg)
}

/// `across` is the range of the axis across.
fn draw_over<X>(
    across: X,
    labels: &Labels<'_>,
    lines: &[Line],
    svg: &mut String,
) -> Result<(), Box<dyn Error>>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
{
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let up = decades(lines.iter().flat_map(|line| &line.points).map(|(_, y)| *y)).log_scale();
    let mut chart = ChartBuilder::on(&area)
        .caption(labels.title, ("sans-serif", 23))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(76)
        .build_cartesian_2d(across, up)?;
    chart
        .configure_mesh()
        .x_desc(labels.across)
        .y_desc(labels.up)
        .x_label_formatter(&|x| short(*x))
        .y_label_formatter(&|y| short(*y))
        .label_style(("sans-serif", 17))
        .light_line_style(RGBColor(240, 240, 240))
        .bold_line_style(RGBColor(215, 215, 215))
        .draw()?;
    for (Line { name, points }, color) in lines.iter().zip(COLORS.iter().cycle()) {
        let stroke = color.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), stroke))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], stroke));
        chart.draw_series(points.iter().map(|at| Circle::new(*at, 3, color.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(215, 215, 215))
        .label_font(("sans-serif", 17))
        .draw()?;
    area.present()?;
    Ok(())
}

/// The whole decades that all of these are in; at least one.
fn decades(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (least, most) =
        values.fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)));
    let begin = least.log10().floor();
    10_f64.powf(begin)..10_f64.powf(most.log10().ceil().max(begin + 1.0))
}

/// As people say a number that stands at an axis.
fn short(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{} M", value / 1e6),
        _ if value >= 1e3 => format!("{} k", value / 1e3),
        _ => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hdrhistogram::Histogram;

    use super::*;

    fn growing(curve: &str, axis: Axis, x: u64, commands: u64) -> Measurement {
        Measurement::new("any", commands, Duration::from_secs(1), 0).on_curve(curve, axis, x)
    }

    fn loaded(rate: u64, micros: u64) -> Measurement {
        let mut nanos = Histogram::new(3).unwrap();
        nanos.record(micros * 1_000).unwrap();
        growing("WebSocket API, signed", Axis::Rate, rate, rate).with_latency(&nanos)
    }

    #[test]
    fn there_is_a_picture_for_each_axis_and_for_each_curve_of_rates() {
        let found = [
            growing("partition", Axis::Markets, 1_000, 1_000_000),
            growing("partition", Axis::Markets, 1, 5_000_000),
            growing("durable", Axis::Markets, 1, 2_000_000),
            growing("durable", Axis::Markets, 1_000, 900_000),
            loaded(1_000, 200),
            loaded(50_000, 9_000),
            growing("alone", Axis::Accounts, 1, 5),
            Measurement::new("no point", 1, Duration::from_secs(1), 0),
        ];
        let plots = all(&found).unwrap();
        let names: Vec<_> = plots.iter().map(|plot| plot.name.as_str()).collect();
        assert_eq!(names, ["cost-markets", "latency-websocket-api-signed"]);
        for Plot { svg, .. } in &plots {
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
        }
        let says = |plot: &Plot, text: &str| plot.svg.contains(&format!("\n{text}\n"));
        for text in ["markets", "partition", "durable", "1 k", "nanoseconds per command"] {
            assert!(says(&plots[0], text), "{text}: {}", plots[0].svg);
        }
        for text in ["p50", "p99", "p99.9", "orders a second", "10 k"] {
            assert!(says(&plots[1], text), "{text}: {}", plots[1].svg);
        }
    }

    #[test]
    fn an_axis_begins_and_ends_with_a_decade() {
        assert_eq!(decades([3.0, 250.0].into_iter()), 1.0..1_000.0);
        assert_eq!(decades([10.0, 10.0].into_iter()), 10.0..100.0);
        assert_eq!(decades([0.25].into_iter()), 0.1..1.0);
    }
}
