//! What the network tells the engine of peers, and what the engine wants of the network.

use chain_core::codec::CodecError;

use super::{Offence, PeerId};
use crate::wire::{CompactBlock, Request, Response};

/// Joins our question to its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Joins a peer's question to our answer; given by the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InboundId(pub u64);

/// Joins a gossiped message to our verdict; given by the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GossipId(pub u64);

/// Who pays for what a peer asks: connections of one owner share it, one after the other as well as at a time. Given by the
/// network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Payer(pub u64);

/// Why there is a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The peer opened it, and says first where it stands.
    Inbound,
    /// We opened it to ask for other peers. The peer is not preferred: an answer to a search named it.
    Passing,
    /// We opened it to have this peer.
    Chosen,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// None came in time.
    Timeout,
    /// The connection or the peer refused it.
    Refused,
    /// It is no message.
    Malformed(CodecError),
}

/// What a peer did.
#[derive(Clone, Debug)]
pub enum PeerEvent {
    /// There is a connection.
    Connected(Side, Payer),
    /// There is none any more. Nothing else comes of this peer until it is connected again.
    Disconnected,
    /// It asks; [`PeerAction::Respond`] answers, sooner or later, exactly once while the peer is connected.
    Request(InboundId, Request),
    /// It answers what [`PeerAction::Request`] asked, or does not. Comes exactly once while the peer is connected; the
    /// network's limit of time may be generous, for the engine has its own.
    Response(RequestId, Result<Response, Failure>),
    /// It passed on a block; [`PeerAction::Judge`] says what becomes of it, exactly once.
    Gossip(GossipId, CompactBlock),
    /// It sent bytes that are no message, other than in an answer.
    Malformed(CodecError),
}

/// What the network does with a gossiped block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Passes it on.
    Accept,
    /// Drops it, and holds it against whoever passed it on.
    Reject,
    /// Drops it.
    Ignore,
}

/// What the engine wants of the network.
#[derive(Clone, Debug)]
pub enum PeerAction {
    /// Ask a peer.
    Request(PeerId, RequestId, Request),
    /// Answer a peer.
    Respond(PeerId, InboundId, Response),
    /// Publish a block that nobody sent by gossip: our own, or one that came by download.
    Gossip(CompactBlock),
    /// Say what becomes of a gossiped block.
    Judge(PeerId, GossipId, Verdict),
    /// Hold [`Offence::points`] against a peer: at 100 it is banned.
    Penalize(PeerId, Offence),
    /// End the connection, without a ban.
    Disconnect(PeerId, String),
}
