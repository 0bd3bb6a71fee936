//! Our open requests and their deadlines.

use chain_core::hash::{BlockHash, TxId};
use std::collections::{BTreeMap, BTreeSet};

use crate::{
    engine::{PeerId, RequestId, Time},
    wire::ShortId,
};

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Status,
    Headers,
    Blocks(Vec<BlockHash>),
    BlockTransactions(BlockHash),
    Announce,
    Transactions(Vec<TxId>),
    Pool { salt: u64 },
    ShortTransactions { salt: u64, ids: Vec<ShortId> },
    Finality,
}

impl Question {
    /// Its name in offences.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Status => "the status",
            Self::Headers => "headers",
            Self::Blocks(_) => "blocks",
            Self::BlockTransactions(_) => "transactions of a block",
            Self::Announce => "an acknowledgement",
            Self::Transactions(_) | Self::ShortTransactions { .. } => "transactions",
            Self::Pool { .. } => "the pool",
            Self::Finality => "the newest certificate",
        }
    }

    /// Milliseconds until the response is overdue.
    fn patience(&self) -> u64 {
        match self {
            Self::BlockTransactions(_) => 3_000,
            Self::Status | Self::Transactions(_) | Self::Finality => 10_000,
            Self::Headers | Self::Pool { .. } | Self::ShortTransactions { .. } => 15_000,
            Self::Blocks(_) | Self::Announce => 30_000,
        }
    }
}

/// An open request.
#[derive(Clone, Debug)]
struct Asked {
    peer: PeerId,
    question: Question,
    at: Time,
}

impl Asked {
    fn deadline(&self) -> Time {
        self.at.after(self.question.patience())
    }
}

/// All of them. What may be open with one peer at a time is bounded by the part that asks.
#[derive(Debug, Default)]
pub(super) struct Requests {
    last: u64,
    open: BTreeMap<RequestId, Asked>,
    deadlines: BTreeSet<(Time, RequestId)>,
}

impl Requests {
    /// Notes a request; returns its number.
    pub(super) fn ask(&mut self, peer: PeerId, question: Question, now: Time) -> RequestId {
        self.last += 1;
        let id = RequestId(self.last);
        let asked = Asked { peer, question, at: now };
        self.deadlines.insert((asked.deadline(), id));
        self.open.insert(id, asked);
        id
    }

    /// Closes the request of a number, if it is open with this peer; returns it and when it was sent.
    pub(super) fn close(&mut self, peer: PeerId, id: RequestId) -> Option<(Question, Time)> {
        if self.open.get(&id)?.peer != peer {
            return None;
        }
        let asked = self.open.remove(&id)?;
        self.deadlines.remove(&(asked.deadline(), id));
        Some((asked.question, asked.at))
    }

    /// Closes all requests to a peer.
    pub(super) fn close_all(&mut self, peer: PeerId) -> Vec<Question> {
        let ids: Vec<RequestId> = self.open.iter().filter(|(_, asked)| asked.peer == peer).map(|(id, _)| *id).collect();
        ids.into_iter().filter_map(|id| Some(self.close(peer, id)?.0)).collect()
    }

    /// Closes a request whose response is overdue.
    pub(super) fn overdue(&mut self, now: Time) -> Option<(PeerId, Question)> {
        let (_, id) = *self.deadlines.first().filter(|(deadline, _)| *deadline <= now)?;
        let peer = self.open.get(&id)?.peer;
        Some((peer, self.close(peer, id)?.0))
    }

    /// When the next response is overdue.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Open requests.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}
