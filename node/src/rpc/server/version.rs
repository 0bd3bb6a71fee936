//! The version of JSON-RPC in requests that name none, or an older one.
//!
//! Bitcoin's miners send JSON-RPC 1.0, which has no field `jsonrpc`, and others name "1.0" or "1.1" as Bitcoin Core accepts
//! it; jsonrpsee insists on "2.0".

use hyper::{Method, body::Incoming, header};
use jsonrpsee::server::{HttpBody, HttpRequest};

use super::{
    body::{Unread, promised, read},
    session::{Asked, Session},
};

/// What a request that names no version is given after its first brace.
const VERSION: &[u8] = br#""jsonrpc":"2.0","#;
const FIELD: &[u8] = br#""jsonrpc""#;
/// Bytes of a version, with its quotation marks.
const OLDER: usize = 5;

/// A request that has a version.
pub struct Supplied {
    /// The request.
    pub request: HttpRequest<HttpBody>,
    /// Whether it named none, or an older one.
    pub is_older: bool,
    /// Counts the body while it is in memory.
    _asked: Option<Asked>,
}

/// Supplies the version where it lacks. The caller has checked the length that was promised.
///
/// # Errors
/// [`Unread`].
pub async fn supply(request: HttpRequest<Incoming>, most: u32, session: &Session) -> Result<Supplied, Unread> {
    let (mut parts, body) = request.into_parts();
    let in_chunks = parts.headers.contains_key(header::TRANSFER_ENCODING);
    if parts.method != Method::POST || promised(&parts.headers) == 0 && !in_chunks {
        let request = HttpRequest::from_parts(parts, HttpBody::new(body));
        return Ok(Supplied { request, is_older: false, _asked: None });
    }
    let (text, asked) = read(body, most as usize, session).await?;
    let (text, is_older) = with_version(text);
    parts.headers.remove(header::TRANSFER_ENCODING);
    parts.headers.insert(header::CONTENT_LENGTH, text.len().into());
    Ok(Supplied { request: HttpRequest::from_parts(parts, HttpBody::from(text)), is_older, _asked: Some(asked) })
}

/// The text with a version, and whether that is another than it had.
fn with_version(mut text: Vec<u8>) -> (Vec<u8>, bool) {
    let Some((b'{', rest)) = text.trim_ascii_start().split_first() else { return (text, false) };
    let Some(value) = version_at(&text) else {
        // An empty object stays invalid.
        return ([b"{", VERSION, rest].concat(), true);
    };
    let is_older = matches!(text[value..], [b'"', b'1', b'.', b'0' | b'1', b'"', ..]);
    if is_older {
        text[value..value + OLDER].copy_from_slice(b"\"2.0\"");
    }
    (text, is_older)
}

/// Where the value of the outermost object's member `jsonrpc` begins, if it has one: parameters and ids may hold the word, too.
fn version_at(text: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            // jsonrpsee refuses what closes more than it opens.
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b'"' => {
                let end = string_end(text, at)?;
                let after = skip_blanks(text, end);
                if depth == 1 && text[at..end] == *FIELD && text.get(after) == Some(&b':') {
                    return Some(skip_blanks(text, after + 1));
                }
                at = after;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Behind the string that begins here.
fn string_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn skip_blanks(text: &[u8], from: usize) -> usize {
    text.len() - text[from..].trim_ascii_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supplied(text: &str) -> String {
        String::from_utf8(with_version(text.into()).0).unwrap()
    }

    #[test]
    fn a_request_without_a_version_gets_one() {
        assert_eq!(supplied(" \r\n{\"id\":0}\r\n"), "{\"jsonrpc\":\"2.0\",\"id\":0}\r\n");
    }

    #[test]
    fn an_older_version_becomes_this_one() {
        assert_eq!(supplied(r#"{"jsonrpc" : "1.0","id":0}"#), r#"{"jsonrpc" : "2.0","id":0}"#);
        assert_eq!(supplied(r#"{"id":"jsonrpc","jsonrpc":"1.1"}"#), r#"{"id":"jsonrpc","jsonrpc":"2.0"}"#);
        assert_eq!(supplied(r#"{"id":1,"jsonrpc":"1.1"}"#), r#"{"id":1,"jsonrpc":"2.0"}"#);
    }

    #[test]
    fn what_parameters_and_strings_hold_is_left_alone() {
        for (sent, expected) in [
            // Nothing but the outermost object's member is a version.
            (
                r#"{"params":{"jsonrpc":"1.0"},"id":1,"jsonrpc":"1.0"}"#,
                r#"{"params":{"jsonrpc":"1.0"},"id":1,"jsonrpc":"2.0"}"#,
            ),
            (r#"{"params":[{"jsonrpc":"1.0"}],"id":1}"#, r#"{"jsonrpc":"2.0","params":[{"jsonrpc":"1.0"}],"id":1}"#),
            (r#"{"id":"jsonrpc"}"#, r#"{"jsonrpc":"2.0","id":"jsonrpc"}"#),
            // Brackets and quotation marks within strings.
            (r#"{"id":"}{\"jsonrpc\":","jsonrpc":"1.0"}"#, r#"{"id":"}{\"jsonrpc\":","jsonrpc":"2.0"}"#),
            (r#"{"id":"\\","params":["]"],"jsonrpc":"1.1"}"#, r#"{"id":"\\","params":["]"],"jsonrpc":"2.0"}"#),
        ] {
            assert_eq!(supplied(sent), expected);
        }
    }

    #[test]
    fn text_that_breaks_off_anywhere_is_not_read_beyond_its_end() {
        let whole = r#" {"a":["\"",{"b":"\\"}],"jsonrpc" : "1.0"}"#;
        (0..whole.len()).for_each(|end| _ = supplied(&whole[..end]));
    }

    #[test]
    fn other_bodies_stay_as_they_are() {
        for text in [
            "",
            " ",
            "[{\"id\":0}]",
            "{\"id\":0,\"jsonrpc\":\"2.0\"}",
            "{\"jsonrpc\": \"1.2\"}",
            "{\"jsonrpc\":",
            "{\"jsonrpc\" :  ",
            "x{",
            "\"{\"",
        ] {
            assert_eq!(supplied(text), text);
        }
    }
}
