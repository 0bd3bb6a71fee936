//! Cases through both machines, side by side.
//!
//! Left out, because Cairn decided otherwise: the precompiled contract at 0x0a, which does nothing in the peer either.
//! The gateway is switched off. States in which EIP-7610 matters are not made, since the peer does not ask for storage at
//! the address of a creation.

#![allow(dead_code, reason = "a test and a program each use a part")]

mod ours;
mod peer;
pub mod shrink;

use alloy_primitives::{Address, Bytes, Log};
use cairn_vm_tests::fuzz::{Case, generate, world::World};
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// What one transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// It may not stand in the block.
    Refused,
    /// It ran.
    Done {
        /// `success`, `revert` or `halt`.
        status: &'static str,
        /// Gas paid for.
        gas_used: u64,
        /// What it returned.
        output: Bytes,
        /// What it logged.
        logs: Vec<Log>,
        /// The contract that it made.
        created: Option<Address>,
    },
}

/// What a case did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Each transaction.
    pub ran: Vec<Ran>,
    /// The state afterwards.
    pub world: World,
}

/// Two answers that differ.
pub struct Difference {
    /// Cairn's, or how it panicked.
    pub ours: Result<Answer, String>,
    /// The peer's.
    pub theirs: Answer,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ours = match &self.ours {
            Ok(ours) => ours,
            Err(panic) => return write!(f, "cairn panicked: {panic}"),
        };
        for (index, (ours, theirs)) in ours.ran.iter().zip(&self.theirs.ran).enumerate() {
            if ours != theirs {
                writeln!(f, "transaction {index}:\n  cairn {ours:?}\n  revm  {theirs:?}")?;
            }
        }
        let addresses = ours.world.0.keys().chain(self.theirs.world.0.keys());
        for address in addresses.collect::<std::collections::BTreeSet<_>>() {
            let (ours, theirs) = (ours.world.0.get(address), self.theirs.world.0.get(address));
            if ours != theirs {
                writeln!(f, "{address}:\n  cairn {ours:?}\n  revm  {theirs:?}")?;
            }
        }
        Ok(())
    }
}

/// Runs a case through both.
pub fn compare(case: &Case) -> Result<Answer, Box<Difference>> {
    let theirs = peer::run(case);
    let ours = catch_unwind(AssertUnwindSafe(|| ours::run(case))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    });
    match ours {
        Ok(ours) if ours == theirs => Ok(ours),
        ours => Err(Box::new(Difference { ours, theirs })),
    }
}

/// What many seeds came to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Cases.
    pub cases: usize,
    /// Transactions that were refused, succeeded, reverted and halted.
    pub ended: [usize; 4],
    /// Gas that was used.
    pub gas: u64,
    /// Seeds whose answers differ.
    pub differences: Vec<u64>,
}

impl Tally {
    /// Runs the case of a seed.
    pub fn of(seed: u64) -> Self {
        let mut tally = Self { cases: 1, ..Self::default() };
        match compare(&generate(seed)) {
            Ok(answer) => answer.ran.iter().for_each(|ran| tally.count(ran)),
            Err(_) => tally.differences.push(seed),
        }
        tally
    }

    fn count(&mut self, ran: &Ran) {
        let Ran::Done { status, gas_used, .. } = ran else {
            self.ended[0] += 1;
            return;
        };
        self.gas += gas_used;
        let place = ["success", "revert", "halt"].iter().position(|name| name == status).unwrap_or_default();
        self.ended[place + 1] += 1;
    }

    /// Adds another.
    pub fn add(mut self, other: Self) -> Self {
        self.cases += other.cases;
        self.ended.iter_mut().zip(other.ended).for_each(|(sum, part)| *sum += part);
        self.gas += other.gas;
        self.differences.extend(other.differences);
        self
    }
}

/// The smallest case that still differs, printed.
pub fn explain(seed: u64) -> String {
    let case = shrink::shrink(generate(seed), |case| compare(case).is_err());
    let difference = compare(&case).map_or_else(|difference| difference.to_string(), |_| "does not differ".to_owned());
    format!("seed {seed}\n{case}\n{difference}")
}
