//! One SVG for each kind of work: a panel for each piece of it, a line for each peer, the best on
//! top, over a logarithmic axis.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Outcome, Percentiles, Row, table};
use crate::support::{Failure, Result};
use crate::work::Kind;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Sizes in pixels.
const NAMES: u32 = 190;
const PLOT: u32 = 370;
const VALUES: u32 = 90;
const LINE: u32 = 19;
const HEAD: u32 = 34;
const AXIS: u32 = 34;
const TITLE: u32 = 76;
const MARGIN: u32 = 12;

const INK: RGBColor = RGBColor(40, 40, 40);
const PALE: RGBColor = RGBColor(225, 225, 225);

/// One peer's line in a panel: positions on the axis, and what is written beside it.
struct Strand {
    name: &'static str,
    colour: RGBColor,
    /// The one that counts first.
    points: Vec<f64>,
    value: String,
}

impl Strand {
    fn new(row: &Row) -> Option<Self> {
        let (points, value) = match &row.outcome {
            Outcome::Latencies(percentiles) => {
                let all = percentiles.all();
                (all.to_vec(), table::duration(all[0]))
            }
            Outcome::Rate { per_s, .. } => {
                let points = vec![per_s.median, per_s.min, per_s.max];
                (points, table::per_second(per_s.median, "/s"))
            }
            Outcome::Absent(_) => return None,
        };
        // A logarithm needs more than nothing.
        let points = points.into_iter().map(|point| point.max(0.1)).collect();
        Some(Self { name: row.peer, colour: colour(row), points, value })
    }
}

/// Ours, the bounds, the reference, the others.
fn colour(row: &Row) -> RGBColor {
    match row.peer {
        name if name.starts_with("outlive") => RGBColor(0, 95, 175),
        name if name.ends_with("-threads") => RGBColor(120, 120, 120),
        _ if row.is_reference() => RGBColor(190, 40, 40),
        _ => RGBColor(205, 125, 0),
    }
}

/// The chart of these pieces of work of one kind, as SVG.
pub(crate) fn svg(kind: Kind, pieces: &[&[Row]]) -> Result<String> {
    let panels: Vec<(String, Vec<Strand>)> = pieces
        .iter()
        .map(|rows| (rows[0].work.label(), rows.iter().filter_map(Strand::new).collect()))
        .collect();
    let columns = panels.len().clamp(1, 2) as u32;
    let height = |panel: &(String, Vec<Strand>)| HEAD + panel.1.len() as u32 * LINE + AXIS;
    let heights: Vec<u32> = panels
        .chunks(columns as usize)
        .map(|row| row.iter().map(height).max().unwrap_or(0))
        .collect();
    let width = NAMES + PLOT + VALUES;
    let size = (columns * width + 2 * MARGIN, TITLE + heights.iter().sum::<u32>() + MARGIN);
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(kind, panels, &heights, &root).map_err(|error| Failure::from(error.to_string()))?;
    }
    Ok(text)
}

type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

fn draw(
    kind: Kind,
    mut panels: Vec<(String, Vec<Strand>)>,
    heights: &[u32],
    root: &Area<'_>,
) -> Drawn {
    root.fill(&WHITE)?;
    let left = MARGIN as i32;
    write(root, kind.title(), (left, 20), 17, INK, HPos::Left)?;
    write(root, &axis_title(kind), (left, 42), 13, INK, HPos::Left)?;
    legend(kind, root)?;
    let columns = panels.len().clamp(1, 2);
    let width = NAMES + PLOT + VALUES;
    let mut top = TITLE;
    for (row, &height) in panels.chunks_mut(columns).zip(heights) {
        for (column, (label, strands)) in row.iter_mut().enumerate() {
            let order =
                |strand: &Strand| if kind.times() { strand.points[0] } else { -strand.points[0] };
            strands.sort_by(|a, b| order(a).total_cmp(&order(b)));
            let at = (MARGIN as i32 + column as i32 * width as i32, top as i32);
            panel(kind, label, strands, &root.clone().shrink(at, (width, height)))?;
        }
        top += height;
    }
    Ok(root.present()?)
}

fn axis_title(kind: Kind) -> String {
    if kind.times() {
        "time, logarithmic; the number is the median; shorter is better".into()
    } else {
        "messages a second, logarithmic; the number is the median of the turns; more is better"
            .into()
    }
}

/// What the marks mean: shapes for the points, colours for the peers.
fn legend(kind: Kind, root: &Area<'_>) -> Drawn {
    let points: Vec<&str> =
        if kind.times() { Percentiles::NAMES.to_vec() } else { vec!["median", "turns from - to"] };
    let mut at = MARGIN as i32 + 6;
    let y = 62;
    for (index, name) in points.iter().enumerate() {
        mark(root, (at, y), shape(kind, index), INK)?;
        write(root, name, (at + 9, y), 12, INK, HPos::Left)?;
        at += 30 + 7 * name.len() as i32;
    }
    for (name, example) in [
        ("outlive", RGBColor(0, 95, 175)),
        ("others", RGBColor(205, 125, 0)),
        ("reference", RGBColor(190, 40, 40)),
        ("threads", RGBColor(120, 120, 120)),
    ] {
        root.draw(&Rectangle::new([(at, y - 5), (at + 10, y + 5)], example.filled()))?;
        write(root, name, (at + 15, y), 12, INK, HPos::Left)?;
        at += 34 + 7 * name.len() as i32;
    }
    Ok(())
}

/// How a strand's point of this index is marked.
fn shape(kind: Kind, index: usize) -> usize {
    // From the least to the most of the turns: both ends look alike.
    if kind.times() || index == 0 { index } else { 3 }
}

/// Draws a mark around a pixel.
fn mark(area: &Area<'_>, (x, y): (i32, i32), shape: usize, colour: RGBColor) -> Drawn {
    match shape {
        0 => area.draw(&Circle::new((x, y), 5, colour.filled()))?,
        1 => area.draw(&Circle::new((x, y), 3, colour.filled()))?,
        2 => {
            area.draw(&Circle::new((x, y), 3, WHITE.filled()))?;
            area.draw(&Circle::new((x, y), 3, colour.stroke_width(1)))?;
        }
        _ => area.draw(&PathElement::new([(x, y - 5), (x, y + 5)], colour.stroke_width(2)))?,
    }
    Ok(())
}

fn panel(kind: Kind, label: &str, strands: &[Strand], area: &Area<'_>) -> Drawn {
    write(area, label, (NAMES as i32, HEAD as i32 - 14), 14, INK, HPos::Left)?;
    let points = || strands.iter().flat_map(|strand| strand.points.iter().copied());
    let low = points().fold(f64::INFINITY, f64::min);
    let high = points().fold(0.0, f64::max);
    if strands.is_empty() {
        return Ok(());
    }
    let (low, high) = bounds(low, high);
    let lines = strands.len() as u32 * LINE;
    let plot = area.clone().shrink((NAMES, HEAD), (PLOT, lines + AXIS));
    let mut chart = ChartBuilder::on(&plot)
        .x_label_area_size(AXIS)
        .build_cartesian_2d((low..high).log_scale(), 0.0..strands.len() as f64)?;
    let unit = |value: &f64| axis_label(kind, *value);
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(6)
        .x_max_light_lines(0)
        .bold_line_style(PALE)
        .axis_style(PALE)
        .x_label_style(("sans-serif", 12).into_font().color(&INK))
        .x_label_formatter(&unit)
        .draw()?;
    // The chart's pixels are those of the picture; these here are the panel's.
    let (left, _) = area.get_base_pixel();
    for (index, strand) in strands.iter().enumerate() {
        let y = (HEAD + index as u32 * LINE + LINE / 2) as i32;
        let x = |value: f64| chart.backend_coord(&(value, 0.0)).0 - left;
        write(area, strand.name, (NAMES as i32 - 8, y), 13, strand.colour, HPos::Right)?;
        let low = strand.points.iter().copied().fold(f64::INFINITY, f64::min);
        let high = strand.points.iter().copied().fold(0.0, f64::max);
        let line = [(x(low), y), (x(high), y)];
        area.draw(&PathElement::new(line, strand.colour.stroke_width(1)))?;
        for (point, &value) in strand.points.iter().enumerate().rev() {
            mark(area, (x(value), y), shape(kind, point), strand.colour)?;
        }
        let at = (NAMES + PLOT + 10) as i32;
        write(area, &strand.value, (at, y), 12, INK, HPos::Left)?;
    }
    Ok(())
}

/// The ends of an axis that has these values on it, and a power of ten to label at least.
fn bounds(low: f64, high: f64) -> (f64, f64) {
    let (low, high) = (low / 1.3, high * 1.3);
    let below = 10_f64.powf(low.log10().floor());
    if below * 10.0 <= high { (low, high) } else { (below, high) }
}

/// Powers of ten, as people say them.
fn axis_label(kind: Kind, value: f64) -> String {
    let (value, unit) = if kind.times() {
        match value {
            _ if value < 1e3 => (value, " ns"),
            _ if value < 1e6 => (value / 1e3, " us"),
            _ if value < 1e9 => (value / 1e6, " ms"),
            _ => (value / 1e9, " s"),
        }
    } else {
        match value {
            _ if value < 1e3 => (value, ""),
            _ if value < 1e6 => (value / 1e3, " k"),
            _ if value < 1e9 => (value / 1e6, " M"),
            _ => (value / 1e9, " G"),
        }
    };
    format!("{}{unit}", (value * 10.0).round() / 10.0)
}

fn write(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    size: i32,
    colour: RGBColor,
    side: HPos,
) -> Drawn {
    let style = ("sans-serif", size).into_font().color(&colour);
    Ok(area.draw_text(text, &style.pos(Pos::new(side, VPos::Center)), at)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::stats::Spread;
    use crate::work::Work;

    #[test]
    fn everybody_measured_is_in_the_chart() {
        let work = Work { kind: Kind::Mpmc, bytes: 8, pairs: 2 };
        let spread = |median| Spread { median, min: median / 2.0, max: median * 3.0 };
        let row = |peer, outcome| Row { work, peer, outcome, ratio: None };
        let rows = [
            row("first", Outcome::rate(work, spread(5e6))),
            row("second", Outcome::rate(work, spread(0.0))),
            row("third", Outcome::Absent("not here".into())),
        ];
        let text = svg(Kind::Mpmc, &[&rows]).unwrap();
        assert!(text.contains("first") && text.contains("second") && text.contains("2x2"));
        assert!(!text.contains("third") && !text.contains("NaN"));
    }

    #[test]
    fn each_axis_has_a_label() {
        for (low, high) in [(20.0, 30.0), (5e6, 7e6), (0.1, 1e9)] {
            let (from, to) = bounds(low, high);
            assert!(from <= low && high <= to);
            let power = 10_f64.powf((from.log10() - 1e-9).ceil());
            assert!(power <= to, "{from} to {to}");
        }
    }
}
