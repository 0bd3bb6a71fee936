//! What is wrong with JSON from outside, in the words of JSON: serde names types of Rust, which say nothing to users.

use crate::plain;

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
    if let Some(most) = exceeded(found, expected) {
        let found = found.replacen("floating point", "the number", 1);
        let number = found.split_once(": ").map_or(found.as_str(), |(_, number)| number);
        return format!("too large: {}, the largest allowed is {most}{place}", bounded(number));
    }
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

/// The largest number of a type, if that is what a number of the text is above. What needs more than 64 bits comes as a float.
fn exceeded(found: &str, expected: &str) -> Option<u64> {
    let most = match expected {
        "u8" => u8::MAX.into(),
        "u16" => u16::MAX.into(),
        "u32" => u32::MAX.into(),
        "i64" => i64::MAX.unsigned_abs(),
        "u64" | "usize" => u64::MAX,
        _ => return None,
    };
    let number = found.strip_suffix('`')?.rsplit_once('`')?.1;
    let above = match number.parse::<u64>() {
        Ok(number) => number > most,
        // 2^64, exactly: no float lies between it and the largest number of 64 bits.
        Err(_) => number.parse::<f64>().is_ok_and(|number| number >= 18_446_744_073_709_551_616.0),
    };
    above.then_some(most)
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, de::DeserializeOwned};
    use serde_json::Value;

    use super::*;

    fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
        let value: Value = serde_json::from_slice(text).map_err(|error| fault(&error))?;
        T::deserialize(value).map_err(|error| fault(&error))
    }

    #[test]
    fn a_fault_repeats_no_more_of_a_text_than_it_takes_to_know_it() {
        let json = format!("{{\"count\": \"{}\"}}", "x".repeat(100_000));
        let said = read::<std::collections::BTreeMap<String, u32>>(json.as_bytes()).unwrap_err();
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
        assert!(read::<Row>(good.as_bytes()).is_ok());
        for (part, instead, says) in [
            ("1, \"kind", "\"x\", \"kind", "invalid type: string \"x\", expected a whole number"),
            ("1, \"kind", "1.5, \"kind", "invalid type: the number `1.5`, expected a whole number"),
            ("1, \"kind", "-1, \"kind", "invalid value: integer `-1`, expected a whole number"),
            (
                "1, \"kind",
                "18446744073709551615, \"kind",
                "too large: integer `18446744073709551615`, the largest allowed is 4294967295",
            ),
            ("1, \"kind", "1e30, \"kind", "too large: the number `1e+30`, the largest allowed is 4294967295"),
            ("[1, 2]", "[1, 256]", "too large: integer `256`, the largest allowed is 255"),
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
            assert_eq!(read::<Row>(good.replacen(part, instead, 1).as_bytes()).unwrap_err(), says);
        }
        assert_eq!(read::<Row>(b"5").unwrap_err(), "invalid type: integer `5`, expected an object");
        assert_eq!(read::<Row>(b"{").unwrap_err(), "EOF while parsing an object at line 1 column 1");
    }
}
