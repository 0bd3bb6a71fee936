//! What is known of one number, and how votes are counted.

use super::{Id, Prepared, View};
use std::collections::{BTreeMap, BTreeSet};

/// What a replica knows of a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slot<V> {
    /// What the leader of the view sent.
    pub accepted: Option<(View, Option<V>)>,
    /// What the leader of a view sent that has not begun here.
    pub early: Option<(View, Option<V>)>,
    /// Who sent PrePrepare or Prepare, by view and request.
    pub prepares: BTreeMap<(View, Option<V>), BTreeSet<Id>>,
    pub commits: BTreeMap<(View, Option<V>), BTreeSet<Id>>,
    pub prepared: Option<Prepared<V>>,
    pub committed: Option<Option<V>>,
}

impl<V> Default for Slot<V> {
    fn default() -> Self {
        let (accepted, early) = (None, None);
        Self { accepted, early, prepares: BTreeMap::new(), commits: BTreeMap::new(), prepared: None, committed: None }
    }
}

/// A replica has one vote in a view: its first.
pub(super) fn vote<V: Ord>(votes: &mut BTreeMap<(View, V), BTreeSet<Id>>, from: Id, view: View, request: V) {
    if !votes.iter().any(|((voted, _), from_all)| *voted == view && from_all.contains(&from)) {
        votes.entry((view, request)).or_default().insert(from);
    }
}
