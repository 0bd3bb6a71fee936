//! The page, by HTTP GET on the port of the RPC.

use hyper::{
    HeaderMap, Method, StatusCode,
    header::{self, HeaderValue},
};
use jsonrpsee::server::{HttpBody, HttpResponse};

use crate::page;

/// Scripts and styles of the page's own files, calls to its own node: nothing else is loaded, and no other page frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What goes with every answer.
const HEADERS: [(header::HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    // A new version of the node may serve others; the browser asks with the tag, and is told that nothing changed.
    (header::CACHE_CONTROL, "no-cache"),
];

const NOT_FOUND: &str = "page not found: the node's page is at /; JSON-RPC is served by POST and WebSocket\n";

/// Whether a request is for the page, if it opens no WebSocket: JSON-RPC is POST.
pub fn is_for_page(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// The file at a path.
pub fn answer(method: &Method, path: &str, asked: &HeaderMap) -> HttpResponse {
    let mut response = match page::find(path) {
        Some(file) => serve(file, asked),
        None => text(StatusCode::NOT_FOUND, NOT_FOUND),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if method == Method::HEAD {
        *response.body_mut() = HttpBody::empty();
    }
    response
}

/// An answer in words.
pub fn text(status: StatusCode, body: &'static str) -> HttpResponse {
    let mut response = HttpResponse::new(HttpBody::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

fn serve(file: &'static page::File, asked: &HeaderMap) -> HttpResponse {
    let tag = file.tag();
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let unchanged = known.flat_map(|value| value.split(',')).any(|known| known.trim().trim_start_matches("W/") == tag);
    let body = if unchanged { HttpBody::empty() } else { HttpBody::from(file.text) };
    let mut response = HttpResponse::new(body);
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.media()));
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(file.text.len()));
    }
    response
}
