//! Checkpoints, and what they let a replica forget. Nodes take none: their checkpoint is a certificate, and there is a replica for
//! each.

use super::{Effect, Id, Message, Number, Replica};
use std::{collections::BTreeSet, hash::Hash};

impl<V: Clone + Ord + Hash> Replica<V> {
    /// Takes a checkpoint: tells the others the digest of the state after this number, which is that of the caller, who executes
    /// requests.
    pub fn take_checkpoint(&mut self, number: Number, state: u64, effects: &mut Vec<Effect<V>>) {
        effects.push(Effect::Broadcast(Message::Checkpoint(number, state)));
        self.on_checkpoint(self.me, number, state);
        self.lead(effects);
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
