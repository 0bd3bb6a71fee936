//! The recovery of EPaxos*, and what both recoveries have in common.

use super::{Ballot, Command, Commands, Decision, Lead, Message, Phase, Recovery, Replica, Slot};
use crate::process::{Id, Outputs};
use std::collections::BTreeMap;

const NOP: Decision = Decision { nop: true, after: 0 };

impl Replica {
    /// Upon receiving RecoverOk of n-f.
    pub(super) fn on_recover_ok(&mut self, from: Id, command: Command, slot: Slot, out: &mut Outputs<Self>) {
        let quorum = self.rules.quorum();
        let oks = match self.leads.get_mut(&command) {
            Some(Lead::Recovering(oks)) => oks,
            Some(&mut Lead::Waiting { quorum, .. }) if quorum >> from & 1 == 0 => {
                return self.on_late_answer(from, command, slot, out);
            }
            _ => return,
        };
        oks.insert(from, slot);
        if oks.len() < quorum {
            return;
        }
        let oks = oks.clone();
        let of = |phase| oks.values().filter(move |slot| slot.phase == phase).max_by_key(|slot| slot.voted);
        if let Some(slot) = of(Phase::Committed) {
            let ballot = self.slot(command).ballot;
            self.commit(command, ballot, slot.decision, out);
        } else if let Some(slot) = of(Phase::Accepted) {
            self.accept(command, slot.decision, out);
        } else if self.rules.recovery != Recovery::Star {
            self.choose_as_published(command, &oks, out);
        } else {
            self.choose(command, &oks, out);
        }
    }

    /// None committed or accepted. If the coordinator answered, it did not commit fast, and now it never will: a Nop. Nor
    /// did it if more than e others added to the dependencies it sent. Otherwise the quorum validates these.
    fn choose(&mut self, command: Command, oks: &BTreeMap<Id, Slot>, out: &mut Outputs<Self>) {
        let owner = self.rules.owners[usize::from(command)];
        let unchanged: Vec<&Slot> = oks
            .values()
            .filter(|slot| slot.phase == Phase::PreAccepted && Some(slot.decision.after) == slot.sent)
            .collect();
        let enough = unchanged.len() + self.rules.fast_faults >= oks.len();
        let Some(first) = unchanged.first().filter(|_| enough && !oks.contains_key(&owner)) else {
            return self.accept(command, NOP, out);
        };
        let (after, count) = (first.decision.after, unchanged.len() as u8);
        let quorum = oks.keys().fold(0, |set, id| set | 1 << id);
        let ballot = self.slot(command).ballot;
        let (against, committed) = self.validate(command, after);
        let lead = Lead::Validating { answered: 1 << self.me, quorum, after, against, committed, count };
        self.leads.insert(command, lead);
        let asked: Vec<Id> = self.rules.members(quorum).filter(|&id| id != self.me).collect();
        out.send_all(asked, &Message::Validate(command, ballot, after));
    }

    /// What speaks against these dependencies: conflicting commands outside them that are committed without depending on
    /// this one, or that were sent without.
    fn validate(&mut self, command: Command, after: Commands) -> (Commands, Commands) {
        self.slot(command).sent = Some(after);
        let conflicting = self.rules.conflicts[usize::from(command)];
        let (mut against, mut committed) = (0, 0);
        for (&other, slot) in &self.slots {
            let relevant = other != command && after >> other & 1 == 0 && conflicting >> other & 1 == 1;
            let is_committed = slot.phase == Phase::Committed;
            let without = match is_committed {
                true => !slot.decision.nop && slot.decision.after >> command & 1 == 0,
                false => slot.sent.is_some_and(|sent| sent >> command & 1 == 0),
            };
            if relevant && without {
                against |= 1 << other;
                committed |= Commands::from(is_committed) << other;
            }
        }
        (against, committed)
    }

    /// Upon receiving the messages of a validation.
    pub(super) fn on_validation(&mut self, from: Id, message: Message, out: &mut Outputs<Self>) {
        match message {
            Message::Validate(command, ballot, after) if ballot == self.slot(command).ballot => {
                let (against, committed) = self.validate(command, after);
                out.send(from, Message::ValidateOk(command, ballot, against, committed));
            }
            Message::ValidateOk(command, ballot, against, committed) => {
                self.on_validate_ok(from, (command, ballot), against, committed, out);
            }
            Message::Waiting(command, count) => {
                let known = self.waiting.entry(command).or_default();
                *known = (*known).max(count);
                self.look_again(out);
            }
            _ => {}
        }
    }

    /// Upon receiving ValidateOk of the whole quorum: accept the dependencies if nothing speaks against them, a Nop if
    /// something certainly does, and wait otherwise.
    fn on_validate_ok(
        &mut self,
        from: Id,
        (command, ballot): (Command, Ballot),
        speaks: Commands,
        done: Commands,
        out: &mut Outputs<Self>,
    ) {
        if ballot != self.slot(command).ballot {
            return;
        }
        let (rules, owners) = (self.rules, self.rules.owners);
        let Some(Lead::Validating { answered, quorum, after, against, committed, count }) =
            self.leads.get_mut(&command)
        else {
            return;
        };
        (*answered, *against, *committed) = (*answered | 1 << from, *against | speaks, *committed | done);
        if answered != quorum {
            return;
        }
        let (quorum, after, against, committed, count) = (*quorum, *after, *against, *committed, *count);
        let outside = |other: &Command| quorum >> owners[usize::from(*other)] & 1 == 0;
        let least = usize::from(count) + rules.fast_faults == quorum.count_ones() as usize;
        let overruled = committed != 0 || (least && bits(against).any(|other| outside(&other)));
        if against == 0 {
            self.accept(command, Decision { nop: false, after }, out);
        } else if overruled {
            self.accept(command, NOP, out);
        } else {
            self.leads.insert(command, Lead::Waiting { quorum, after, against });
            self.send_all(&Message::Waiting(command, count), out);
            self.look_again(out);
        }
    }

    /// Upon receiving RecoverOk of one more than the quorum, while it waits.
    fn on_late_answer(&mut self, from: Id, command: Command, slot: Slot, out: &mut Outputs<Self>) {
        match slot.phase {
            Phase::Committed => {
                let ballot = self.slot(command).ballot;
                self.commit(command, ballot, slot.decision, out);
            }
            Phase::Accepted => self.accept(command, slot.decision, out),
            _ if from == self.rules.owners[usize::from(command)] => self.accept(command, NOP, out),
            _ => {}
        }
    }

    /// Whether a recovery that waits can go on, after something was committed or another recovery is known to wait.
    pub(super) fn look_again(&mut self, out: &mut Outputs<Self>) {
        let waits: Vec<(Command, Commands, Commands)> = self
            .leads
            .iter()
            .filter_map(|(&command, lead)| match lead {
                Lead::Waiting { after, against, .. } => Some((command, *after, *against)),
                _ => None,
            })
            .collect();
        let most = self.rules.replicas - self.rules.faults - self.rules.fast_faults;
        for (command, after, against) in waits {
            let slot = |other: Command| self.slots.get(&other).copied().unwrap_or_default();
            let committed = |other: &Command| slot(*other).phase == Phase::Committed;
            let with = |other: Command| slot(other).decision.nop || slot(other).decision.after >> command & 1 == 1;
            let refuted = bits(against).filter(committed).any(|other| !with(other));
            let waits_too = |other: Command| self.waiting.get(&other).is_some_and(|&count| usize::from(count) > most);
            if refuted || bits(against).any(waits_too) {
                self.accept(command, NOP, out);
            } else if bits(against).all(|other| committed(&other) && with(other)) {
                self.accept(command, Decision { nop: false, after }, out);
            }
        }
    }
}

fn bits(set: Commands) -> impl Iterator<Item = Command> {
    (0..16).filter(move |command| set >> command & 1 == 1)
}
