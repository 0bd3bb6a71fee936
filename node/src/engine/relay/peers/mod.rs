//! The connected peers: the handshake, our open requests, and what each peer's own requests cost.

mod requests;
mod work;

pub(super) use requests::Question;
pub(super) use work::POOL_AGAIN;
pub use work::PeerWork;

use chain_core::{U256, hash::BlockHash, units::Height};
use std::collections::{BTreeMap, VecDeque};

use self::{requests::Requests, work::Accounts};
use super::usage::PeerUsage;
use crate::{
    engine::{Chain, InboundId, Offence, Outbox, Payer, PeerAction, PeerId, RequestId, Side, Time},
    wire::{PROTOCOL, Request, Response, Status},
};

/// Milliseconds in which a new peer says where it stands.
const HANDSHAKE: u64 = 10_000;

/// Milliseconds between two requests for a peer's status.
const REFRESH: u64 = 30_000;

/// What a request that a peer leaves unanswered weighs against one that it answers, and the weight at which it is
/// disconnected: ten in a row, or for long more than one in five.
const UNANSWERED: u32 = 4;
const SILENT: u32 = 40;

/// Milliseconds that the way to a peer and back is taken to need at most, and before its first response.
const LONGEST_ROUND_TRIP: u64 = 5_000;

/// Milliseconds after which a peer that lacked a block is asked for it again: at first, and at most after many times.
const LACKING: u64 = 1_000;
const LONGEST_LACKING: u64 = 32_000;

/// Requests of a peer that wait until its budget has recovered. An honest node has never so many open, however fast it asks:
/// a flood is not kept in memory, and costs points.
pub(super) const WAITING: usize = 24;

/// Milliseconds that a request waits: the peer waits no longer for any response.
const LONGEST_WAIT: u64 = 30_000;

/// Where a peer says that it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) hash: BlockHash,
    pub(super) height: Height,
    pub(super) work: U256,
    /// The lowest block that it keeps.
    pub(super) oldest: Height,
    /// When it was made.
    pub(super) at: Time,
    /// Whether the block was found in the tree, so that the peer is known to have it.
    pub(super) found: bool,
}

/// A connected peer.
#[derive(Debug)]
pub(super) struct Peer {
    side: Side,
    payer: Payer,
    connected: Time,
    refreshed: Time,
    /// What it said last; `None` before the handshake.
    claim: Option<Claim>,
    /// The best block of ours that it has, as far as is known.
    best: Option<BlockHash>,
    /// A block that it said to lack: it is taken to have it again at that time.
    lacks: Option<(BlockHash, Time)>,
    /// Milliseconds until then, the next time that it lacks one.
    lacking: u64,
    /// What it cost since it connected.
    work: PeerWork,
    /// Requests of it that wait until its budget has recovered.
    waiting: VecDeque<(Time, InboundId, Request)>,
    /// Weight of what it left unanswered.
    silence: u32,
    /// Milliseconds in which its fastest response came.
    fastest: Option<u64>,
}

impl Peer {
    fn new(side: Side, payer: Payer, now: Time) -> Self {
        Self {
            side,
            payer,
            connected: now,
            refreshed: now,
            claim: None,
            best: None,
            lacks: None,
            lacking: LACKING,
            work: PeerWork::default(),
            waiting: VecDeque::new(),
            silence: 0,
            fastest: None,
        }
    }

    /// What it said last; `None` before the handshake.
    pub(super) fn claim(&self) -> Option<Claim> {
        self.claim
    }

    /// Whether this node chose it: an attacker does not, and so such a peer comes first wherever there is a choice.
    pub(super) fn chosen(&self) -> bool {
        self.side == Side::Chosen
    }

    /// Who pays for what it asks.
    pub(super) fn payer(&self) -> Payer {
        self.payer
    }

    /// What it cost since it connected, in units.
    pub(super) fn units(&self) -> u64 {
        self.work.units()
    }

    /// When it must have introduced itself, or is asked again where it stands.
    fn due(&self) -> Time {
        if self.claim.is_none() { self.connected.after(HANDSHAKE) } else { self.refreshed.after(REFRESH) }
    }

    /// When something is due of this peer alone.
    fn wake_at(&self) -> Time {
        self.lacks.map_or(self.due(), |(_, until)| until.min(self.due()))
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Peers {
    /// What peers are told that this program is.
    agent: String,
    connected: BTreeMap<PeerId, Peer>,
    accounts: Accounts,
    requests: Requests,
}

impl Peers {
    /// Nobody is connected yet.
    pub(super) fn new(agent: String) -> Self {
        let (accounts, requests) = (Accounts::default(), Requests::default());
        Self { agent, connected: BTreeMap::new(), accounts, requests }
    }

    pub(super) fn connect(&mut self, id: PeerId, side: Side, payer: Payer, now: Time) {
        self.accounts.connected(payer, now);
        self.connected.insert(id, Peer::new(side, payer, now));
    }

    /// A peer is gone; returns what it was asked and did not answer.
    pub(super) fn disconnect(&mut self, id: PeerId, now: Time) -> Option<Vec<Question>> {
        let gone = self.connected.remove(&id)?;
        self.accounts.disconnected(gone.payer, now);
        Some(self.requests.close_all(id))
    }

    pub(super) fn get(&self, id: PeerId) -> Option<&Peer> {
        self.connected.get(&id)
    }

    /// Those that are connected, by their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PeerId, &Peer)> {
        self.connected.iter().map(|(id, peer)| (*id, peer))
    }

    /// Whether a peer is connected and the handshake is done.
    pub(super) fn is_met(&self, id: PeerId) -> bool {
        self.get(id).is_some_and(|peer| peer.claim.is_some())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.connected.is_empty()
    }

    /// Sends a request.
    pub(super) fn ask(&mut self, id: PeerId, question: Question, request: Request, out: &mut Outbox) {
        self.charge(id, &PeerWork { asked: 1, ..PeerWork::default() }, out.steady());
        let number = self.requests.ask(id, question, out.steady());
        out.tell(PeerAction::Request(id, number, request));
    }

    /// A response came; returns the request, and when it was sent. A late one is dropped.
    pub(super) fn answered(&mut self, id: PeerId, number: RequestId, now: Time) -> Option<(Question, Time)> {
        let (question, asked) = self.requests.close(id, number)?;
        if let Some(peer) = self.connected.get_mut(&id) {
            peer.silence = peer.silence.saturating_sub(1);
            let took = now.since(asked);
            peer.fastest = Some(peer.fastest.map_or(took, |fastest| fastest.min(took)));
        }
        Some((question, asked))
    }

    /// Milliseconds that the way to a peer and back may need, as far as is known: a response cannot come sooner.
    pub(super) fn round_trip(&self, id: PeerId) -> u64 {
        let fastest = self.get(id).and_then(|peer| peer.fastest);
        fastest.unwrap_or(LONGEST_ROUND_TRIP).min(LONGEST_ROUND_TRIP)
    }

    /// No response will come; returns the request.
    pub(super) fn failed(&mut self, id: PeerId, number: RequestId) -> Option<Question> {
        Some(self.requests.close(id, number)?.0)
    }

    /// The next request whose response is overdue; it is closed.
    pub(super) fn overdue(&mut self, now: Time) -> Option<(PeerId, Question)> {
        self.requests.overdue(now)
    }

    /// A peer left a request unanswered; returns whether it did so too often.
    pub(super) fn is_silent(&mut self, id: PeerId) -> bool {
        let Some(peer) = self.connected.get_mut(&id) else { return false };
        peer.silence += UNANSWERED;
        peer.silence >= SILENT
    }

    /// What a peer cost since it connected.
    pub(super) fn work(&self) -> impl Iterator<Item = (PeerId, PeerWork)> {
        self.iter().map(|(id, peer)| (id, peer.work))
    }

    /// Counts what is kept because of peers.
    pub(super) fn count(&self, usage: &mut PeerUsage) {
        usage.peers = self.connected.len();
        usage.questions = self.requests.len();
        usage.waiting = self.connected.values().map(|peer| peer.waiting.len()).sum();
    }

    /// What this node says of itself.
    pub(super) fn status(&self, chain: &Chain, now: Time) -> Status {
        let best = chain.told_tip();
        Status {
            genesis: chain.genesis(),
            best,
            height: chain.height_of(&best),
            work: chain.work_of(&best),
            protocol: PROTOCOL,
            agent: self.agent.clone(),
            oldest: chain.store().pruned() + 1,
            time: now.seconds(),
        }
    }

    pub(super) fn ask_status(&mut self, id: PeerId, chain: &Chain, out: &mut Outbox) {
        if let Some(peer) = self.connected.get_mut(&id) {
            peer.refreshed = out.steady();
        }
        let status = self.status(chain, out.wall());
        self.ask(id, Question::Status, Request::Status(status), out);
    }

    /// Whether a peer may ask this yet: its status comes first.
    pub(super) fn is_introduced(&self, id: PeerId, request: &Request, out: &mut Outbox) -> bool {
        let Some(peer) = self.get(id) else { return false };
        // A peer that we dialled knows our status, though its own may still be on its way.
        let introduced = peer.claim.is_some() || peer.side != Side::Inbound || matches!(request, Request::Status(_));
        if !introduced {
            out.penalize(id, Offence::OutOfTurn("a request"));
        }
        introduced
    }

    /// A peer says where it stands.
    ///
    /// # Errors
    /// Why it is to be disconnected.
    pub(super) fn on_status(
        &mut self,
        id: PeerId,
        status: &Status,
        genesis: BlockHash,
        now: Time,
    ) -> Result<(), &'static str> {
        if status.genesis != genesis {
            return Err("another chain");
        }
        if status.protocol < PROTOCOL {
            return Err("an older protocol");
        }
        let Status { best, height, work, oldest, .. } = *status;
        if let Some(peer) = self.connected.get_mut(&id) {
            peer.refreshed = now;
            peer.claim = Some(Claim { hash: best, height, work, oldest, at: now, found: false });
        }
        Ok(())
    }

    /// Peers whose tips have come into the tree have them.
    pub(super) fn find_claims(&mut self, chain: &Chain) {
        for peer in self.connected.values_mut() {
            if let Some(claim) = peer.claim.as_mut().filter(|claim| !claim.found && chain.tree().contains(&claim.hash))
            {
                claim.found = true;
                let hash = claim.hash;
                peer.consider_best(hash, chain);
            }
        }
    }

    /// The tip of each peer, with its height: what it said last, or a block with more work that it is known to have since.
    pub(super) fn tips(&self, chain: &Chain) -> impl Iterator<Item = (PeerId, (Height, BlockHash))> {
        let tip = |peer: &Peer| {
            let claim = peer.claim?;
            let best = peer.best.and_then(|best| Some((best, chain.tree().get(&best)?)));
            Some(match best {
                Some((best, info)) if info.work > claim.work => (info.height, best),
                _ => (claim.height, claim.hash),
            })
        };
        self.connected.iter().filter_map(move |(id, peer)| Some((*id, tip(peer)?)))
    }

    /// A peer is known to have a block: notes it if that is in the tree, and better than what was known.
    pub(super) fn consider_best(&mut self, id: PeerId, hash: BlockHash, chain: &Chain) {
        if let Some(peer) = self.connected.get_mut(&id) {
            peer.consider_best(hash, chain);
        }
    }

    /// A peer lacks a block: until it has it, it has what is below.
    pub(super) fn note_lacking(&mut self, id: PeerId, parent: Option<BlockHash>, now: Time) {
        if let Some(peer) = self.connected.get_mut(&id) {
            peer.lacks = peer.best.map(|best| (best, now.after(peer.lacking)));
            peer.best = parent;
            peer.lacking = (peer.lacking * 2).min(LONGEST_LACKING);
        }
    }

    /// A peer delivered blocks.
    pub(super) fn note_delivery(&mut self, id: PeerId) {
        if let Some(peer) = self.connected.get_mut(&id) {
            peer.lacking = LACKING;
        }
    }

    /// From where up to where a peer has the blocks of a branch, as far as is known.
    pub(super) fn kept_by(&self, id: PeerId, goal: BlockHash, chain: &Chain) -> Option<(Height, Height)> {
        let peer = self.get(id)?;
        let oldest = peer.claim.map_or(0, |claim| claim.oldest);
        // The best block that it knows may be on another branch than the one where it stands.
        let stands = peer.claim.filter(|claim| claim.found).map(|claim| claim.hash);
        let tree = chain.tree();
        let known = peer.best.into_iter().chain(stands).filter_map(|hash| tree.fork_point(&hash, &goal));
        let top = known.filter_map(|fork| tree.get(&fork).map(|fork| fork.height)).max()?;
        Some((oldest, top))
    }

    /// Whether a peer has the block at a height of a branch, as far as is known.
    pub(super) fn keeps(&self, id: PeerId, goal: BlockHash, height: Height, chain: &Chain) -> bool {
        self.kept_by(id, goal, chain).is_some_and(|(oldest, top)| (oldest..=top).contains(&height))
    }

    /// Peers of which something is due.
    pub(super) fn due(&self, now: Time) -> Vec<PeerId> {
        self.iter().filter(|(_, peer)| peer.wake_at() <= now).map(|(id, _)| id).collect()
    }

    /// Time passed: asks a peer where it stands, now and then; returns whether it did not introduce itself in time.
    pub(super) fn tick(&mut self, id: PeerId, chain: &Chain, out: &mut Outbox) -> bool {
        let now = out.steady();
        let Some(peer) = self.connected.get_mut(&id) else { return false };
        if let Some((hash, _)) = peer.lacks.take_if(|(_, until)| *until <= now) {
            peer.consider_best(hash, chain);
        }
        let (met, due) = (peer.claim.is_some(), peer.due() <= now);
        if met && due {
            self.ask_status(id, chain, out);
        }
        !met && due
    }

    /// A peer sends a request. What it costs is charged afterwards. A peer that owes something waits for the response until its budget has
    /// recovered, and so asks as fast as it is served, which is allowed. Returns the request if it is to be served now.
    pub(super) fn admit(
        &mut self,
        id: PeerId,
        inbound: InboundId,
        request: Request,
        out: &mut Outbox,
    ) -> Option<Request> {
        if !self.is_introduced(id, &request, out) {
            out.respond(id, inbound, Response::Unknown);
            return None;
        }
        let open = self.may_cost(id, out.steady());
        let peer = self.connected.get_mut(&id)?;
        if open && peer.waiting.is_empty() {
            return Some(request);
        }
        if peer.waiting.len() < WAITING {
            peer.waiting.push_back((out.steady(), inbound, request));
        } else {
            turn_away(id, inbound, &request, out);
            out.penalize(id, Offence::TooMany("requests"));
        }
        None
    }

    /// Turns requests away that have waited too long.
    pub(super) fn turn_away_late(&mut self, out: &mut Outbox) {
        let now = out.steady();
        for (id, peer) in &mut self.connected {
            while let Some((_, inbound, request)) =
                peer.waiting.pop_front_if(|(since, ..)| now.since(*since) >= LONGEST_WAIT)
            {
                turn_away(*id, inbound, &request, out);
            }
        }
    }

    /// The next request that waits and may be served now: the one that waited longest.
    pub(super) fn next_waiting(&mut self, now: Time) -> Option<(PeerId, InboundId, Request)> {
        let first = |(id, peer): (PeerId, &Peer)| peer.waiting.front().map(|(since, ..)| (*since, id));
        let able = self.iter().filter(|(_, peer)| self.accounts.is_open(peer.payer, now));
        let (_, id) = able.filter_map(first).min()?;
        let (_, inbound, request) = self.connected.get_mut(&id)?.waiting.pop_front()?;
        Some((id, inbound, request))
    }

    /// When the next request that waits may be served, or has waited long enough.
    fn serves_at(&self, now: Time) -> Option<Time> {
        let waiting = self.connected.values().filter_map(|peer| Some((peer.payer, peer.waiting.front()?)));
        let at = |(payer, (since, ..)): (Payer, &(Time, InboundId, Request))| {
            self.accounts.opens_at(payer, now).min(since.after(LONGEST_WAIT))
        };
        waiting.map(at).min()
    }

    /// Holds work against the peer that it was done for.
    pub(super) fn charge(&mut self, id: PeerId, work: &PeerWork, now: Time) {
        let Some(peer) = self.connected.get_mut(&id) else { return };
        let before = peer.work.units();
        peer.work.add(work);
        let price = peer.work.units() - before;
        self.accounts.charge(peer.payer, price, now);
    }

    /// Whether a peer has not cost too much lately, nor others of its owner.
    pub(super) fn may_cost(&self, id: PeerId, now: Time) -> bool {
        self.get(id).is_some_and(|peer| self.accounts.is_open(peer.payer, now))
    }

    /// Whether the pool was told to the owner of a peer lately.
    pub(super) fn has_heard_pool(&self, payer: Payer, now: Time) -> bool {
        self.accounts.has_heard_pool(payer, now)
    }

    /// The pool is told to the owner of a peer now.
    pub(super) fn hears_pool(&mut self, payer: Payer, now: Time) {
        self.accounts.hears_pool(payer, now);
    }

    /// When something is due of a peer.
    pub(super) fn wake_at(&self, now: Time) -> Option<Time> {
        let peers = self.connected.values().map(Peer::wake_at).min();
        [peers, self.requests.deadline(), self.serves_at(now)].into_iter().flatten().min()
    }
}

impl Peer {
    fn consider_best(&mut self, hash: BlockHash, chain: &Chain) {
        let Some(info) = chain.tree().get(&hash) else { return };
        let before = self.best.and_then(|best| chain.tree().get(&best));
        if before.is_none_or(|before| before.work < info.work) {
            self.best = Some(hash);
        }
    }
}

/// Refuses a request without reading it. Only this node loses by names that it does not read.
fn turn_away(id: PeerId, inbound: InboundId, request: &Request, out: &mut Outbox) {
    let announces = matches!(request, Request::Announce(_));
    out.respond(id, inbound, if announces { Response::Ack } else { Response::Unknown });
}

#[cfg(test)]
impl Peers {
    pub(super) fn opens_at(&self, payer: Payer, now: Time) -> Time {
        self.accounts.opens_at(payer, now)
    }
}
