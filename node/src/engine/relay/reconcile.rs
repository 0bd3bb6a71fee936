//! Pools that were apart find what they lack: short ids of all that is there, then the transactions of those unknown.

use chain_core::{Bytes, merkle};
use std::collections::{HashSet, VecDeque};

use super::{requests::Question, serve::LONG};
use crate::{
    engine::{Engine, Offence, PeerId, Time, error::Fatal},
    wire::{POOL, Request, Response, SHORT_TRANSACTIONS, ShortId, ShortIds},
};

/// Milliseconds between two questions of one peer for the pool.
const AGAIN: u64 = 60_000;

/// The pool that is being compared with ours: one at a time.
#[derive(Debug)]
pub(super) struct Comparison {
    peer: PeerId,
    salt: u64,
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
        let now = self.now;
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
        self.relay.comparison = Some(Comparison { peer, salt, lacking: VecDeque::new() });
        self.ask_peer(peer, Question::Pool { salt }, Request::Pool { salt });
    }

    /// A peer asks for our pool.
    pub(super) fn serve_pool(&mut self, id: PeerId, salt: u64) -> Response {
        let now = self.now;
        let Some(peer) = self.relay.peers.get_mut(&id) else { return Response::Unknown };
        if peer.compared.served.is_some_and(|at| now.since(at) < AGAIN) {
            self.penalize(id, Offence::Doubled("a question for the pool"));
            return Response::Unknown;
        }
        peer.compared.served = Some(now);
        let short = ShortIds::of_salt(salt);
        Response::ShortIds(self.mempool.best_leaves().take(POOL).map(|(_, leaf)| short.id(leaf)).collect())
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
        let Some(comparison) = &mut self.relay.comparison else { return };
        let most = comparison.lacking.len().min(SHORT_TRANSACTIONS);
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

    /// A peer's pool was compared, or will not be.
    pub(super) fn end_comparison(&mut self, id: PeerId) {
        if self.relay.comparison.take_if(|comparison| comparison.peer == id).is_some()
            && let Some(peer) = self.relay.peers.get_mut(&id)
        {
            peer.compared.done = true;
        }
    }
}
