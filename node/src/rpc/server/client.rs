//! Who sends a request.

use std::sync::{Arc, atomic::AtomicI32};

use super::{places::Seat, session::Session};
use crate::rpc::access::Caller;

/// One entry of a request's extensions. A WebSocket keeps a copy while it is open, and so its place.
#[derive(Clone)]
pub struct Client {
    /// Its connection.
    pub session: Arc<Session>,
    /// What it may do.
    pub caller: Caller,
    /// Whether the connection is a WebSocket.
    pub is_web_socket: bool,
    /// Where the code of an error is noted, for requests of JSON-RPC 1.0: it becomes a status of HTTP.
    pub error: Option<Arc<AtomicI32>>,
    pub(super) _seat: Arc<Seat>,
}

#[cfg(test)]
impl Client {
    /// A caller of this scope on a connection of its own, without a socket.
    pub fn without_socket(scope: crate::rpc::access::Scope) -> Self {
        static TOTALS: std::sync::LazyLock<Arc<super::session::Totals>> = std::sync::LazyLock::new(Arc::default);
        let session = Session::new(std::net::Ipv4Addr::LOCALHOST.into(), 1 << 20, &TOTALS);
        let seat = super::places::Places::new(1).seat(&session).expect("the first");
        Self { session, caller: scope.into(), is_web_socket: true, error: None, _seat: seat.into() }
    }
}
