//! Pools that were apart find what they lack: short ids of all that is there, then the transactions of those unknown.

use chain_core::{Bytes, block::merkle, hash::TxId};
use std::collections::{HashMap, HashSet, VecDeque};

use super::{requests::Question, serve::LONG, work::PeerWork};
use crate::{
    engine::{Engine, Offence, PeerId, Time, error::Fatal},
    wire::{POOL, Request, Response, SHORT_TRANSACTIONS, ShortId, ShortIds},
};

/// Milliseconds between two questions of one peer for the pool, and of all peers of one owner.
pub(super) const AGAIN: u64 = 60_000;

/// Milliseconds that a comparison may take. Only one runs at a time, and a peer that names what it does not have could hold
/// it for good.
const LONGEST: u64 = 60_000;

/// Pools that were told and whose transactions may be asked for by short ids: some 4 MB each.
pub(super) const TOLD: usize = 4;

/// Milliseconds that a told pool has its place for certain, from when its peer last asked for a part of it: peers that ask one after
/// the other do not end each other's comparisons. And how long at most, which is how long an honest peer compares.
const IN_USE: u64 = 20_000;

/// What a peer was told of our pool, so that its questions need no walk over the pool.
#[derive(Debug)]
struct ToldPool {
    peer: PeerId,
    chosen: bool,
    since: Time,
    used: Time,
    salt: u64,
    names: HashMap<ShortId, TxId>,
}

/// The last pools that were told, oldest first.
#[derive(Debug, Default)]
pub(super) struct ToldPools(VecDeque<ToldPool>);

impl ToldPools {
    /// Makes room for one more, at the cost of one that is not in use. A peer that this node chose need not wait for others.
    fn make_room(&mut self, peer: PeerId, chosen: bool, now: Time) -> bool {
        self.forget_peer(peer);
        if self.0.len() < TOLD {
            return true;
        }
        let over = |told: &ToldPool| now.since(told.used) >= IN_USE || now.since(told.since) >= LONGEST;
        let strange = |told: &ToldPool| chosen && !told.chosen;
        let free = self.0.iter().position(over).or_else(|| self.0.iter().position(strange));
        free.and_then(|at| self.0.remove(at)).is_some()
    }

    pub(super) fn forget_peer(&mut self, peer: PeerId) {
        self.0.retain(|told| told.peer != peer);
    }
}

/// The pool that is being compared with ours: one at a time.
#[derive(Debug)]
pub(super) struct Comparison {
    peer: PeerId,
    salt: u64,
    since: Time,
    /// What we lack, at most [`POOL`] short ids.
    lacking: VecDeque<ShortId>,
}

/// Comparisons with one peer.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// Whether its pool was compared with ours.
    done: bool,
    /// When it was last asked for its own, not to be asked again too early.
    asked: Option<Time>,
    /// When it last asked for ours.
    served: Option<Time>,
}

impl Engine {
    /// Compares the pool with the next peer's, once there is nothing to sync.
    pub(super) fn reconcile(&mut self) {
        let best = self.tree.best_header();
        let synced = best == self.store.tip().hash || self.is_withheld(&best);
        if self.relay.comparison.is_some() || !synced {
            return;
        }
        let now = self.steady;
        // A question may be longer on its way than the one before it was.
        let rested = |compared: &Compared| compared.asked.is_none_or(|at| now.since(at) >= AGAIN + AGAIN / 2);
        let next = self
            .relay
            .peers
            .iter_mut()
            .find(|(_, peer)| peer.claim.is_some() && !peer.compared.done && rested(&peer.compared));
        let Some((peer, entry)) = next else { return };
        entry.compared.asked = Some(now);
        let (peer, salt) = (*peer, self.relay.random.next());
        self.relay.comparison = Some(Comparison { peer, salt, since: now, lacking: VecDeque::new() });
        self.ask_peer(peer, Question::Pool { salt }, Request::Pool { salt });
    }

    /// A peer asks for our pool.
    pub(super) fn serve_pool(&mut self, id: PeerId, salt: u64, work: &mut PeerWork) -> Response {
        let now = self.steady;
        let Some(peer) = self.relay.peers.get_mut(&id) else { return Response::Unknown };
        if peer.compared.served.is_some_and(|at| now.since(at) < AGAIN) {
            self.penalize(id, Offence::Doubled("a question for the pool"));
            return Response::Unknown;
        }
        // Nodes that share a host do not know of each other, nor of all others that compare now: no offence.
        let (chosen, payer) = (peer.chosen(), peer.payer);
        let again = self.relay.accounts.has_heard_pool(payer, now);
        if again || !self.relay.told_pools.make_room(id, chosen, now) {
            return Response::Unknown;
        }
        self.relay.accounts.hears_pool(payer, now);
        peer.compared.served = Some(now);
        let short = ShortIds::of_salt(salt);
        let best = self.mempool.best_leaves().take(POOL);
        let named: Vec<(ShortId, TxId)> = best.map(|(txid, leaf)| (short.id(leaf), *txid)).collect();
        work.leaves += named.len() as u64;
        let ids = named.iter().map(|(id, _)| *id).collect();
        let names = named.into_iter().collect();
        self.relay.told_pools.0.push_back(ToldPool { peer: id, chosen, since: now, used: now, salt, names });
        Response::ShortIds(ids)
    }

    /// A peer asks for transactions of the pool that it was told last.
    pub(super) fn serve_short_transactions(&mut self, id: PeerId, salt: u64, ids: &[ShortId]) -> Response {
        let told = self.relay.told_pools.0.iter_mut().find(|told| told.peer == id && told.salt == salt);
        let Some(told) = told else { return Response::Unknown };
        told.used = self.steady;
        let names: Vec<TxId> = ids.iter().filter_map(|id| told.names.get(id).copied()).collect();
        self.encoded(names.iter())
    }

    /// A peer's pool: what of it is not here?
    pub(super) fn on_pool_answer(&mut self, id: PeerId, ids: Vec<ShortId>) {
        let Some(comparison) = self.relay.comparison.as_mut().filter(|comparison| comparison.peer == id) else {
            return;
        };
        let short = ShortIds::of_salt(comparison.salt);
        let own: HashSet<ShortId> = self.mempool.leaves().map(|(_, leaf)| short.id(leaf)).collect();
        comparison.lacking = ids.into_iter().filter(|id| !own.contains(id)).collect();
        self.ask_lacking();
    }

    fn ask_lacking(&mut self) {
        let now = self.steady;
        let Some(comparison) = &mut self.relay.comparison else { return };
        let late = now.since(comparison.since) >= LONGEST;
        let most = if late { 0 } else { comparison.lacking.len().min(SHORT_TRANSACTIONS) };
        let (peer, salt) = (comparison.peer, comparison.salt);
        let ids: Vec<ShortId> = comparison.lacking.drain(..most).collect();
        if ids.is_empty() {
            self.end_comparison(peer);
        } else {
            let question = Question::ShortTransactions { salt, ids: ids.clone() };
            self.ask_peer(peer, question, Request::ShortTransactions { salt, ids });
        }
    }

    /// Transactions came that were asked for by short ids.
    pub(super) fn on_short_answer(
        &mut self,
        id: PeerId,
        salt: u64,
        asked: Vec<ShortId>,
        came: &[Bytes],
    ) -> Result<(), Fatal> {
        let bytes: usize = came.iter().map(|bytes| bytes.len()).sum();
        let Some(transactions) = self.decode_transactions(id, came) else {
            self.end_comparison(id);
            return Ok(());
        };
        let short = ShortIds::of_salt(salt);
        let mut left: HashSet<ShortId> = asked.iter().copied().collect();
        if transactions.is_empty() {
            // It has none of them any more, or never had.
            self.end_comparison(id);
            return Ok(());
        }
        if !transactions.iter().all(|(_, transaction)| left.remove(&short.id(&merkle::leaf(transaction)))) {
            self.penalize(id, Offence::WrongAnswer("transactions"));
            self.end_comparison(id);
            return Ok(());
        }
        // An answer that is full was cut: the rest is still to come.
        if let Some(comparison) = self.relay.comparison.as_mut().filter(|_| bytes >= LONG) {
            comparison.lacking.extend(asked.into_iter().filter(|id| left.contains(id)));
        }
        if let Some(peer) = self.relay.peers.get_mut(&id) {
            transactions.iter().for_each(|(txid, _)| {
                peer.known.insert(txid);
            });
        }
        self.take_transactions(id, transactions)?;
        self.ask_lacking();
        Ok(())
    }

    /// Compares all pools once more.
    pub(super) fn compare_again(&mut self) {
        self.relay.peers.values_mut().for_each(|peer| peer.compared.done = false);
    }

    /// A peer is gone.
    pub(super) fn forget_comparisons(&mut self, id: PeerId) {
        self.end_comparison(id);
        self.relay.told_pools.forget_peer(id);
    }

    /// A peer does not tell its pool now: others may, and it may later.
    pub(super) fn postpone_comparison(&mut self, id: PeerId) {
        self.relay.comparison.take_if(|comparison| comparison.peer == id);
    }

    /// A peer's pool was compared, or will not be.
    pub(super) fn end_comparison(&mut self, id: PeerId) {
        if self.relay.comparison.take_if(|comparison| comparison.peer == id).is_some()
            && let Some(peer) = self.relay.peers.get_mut(&id)
        {
            peer.compared.done = true;
        }
    }
}
