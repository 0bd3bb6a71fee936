//! Yamux with a bounded receive window: what one peer can make this node buffer is known. The wrapper that comes with
//! libp2p leaves the bound at 1 GiB a connection.

use futures::{
    AsyncRead, AsyncWrite,
    future::{Ready, ready},
    ready as poll_ready,
};
use libp2p::core::{
    muxing::{StreamMuxer, StreamMuxerEvent},
    upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo},
};
use std::{
    collections::VecDeque,
    convert::Infallible,
    iter::{Once, once},
    pin::Pin,
    task::{Context, Poll, Waker},
};
use yamux::{Config, Connection, ConnectionError, Mode, Stream};

/// Streams that a connection may have open.
const STREAMS: usize = 64;
/// Bytes that may be on their way to this node over one connection: Yamux's default window for each stream.
const WINDOW: usize = STREAMS * (256 << 10);

/// Upgrades a connection to Yamux.
#[derive(Clone, Copy, Debug)]
pub struct Yamux;

impl Yamux {
    fn muxer<C: AsyncRead + AsyncWrite + Unpin>(io: C, mode: Mode) -> Muxer<C> {
        let mut config = Config::default();
        config.set_max_num_streams(STREAMS).set_max_connection_receive_window(Some(WINDOW));
        Muxer { connection: Connection::new(io, config, mode), waiting: VecDeque::new(), waker: None }
    }
}

impl UpgradeInfo for Yamux {
    type Info = &'static str;
    type InfoIter = Once<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> InboundConnectionUpgrade<C> for Yamux {
    type Output = Muxer<C>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, io: C, _: Self::Info) -> Self::Future {
        ready(Ok(Self::muxer(io, Mode::Server)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> OutboundConnectionUpgrade<C> for Yamux {
    type Output = Muxer<C>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, io: C, _: Self::Info) -> Self::Future {
        ready(Ok(Self::muxer(io, Mode::Client)))
    }
}

/// A connection of many streams.
pub struct Muxer<C> {
    connection: Connection<C>,
    /// Streams that the peer opened and nobody took yet. As many as may be open fit.
    waiting: VecDeque<Stream>,
    waker: Option<Waker>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Muxer<C> {
    fn next(&mut self, context: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        let stream = poll_ready!(self.connection.poll_next_inbound(context));
        Poll::Ready(stream.unwrap_or(Err(ConnectionError::Closed)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = Stream;
    type Error = ConnectionError;

    fn poll_inbound(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        if let Some(stream) = self.waiting.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        let next = self.next(context);
        if next.is_pending() {
            self.waker = Some(context.waker().clone());
        }
        next
    }

    fn poll_outbound(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        self.connection.poll_new_outbound(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        self.connection.poll_close(context)
    }

    /// Drives the connection whether or not somebody wants streams.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, ConnectionError>> {
        let stream = poll_ready!(self.next(context))?;
        if self.waiting.len() < STREAMS {
            self.waiting.push_back(stream);
            self.waker.take().inspect(Waker::wake_by_ref);
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
