//! Ids of an overlay's entries, and positions in its journal.

/// Number of an account within one overlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub(super) u32);

impl AccountId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Number of a coin within one overlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CoinId(pub(super) u32);

impl CoinId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Number of a storage slot within one overlay, valid until the transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub(super) u32);

impl SlotId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Ends a list of slots.
pub(super) const NO_SLOT: u32 = u32::MAX;

/// A position to which writes can be reverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub(super) journal: usize,
    pub(super) logs: usize,
}

impl Checkpoint {
    /// Where the running transaction began.
    pub(super) const START: Self = Self { journal: 0, logs: 0 };
}

/// Number of an entry: a block's gas bounds it far below 2^32.
pub(super) fn number(len: usize) -> u32 {
    u32::try_from(len).expect("a block cannot pay for 2^32 entries")
}
