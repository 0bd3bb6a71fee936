//! How bytes travel: TCP under noise and Yamux, and QUIC, which brings TLS and streams of its own.

use libp2p::{
    PeerId, Transport,
    core::{muxing::StreamMuxerBox, transport::Boxed, upgrade::Version},
    futures::future::Either,
    identity::Keypair,
    noise, quic, tcp,
};
use std::{sync::Arc, time::Duration};

use super::{
    count::Counters,
    knocks::{Knocks, Transport as Interruptible},
    mux::Yamux,
};

/// Peers that have not completed the handshake by then are disconnected.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The transport of a node with this key.
///
/// # Errors
/// If the key cannot sign.
pub fn build(
    key: &Keypair,
    counters: Arc<Counters>,
    knocks: Knocks,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, noise::Error> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(key)?)
        .multiplex(Yamux)
        .timeout(HANDSHAKE);
    let quic = quic::tokio::Transport::new(quic_config(key));
    let either = tcp.or_transport(quic).map(move |either, _| match either {
        Either::Left((peer, muxer)) => (peer, StreamMuxerBox::new(counters.count(peer, muxer))),
        Either::Right((peer, muxer)) => (peer, StreamMuxerBox::new(counters.count(peer, muxer))),
    });
    Ok(Interruptible::new(either.boxed(), knocks).boxed())
}

/// The same bounds as [`Yamux`] has.
fn quic_config(key: &Keypair) -> quic::Config {
    let mut config = quic::Config::new(key);
    config.handshake_timeout = HANDSHAKE;
    config.max_concurrent_stream_limit = 64;
    config.max_stream_data = 4 << 20;
    config.max_connection_data = 16 << 20;
    config
}
