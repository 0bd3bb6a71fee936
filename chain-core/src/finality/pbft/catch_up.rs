//! How a replica that missed executions makes up for them.

use super::{Effect, Id, Message, Number, Replica};
use std::hash::Hash;

/// How many executions a replica remembers.
const REMEMBERED: Number = 64;

impl<V: Clone + Ord + Hash> Replica<V> {
    pub(super) fn remember(&mut self, request: Option<V>) {
        self.history.insert(self.executed, request);
        self.history = self.history.split_off(&self.executed.saturating_sub(REMEMBERED));
        self.claims.retain(|(number, _), _| *number > self.executed);
    }

    /// Upon receiving Fetch: what was executed after this number.
    pub(super) fn on_fetch(&mut self, from: Id, number: Number, effects: &mut Vec<Effect<V>>) {
        let missed = self.history.range(number.saturating_add(1)..);
        effects.extend(missed.map(|(&number, request)| Effect::Send(from, Message::Executed(number, request.clone()))));
    }

    /// Upon receiving Executed: of f+1 that say the same, one is correct.
    pub(super) fn on_executed(&mut self, from: Id, number: Number, request: Option<V>, effects: &mut Vec<Effect<V>>) {
        let is_near = number > self.executed && number <= self.executed + REMEMBERED;
        let has_said = self.claims.iter().any(|((said, _), by)| *said == number && by.contains(&from));
        if is_near && !has_said {
            self.claims.entry((number, request)).or_default().insert(from);
            self.execute(effects);
        }
    }

    /// What comes next, if enough others executed it.
    pub(super) fn fetched(&self) -> Option<Option<V>> {
        let next = self.executed + 1;
        let enough = |by: usize| by > usize::from(self.rules.faulty);
        let mut claims = self.claims.iter().filter(|((number, _), by)| *number == next && enough(by.len()));
        claims.next().map(|((_, request), _)| request.clone())
    }
}
