//! Values of contracts as people write and read them: `42`, `1.5e18`, `0x…`, `true`, `"text"`, `[1, 2]`, `(1, "a")`.

use alloy_dyn_abi::{DynSolType, DynSolValue};
use alloy_primitives::{B256, Function, I256, Sign, U256};
use chain_core::address::parse_account;
use serde_json::{Value, json};

use crate::input::disguises;

/// Reads the text of a value of a type.
pub fn read(kind: &DynSolType, text: &str) -> Result<DynSolValue, String> {
    let text = if matches!(kind, DynSolType::String) { text } else { text.trim() };
    match kind {
        DynSolType::Bool => match text {
            "true" => Ok(DynSolValue::Bool(true)),
            "false" => Ok(DynSolValue::Bool(false)),
            _ => Err("write true or false".into()),
        },
        DynSolType::Uint(bits) => match text.strip_prefix('-') {
            Some(_) => Err("it must not be negative".into()),
            None => magnitude(text, *bits).map(|number| DynSolValue::Uint(number, *bits)),
        },
        DynSolType::Int(bits) => signed(text, *bits).map(|number| DynSolValue::Int(number, *bits)),
        DynSolType::Address => parse_account(text).map(DynSolValue::Address).map_err(|error| error.to_string()),
        DynSolType::FixedBytes(length) => {
            let mut word = B256::ZERO;
            word[..*length].copy_from_slice(&exactly(text, *length)?);
            Ok(DynSolValue::FixedBytes(word, *length))
        }
        DynSolType::Function => Ok(DynSolValue::Function(Function::from_slice(&exactly(text, 24)?))),
        DynSolType::Bytes => bytes(text).map(DynSolValue::Bytes),
        DynSolType::String => Ok(DynSolValue::String(unquoted(text)?)),
        DynSolType::Array(item) => {
            let items = items(text, '[', ']')?;
            each(items.iter().map(|text| (&**item, *text))).map(DynSolValue::Array)
        }
        DynSolType::FixedArray(item, length) => {
            let items = items(text, '[', ']')?;
            expect_items(items.len(), *length)?;
            each(items.iter().map(|text| (&**item, *text))).map(DynSolValue::FixedArray)
        }
        DynSolType::Tuple(kinds) => {
            let items = items(text, '(', ')')?;
            expect_items(items.len(), kinds.len())?;
            each(kinds.iter().zip(items)).map(DynSolValue::Tuple)
        }
    }
}

fn expect_items(got: usize, expected: usize) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("it must have {expected} items, not {got}")) }
}

fn each<'a>(items: impl Iterator<Item = (&'a DynSolType, &'a str)>) -> Result<Vec<DynSolValue>, String> {
    let read = |(index, (kind, text)): (usize, (&DynSolType, &str))| {
        read(kind, text.trim()).map_err(|reason| format!("item {} ('{}', {kind}): {reason}", index + 1, text.trim()))
    };
    items.enumerate().map(read).collect()
}

/// Reads a whole number: decimal digits, hex digits after `0x`, or a decimal number with an exponent as in `1.5e18`.
fn magnitude(text: &str, bits: usize) -> Result<U256, String> {
    let number = || {
        if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            return plain.then(|| U256::from_str_radix(digits, 16).map_err(drop));
        }
        let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !plain(whole) || !plain(fraction) || number.ends_with('.') || !plain(exponent) {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        // No number of 256 bits has more than 78 digits.
        let zeros = exponent.parse::<usize>().ok().filter(|exponent| *exponent <= 78)?.checked_sub(fraction.len())?;
        Some(U256::from_str_radix(&format!("{whole}{fraction}{}", "0".repeat(zeros)), 10).map_err(drop))
    };
    match number() {
        Some(Ok(number)) if number.bit_len() <= bits => Ok(number),
        Some(_) => Err(format!("it does not fit in {bits} bits")),
        None => Err("not a whole number: write it like 42, 0x2a or 1.5e18".into()),
    }
}

fn signed(text: &str, bits: usize) -> Result<I256, String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (Sign::Negative, digits),
        None => (Sign::Positive, text),
    };
    let number = I256::checked_from_sign_and_abs(sign, magnitude(digits, 256)?);
    let fits = |number: &I256| number.bits() as usize <= bits;
    number.filter(fits).ok_or_else(|| format!("it does not fit in {bits} bits with a sign"))
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.strip_prefix("0x").ok_or("bytes are written in hex after 0x")?;
    hex::decode(digits).map_err(|error| format!("not hexadecimal: {error}"))
}

fn exactly(text: &str, length: usize) -> Result<Vec<u8>, String> {
    let bytes = bytes(text)?;
    if bytes.len() == length { Ok(bytes) } else { Err(format!("it has {} bytes, not {length}", bytes.len())) }
}

/// Text as it stands, or between double quotes with `\"`, `\\`, `\n`, `\t` and codes such as `\u{60}` in it.
fn unquoted(text: &str) -> Result<String, String> {
    let Some(inner) = text.trim().strip_prefix('"') else { return Ok(text.into()) };
    let inner = inner.strip_suffix('"').ok_or("the closing quote is missing")?;
    let (mut out, mut letters) = (String::new(), inner.chars());
    while let Some(letter) = letters.next() {
        out.push(match (letter, letter == '\\') {
            (_, true) => match letters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some(quoted @ ('"' | '\\')) => quoted,
                Some('u') => code(&mut letters).ok_or("a code is written as in \\u{60}")?,
                _ => return Err("a backslash stands before \", \\, n, t or u".into()),
            },
            ('"', _) => return Err("a quote within quotes is written as \\\"".into()),
            (letter, _) => letter,
        });
    }
    Ok(out)
}

/// The letter of a code `{60}`.
fn code(letters: &mut std::str::Chars<'_>) -> Option<char> {
    let (digits, rest) = letters.as_str().strip_prefix('{')?.split_once('}')?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    *letters = rest.chars();
    char::from_u32(u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?)
}

/// Splits what stands between two brackets at its commas, but not within brackets or quotes further inside.
fn items(text: &str, open: char, close: char) -> Result<Vec<&str>, String> {
    let inner = text.strip_prefix(open).and_then(|text| text.strip_suffix(close));
    let inner = inner.ok_or_else(|| format!("write it between {open} and {close}, with commas"))?;
    let (mut items, mut start, mut depth, mut quoted, mut escaped) = (Vec::new(), 0, 0usize, false, false);
    for (at, letter) in inner.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '[' | '(' => depth += 1,
            ']' | ')' => depth = depth.checked_sub(1).ok_or("a bracket is closed that was not opened")?,
            ',' if depth == 0 => {
                items.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if quoted || depth > 0 {
        return Err("a bracket or a quote is not closed".into());
    }
    if !items.is_empty() || !inner.trim().is_empty() {
        items.push(&inner[start..]);
    }
    Ok(items)
}

/// Shows a value as [`read`] reads it. Text is quoted, and nothing in it moves the cursor of a terminal.
pub fn show(value: &DynSolValue) -> String {
    let list = |items: &[DynSolValue]| items.iter().map(show).collect::<Vec<_>>().join(", ");
    match value {
        DynSolValue::Bool(flag) => flag.to_string(),
        DynSolValue::Int(number, _) => number.to_string(),
        DynSolValue::Uint(number, _) => number.to_string(),
        DynSolValue::FixedBytes(word, length) => format!("0x{}", hex::encode(&word[..*length])),
        DynSolValue::Address(address) => address.to_string(),
        DynSolValue::Function(function) => format!("0x{}", hex::encode(function)),
        DynSolValue::Bytes(bytes) => format!("0x{}", hex::encode(bytes)),
        DynSolValue::String(text) => quoted(text),
        DynSolValue::Array(items) | DynSolValue::FixedArray(items) => format!("[{}]", list(items)),
        DynSolValue::Tuple(items) => format!("({})", list(items)),
    }
}

/// Whether a letter of a text could be taken for what stands beside it: a blank other than the common one, or a backtick.
fn is_odd(letter: char) -> bool {
    letter != ' ' && letter.is_whitespace() || matches!(letter, '`' | '\u{2800}')
}

/// Text between quotes; what could disguise it is written as its code. So are backticks: what stands between them is taken for a
/// command of this program, which is shown as it would be typed.
pub fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out += "\\n",
            '\t' => out += "\\t",
            letter if disguises(letter) || is_odd(letter) => out.extend(letter.escape_unicode()),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// A value for programs: numbers as decimal strings, bytes as hex, tuples as arrays.
pub fn as_json(value: &DynSolValue) -> Value {
    match value {
        DynSolValue::Bool(flag) => json!(flag),
        DynSolValue::String(text) => json!(text),
        DynSolValue::Array(items) | DynSolValue::FixedArray(items) | DynSolValue::Tuple(items) => {
            items.iter().map(as_json).collect()
        }
        plain => json!(show(plain)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(kind: &str, text: &str) -> Result<String, String> {
        read(&kind.parse().unwrap(), text).map(|value| show(&value))
    }

    const ALICE: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

    #[test]
    fn reads_what_people_write() {
        for (kind, text, shown) in [
            ("uint256", "42", "42"),
            ("uint8", " 0xff ", "255"),
            ("uint256", "1.5e18", "1500000000000000000"),
            ("uint256", "2E3", "2000"),
            ("uint256", "1.50e1", "15"),
            ("int8", "-128", "-128"),
            ("int256", "-0x10", "-16"),
            ("int256", "-1e3", "-1000"),
            ("bool", "true", "true"),
            ("address", ALICE, ALICE),
            ("address", &ALICE.to_lowercase(), ALICE),
            ("bytes", "0x", "0x"),
            ("bytes", "0xC0ffee", "0xc0ffee"),
            ("bytes4", "0x01020304", "0x01020304"),
            ("string", "two words, (both) plain", "\"two words, (both) plain\""),
            ("string", r#""a \"quoted\" one\n""#, r#""a \"quoted\" one\n""#),
            ("string", "", "\"\""),
            ("string[]", "[ a , b]", "[\"a\", \"b\"]"),
            ("uint256[]", "[]", "[]"),
            ("uint256[]", "[ 1,2 , 3]", "[1, 2, 3]"),
            ("uint8[2][]", "[[1,2],[3,4]]", "[[1, 2], [3, 4]]"),
            ("(uint256,string,(bool,bytes2)[])", r#"(1, "a,)b", [(true,0xabcd)])"#, r#"(1, "a,)b", [(true, 0xabcd)])"#),
        ] {
            assert_eq!(parsed(kind, text), Ok(shown.to_owned()), "{kind} {text}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_value() {
        let no_number = "not a whole number: write it like 42, 0x2a or 1.5e18";
        for (kind, text, reason) in [
            ("uint8", "256", "it does not fit in 8 bits"),
            ("uint256", "1e78", "it does not fit in 256 bits"),
            ("uint256", "1e9999999999999999999", no_number),
            ("uint256", "-1", "it must not be negative"),
            ("uint256", "1_000", no_number),
            ("uint256", "", no_number),
            ("uint256", "1.", no_number),
            ("uint256", "0x", no_number),
            ("uint256", "1.55e1", no_number),
            ("int8", "128", "it does not fit in 8 bits with a sign"),
            ("int8", "-129", "it does not fit in 8 bits with a sign"),
            ("int256", "--1", no_number),
            ("bool", "1", "write true or false"),
            ("bytes", "c0ffee", "bytes are written in hex after 0x"),
            ("bytes4", "0x0102", "it has 2 bytes, not 4"),
            ("uint8[2]", "[1]", "it must have 2 items, not 1"),
            ("(uint8,bool)", "[1,true]", "write it between ( and ), with commas"),
            ("uint8[]", "[1,300]", "item 2 ('300', uint8): it does not fit in 8 bits"),
            ("uint8[]", "[1,]", &format!("item 2 ('', uint8): {no_number}")),
            ("string[]", "[\"a]", "a bracket or a quote is not closed"),
            ("uint8[]", "[1]]", "a bracket is closed that was not opened"),
            ("string", "\"a", "the closing quote is missing"),
            ("string", "\"\\u60\"", "a code is written as in \\u{60}"),
            ("string", "\"\\u{+60}\"", "a code is written as in \\u{60}"),
            ("string", "\"\\u{d800}\"", "a code is written as in \\u{60}"),
        ] {
            assert_eq!(parsed(kind, text), Err(reason.to_owned()), "{kind} {text}");
        }
        // The checksum of EIP-55 is wrong in one letter.
        assert!(parsed("address", &ALICE.replace("0xf39F", "0xf39f")).is_err());
        assert!(parsed("address", "lcrn1abc").is_err());
    }

    #[test]
    fn what_a_contract_answers_cannot_move_the_cursor() {
        assert_eq!(quoted("a\u{1b}[2Jb\r"), r#""a\u{1b}[2Jb\u{d}""#);
        assert_eq!(quoted("1\u{202e}2"), r#""1\u{202e}2""#, "nor turn it round");
        assert_eq!(quoted("a\u{3000}\u{2800}\u{a0} b"), r#""a\u{3000}\u{2800}\u{a0} b""#, "nor look empty");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(
            number in any::<[u8; 32]>(), text in "(?s).{0,20}", blob in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let number = U256::from_be_bytes(number);
            let value = DynSolValue::Tuple(vec![
                DynSolValue::Uint(number, 256),
                DynSolValue::Int(I256::from_raw(number), 256),
                DynSolValue::Array(vec![DynSolValue::String(text.clone()), DynSolValue::String(text)]),
                DynSolValue::Bytes(blob),
            ]);
            let kind = "(uint256,int256,string[],bytes)".parse().unwrap();
            prop_assert_eq!(read(&kind, &show(&value)), Ok(value));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            for kind in ["uint8", "int16", "address", "bytes", "bytes3", "string", "string[]", "(uint8,bool)[2]"] {
                let _ = parsed(kind, &text);
            }
        }
    }
}
