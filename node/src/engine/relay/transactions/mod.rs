//! Transactions between peers: announcing, requesting, taking in with their orphans, and comparing pools.

mod announce;
mod known;
mod orphans;
mod recent;
mod reconcile;
mod request;

pub(super) use announce::LOG;
pub(super) use known::GENERATION;
pub(super) use orphans::ORPHANS;
pub(super) use request::{PER_PEER, WANTED};

use chain_core::{
    Bytes,
    block::{Block, merkle},
    codec,
    error::{Penalty, RuleError},
    execute::ExecutedBlock,
    hash::TxId,
    transaction::Transaction,
};
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use self::{
    announce::Announcer,
    known::Names,
    orphans::{ORPHAN_BYTES, Orphan, Orphans},
    recent::Recent,
    reconcile::Reconciler,
    request::{Queue, Wants},
};
use super::{context::Context, random::Random, serve::LONG, usage::PeerUsage};
use crate::{
    engine::{Fatal, InboundId, Offence, Outbox, PeerId, Time},
    mempool::{Mempool, MempoolError, SubmitError},
    wire::{ShortId, ShortIds},
};

/// Transactions on their way, with the peers that sent them.
type Batch = Vec<(TxId, Arc<Transaction>, PeerId)>;

/// All about peers' transactions.
#[derive(Debug)]
pub(super) struct Transactions {
    random: Random,
    /// What each peer has or what was announced to it.
    pub(super) known: Names,
    pub(super) announcer: Announcer,
    pub(super) wants: Wants,
    orphans: Orphans,
    pub(super) reconciler: Reconciler,
    /// Transactions that blocks brought lately, and those that this node does not take.
    recent: Recent,
    /// Those among them that orphans wait for.
    parents_mined: HashSet<TxId>,
}

impl Transactions {
    /// Nobody is connected yet. All that is chosen at random is drawn from the seed.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            known: Names::default(),
            announcer: Announcer::default(),
            wants: Wants::default(),
            orphans: Orphans::default(),
            reconciler: Reconciler::default(),
            recent: Recent::default(),
            parents_mined: HashSet::new(),
        }
    }

    pub(super) fn connect(&mut self, id: PeerId) {
        self.known.connect(id);
        self.announcer.connect(id);
        self.wants.connect(id);
        self.reconciler.connect(id);
    }

    /// A peer is gone; returns what was wanted of it, for [`Self::forget`] once its requests are closed.
    pub(super) fn disconnect(&mut self, id: PeerId) -> Queue {
        self.known.disconnect(id);
        self.announcer.disconnect(id);
        self.reconciler.disconnect(id);
        self.wants.disconnect(id)
    }

    /// Forgets what waits of a peer that is gone.
    pub(super) fn forget(&mut self, id: PeerId, queue: &Queue) {
        self.wants.forget(id, queue);
        self.orphans.forget_peer(id);
        self.reconciler.forget(id);
    }

    /// When something is due.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.announcer.wake_at().into_iter().chain(self.wants.wake_at()).min()
    }

    /// After each event: requests, announces and compares. Pools are compared once the chain is
    /// `synced`.
    pub(super) fn act(&mut self, synced: bool, cx: &mut Context) {
        let Self { random, known, announcer, wants, recent, reconciler, .. } = self;
        let Context { pool, peers, out, .. } = cx;
        let pool = pool.mempool();
        wants.request(|txid| pool.contains(txid) || recent.contains(txid), peers, random, out);
        announcer.announce(known, peers, pool, random, out);
        if synced {
            reconciler.reconcile(peers, random, out);
        }
    }

    /// A peer names transactions. While `syncing` they are not asked for.
    pub(super) fn on_announce(
        &mut self,
        id: PeerId,
        inbound: InboundId,
        names: &[TxId],
        syncing: bool,
        pool: &Mempool,
        out: &mut Outbox,
    ) {
        for txid in names {
            self.known.insert(id, txid);
            if !syncing && !self.is_known(txid, pool) {
                self.wants.want(id, *txid);
            }
        }
        self.wants.owe(id, inbound, out);
    }

    /// Whether a transaction need not be asked for.
    fn is_known(&self, txid: &TxId, pool: &Mempool) -> bool {
        pool.contains(txid) || self.recent.contains(txid)
    }

    /// Transactions came. What did not come costs nothing: it may have been mined, replaced or evicted since it was named.
    pub(super) fn on_response(
        &mut self,
        id: PeerId,
        asked: &[TxId],
        came: &[Bytes],
        cx: &mut Context,
    ) -> Result<(), Fatal> {
        let bytes: usize = came.iter().map(|bytes| bytes.len()).sum();
        let Some(transactions) = decode(id, came, cx.out) else {
            self.wants.request_ended(id, asked.iter(), false);
            return Ok(());
        };
        let mut left: BTreeSet<TxId> = asked.iter().copied().collect();
        let (mut good, mut stranger) = (Vec::new(), false);
        for (txid, transaction) in transactions {
            if left.remove(&txid) {
                good.push((txid, transaction, id));
            } else {
                stranger = true;
            }
        }
        if stranger {
            cx.out.penalize(id, Offence::WrongAnswer("transactions"));
        }
        let cut = bytes >= LONG && !good.is_empty();
        self.wants.request_ended(id, asked.iter().filter(|txid| left.contains(*txid)), cut);
        self.submit(good, cx)
    }

    /// Puts peers' transactions into the pool, and those that waited for them.
    fn submit(&mut self, mut batch: Batch, cx: &mut Context) -> Result<(), Fatal> {
        while !batch.is_empty() {
            let transactions = batch.iter().map(|(_, transaction, _)| transaction.clone()).collect();
            let results = cx.pool.submit(transactions, cx.chain, cx.out.now())?;
            let mut taken = HashSet::new();
            for ((txid, transaction, peer), result) in batch.into_iter().zip(results) {
                match result {
                    Ok(_) => {
                        self.wants.no_longer_want(&txid);
                        taken.insert(txid);
                    }
                    Err(error) => self.on_refused(peer, txid, transaction, &error, cx.pool.mempool(), cx.out),
                }
            }
            batch = if self.orphans.len() == 0 { Vec::new() } else { self.orphans.children_of(&taken) };
        }
        Ok(())
    }

    /// Another copy of the same name may still be good, unless the refusal holds for all of them.
    fn on_refused(
        &mut self,
        peer: PeerId,
        txid: TxId,
        transaction: Arc<Transaction>,
        error: &SubmitError,
        pool: &Mempool,
        out: &mut Outbox,
    ) {
        self.recent.refused(&txid, &transaction, error);
        if self.is_known(&txid, pool) {
            self.wants.no_longer_want(&txid);
        } else {
            self.wants.ask_another(&txid, peer);
        }
        match error {
            SubmitError::Mempool(MempoolError::MissingCoin(outpoint))
            | SubmitError::Rule(RuleError::MissingCoin(outpoint)) => {
                let parent = outpoint.txid;
                // A parent that is here does not have such an output, or that is spent; one that is refused stays so.
                if self.is_known(&parent, pool) || transaction.encode().len() > ORPHAN_BYTES {
                    return;
                }
                self.orphans.hold(txid, peer, Orphan { transaction, parent });
                self.wants.want(peer, parent);
            }
            SubmitError::Rule(rule) if rule.penalty() != Penalty::None => {
                out.penalize(peer, Offence::InvalidTransaction(rule.clone()));
            }
            _ => {}
        }
    }

    /// A block was connected. Withdrawals make coins under ids of their own.
    pub(super) fn block_connected(&mut self, executed: &ExecutedBlock) {
        if self.orphans.len() > 0 {
            let made = executed.effects().created.iter().map(|(outpoint, _)| outpoint.txid).collect();
            self.parents_mined.extend(self.orphans.parents_among(&made));
        }
        self.recent.connected(executed.block().metas().iter().map(|meta| meta.txid));
    }

    /// A block was disconnected: what it brought may be wanted again.
    pub(super) fn block_disconnected(&mut self, block: &Block) {
        self.recent.disconnected(block.transactions.iter().map(Transaction::txid));
    }

    /// Blocks brought transactions: takes in those that waited for them, once the pool has followed the chain.
    pub(super) fn retry_orphans(&mut self, cx: &mut Context) -> Result<(), Fatal> {
        let parents = std::mem::take(&mut self.parents_mined);
        if self.orphans.len() == 0 || parents.is_empty() {
            return Ok(());
        }
        let children = self.orphans.children_of(&parents);
        self.submit(children, cx)
    }

    /// Transactions came that were asked for by short ids.
    pub(super) fn on_short_response(
        &mut self,
        id: PeerId,
        salt: u64,
        asked: Vec<ShortId>,
        came: &[Bytes],
        cx: &mut Context,
    ) -> Result<(), Fatal> {
        let bytes: usize = came.iter().map(|bytes| bytes.len()).sum();
        let Some(transactions) = decode(id, came, cx.out).filter(|transactions| !transactions.is_empty()) else {
            // It has none of them any more, or never had.
            self.reconciler.end(id);
            return Ok(());
        };
        let short = ShortIds::of_salt(salt);
        let mut left: HashSet<ShortId> = asked.iter().copied().collect();
        if !transactions.iter().all(|(_, transaction)| left.remove(&short.id(&merkle::leaf(transaction)))) {
            cx.out.penalize(id, Offence::WrongAnswer("transactions"));
            self.reconciler.end(id);
            return Ok(());
        }
        if bytes >= LONG {
            self.reconciler.ask_rest(id, asked.into_iter().filter(|id| left.contains(id)));
        }
        transactions.iter().for_each(|(txid, _)| _ = self.known.insert(id, txid));
        self.submit(transactions.into_iter().map(|(txid, transaction)| (txid, transaction, id)).collect(), cx)?;
        self.reconciler.ask_lacking(cx.peers, cx.out);
        Ok(())
    }

    /// Counts what is kept because of peers.
    pub(super) fn count(&self, usage: &mut PeerUsage) {
        usage.wanted = self.wants.len();
        usage.orphans = self.orphans.len();
        usage.names = self.known.len() + self.recent.len();
        usage.log = self.announcer.len();
    }
}

/// Transactions with their names; `None` if anything else is among them.
fn decode(id: PeerId, encoded: &[Bytes], out: &mut Outbox) -> Option<Vec<(TxId, Arc<Transaction>)>> {
    let decode = |bytes: &Bytes| codec::decode::<Transaction>(bytes).map(|tx| (tx.txid(), Arc::new(tx)));
    match encoded.iter().map(decode).collect() {
        Ok(transactions) => Some(transactions),
        Err(error) => {
            out.penalize(id, Offence::Malformed(error));
            None
        }
    }
}

#[cfg(test)]
impl Transactions {
    pub(super) fn holds_orphan_of(&self, id: PeerId) -> bool {
        self.orphans.holds_of(id)
    }
}
