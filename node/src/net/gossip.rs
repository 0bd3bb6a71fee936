//! Gossiped blocks on their way: bytes of a peer, decoded on a task of their own, judged by the engine.

use chain_core::codec::CodecError;
use libp2p::{
    PeerId,
    gossipsub::{IdentTopic, MessageAcceptance, MessageId, PublishError},
};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

use super::{pace::Paces, peers::Peers, topic::Gossipsub};
use crate::{
    engine::{GossipId, Offence, PeerEvent, Verdict},
    engine_thread::{PeerLink, Refused},
    metrics,
    wire::{CompactBlock, Message},
};

/// Gossiped blocks of one peer that are decoded at a time.
const DECODING: usize = 16;
/// How long a block waits for the engine's verdict.
const PATIENCE: Duration = Duration::from_secs(300);

/// A gossiped block after it was decoded.
pub struct Decoded {
    message: MessageId,
    from: PeerId,
    link: PeerLink,
    block: Result<CompactBlock, CodecError>,
}

/// A gossiped block that the engine has not judged yet.
struct Gossiped {
    message: MessageId,
    from: PeerId,
    since: Instant,
}

/// Gossiped blocks that are being decoded or judged.
pub struct BlockGossip {
    topic: IdentTopic,
    waiting: HashMap<GossipId, Gossiped>,
    last: u64,
    paces: Paces,
    decoder: mpsc::UnboundedSender<Decoded>,
}

impl BlockGossip {
    /// Of a topic; what is decoded comes out of the receiver. Of each peer, few blocks are being decoded. Of those that are dropped
    /// the engine gets the headers: gossip drops the copies of other peers as duplicates.
    pub fn new(topic: IdentTopic) -> (Self, mpsc::UnboundedReceiver<Decoded>) {
        let (decoder, decoded) = mpsc::unbounded_channel();
        (Self { topic, waiting: HashMap::new(), last: 0, paces: Paces::default(), decoder }, decoded)
    }

    /// A peer gossiped bytes. They are decoded on a task of their own, since all peers wait for the shell's. Returns what the peer
    /// did wrong.
    pub fn receive(
        &mut self,
        protocol: &mut Gossipsub,
        peers: &mut Peers,
        (from, message, bytes): (PeerId, MessageId, Vec<u8>),
    ) -> Option<Offence> {
        let Some(peer) = peers.get(&from) else {
            ignore(protocol, &message, &from);
            return None;
        };
        if !self.paces.take(from, peer.ip(), Instant::now(), bytes.len()) {
            peer.miss(&bytes);
            ignore(protocol, &message, &from);
            return Some(Offence::TooMany("blocks"));
        }
        if peer.decoding >= DECODING {
            peer.miss(&bytes);
            ignore(protocol, &message, &from);
            return None;
        }
        peer.decoding += 1;
        if let Some(metrics) = metrics::on() {
            metrics.net.received("compact_block", bytes.len());
        }
        let (decoder, link) = (self.decoder.clone(), peer.link.clone());
        tokio::spawn(async move {
            // The shell may have ended.
            let _ = decoder.send(Decoded { message, from, link, block: CompactBlock::decode(&bytes) });
        });
        None
    }

    /// A gossiped block was decoded, or is malformed: hands it to the engine. Returns what its peer did wrong.
    pub fn decoded(
        &mut self,
        protocol: &mut Gossipsub,
        peers: &mut Peers,
        Decoded { message, from, link, block }: Decoded,
    ) -> Option<(PeerId, Offence)> {
        let Some(peer) = peers.get(&from) else {
            ignore(protocol, &message, &from);
            if let Ok(block) = block {
                // The engine may have stopped.
                let _ = link.try_send(PeerEvent::Missed(vec![block.header]));
            }
            return None;
        };
        peer.decoding = peer.decoding.saturating_sub(1);
        let block = match block {
            Ok(block) => block,
            Err(error) => {
                protocol.report_message_validation_result(&message, &from, MessageAcceptance::Reject);
                return peer.malformed(error).map(|offence| (from, offence));
            }
        };
        self.last += 1;
        let id = GossipId(self.last);
        match peer.link.try_send(PeerEvent::Gossip(id, block)) {
            Ok(()) => _ = self.waiting.insert(id, Gossiped { message, from, since: Instant::now() }),
            Err(Refused::Full(PeerEvent::Gossip(_, block))) => {
                peer.missed.push(block.header);
                ignore(protocol, &message, &from);
            }
            Err(_) => {}
        }
        None
    }

    /// The engine has judged a block. Returns the peer that was the first to bring it, if it is good.
    pub fn judge(&mut self, protocol: &mut Gossipsub, id: GossipId, verdict: Verdict) -> Option<PeerId> {
        let Gossiped { message, from, .. } = self.waiting.remove(&id)?;
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Reject => MessageAcceptance::Reject,
            Verdict::Ignore => MessageAcceptance::Ignore,
        };
        protocol.report_message_validation_result(&message, &from, acceptance);
        (verdict == Verdict::Accept).then_some(from)
    }

    /// Forgets blocks of which the engine says nothing.
    pub fn expire(&mut self, now: Instant) {
        self.waiting.retain(|_, gossiped| now.duration_since(gossiped.since) < PATIENCE);
    }

    /// Spreads a block.
    pub fn publish(&self, protocol: &mut Gossipsub, block: &CompactBlock) {
        let bytes = block.encode();
        if let Some(metrics) = metrics::on() {
            metrics.net.sent(block.name(), bytes.len());
        }
        match protocol.publish(self.topic.hash(), bytes) {
            Ok(_) | Err(PublishError::Duplicate | PublishError::NoPeersSubscribedToTopic) => {}
            Err(error) => tracing::debug!(%error, "a block was not gossiped to everybody"),
        }
    }
}

fn ignore(protocol: &mut Gossipsub, message: &MessageId, from: &PeerId) {
    protocol.report_message_validation_result(message, from, MessageAcceptance::Ignore);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine,
        engine_thread::EngineHandle,
        mempool::MempoolConfig,
        net::{
            behaviour,
            names::Names,
            peers::{Origin, Peer},
        },
        store::{Store, StoreConfig},
    };
    use chain_core::{Bytes, block::header::Header, hash::BlockHash, spec::ChainSpec};
    use std::sync::Arc;

    fn form(number: u32) -> CompactBlock {
        let header = Header { nonce: number, ..Header::from_bytes(&[0; 80]) };
        CompactBlock { header, coinbase: Bytes::new(), short_ids: Vec::new() }
    }

    #[tokio::test]
    async fn of_blocks_without_room_the_headers_are_kept() {
        let spec = ChainSpec::dev();
        let store = Store::in_memory(&spec, &StoreConfig::default()).unwrap();
        let engine = EngineHandle::start(store, spec, MempoolConfig::default()).unwrap();
        let names = Names::new(&BlockHash([0; 32]));
        let (mut protocol, (mut gossip, _decoded)) =
            (behaviour::gossip(&names).gossipsub, BlockGossip::new(names.blocks.clone()));
        let (mut peers, id, number) = (Peers::default(), PeerId::random(), engine::PeerId(1));
        let address = "/ip4/9.9.9.9/tcp/1".parse().unwrap();
        peers.insert(
            id,
            Peer::new(number, engine::Payer(1), engine.peer(number), Origin::Inbound, address, Arc::default()),
        );
        // This task does not end before it is awaited, so that none of them is decoded.
        for number in 0..20 {
            let bytes = form(number).encode();
            assert_eq!(gossip.receive(&mut protocol, &mut peers, (id, MessageId::new(&[]), bytes)), None);
        }
        assert!(peers.somebody_waits());
        let missed: Vec<u32> = peers.get(&id).unwrap().missed.iter().map(|header| header.nonce).collect();
        assert_eq!(missed, [16, 17, 18, 19]);
        peers.tell_missed();
        assert!(!peers.somebody_waits());
    }
}
