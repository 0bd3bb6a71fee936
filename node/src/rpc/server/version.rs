//! The version of JSON-RPC in requests that name none.
//!
//! Bitcoin's miners send JSON-RPC 1.0, which has no field `jsonrpc`; jsonrpsee insists on it.

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

fn with_version(text: Vec<u8>) -> Vec<u8> {
    let start = text.trim_ascii_start();
    match start.split_first() {
        Some((b'{', rest)) if !text.windows(FIELD.len()).any(|window| window == FIELD) => {
            // An empty object stays invalid.
            [b"{", VERSION, rest].concat()
        }
        _ => text,
    }
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
    fn other_bodies_stay_as_they_are() {
        for text in ["", " ", "[{\"id\":0}]", "{\"id\":0,\"jsonrpc\":\"2.0\"}", "{\"jsonrpc\": \"1.0\"}", "x{", "\"{\""]
        {
            assert_eq!(supplied(text), text);
        }
    }
}
