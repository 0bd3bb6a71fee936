//! What happened.

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Seconds since 1970.
    pub at: u64,
    /// What.
    pub text: String,
    /// Of what kind.
    pub kind: Kind,
}

/// Kinds of events, which differ in their colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// All goes its way: a block.
    Block,
    /// A block that was found by a miner of this node.
    Found,
    /// A peer came or went.
    Peer,
    /// Something to look at: a reorg, a node that does not answer.
    Warning,
}

impl Event {
    /// An event.
    pub fn new(at: u64, kind: Kind, text: impl Into<String>) -> Self {
        Self { at, kind, text: text.into() }
    }
}
