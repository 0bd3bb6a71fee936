//! Compact blocks: made of blocks, and made into blocks again from the pool and from what one more request brings.

use chain_core::{
    Bytes,
    block::{Block, check::HashedBlock, merkle},
    codec,
    hash::BlockHash,
    transaction::Transaction,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::download::Download;
use crate::{
    engine::{
        Chain, Offence, Outbox, PeerId, Time,
        relay::{
            context::Context,
            peers::{PeerWork, Peers, Question},
            serve,
        },
    },
    mempool::Mempool,
    wire::{CompactBlock, Message, Request, ShortId, ShortIds},
};

/// Forms that may wait for missing transactions, of all blocks and of one. Several of one block, since the peer whose form
/// came first may be silent on purpose; the last place is for a peer that this node chose.
pub(in crate::engine::relay) const PARTIALS: usize = 8;
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
pub(crate) fn compact(block: &Block) -> Option<CompactBlock> {
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

    /// Puts what came in its places.
    pub(super) fn fill(&mut self, came: &[Bytes]) -> Result<(), Offence> {
        let wrong = || Offence::WrongAnswer("transactions of a block");
        let missing = self.missing();
        if came.len() != missing.len() {
            return Err(wrong());
        }
        let short = ShortIds::of_block(&self.compact.header.hash());
        for (position, bytes) in missing.into_iter().zip(came) {
            let transaction: Transaction = codec::decode(bytes).map_err(Offence::Malformed)?;
            let place = position as usize - 1;
            if short.id(&merkle::leaf(&transaction)) != self.compact.short_ids[place] {
                return Err(wrong());
            }
            self.slots[place] = Some(Arc::new(transaction));
        }
        Ok(())
    }

    /// The whole block, if nothing is missing; hashed.
    pub(super) fn whole(&self) -> Option<HashedBlock> {
        let others = self.slots.iter().map(|slot| slot.as_deref().cloned());
        let transactions: Option<Vec<_>> = std::iter::once(Some(self.coinbase.clone())).chain(others).collect();
        Some(HashedBlock::new(Block { header: self.compact.header, transactions: transactions? }))
    }
}

/// Blocks that wait for missing transactions, by hash and peer.
#[derive(Debug, Default)]
pub(super) struct Partials(BTreeMap<(BlockHash, PeerId), Partial>);

impl Partials {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// A block is here.
    pub(super) fn arrived(&mut self, hash: &BlockHash) {
        self.0.retain(|(other, _), _| other != hash);
    }

    /// Takes out the form of a peer, which was asked for what is missing.
    pub(super) fn take(&mut self, hash: BlockHash, peer: PeerId) -> Option<Partial> {
        self.0.remove(&(hash, peer))
    }

    /// Asks for what is missing of a block, if that is worth it; else the whole block is fetched as any other.
    pub(super) fn complete(
        &mut self,
        hash: BlockHash,
        partial: Partial,
        download: &mut Download,
        peers: &mut Peers,
        chain: &Chain,
        out: &mut Outbox,
    ) {
        let (peer, missing) = (partial.peer, partial.missing());
        let Some(asked) = peers.get(peer).filter(|peer| peer.claim().is_some()) else { return };
        let worth = missing.len() * 3 <= partial.slots.len() * 2 || missing.len() <= 16;
        let Some(info) = chain.tree().get(&hash).filter(|_| worth) else { return };
        let waiting = self.of(&hash).count();
        let room = PARTIALS_OF_BLOCK - usize::from(!asked.chosen());
        if self.0.len() >= PARTIALS || waiting >= room || self.0.contains_key(&(hash, peer)) {
            return;
        }
        // No other peer is asked for the whole block meanwhile, nor if one is already.
        let key = (info.height, hash);
        if waiting == 0 && !download.reserve(key, peer, out.steady()) {
            return;
        }
        self.0.insert((hash, peer), partial);
        let request = Request::BlockTransactions { block: hash, positions: missing };
        peers.ask(peer, Question::BlockTransactions(hash), request, out);
    }

    fn of(&self, hash: &BlockHash) -> impl Iterator<Item = PeerId> {
        let (first, last) = ((*hash, PeerId(0)), (*hash, PeerId(u64::MAX)));
        self.0.range(first..=last).map(|((_, peer), _)| *peer)
    }

    /// A peer's form does not become a block: another's may, or the whole block is fetched as any other. Returns whether no
    /// other does.
    pub(super) fn give_up(
        &self,
        hash: BlockHash,
        peer: PeerId,
        download: &mut Download,
        chain: &Chain,
        now: Time,
    ) -> bool {
        let Some(height) = chain.tree().get(&hash).map(|info| info.height) else { return false };
        let other = self.of(&hash).next();
        match other {
            Some(other) => download.hand_over((height, hash), peer, other, now),
            None => download.release(peer, &[hash], chain),
        }
        other.is_none()
    }
}

/// Penalizes a peer for a form of a block that is whole here, if it is not the block's own: no node forwards another. Forms of old
/// headers cost their maker nothing, and an attacker would fill with them the room that blocks need.
pub(super) fn check_form(peer: PeerId, form: &CompactBlock, cx: &mut Context) {
    let now = cx.out.steady();
    if !cx.peers.may_cost(peer, now) {
        return;
    }
    let mut work = PeerWork { base: 2, ..PeerWork::default() };
    let block = serve::whole(form.header.hash(), cx.chain, &mut work);
    let is_false = block.is_some_and(|block| {
        work.leaves += block.transactions.len() as u64;
        block.transactions.len() != form.short_ids.len() + 1 || compact(&block).is_some_and(|own| own != *form)
    });
    cx.peers.charge(peer, &work, now);
    if is_false {
        cx.out.penalize(peer, Offence::BadCompact);
    }
}

/// Puts a compact block together from the pool.
pub(super) fn rebuild(peer: PeerId, compact: CompactBlock, pool: &Mempool, peers: &mut Peers, now: Time) -> Rebuilt {
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
    for (txid, leaf) in pool.leaves() {
        work.leaves += 1;
        let id = short.id(leaf);
        let Some(known) = places.get_mut(&id) else { continue };
        let Some(place) = *known else { continue };
        if slots[place].is_some() {
            // Two of the pool fit: neither is taken.
            slots[place] = None;
            *known = None;
        } else {
            slots[place] = pool.transaction(txid).cloned();
        }
    }
    peers.charge(peer, &work, now);
    let partial = Partial { compact, coinbase, slots, peer };
    match partial.whole() {
        Some(block) if block.matches_merkle_root() => Rebuilt::Whole(Box::new(block)),
        Some(_) => Rebuilt::Wrong,
        None => Rebuilt::Part(Box::new(partial)),
    }
}
