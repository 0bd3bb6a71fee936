//! What a replica promised, and how it keeps that after a restart.

use super::{Effect, Number, Prepared, Replica, View, slot::vote};
use std::hash::Hash;

/// What a replica has told others, and must keep to after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise<V> {
    /// Its view.
    pub view: View,
    /// Whether it has left its last view and waits for this one.
    pub changing: bool,
    /// The number that the rest is about.
    pub number: Number,
    /// What it accepted, and the view of that.
    pub accepted: Option<(View, V)>,
    /// What it prepared last.
    pub prepared: Option<Prepared<V>>,
}

impl<V: Clone + Ord + Hash> Replica<V> {
    /// A replica that was restarted: it keeps its promise.
    pub fn resume(&mut self, promise: Promise<V>, effects: &mut Vec<Effect<V>>) {
        let Promise { view, changing, number, accepted, prepared } = promise;
        self.view = view;
        let (me, leader) = (self.me, self.rules.leader(view));
        if let Some(slot) = self.slot(view, number) {
            if let Some((accepted, request)) = &accepted {
                vote(&mut slot.prepares, leader, *accepted, Some(request.clone()));
                vote(&mut slot.prepares, me, *accepted, Some(request.clone()));
            }
            if let Some(prepared) = prepared.as_ref().filter(|prepared| prepared.view == view) {
                vote(&mut slot.commits, me, view, prepared.request.clone());
            }
            slot.accepted = accepted.map(|(accepted, request)| (accepted, Some(request)));
            slot.prepared = prepared;
        }
        if changing {
            self.leave_for(view, effects);
        }
    }
}
