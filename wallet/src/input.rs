//! Text from outside: files that people and their editors wrote, what a node answers.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    path::Path,
};

use cairn_client::make_plain;
pub use cairn_client::{disguises, plain};
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

/// The byte order mark that some editors write at the start of UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Reads a text of at most `most` bytes, without a byte order mark.
pub fn read_text(source: impl Read, most: u64) -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::new());
    source.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(malformed(format!("it is larger than {} KiB", most >> 10)));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(malformed("it is UTF-16; save it as UTF-8".into()));
    }
    let text = std::str::from_utf8(without_mark(&bytes)).map_err(|_| malformed("it is not UTF-8 text".into()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The bytes of a text without a byte order mark.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK).unwrap_or(bytes)
}

/// Opens a file that has an end: a pipe could keep this program waiting forever, a device could feed it without end.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    // Else opening a pipe waits until something writes into it.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(malformed("it is not a regular file".into())) }
}

/// Letters of a text from outside that an error repeats: enough to know it by, where a node could send megabytes.
const REPEATED: usize = 1_000;

/// A text from outside as an error repeats it: [`plain`], and cut if it is long.
pub fn bounded(text: &str) -> String {
    let mut letters = plain(text).chars().collect::<Vec<_>>();
    if letters.len() > REPEATED {
        letters.truncate(REPEATED);
        letters.push('…');
    }
    letters.into_iter().collect()
}

fn malformed(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads JSON from outside; all text in it is [`plain`].
pub fn from_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let mut value: Value = serde_json::from_slice(text).map_err(|error| fault(&error))?;
    make_plain(&mut value);
    T::deserialize(value).map_err(|error| fault(&error))
}

/// What serde calls the parts of JSON, by how it begins, and what users call them.
const WORDS: [(&str, &str); 18] = [
    ("struct", "an object"),
    ("a map", "an object"),
    ("map with a single key", "an object with one field"),
    ("map", "an object"),
    ("a sequence", "a list"),
    ("a valid JSON ABI sequence", "a list"),
    ("sequence", "a list"),
    ("a tuple", "a list"),
    ("tuple", "a list"),
    ("string or map", "a string or an object"),
    ("unit variant", "a name alone"),
    ("variant identifier", "the name of a kind"),
    ("newtype variant", "an object with one field"),
    ("unit", "null"),
    ("newtype", "another value"),
    ("Option", "another value"),
    ("enum", "one of its kinds"),
    ("floating point", "the number"),
];

/// The same in the words of JSON: serde names types of Rust, which say nothing to users.
pub fn fault(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let Some((found, expected)) = text.rsplit_once(", expected ") else { return bounded(&text) };
    let (expected, place) = expected.find(" at line ").map_or((expected, ""), |at| expected.split_at(at));
    let expected = match WORDS.iter().find(|(begins, _)| expected.starts_with(begins)) {
        Some((_, words)) => words,
        None if matches!(expected, "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i64") => "a whole number",
        None if matches!(expected, "f32" | "f64") => "a number",
        None => expected,
    };
    let found = found.replacen("unknown variant", "unknown kind", 1);
    let known =
        |kind: &str| WORDS.iter().find_map(|(begins, words)| Some((*words, kind.strip_prefix(begins)?.to_owned())));
    let found = match found.split_once(": ").map(|(what, kind)| (what, known(kind))) {
        Some((what @ ("invalid type" | "invalid value"), Some((words, rest)))) => format!("{what}: {words}{rest}"),
        _ => found,
    };
    format!("{}, expected {}{place}", bounded(&found), bounded(expected))
}

/// The first letter of a text that no screen shows, though it is no blank.
pub fn invisible(text: &str) -> Option<char> {
    text.chars().find(|letter| disguises(*letter) && !letter.is_whitespace())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_text() {
        for bytes in ["\u{feff}abc", "abc"] {
            assert_eq!(*read_text(bytes.as_bytes(), 100).unwrap(), "abc");
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_text() {
        let error = |bytes: &[u8]| read_text(bytes, 2_048).unwrap_err().to_string();
        assert_eq!(error(b"\xff\xfea\0"), "it is UTF-16; save it as UTF-8");
        assert_eq!(error(b"\xfe\xff\0a"), "it is UTF-16; save it as UTF-8");
        assert_eq!(error(b"a\xff"), "it is not UTF-8 text");
        assert_eq!(error(&[b'a'; 2_049]), "it is larger than 2 KiB");
        assert_eq!(read_text(&[b'a'; 2_048][..], 2_048).unwrap().len(), 2_048);
    }

    #[test]
    fn a_fault_repeats_no_more_of_a_text_than_it_takes_to_know_it() {
        let json = format!("{{\"count\": \"{}\"}}", "x".repeat(100_000));
        let said = from_json::<std::collections::BTreeMap<String, u32>>(json.as_bytes()).unwrap_err();
        assert!(
            said.starts_with("invalid type: string \"xxx") && said.ends_with("…, expected a whole number"),
            "{said}"
        );
        assert_eq!(
            said.chars().filter(|letter| *letter == 'x').count(),
            REPEATED - "invalid type: string \"".len() + 1
        );
        assert_eq!(bounded("a\u{1b}b"), "ab");
    }

    #[test]
    fn finds_what_no_screen_shows() {
        assert_eq!(invisible("test\u{200b}"), Some('\u{200b}'));
        assert_eq!(invisible("a\u{202e}b"), Some('\u{202e}'));
        assert_eq!(invisible("a\u{7}b"), Some('\u{7}'));
        assert_eq!(invisible("a b\tc\u{a0}é\n"), None);
    }

    #[test]
    fn faults_of_json_are_said_without_types_of_rust() {
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[allow(dead_code, reason = "only its errors are wanted")]
        struct Row {
            count: u32,
            kind: Kind,
            pair: (u8, u8),
            share: f64,
            names: Vec<String>,
        }
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "camelCase")]
        #[allow(dead_code, reason = "only its errors are wanted")]
        enum Kind {
            Plain,
            Inner(Box<Row>),
            Named { count: u32 },
        }
        let good = r#"{"count": 1, "kind": "plain", "pair": [1, 2], "share": 0.5, "names": []}"#;
        assert!(from_json::<Row>(good.as_bytes()).is_ok());
        for (part, instead, says) in [
            ("1, \"kind", "\"x\", \"kind", "invalid type: string \"x\", expected a whole number"),
            ("1, \"kind", "1.5, \"kind", "invalid type: the number `1.5`, expected a whole number"),
            ("1, \"kind", "-1, \"kind", "invalid value: integer `-1`, expected a whole number"),
            ("1, \"kind", "{}, \"kind", "invalid type: an object, expected a whole number"),
            ("\"plain\"", "\"other\"", "unknown kind `other`, expected one of `plain`, `inner`, `named`"),
            ("\"plain\"", "5", "invalid type: integer `5`, expected a string or an object"),
            ("\"plain\"", "{}", "invalid value: an object, expected an object with one field"),
            ("\"plain\"", "\"inner\"", "invalid type: a name alone, expected an object with one field"),
            ("\"plain\"", "\"named\"", "invalid type: a name alone, expected an object"),
            ("\"plain\"", "{\"named\": 5}", "invalid type: integer `5`, expected an object"),
            ("[1, 2]", "[1]", "invalid length 1, expected a list"),
            ("[1, 2]", "null", "invalid type: null, expected a list"),
            ("0.5", "[]", "invalid type: a list, expected a number"),
            ("[]}", "{}}", "invalid type: an object, expected a list"),
            ("[]}", "[true]}", "invalid type: boolean `true`, expected a string"),
            (", \"names\": []", "", "missing field `names`"),
        ] {
            assert_eq!(from_json::<Row>(good.replacen(part, instead, 1).as_bytes()).unwrap_err(), says);
        }
        assert_eq!(from_json::<Row>(b"5").unwrap_err(), "invalid type: integer `5`, expected an object");
        assert_eq!(from_json::<Row>(b"{").unwrap_err(), "EOF while parsing an object at line 1 column 1");
    }

    #[test]
    fn text_from_outside_stays_on_its_line() {
        assert_eq!(plain("a\u{1b}[2Jb\u{9b}c\u{202e}d\u{200b}e\u{e0041}f"), "a[2Jbcdef");
        assert_eq!(plain("a\r\n  to\tb\u{2028}c\u{85}"), "a    to b c");
        assert_eq!(plain("\u{fdd0}é 日本 🪨 \u{a0}"), "é 日本 🪨 \u{a0}");
        let json = "{\"a\\u001b\": [\"b\\nc\", {\"d\": \"\u{202e}e\"}, 1]}";
        let read: Value = from_json(json.as_bytes()).unwrap();
        assert_eq!(read, serde_json::json!({"a": ["b c", {"d": "e"}, 1]}));
    }
}
