//! Tells each peer something else: two blocks for every one that it finds, and a different standing to each who asks.

use cairn_node::{
    engine::{PeerAction, PeerEvent, PeerId},
    wire::{Request, Response, Status},
};
use chain_core::{U256, block::Block, transaction::Transaction};

use super::{
    Strategy,
    forger::{Bodies, compact},
};
use crate::world::Context;

/// An equivocator.
#[derive(Default)]
pub(super) struct Equivocator {
    bodies: Bodies,
}

fn vary(context: &mut Context<'_>, status: Status) -> Status {
    if context.random().chance(0.9) {
        return status;
    }
    let more = U256::from(context.random().below(1_000));
    Status { height: status.height + 1, work: status.work + more, ..status }
}

impl Strategy for Equivocator {
    fn found(&mut self, context: &mut Context<'_>, block: Block) -> Option<Block> {
        let mut twin = block.clone();
        if let Some(Transaction::Coinbase(coinbase)) = twin.transactions.first_mut() {
            coinbase.extra.push(0xee);
        }
        context.chain().reroot(&mut twin);
        context.note_find(&twin);
        let messages = [compact(&block), compact(&twin)];
        self.bodies.keep(block.clone());
        self.bodies.keep(twin);
        for (index, peer) in context.peers().into_iter().enumerate() {
            context.gossip(peer, &messages[index % 2]);
        }
        Some(block)
    }

    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        self.bodies.receive(context, peer, event)
    }

    fn act(&mut self, context: &mut Context<'_>, action: PeerAction) -> Option<PeerAction> {
        match action {
            PeerAction::Gossip(block) if self.bodies.contains(&block.header.hash()) => None,
            PeerAction::Request(peer, id, Request::Status(status)) => {
                let status = vary(context, status);
                Some(PeerAction::Request(peer, id, Request::Status(status)))
            }
            PeerAction::Respond(peer, id, Response::Status(status)) => {
                let status = vary(context, status);
                Some(PeerAction::Respond(peer, id, Response::Status(status)))
            }
            action => Some(action),
        }
    }
}
