//! Lines of stratum: one JSON object each.

use serde_json::{Value, json};

use super::reject::Reject;

/// A request of a miner.
#[derive(Debug, PartialEq)]
pub struct Request {
    /// Its number or text, which the answer repeats.
    pub id: Value,
    /// What it asks.
    pub method: String,
    /// With what.
    pub params: Value,
}

/// A line that is not a request.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// No JSON.
    #[error("expected a JSON object on a line: {0}")]
    Json(String),
    /// JSON of another shape.
    #[error("expected a request with id, method and params: {0}")]
    Shape(&'static str),
}

/// Reads a line; `None` for a response, as some miners send to what they are told.
///
/// # Errors
/// [`MessageError`].
pub fn parse(line: &[u8]) -> Result<Option<Request>, MessageError> {
    // Its depth is bounded by serde_json, its size by the line's.
    let value: Value = serde_json::from_slice(line).map_err(|error| MessageError::Json(error.to_string()))?;
    let Value::Object(mut object) = value else {
        return Err(MessageError::Shape("it is not an object"));
    };
    let id = object.remove("id").unwrap_or_default();
    if id.is_array() || id.is_object() {
        return Err(MessageError::Shape("id is neither a number nor a text"));
    }
    match object.remove("method") {
        Some(Value::String(method)) => {
            Ok(Some(Request { id, method, params: object.remove("params").unwrap_or_default() }))
        }
        None if object.contains_key("result") || object.contains_key("error") => Ok(None),
        _ => Err(MessageError::Shape("method is not a string")),
    }
}

/// The answer to a request.
pub fn answer(id: &Value, result: &Value) -> String {
    line(&json!({"id": id, "result": result, "error": null}))
}

/// The refusal of a request.
pub fn refusal(id: &Value, code: u32, text: &str) -> String {
    line(&json!({"id": id, "result": null, "error": [code, text, null]}))
}

/// The refusal of a share.
pub fn rejection(id: &Value, reject: Reject) -> String {
    refusal(id, reject.code(), &reject.to_string())
}

/// What a miner is told without having asked.
pub fn notification(method: &str, params: &Value) -> String {
    line(&json!({"id": null, "method": method, "params": params}))
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_whatever_its_id_and_params_are() {
        for (id, params) in [("1", "[1]"), ("\"x\"", "5"), ("null", "{}")] {
            let line = format!("{{\"id\":{id},\"method\":\"mining.ping\",\"params\":{params}}}");
            let request = parse(line.as_bytes()).unwrap().unwrap();
            assert_eq!((request.id.to_string(), request.params.to_string()), (id.to_owned(), params.to_owned()));
        }
        let bare = parse(b"{\"method\":\"mining.ping\"}\r").unwrap().unwrap();
        assert_eq!((bare.id, bare.params), (Value::Null, Value::Null));
        assert_eq!(parse(b"{\"id\":1,\"result\":\"minerd/2.5\",\"error\":null}"), Ok(None));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for line in [&b"GET / HTTP/1.1"[..], b"\x16\x03\x01\xff", b"", b"{\"id\":1", b"{\"id\":1}}"] {
            assert!(matches!(parse(line), Err(MessageError::Json(_))), "{line:?}");
        }
        for line in ["[]", "5", "{}", "{\"id\":[],\"method\":\"x\"}", "{\"method\":5}", "{\"id\":1,\"params\":[]}"] {
            assert!(matches!(parse(line.as_bytes()), Err(MessageError::Shape(_))), "{line}");
        }
        let deep = [vec![b'['; 8_000], vec![b']'; 8_000]].concat();
        assert!(matches!(parse(&deep), Err(MessageError::Json(_))));
    }

    #[test]
    fn answers_are_lines_that_miners_know() {
        assert_eq!(answer(&json!(4), &json!(true)), "{\"error\":null,\"id\":4,\"result\":true}\n");
        let stale = "{\"error\":[21,\"stale\",null],\"id\":4,\"result\":null}\n";
        assert_eq!(rejection(&json!(4), Reject::Stale), stale);
    }
}
