//! What the HTTP library alone can do, which both servers use.

use std::{convert::Infallible, net::Ipv4Addr, thread};

use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

const RESPONSE: &str = r#"{"jsonrpc":"2.0","id":1,"result":"0x1"}"#;

/// Starts a server that answers every request the same without reading it; returns its port.
pub fn serve() -> u16 {
    let runtime = tokio::runtime::Runtime::new().expect("there are threads");
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("there is a port");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        runtime.block_on(async {
            while let Ok((socket, _)) = listener.accept().await {
                // It measures the library, not Nagle's algorithm.
                let _ = socket.set_nodelay(true);
                let service =
                    service_fn(async |_: Request<Incoming>| Ok::<_, Infallible>(Response::new(RESPONSE.to_owned())));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
            }
        });
    });
    port
}
