//! Relay and sync: what the engine says to peers, and what it makes of what they say.
//!
//! Headers come first ([`headers`]), then bodies from many peers at once ([`bodies`]); new blocks come compactly
//! ([`gossip`], [`compact`]), transactions by name ([`announce`], [`fetch`], [`reconcile`]). All that is kept of a peer is
//! bounded; `docs/network.md` lists the bounds.

mod announce;
mod bodies;
mod compact;
mod fetch;
mod forms;
mod goal;
mod gossip;
mod headers;
mod intake;
mod keepers;
mod known;
mod offence;
mod peers;
mod random;
mod recent;
mod reconcile;
mod repair;
mod requests;
mod serve;
#[cfg(test)]
mod tests;
mod usage;
mod work;

pub use offence::{BAN, Offence};
pub use usage::PeerUsage;
pub use work::PeerWork;

use chain_core::{
    hash::{BlockHash, TxId},
    units::Height,
};
use std::collections::{BTreeMap, HashMap, HashSet};

use self::{
    announce::Log,
    bodies::Bodies,
    compact::Partials,
    fetch::Wants,
    goal::Withheld,
    gossip::Gossip,
    intake::Orphans,
    keepers::Unkept,
    peers::Peer,
    random::Random,
    recent::Recent,
    reconcile::{Comparison, ToldPools},
    repair::Repair,
    requests::{Question, Requests},
    work::Accounts,
};
use super::{Action, Engine, Failure, PeerAction, PeerEvent, PeerId, RequestId, SyncProgress, Time, error::Fatal};
use crate::wire::{Request, Response};

/// How the engine deals with peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayConfig {
    /// All that is chosen at random is drawn from this.
    pub seed: u64,
    /// What peers are told that this program is; at most 64 bytes of printable ASCII.
    pub agent: String,
    /// Headers of less work than this are not stored: a defence of new nodes, who know no better chain yet.
    pub minimum_work: chain_core::U256,
    /// Blocks' worth of work that a chain may be behind ours and still have its headers stored.
    pub margin: u64,
    /// Headers beside the best ones that are kept for less work than those have.
    pub beside: usize,
}

impl Default for RelayConfig {
    fn default() -> Self {
        let agent = concat!("cairn/", env!("CARGO_PKG_VERSION")).to_owned();
        Self { seed: 0, agent, minimum_work: chain_core::U256::ZERO, margin: MARGIN, beside: BESIDE }
    }
}

/// [`RelayConfig::margin`] of a node: the half-life of the difficulty.
const MARGIN: u64 = 288;

/// [`RelayConfig::beside`] of a node: some 15 MB.
const BESIDE: usize = 65_536;

/// Blocks that the best header may be ahead before the node counts as syncing.
const BEHIND: Height = 8;

/// Milliseconds without a block after which the node no longer counts as syncing.
const IDLE: u64 = 10_000;

/// All about peers.
#[derive(Debug)]
pub(super) struct Relay {
    config: RelayConfig,
    random: Random,
    peers: BTreeMap<PeerId, Peer>,
    accounts: Accounts,
    requests: Requests,
    /// When headers last improved, or were asked for first.
    headers_improved: Time,
    bodies: Bodies,
    withheld: Withheld,
    repair: Repair,
    /// Blocks of a better chain that no peer keeps, since when.
    unkept: Option<Unkept>,
    /// Who sent the blocks that wait to be executed; of no more than the window.
    pub(super) origins: HashMap<BlockHash, PeerId>,
    partials: Partials,
    gossip: Gossip,
    log: Log,
    wants: Wants,
    orphans: Orphans,
    comparison: Option<Comparison>,
    /// When the log last said that a block is ahead of the clock.
    warned_of_future: Option<Time>,
    told_pools: ToldPools,
    /// Transactions that blocks brought lately, and those that this node does not take.
    recent: Recent,
    /// Those among them that orphans wait for.
    parents_mined: HashSet<TxId>,
    /// Height of the tip when syncing began.
    sync_start: Option<Height>,
}

impl Relay {
    /// Nobody is connected yet.
    pub(super) fn new(config: RelayConfig) -> Self {
        Self {
            random: Random::new(config.seed),
            config,
            peers: BTreeMap::new(),
            accounts: Accounts::default(),
            requests: Requests::default(),
            headers_improved: Time(0),
            bodies: Bodies::default(),
            withheld: Withheld::default(),
            repair: Repair::default(),
            unkept: None,
            origins: HashMap::new(),
            partials: Partials::new(),
            gossip: Gossip::default(),
            log: Log::default(),
            wants: Wants::default(),
            orphans: Orphans::default(),
            comparison: None,
            warned_of_future: None,
            told_pools: ToldPools::default(),
            recent: Recent::default(),
            parents_mined: HashSet::new(),
            sync_start: None,
        }
    }

    /// A block is here: nothing of it is missing any more.
    pub(super) fn arrived(&mut self, height: Height, hash: BlockHash) {
        self.bodies.arrived(&(height, hash));
        self.partials.retain(|(other, _), _| *other != hash);
    }
}

impl Engine {
    /// When [`super::Event::Tick`] is due at the latest, if it is; a second later it does no harm.
    pub fn wake_at(&self) -> Option<Time> {
        let relay = &self.relay;
        let peers = relay.peers.values().map(Peer::wake_at).min();
        let headers = relay.peers.values().any(|peer| peer.asked_headers);
        let headers = headers.then(|| headers::next_attempt(relay.headers_improved, self.steady));
        let resting = relay.peers.values().map(|peer| peer.headers_after).filter(|at| *at > self.steady).min();
        let withheld = relay.withheld.wake_at(self.steady).filter(|_| !relay.peers.is_empty());
        let unkept = relay.unkept.as_ref().map(Unkept::lapses_at);
        let own = [relay.requests.deadline(), relay.bodies.wake_at(), relay.gossip.wake_at(), withheld, unkept];
        own.into_iter().chain([peers, headers, resting, self.serves_at()]).flatten().min()
    }

    /// Takes in what a peer did.
    pub(super) fn on_peer(&mut self, peer: PeerId, event: PeerEvent) -> Result<(), Fatal> {
        match event {
            PeerEvent::Connected(side, payer) => self.on_connected(peer, side, payer),
            PeerEvent::Disconnected => self.on_disconnected(peer)?,
            PeerEvent::Request(id, request) => self.on_request(peer, id, request)?,
            PeerEvent::Response(id, Ok(response)) => self.on_response(peer, id, response)?,
            PeerEvent::Response(id, Err(failure)) => self.on_failure(peer, id, failure)?,
            PeerEvent::Gossip(id, compact) => self.on_gossip(peer, id, compact)?,
            PeerEvent::Malformed(error) => self.penalize(peer, Offence::Malformed(error)),
        }
        Ok(())
    }

    /// An answer came. One that nobody waits for any more is dropped.
    fn on_response(&mut self, peer: PeerId, id: RequestId, response: Response) -> Result<(), Fatal> {
        let Some(question) = self.relay.requests.close(peer, id) else { return Ok(()) };
        if let Some(peer) = self.relay.peers.get_mut(&peer) {
            peer.answered();
        }
        match (question, response) {
            (Question::Status, Response::Status(status)) => self.on_status(peer, &status),
            (Question::Headers, Response::Headers(headers)) => self.on_headers_answer(peer, &headers),
            (Question::Blocks(asked), Response::Blocks(blocks)) => self.on_blocks_answer(peer, asked, blocks),
            (Question::Blocks(asked), Response::Unknown) => {
                self.on_no_blocks(peer, &asked, true);
                Ok(())
            }
            (Question::Announce, Response::Ack) => {
                self.on_announced(peer);
                Ok(())
            }
            (Question::BlockTransactions(block), Response::Transactions(came)) => {
                self.on_block_transactions_answer(peer, block, &came)
            }
            (Question::Transactions(names), Response::Transactions(came)) => {
                self.on_transactions_answer(peer, &names, &came)
            }
            (Question::Pool { .. }, Response::ShortIds(ids)) => {
                self.on_pool_answer(peer, ids);
                Ok(())
            }
            (Question::ShortTransactions { salt, ids }, Response::Transactions(came)) => {
                self.on_short_answer(peer, salt, ids, &came)
            }
            (Question::Pool { .. }, Response::Unknown) => {
                self.postpone_comparison(peer);
                Ok(())
            }
            (question, Response::Unknown) => self.on_unanswered(peer, question),
            (question, _) => {
                self.penalize(peer, Offence::WrongAnswer(question.name()));
                self.on_unanswered(peer, question)
            }
        }
    }

    /// No answer will come.
    fn on_failure(&mut self, peer: PeerId, id: RequestId, failure: Failure) -> Result<(), Fatal> {
        let Some(question) = self.relay.requests.close(peer, id) else { return Ok(()) };
        match failure {
            Failure::Timeout => return self.on_silence(peer, question),
            Failure::Refused => {}
            Failure::Malformed(error) => self.penalize(peer, Offence::Malformed(error)),
        }
        self.on_unanswered(peer, question)
    }

    /// No answer came in time: the question is asked of another, and whoever is silent too often is sent away. Silence
    /// proves nothing against a peer, for messages get lost or late, so that it is no offence.
    fn on_silence(&mut self, peer: PeerId, question: Question) -> Result<(), Fatal> {
        self.on_unanswered(peer, question)?;
        match self.relay.peers.get_mut(&peer).is_some_and(Peer::is_silent) {
            true => self.disconnect(peer, "leaves questions unanswered"),
            false => Ok(()),
        }
    }

    /// A question has no answer, whoever is to blame: it is asked of another, or later.
    fn on_unanswered(&mut self, peer: PeerId, question: Question) -> Result<(), Fatal> {
        match question {
            Question::Headers => {
                if let Some(peer) = self.relay.peers.get_mut(&peer) {
                    peer.asked_headers = false;
                }
                self.rest_headers(peer);
            }
            Question::Blocks(asked) => self.on_no_blocks(peer, &asked, false),
            Question::BlockTransactions(block) => self.on_no_block_transactions(peer, block),
            Question::Transactions(asked) => self.on_no_transactions(peer, &asked),
            Question::Pool { .. } | Question::ShortTransactions { .. } => self.end_comparison(peer),
            Question::Announce => self.on_announced(peer),
            Question::Status => {}
        }
        Ok(())
    }

    /// Time passed.
    pub(super) fn tick_relay(&mut self) -> Result<(), Fatal> {
        while let Some(asked) = self.relay.requests.overdue(self.steady) {
            self.on_silence(asked.peer, asked.question)?;
        }
        self.serve_waiting()?;
        self.drop_overdue_forms();
        self.tick_bodies()?;
        self.fetch_unreadable();
        self.note_keepers();
        self.tick_peers()
    }

    /// After each event: asks for whatever is of use now.
    pub(super) fn relay_on(&mut self) -> Result<(), Fatal> {
        if !self.relay.peers.is_empty() {
            self.retry_held()?;
            self.sync_headers();
            self.fetch_bodies();
            self.fetch_transactions();
            self.announce();
            self.reconcile();
        }
        self.note_progress();
        Ok(())
    }

    /// The pool took a transaction.
    pub(super) fn relay_transaction(&mut self, txid: TxId) {
        if !self.relay.peers.is_empty() {
            self.relay.log.add(txid);
        }
    }

    /// A transaction came back from a block: whoever was told of it may have asked while it was not in the pool, in vain.
    pub(super) fn tell_again(&mut self, txid: &TxId) {
        self.relay.peers.values_mut().for_each(|peer| peer.known.remove(txid));
    }

    /// Notes whether the node is syncing.
    fn note_progress(&mut self) {
        let tip = self.store.tip().height;
        let best = self.tree.get(&self.tree.best_header()).map_or(tip, |info| info.height);
        let came = self.steady.since(self.relay.bodies.came) < IDLE;
        let fetching = best > tip.saturating_add(BEHIND) && (came || self.relay.unkept.is_some());
        let before = self.relay.sync_start;
        self.relay.sync_start = fetching.then(|| before.unwrap_or(tip));
        if before.is_some() && !fetching {
            // What was announced meanwhile was not asked for.
            self.compare_again();
        }
    }

    /// How far fetching is, if many blocks are being fetched.
    pub(super) fn fetching(&self) -> Option<SyncProgress> {
        let start = self.relay.sync_start?;
        let current = self.store.tip().height;
        let highest = self.tree.get(&self.tree.best_header()).map_or(current, |info| info.height);
        Some(SyncProgress { start, current, highest })
    }

    fn tell_peer(&mut self, action: PeerAction) {
        self.actions.push(Action::Peer(action));
    }

    fn ask_peer(&mut self, peer: PeerId, question: Question, request: Request) {
        self.charge(peer, &PeerWork { asked: 1, ..PeerWork::default() });
        let id = self.relay.requests.ask(peer, question, self.steady);
        self.tell_peer(PeerAction::Request(peer, id, request));
    }

    /// Holds something against a peer.
    pub(super) fn penalize(&mut self, peer: PeerId, offence: Offence) {
        self.tell_peer(PeerAction::Penalize(peer, offence));
    }
}
