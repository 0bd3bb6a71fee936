//! Text from outside: files that people and their editors wrote, what a node answers.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    path::Path,
};

use cairn_client::make_plain;
pub use cairn_client::{bounded, disguises, fault, plain};
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

fn malformed(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads JSON from outside; all text in it is [`plain`].
pub fn from_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let mut value: Value = serde_json::from_slice(text).map_err(|error| fault(&error))?;
    make_plain(&mut value);
    T::deserialize(value).map_err(|error| fault(&error))
}

/// The first letter of a text that no screen shows, though it is no blank.
pub fn invisible(text: &str) -> Option<char> {
    text.chars().find(|letter| disguises(*letter) && !letter.is_whitespace())
}

#[cfg(test)]
mod tests {
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
    fn finds_what_no_screen_shows() {
        assert_eq!(invisible("test\u{200b}"), Some('\u{200b}'));
        assert_eq!(invisible("a\u{202e}b"), Some('\u{202e}'));
        assert_eq!(invisible("a\u{7}b"), Some('\u{7}'));
        assert_eq!(invisible("a b\tc\u{a0}é\n"), None);
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
