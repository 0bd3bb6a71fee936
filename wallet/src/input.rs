//! Text files that people and their editors wrote.

use std::io::{self, Read};

use zeroize::Zeroizing;

/// The byte order mark that some editors write at the start of UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Reads a text of at most `most` bytes, without a byte order mark.
///
/// # Errors
/// What the system says; also if the text is larger, or not UTF-8.
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

fn malformed(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The first letter of a text that no screen shows, though it is no blank.
pub fn invisible(text: &str) -> Option<char> {
    let hidden = |letter: char| {
        letter.is_control() && !letter.is_whitespace()
            || matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().find(|letter| hidden(*letter))
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
}
