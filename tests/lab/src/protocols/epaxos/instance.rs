//! Replicas with their commands, and what must hold.

use super::{Command, Commands, Decision, Phase, Replica, coins::conflicts};
use crate::{
    instance::{Instance, View},
    process::Id,
};
use chain_core::transaction::coin::CoinTransaction;
use std::collections::BTreeMap;

/// Timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// A client sends a command.
    Submit(Command),
    /// A command takes too long.
    Recover(Command),
}

/// Which recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recovery {
    /// As published in 2013.
    Published,
    /// The same, but a vote keeps its own ballot.
    TwoBallots,
    /// Of EPaxos*.
    Star,
}

/// Replicas and commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EPaxos {
    /// n.
    pub replicas: usize,
    /// f.
    pub faults: usize,
    /// e.
    pub fast_faults: usize,
    /// How many commands, at most 16.
    pub commands: Command,
    /// Who coordinates each.
    pub owners: [Id; 16],
    /// Which conflict with each.
    pub conflicts: [Commands; 16],
    /// Commands that only their coordinator ever hears of, as bits.
    pub silent: Commands,
    /// How often each replica may recover commands, and which commands.
    pub recoveries: [u8; 8],
    /// The commands that may be recovered, as bits.
    pub recovered: Commands,
    /// How many Δ lie between commands; all come at once if 0.
    pub apart: u64,
    /// Which recovery.
    pub recovery: Recovery,
}

impl EPaxos {
    /// Coin transactions as commands, which conflict as [`conflicts`] says. Replica i receives every n-th.
    pub fn ordering(replicas: usize, transactions: &[CoinTransaction], recovery: Recovery) -> Self {
        let mut owners = [0; 16];
        for (at, owner) in owners.iter_mut().enumerate().take(transactions.len()) {
            *owner = (at % replicas) as Id;
        }
        let faults = (replicas - 1) / 2;
        Self {
            replicas,
            faults,
            fast_faults: (faults + 1).div_ceil(2),
            commands: transactions.len() as Command,
            owners,
            conflicts: conflicts(transactions),
            silent: 0,
            recoveries: [0; 8],
            recovered: 0,
            apart: 0,
            recovery,
        }
    }
}

impl EPaxos {
    /// Whether a command's coordinator had to send Accept: its dependencies are not those it sent first.
    pub fn is_slow(&self, replicas: &[Replica], command: Command) -> bool {
        let owner = &replicas[usize::from(self.owners[usize::from(command)])];
        owner.slots.get(&command).is_some_and(|slot| slot.sent != Some(slot.decision.after))
    }
}

impl Replica {
    /// The conflicting commands that this replica knows.
    pub(super) fn known_conflicts(&self, command: Command) -> Commands {
        let known = self.slots.iter().filter(|(_, slot)| slot.phase != Phase::Unknown);
        known.fold(0, |set, (other, _)| set | 1 << other) & self.rules.conflicts[usize::from(command)]
    }

    /// What this replica committed.
    fn committed(&self) -> impl Iterator<Item = (Command, Decision)> {
        let committed = self.slots.iter().filter(|(_, slot)| slot.phase == Phase::Committed);
        committed.map(|(&command, slot)| (command, slot.decision))
    }
}

impl Instance for EPaxos {
    type Process = Replica;
    type History = ();

    fn processes(&self) -> Vec<Replica> {
        let replica = |me: Id| {
            let times = self.recoveries[usize::from(me)];
            let of = |command: &Command| self.recovered >> command & 1 == 1;
            let recoveries = (0..self.commands).filter(of).map(|command| (command, times)).collect();
            let (slots, leads, waiting) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
            Replica { me, rules: *self, slots, leads, recoveries, waiting }
        };
        crate::process::everyone(self.replicas).map(replica).collect()
    }

    fn violation(&self, view: &View<'_, Replica>) -> Option<String> {
        let mut agreed = BTreeMap::<Command, Decision>::new();
        for (command, decision) in view.processes.iter().flat_map(|replica| replica.committed()) {
            let first = *agreed.entry(command).or_insert(decision);
            if first != decision {
                return Some(format!("agreement: command {command} is committed as {first:?} and {decision:?}"));
            }
        }
        for (&one, first) in &agreed {
            for (&two, second) in agreed.range(one + 1..) {
                let ordered = first.after >> two & 1 == 1 || second.after >> one & 1 == 1;
                let conflict = self.conflicts[usize::from(one)] >> two & 1 == 1;
                if conflict && !ordered && !first.nop && !second.nop {
                    return Some(format!("order: {one} and {two} conflict, and neither depends on the other"));
                }
            }
        }
        None
    }

    /// Everything that was submitted and not kept silent is committed by all.
    fn done(&self, view: &View<'_, Replica>) -> bool {
        let known = |command: &Command| {
            view.alive().any(|(_, replica)| replica.slots.get(command).is_some_and(|slot| slot.phase != Phase::Unknown))
        };
        let mut commands = (0..self.commands).filter(|command| self.silent >> command & 1 == 0).filter(known);
        commands.all(|command| {
            view.alive().all(|(_, replica)| replica.committed().any(|(committed, _)| committed == command))
        })
    }

    fn name(&self, id: Id) -> String {
        format!("r{id}")
    }
}
