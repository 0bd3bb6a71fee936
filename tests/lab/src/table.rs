//! The table that `make lab` prints: what was measured, what is published, and whether each claim holds.

use crate::{
    chart::Chart,
    explorer::{Explored, Verdict},
};
use std::fmt::Display;

/// How much is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// What a test run has time for.
    Small,
    /// All of it.
    Full,
}

impl Scale {
    /// One of two numbers.
    pub fn pick<T>(self, small: T, full: T) -> T {
        match self {
            Self::Small => small,
            Self::Full => full,
        }
    }
}

/// A protocol in a model, with its claims.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// The protocol and its parameters.
    pub protocol: String,
    /// The system model.
    pub model: String,
    /// Messages, message delays, faults and states as printed.
    cells: [String; 4],
    /// What was to be shown, and why it was not.
    pub claims: Vec<(String, Result<(), String>)>,
    /// What was measured and is no claim.
    notes: Vec<String>,
    /// Searches that ended at their bound, and how deep they came.
    pub bounded: Vec<u32>,
    /// Counter-examples that were to be found.
    pub charts: Vec<(String, Chart)>,
}

const HEADS: [&str; 6] = ["protocol", "model", "messages", "delays", "faults", "states"];
const WIDTHS: [usize; 6] = [30, 22, 13, 9, 24, 22];

impl Row {
    /// A row without claims.
    pub fn new(protocol: impl Display, model: impl Display) -> Self {
        Self { protocol: protocol.to_string(), model: model.to_string(), ..Self::default() }
    }

    /// Messages of a run without failures, and the published number.
    #[must_use]
    pub fn messages(self, measured: u64, published: u64) -> Self {
        self.number(0, "messages", measured, Some(published))
    }

    /// Message delays without failures, and the published number.
    #[must_use]
    pub fn delays(self, measured: u32, published: u32) -> Self {
        self.number(1, "message delays", u64::from(measured), Some(u64::from(published)))
    }

    /// The faults that the row is about.
    #[must_use]
    pub fn faults(mut self, faults: impl Display) -> Self {
        self.cells[2] = faults.to_string();
        self
    }

    /// States explored, and the published number if there is one.
    #[must_use]
    pub fn states(self, measured: usize, published: Option<u64>) -> Self {
        self.number(3, "states", measured as u64, published)
    }

    /// Claims that every state was searched and none is wrong.
    #[must_use]
    pub fn holds(self, claim: &str, found: &Explored) -> Self {
        let wrong = found.counter_example().map(|(what, chart)| format!("{what}\n{}", chart.text()));
        let outcome = if found.holds() { Ok(()) } else { Err(wrong.unwrap_or_else(|| "too many states".to_owned())) };
        self.states(found.states, None).outcome(claim, outcome)
    }

    /// As [`Row::holds`], and that the states are as many as they were when this was written.
    #[must_use]
    pub fn counts(self, claim: &str, found: &Explored, states: usize) -> Self {
        let same = found.states == states;
        let outcome = if same { Ok(()) } else { Err(format!("{} states", grouped(found.states as u64))) };
        self.holds(claim, found).outcome(&format!("{} states in all", grouped(states as u64)), outcome)
    }

    /// Claims that nothing is wrong in the states that were searched, which need not be all; says so if not.
    #[must_use]
    pub fn searched(mut self, claim: &str, found: &Explored) -> Self {
        if !matches!(found.verdict, Verdict::Bounded) {
            return self.holds(claim, found);
        }
        self.bounded.push(found.depth);
        let claim = format!("{claim}; not all states were searched: {} steps deep", found.depth);
        self.states(found.states, None).outcome(&claim, Ok(()))
    }

    /// Claims that the explorer finds something wrong that is described like this. Its chart is kept.
    #[must_use]
    pub fn fails(mut self, claim: &str, found: &Explored, expected: &str) -> Self {
        let outcome = match found.counter_example() {
            Some((what, chart)) if what.contains(expected) => {
                self.charts.push((format!("{}: {claim}", self.protocol), chart.clone()));
                Ok(())
            }
            Some((what, _)) => Err(format!("expected {expected}, found: {what}")),
            None => Err(format!("expected {expected}, found nothing in {} states", found.states)),
        };
        self.states(found.states, None).outcome(claim, outcome)
    }

    /// Something measured.
    #[must_use]
    pub fn note(mut self, note: impl Display) -> Self {
        self.notes.push(note.to_string());
        self
    }

    /// A claim.
    #[must_use]
    pub fn claim(self, claim: &str, holds: bool) -> Self {
        self.outcome(claim, if holds { Ok(()) } else { Err("it does not hold".to_owned()) })
    }

    /// A claim that says why it does not hold.
    #[must_use]
    pub fn outcome(mut self, claim: &str, outcome: Result<(), String>) -> Self {
        self.claims.push((claim.to_owned(), outcome));
        self
    }

    fn number(mut self, cell: usize, name: &str, measured: u64, published: Option<u64>) -> Self {
        let Some(published) = published else {
            self.cells[cell] = grouped(measured);
            return self;
        };
        self.cells[cell] = format!("{} ({})", grouped(measured), grouped(published));
        let equal = measured == published;
        let outcome = if equal { Ok(()) } else { Err(format!("measured {measured}, published {published}")) };
        self.outcome(&format!("{name} as published"), outcome)
    }

    /// Whether every claim holds.
    pub fn passed(&self) -> bool {
        self.claims.iter().all(|(_, outcome)| outcome.is_ok())
    }

    /// The row as printed, each claim below it.
    pub fn text(&self) -> String {
        let [messages, delays, faults, states] = &self.cells;
        let mut text = line(&[&self.protocol, &self.model, messages, delays, faults, states]);
        for note in &self.notes {
            text += &format!("    note    {note}\n");
        }
        for (claim, outcome) in &self.claims {
            text += &match outcome {
                Ok(()) => format!("    ok      {claim}\n"),
                Err(why) => format!("    FAILED  {claim}: {why}\n"),
            };
        }
        text
    }
}

/// The heads of the columns.
pub fn heads() -> String {
    line(&HEADS) + "Published values are in brackets.\n"
}

fn line(cells: &[&str]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(WIDTHS) {
        line += &format!("{cell:<width$} ");
    }
    line.trim_end().to_owned() + "\n"
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_differs_from_the_published_one_fails() {
        assert!(Row::new("p", "m").messages(6, 6).passed());
        let row = Row::new("p", "m").messages(7, 6);
        assert!(!row.passed());
        assert!(row.text().contains("FAILED  messages as published: measured 7, published 6"));
    }

    #[test]
    fn a_search_counts_if_it_ended_and_found_as_many_states() {
        let found = Explored { states: 3, steps: 2, depth: 1, seconds: 0.0, verdict: Verdict::Holds };
        assert!(Row::new("p", "m").counts("safe", &found, 3).passed());
        assert!(!Row::new("p", "m").counts("safe", &found, 4).passed());
        let bounded = Explored { verdict: Verdict::Bounded, ..found };
        assert!(!Row::new("p", "m").counts("safe", &bounded, 3).passed());
        assert_eq!(Row::new("p", "m").searched("safe", &bounded).bounded, [1]);
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
