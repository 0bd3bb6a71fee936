//! Transactions that peers named: asked of one, and of the next if that one does not deliver.
//!
//! An attacker wants to keep a transaction from a node: it names it early and often, and never delivers. So a peer is
//! asked for a transaction once, however often it names it or its children; all that named it are remembered; and who is
//! asked next is drawn by lot, peers that this node dialled first, since an attacker chooses only the others. (The rules are
//! those of Bitcoin Core's `txrequest`.)

use chain_core::hash::TxId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    engine::{
        InboundId, Outbox, PeerId, Time,
        relay::{
            peers::{Peers, Question},
            random::Random,
        },
    },
    wire::{ANNOUNCED, Request, Response, TRANSACTIONS},
};

/// Transactions that one peer named and that are not here. A peer that floods names crowds out its own only.
pub(in crate::engine::relay) const WANTED: usize = 4_096;

/// Requests for transactions that may be open with one peer.
pub(in crate::engine::relay) const PER_PEER: usize = 2;

/// Milliseconds after which an announcement is acknowledged although the list is full: half of what the peer waits
/// for it.
const ACKNOWLEDGE: u64 = 15_000;

/// What has become of a peer's announcement of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// In the peer's queue.
    Queued,
    /// Another peer is asked meanwhile.
    Parked,
    /// The peer is asked.
    Asked,
    /// The peer was asked in vain. It is not asked again.
    Failed,
}

/// What is wanted of one peer.
#[derive(Debug, Default)]
pub(in crate::engine::relay) struct Queue {
    /// To be asked for.
    names: VecDeque<TxId>,
    /// All that it named and that is not here; at most [`WANTED`].
    named: BTreeSet<TxId>,
    /// Requests that are open.
    asked: usize,
    /// An announcement that is acknowledged once there is room for another.
    unacknowledged: Option<(InboundId, Time)>,
}

/// Transactions that are not here, and who named each.
#[derive(Debug, Default)]
pub(in crate::engine::relay) struct Wants {
    named: BTreeMap<TxId, Vec<(PeerId, Turn)>>,
    queues: BTreeMap<PeerId, Queue>,
}

impl Queue {
    /// Forgets what another peer delivered meanwhile: a peer that answers no request would have its queue grow with all that others
    /// deliver.
    fn drop_stale(&mut self) {
        if self.names.len() > 2 * WANTED {
            let mut kept = BTreeSet::new();
            self.names.retain(|txid| self.named.contains(txid) && kept.insert(*txid));
        }
    }
}

impl Wants {
    pub(super) fn connect(&mut self, id: PeerId) {
        self.queues.insert(id, Queue::default());
    }

    /// A peer is gone and named nothing any more; [`Self::forget`] makes others be asked for what it named.
    pub(super) fn disconnect(&mut self, id: PeerId) -> Queue {
        self.queues.remove(&id).unwrap_or_default()
    }

    /// Asks others for what a peer named that is gone.
    pub(super) fn forget(&mut self, id: PeerId, queue: &Queue) {
        for txid in &queue.named {
            self.ask_another(txid, id);
            if let Some(named) = self.named.get_mut(txid) {
                named.retain(|(other, _)| *other != id);
            }
        }
    }

    /// Announcements of transactions that are not here.
    pub(super) fn len(&self) -> usize {
        self.named.values().map(Vec::len).sum()
    }

    /// When an announcement is acknowledged at the latest.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.queues.values().filter_map(|queue| queue.unacknowledged).map(|(_, at)| at).min()
    }

    fn turn(&mut self, txid: &TxId, peer: PeerId) -> Option<&mut Turn> {
        let named = self.named.get_mut(txid)?;
        named.iter_mut().find(|(other, _)| *other == peer).map(|(_, turn)| turn)
    }

    fn is_asked(&self, txid: &TxId) -> bool {
        self.named.get(txid).is_some_and(|named| named.iter().any(|(_, turn)| *turn == Turn::Asked))
    }

    /// Notes an announcement that is acknowledged when there is room for as many names again: an honest peer then never names
    /// too many, and one that does not wait loses what has no room.
    pub(super) fn owe(&mut self, id: PeerId, inbound: InboundId, out: &mut Outbox) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let before = queue.unacknowledged.replace((inbound, out.steady().after(ACKNOWLEDGE)));
        if let Some((earlier, _)) = before {
            out.respond(id, earlier, Response::Ack);
        }
    }

    /// Notes that a peer has a transaction that is not here.
    pub(super) fn want(&mut self, id: PeerId, txid: TxId) {
        let asked = self.is_asked(&txid);
        let Some(queue) = self.queues.get_mut(&id) else { return };
        if queue.named.len() >= WANTED || !queue.named.insert(txid) {
            return;
        }
        if !asked {
            queue.names.push_back(txid);
        }
        queue.drop_stale();
        let turn = if asked { Turn::Parked } else { Turn::Queued };
        self.named.entry(txid).or_default().push((id, turn));
    }

    /// Asks for what is wanted and not known: first peers that this node chose, in random order.
    pub(super) fn request(
        &mut self,
        is_known: impl Fn(&TxId) -> bool,
        peers: &mut Peers,
        random: &mut Random,
        out: &mut Outbox,
    ) {
        let ready = self.queues.iter().filter(|(_, queue)| !queue.names.is_empty() && queue.asked < PER_PEER);
        let met = ready.filter_map(|(id, _)| Some((*id, peers.get(*id).filter(|peer| peer.claim().is_some())?)));
        let mut drawn: Vec<_> = met.map(|(id, peer)| (!peer.chosen(), random.next(), id)).collect();
        drawn.sort_unstable();
        for (.., id) in drawn {
            let names = self.next_names(id, &is_known);
            if let Some(queue) = self.queues.get_mut(&id).filter(|_| !names.is_empty()) {
                queue.asked += 1;
                peers.ask(id, Question::Transactions(names.clone()), Request::Transactions(names), out);
            }
        }
        self.acknowledge(out);
    }

    /// The next names to ask a peer for.
    fn next_names(&mut self, id: PeerId, is_known: impl Fn(&TxId) -> bool) -> Vec<TxId> {
        let mut names = Vec::new();
        let mut here = Vec::new();
        while names.len() < TRANSACTIONS
            && let Some(queue) = self.queues.get_mut(&id)
            && let Some(txid) = queue.names.pop_front()
        {
            if is_known(&txid) {
                here.push(txid);
                continue;
            }
            let asked = self.is_asked(&txid);
            let Some(turn) = self.turn(&txid, id) else { continue };
            *turn = if asked { Turn::Parked } else { Turn::Asked };
            if !asked {
                names.push(txid);
            }
        }
        here.iter().for_each(|txid| self.no_longer_want(txid));
        names
    }

    /// Acknowledges announcements of peers that there is room for.
    fn acknowledge(&mut self, out: &mut Outbox) {
        for (id, queue) in &mut self.queues {
            let room = queue.named.len() + ANNOUNCED <= WANTED;
            let ready = queue.unacknowledged.take_if(|(_, at)| room || *at <= out.steady());
            if let Some((inbound, _)) = ready {
                out.respond(*id, inbound, Response::Ack);
            }
        }
    }

    /// A transaction was taken, or no copy of it would be.
    pub(super) fn no_longer_want(&mut self, txid: &TxId) {
        for (id, _) in self.named.remove(txid).into_iter().flatten() {
            if let Some(queue) = self.queues.get_mut(&id) {
                queue.named.remove(txid);
            }
        }
    }

    /// A peer did not deliver a transaction that is good: all others that named it may be asked. Once no peer is left, it is
    /// forgotten.
    pub(super) fn ask_another(&mut self, txid: &TxId, failed: PeerId) {
        if let Some(turn) = self.turn(txid, failed) {
            *turn = Turn::Failed;
        }
        let Some(named) = self.named.get_mut(txid) else { return };
        for (id, turn) in named.iter_mut().filter(|(_, turn)| *turn == Turn::Parked) {
            if let Some(queue) = self.queues.get_mut(id) {
                *turn = Turn::Queued;
                queue.names.push_back(*txid);
            }
        }
        if named.iter().all(|(_, turn)| *turn == Turn::Failed) {
            self.no_longer_want(txid);
        }
    }

    /// A request to a peer ended. Of what it was asked for, this did not come; if its response was full, it was `cut`, and the
    /// rest is still to come.
    pub(in crate::engine::relay) fn request_ended<'a>(
        &mut self,
        id: PeerId,
        missing: impl Iterator<Item = &'a TxId>,
        cut: bool,
    ) {
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.asked = queue.asked.saturating_sub(1);
        }
        for txid in missing {
            match self.turn(txid, id).filter(|_| cut) {
                Some(turn) => {
                    *turn = Turn::Queued;
                    if let Some(queue) = self.queues.get_mut(&id) {
                        queue.names.push_back(*txid);
                    }
                }
                None => self.ask_another(txid, id),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::U256;

    #[test]
    fn what_others_deliver_does_not_pile_up_in_the_queue_of_a_silent_peer() {
        let (mut wants, silent, other) = (Wants::default(), PeerId(1), PeerId(2));
        wants.connect(silent);
        wants.connect(other);
        for round in 0..8 {
            let txids: Vec<_> =
                (0..WANTED).map(|number| TxId(U256::from(round * WANTED + number).to_be_bytes())).collect();
            for txid in &txids {
                wants.want(silent, *txid);
                wants.want(other, *txid);
            }
            assert_eq!(wants.queues[&silent].named.len(), WANTED);
            txids.iter().for_each(|txid| wants.no_longer_want(txid));
            assert_eq!(wants.len(), 0);
        }
        assert!(wants.queues[&silent].names.len() <= 2 * WANTED, "{}", wants.queues[&silent].names.len());
    }
}
