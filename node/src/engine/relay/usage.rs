//! What peers make the engine remember, counted.

/// How much is kept because of peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerUsage {
    /// Peers that are known as connected.
    pub peers: usize,
    /// Our open requests.
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
    /// Requests of peers that wait for their budgets.
    pub waiting: usize,
}

impl PeerUsage {
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
