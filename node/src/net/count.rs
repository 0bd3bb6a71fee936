//! Counts the bytes that go over the streams of all peers and of each, over TCP and QUIC alike. What encryption and
//! multiplexing add is not counted.

use futures::{AsyncRead, AsyncWrite};
use libp2p::{
    PeerId,
    core::muxing::{StreamMuxer, StreamMuxerEvent},
};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

/// Bytes since the start.
#[derive(Debug, Default)]
pub struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Traffic {
    /// Bytes received.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// The counters of all connections.
#[derive(Debug, Default)]
pub struct Counters {
    /// All together.
    pub all: Arc<Traffic>,
    /// Those of each peer, as long as somebody holds them.
    peers: Mutex<HashMap<PeerId, Weak<Traffic>>>,
}

impl Counters {
    /// The counter of a peer: all its connections share it.
    pub fn of(&self, peer: PeerId) -> Arc<Traffic> {
        let mut peers = self.peers.lock();
        if let Some(traffic) = peers.get(&peer).and_then(Weak::upgrade) {
            return traffic;
        }
        // Keys cost nothing, so those of connections that ended are dropped.
        peers.retain(|_, traffic| traffic.strong_count() > 0);
        let traffic = Arc::new(Traffic::default());
        peers.insert(peer, Arc::downgrade(&traffic));
        traffic
    }

    /// A connection with a peer, counted from now on.
    pub fn count<M>(&self, peer: PeerId, muxer: M) -> Counted<M> {
        Counted { inner: muxer, counters: [self.all.clone(), self.of(peer)] }
    }
}

/// A connection, or a stream of one, whose bytes are counted.
pub struct Counted<T> {
    inner: T,
    counters: [Arc<Traffic>; 2],
}

impl<T> Counted<T> {
    fn add(&self, counter: fn(&Traffic) -> &AtomicU64, result: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = result {
            self.counters.iter().for_each(|traffic| _ = counter(traffic).fetch_add(*bytes as u64, Ordering::Relaxed));
        }
    }

    fn stream<S, E>(&self, opened: Poll<Result<S, E>>) -> Poll<Result<Counted<S>, E>> {
        opened.map_ok(|inner| Counted { inner, counters: self.counters.clone() })
    }
}

impl<M: StreamMuxer<Substream: Unpin> + Unpin> StreamMuxer for Counted<M> {
    type Substream = Counted<M::Substream>;
    type Error = M::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Self::Substream, M::Error>> {
        let opened = Pin::new(&mut self.inner).poll_inbound(context);
        self.stream(opened)
    }

    fn poll_outbound(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Self::Substream, M::Error>> {
        let opened = Pin::new(&mut self.inner).poll_outbound(context);
        self.stream(opened)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), M::Error>> {
        Pin::new(&mut self.inner).poll_close(context)
    }

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, M::Error>> {
        Pin::new(&mut self.inner).poll(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_read(context, bytes);
        self.add(|traffic| &traffic.received, &result);
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.add(|traffic| &traffic.sent, &result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.add(|traffic| &traffic.sent, &result);
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{AsyncReadExt, AsyncWriteExt, executor::block_on, io::Cursor};

    #[test]
    fn bytes_are_counted_for_the_peer_and_for_all() {
        let counters = Counters::default();
        let (one, other) = (PeerId::random(), PeerId::random());
        let own = counters.of(one);
        let mut stream = counters.count(one, Cursor::new(vec![7; 30]));
        block_on(stream.read_exact(&mut [0; 20])).unwrap();
        block_on(counters.count(other, Cursor::new(vec![0; 5])).write_all(&[1; 4])).unwrap();
        assert_eq!((own.received(), own.sent()), (20, 0));
        assert_eq!((counters.all.received(), counters.all.sent()), (20, 4));
    }

    #[test]
    fn counters_of_peers_that_left_are_dropped() {
        let counters = Counters::default();
        (0..1_000).for_each(|_| drop(counters.of(PeerId::random())));
        assert_eq!(counters.peers.lock().len(), 1);
    }
}
