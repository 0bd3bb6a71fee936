//! Mines blocks that break a rule, gossips them, and hands their bodies out to all who ask.

use cairn_lab::random::Random;
use cairn_node::{
    engine::{PeerEvent, PeerId},
    wire::{Body, CompactBlock, Request, Response, ShortIds},
};
use chain_core::{
    B256, Bytes,
    block::{Block, merkle},
    codec,
    hash::{BlockHash, TxId},
    transaction::{
        Transaction,
        coin::{CoinTransaction, KeyBytes, Lock, OutPoint, Output, Signature, Witness},
    },
    units::Amount,
};
use std::collections::BTreeMap;

use super::Strategy;
use crate::{chain::Chain, world::Context};

/// Most blocks whose bodies it keeps.
const KEPT: usize = 64;

/// A forger.
#[derive(Default)]
pub(super) struct Forger {
    pub(super) bodies: Bodies,
    babbles: Option<bool>,
}

/// Blocks that are not in the node's engine, to be handed out all the same.
#[derive(Default)]
pub(super) struct Bodies(BTreeMap<BlockHash, Block>);

impl Bodies {
    pub(super) fn keep(&mut self, block: Block) {
        if self.0.len() >= KEPT {
            self.0.pop_first();
        }
        self.0.insert(block.hash(), block);
    }

    pub(super) fn contains(&self, hash: &BlockHash) -> bool {
        self.0.contains_key(hash)
    }

    /// Answers what is asked of these blocks; leaves the rest to the engine.
    pub(super) fn receive(&self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        let (id, response) = match &event {
            PeerEvent::Request(id, Request::Blocks(hashes)) => {
                let Some(block) = hashes.first().and_then(|hash| self.0.get(hash)) else { return Some(event) };
                (*id, Response::Blocks(vec![Body::new(codec::encode(block))]))
            }
            PeerEvent::Request(id, Request::BlockTransactions { block, positions }) => {
                let Some(block) = self.0.get(block) else { return Some(event) };
                let at = |position: &u32| block.transactions.get(*position as usize);
                let encoded = positions.iter().filter_map(at).map(|transaction| Bytes::from(transaction.encode()));
                (*id, Response::Transactions(encoded.collect()))
            }
            _ => return Some(event),
        };
        context.respond(peer, id, response);
        None
    }
}

/// A block as it is gossiped.
pub(super) fn compact(block: &Block) -> CompactBlock {
    let ids = ShortIds::of_block(&block.hash());
    let coinbase = block.transactions.first().map(Transaction::encode).unwrap_or_default();
    let short_ids = block.transactions.iter().skip(1).map(|transaction| ids.id(&merkle::leaf(transaction))).collect();
    CompactBlock { header: block.header, coinbase: coinbase.into(), short_ids }
}

/// Breaks a rule, and says which.
fn forge(chain: &Chain, block: &mut Block, random: &mut Random) -> &'static str {
    let what = random.below(11);
    if let Some(Transaction::Coinbase(coinbase)) = block.transactions.first_mut() {
        match what {
            0 => coinbase.state_root = B256::from(random.bytes()),
            1 => coinbase
                .outputs
                .iter_mut()
                .for_each(|output| output.amount = Amount::from_grains(output.amount.grains() + 1)),
            2 => coinbase.height += 1,
            _ => {}
        }
    }
    match what {
        3 => block.transactions.extend_from_within(block.transactions.len() - 1..),
        4 => block.transactions.push(fancied(random)),
        5 => block.header.time = block.header.time.saturating_sub(5_000),
        6 => block.header.time = block.header.time.saturating_add(5_000),
        // So far ahead that no node keeps it until its time comes.
        10 => block.header.time = u32::MAX - 100,
        7 => block.header.bits = chain.spec.pow_limit_bits,
        _ => {}
    }
    chain.reroot(block);
    match what {
        8 => {
            block.header.merkle_root = random.bytes();
            chain.solve(block);
        }
        9 => chain.unsolve(block),
        _ => {}
    }
    [
        "state root",
        "greed",
        "height",
        "repetition",
        "no coin",
        "past",
        "future",
        "bits",
        "merkle root",
        "no work",
        "far future",
    ][what as usize]
}

/// Spends a coin that does not exist.
fn fancied(random: &mut Random) -> Transaction {
    Transaction::Coin(CoinTransaction {
        inputs: vec![OutPoint { txid: TxId(random.bytes()), index: 0 }],
        outputs: vec![Output { amount: Amount::from_grains(1), lock: Lock::Key(KeyBytes(random.bytes())) }],
        witnesses: vec![Witness::Key(Signature::from([7; 64]))],
    })
}

impl Strategy for Forger {
    fn found(&mut self, context: &mut Context<'_>, mut block: Block) -> Option<Block> {
        let chain = context.chain();
        let what = forge(&chain, &mut block, context.random());
        context.log(|| format!("forges {} ({what})", block.hash()));
        let forged = compact(&block);
        self.bodies.keep(block);
        for peer in context.peers() {
            context.gossip(peer, &forged);
        }
        None
    }

    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        self.bodies.receive(context, peer, event)
    }

    fn timer(&mut self, context: &mut Context<'_>) {
        let drawn = context.random().chance(0.3);
        if *self.babbles.get_or_insert(drawn) {
            let gossip = context.random().chance(0.5);
            context.peers().into_iter().for_each(|peer| context.babble(peer, gossip));
            let pause = context.random().between(10_000, 60_000);
            context.wake_after(pause);
        }
    }
}
