//! From one view to the next.

use super::{Change, Effect, Id, Message, Number, Prepared, Replica, View};
use std::{collections::BTreeMap, hash::Hash};

impl<V: Clone + Ord + Hash> Replica<V> {
    /// When a request was not executed in time: step 1. The others may have executed it already.
    ///
    /// A replica that waits for a new view does not give that up before a quorum waits for it or a higher one, and repeats what
    /// it said: alone it would climb from view to view, to where those who come later never catch up with it.
    pub fn on_timeout(&mut self, effects: &mut Vec<Effect<V>>) {
        effects.push(Effect::Broadcast(Message::Fetch(self.executed)));
        let view = if self.changing && !self.has_quorum_left() { self.view } else { self.view + 1 };
        self.leave_for(view, effects);
    }

    pub(super) fn leave_for(&mut self, view: View, effects: &mut Vec<Effect<V>>) {
        self.view = view;
        self.changing = true;
        let of_slot = |(&number, slot): (&Number, &super::slot::Slot<V>)| Some((number, slot.prepared.clone()?));
        let change = Change { stable: self.stable, prepared: self.slots.iter().filter_map(of_slot).collect() };
        effects.push(Effect::Broadcast(Message::ViewChange(view, change.clone())));
        effects.push(Effect::SetTimer(self.patience()));
        self.on_view_change(self.me, view, change, effects);
    }

    /// Whether a quorum, this replica counted, has left for its view or a higher one.
    fn has_quorum_left(&self) -> bool {
        let left: usize = self.changes.range(self.view..).map(|(_, changes)| changes.len()).sum();
        left >= self.rules.quorum
    }

    /// Upon receiving ViewChange.
    pub(super) fn on_view_change(&mut self, from: Id, view: View, change: Change<V>, effects: &mut Vec<Effect<V>>) {
        if view < self.view || (view == self.view && !self.changing) || !self.is_proven(view, &change) {
            return;
        }
        // Each replica is in one view at a time, so what it sent for lower ones is forgotten.
        for (_, changes) in self.changes.range_mut(..view) {
            changes.remove(&from);
        }
        if self.changes.range(view + 1..).any(|(_, changes)| changes.contains_key(&from)) {
            return;
        }
        let had_left = self.has_quorum_left();
        self.changes.entry(view).or_default().insert(from, change);
        self.changes.retain(|_, changes| !changes.is_empty());
        // From now on the leader of the new view can begin it.
        if self.changing && !had_left && self.has_quorum_left() {
            effects.push(Effect::SetTimer(self.patience()));
        }
        self.join(effects);
        self.begin(effects);
    }

    /// f+1 replicas have left for higher views, so a correct one has.
    fn join(&mut self, effects: &mut Vec<Effect<V>>) {
        let ahead = || self.changes.range(self.view + 1..);
        let count: usize = ahead().map(|(_, changes)| changes.len()).sum();
        if count > usize::from(self.rules.faulty)
            && let Some(view) = ahead().next().map(|(&view, _)| view)
        {
            self.leave_for(view, effects);
        }
    }

    /// Step 2, by the leader of the new view.
    fn begin(&mut self, effects: &mut Vec<Effect<V>>) {
        let view = self.view;
        let Some(changes) = self.changes.get(&view) else { return };
        if !self.changing || self.rules.leader(view) != self.me || changes.len() < self.rules.quorum {
            return;
        }
        let changes = changes.clone();
        let requests = carry_over(&changes);
        effects.push(Effect::Broadcast(Message::NewView(view, changes, requests.clone())));
        self.enter(view, &requests, effects);
    }

    /// Upon receiving NewView: step 3.
    pub(super) fn on_new_view(
        &mut self,
        view: View,
        changes: &BTreeMap<Id, Change<V>>,
        requests: &BTreeMap<Number, Option<V>>,
        effects: &mut Vec<Effect<V>>,
    ) {
        let is_late = view < self.view || (view == self.view && !self.changing);
        let is_quorum = changes.len() >= self.rules.quorum && changes.keys().all(|&id| id < self.rules.replicas);
        let is_proven = changes.values().all(|change| self.is_proven(view, change));
        if !is_late && is_quorum && is_proven && *requests == carry_over(changes) {
            self.enter(view, requests, effects);
        }
    }

    fn enter(&mut self, view: View, requests: &BTreeMap<Number, Option<V>>, effects: &mut Vec<Effect<V>>) {
        self.view = view;
        self.changing = false;
        self.changes = self.changes.split_off(&(view + 1));
        let timer = if self.pending.is_empty() { Effect::StopTimer } else { Effect::SetTimer(self.patience()) };
        effects.push(timer);
        for (&number, request) in requests {
            self.accept(view, number, request.clone(), effects);
        }
        let early = self.slots.iter_mut().filter_map(|(&number, slot)| Some((number, slot.early.take()?)));
        for (number, (early, request)) in early.collect::<Vec<_>>() {
            self.accept(early, number, request, effects);
        }
        self.lead(effects);
    }

    /// Whether each request that is said to be prepared has a quorum of a lower view under it.
    fn is_proven(&self, view: View, change: &Change<V>) -> bool {
        change.prepared.iter().all(|(&number, prepared)| {
            number > change.stable
                && number <= change.stable + self.rules.window
                && prepared.view < view
                && prepared.signers.len() >= self.rules.quorum
                && prepared.signers.iter().all(|&id| id < self.rules.replicas)
        })
    }
}

/// For each number above the highest stable checkpoint the request that was prepared in the highest view.
fn carry_over<V: Clone + Ord>(changes: &BTreeMap<Id, Change<V>>) -> BTreeMap<Number, Option<V>> {
    let stable = changes.values().map(|change| change.stable).max().unwrap_or(0);
    let mut highest: BTreeMap<Number, &Prepared<V>> = BTreeMap::new();
    for (&number, prepared) in changes.values().flat_map(|change| &change.prepared) {
        let known = highest.entry(number).or_insert(prepared);
        if prepared.view > known.view {
            *known = prepared;
        }
    }
    let last = highest.keys().last().copied().unwrap_or(0);
    let request = |number| highest.get(&number).and_then(|prepared| prepared.request.clone());
    (stable + 1..=last).map(|number| (number, request(number))).collect()
}
