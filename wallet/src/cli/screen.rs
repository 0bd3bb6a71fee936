//! Output: results on standard output, everything else on standard error.
//!
//! All of it leaves through [`for_people`] or [`for_programs`]: an escape sequence in a name or an answer could clear the
//! screen and paint a question of its own.

use std::{
    io::{self, IsTerminal, Write},
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::reported::Reported;
use crate::input::disguises;
pub use cairn_client::counted;

/// A look of text, and the letter that begins it in texts of this program. These letters are noncharacters, which
/// [`crate::input::plain`] takes out of everything from outside.
type Look = (char, Style);

/// Headings.
const BOLD: Look = ('\u{fdd0}', Style::new().bold());

/// What is less important.
const DIM: Look = ('\u{fdd1}', Style::new().dimmed());

/// Money that comes in.
const GREEN: Look = ('\u{fdd2}', AnsiColor::Green.on_default());

/// What went wrong.
const RED: Look = ('\u{fdd3}', AnsiColor::Red.on_default().bold());

/// What to look at twice.
const YELLOW: Look = ('\u{fdd4}', AnsiColor::Yellow.on_default());

/// Ends any look.
const END: char = '\u{fdd5}';

/// Whether a program reads the output. Then nothing is written beside the result and the one object of an error.
static JSON: AtomicBool = AtomicBool::new(false);

/// What stands behind the program's name in commands that are proposed.
static FLAGS: Mutex<String> = Mutex::new(String::new());

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
fn styled((begin, _): Look, text: &str) -> String {
    let body = text.trim_end_matches('\n');
    format!("{begin}{body}{END}{}", &text[body.len()..])
}

/// A text as a terminal gets it: the looks of this program, and nothing else that moves the cursor or hides letters.
pub fn for_people(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        let look = [BOLD, DIM, GREEN, RED, YELLOW].into_iter().find(|(begin, _)| *begin == letter);
        match (letter, look) {
            (_, Some((_, style))) => out += &style.to_string(),
            (END, None) => out += &anstyle::Reset.to_string(),
            ('\n', None) => out.push('\n'),
            (letter, None) if disguises(letter) => {}
            (letter, None) => out.push(letter),
        }
    }
    out
}

/// JSON that is safe on a terminal and means the same: what JSON leaves as it is, like C1 and marks of direction, is escaped.
pub fn for_programs(json: &Value) -> String {
    let text = format!("{json:#}");
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter == '\n' || !disguises(letter) {
            out.push(letter);
            continue;
        }
        let mut units = [0; 2];
        out.extend(letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
    }
    out
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
    pub text: String,
    pub json: Value,
    /// What to do next: for people, on standard error, so that standard output holds the result alone.
    pub hints: Vec<String>,
    /// What it says was sent: the wallet's file calls that unclear until this was printed.
    pub sent: Option<Reported>,
}

impl Report {
    /// A result in both forms.
    pub fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, hints: Vec::new(), sent: None }
    }

    /// Adds what to do next.
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }

    /// Reports transactions as sent.
    pub fn sent(mut self, transactions: Reported) -> Self {
        self.sent = Some(transactions);
        self
    }

    /// Prints one of them.
    ///
    /// # Errors
    /// The error if output could not be written. A reader that closes its end, as `head` does, is not one.
    pub fn print(&self) -> io::Result<()> {
        if !is_json() {
            print(&for_people(&typed(self.text.trim_end())))?;
            self.hints.iter().for_each(|hint| note(&dim(hint.trim_end())));
            return Ok(());
        }
        print(&for_programs(&self.json))
    }
}

/// Gives a program the warnings of what succeeded. Not in the result: that may be a file of its own, as of `build`.
pub fn print_warnings() {
    let warnings = if is_json() { take_warnings() } else { Vec::new() };
    if !warnings.is_empty() {
        complain_json(&serde_json::json!({ "warnings": warnings }));
    }
}

/// Writes a line, or lines, to standard output; nothing if there is nothing to say.
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

/// Letters in a line of the terminal; 80 where there is none.
pub fn width() -> usize {
    terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0))
}

/// How a column is lined up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
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

/// Writes a line to standard error that has to be seen before anything else happens.
pub fn show(text: &str) -> io::Result<()> {
    writeln!(anstream::stderr(), "{}", for_people(&typed(text)))
}

/// Writes a line to standard error, if that takes it.
pub fn complain(text: &str) {
    let _ = show(text);
}

/// An object on standard error, for programs. Its texts are [`typed`]: to change the whole could make it no JSON.
pub fn complain_json(json: &Value) {
    let _ = writeln!(anstream::stderr(), "{}", for_programs(json));
}

/// A question on standard error; the answer is typed behind it.
pub fn ask(question: &str) -> io::Result<()> {
    write!(anstream::stderr(), "{}", for_people(question))?;
    io::stderr().flush()
}

/// Sets the flags of this run that every command needs to mean the same wallet and node.
pub fn set_flags(flags: &[(&str, String)]) {
    *FLAGS.lock().unwrap_or_else(PoisonError::into_inner) = flags.iter().map(flag).collect();
}

/// A flag as it is typed into a shell, with a placeholder for what cannot be typed.
fn flag((name, value): &(&str, String)) -> String {
    match quoted(value) {
        Some(value) => format!("--{name}{}{value} ", if value.starts_with('-') { '=' } else { ' ' }),
        None => format!("--{name} {} ", name.to_uppercase()),
    }
}

/// A word as it is typed into a shell; `None` if it has letters that cannot be seen.
fn quoted(word: &str) -> Option<String> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._:-+@,%".contains(letter);
    let is_seen = |letter: char| !letter.is_control() && !disguises(letter) && letter != char::REPLACEMENT_CHARACTER;
    if !word.chars().all(is_seen) {
        return None;
    }
    match !word.is_empty() && word.chars().all(is_plain) {
        true => Some(word.to_owned()),
        false => Some(format!("'{}'", word.replace('\'', "'\\''"))),
    }
}

/// A file as it is typed into a shell as an argument of its own.
pub fn typed_file(file: &Path) -> String {
    let named = file.to_str().and_then(quoted);
    let named = named.map(|name| if name.starts_with('-') { format!("./{name}") } else { name });
    named.unwrap_or_else(|| "FILE".into())
}

/// A text whose commands can be pasted: `bin/cairn-wallet` where the wallet was started by that name, with the flags that
/// say which wallet and node are meant. Commands stand in backticks in all texts.
pub fn typed(text: &str) -> String {
    let flags = FLAGS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    pasted(text, &std::env::args().next().unwrap_or_default(), &flags)
}

fn pasted(text: &str, program: &str, flags: &str) -> String {
    // Others sign with wallets of their own.
    const FOR_OTHERS: &str = "signers: `cairn-wallet sign ";
    let text = text.split(FOR_OTHERS).map(|part| part.replace("`cairn-wallet ", &format!("`cairn-wallet {flags}")));
    let text = text.collect::<Vec<_>>().join(FOR_OTHERS);
    match program.rsplit_once('/') {
        // The node's program stands beside it.
        Some((folder, _)) if quoted(program).as_deref() == Some(program) => text
            .replace("`cairn-wallet ", &format!("`{program} "))
            .replace("`cairn-node ", &format!("`{folder}/cairn-node ")),
        // It is in PATH.
        _ => text,
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
    let mut warnings = WARNINGS.lock().unwrap_or_else(PoisonError::into_inner);
    if warnings.iter().any(|known| known == text) {
        return;
    }
    warnings.push(text.into());
    note(&yellow(text));
}

/// The warnings so far, as [`typed`]; they are not given a second time.
pub fn take_warnings() -> Vec<String> {
    let warnings = std::mem::take(&mut *WARNINGS.lock().unwrap_or_else(PoisonError::into_inner));
    warnings.iter().map(|warning| typed(warning)).collect()
}

/// A line that is written over and over while something lasts; only on a terminal.
#[derive(Default)]
pub struct Progress {
    shown: bool,
}

impl Progress {
    /// Replaces the line.
    pub fn show(&mut self, text: &str) {
        if io::stderr().is_terminal() && !is_json() {
            let _ = write!(io::stderr(), "\r\x1b[2K{}", for_people(text));
            let _ = io::stderr().flush();
            self.shown = true;
        }
    }
}

/// Clears the line.
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
        assert_eq!(pasted(text, "bin/cairn-wallet", ""), typed);
        assert_eq!(pasted(text, "cairn-wallet", ""), text);
        assert_eq!(
            pasted("try `cairn-node --chain local`", "bin/cairn-wallet", ""),
            "try `bin/cairn-node --chain local`"
        );
        let flags: String = [("chain", "test"), ("wallet", "my x.json"), ("rpc", "a~'b"), ("rpc", "a\tb")]
            .iter()
            .map(|(name, value)| flag(&(*name, (*value).to_owned())))
            .collect();
        assert_eq!(
            pasted("run `cairn-wallet create`", "bin/cairn-wallet", &flags),
            "run `bin/cairn-wallet --chain test --wallet 'my x.json' --rpc 'a~'\\''b' --rpc RPC create`"
        );
        let for_others = "the signers: `cairn-wallet sign x`";
        assert_eq!(pasted(for_others, "cairn-wallet", &flags), for_others);
        assert_eq!(pasted("`cairn-wallet sign x`", "cairn-wallet", "--rpc u "), "`cairn-wallet --rpc u sign x`");
        assert_eq!(pasted(text, "./$(id)/cairn-wallet", ""), text, "it would run something else");
        for (value, typed) in [("-x", "--wallet=-x "), ("=ls", "--wallet '=ls' "), ("a\u{202e}b", "--wallet WALLET ")] {
            assert_eq!(flag(&("wallet", value.into())), typed);
        }
        for (file, typed) in [("a.json", "a.json"), ("-x", "./-x"), ("p;id", "'p;id'"), ("a\u{202e}b", "FILE")] {
            assert_eq!(typed_file(Path::new(file)), typed);
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_shown_moves_the_cursor(parts in proptest::collection::vec(hostile(), 0..12), look in 0..6_usize) {
            let own = [bold, dim, green, yellow, red].get(look).copied();
            let text: String = parts.iter().map(|part| own.map_or_else(|| part.clone(), |own| own(part))).collect();
            let mut shown = for_people(&text);
            for (_, style) in [RED, BOLD, DIM, GREEN, YELLOW] {
                shown = shown.replace(&style.to_string(), "");
            }
            shown = shown.replace(&anstyle::Reset.to_string(), "");
            proptest::prop_assert!(!shown.chars().any(|letter| letter != '\n' && disguises(letter)), "{shown:?}");
            let inside = format!("{}\n  leaves the wallet 0", parts.concat());
            proptest::prop_assert!(!crate::input::plain(&inside).chars().any(disguises));

            let json = serde_json::json!({ inside.clone(): [inside, parts] });
            let shown = for_programs(&json);
            proptest::prop_assert!(!shown.chars().any(|letter| letter != '\n' && disguises(letter)), "{shown:?}");
            proptest::prop_assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), json);
        }
    }

    /// Text as somebody would write it who wants to be taken for this program.
    fn hostile() -> impl proptest::strategy::Strategy<Value = String> {
        use proptest::prelude::*;
        let known = [
            "\u{1b}[2J",
            "\u{1b}]0;title\u{7}",
            "\u{9b}31m",
            "\u{1b}[1m",
            "\u{1b}[0m",
            "\r",
            "\u{8}",
            "\u{7f}",
            "\u{202e}",
            "\u{2066}",
            "\u{200b}",
            "\u{feff}",
            "\u{fdd0}",
            "\u{fdd5}",
            "\u{e0041}",
            "\u{2028}",
            "lcrn1q",
            "\"",
            "\\",
            " ",
        ];
        prop_oneof![prop::sample::select(known.to_vec()).prop_map(str::to_owned), any::<String>()]
    }

    #[test]
    fn looks_reach_the_terminal_as_colours() {
        assert_eq!(for_people(&green("a\n")), "\u{1b}[32ma\u{1b}[0m\n");
        assert_eq!(for_people("a\u{1b}[32mb\u{9b}2J\tc"), "a[32mb2Jc");
        assert_eq!(for_programs(&serde_json::json!("a\u{202e}\u{7f}\u{e0041}")), "\"a\\u202e\\u007f\\udb40\\udc41\"");
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
