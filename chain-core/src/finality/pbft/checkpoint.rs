//! Checkpoints, and what they let a replica forget.

use super::{Effect, Id, Message, Number, Replica};
use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
};

impl<V: Clone + Ord + Hash> Replica<V> {
    /// Adds a request to the digest of the state.
    pub(super) fn digest(&mut self, request: &Option<V>) {
        let mut hasher = DefaultHasher::new();
        (self.state, request).hash(&mut hasher);
        self.state = hasher.finish();
    }

    /// At every so many executions, tells the others its state.
    pub(super) fn checkpoint(&mut self, effects: &mut Vec<Effect<V>>) {
        if self.executed.is_multiple_of(self.rules.interval) {
            effects.push(Effect::Broadcast(Message::Checkpoint(self.executed, self.state)));
            self.on_checkpoint(self.me, self.executed, self.state);
        }
    }

    /// Upon receiving a checkpoint: a quorum of equal ones makes it stable. One that lies ahead of what this replica
    /// executed is only remembered, since it does not have that state.
    pub(super) fn on_checkpoint(&mut self, from: Id, number: Number, state: u64) {
        let in_window = number > self.stable && number <= self.stable + 2 * self.rules.window;
        let has_voted =
            |((voted, _), votes): (&(Number, u64), &BTreeSet<Id>)| *voted == number && votes.contains(&from);
        if !in_window || self.checkpoints.iter().any(has_voted) {
            return;
        }
        self.checkpoints.entry((number, state)).or_default().insert(from);
        let (quorum, executed) = (self.rules.quorum, self.executed);
        let reached =
            self.checkpoints.iter().filter(|((number, _), votes)| *number <= executed && votes.len() >= quorum);
        if let Some(stable) = reached.map(|(&(number, _), _)| number).max() {
            self.stable = stable;
            self.slots = self.slots.split_off(&(stable + 1));
            self.checkpoints.retain(|(number, _), _| *number > stable);
        }
    }
}
