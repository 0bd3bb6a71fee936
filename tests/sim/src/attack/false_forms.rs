//! Lies about honest blocks: false compact forms under their headers, and false bodies.

use cairn_lab::random::Random;
use cairn_node::{
    engine::{PeerEvent, PeerId},
    store::BlockRef,
    wire::{Body, CompactBlock, Request, Response, ShortId},
};
use chain_core::{
    Bytes,
    block::{Block, header::Header},
    codec,
    hash::BlockHash,
};

use super::Strategy;
use crate::world::Context;

/// Sends everybody a false form of each block that it hears of, before the honest one.
pub(super) struct FalseForms;

fn short_id(random: &mut Random) -> ShortId {
    let bytes = random.bytes();
    ShortId(std::array::from_fn(|at| bytes[at]))
}

/// Another form under the same header.
fn falsify(honest: &CompactBlock, random: &mut Random) -> CompactBlock {
    let mut form = honest.clone();
    match random.below(4) {
        0 => drop(form.short_ids.pop()),
        1 => form.short_ids.extend(honest.short_ids.last().copied()),
        2 => form.coinbase = Bytes::copy_from_slice(&random.bytes()),
        _ => form.short_ids.push(short_id(random)),
    }
    if form == *honest {
        form.short_ids.push(short_id(random));
    }
    form
}

impl Strategy for FalseForms {
    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        if let PeerEvent::Gossip(_, honest) = &event {
            for other in context.peers().into_iter().filter(|other| *other != peer) {
                let form = falsify(honest, context.random());
                context.gossip(other, &form);
            }
        }
        Some(event)
    }

    fn found(&mut self, context: &mut Context<'_>, block: Block) -> Option<Block> {
        let honest = super::forger::compact(&block);
        for (index, peer) in context.peers().into_iter().enumerate() {
            let form = if index % 2 == 0 { falsify(&honest, context.random()) } else { honest.clone() };
            context.gossip(peer, &form);
        }
        Some(block)
    }
}

/// What is asked for first, if the node has it.
fn body(context: &mut Context<'_>, hashes: &[BlockHash]) -> Option<Vec<u8>> {
    let engine = context.engine()?;
    let hash = *hashes.first()?;
    let height = engine.chain().tree().get(&hash)?.height;
    engine.store().body_bytes(BlockRef { height, hash }).ok().flatten()
}

/// Hands out bodies that are false under right headers (CVE-2012-2459), or encoded otherwise.
pub(super) struct Mutator;

fn mutate(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    let what = random.below(4);
    if what == 0 {
        bytes.push(0);
        return bytes;
    }
    if what == 1 {
        // The number of transactions, in more bytes than it takes.
        let count = bytes[Header::SIZE];
        bytes.splice(Header::SIZE..=Header::SIZE, [251, count, 0]);
        return bytes;
    }
    let Ok(mut block) = codec::decode::<Block>(&bytes) else { return bytes };
    if what == 2 {
        block.transactions.clear();
    } else {
        block.transactions.extend_from_within(block.transactions.len() - 1..);
    }
    codec::encode(&block)
}

impl Strategy for Mutator {
    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        let PeerEvent::Request(id, Request::Blocks(hashes)) = &event else { return Some(event) };
        let Some(bytes) = body(context, hashes) else { return Some(event) };
        let mutated = mutate(bytes, context.random());
        context.respond(peer, *id, Response::Blocks(vec![Body::new(mutated)]));
        None
    }
}
