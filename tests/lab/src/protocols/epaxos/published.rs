//! The recovery as published, for three replicas, where no TryPreAccept is needed. PreAccept goes to a fixed fast quorum,
//! so that none but its members pre-accept.

use super::{Command, Decision, Lead, Message, Phase, Replica, Slot};
use crate::process::{Id, Outputs};
use std::collections::BTreeMap;

impl Replica {
    /// Upon receiving RecoverOk of a quorum, none of which committed or accepted.
    ///
    /// - If the coordinator is not among those that pre-accepted, and all others of the quorum pre-accepted the same: that.
    /// - If some pre-accepted: from the start, without the fast path.
    /// - If none knows the command: a Nop, from the start as well.
    pub(super) fn choose_as_published(&mut self, command: Command, oks: &BTreeMap<Id, Slot>, out: &mut Outputs<Self>) {
        let owner = self.rules.owners[usize::from(command)];
        let seen: Vec<(Id, Slot)> =
            oks.iter().filter(|(_, slot)| slot.phase == Phase::PreAccepted).map(|(&id, &slot)| (id, slot)).collect();
        let Some(&(_, first)) = seen.first() else {
            return self.accept(command, Decision { nop: true, after: 0 }, out);
        };
        let same = seen.iter().all(|(id, slot)| *id != owner && slot.decision == first.decision);
        if same && seen.len() + 1 >= oks.len() {
            return self.accept(command, first.decision, out);
        }
        let after = self.known_conflicts(command);
        let slot = self.slot(command);
        let ballot = slot.ballot;
        (slot.voted, slot.phase, slot.sent) = (ballot, Phase::PreAccepted, Some(after));
        slot.decision = Decision { nop: false, after };
        self.leads.insert(command, Lead::PreAccepting(BTreeMap::from([(self.me, after)])));
        self.send_quorum(&Message::PreAccept(command, ballot, after), out);
    }
}
