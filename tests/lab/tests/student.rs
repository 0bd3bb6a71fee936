//! The README's worked example: its code compiles, and the explorer prints the chart that stands there.

#[path = "student/flag.rs"]
mod flag;

use cairn_lab::explorer::{Limits, explore};

const README: &str = include_str!("../README.md");

#[test]
fn the_readme_has_this_code() {
    let code = include_str!("student/flag.rs").replace("use cairn_lab::{", "use crate::{");
    assert!(README.contains(&code), "tests/student/flag.rs and the README differ");
}

#[test]
fn the_readme_has_the_chart_that_the_explorer_prints() {
    let found = explore(&flag::Flag { askers: 2 }, Limits::default());
    let (what, chart) = found.counter_example().expect("two believe to be the first");
    assert!(README.contains(&chart.text()), "{what}\n{}", chart.text());
}
