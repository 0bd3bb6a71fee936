//! Gossip on one topic. The library's whitelist filters subscriptions only: it keeps messages of any topic, and their ids for minutes,
//! before it finds that the node has not subscribed to it. So a peer could fill the memory, or gossip a block's bytes on another topic
//! first and have the block dropped as a duplicate.

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    gossipsub::{self, IdentityTransform, MessageId, TopicHash, WhitelistSubscriptionFilter},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent,
        ToSwarm,
    },
};
use std::{
    collections::VecDeque,
    task::{Context, Poll},
};

/// The library's protocol.
pub type Gossipsub = gossipsub::Behaviour<IdentityTransform, WhitelistSubscriptionFilter>;

type Received = THandlerOutEvent<Gossipsub>;

/// What happens on the topic.
#[derive(Debug)]
pub enum TopicEvent {
    /// A peer sent a message that is not a duplicate.
    Message(PeerId, MessageId, Vec<u8>),
    /// The library reports something else.
    Other,
    /// A peer sent a message of another topic. The packet that it came in is dropped.
    Foreign(PeerId),
}

impl From<gossipsub::Event> for TopicEvent {
    fn from(event: gossipsub::Event) -> Self {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                Self::Message(propagation_source, message_id, message.data)
            }
            _ => Self::Other,
        }
    }
}

/// Gossip on one topic.
pub struct Topic {
    /// The library's part.
    pub gossipsub: Gossipsub,
    topic: TopicHash,
    foreign: VecDeque<PeerId>,
}

impl Topic {
    /// On this topic alone.
    pub fn new(gossipsub: Gossipsub, topic: TopicHash) -> Self {
        Self { gossipsub, topic, foreign: VecDeque::new() }
    }

    /// Whether all messages of a packet are of the topic. An honest node sends a message only to subscribers of its topic.
    fn is_own(&self, received: &Received) -> bool {
        match received {
            Received::Message { rpc, invalid_messages } => {
                let invalid = invalid_messages.iter().map(|(message, _)| message);
                rpc.messages.iter().chain(invalid).all(|message| message.topic == self.topic)
            }
            _ => true,
        }
    }
}

impl NetworkBehaviour for Topic {
    type ConnectionHandler = <Gossipsub as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = TopicEvent;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.gossipsub.handle_established_inbound_connection(id, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.gossipsub.handle_established_outbound_connection(id, peer, remote, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        self.gossipsub.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: Received) {
        if self.is_own(&event) {
            self.gossipsub.on_connection_handler_event(peer, id, event);
        } else {
            self.foreign.push_back(peer);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<TopicEvent, THandlerInEvent<Self>>> {
        if let Some(peer) = self.foreign.pop_front() {
            return Poll::Ready(ToSwarm::GenerateEvent(TopicEvent::Foreign(peer)));
        }
        self.gossipsub.poll(context).map(|event| event.map_out(TopicEvent::from))
    }
}
