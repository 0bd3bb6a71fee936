//! What is known of each peer, and the handshake.

use chain_core::{U256, hash::BlockHash, units::Height};

use super::{
    Relay,
    announce::Told,
    bodies::LACKING,
    fetch::Queue,
    headers::{Presync, USELESS},
    known::Known,
    reconcile::Compared,
    serve::Waiting,
    work::PeerWork,
};
use crate::{
    engine::{
        Engine, InboundId, Offence, Payer, PeerAction, PeerId, Side, Time, error::Fatal, relay::requests::Question,
    },
    wire::{PROTOCOL, Request, Response, Status},
};

/// Milliseconds in which a new peer says where it stands.
const HANDSHAKE: u64 = 10_000;

/// Milliseconds between two questions where a peer stands.
const REFRESH: u64 = 30_000;

/// What a question that a peer leaves unanswered weighs against one that it answers, and the weight at which it is sent
/// away: ten in a row, or for long more than one in five.
const UNANSWERED: u32 = 4;
const SILENT: u32 = 40;

/// Where a peer says that it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) hash: BlockHash,
    pub(super) height: Height,
    pub(super) work: U256,
    /// The lowest block that it keeps.
    pub(super) oldest: Height,
    /// Whether the block was found in the tree, so that the peer is known to have it.
    pub(super) found: bool,
}

/// A connected peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) side: Side,
    pub(super) payer: Payer,
    connected: Time,
    refreshed: Time,
    /// What it said last; `None` before the handshake.
    pub(super) claim: Option<Claim>,
    /// The best block of ours that it has, as far as is known.
    pub(super) best: Option<BlockHash>,
    /// A block that it said to lack: it is taken to have it again at that time.
    pub(super) lacks: Option<(BlockHash, Time)>,
    /// Milliseconds until then, the next time that it lacks one.
    pub(super) lacking: u64,
    /// Whether it was asked for headers and did not answer yet.
    pub(super) asked_headers: bool,
    /// What it claimed when it was last asked for headers: the answer to that need not show what it claimed since.
    pub(super) claim_then: Option<Claim>,
    /// The block whose descendants it was asked for last, if that went on from an earlier answer.
    pub(super) headers_from: Option<BlockHash>,
    /// Headers of its chain are of no use before this time.
    pub(super) headers_after: Time,
    /// Milliseconds until then, the next time that they are of no use.
    pub(super) useless: u64,
    /// The headers that it sends are not worth storing yet.
    pub(super) presync: Option<Presync>,
    /// Questions for blocks that are open.
    pub(super) asked_blocks: usize,
    /// Questions for blocks that came to nothing since it last delivered one.
    pub(super) failed_blocks: u32,
    /// It is not asked for blocks before this time.
    pub(super) blocks_after: Time,
    /// Transactions that it has or was told of.
    pub(super) known: Known,
    pub(super) told: Told,
    pub(super) queue: Queue,
    pub(super) compared: Compared,
    /// What it cost since it connected.
    pub(super) work: PeerWork,
    /// Questions of it that wait until its budget has recovered.
    pub(super) waiting: Waiting,
    /// Weight of what it left unanswered.
    silence: u32,
}

impl Peer {
    fn new(side: Side, payer: Payer, relay: &Relay, now: Time) -> Self {
        Self {
            side,
            payer,
            connected: now,
            refreshed: now,
            claim: None,
            best: None,
            lacks: None,
            lacking: LACKING,
            asked_headers: false,
            claim_then: None,
            headers_from: None,
            headers_after: Time(0),
            useless: USELESS,
            presync: None,
            asked_blocks: 0,
            failed_blocks: 0,
            blocks_after: Time(0),
            known: Known::default(),
            told: Told::from(&relay.log),
            queue: Queue::default(),
            compared: Compared::default(),
            work: PeerWork::default(),
            waiting: Waiting::default(),
            silence: 0,
        }
    }

    /// Whether this node chose it: an attacker does not, and so such a peer comes first wherever there is a choice.
    pub(super) fn chosen(&self) -> bool {
        self.side == Side::Chosen
    }

    /// It answered a question.
    pub(super) fn answered(&mut self) {
        self.silence = self.silence.saturating_sub(1);
    }

    /// It left a question unanswered; answers whether it did so too often.
    pub(super) fn is_silent(&mut self) -> bool {
        self.silence += UNANSWERED;
        self.silence >= SILENT
    }

    /// When it must have introduced itself, or is asked again where it stands.
    fn due(&self) -> Time {
        if self.claim.is_none() { self.connected.after(HANDSHAKE) } else { self.refreshed.after(REFRESH) }
    }

    /// When something is due of this peer alone.
    pub(super) fn wake_at(&self) -> Time {
        let lacks = self.lacks.map(|(_, until)| until);
        let told = self.told.at.filter(|_| !self.told.waits);
        [lacks, told, self.queue.wake_at()].into_iter().flatten().fold(self.due(), Time::min)
    }
}

impl Engine {
    pub(super) fn on_connected(&mut self, peer: PeerId, side: Side, payer: Payer) {
        let new = Peer::new(side, payer, &self.relay, self.steady);
        self.relay.accounts.connected(payer, self.steady);
        self.relay.peers.insert(peer, new);
        if side != Side::Inbound {
            self.ask_status(peer);
        }
    }

    pub(super) fn on_disconnected(&mut self, peer: PeerId) -> Result<(), Fatal> {
        let Some(gone) = self.relay.peers.remove(&peer) else { return Ok(()) };
        self.relay.accounts.disconnected(gone.payer, self.steady);
        for question in self.relay.requests.close_all(peer) {
            self.on_unanswered(peer, question)?;
        }
        self.forget_queue(peer, &gone.queue);
        self.forget_orphans(peer);
        self.forget_comparisons(peer);
        self.relay.gossip.forget_peer(peer);
        Ok(())
    }

    /// Ends a connection; the engine is done with the peer at once.
    pub(super) fn disconnect(&mut self, peer: PeerId, reason: &str) -> Result<(), Fatal> {
        self.tell_peer(PeerAction::Disconnect(peer, reason.to_owned()));
        self.on_disconnected(peer)
    }

    pub(super) fn ask_status(&mut self, peer: PeerId) {
        if let Some(peer) = self.relay.peers.get_mut(&peer) {
            peer.refreshed = self.steady;
        }
        let status = self.status();
        self.ask_peer(peer, Question::Status, Request::Status(status));
    }

    /// The tip that peers are told: the former one while the chain is on its way to a better branch. A block in between is worth
    /// less than what they were told before, and a peer that claims more than its headers show gets points.
    pub(super) fn told_tip(&self) -> BlockHash {
        if self.is_reorganising() { self.session.told() } else { self.store.tip().hash }
    }

    pub(super) fn status(&self) -> Status {
        let best = self.told_tip();
        Status {
            genesis: self.genesis,
            best,
            height: self.tree.get(&best).map_or(0, |info| info.height),
            work: self.work_of(&best),
            protocol: PROTOCOL,
            agent: self.relay.config.agent.clone(),
            oldest: self.store.pruned() + 1,
            time: self.now.seconds(),
        }
    }

    /// Whether a peer may ask this yet: its status comes first.
    pub(super) fn is_introduced(&mut self, peer: PeerId, request: &Request) -> bool {
        let Some(known) = self.relay.peers.get(&peer) else { return false };
        // A peer that we dialled knows our status, though its own may still be on its way.
        let introduced = known.claim.is_some() || known.side != Side::Inbound || matches!(request, Request::Status(_));
        if !introduced {
            self.penalize(peer, Offence::OutOfTurn("a question"));
        }
        introduced
    }

    /// A peer asks where we stand, and says where it does.
    pub(super) fn on_status_request(&mut self, peer: PeerId, id: InboundId, status: &Status) -> Result<(), Fatal> {
        let own = self.status();
        self.tell_peer(PeerAction::Respond(peer, id, Response::Status(own)));
        self.on_status(peer, status)
    }

    /// A peer says where it stands.
    pub(super) fn on_status(&mut self, peer: PeerId, status: &Status) -> Result<(), Fatal> {
        if status.genesis != self.genesis {
            return self.disconnect(peer, "another chain");
        }
        if status.protocol < PROTOCOL {
            return self.disconnect(peer, "an older protocol");
        }
        let Status { best, height, work, oldest, .. } = *status;
        let claim = Claim { hash: best, height, work, oldest, found: false };
        let Some(known) = self.relay.peers.get_mut(&peer) else { return Ok(()) };
        known.refreshed = self.steady;
        known.claim = Some(claim);
        Ok(())
    }

    /// Peers whose tips have come into the tree have them.
    pub(super) fn find_claims(&mut self) {
        let mut found = Vec::new();
        for (id, peer) in &mut self.relay.peers {
            if let Some(claim) = peer.claim.as_mut().filter(|claim| !claim.found && self.tree.contains(&claim.hash)) {
                claim.found = true;
                found.push((*id, claim.hash));
            }
        }
        found.into_iter().for_each(|(id, hash)| self.consider_best(id, hash));
    }

    /// A peer is known to have a block: notes it if that is in the tree, and better than what was known.
    pub(super) fn consider_best(&mut self, peer: PeerId, hash: BlockHash) {
        let Some(info) = self.tree.get(&hash) else { return };
        let Some(known) = self.relay.peers.get_mut(&peer) else { return };
        let before = known.best.and_then(|best| self.tree.get(&best));
        if before.is_none_or(|before| before.work < info.work) {
            known.best = Some(hash);
        }
    }

    /// Time passed: drops peers that do not introduce themselves, asks the others now and then where they stand.
    pub(super) fn tick_peers(&mut self) -> Result<(), Fatal> {
        let now = self.steady;
        let due: Vec<PeerId> =
            self.relay.peers.iter().filter(|(_, peer)| peer.wake_at() <= now).map(|(id, _)| *id).collect();
        for id in due {
            let Some(peer) = self.relay.peers.get_mut(&id) else { continue };
            let lacked = peer.lacks.take_if(|(_, until)| *until <= now);
            let (met, due) = (peer.claim.is_some(), peer.due() <= now);
            if let Some((hash, _)) = lacked {
                self.consider_best(id, hash);
            }
            match met {
                true if due => self.ask_status(id),
                false if due => self.disconnect(id, "no handshake")?,
                _ => {}
            }
        }
        Ok(())
    }
}
