//! Why the network does not start.

use std::{io, net::SocketAddr, path::PathBuf};

/// Why the network did not start.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The node's key cannot be used.
    #[error("the node's key {}: {reason}", .file.display())]
    Key {
        /// Where it is.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Another program listens there.
    #[error("{0} is in use by another program, perhaps another node: stop it, or choose another port with --port {1}")]
    PortInUse(SocketAddr, u16),
    /// It cannot be listened there.
    #[error("cannot listen for peers on {address}: {reason}; choose with --listen and --port")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// The system gives no sockets.
    #[error("cannot start the network: {0}")]
    Io(#[from] io::Error),
    /// The engine has ended.
    #[error(transparent)]
    Stopped(#[from] crate::engine::Stopped),
}
