//! What the user sees: results on standard output, everything else on standard error.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use serde_json::Value;

/// Headings.
const BOLD: Style = Style::new().bold();

/// What is less important.
const DIM: Style = Style::new().dimmed();

/// Money that comes in.
const GREEN: Style = AnsiColor::Green.on_default();

/// What went wrong.
const RED: Style = AnsiColor::Red.on_default().bold();

/// What to look at twice.
const YELLOW: Style = AnsiColor::Yellow.on_default();

fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// A heading.
pub fn bold(text: &str) -> String {
    styled(BOLD, text)
}

/// Something less important.
pub fn dim(text: &str) -> String {
    styled(DIM, text)
}

/// Something good.
pub fn green(text: &str) -> String {
    styled(GREEN, text)
}

/// A warning.
pub fn yellow(text: &str) -> String {
    styled(YELLOW, text)
}

/// A failure.
pub fn red(text: &str) -> String {
    styled(RED, text)
}

/// The result of a command, for people and for programs.
#[derive(Clone, Debug)]
pub struct Report {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: Value,
}

impl Report {
    /// A result in both forms.
    pub fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json }
    }

    /// Prints one of them. A reader that went away, as `head` does, is no failure.
    pub fn print(&self, json: bool) {
        let result = if json {
            writeln!(io::stdout(), "{:#}", self.json)
        } else {
            writeln!(anstream::stdout(), "{}", typed(self.text.trim_end()))
        };
        let _ = result;
    }
}

/// How a column is lined up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Whole numbers.
    Right,
    /// Amounts: their points stand below each other.
    Point,
}

/// Characters from the point on; all of a cell without one is in front of it.
fn behind_point(cell: &str) -> usize {
    cell.find('.').map_or(0, |at| cell[at..].chars().count())
}

/// Rows in aligned columns, two spaces apart.
pub fn table(aligns: &[Align], rows: &[Vec<String>]) -> String {
    let mut rows = rows.to_vec();
    for (column, align) in aligns.iter().enumerate() {
        let cells = |rows: &[Vec<String>]| rows.iter().filter_map(|row| row.get(column).cloned()).collect::<Vec<_>>();
        if *align == Align::Point {
            let most = cells(&rows).iter().map(|cell| behind_point(cell)).max().unwrap_or(0);
            for cell in rows.iter_mut().filter_map(|row| row.get_mut(column)) {
                *cell += &" ".repeat(most - behind_point(cell));
            }
        }
        let width = cells(&rows).iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
        for cell in rows.iter_mut().filter_map(|row| row.get_mut(column)) {
            *cell = if *align == Align::Left { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
        }
    }
    rows.iter().map(|row| format!("  {}\n", row.join("  ").trim_end())).collect()
}

/// A line on standard error.
pub fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}", typed(text));
}

/// A text whose commands can be pasted: `bin/cairn-wallet` where the wallet was started by that name. Commands stand in
/// backticks in all texts.
pub fn typed(text: &str) -> String {
    pasted(text, &std::env::args().next().unwrap_or_default())
}

fn pasted(text: &str, program: &str) -> String {
    match program.contains('/') && !program.contains(char::is_whitespace) {
        true => text.replace("`cairn-wallet ", &format!("`{program} ")),
        // It is in PATH.
        false => text.to_owned(),
    }
}

/// A line that is written over and over while something lasts; only on a terminal.
pub struct Progress {
    shown: bool,
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    /// Nothing shown yet.
    pub fn new() -> Self {
        Self { shown: false }
    }

    /// Replaces the line.
    pub fn show(&mut self, text: &str) {
        if io::stderr().is_terminal() {
            let _ = write!(io::stderr(), "\r\x1b[2K{text}");
            let _ = io::stderr().flush();
            self.shown = true;
        }
    }
}

/// Takes the line away.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[2K");
            let _ = io::stderr().flush();
        }
    }
}

/// How long ago, in words: `12s`, `5m`, `3h`, `9d`.
pub fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The beginning and the end of something long.
pub fn short(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= 20 {
        return text.into();
    }
    let part = |range: &[char]| range.iter().collect::<String>();
    format!("{}…{}", part(&letters[..10]), part(&letters[letters.len() - 6..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = vec![vec!["a".into(), "1.5".into()], vec!["long…".into(), "10.25".into()]];
        assert_eq!(table(&[Align::Left, Align::Right], &rows), "  a        1.5\n  long…  10.25\n");
        let amounts = ["1.50", "", "-10.255", "7"].map(|cell| vec![cell.to_owned(), "x".into()]);
        let expected = "    1.50   x\n           x\n  -10.255  x\n    7      x\n";
        assert_eq!(table(&[Align::Point, Align::Left], &amounts), expected);
        assert_eq!(table(&[Align::Left], &[]), "");
    }

    #[test]
    fn hints_name_what_the_user_can_type() {
        let text = "run `cairn-wallet resend`, not another cairn-wallet";
        let typed = "run `bin/cairn-wallet resend`, not another cairn-wallet";
        assert_eq!(pasted(text, "bin/cairn-wallet"), typed);
        assert_eq!(pasted(text, "cairn-wallet"), text);
    }

    #[test]
    fn times_and_names_are_short() {
        assert_eq!([age(59), age(60), age(7_200), age(200_000)], ["59s", "1m", "2h", "2d"]);
        assert_eq!(short("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"), "0xf39Fd6e5…b92266");
        assert_eq!(short("abc"), "abc");
    }
}
