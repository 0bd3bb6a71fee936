//! Transactions that peers named: asked of one, and of the next if that one does not deliver.

use chain_core::{Bytes, codec, hash::TxId, transaction::Transaction};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use super::{requests::Question, serve::LONG};
use crate::{
    engine::{Engine, Offence, PeerId, error::Fatal},
    wire::{Request, Response, TRANSACTIONS},
};

/// Transactions of one peer that may be wanted at a time.
pub(super) const WANTED: usize = 4_096;

/// Peers that are remembered for one transaction beside the one that is asked.
const OTHERS: usize = 7;

/// Questions for transactions that may be open with one peer.
pub(super) const PER_PEER: usize = 2;

/// Milliseconds after a block in which transactions may be gone that were just announced.
const JUST_NOW: u64 = 15_000;

/// A transaction that a peer named, and that is not here.
#[derive(Debug)]
struct Wanted {
    /// Whose share of what may be wanted it takes.
    first: PeerId,
    /// Who else has it.
    others: VecDeque<PeerId>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Wants(BTreeMap<TxId, Wanted>);

impl Wants {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// What is wanted of one peer.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// To be asked for.
    names: VecDeque<TxId>,
    /// Its share of what is wanted.
    share: usize,
    /// Questions that are open.
    asked: usize,
}

impl Engine {
    /// A peer names transactions.
    pub(super) fn on_announce(&mut self, id: PeerId, names: Vec<TxId>) -> Response {
        let (mut doubled, count) = (0, names.len());
        let syncing = self.relay.sync_start.is_some();
        let mut refused = false;
        for txid in names {
            let Some(peer) = self.relay.peers.get_mut(&id) else { break };
            peer.known.insert(&txid);
            // Named again after a reorganisation, it may be what was asked for in vain.
            let again = !peer.heard.insert(&txid);
            doubled += usize::from(again);
            let asked = again && self.relay.wants.0.contains_key(&txid);
            if !syncing && !asked && !self.mempool.contains(&txid) {
                refused |= !self.want(id, txid);
            }
        }
        if doubled > count / 2 {
            self.penalize(id, Offence::Doubled("an announcement"));
        }
        if refused {
            self.penalize(id, Offence::TooMany("announcements"));
        }
        Response::Ack
    }

    /// Notes that a peer has a transaction that is not here. Answers `false` if it named too many.
    pub(super) fn want(&mut self, id: PeerId, txid: TxId) -> bool {
        if let Some(wanted) = self.relay.wants.0.get_mut(&txid) {
            if wanted.others.len() < OTHERS {
                wanted.others.push_back(id);
            }
            return true;
        }
        let Some(peer) = self.relay.peers.get_mut(&id) else { return true };
        if peer.queue.share >= WANTED {
            return false;
        }
        peer.queue.share += 1;
        peer.queue.names.push_back(txid);
        self.relay.wants.0.insert(txid, Wanted { first: id, others: VecDeque::new() });
        true
    }

    /// Asks for what is wanted.
    pub(super) fn fetch_transactions(&mut self) {
        let ready = |(id, peer): (&PeerId, &super::peers::Peer)| {
            (!peer.queue.names.is_empty() && peer.queue.asked < PER_PEER).then_some(*id)
        };
        let ready: Vec<PeerId> = self.relay.peers.iter().filter_map(ready).collect();
        for id in ready {
            let Some(peer) = self.relay.peers.get_mut(&id) else { continue };
            let mut names = Vec::new();
            let mut here = Vec::new();
            while names.len() < TRANSACTIONS
                && let Some(txid) = peer.queue.names.pop_front()
            {
                if self.mempool.contains(&txid) { here.push(txid) } else { names.push(txid) }
            }
            if !names.is_empty() {
                peer.queue.asked += 1;
                self.ask_peer(id, Question::Transactions(names.clone()), Request::Transactions(names));
            }
            here.iter().for_each(|txid| self.no_longer_want(txid));
        }
    }

    fn no_longer_want(&mut self, txid: &TxId) {
        if let Some(wanted) = self.relay.wants.0.remove(txid)
            && let Some(first) = self.relay.peers.get_mut(&wanted.first)
        {
            first.queue.share = first.queue.share.saturating_sub(1);
        }
    }

    /// A peer did not deliver a transaction: the next is asked, if there is one.
    fn ask_another(&mut self, txid: TxId) {
        let Some(wanted) = self.relay.wants.0.get_mut(&txid) else { return };
        while let Some(next) = wanted.others.pop_front() {
            if let Some(peer) = self.relay.peers.get_mut(&next).filter(|peer| peer.queue.names.len() < WANTED) {
                peer.queue.names.push_back(txid);
                return;
            }
        }
        self.no_longer_want(&txid);
    }

    /// Transactions came.
    pub(super) fn on_transactions_answer(&mut self, id: PeerId, asked: Vec<TxId>, came: &[Bytes]) -> Result<(), Fatal> {
        let bytes: usize = came.iter().map(|bytes| bytes.len()).sum();
        let Some(transactions) = self.decode_transactions(id, came) else { return self.on_no_transactions(id, asked) };
        let mut left: BTreeMap<TxId, usize> = (0..).zip(&asked).map(|(place, txid)| (*txid, place)).collect();
        let (mut good, mut stranger) = (Vec::new(), false);
        for (txid, transaction) in transactions {
            if left.remove(&txid).is_some() {
                self.no_longer_want(&txid);
                good.push((txid, transaction));
            } else {
                stranger = true;
            }
        }
        if stranger {
            self.penalize(id, Offence::WrongAnswer("transactions"));
        }
        // An answer that is full was cut: the rest is still to come.
        let cut = bytes >= LONG && !good.is_empty();
        let announced = |peer: &super::peers::Peer| asked.iter().all(|txid| peer.heard.contains(txid));
        // What was mined just now nobody has any more.
        let mined = self.now.since(self.relay.connected) < JUST_NOW;
        if good.is_empty() && !stranger && !mined && self.relay.peers.get(&id).is_some_and(announced) {
            self.penalize(id, Offence::NothingDelivered);
        }
        self.question_for_transactions_ended(id);
        for txid in left.into_keys() {
            match self.relay.peers.get_mut(&id).filter(|_| cut) {
                Some(peer) => peer.queue.names.push_back(txid),
                None => self.ask_another(txid),
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
    pub(super) fn on_no_transactions(&mut self, id: PeerId, asked: Vec<TxId>) -> Result<(), Fatal> {
        self.question_for_transactions_ended(id);
        asked.into_iter().for_each(|txid| self.ask_another(txid));
        Ok(())
    }

    fn question_for_transactions_ended(&mut self, id: PeerId) {
        if let Some(peer) = self.relay.peers.get_mut(&id) {
            peer.queue.asked = peer.queue.asked.saturating_sub(1);
        }
    }

    /// A peer is gone: what only was to be asked of it is asked of others.
    pub(super) fn forget_queue(&mut self, queue: Queue) {
        queue.names.into_iter().for_each(|txid| self.ask_another(txid));
    }
}
