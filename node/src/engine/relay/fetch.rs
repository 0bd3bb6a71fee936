//! Transactions that peers named: asked of one, and of the next if that one does not deliver.
//!
//! An attacker wants to keep a transaction from a node: it names it early and often, and never delivers. So a peer is
//! asked for a transaction once, however often it names it or its children; everybody that named it is remembered; and who is
//! asked next is drawn by lot, peers that this node dialled first, since an attacker chooses only the others. (The rules are
//! those of Bitcoin Core's `txrequest`.)

use chain_core::{Bytes, codec, hash::TxId, transaction::Transaction};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use super::{requests::Question, serve::LONG};
use crate::{
    engine::{Engine, InboundId, Offence, PeerAction, PeerId, Time, error::Fatal},
    wire::{ANNOUNCED, Request, Response, TRANSACTIONS},
};

/// Transactions that one peer named and that are not here. A peer that floods names crowds out its own only.
pub(super) const WANTED: usize = 4_096;

/// Questions for transactions that may be open with one peer.
pub(super) const PER_PEER: usize = 2;

/// Milliseconds after which an announcement is acknowledged though there is no room for another: half of what the peer waits
/// for it.
const ACKNOWLEDGE: u64 = 15_000;

/// What has become of a peer's announcement of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// In the peer's queue.
    Queued,
    /// Somebody else is asked meanwhile.
    Parked,
    /// The peer is asked.
    Asked,
    /// The peer was asked in vain. It is not asked again.
    Failed,
}

/// Transactions that are not here, and who named each.
#[derive(Debug, Default)]
pub(super) struct Wants(BTreeMap<TxId, Vec<(PeerId, Turn)>>);

impl Wants {
    /// Announcements of transactions that are not here.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    fn turn(&mut self, txid: &TxId, peer: PeerId) -> Option<&mut Turn> {
        let named = self.0.get_mut(txid)?;
        named.iter_mut().find(|(other, _)| *other == peer).map(|(_, turn)| turn)
    }

    fn is_asked(&self, txid: &TxId) -> bool {
        self.0.get(txid).is_some_and(|named| named.iter().any(|(_, turn)| *turn == Turn::Asked))
    }
}

/// What is wanted of one peer.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// To be asked for.
    names: VecDeque<TxId>,
    /// All that it named and that is not here; at most [`WANTED`].
    named: BTreeSet<TxId>,
    /// Questions that are open.
    asked: usize,
    /// An announcement that is acknowledged once there is room for another.
    unacknowledged: Option<(InboundId, Time)>,
}

impl Queue {
    /// When an announcement is acknowledged at the latest.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.unacknowledged.map(|(_, at)| at)
    }
}

impl Engine {
    /// A peer names transactions. It is acknowledged when there is room for as many again: an honest peer then never names too
    /// many, and one that does not wait loses what has no room.
    pub(super) fn on_announce(&mut self, id: PeerId, inbound: InboundId, names: &[TxId]) {
        let syncing = self.relay.sync_start.is_some();
        for txid in names {
            let Some(peer) = self.relay.peers.get_mut(&id) else { break };
            peer.known.insert(txid);
            if !syncing && !self.is_known(txid) {
                self.want(id, *txid);
            }
        }
        let Some(peer) = self.relay.peers.get_mut(&id) else { return };
        let before = peer.queue.unacknowledged.replace((inbound, self.steady.after(ACKNOWLEDGE)));
        if let Some((earlier, _)) = before {
            self.tell_peer(PeerAction::Respond(id, earlier, Response::Ack));
        }
    }

    /// Whether a transaction need not be asked for.
    pub(super) fn is_known(&self, txid: &TxId) -> bool {
        self.mempool.contains(txid) || self.relay.recent.contains(txid)
    }

    /// Notes that a peer has a transaction that is not here.
    pub(super) fn want(&mut self, id: PeerId, txid: TxId) {
        let Some(peer) = self.relay.peers.get_mut(&id) else { return };
        if peer.queue.named.len() >= WANTED || !peer.queue.named.insert(txid) {
            return;
        }
        let asked = self.relay.wants.is_asked(&txid);
        if !asked {
            peer.queue.names.push_back(txid);
        }
        let turn = if asked { Turn::Parked } else { Turn::Queued };
        self.relay.wants.0.entry(txid).or_default().push((id, turn));
    }

    /// Asks for what is wanted: first peers that this node chose, in no order that anybody else knows.
    pub(super) fn fetch_transactions(&mut self) {
        let ready =
            self.relay.peers.iter().filter(|(_, peer)| {
                peer.claim.is_some() && !peer.queue.names.is_empty() && peer.queue.asked < PER_PEER
            });
        let ready: Vec<(bool, PeerId)> = ready.map(|(id, peer)| (!peer.chosen(), *id)).collect();
        let random = &mut self.relay.random;
        let mut drawn: Vec<_> = ready.into_iter().map(|(strange, id)| (strange, random.next(), id)).collect();
        drawn.sort_unstable();
        for (.., id) in drawn {
            self.ask_for_transactions(id);
        }
        self.acknowledge();
    }

    fn ask_for_transactions(&mut self, id: PeerId) {
        let mut names = Vec::new();
        let mut here = Vec::new();
        while names.len() < TRANSACTIONS
            && let Some(peer) = self.relay.peers.get_mut(&id)
            && let Some(txid) = peer.queue.names.pop_front()
        {
            if self.is_known(&txid) {
                here.push(txid);
                continue;
            }
            let asked = self.relay.wants.is_asked(&txid);
            let Some(turn) = self.relay.wants.turn(&txid, id) else { continue };
            *turn = if asked { Turn::Parked } else { Turn::Asked };
            if !asked {
                names.push(txid);
            }
        }
        here.iter().for_each(|txid| self.no_longer_want(txid));
        if let Some(peer) = self.relay.peers.get_mut(&id).filter(|_| !names.is_empty()) {
            peer.queue.asked += 1;
            self.ask_peer(id, Question::Transactions(names.clone()), Request::Transactions(names));
        }
    }

    /// Acknowledges announcements of peers that there is room for.
    fn acknowledge(&mut self) {
        let now = self.steady;
        let mut due = Vec::new();
        for (id, peer) in &mut self.relay.peers {
            let room = peer.queue.named.len() + ANNOUNCED <= WANTED;
            let ready = peer.queue.unacknowledged.take_if(|(_, at)| room || *at <= now);
            due.extend(ready.map(|(inbound, _)| (*id, inbound)));
        }
        for (id, inbound) in due {
            self.tell_peer(PeerAction::Respond(id, inbound, Response::Ack));
        }
    }

    /// A transaction was taken, or no copy of it would be.
    pub(super) fn no_longer_want(&mut self, txid: &TxId) {
        for (id, _) in self.relay.wants.0.remove(txid).into_iter().flatten() {
            if let Some(peer) = self.relay.peers.get_mut(&id) {
                peer.queue.named.remove(txid);
            }
        }
    }

    /// A peer did not deliver a transaction that is good: all others that named it may be asked. Once nobody is left, it is
    /// forgotten.
    pub(super) fn ask_another(&mut self, txid: &TxId, failed: PeerId) {
        if let Some(turn) = self.relay.wants.turn(txid, failed) {
            *turn = Turn::Failed;
        }
        let Some(named) = self.relay.wants.0.get_mut(txid) else { return };
        for (id, turn) in named.iter_mut().filter(|(_, turn)| *turn == Turn::Parked) {
            if let Some(peer) = self.relay.peers.get_mut(id) {
                *turn = Turn::Queued;
                peer.queue.names.push_back(*txid);
            }
        }
        if named.iter().all(|(_, turn)| *turn == Turn::Failed) {
            self.no_longer_want(txid);
        }
    }

    /// Transactions came. What did not come costs nothing: it may have been mined, replaced or evicted since it was named.
    pub(super) fn on_transactions_answer(&mut self, id: PeerId, asked: &[TxId], came: &[Bytes]) -> Result<(), Fatal> {
        let bytes: usize = came.iter().map(|bytes| bytes.len()).sum();
        let Some(transactions) = self.decode_transactions(id, came) else {
            self.on_no_transactions(id, asked);
            return Ok(());
        };
        let mut left: BTreeSet<TxId> = asked.iter().copied().collect();
        let (mut good, mut stranger) = (Vec::new(), false);
        for (txid, transaction) in transactions {
            if left.remove(&txid) {
                good.push((txid, transaction));
            } else {
                stranger = true;
            }
        }
        if stranger {
            self.penalize(id, Offence::WrongAnswer("transactions"));
        }
        self.question_for_transactions_ended(id);
        // An answer that is full was cut: the rest is still to come.
        let cut = bytes >= LONG && !good.is_empty();
        for txid in asked.iter().filter(|txid| left.contains(*txid)) {
            match self.relay.wants.turn(txid, id).filter(|_| cut) {
                Some(turn) => {
                    *turn = Turn::Queued;
                    if let Some(peer) = self.relay.peers.get_mut(&id) {
                        peer.queue.names.push_back(*txid);
                    }
                }
                None => self.ask_another(txid, id),
            }
        }
        self.take_transactions(id, good)
    }

    /// Transactions with their names; `None` if anything else is among them.
    pub(super) fn decode_transactions(
        &mut self,
        id: PeerId,
        encoded: &[Bytes],
    ) -> Option<Vec<(TxId, Arc<Transaction>)>> {
        let decode = |bytes: &Bytes| codec::decode::<Transaction>(bytes).map(|tx| (tx.txid(), Arc::new(tx)));
        match encoded.iter().map(decode).collect() {
            Ok(transactions) => Some(transactions),
            Err(error) => {
                self.penalize(id, Offence::Malformed(error));
                None
            }
        }
    }

    /// Nothing came of what a peer was asked for.
    pub(super) fn on_no_transactions(&mut self, id: PeerId, asked: &[TxId]) {
        self.question_for_transactions_ended(id);
        asked.iter().for_each(|txid| self.ask_another(txid, id));
    }

    fn question_for_transactions_ended(&mut self, id: PeerId) {
        if let Some(peer) = self.relay.peers.get_mut(&id) {
            peer.queue.asked = peer.queue.asked.saturating_sub(1);
        }
    }

    /// A peer is gone, and all that it named.
    pub(super) fn forget_queue(&mut self, id: PeerId, queue: &Queue) {
        for txid in &queue.named {
            self.ask_another(txid, id);
            if let Some(named) = self.relay.wants.0.get_mut(txid) {
                named.retain(|(other, _)| *other != id);
            }
        }
    }
}
