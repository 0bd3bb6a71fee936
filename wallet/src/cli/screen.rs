//! What the user sees: results on standard output, everything else on standard error.

use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

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

/// Whether a program reads the output. Then nothing is written beside the result and the one object of an error.
static JSON: AtomicBool = AtomicBool::new(false);

/// Warnings of this run.
static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Sets whether a program reads the output.
pub fn set_json(json: bool) {
    JSON.store(json, Ordering::Relaxed);
}

/// Whether a program reads the output.
pub fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// Ends of lines stay outside, so that trimming finds them.
fn styled(style: Style, text: &str) -> String {
    let body = text.trim_end_matches('\n');
    format!("{style}{body}{style:#}{}", &text[body.len()..])
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
    /// What to do next: for people, on standard error, so that standard output holds the result alone.
    pub hints: Vec<String>,
}

impl Report {
    /// A result in both forms.
    pub fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, hints: Vec::new() }
    }

    /// Adds what to do next.
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }

    /// Prints one of them.
    ///
    /// # Errors
    /// What the system says if not all of it could be written. A reader that went away, as `head` does, is no failure.
    pub fn print(&self) -> io::Result<()> {
        if !is_json() {
            print(&typed(self.text.trim_end()))?;
            self.hints.iter().for_each(|hint| note(&dim(hint.trim_end())));
            return Ok(());
        }
        print(&format!("{:#}", self.json))?;
        // Not in the result: that may be a file of its own, as of `build`.
        let warnings = take_warnings();
        if !warnings.is_empty() {
            complain(&format!("{:#}", serde_json::json!({ "warnings": warnings })));
        }
        Ok(())
    }
}

/// Writes a line, or lines, to standard output; nothing if there is nothing to say.
///
/// # Errors
/// As for [`Report::print`].
fn print(text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut out = anstream::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
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

/// A line on standard error, whoever reads it.
pub fn complain(text: &str) {
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

/// A line on standard error for people.
pub fn note(text: &str) {
    if !is_json() {
        complain(text);
    }
}

/// A warning: a line for people, for programs a part of the one object on standard error. Each is given once.
pub fn warn(text: &str) {
    let mut warnings = WARNINGS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if warnings.iter().any(|known| known == text) {
        return;
    }
    warnings.push(text.into());
    note(&yellow(text));
}

/// The warnings so far; they are not given a second time.
pub fn take_warnings() -> Vec<String> {
    std::mem::take(&mut *WARNINGS.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
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
        if io::stderr().is_terminal() && !is_json() {
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

/// As in `1 account` and `2 accounts`.
pub fn counted(count: impl Into<u64>, what: &str) -> String {
    let count = count.into();
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) if !what.ends_with("key") => format!("{count} {stem}ies"),
        _ if what.ends_with("ss") => format!("{count} {what}es"),
        _ => format!("{count} {what}s"),
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
    fn one_of_a_thing_is_not_many() {
        assert_eq!(
            ["account", "address", "policy key", "policy"].map(|what| counted(1_u32, what)).join(", "),
            "1 account, 1 address, 1 policy key, 1 policy"
        );
        assert_eq!(
            ["account", "address", "policy key", "policy"].map(|what| counted(2_u32, what)).join(", "),
            "2 accounts, 2 addresses, 2 policy keys, 2 policies"
        );
    }

    #[test]
    fn times_and_names_are_short() {
        assert_eq!([age(59), age(60), age(7_200), age(200_000)], ["59s", "1m", "2h", "2d"]);
        assert_eq!(short("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"), "0xf39Fd6e5…b92266");
        assert_eq!(short("abc"), "abc");
    }
}
