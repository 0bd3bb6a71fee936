//! What a member has told others, and must keep to after a restart.

use chain_core::{
    finality::{Lock, pbft},
    hash::BlockHash,
    units::Height,
};
use serde::{Deserialize, Serialize};

/// What a member has told others of one checkpoint. It is on disk before they hear it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// Height of the checkpoint.
    pub height: Height,
    /// Its view.
    pub view: pbft::View,
    /// Whether it has left its last view and waits for this one.
    pub changing: bool,
    /// What it accepted last, and the view of that.
    pub accepted: Option<(pbft::View, BlockHash)>,
    /// What it prepared last, with the proof.
    pub prepared: Option<Lock>,
    /// What it called final: it never calls another block of this height so.
    pub finalized: Option<BlockHash>,
}

impl Promise {
    /// Nothing was said of this checkpoint yet.
    pub fn new(height: Height) -> Self {
        Self { height, ..Self::default() }
    }

    /// Whether it only says which checkpoints it is silent about.
    pub fn is_empty(&self) -> bool {
        *self == Self::new(self.height)
    }

    /// The later of two promises of one member. What it has said only grows.
    pub fn later(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        one.into_iter().chain(other).max_by_key(Self::progress)
    }

    fn progress(&self) -> impl Ord + use<> {
        let prepared = self.prepared.as_ref().map(|lock| lock.view);
        let accepted = self.accepted.map(|(view, _)| view);
        // It leaves for a view before it is in it.
        (self.height, self.view, !self.changing, accepted, prepared, self.finalized.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_promise_is_the_one_that_says_more() {
        let hash = BlockHash([7; 32]);
        let lock = |view| Some(Lock { view, hash, signatures: Vec::new() });
        let first = Promise { accepted: Some((0, hash)), ..Promise::new(20) };
        let prepared = Promise { prepared: lock(0), ..first.clone() };
        let left = Promise { view: 1, changing: true, ..prepared.clone() };
        let entered = Promise { changing: false, ..left.clone() };
        let again = Promise { accepted: Some((1, hash)), ..entered.clone() };
        let twice = Promise { prepared: lock(1), ..again.clone() };
        let finalized = Promise { finalized: Some(hash), ..twice.clone() };
        let history =
            [Promise::new(20), first, prepared, left, entered, again, twice, finalized, Promise::new(40)].map(Some);
        for (at, later) in history.iter().enumerate() {
            for earlier in history[..at].iter().chain([&None]) {
                assert_eq!(Promise::later(earlier.clone(), later.clone()), *later);
                assert_eq!(Promise::later(later.clone(), earlier.clone()), *later);
            }
        }
    }
}
