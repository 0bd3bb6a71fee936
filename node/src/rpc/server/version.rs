//! The version of JSON-RPC in requests that name none, or an older one.
//!
//! Bitcoin's miners send JSON-RPC 1.0, which has no field `jsonrpc`, and others name "1.0" or "1.1" as Bitcoin Core accepts
//! it; jsonrpsee insists on "2.0".

use hyper::{
    HeaderMap, Method,
    body::{Body, Incoming},
    header,
};
use jsonrpsee::{
    core::BoxError,
    server::{HttpBody, HttpRequest},
};
use std::{future::poll_fn, pin::Pin};

/// What a request that names no version is given after its first brace.
const VERSION: &[u8] = br#""jsonrpc":"2.0","#;
const FIELD: &[u8] = br#""jsonrpc""#;
/// Bytes of a version, with its quotation marks.
const OLDER: usize = 5;

/// How long the sender says that the body is; a body in chunks may be as long as any.
/// jsonrpsee reads lengths of up to 32 bits and waits for the rest.
pub fn promised(headers: &HeaderMap) -> u64 {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.map_or(0, |length| length.parse().unwrap_or(u64::MAX))
}

/// Supplies the version where it lacks. Only to a body whose length was promised, which the caller has checked.
pub async fn supply(request: HttpRequest<Incoming>) -> Result<HttpRequest<HttpBody>, BoxError> {
    let (mut parts, body) = request.into_parts();
    let promised = promised(&parts.headers);
    if parts.method != Method::POST || promised == 0 {
        return Ok(HttpRequest::from_parts(parts, HttpBody::new(body)));
    }
    let text = with_version(read(body).await?);
    parts.headers.insert(header::CONTENT_LENGTH, text.len().into());
    Ok(HttpRequest::from_parts(parts, HttpBody::from(text)))
}

/// The whole body. hyper reads no more than was promised.
async fn read(mut body: Incoming) -> Result<Vec<u8>, hyper::Error> {
    let mut text = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        // Trailers are no part of the text.
        if let Ok(data) = frame?.into_data() {
            text.extend_from_slice(&data);
        }
    }
    Ok(text)
}

fn with_version(mut text: Vec<u8>) -> Vec<u8> {
    let Some((b'{', rest)) = text.trim_ascii_start().split_first() else { return text };
    let Some(field) = text.windows(FIELD.len()).position(|window| window == FIELD) else {
        // An empty object stays invalid.
        return [b"{", VERSION, rest].concat();
    };
    let value = text[field + FIELD.len()..].trim_ascii_start();
    let value = value.strip_prefix(b":").map(<[u8]>::trim_ascii_start);
    if let Some([b'"', b'1', b'.', b'0' | b'1', b'"', after @ ..]) = value {
        let start = text.len() - after.len() - OLDER;
        text[start..start + OLDER].copy_from_slice(b"\"2.0\"");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supplied(text: &str) -> String {
        String::from_utf8(with_version(text.into())).unwrap()
    }

    #[test]
    fn a_request_without_a_version_gets_one() {
        assert_eq!(supplied(" \r\n{\"id\":0}\r\n"), "{\"jsonrpc\":\"2.0\",\"id\":0}\r\n");
    }

    #[test]
    fn an_older_version_becomes_this_one() {
        assert_eq!(supplied(r#"{"jsonrpc" : "1.0","id":0}"#), r#"{"jsonrpc" : "2.0","id":0}"#);
        assert_eq!(supplied(r#"{"id":"jsonrpc","jsonrpc":"1.1"}"#), r#"{"id":"jsonrpc","jsonrpc":"1.1"}"#);
        assert_eq!(supplied(r#"{"id":1,"jsonrpc":"1.1"}"#), r#"{"id":1,"jsonrpc":"2.0"}"#);
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
            "x{",
            "\"{\"",
        ] {
            assert_eq!(supplied(text), text);
        }
    }
}
