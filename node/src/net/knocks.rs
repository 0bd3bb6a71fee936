//! Connections that others are opening: each can be given up before its handshake is over, to make room for the next.

use futures::{
    FutureExt,
    future::{AbortHandle, Abortable, BoxFuture},
};
use libp2p::{
    Multiaddr, PeerId, TransportError,
    core::{
        muxing::StreamMuxerBox,
        transport::{Boxed, DialOpts, ListenerId, TransportEvent},
    },
};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

type Output = (PeerId, StreamMuxerBox);
type Inner = Boxed<Output>;

/// Handshakes of others that are under way, by where they come from. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Knocks(Arc<Mutex<HashMap<Multiaddr, AbortHandle>>>);

impl Knocks {
    /// Aborts the handshake with the peer at this address.
    pub fn give_up(&self, from: &Multiaddr) {
        self.0.lock().get(from).inspect(|handle| handle.abort());
    }

    fn guard(&self, from: Multiaddr, handle: AbortHandle) -> Handshake {
        self.0.lock().insert(from.clone(), handle);
        Handshake { knocks: self.clone(), from }
    }
}

/// Forgets a handshake that is over, however it ended.
struct Handshake {
    knocks: Knocks,
    from: Multiaddr,
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.knocks.0.lock().remove(&self.from);
    }
}

/// A transport whose handshakes can be given up.
pub struct Transport {
    inner: Inner,
    knocks: Knocks,
}

impl Transport {
    /// Wraps a transport.
    pub fn new(inner: Inner, knocks: Knocks) -> Self {
        Self { inner, knocks }
    }
}

impl libp2p::core::Transport for Transport {
    type Output = Output;
    type Error = io::Error;
    type ListenerUpgrade = BoxFuture<'static, io::Result<Output>>;
    type Dial = <Inner as libp2p::core::Transport>::Dial;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        self.inner.dial(address, options)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        let event = futures::ready!(Pin::new(&mut self.inner).poll(context));
        Poll::Ready(match event {
            TransportEvent::Incoming { listener_id, upgrade, local_addr, send_back_addr } => {
                let (handle, registration) = AbortHandle::new_pair();
                let guard = self.knocks.guard(send_back_addr.clone(), handle);
                let upgrade = async move {
                    let _guard = guard;
                    let done = Abortable::new(upgrade, registration).await;
                    done.unwrap_or_else(|_| Err(io::Error::other("given up to make room for others")))
                };
                TransportEvent::Incoming { listener_id, upgrade: upgrade.boxed(), local_addr, send_back_addr }
            }
            event => event.map_upgrade(|upgrade| upgrade.boxed()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_is_forgotten_when_it_is_over() {
        let (knocks, from) = (Knocks::default(), "/ip4/1.2.3.4/tcp/5".parse::<Multiaddr>().unwrap());
        let (handle, _registration) = AbortHandle::new_pair();
        let guard = knocks.guard(from.clone(), handle.clone());
        assert!(!handle.is_aborted());
        knocks.give_up(&from);
        assert!(handle.is_aborted());
        drop(guard);
        assert!(knocks.0.lock().is_empty());
        knocks.give_up(&from);
    }
}
