//! A replica and the normal case.

use super::{
    Change, Id, Message, Number, Prepared, Rules, View,
    slot::{Slot, vote},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::Hash,
};

/// What a replica wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect<V> {
    /// Send this to all others.
    Broadcast(Message<V>),
    /// Send this to one.
    Send(Id, Message<V>),
    /// Set the timer to 2^n times its shortest, for this n, in place of what it was set to.
    SetTimer(u32),
    /// Stop the timer.
    StopTimer,
    /// Execute a request, or nothing.
    Execute(Number, Option<V>),
}

/// A replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica<V> {
    pub(super) me: Id,
    pub(super) rules: Rules,
    pub(super) view: View,
    /// Whether it has left its last view and waits for the new one.
    pub(super) changing: bool,
    pub(super) slots: BTreeMap<Number, Slot<V>>,
    /// Requests that are not executed yet.
    pub(super) pending: BTreeSet<V>,
    pub(super) done: BTreeSet<V>,
    pub(super) executed: Number,
    /// The last requests it executed, for those that missed them.
    pub(super) history: BTreeMap<Number, Option<V>>,
    /// Who says to have executed what this replica has not.
    pub(super) claims: BTreeMap<(Number, Option<V>), BTreeSet<Id>>,
    pub(super) stable: Number,
    pub(super) checkpoints: BTreeMap<(Number, u64), BTreeSet<Id>>,
    /// What others sent to leave their views.
    pub(super) changes: BTreeMap<View, BTreeMap<Id, Change<V>>>,
}

/// How far ahead of its own a replica listens to votes of other views.
const VIEWS_AHEAD: View = 16;

impl<V: Clone + Ord + Hash> Replica<V> {
    /// In view 0, with nothing executed.
    pub fn new(me: Id, rules: Rules) -> Self {
        Self {
            me,
            rules,
            view: 0,
            changing: false,
            slots: BTreeMap::new(),
            pending: BTreeSet::new(),
            done: BTreeSet::new(),
            executed: 0,
            history: BTreeMap::new(),
            claims: BTreeMap::new(),
            stable: 0,
            checkpoints: BTreeMap::new(),
            changes: BTreeMap::new(),
        }
    }

    /// Who it is.
    pub fn me(&self) -> Id {
        self.me
    }

    /// Who agrees, and how.
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// Its view.
    pub fn view(&self) -> View {
        self.view
    }

    /// Whether it has left its last view and waits for the new one.
    pub fn is_changing(&self) -> bool {
        self.changing
    }

    /// Forgets requests that are not executed: they are out of date.
    pub fn withdraw(&mut self) {
        self.pending.clear();
    }

    /// Upon a request.
    pub fn on_request(&mut self, request: V, effects: &mut Vec<Effect<V>>) {
        if self.done.contains(&request) || !self.pending.insert(request) {
            return;
        }
        if self.pending.len() == 1 && !self.changing {
            effects.push(Effect::SetTimer(self.patience()));
        }
        self.lead(effects);
    }

    /// Upon receiving a message.
    pub fn on_message(&mut self, from: Id, message: Message<V>, effects: &mut Vec<Effect<V>>) {
        match message {
            Message::PrePrepare(view, number, request) if from == self.rules.leader(view) => {
                if view > self.view || (view == self.view && self.changing) {
                    self.slot(view, number).iter_mut().for_each(|slot| slot.early = Some((view, request.clone())));
                } else {
                    self.accept(view, number, request, effects);
                }
            }
            Message::Prepare(view, number, request) if from != self.rules.leader(view) => {
                if let Some(slot) = self.slot(view, number) {
                    vote(&mut slot.prepares, from, view, request);
                    self.advance(number, effects);
                }
            }
            Message::Commit(view, number, request) => {
                if let Some(slot) = self.slot(view, number) {
                    vote(&mut slot.commits, from, view, request);
                    self.advance(number, effects);
                }
            }
            Message::Checkpoint(number, state) => {
                self.on_checkpoint(from, number, state);
                self.lead(effects);
            }
            Message::Fetch(number) => self.on_fetch(from, number, effects),
            Message::Executed(number, request) => self.on_executed(from, number, request, effects),
            Message::ViewChange(view, change) => self.on_view_change(from, view, change, effects),
            Message::NewView(view, changes, requests) if from == self.rules.leader(view) => {
                self.on_new_view(view, &changes, &requests, effects);
            }
            Message::PrePrepare(..) | Message::Prepare(..) | Message::NewView(..) => {}
        }
    }

    /// How long it waits: twice as long in each view.
    pub(super) fn patience(&self) -> u32 {
        u32::try_from(self.view).unwrap_or(u32::MAX).min(10)
    }

    /// Step 1. A leader gives numbers to requests that have none.
    pub(super) fn lead(&mut self, effects: &mut Vec<Effect<V>>) {
        if self.changing || self.rules.leader(self.view) != self.me {
            return;
        }
        let view = self.view;
        let of_view = |slot: &Slot<V>| slot.accepted.clone().filter(|(accepted, _)| *accepted == view);
        let numbered: BTreeSet<V> =
            self.slots.values().filter_map(of_view).filter_map(|(_, request)| request).collect();
        let open: Vec<V> = self.pending.difference(&numbered).cloned().collect();
        for request in open {
            let last =
                self.slots.iter().rev().find(|(_, slot)| of_view(slot).is_some()).map_or(0, |(&number, _)| number);
            let number = last.max(self.stable).max(self.executed) + 1;
            if number > self.stable + self.rules.window {
                return;
            }
            effects.push(Effect::Broadcast(Message::PrePrepare(self.view, number, Some(request.clone()))));
            self.accept(self.view, number, Some(request), effects);
        }
    }

    /// Step 2. Also for what a new view begins with.
    pub(super) fn accept(&mut self, view: View, number: Number, request: Option<V>, effects: &mut Vec<Effect<V>>) {
        let (me, leader) = (self.me, self.rules.leader(view));
        if view != self.view || self.changing {
            return;
        }
        let Some(slot) = self.slot(view, number) else { return };
        if slot.accepted.as_ref().is_some_and(|(accepted, _)| *accepted == view) {
            return;
        }
        slot.accepted = Some((view, request.clone()));
        vote(&mut slot.prepares, leader, view, request.clone());
        if me != leader {
            vote(&mut slot.prepares, me, view, request.clone());
            effects.push(Effect::Broadcast(Message::Prepare(view, number, request)));
        }
        self.advance(number, effects);
    }

    /// Steps 3 and 4.
    fn advance(&mut self, number: Number, effects: &mut Vec<Effect<V>>) {
        let (me, view, quorum) = (self.me, self.view, self.rules.quorum);
        let Some(slot) = self.slots.get_mut(&number) else { return };
        let Some(accepted) = slot.accepted.clone().filter(|(accepted, _)| *accepted == view) else { return };
        let is_new = slot.prepared.as_ref().is_none_or(|prepared| prepared.view < view);
        if let Some(signers) = slot.prepares.get(&accepted)
            && is_new
            && signers.len() >= quorum
            && !self.changing
        {
            let (_, request) = accepted.clone();
            slot.prepared = Some(Prepared { view, request: request.clone(), signers: signers.clone() });
            vote(&mut slot.commits, me, view, request.clone());
            effects.push(Effect::Broadcast(Message::Commit(view, number, request)));
        }
        let is_prepared = slot.prepared.as_ref().is_some_and(|prepared| prepared.view == view);
        let commits = slot.commits.get(&accepted).map_or(0, BTreeSet::len);
        if is_prepared && commits >= quorum && slot.committed.is_none() {
            slot.committed = Some(accepted.1);
            self.execute(effects);
        }
    }

    /// Requests are executed in the order of their numbers.
    pub(super) fn execute(&mut self, effects: &mut Vec<Effect<V>>) {
        let before = self.executed;
        while let Some(request) = self.next() {
            self.executed += 1;
            effects.push(Effect::Execute(self.executed, request.clone()));
            self.remember(request.clone());
            if let Some(request) = request {
                self.pending.remove(&request);
                self.done.insert(request);
            }
        }
        if self.executed > before {
            let idle = self.pending.is_empty();
            effects.push(if idle { Effect::StopTimer } else { Effect::SetTimer(self.patience()) });
            self.lead(effects);
        }
    }

    fn next(&self) -> Option<Option<V>> {
        let committed = self.slots.get(&(self.executed + 1)).and_then(|slot| slot.committed.clone());
        committed.or_else(|| self.fetched())
    }

    /// The slot of a number in the window, for a view that is not too far off.
    pub(super) fn slot(&mut self, view: View, number: Number) -> Option<&mut Slot<V>> {
        let in_window = number > self.stable && number <= self.stable + self.rules.window;
        let near = view >= self.view && view <= self.view + VIEWS_AHEAD;
        (in_window && near).then(|| self.slots.entry(number).or_default())
    }
}
