//! What peers make the engine remember, counted, and the most that it may be.

use super::{announce, bodies, compact, fetch, forms, gossip, headers, intake, known, serve};
use crate::engine::Engine;

/// Questions that may be open with one peer: where it stands, headers, an announcement, its pool, runs of blocks,
/// transactions.
const QUESTIONS: usize = 4 + bodies::PER_PEER + fetch::PER_PEER;

/// How much is kept because of peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerUsage {
    /// Peers that are known as connected.
    pub peers: usize,
    /// Our questions that have no answer yet.
    pub questions: usize,
    /// Transactions that peers named and that are not here.
    pub wanted: usize,
    /// Transactions that wait for a parent.
    pub orphans: usize,
    /// Gossiped blocks that wait for their parent or their time.
    pub held: usize,
    /// Forms of blocks that are not whole here.
    pub forms: usize,
    /// Blocks of which transactions are missing.
    pub partials: usize,
    /// Blocks that are being fetched.
    pub bodies: usize,
    /// Blocks whose senders are remembered.
    pub origins: usize,
    /// Hashes of header chains that are not worth storing.
    pub checkpoints: usize,
    /// Names of transactions that peers have or named, that blocks brought, and that are refused.
    pub names: usize,
    /// Names that wait to be announced.
    pub log: usize,
    /// Questions of peers that wait for their budgets.
    pub waiting: usize,
}

impl PeerUsage {
    /// The most that so many peers may amount to.
    pub fn most(peers: usize) -> Self {
        Self {
            peers,
            questions: peers * QUESTIONS + compact::PARTIALS,
            wanted: peers * fetch::WANTED,
            orphans: intake::ORPHANS,
            held: gossip::HELD,
            forms: forms::FORMS,
            partials: compact::PARTIALS,
            bodies: 2 * bodies::WINDOW as usize,
            origins: bodies::ORIGINS,
            checkpoints: peers * headers::MOST_CHECKPOINTS,
            names: (peers + 1) * 2 * known::GENERATION + 2 * known::GENERATION,
            log: announce::LOG,
            waiting: peers * serve::WAITING,
        }
    }

    /// Names of the counts that are over another's.
    pub fn over(&self, most: &Self) -> Vec<&'static str> {
        let pairs = [
            ("peers", self.peers, most.peers),
            ("questions", self.questions, most.questions),
            ("wanted", self.wanted, most.wanted),
            ("orphans", self.orphans, most.orphans),
            ("held", self.held, most.held),
            ("forms", self.forms, most.forms),
            ("partials", self.partials, most.partials),
            ("bodies", self.bodies, most.bodies),
            ("origins", self.origins, most.origins),
            ("checkpoints", self.checkpoints, most.checkpoints),
            ("names", self.names, most.names),
            ("log", self.log, most.log),
            ("waiting", self.waiting, most.waiting),
        ];
        pairs.into_iter().filter(|(_, got, most)| got > most).map(|(name, ..)| name).collect()
    }
}

impl Engine {
    /// How much is kept because of peers.
    pub fn peer_usage(&self) -> PeerUsage {
        let relay = &self.relay;
        let peers = || relay.peers.values();
        PeerUsage {
            peers: relay.peers.len(),
            questions: relay.requests.len(),
            wanted: relay.wants.len(),
            orphans: relay.orphans.len(),
            held: relay.gossip.held(),
            forms: relay.gossip.forms.len(),
            partials: relay.partials.len(),
            bodies: relay.bodies.len(),
            origins: relay.origins.len(),
            checkpoints: peers().map(|peer| peer.checkpoints()).sum(),
            names: peers().map(|peer| peer.known.len()).sum::<usize>() + relay.recent.len(),
            log: relay.log.len(),
            waiting: peers().map(|peer| peer.waiting.len()).sum(),
        }
    }

    /// Headers of all branches.
    pub fn headers(&self) -> usize {
        self.tree.len()
    }
}
