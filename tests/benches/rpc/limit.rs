//! A server that reads requests and answers each with the same few bytes, by the library that serves the node's RPC.

use std::{convert::Infallible, future::poll_fn, pin::Pin};

use hyper::{
    Request, Response,
    body::{Body, Incoming},
    header::CONTENT_TYPE,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Serves on a port until the process ends.
pub fn start() -> u16 {
    let runtime = tokio::runtime::Runtime::new().expect("threads start");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("there is a free port");
    let port = listener.local_addr().expect("it listens").port();
    runtime.spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            socket.set_nodelay(true).expect("a socket takes options");
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service_fn(answer)));
        }
    });
    std::mem::forget(runtime);
    port
}

async fn answer(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let mut body = request.into_body();
    while poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await.is_some() {}
    let text = r#"{"jsonrpc":"2.0","id":1,"result":"0xde0b6b3a7640000"}"#;
    let response = Response::builder().header(CONTENT_TYPE, "application/json").body(text.to_owned());
    Ok(response.expect("a header and a text"))
}
