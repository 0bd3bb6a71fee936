//! The listener: bounded connections, Host, Origin and cookie checks, then jsonrpsee.
//!
//! Who may connect is decided in `places`, what one connection may ask and leave unread in `session` and `meter`; browsers
//! are kept away here.

mod body;
mod client;
mod meter;
mod page;
mod places;
pub(super) mod session;
mod version;

use cairn_client::unix;
use hyper::{
    HeaderMap, Method, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use jsonrpsee::{
    core::BoxError,
    server::{
        BatchRequestConfig, HttpBody, HttpRequest, HttpResponse, Methods, PingConfig, Server, ServerConfig,
        ServerHandle, StopHandle, TowerServiceBuilder, http, middleware::rpc::RpcServiceBuilder, stop_channel,
        ws::is_upgrade_request,
    },
    types::error::{INVALID_REQUEST_CODE, METHOD_NOT_FOUND_CODE},
};
use std::{
    convert::Infallible,
    future::poll_fn,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    task::Poll,
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tower::{Service, layer::util::Identity};

use super::{
    access::{Caller, Scope, Secrets},
    pubsub,
};
use crate::stratum::Workers;
use body::Unread;
pub use client::Client;
pub use meter::Batched;
use meter::MeterLayer;
use page::text;
use places::{Places, Seat};
pub use session::Session;
use session::{Socket, Totals};

/// How the RPC listens, and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// Most bytes of a request.
    pub max_body: u32,
    /// Most bytes of a response.
    pub max_response: u32,
    /// Most calls in a batch.
    pub max_batch: u32,
    /// Most connections at a time.
    pub max_connections: u32,
    /// Names that a Host header may have beside addresses and `localhost`; `*` for any.
    pub vhosts: Vec<String>,
    /// Origins of web pages that may call; `*` for any.
    pub cors: Vec<String>,
    /// Whether pages of this machine may call as its programs do: on a development chain, where pages are tested.
    pub pages_here: bool,
    /// Whether the node's own page alone may call as programs of this machine do: on a devnet, which has buttons there.
    pub own_page_here: bool,
    /// Whether the node's own page is served, which may call as any page of `cors`.
    pub page: bool,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            max_body: 5_000_000,
            max_response: 32_000_000,
            max_batch: 1_000,
            max_connections: 400,
            vhosts: Vec::new(),
            cors: Vec::new(),
            pages_here: false,
            own_page_here: false,
            page: true,
        }
    }
}

impl HttpLimits {
    /// Whether a page may call as programs of this machine do.
    fn count_as_here(&self, headers: &HeaderMap, origin: &HeaderValue) -> bool {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        // No names of `--http.vhosts`: others may be served under them.
        let is_own = || origin.to_str().is_ok_and(|origin| is_own_page(&[], host, origin));
        is_page_here(origin) && (self.pages_here || (self.own_page_here && is_own()))
    }
}

/// A connection that sends no request for so long is closed.
const IDLE: Duration = Duration::from_secs(60);
/// A request that takes longer, body and answer, is cut off.
const REQUEST: Duration = Duration::from_secs(120);
/// How long calls in flight may take when the server stops: a client that does not read its answer must not hold it up.
const ANSWERS: Duration = Duration::from_secs(5);
/// A message of anybody by WebSocket may have this fraction of a body: for a head of 14 bytes so much memory is set aside.
const MESSAGE: u32 = 5;
/// Header bytes of a request.
const MAX_HEAD: usize = 64 << 10;

/// Serves the methods until the handle stops it; the task accepts connections.
pub fn serve(
    listener: TcpListener,
    methods: Methods,
    limits: HttpLimits,
    secrets: Secrets,
    workers: Option<Arc<Workers>>,
) -> (ServerHandle, JoinHandle<()>) {
    let (stop, handle) = stop_channel();
    let listening = Listening {
        builder: service(&limits, limits.max_body),
        methods,
        places: Places::new(limits.max_connections),
        totals: Arc::default(),
        limits: Arc::new(limits),
        secrets: Arc::new(secrets),
        workers,
        stop: stop.clone(),
    };
    let accepting = tokio::spawn(async move {
        tokio::select! {
            () = listening.accept(listener) => {}
            () = stop.shutdown() => {}
        }
    });
    (handle, accepting)
}

/// jsonrpsee with our limits, for requests of so many bytes.
fn service(limits: &HttpLimits, max_body: u32) -> Builder {
    let config = ServerConfig::builder()
        .max_request_body_size(max_body)
        .max_response_body_size(limits.max_response)
        // `places` decides; this one would count sessions that were closed and are not over yet.
        .max_connections(limits.max_connections.saturating_mul(2))
        .set_batch_request_config(BatchRequestConfig::Limit(limits.max_batch))
        // Answers wait in tasks beyond it, which the session counts.
        .set_message_buffer_capacity(8)
        .max_subscriptions_per_connection(pubsub::MOST_OF_CONNECTION)
        .enable_ws_ping(PingConfig::new().inactive_limit(Duration::from_secs(90)))
        .build();
    Server::builder().set_config(config).to_service_builder()
}

/// Takes no more calls, and waits until those in flight are answered. Those that wait for what is to come are told that the node
/// stops.
pub async fn finish(server: ServerHandle, stopping: &watch::Sender<bool>) {
    stopping.send_replace(true);
    // It is stopped already if nobody holds it.
    let _ = server.stop();
    if tokio::time::timeout(ANSWERS, server.stopped()).await.is_err() {
        tracing::debug!("calls that took too long were cut off");
    }
}

type Builder = TowerServiceBuilder<Identity, Identity>;

#[derive(Clone)]
struct Listening {
    builder: Builder,
    methods: Methods,
    places: Arc<Places>,
    totals: Arc<Totals>,
    limits: Arc<HttpLimits>,
    secrets: Arc<Secrets>,
    /// For the feeds that widgets of miners read.
    workers: Option<Arc<Workers>>,
    stop: StopHandle,
}

impl Listening {
    async fn accept(&self, listener: TcpListener) {
        loop {
            let Ok((socket, from)) = listener.accept().await else {
                // Out of file descriptors, most likely: connections that end make room.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let session = Session::new(from.ip(), self.limits.max_response, &self.totals);
            let Some(seat) = self.places.seat(&session) else {
                tokio::spawn(turn_away(socket));
                continue;
            };
            // Without it small answers wait for the peer's acknowledgement; a socket that refuses it is closing.
            let _ = socket.set_nodelay(true);
            tokio::spawn(self.clone().converse(Socket::new(socket, session.clone()), session, seat));
        }
    }

    async fn converse(self, socket: Socket, session: Arc<Session>, seat: Seat) {
        let seat = Arc::new(seat);
        let (stop, own) = (self.stop.clone(), session.clone());
        let service = service_fn(move |request: HttpRequest<Incoming>| {
            let this = self.clone();
            let client = Client {
                session: session.clone(),
                caller: Caller::default(),
                is_web_socket: is_upgrade_request(&request),
                error: None,
                _seat: seat.clone(),
            };
            async move { Ok::<_, Infallible>(this.answer(request, client).await) }
        });
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(MAX_HEAD);
        let connection = server.serve_connection(TokioIo::new(socket), service).with_upgrades();
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.shutdown() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "an RPC connection broke");
        }
        // A WebSocket goes on in tasks of its own.
        poll_fn(|context| {
            own.leave(context);
            Poll::Ready(())
        })
        .await;
    }

    async fn answer(self, request: HttpRequest<Incoming>, mut client: Client) -> HttpResponse {
        let origin = match check(&self.limits, request.headers()) {
            Ok(origin) => origin,
            Err(refusal) => return text(StatusCode::FORBIDDEN, refusal),
        };
        if request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        {
            return allow(text(StatusCode::NO_CONTENT, ""), origin);
        }
        let most = self.limits.max_body;
        if body::promised(request.headers()) > u64::from(most) {
            body::discard(request.into_body()).await;
            return http::response::too_large(most);
        }
        if request.method() == Method::GET && request.uri().path().starts_with("/api/") {
            return allow(self.feed(request.uri().path()), origin);
        }
        if self.limits.page && page::is_for_page(request.method()) && !client.is_web_socket {
            return page::answer(request.method(), request.uri().path(), request.headers());
        }
        client.caller = self.caller(request.headers(), &client.session);
        let response = match tokio::time::timeout(REQUEST, self.call(request, client)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                tracing::debug!(%error, "an RPC request broke");
                text(StatusCode::INTERNAL_SERVER_ERROR, "the request could not be served\n")
            }
            Err(_) => text(StatusCode::REQUEST_TIMEOUT, "the request took too long\n"),
        };
        allow(response, origin)
    }

    async fn call(self, request: HttpRequest<Incoming>, mut client: Client) -> Result<HttpResponse, BoxError> {
        let most = self.limits.max_body;
        let supplied = match version::supply(request, most, &client.session).await {
            Ok(supplied) => supplied,
            Err(Unread::TooLong) => return Ok(http::response::too_large(most)),
            Err(Unread::Busy) => return Ok(text(StatusCode::SERVICE_UNAVAILABLE, BUSY)),
            Err(Unread::Late) => return Ok(text(StatusCode::REQUEST_TIMEOUT, "the body took too long\n")),
            Err(Unread::Broken(error)) => return Err(error.into()),
        };
        // A malformed request does not reach the layer.
        let error = supplied.is_older.then(|| Arc::new(AtomicI32::new(INVALID_REQUEST_CODE)));
        client.error.clone_from(&error);
        let has_less = client.is_web_socket && client.caller.scope == Scope::Public;
        let builder = if has_less { service(&self.limits, most / MESSAGE) } else { self.builder };
        let meter = RpcServiceBuilder::new().layer(MeterLayer { max_response: self.limits.max_response, client });
        let mut service = builder.set_rpc_middleware(meter).build(self.methods, self.stop);
        let mut response = service.call(supplied.request).await?;
        // As Bitcoin Core, whose clients look at the status.
        match error.map_or(0, |error| error.load(Ordering::Relaxed)) {
            0 => {}
            _ if response.status() != StatusCode::OK => {}
            METHOD_NOT_FOUND_CODE => *response.status_mut() = StatusCode::NOT_FOUND,
            INVALID_REQUEST_CODE => *response.status_mut() = StatusCode::BAD_REQUEST,
            _ => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
        }
        Ok(response)
    }

    /// What pools answer by HTTP about those who mine.
    fn feed(&self, path: &str) -> HttpResponse {
        let Some(feed) = self.workers.as_ref().and_then(|workers| workers.feed(path, unix())) else {
            return text(StatusCode::NOT_FOUND, "there are /api/info and /api/client/ADDRESS\n");
        };
        let mut response = HttpResponse::new(HttpBody::from(feed.to_string()));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    fn caller(&self, headers: &HeaderMap, session: &Session) -> Caller {
        let origin = page_origin(headers);
        if origin.is_some_and(is_extension) {
            return Scope::Wallet.into();
        }
        let from_here = origin.is_none_or(|origin| self.limits.count_as_here(headers, origin));
        let anybody = match session.ip.is_loopback() && from_here {
            true => Scope::Local,
            false => Scope::Public,
        };
        let Some(authorization) = headers.get(header::AUTHORIZATION) else {
            return anybody.into();
        };
        let opened = authorization.to_str().ok().and_then(|text| self.secrets.scope(text));
        Caller { scope: opened.unwrap_or(anybody), wrong_secret: opened.is_none() }
    }
}

async fn turn_away(mut socket: TcpStream) {
    let answer =
        b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 21\r\n\r\ntoo many connections\n";
    // A client that is gone needs no answer.
    let _ = tokio::time::timeout(Duration::from_secs(1), socket.write_all(answer)).await;
}

const BUSY: &str = "too many large requests at once\n";
const WRONG_HOST: &str =
    "this Host is not served; use an address or localhost, or start the node with --http.vhosts NAME\n";
const WRONG_ORIGIN: &str = "web pages of this Origin may not call; start the node with --http.corsdomain ORIGIN\n";

/// Checks where a request says that it goes and comes from; answers with the origin to allow, if one was asked for.
fn check(limits: &HttpLimits, headers: &HeaderMap) -> Result<Option<HeaderValue>, &'static str> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).ok_or(WRONG_HOST)?;
    if headers.get_all(header::HOST).iter().count() != 1 || !host_is_served(&limits.vhosts, host) {
        return Err(WRONG_HOST);
    }
    let Some(origin) = page_origin(headers) else {
        return Ok(None);
    };
    let text = origin.to_str().map_err(|_| WRONG_ORIGIN)?;
    let is_named = limits.cors.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(text));
    if is_named || (limits.pages_here && is_page_here(origin)) {
        return Ok(Some(origin.clone()));
    }
    // The page of this node needs no CORS headers.
    if limits.page && is_own_page(&limits.vhosts, host, text) {
        return Ok(None);
    }
    // Browser extensions, such as wallets, ask their user; they need no CORS headers.
    if is_extension(origin) { Ok(None) } else { Err(WRONG_ORIGIN) }
}

/// Where the page is from that sends a request. Browsers send an origin with its scheme, or `null`, whatever the page wants; some
/// programs send their name.
fn page_origin(headers: &HeaderMap) -> Option<&HeaderValue> {
    let is_page = |text: &str| text.contains(':') || text.eq_ignore_ascii_case("null");
    headers.get_all(header::ORIGIN).iter().find(|origin| origin.to_str().map_or(true, is_page))
}

/// Whether a page was served by this very node: the request goes where the page came from, by http, since the node speaks no
/// TLS. A page of https with the same name may be another program's. The name must be one that the operator knows. With
/// `--http.vhosts *` a foreign page could make its own name resolve to this machine, and would have its own name in both headers.
fn is_own_page(vhosts: &[String], host: &str, origin: &str) -> bool {
    let named = vhosts.iter().filter(|vhost| *vhost != "*");
    origin.strip_prefix("http://").is_some_and(|from| from.eq_ignore_ascii_case(host)) && host_is_served(named, host)
}

/// Whether a page was served by this machine.
fn is_page_here(origin: &HeaderValue) -> bool {
    let Some((_, host)) = origin.to_str().ok().and_then(|text| text.split_once("://")) else { return false };
    let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_extension(origin: &HeaderValue) -> bool {
    let origin = origin.as_bytes();
    origin.starts_with(b"chrome-extension://") || origin.starts_with(b"moz-extension://")
}

/// Whether a Host header names an address, `localhost` or a configured name. A foreign name means that a web page made
/// it resolve to this machine (DNS rebinding).
fn host_is_served<'a>(vhosts: impl IntoIterator<Item = &'a String>, host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, port)) => (name, port),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok() && port.bytes().all(|byte| byte.is_ascii_digit());
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
        return false;
    }
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || vhosts.into_iter().any(|vhost| vhost == "*" || vhost.eq_ignore_ascii_case(name))
}

/// Adds the CORS headers for an allowed origin.
fn allow(mut response: HttpResponse, origin: Option<HeaderValue>) -> HttpResponse {
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, OPTIONS"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
    }
    response
}

#[cfg(test)]
mod tests;
