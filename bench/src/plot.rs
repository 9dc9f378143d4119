//! Line plots as SVG.

use std::path::Path;

pub(crate) use plotters::chart::SeriesLabelPosition;
use plotters::prelude::*;

const COLOURS: [RGBColor; 4] =
    [RGBColor(31, 98, 183), RGBColor(204, 85, 0), RGBColor(34, 139, 76), RGBColor(120, 60, 160)];

/// A plot of some lines.
pub(crate) struct Plot<'a> {
    /// Stands above it.
    pub(crate) title: &'a str,
    /// What the horizontal axis shows.
    pub(crate) x: &'a str,
    /// What the vertical axis shows.
    pub(crate) y: &'a str,
    /// The factor that a step of the horizontal axis stands for, where equal steps are equal factors.
    pub(crate) factor: Option<f64>,
    /// The corner that the lines leave free.
    pub(crate) legend: SeriesLabelPosition,
    /// Name and points of each line.
    pub(crate) lines: Vec<(String, Vec<(f64, f64)>)>,
}

impl Plot<'_> {
    /// Writes it to a file.
    pub(crate) fn write(&self, file: &Path) {
        self.draw(file).expect("draw a plot");
    }

    fn draw(&self, file: &Path) -> Result<(), Box<dyn std::error::Error>> {
        let scaled = |x: f64| self.factor.map_or(x, |factor| x.log(factor));
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let xs: Vec<f64> = points().map(|&(x, _)| scaled(x)).collect();
        let left = self.factor.map_or(0.0, |_| xs.iter().copied().fold(f64::MAX, f64::min));
        let right = xs.iter().copied().fold(left, f64::max);
        let top = points().map(|&(_, y)| y).fold(0.0, f64::max) * 1.05;

        let area = SVGBackend::new(file, (800, 450)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(self.title, ("sans-serif", 18))
            .margin(12)
            .margin_right(24)
            .x_label_area_size(44)
            .y_label_area_size(70)
            .build_cartesian_2d(left..right, 0.0..top)?;
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&|&x| short(self.factor.map_or(x, |factor| factor.powf(x))))
            .y_label_formatter(&|&y| short(y))
            .light_line_style(WHITE)
            .draw()?;
        for ((name, points), colour) in self.lines.iter().zip(COLOURS.into_iter().cycle()) {
            let points = points.iter().map(|&(x, y)| (scaled(x), y));
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(self.legend.clone())
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        area.present()?;
        Ok(())
    }
}

/// A number as an axis shows it.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 0.1 => format!("{value:.3}"),
        size if size < 10.0 => format!("{}", (value * 100.0).round() / 100.0),
        size if size < 10_000.0 => format!("{value:.0}"),
        size if size < 1_000_000.0 => format!("{}k", (value / 100.0).round() / 10.0),
        _ => format!("{}M", (value / 100_000.0).round() / 10.0),
    }
}
