//! What a process does with an input, computed once for each state of it.

use super::{
    limits::Order,
    state::{BUDGET, Envelope, HISTORY, LOCALS, Local, Reaction, TIMER},
    step::Stepper,
};
use crate::{
    instance::{Instance, Record},
    process::{Id, Outputs, Process},
};

impl<I: Instance> Stepper<'_, I> {
    /// Adds what a process sent and showed.
    pub fn emit(&mut self, next: &mut Vec<u32>, reaction: usize) {
        for index in 0..self.reactions[reaction].events.len() {
            let event = self.reactions[reaction].events[index];
            self.record(next, event);
            self.shown.push(event);
        }
        let sends = &self.reactions[reaction].sends;
        if sends.is_empty() {
            return;
        }
        let (messages, crashed) = (LOCALS + self.count, next[BUDGET] >> 16);
        for &envelope in sends {
            let to = self.envelopes.value(envelope).to;
            let known = self.limits.endless_duplicates && next[messages..].contains(&envelope);
            if crashed >> to & 1 == 0 && !known {
                next.push(envelope);
            }
        }
        self.sort(next);
    }

    /// In any order messages are a bag; in order they are a list for each channel.
    pub fn sort(&self, state: &mut [u32]) {
        let messages = &mut state[LOCALS + self.count..];
        match self.limits.order {
            Order::Any => messages.sort_unstable(),
            Order::Fifo => messages.sort_by_key(|&envelope| self.channel(envelope)),
        }
    }

    pub fn record(&mut self, state: &mut [u32], event: u32) {
        let key = u64::from(state[HISTORY]) << 32 | u64::from(event);
        if let Some(&history) = self.recorded.get(&key) {
            state[HISTORY] = history;
            return;
        }
        let mut history = self.histories.value(state[HISTORY]).clone();
        let (who, what) = self.events.value(event);
        history.record(*who, what);
        state[HISTORY] = self.histories.number(history);
        self.recorded.insert(key, state[HISTORY]);
    }

    /// What a process does with an input: computed once.
    pub fn react(&mut self, local: u32, input: u32) -> usize {
        let key = u64::from(local) << 32 | u64::from(input);
        if let Some(&known) = self.known.get(&key) {
            return known as usize;
        }
        let mut after = self.locals.value(local).clone();
        let mut out = Outputs::default();
        if input & TIMER != 0 {
            let timer = after.timers.remove((input & !TIMER) as usize);
            after.process.on_timer(timer, &mut out);
        } else {
            let Envelope { from, message, .. } = self.envelopes.value(input).clone();
            after.process.on_message(from, message, &mut out);
        }
        let nothing = out.is_empty();
        let mut reaction = self.settle(after.id, after.process, after.timers, out);
        reaction.ignored =
            reaction.local == local && (nothing || reaction.sends.is_empty() && reaction.events.is_empty());
        let number = self.reactions.len();
        self.reactions.push(reaction);
        self.known.insert(key, u32::try_from(number).expect("memory ends before four billion reactions"));
        number
    }

    pub fn settle(
        &mut self,
        id: Id,
        process: I::Process,
        mut timers: Vec<<I::Process as Process>::Timer>,
        out: Outputs<I::Process>,
    ) -> Reaction {
        for (timer, delay) in out.timers {
            timers.retain(|&set| set != timer);
            if delay.is_some() {
                timers.push(timer);
            }
        }
        timers.sort_unstable();
        let local = self.locals.number(Local { id, process, timers });
        let sends = out.sends.into_iter();
        let sends = sends.map(|(to, message)| self.envelopes.number(Envelope { to, from: id, message })).collect();
        let events = out.events.into_iter().map(|event| self.events.number((id, event))).collect();
        Reaction { local, sends, events, ignored: false }
    }
}
