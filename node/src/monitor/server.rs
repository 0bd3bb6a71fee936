//! The listener: few connections, each of one request and a few seconds.

use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{interval, sleep, timeout},
};

use super::{Monitor, verdict};

/// Connections that are served at a time. The rest wait in the system's queue, at most as long as those take.
const CONNECTIONS: usize = 16;
/// How long a connection lasts, whatever it does: a scrape takes milliseconds, `/health` up to ten seconds.
const LIFE: Duration = Duration::from_secs(15);
/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(2);
/// Bytes of a request's head; the least that hyper has.
const MAX_HEAD: usize = 8 << 10;
/// How often samples are sorted into their buckets.
const SORT: Duration = Duration::from_secs(5);

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";

/// Serves as long as the node runs.
pub async fn serve(listener: TcpListener, monitor: Arc<Monitor>) {
    tokio::join!(accept(listener, &monitor), sort(&monitor));
}

/// Without scrapes samples would pile up.
async fn sort(monitor: &Monitor) {
    let mut ticks = interval(SORT);
    loop {
        ticks.tick().await;
        let metrics = monitor.metrics;
        // It ends early when the node stops.
        let _ = tokio::task::spawn_blocking(|| metrics.recorder.sort()).await;
    }
}

async fn accept(listener: TcpListener, monitor: &Arc<Monitor>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // Nobody closes it.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((socket, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: connections that end make room.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let monitor = monitor.clone();
        tokio::spawn(async move {
            if timeout(LIFE, converse(socket, monitor)).await.is_err() {
                tracing::debug!("a connection for metrics was cut off");
            }
            drop(place);
        });
    }
}

async fn converse(socket: TcpStream, monitor: Arc<Monitor>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let monitor = monitor.clone();
        async move { Ok::<_, Infallible>(answer(&monitor, request.method(), request.uri().path()).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(MAX_HEAD).keep_alive(false);
    if let Err(error) = server.serve_connection(TokioIo::new(socket), service).await {
        tracing::debug!(%error, "a connection for metrics broke");
    }
}

async fn answer(monitor: &Monitor, method: &Method, path: &str) -> Response<String> {
    if method != Method::GET && method != Method::HEAD {
        return response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET is served here\n".to_owned());
    }
    let (well, said) = match path {
        "/metrics" => return response(StatusCode::OK, TEXT, monitor.scrape().await.to_string()),
        "/health" => verdict(monitor.unhealthy().await, "alive", "failing"),
        "/ready" => verdict(monitor.unready().await, "ready", "not ready"),
        _ => return response(StatusCode::NOT_FOUND, TEXT, "there are /metrics, /health and /ready\n".to_owned()),
    };
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    response(status, JSON, format!("{said}\n"))
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
