//! A replica and the commit protocol.

use super::{Ballot, Command, Commands, Decision, EPaxos, Lead, Message, Phase, Recovery, Slot, Timer};
use crate::process::{Id, Outputs, Process, everyone, others};
use std::collections::BTreeMap;

/// A replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica {
    pub(super) me: Id,
    pub(super) rules: EPaxos,
    pub(super) slots: BTreeMap<Command, Slot>,
    pub(super) leads: BTreeMap<Command, Lead>,
    /// How often it may still recover each command.
    pub(super) recoveries: BTreeMap<Command, u8>,
    /// Who told what of a recovery that waits.
    pub(super) waiting: BTreeMap<Command, u8>,
}

impl Replica {
    pub(super) fn slot(&mut self, command: Command) -> &mut Slot {
        self.slots.entry(command).or_default()
    }

    pub(super) fn send_all(&self, message: &Message, out: &mut Outputs<Self>) {
        out.send_all(others(self.rules.replicas, self.me), message);
    }

    /// What a quorum has to answer. As published, a replica asks a fixed one, here itself and one other of three.
    pub(super) fn send_quorum(&self, message: &Message, out: &mut Outputs<Self>) {
        if self.rules.recovery == Recovery::Star {
            self.send_all(message, out);
        } else {
            out.send((self.me + 2) % 3, message.clone());
        }
    }

    /// Step 1.
    pub(super) fn submit(&mut self, command: Command, out: &mut Outputs<Self>) {
        let after = self.known_conflicts(command);
        let decision = Decision { nop: false, after };
        let sent = Some(after);
        self.slots.insert(command, Slot { phase: Phase::PreAccepted, sent, decision, ..Slot::default() });
        self.leads.insert(command, Lead::PreAccepting(BTreeMap::from([(self.me, after)])));
        if self.rules.silent >> command & 1 == 0 {
            self.send_quorum(&Message::PreAccept(command, 0, after), out);
        }
    }

    /// Step 2.
    fn on_pre_accept(&mut self, from: Id, command: Command, ballot: Ballot, sent: Commands, out: &mut Outputs<Self>) {
        let after = sent | self.known_conflicts(command);
        let slot = self.slot(command);
        let is_known = slot.phase == Phase::Committed || (ballot == 0 && slot.phase != Phase::Unknown);
        if slot.ballot > ballot || is_known {
            return;
        }
        let decision = Decision { nop: false, after };
        *slot = Slot { ballot, voted: ballot, phase: Phase::PreAccepted, sent: Some(sent), decision };
        out.send(from, Message::PreAcceptOk(command, ballot, after));
    }

    /// Step 3.
    fn on_pre_accept_ok(&mut self, from: Id, command: Command, after: Commands, out: &mut Outputs<Self>) {
        let (quorum, fast, slot) = (self.rules.quorum(), self.rules.fast_quorum(), *self.slot(command));
        let Some(Lead::PreAccepting(oks)) = self.leads.get_mut(&command) else { return };
        oks.insert(from, after);
        if oks.len() < quorum {
            return;
        }
        let unchanged = oks.values().filter(|&&ok| Some(ok) == slot.sent).count();
        let after = oks.values().fold(0, |all, ok| all | ok);
        if slot.ballot == 0 && unchanged >= fast {
            self.commit(command, 0, Decision { nop: false, after: slot.sent.unwrap_or(0) }, out);
        } else {
            self.accept(command, Decision { nop: false, after }, out);
        }
    }

    /// Sends Accept in the ballot that this replica leads, and accepts itself.
    pub(super) fn accept(&mut self, command: Command, decision: Decision, out: &mut Outputs<Self>) {
        let slot = self.slot(command);
        let ballot = slot.ballot;
        (slot.voted, slot.phase, slot.decision) = (ballot, Phase::Accepted, decision);
        self.leads.insert(command, Lead::Accepting(1 << self.me));
        self.send_quorum(&Message::Accept(command, ballot, decision), out);
    }

    /// Step 4.
    fn on_accept(&mut self, from: Id, command: Command, ballot: Ballot, decision: Decision, out: &mut Outputs<Self>) {
        let slot = self.slot(command);
        if slot.ballot > ballot || slot.phase == Phase::Committed {
            return;
        }
        (slot.ballot, slot.voted, slot.phase, slot.decision) = (ballot, ballot, Phase::Accepted, decision);
        self.leads.remove(&command);
        out.send(from, Message::AcceptOk(command, ballot));
    }

    /// Step 5.
    fn on_accept_ok(&mut self, from: Id, command: Command, out: &mut Outputs<Self>) {
        let (quorum, slot) = (self.rules.quorum(), *self.slot(command));
        let Some(Lead::Accepting(oks)) = self.leads.get_mut(&command) else { return };
        *oks |= 1 << from;
        if oks.count_ones() as usize >= quorum {
            self.commit(command, slot.ballot, slot.decision, out);
        }
    }

    /// Commits and tells all.
    pub(super) fn commit(&mut self, command: Command, ballot: Ballot, decision: Decision, out: &mut Outputs<Self>) {
        self.send_all(&Message::Commit(command, ballot, decision), out);
        self.on_commit(command, ballot, decision, out);
    }

    fn on_commit(&mut self, command: Command, ballot: Ballot, decision: Decision, out: &mut Outputs<Self>) {
        let slot = self.slot(command);
        if slot.phase == Phase::Committed || slot.ballot > ballot {
            return;
        }
        (slot.ballot, slot.voted, slot.phase, slot.decision) = (ballot, ballot, Phase::Committed, decision);
        self.leads.remove(&command);
        out.stop_timer(Timer::Recover(command));
        out.emit((command, decision));
        self.look_again(out);
    }

    /// Takes part in a ballot, and returns what it knew before.
    fn join(&mut self, command: Command, ballot: Ballot) -> Option<Slot> {
        let published = self.rules.recovery == Recovery::Published;
        let slot = self.slot(command);
        if slot.ballot >= ballot {
            return None;
        }
        let before = *slot;
        slot.ballot = ballot;
        if published {
            // One ballot for both: the fault.
            slot.voted = ballot;
        }
        self.leads.remove(&command);
        Some(before)
    }

    /// Begins a recovery.
    fn recover(&mut self, command: Command, out: &mut Outputs<Self>) {
        let slot = *self.slot(command);
        if slot.phase == Phase::Committed {
            return;
        }
        let n = self.rules.replicas as Ballot;
        let ballot = (slot.ballot + n - self.me - 1) / n * n + self.me + 1;
        let ballot = if ballot > slot.ballot { ballot } else { ballot + n };
        if let Some(before) = self.join(command, ballot) {
            self.leads.insert(command, Lead::Recovering(BTreeMap::from([(self.me, before)])));
            self.send_quorum(&Message::Recover(command, ballot), out);
        }
    }
}

impl Process for Replica {
    type Message = Message;
    type Timer = Timer;
    type Event = (Command, Decision);

    fn on_start(&mut self, out: &mut Outputs<Self>) {
        for command in 0..self.rules.commands {
            let owns = self.rules.owners[usize::from(command)] == self.me;
            if owns && self.rules.apart == 0 {
                self.submit(command, out);
            } else if owns {
                out.set_timer(Timer::Submit(command), self.rules.apart * u64::from(command));
            }
            if self.recoveries.get(&command).is_some_and(|&left| left > 0) {
                out.set_timer(
                    Timer::Recover(command),
                    40 + 10 * u64::from(self.me) + self.rules.apart * u64::from(command),
                );
            }
        }
    }

    fn on_message(&mut self, from: Id, message: Message, out: &mut Outputs<Self>) {
        match message {
            Message::PreAccept(command, ballot, sent) => self.on_pre_accept(from, command, ballot, sent, out),
            Message::PreAcceptOk(command, ballot, after) if ballot == self.slot(command).ballot => {
                self.on_pre_accept_ok(from, command, after, out);
            }
            Message::Accept(command, ballot, decision) => self.on_accept(from, command, ballot, decision, out),
            Message::AcceptOk(command, ballot) if ballot == self.slot(command).ballot => {
                self.on_accept_ok(from, command, out);
            }
            Message::Commit(command, ballot, decision) => self.on_commit(command, ballot, decision, out),
            Message::Recover(command, ballot) => {
                if let Some(before) = self.join(command, ballot) {
                    out.send(from, Message::RecoverOk(command, ballot, before));
                }
            }
            Message::RecoverOk(command, ballot, slot) if ballot == self.slot(command).ballot => {
                self.on_recover_ok(from, command, slot, out);
            }
            message => self.on_validation(from, message, out),
        }
    }

    fn on_timer(&mut self, timer: Timer, out: &mut Outputs<Self>) {
        match timer {
            Timer::Submit(command) => self.submit(command, out),
            Timer::Recover(command) => {
                let left = self.recoveries.entry(command).or_default();
                *left -= 1;
                if *left > 0 {
                    out.set_timer(Timer::Recover(command), 40 + 10 * u64::from(self.me));
                }
                self.recover(command, out);
            }
        }
    }
}

impl EPaxos {
    pub(super) fn quorum(&self) -> usize {
        self.replicas - self.faults
    }

    fn fast_quorum(&self) -> usize {
        self.replicas - self.fast_faults
    }

    /// All replicas of a set of bits.
    pub(super) fn members(&self, set: u16) -> impl Iterator<Item = Id> {
        everyone(self.replicas).filter(move |id| set >> id & 1 == 1)
    }
}
