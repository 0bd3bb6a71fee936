//! Plots as SVG without fonts of their own: colours of medium brightness on a transparent ground, for light and dark pages.

use plotters::{coord::Shift, prelude::*};
use std::ops::Range;

use crate::estimate::Estimate;

const GREY: RGBColor = RGBColor(128, 128, 128);
const COLOURS: [RGBColor; 6] = [
    RGBColor(59, 130, 196),
    RGBColor(217, 119, 6),
    RGBColor(46, 155, 95),
    RGBColor(190, 80, 160),
    RGBColor(205, 70, 60),
    RGBColor(120, 110, 200),
];

/// A curve of a model, and what was measured of it.
#[derive(Debug, Default)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// What a formula says.
    pub curve: Vec<(f64, f64)>,
    /// What was measured.
    pub points: Vec<(f64, Estimate)>,
}

/// A picture.
#[derive(Debug)]
pub struct Plot<'a> {
    /// What is along the horizontal axis.
    pub x: &'a str,
    /// What is along the vertical axis.
    pub y: &'a str,
    /// Horizontal range.
    pub over: Range<f64>,
    /// Vertical range.
    pub range: Range<f64>,
    /// Powers of ten on either axis.
    pub log: (bool, bool),
    /// What is drawn.
    pub series: Vec<Series>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failed = DrawingAreaErrorKind<std::io::Error>;

impl Plot<'_> {
    /// Draws it.
    ///
    /// # Errors
    /// What the library says.
    pub fn draw(&self) -> Result<String, String> {
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (720, 420)).into_drawing_area();
            self.draw_on(&area).and_then(|()| area.present()).map_err(|error| format!("cannot draw: {error}"))?;
        }
        Ok(svg)
    }

    fn draw_on(&self, area: &Area<'_>) -> Result<(), Failed> {
        // Logarithms are taken here: positions are linear in what is drawn, and labels say what they stand for.
        let scale = |log: bool, value: f64| if log { value.max(1e-12).log10() } else { value };
        let (x, y) = (|value| scale(self.log.0, value), |value| scale(self.log.1, value));
        let (over, range) = (x(self.over.start)..x(self.over.end), y(self.range.start)..y(self.range.end));
        let (low, high) = (range.start, range.end);
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(over, range)?;
        let font = ("sans-serif", 14).into_font().color(&GREY);
        chart
            .configure_mesh()
            .axis_style(GREY)
            .bold_line_style(GREY.mix(0.3))
            .light_line_style(GREY.mix(0.0))
            .label_style(font.clone())
            .axis_desc_style(font.clone())
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&|value| label(self.log.0, *value))
            .y_label_formatter(&|value| label(self.log.1, *value))
            .draw()?;
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            let curve = series.curve.iter().map(|(at, value)| (x(*at), y(*value).clamp(low, high)));
            let style = colour.stroke_width(2);
            chart
                .draw_series(LineSeries::new(curve, style))?
                .label(series.name.as_str())
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], style));
            for (at, estimate) in &series.points {
                let ends = [estimate.low, estimate.high].map(|end| (x(*at), y(end).clamp(low, high)));
                chart.draw_series([PathElement::new(ends.to_vec(), colour.stroke_width(2))])?;
                chart.draw_series([Circle::new((x(*at), y(estimate.value).clamp(low, high)), 4, colour.filled())])?;
            }
        }
        chart
            .configure_series_labels()
            .label_font(font)
            .border_style(GREY.mix(0.3))
            .position(SeriesLabelPosition::UpperLeft)
            .draw()
    }
}

fn label(log: bool, value: f64) -> String {
    let value = if log { 10_f64.powf(value) } else { value };
    let text = match value.abs() {
        0.0 => return "0".into(),
        ..0.001 => return format!("{value:.0e}"),
        ..0.1 => format!("{value:.4}"),
        ..10.0 => format!("{value:.2}"),
        _ => return format!("{value:.0}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
