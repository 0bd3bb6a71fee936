//! Compact blocks: made of blocks, and made into blocks again from the pool and from what one more question brings.

use chain_core::{
    Bytes, block::Block, check::HashedBlock, codec, hash::BlockHash, headers::Status, merkle, transaction::Transaction,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{bodies::Flight, requests::Question, serve::MOST};
use crate::{
    engine::{Engine, InboundId, Offence, PeerAction, PeerId, error::Fatal},
    store::BlockRef,
    wire::{CompactBlock, Message, Request, Response, ShortId, ShortIds},
};

/// Blocks that may wait for missing transactions.
pub(super) const PARTIALS: usize = 8;

/// Peers that may wait for the transactions of one block that is not whole here either.
const WAITERS: usize = 16;

/// A block of which transactions are missing.
#[derive(Debug)]
pub(super) struct Partial {
    compact: CompactBlock,
    coinbase: Transaction,
    /// The others, as far as they are here.
    slots: Vec<Option<Arc<Transaction>>>,
    /// Who was asked for what is missing.
    peer: PeerId,
    waiters: Vec<(PeerId, InboundId, Vec<u32>)>,
}

/// Blocks that wait, by hash.
pub(super) type Partials = BTreeMap<BlockHash, Partial>;

/// What a compact block turned out to be.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once and never kept")]
pub(super) enum Rebuilt {
    /// All is here, and fits the header.
    Whole(Box<HashedBlock>),
    /// All is here, and does not fit.
    Wrong,
    /// Some is missing, or ambiguous.
    Part(Partial),
}

/// The compact form of a block; `None` if even that is too large.
pub(super) fn compact(block: &Block) -> Option<CompactBlock> {
    let (coinbase, others) = block.transactions.split_first()?;
    let short = ShortIds::of_block(&block.hash());
    let short_ids = others.iter().map(|transaction| short.id(&merkle::leaf(transaction))).collect();
    let coinbase = Bytes::from(coinbase.encode());
    let compact = CompactBlock { header: block.header, coinbase, short_ids };
    let bytes = compact.coinbase.len() + size_of::<ShortId>() * compact.short_ids.len() + 128;
    (bytes <= CompactBlock::MOST_BYTES).then_some(compact)
}

impl Partial {
    /// Positions of what is missing; the coinbase has position 0.
    fn missing(&self) -> Vec<u32> {
        let empty = (1..).zip(&self.slots).filter(|(_, slot)| slot.is_none());
        empty.map(|(position, _)| position).collect()
    }

    /// The whole block, if nothing is missing; hashed.
    fn whole(&self) -> Option<HashedBlock> {
        let others = self.slots.iter().map(|slot| slot.as_deref().cloned());
        let transactions: Option<Vec<_>> = std::iter::once(Some(self.coinbase.clone())).chain(others).collect();
        Some(HashedBlock::new(Block { header: self.compact.header, transactions: transactions? }))
    }
}

impl Engine {
    /// Puts a compact block together from the pool. `None` if its coinbase is none.
    pub(super) fn rebuild(&self, peer: PeerId, compact: &CompactBlock) -> Option<Rebuilt> {
        let coinbase: Transaction = codec::decode(&compact.coinbase).ok()?;
        if !matches!(coinbase, Transaction::Coinbase(_)) {
            return None;
        }
        let hash = compact.header.hash();
        let short = ShortIds::of_block(&hash);
        let mut places: HashMap<ShortId, Option<usize>> = HashMap::with_capacity(compact.short_ids.len());
        for (place, id) in compact.short_ids.iter().enumerate() {
            // An id that stands for two places stands for none.
            places.entry(*id).and_modify(|known| *known = None).or_insert(Some(place));
        }
        let mut slots: Vec<Option<Arc<Transaction>>> = vec![None; compact.short_ids.len()];
        for (txid, leaf) in self.mempool.leaves() {
            let id = short.id(leaf);
            let Some(known) = places.get_mut(&id) else { continue };
            let Some(place) = *known else { continue };
            if slots[place].is_some() {
                // Two of the pool fit: neither is taken.
                slots[place] = None;
                *known = None;
            } else {
                slots[place] = self.mempool.transaction(txid).cloned();
            }
        }
        let partial = Partial { compact: compact.clone(), coinbase, slots, peer, waiters: Vec::new() };
        Some(match partial.whole() {
            Some(block) if block.fits_header() => Rebuilt::Whole(Box::new(block)),
            Some(_) => Rebuilt::Wrong,
            None => Rebuilt::Part(partial),
        })
    }

    /// Asks for what is missing of a block, if that is worth it; else the whole block is fetched as any other.
    pub(super) fn complete(&mut self, hash: BlockHash, partial: Partial) {
        let (peer, missing) = (partial.peer, partial.missing());
        let able = self.relay.peers.get(&peer).is_some_and(|peer| peer.claim.is_some());
        let worth = missing.len() * 3 <= partial.slots.len() * 2 || missing.len() <= 16;
        let Some(info) = self.tree.get(&hash).filter(|_| able && worth) else { return };
        if self.relay.partials.len() >= PARTIALS || self.relay.partials.contains_key(&hash) {
            return;
        }
        let flight = Flight { height: info.height, peer };
        if !self.relay.bodies.reserve(hash, flight) {
            return;
        }
        self.relay.partials.insert(hash, partial);
        let request = Request::BlockTransactions { block: hash, positions: missing };
        self.ask_peer(peer, Question::BlockTransactions(hash), request);
    }

    /// Missing transactions came.
    pub(super) fn on_block_transactions_answer(
        &mut self,
        id: PeerId,
        hash: BlockHash,
        came: &[Bytes],
    ) -> Result<(), Fatal> {
        let Some(mut partial) = self.relay.partials.remove(&hash) else { return Ok(()) };
        let missing = partial.missing();
        if came.len() != missing.len() {
            self.penalize(id, Offence::WrongAnswer("transactions of a block"));
            return self.give_up(hash, partial);
        }
        let Some(transactions) = self.decode_transactions(id, came) else { return self.give_up(hash, partial) };
        for (position, (_, transaction)) in missing.into_iter().zip(transactions) {
            partial.slots[position as usize - 1] = Some(transaction);
        }
        match partial.whole().filter(HashedBlock::fits_header) {
            Some(block) => {
                self.relay.bodies.land(&hash, partial.peer);
                self.take_rebuilt(block)?;
                self.answer_waiters(hash, partial)
            }
            None => self.give_up(hash, partial),
        }
    }

    /// Takes in a block that was put together. Who passed it on is not to blame for it: blocks are passed on before they
    /// are executed.
    pub(super) fn take_rebuilt(&mut self, block: HashedBlock) -> Result<(), Fatal> {
        let bytes = Bytes::from(codec::encode(block.block()));
        self.take_downloaded(vec![(block, bytes)])?;
        Ok(())
    }

    /// A block that may have been waiting here for missing transactions is whole.
    pub(super) fn finish(&mut self, hash: BlockHash, block: HashedBlock) -> Result<(), Fatal> {
        self.take_rebuilt(block)?;
        match self.relay.partials.remove(&hash) {
            Some(partial) => {
                self.relay.bodies.land(&hash, partial.peer);
                self.answer_waiters(hash, partial)
            }
            None => Ok(()),
        }
    }

    /// The block cannot be put together: it is fetched as any other.
    fn give_up(&mut self, hash: BlockHash, partial: Partial) -> Result<(), Fatal> {
        self.free_flights(partial.peer, &[hash], None);
        self.answer_waiters(hash, partial)
    }

    /// What was missing of a block does not come.
    pub(super) fn on_no_block_transactions(&mut self, hash: BlockHash) -> Result<(), Fatal> {
        match self.relay.partials.remove(&hash) {
            Some(partial) => self.give_up(hash, partial),
            None => Ok(()),
        }
    }

    fn answer_waiters(&mut self, hash: BlockHash, partial: Partial) -> Result<(), Fatal> {
        for (peer, id, positions) in partial.waiters {
            let response = self.block_transactions(peer, hash, &positions)?;
            self.tell_peer(PeerAction::Respond(peer, id, response));
        }
        Ok(())
    }

    /// A peer asks for transactions of a block. If they are on their way here, it waits for them.
    pub(super) fn on_block_transactions_request(
        &mut self,
        peer: PeerId,
        id: InboundId,
        hash: BlockHash,
        positions: Vec<u32>,
    ) -> Result<(), Fatal> {
        if let Some(partial) = self.relay.partials.get_mut(&hash)
            && partial.waiters.len() < WAITERS
            && partial.waiters.iter().all(|(other, ..)| *other != peer)
        {
            partial.waiters.push((peer, id, positions));
            return Ok(());
        }
        let response = self.block_transactions(peer, hash, &positions)?;
        self.tell_peer(PeerAction::Respond(peer, id, response));
        Ok(())
    }

    fn block_transactions(&mut self, peer: PeerId, hash: BlockHash, positions: &[u32]) -> Result<Response, Fatal> {
        let Some(info) = self.tree.get(&hash) else { return Ok(Response::Unknown) };
        if !matches!(info.status, Status::Valid | Status::BodyStored) {
            return Ok(Response::Unknown);
        }
        let read;
        let block = match self.ready.get(&hash) {
            Some(checked) => checked.block(),
            None => match self.store.body(BlockRef { height: info.height, hash })? {
                Some(block) => {
                    read = block;
                    &read
                }
                None => return Ok(Response::Unknown),
            },
        };
        let (mut encoded, mut bytes, mut next) = (Vec::new(), 0, 0);
        for position in positions {
            let Some(transaction) = block.transactions.get(*position as usize).filter(|_| *position >= next) else {
                self.penalize(peer, Offence::WrongQuestion("transactions of a block"));
                return Ok(Response::Unknown);
            };
            next = position + 1;
            let transaction = Bytes::from(transaction.encode());
            bytes += transaction.len() + 8;
            encoded.push(transaction);
        }
        Ok(if bytes <= MOST { Response::Transactions(encoded) } else { Response::Unknown })
    }
}
