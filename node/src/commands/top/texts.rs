//! Texts from the node, in columns: a node, or a peer of it, may say anything.

use cairn_client::plain;
use ratatui::text::Span;
use serde_json::Value;

/// Letters of a text that are kept: more than any place shows. The longest are the node's refusals.
const MOST: usize = 400;

/// A text as it is, nothing as a dash, anything else as JSON; as [`shown`].
pub fn text(value: &Value) -> String {
    match value {
        Value::String(said) => shown(said),
        Value::Null => "–".to_owned(),
        other => shown(&other.to_string()),
    }
}

/// A text without what steers a terminal or takes no column of its own (marks that stack upon a letter).
pub fn shown(said: &str) -> String {
    let most: String = said.chars().take(4 * MOST).collect();
    plain(&most).chars().filter(|letter| columns(&letter.to_string()) > 0).take(MOST).collect()
}

/// How many columns a text takes.
pub fn columns(text: &str) -> usize {
    Span::raw(text).width()
}

/// A text in so many columns at most; an ellipsis says that there was more.
pub fn fit(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let (mut cut, mut used) = (String::new(), 0);
    for letter in text.chars() {
        used += columns(&letter.to_string());
        if used + 1 > most {
            break;
        }
        cut.push(letter);
    }
    if most > 0 { cut + "…" } else { cut }
}

/// The beginning and the end of a hash.
pub fn short(hash: &str) -> String {
    let letters: Vec<char> = hash.chars().collect();
    match letters.len() {
        0..=17 => hash.to_owned(),
        length => letters[..8].iter().chain(&['…']).chain(&letters[length - 8..]).collect(),
    }
}

/// A multiaddr as host and port, if it has them.
pub fn address(value: &Value) -> String {
    let said = text(value);
    let parts: Vec<&str> = said.split('/').collect();
    match parts[..] {
        ["", "ip4" | "dns" | "dns4" | "dns6", host, "tcp", port, ..] => format!("{host}:{port}"),
        ["", "ip6", host, "tcp", port, ..] => format!("[{host}]:{port}"),
        ["", "ip4" | "dns" | "dns4" | "dns6", host, "udp", port, ..] => format!("{host}:{port} quic"),
        ["", "ip6", host, "udp", port, ..] => format!("[{host}]:{port} quic"),
        _ => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_hostile_text_takes_the_columns_that_it_shows() {
        let zalgo = format!("a{}b\u{1b}[2J\u{202e}c\nd", "\u{301}\u{338}".repeat(50));
        assert_eq!(text(&json!(zalgo)), "ab[2Jc d");
        assert_eq!(text(&json!("x".repeat(100_000))).len(), MOST);
        assert_eq!(
            [text(&Value::Null), text(&json!(5)), text(&json!({ "a": "\u{7}" }))],
            ["–", "5", "{\"a\":\"\\u0007\"}"]
        );
    }

    #[test]
    fn a_text_that_is_cut_says_so() {
        assert_eq!(
            [fit("garage", 6), fit("garage", 5), fit("garage", 1), fit("garage", 0)],
            ["garage", "gara…", "…", ""]
        );
        // Two columns each.
        assert_eq!([fit("採掘者", 6), fit("採掘者", 5), fit("採掘者", 4)], ["採掘者", "採掘…", "採…"]);
    }

    #[test]
    fn hashes_and_addresses_are_short() {
        assert_eq!(short(&"0123456789abcdef".repeat(4)), "01234567…89abcdef");
        assert_eq!(short("abc"), "abc");
        let shown =
            ["/ip4/10.0.0.1/tcp/30303/p2p/12D3", "/ip6/::1/udp/1/quic-v1", "/dns4/a.org/tcp/9", "/memory/5", "?"]
                .map(|said| address(&json!(said)));
        assert_eq!(shown, ["10.0.0.1:30303", "[::1]:1 quic", "a.org:9", "/memory/5", "?"]);
    }
}
