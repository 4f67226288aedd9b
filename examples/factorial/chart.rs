//! A bar for each way: how many times as fast as the first one it was.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::support::Result;

const SIZE: (u32, u32) = (640, 400);
const BLUE: RGBColor = RGBColor(0, 95, 175);
const GREY: RGBColor = RGBColor(120, 120, 120);

pub(crate) fn svg(title: &str, bars: &[(&str, f64)]) -> Result<String> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let most = bars.iter().map(|bar| bar.1).fold(1.0, f64::max) * 1.15;
        let mut chart = ChartBuilder::on(&root)
            .caption(title, ("sans-serif", 18))
            .margin(14)
            .x_label_area_size(34)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..bars.len() as f64, 0.0..most)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .y_desc("times as fast as one thread")
            .draw()?;
        let label = |y| ("sans-serif", 15).into_font().color(&BLACK).pos(Pos::new(HPos::Center, y));
        for (place, (name, faster)) in bars.iter().enumerate() {
            let (left, right) = (place as f64 + 0.2, place as f64 + 0.8);
            let colour = if place == 0 { GREY } else { BLUE };
            let bar = Rectangle::new([(left, 0.0), (right, *faster)], colour.filled());
            let middle = place as f64 + 0.5;
            let value = Text::new(format!("{faster:.2}"), (middle, *faster), label(VPos::Bottom));
            chart.draw_series(std::iter::once(bar))?;
            chart.draw_series(std::iter::once(value))?;
            let below = chart.backend_coord(&(middle, 0.0));
            root.draw(&Text::new(*name, (below.0, below.1 + 10), label(VPos::Top)))?;
        }
        root.present()?;
    }
    Ok(text)
}
