//! What can happen next in a state.

use super::{
    intern::{FastMap, Interner},
    limits::{Limits, Order, Timing},
    state::{Action, BUDGET, Envelope, LOCALS, Local, Reaction, TIMER},
};
use crate::{
    instance::{Instance, View},
    process::{Id, Outputs, Process},
};

type MessageOf<I> = <<I as Instance>::Process as Process>::Message;
type EventOf<I> = <<I as Instance>::Process as Process>::Event;

/// An instance and all that is known of it.
pub(super) struct Stepper<'a, I: Instance> {
    pub instance: &'a I,
    pub limits: Limits,
    pub count: usize,
    pub locals: Interner<Local<I::Process>>,
    pub envelopes: Interner<Envelope<MessageOf<I>>>,
    pub histories: Interner<I::History>,
    pub events: Interner<(Id, EventOf<I>)>,
    pub(super) reactions: Vec<Reaction>,
    /// By the number of a process's state and, below, that of a message or a timer.
    pub(super) known: FastMap<u64, u32>,
    pub(super) recorded: FastMap<u64, u32>,
    /// What the last action showed.
    pub shown: Vec<u32>,
}

impl<'a, I: Instance> Stepper<'a, I> {
    pub fn new(instance: &'a I, limits: Limits) -> Self {
        Self {
            instance,
            limits,
            count: 0,
            locals: Interner::default(),
            envelopes: Interner::default(),
            histories: Interner::default(),
            events: Interner::default(),
            reactions: Vec::new(),
            known: FastMap::default(),
            recorded: FastMap::default(),
            shown: Vec::new(),
        }
    }

    /// The state after each process's start.
    pub fn initial(&mut self) -> Vec<u32> {
        let processes = self.instance.processes();
        self.count = processes.len();
        assert!(self.count <= 16, "the crashed are a mask of 16 bits");
        let budget = u32::from(self.limits.losses.min(15))
            | u32::from(self.limits.duplicates.min(15)) << 4
            | u32::from(self.limits.crashes.min(15)) << 8;
        let history = self.histories.number(I::History::default());
        let mut state = vec![budget, history];
        let mut sends = Vec::new();
        let mut events = Vec::new();
        for (id, mut process) in (0..).zip(processes) {
            let mut out = Outputs::default();
            process.on_start(&mut out);
            let reaction = self.settle(id, process, Vec::new(), out);
            state.push(reaction.local);
            sends.extend(reaction.sends);
            events.extend(reaction.events);
        }
        for event in events {
            self.record(&mut state, event);
        }
        state.extend(sends);
        self.sort(&mut state);
        state
    }

    /// Calls `visit` with each thing that can happen and the state after it.
    pub fn successors(&mut self, state: &[u32], next: &mut Vec<u32>, mut visit: impl FnMut(&mut Self, Action, &[u32])) {
        let messages = LOCALS + self.count;
        let crashed = state[BUDGET] >> 16;
        let mut happen = |stepper: &mut Self, action: Action| {
            if stepper.apply(state, action, next) {
                visit(stepper, action, next);
            }
        };
        for at in 0..state.len() - messages {
            if self.is_behind(&state[messages..], at) {
                continue;
            }
            let at = at as u32;
            if !self.limits.endless_duplicates {
                happen(self, Action::Deliver(at));
            }
            if self.limits.endless_duplicates || state[BUDGET] >> 4 & 15 > 0 {
                happen(self, Action::Repeat(at));
            }
            let from = self.envelopes.value(state[messages + at as usize]).from;
            if state[BUDGET] & 15 > 0 || self.limits.torn_crashes && crashed >> from & 1 == 1 {
                happen(self, Action::Lose(at));
            }
        }
        if self.limits.timing == Timing::Synchronous && state.len() == messages {
            happen(self, Action::Round);
        }
        for id in 0..self.count {
            let who = id as Id;
            if crashed >> id & 1 == 1 {
                continue;
            }
            let local = self.locals.value(state[LOCALS + id]);
            let (timers, may_crash) = (local.timers.len(), self.instance.may_crash(&local.process));
            for timer in 0..if self.limits.timing == Timing::Asynchronous { timers } else { 0 } {
                happen(self, Action::Fire(who, timer as u8));
            }
            if state[BUDGET] >> 8 & 15 > 0 && self.limits.may_crash >> id & 1 == 1 && may_crash {
                happen(self, Action::Crash(who));
            }
        }
    }

    /// Whether another message has to arrive before this one, or is the same.
    fn is_behind(&self, messages: &[u32], at: usize) -> bool {
        if at == 0 {
            return false;
        }
        let (before, this) = (messages[at - 1], messages[at]);
        before == this || self.limits.order == Order::Fifo && self.channel(before) == self.channel(this)
    }

    pub(super) fn channel(&self, envelope: u32) -> (Id, Id) {
        let envelope = self.envelopes.value(envelope);
        (envelope.to, envelope.from)
    }

    /// Writes the state after an action; false if nothing would change.
    pub fn apply(&mut self, state: &[u32], action: Action, next: &mut Vec<u32>) -> bool {
        let messages = LOCALS + self.count;
        self.shown.clear();
        next.clear();
        next.extend_from_slice(state);
        match action {
            Action::Lose(at) => {
                let lost = next.remove(messages + at as usize);
                let from = self.envelopes.value(lost).from;
                if !(self.limits.torn_crashes && next[BUDGET] >> (16 + from) & 1 == 1) {
                    next[BUDGET] -= 1;
                }
                return true;
            }
            Action::Crash(who) => {
                next[BUDGET] = (next[BUDGET] - (1 << 8)) | 1 << (16 + who);
                let kept: Vec<u32> =
                    next.drain(messages..).filter(|&envelope| self.envelopes.value(envelope).to != who).collect();
                next.extend(kept);
                return true;
            }
            Action::Round => return self.end_round(state, next),
            Action::Deliver(_) | Action::Repeat(_) | Action::Fire(..) => {}
        }
        let (who, input) = match action {
            Action::Fire(who, timer) => (who, TIMER | u32::from(timer)),
            Action::Deliver(at) | Action::Repeat(at) | Action::Lose(at) => {
                let envelope = state[messages + at as usize];
                (self.envelopes.value(envelope).to, envelope)
            }
            Action::Crash(who) => (who, 0),
            Action::Round => (0, 0),
        };
        let at = LOCALS + usize::from(who);
        let reaction = self.react(state[at], input);
        let Reaction { local, ignored, .. } = self.reactions[reaction];
        let keeps = matches!(action, Action::Repeat(_));
        if ignored && (keeps || matches!(action, Action::Fire(..)) || self.limits.leaves_ignored()) {
            return false;
        }
        next[at] = local;
        match action {
            Action::Deliver(position) => _ = next.remove(messages + position as usize),
            Action::Repeat(_) if !self.limits.endless_duplicates => next[BUDGET] -= 1 << 4,
            _ => {}
        }
        self.emit(next, reaction);
        true
    }

    /// Every process that is alive acts on its first timer before anything that the others send arrives.
    fn end_round(&mut self, state: &[u32], next: &mut Vec<u32>) -> bool {
        let mut changed = false;
        for id in 0..self.count {
            let local = state[LOCALS + id];
            if state[BUDGET] >> (16 + id) & 1 == 1 || self.locals.value(local).timers.is_empty() {
                continue;
            }
            let reaction = self.react(local, TIMER);
            next[LOCALS + id] = self.reactions[reaction].local;
            self.emit(next, reaction);
            changed = true;
        }
        changed
    }

    /// The processes of a state.
    pub fn view(&self, state: &[u32]) -> View<'_, I::Process> {
        let locals = &state[LOCALS..LOCALS + self.count];
        let processes = locals.iter().map(|&local| &self.locals.value(local).process).collect();
        View { processes, crashed: state[BUDGET] >> 16 }
    }
}
