//! Compact blocks: made of blocks, and made into blocks again from the pool and from what one more question brings.

use chain_core::{
    Bytes,
    block::{
        Block,
        check::{HashedBlock, decode_block},
        merkle,
    },
    codec,
    hash::BlockHash,
    headers::{HeaderInfo, Status},
    transaction::Transaction,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{requests::Question, serve::MOST, work::PeerWork};
use crate::{
    engine::{Engine, Offence, PeerId, error::Fatal},
    store::BlockRef,
    wire::{CompactBlock, Message, Request, Response, ShortId, ShortIds},
};

/// Forms that may wait for missing transactions, of all blocks and of one. Several of one block, since the peer whose form
/// came first may be silent on purpose; the last place is for a peer that this node chose.
pub(super) const PARTIALS: usize = 8;
const PARTIALS_OF_BLOCK: usize = 3;

/// A block of which transactions are missing, in the form that one peer sent.
#[derive(Debug)]
pub(super) struct Partial {
    compact: CompactBlock,
    coinbase: Transaction,
    /// The others, as far as they are here.
    slots: Vec<Option<Arc<Transaction>>>,
    /// Who sent the form, and was asked for what is missing.
    peer: PeerId,
}

/// Blocks that wait, by hash and peer.
pub(super) type Partials = BTreeMap<(BlockHash, PeerId), Partial>;

/// What a compact block turned out to be.
pub(super) enum Rebuilt {
    /// All is here, and fits the header.
    Whole(Box<HashedBlock>),
    /// All is here and does not fit, or the coinbase is none. The form is false, unless short ids collide.
    Wrong,
    /// Some is missing, or ambiguous.
    Part(Box<Partial>),
}

/// The compact form of a block; `None` if even that is too large.
pub(super) fn compact(block: &Block) -> Option<CompactBlock> {
    let (coinbase, others) = block.transactions.split_first()?;
    let short = ShortIds::of_block(&block.hash());
    let short_ids = others.iter().map(|transaction| short.id(&merkle::leaf(transaction))).collect();
    let coinbase = Bytes::from(coinbase.encode());
    let compact = CompactBlock { header: block.header, coinbase, short_ids };
    (bytes(&compact) <= CompactBlock::MOST_BYTES).then_some(compact)
}

/// How long a compact form is, and a little more.
pub(super) fn bytes(compact: &CompactBlock) -> usize {
    compact.coinbase.len() + size_of::<ShortId>() * compact.short_ids.len() + 128
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
    /// Puts a compact block together from the pool.
    pub(super) fn rebuild(&mut self, peer: PeerId, compact: CompactBlock) -> Rebuilt {
        let Ok(coinbase @ Transaction::Coinbase(_)) = codec::decode(&compact.coinbase) else { return Rebuilt::Wrong };
        let hash = compact.header.hash();
        let short = ShortIds::of_block(&hash);
        let mut places: HashMap<ShortId, Option<usize>> = HashMap::with_capacity(compact.short_ids.len());
        for (place, id) in compact.short_ids.iter().enumerate() {
            // An id that stands for two places stands for none.
            places.entry(*id).and_modify(|known| *known = None).or_insert(Some(place));
        }
        let mut slots: Vec<Option<Arc<Transaction>>> = vec![None; compact.short_ids.len()];
        let mut work = PeerWork { base: 2, leaves: compact.short_ids.len() as u64, ..PeerWork::default() };
        for (txid, leaf) in self.mempool.leaves() {
            work.leaves += 1;
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
        self.charge(peer, &work);
        let partial = Partial { compact, coinbase, slots, peer };
        match partial.whole() {
            Some(block) if block.fits_header() => Rebuilt::Whole(Box::new(block)),
            Some(_) => Rebuilt::Wrong,
            None => Rebuilt::Part(Box::new(partial)),
        }
    }

    /// Asks for what is missing of a block, if that is worth it; else the whole block is fetched as any other.
    pub(super) fn complete(&mut self, hash: BlockHash, partial: Partial) {
        let (peer, missing) = (partial.peer, partial.missing());
        let Some(asked) = self.relay.peers.get(&peer).filter(|peer| peer.claim.is_some()) else { return };
        let worth = missing.len() * 3 <= partial.slots.len() * 2 || missing.len() <= 16;
        let Some(info) = self.tree.get(&hash).filter(|_| worth) else { return };
        let waiting = self.partials_of(&hash).count();
        let room = PARTIALS_OF_BLOCK - usize::from(!asked.chosen());
        if self.relay.partials.len() >= PARTIALS || waiting >= room || self.relay.partials.contains_key(&(hash, peer)) {
            return;
        }
        // Nobody else is asked for the whole block meanwhile, nor if somebody is already.
        let key = (info.height, hash);
        if waiting == 0 && !self.relay.bodies.reserve(key, peer) {
            return;
        }
        self.relay.partials.insert((hash, peer), partial);
        let request = Request::BlockTransactions { block: hash, positions: missing };
        self.ask_peer(peer, Question::BlockTransactions(hash), request);
    }

    fn partials_of(&self, hash: &BlockHash) -> impl Iterator<Item = PeerId> {
        let (first, last) = ((*hash, PeerId(0)), (*hash, PeerId(u64::MAX)));
        self.relay.partials.range(first..=last).map(|((_, peer), _)| *peer)
    }

    /// Missing transactions came.
    pub(super) fn on_block_transactions_answer(
        &mut self,
        id: PeerId,
        hash: BlockHash,
        came: &[Bytes],
    ) -> Result<(), Fatal> {
        let Some(mut partial) = self.relay.partials.remove(&(hash, id)) else { return Ok(()) };
        match self.fill(&mut partial, came) {
            Ok(()) => {}
            Err(offence) => {
                self.penalize(id, offence);
                self.give_up(hash, id, None);
                return Ok(());
            }
        }
        match partial.whole().filter(HashedBlock::fits_header) {
            Some(block) => {
                let whole = block.block().clone();
                self.take_rebuilt(block)?;
                if self.tree.get(&hash).is_some_and(|info| info.status == Status::BodyStored) {
                    // If the form was false, the block's own is published in its place.
                    self.pass_on(hash, &whole);
                } else {
                    self.give_up(hash, id, None);
                }
            }
            None => self.give_up(hash, id, None),
        }
        Ok(())
    }

    /// Puts what came in its places.
    fn fill(&self, partial: &mut Partial, came: &[Bytes]) -> Result<(), Offence> {
        let wrong = || Offence::WrongAnswer("transactions of a block");
        let missing = partial.missing();
        if came.len() != missing.len() {
            return Err(wrong());
        }
        let short = ShortIds::of_block(&partial.compact.header.hash());
        for (position, bytes) in missing.into_iter().zip(came) {
            let transaction: Transaction = codec::decode(bytes).map_err(Offence::Malformed)?;
            let place = position as usize - 1;
            if short.id(&merkle::leaf(&transaction)) != partial.compact.short_ids[place] {
                return Err(wrong());
            }
            partial.slots[place] = Some(Arc::new(transaction));
        }
        Ok(())
    }

    /// Takes in a block that was put together. Who sent it is not to blame for it: blocks are forwarded before they are
    /// executed.
    pub(super) fn take_rebuilt(&mut self, block: HashedBlock) -> Result<(), Fatal> {
        let bytes = Bytes::from(codec::encode(block.block()));
        self.take_downloaded(vec![(block, bytes)])?;
        Ok(())
    }

    /// A peer's form does not become a block: another's may, or the whole block is fetched as any other.
    fn give_up(&mut self, hash: BlockHash, peer: PeerId, pause: Option<u64>) {
        let other = self.partials_of(&hash).next();
        let Some(height) = self.tree.get(&hash).map(|info| info.height) else { return };
        match other {
            Some(other) => self.relay.bodies.hand_over((height, hash), peer, other),
            None => self.free_flights(peer, &[hash], pause),
        }
    }

    /// What was missing of a block does not come: others come before this peer when the block is asked for.
    pub(super) fn on_no_block_transactions(&mut self, peer: PeerId, hash: BlockHash) {
        if self.relay.partials.remove(&(hash, peer)).is_some() {
            self.give_up(hash, peer, Some(0));
        }
    }

    /// Transactions of a block that is whole here. Positions beyond it prove nothing against a peer.
    pub(super) fn serve_block_transactions(&self, hash: BlockHash, positions: &[u32], work: &mut PeerWork) -> Response {
        let stored = |info: &HeaderInfo| matches!(info.status, Status::Valid | Status::BodyStored);
        let Some(info) = self.tree.get(&hash).filter(stored) else { return Response::Unknown };
        let read;
        let block = match self.ready.get(&hash) {
            Some(checked) => checked.block(),
            None => {
                let at = BlockRef { height: info.height, hash };
                let Some(bytes) = self.store.body_for_others(at) else { return Response::Unknown };
                work.rows += 1;
                work.decoded += bytes.len() as u64;
                match decode_block(&bytes) {
                    Ok(block) => read = block.into_block(),
                    Err(error) => {
                        self.store.note_unreadable(at, &error.to_string());
                        return Response::Unknown;
                    }
                }
                &read
            }
        };
        let (mut encoded, mut bytes, mut next) = (Vec::new(), 0, 0);
        for position in positions {
            let transaction = block.transactions.get(*position as usize).filter(|_| *position >= next);
            let Some(transaction) = transaction.map(|transaction| Bytes::from(transaction.encode())) else {
                return Response::Unknown;
            };
            next = position + 1;
            bytes += transaction.len() + 8;
            if bytes > MOST {
                return Response::Unknown;
            }
            encoded.push(transaction);
        }
        Response::Transactions(encoded)
    }
}
