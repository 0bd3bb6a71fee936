//! Pools that were apart find what they lack: short ids of all that is there, then the transactions of those unknown.

use chain_core::hash::TxId;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use crate::{
    engine::{
        Offence, Outbox, PeerId, Time,
        relay::{
            peers::{POOL_AGAIN, PeerWork, Peers, Question},
            random::Random,
        },
    },
    mempool::Mempool,
    wire::{POOL, Request, Response, SHORT_TRANSACTIONS, ShortId, ShortIds},
};

/// Milliseconds that a comparison may take. Only one runs at a time, and a peer that names what it does not have could hold
/// it forever.
const LONGEST: u64 = 60_000;

/// Pools that were told and whose transactions may be asked for by short ids: some 4 MB each.
const TOLD: usize = 4;

/// Milliseconds that a told pool has its place for certain, from when its peer last asked for a part of it: peers that ask one after
/// the other do not end each other's comparisons. And how long at most, which is how long an honest peer compares.
const IN_USE: u64 = 20_000;

/// What a peer knows of our pool, so that its requests need no walk over the pool.
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
struct ToldPools(VecDeque<ToldPool>);

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

    fn forget_peer(&mut self, peer: PeerId) {
        self.0.retain(|told| told.peer != peer);
    }
}

/// The pool that is being compared with ours.
#[derive(Debug)]
struct Comparison {
    peer: PeerId,
    salt: u64,
    since: Time,
    /// What we lack, at most [`POOL`] short ids.
    lacking: VecDeque<ShortId>,
}

/// Comparisons with one peer.
#[derive(Debug, Default)]
struct Compared {
    /// Whether its pool was compared with ours.
    done: bool,
    /// When it was last asked for its own, not to be asked again too early.
    asked: Option<Time>,
    /// When it last asked for ours.
    served: Option<Time>,
}

/// Comparisons of pools: one of another's with ours at a time, and those that others make.
#[derive(Debug, Default)]
pub(in crate::engine::relay) struct Reconciler {
    comparison: Option<Comparison>,
    told: ToldPools,
    compared: BTreeMap<PeerId, Compared>,
}

impl Reconciler {
    pub(super) fn connect(&mut self, id: PeerId) {
        self.compared.insert(id, Compared::default());
    }

    pub(super) fn disconnect(&mut self, id: PeerId) {
        self.compared.remove(&id);
    }

    /// Compares the pool with the next peer's.
    pub(super) fn reconcile(&mut self, peers: &mut Peers, random: &mut Random, out: &mut Outbox) {
        if self.comparison.is_some() {
            return;
        }
        let now = out.steady();
        // A request may be longer on its way than the one before it was.
        let rested = |compared: &Compared| compared.asked.is_none_or(|at| now.since(at) >= POOL_AGAIN + POOL_AGAIN / 2);
        let ready = |id: PeerId, compared: &Compared| !compared.done && rested(compared) && peers.is_met(id);
        let Some((peer, entry)) = self.compared.iter_mut().find(|(id, compared)| ready(**id, compared)) else { return };
        entry.asked = Some(now);
        let (peer, salt) = (*peer, random.next());
        self.comparison = Some(Comparison { peer, salt, since: now, lacking: VecDeque::new() });
        peers.ask(peer, Question::Pool { salt }, Request::Pool { salt }, out);
    }

    /// A peer asks for our pool.
    pub(in crate::engine::relay) fn serve_pool(
        &mut self,
        id: PeerId,
        salt: u64,
        peers: &mut Peers,
        pool: &Mempool,
        work: &mut PeerWork,
        out: &mut Outbox,
    ) -> Response {
        let now = out.steady();
        let (Some(peer), Some(compared)) = (peers.get(id), self.compared.get_mut(&id)) else {
            return Response::Unknown;
        };
        if compared.served.is_some_and(|at| now.since(at) < POOL_AGAIN) {
            out.penalize(id, Offence::Doubled("a request for the pool"));
            return Response::Unknown;
        }
        // Nodes that share a host do not know of each other, nor of all others that compare now: no offence.
        let (chosen, payer) = (peer.chosen(), peer.payer());
        if peers.has_heard_pool(payer, now) || !self.told.make_room(id, chosen, now) {
            return Response::Unknown;
        }
        peers.hears_pool(payer, now);
        compared.served = Some(now);
        let short = ShortIds::of_salt(salt);
        let best = pool.best_leaves().take(POOL);
        let named: Vec<(ShortId, TxId)> = best.map(|(txid, leaf)| (short.id(leaf), *txid)).collect();
        work.leaves += named.len() as u64;
        let ids = named.iter().map(|(id, _)| *id).collect();
        let names = named.into_iter().collect();
        self.told.0.push_back(ToldPool { peer: id, chosen, since: now, used: now, salt, names });
        Response::ShortIds(ids)
    }

    /// A peer asks for transactions of the pool that it was told last; returns their names.
    pub(in crate::engine::relay) fn told_names(
        &mut self,
        id: PeerId,
        salt: u64,
        ids: &[ShortId],
        now: Time,
    ) -> Option<Vec<TxId>> {
        let told = self.told.0.iter_mut().find(|told| told.peer == id && told.salt == salt)?;
        told.used = now;
        Some(ids.iter().filter_map(|id| told.names.get(id).copied()).collect())
    }

    /// A peer's pool: what of it is not here?
    pub(in crate::engine::relay) fn on_pool(
        &mut self,
        id: PeerId,
        ids: Vec<ShortId>,
        pool: &Mempool,
        peers: &mut Peers,
        out: &mut Outbox,
    ) {
        let Some(comparison) = self.comparison.as_mut().filter(|comparison| comparison.peer == id) else { return };
        let short = ShortIds::of_salt(comparison.salt);
        let own: HashSet<ShortId> = pool.leaves().map(|(_, leaf)| short.id(leaf)).collect();
        comparison.lacking = ids.into_iter().filter(|id| !own.contains(id)).collect();
        self.ask_lacking(peers, out);
    }

    /// Asks for the next of what we lack, or ends the comparison.
    pub(super) fn ask_lacking(&mut self, peers: &mut Peers, out: &mut Outbox) {
        let Some(comparison) = &mut self.comparison else { return };
        let late = out.steady().since(comparison.since) >= LONGEST;
        let most = if late { 0 } else { comparison.lacking.len().min(SHORT_TRANSACTIONS) };
        let (peer, salt) = (comparison.peer, comparison.salt);
        let ids: Vec<ShortId> = comparison.lacking.drain(..most).collect();
        if ids.is_empty() {
            self.end(peer);
        } else {
            let question = Question::ShortTransactions { salt, ids: ids.clone() };
            peers.ask(peer, question, Request::ShortTransactions { salt, ids }, out);
        }
    }

    /// A peer's response was full, and so it was cut: the rest is still to come.
    pub(super) fn ask_rest(&mut self, id: PeerId, rest: impl Iterator<Item = ShortId>) {
        if let Some(comparison) = self.comparison.as_mut().filter(|comparison| comparison.peer == id) {
            comparison.lacking.extend(rest);
        }
    }

    /// Compares all pools once more.
    pub(in crate::engine::relay) fn compare_again(&mut self) {
        self.compared.values_mut().for_each(|compared| compared.done = false);
    }

    /// A peer is gone.
    pub(super) fn forget(&mut self, id: PeerId) {
        self.end(id);
        self.told.forget_peer(id);
    }

    /// A peer does not tell its pool now: others may, and it may later.
    pub(in crate::engine::relay) fn postpone(&mut self, id: PeerId) {
        self.comparison.take_if(|comparison| comparison.peer == id);
    }

    /// A peer's pool was compared, or will not be.
    pub(in crate::engine::relay) fn end(&mut self, id: PeerId) {
        if self.comparison.take_if(|comparison| comparison.peer == id).is_some()
            && let Some(compared) = self.compared.get_mut(&id)
        {
            compared.done = true;
        }
    }
}
