//! What replicas send each other.

use std::collections::{BTreeMap, BTreeSet};

/// A replica: its place in the list of all, from 0.
pub type Id = u8;

/// A view's number.
pub type View = u64;
/// A sequence number. The first is 1.
pub type Number = u64;

/// A request with the proof that it was prepared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prepared<V> {
    /// The view it was prepared in.
    pub view: View,
    /// The request; nothing fills a gap.
    pub request: Option<V>,
    /// Who sent PrePrepare or Prepare for it.
    pub signers: BTreeSet<Id>,
}

/// With what a replica leaves its view.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change<V> {
    /// Its stable checkpoint.
    pub stable: Number,
    /// What it prepared above that.
    pub prepared: BTreeMap<Number, Prepared<V>>,
}

/// What replicas send each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message<V> {
    /// The leader gives a request a number.
    PrePrepare(View, Number, Option<V>),
    /// A replica accepts it.
    Prepare(View, Number, Option<V>),
    /// It knows that a quorum did.
    Commit(View, Number, Option<V>),
    /// A replica's state after a number, as a digest.
    Checkpoint(Number, u64),
    /// What did you execute after this number?
    Fetch(Number),
    /// This.
    Executed(Number, Option<V>),
    /// A replica leaves its view for this one.
    ViewChange(View, Change<V>),
    /// The leader of a view begins it.
    NewView(View, BTreeMap<Id, Change<V>>, BTreeMap<Number, Option<V>>),
}
