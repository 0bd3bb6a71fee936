//! The slowest instructions and precompiled contracts for their gas, and whether a block of them is fast enough. Each run of Cairn begins a
//! block: code is read and analysed anew. Reads of a disk are measured by `cargo bench -p cairn-tests --bench reads`.

use alloy_primitives::{Address, Bytes, U256};
use cairn_vm_tests::state_test::Genesis;
use chain_core::{hash::BlockHash, state::MemoryState, units::Gas};
use std::{collections::BTreeSet, time::Duration};

use super::{
    Arguments,
    engines::{Answer, Cairn, Input, Peer},
    inputs::insert,
    measure::{ms, timed},
    programs::{self, Program},
};

const CALLER: Address = Address::with_last_byte(0x11);
const TARGET: Address = Address::with_last_byte(0x22);
/// Gas of a block.
const BLOCK: Gas = 60_000_000;
/// How long a block may take.
const LIMIT: Duration = Duration::from_secs(3);
const ROUNDS: usize = 3;
const SHOWN: usize = 30;
/// How many of the slowest are run with all gas of a block.
const WHOLE_BLOCKS: usize = 12;

struct Found {
    program: Program,
    /// Milliseconds for a million gas.
    ours: f64,
    theirs: f64,
}

impl Found {
    fn name(&self) -> String {
        format!("{} {}", self.program.subject, self.program.variant)
    }
}

/// Measures all programs that are wanted; `false` if a block of the slowest takes too long, or revm disagrees.
pub fn run(arguments: &Arguments) -> bool {
    let programs = programs::all().into_iter().filter(|program| {
        arguments.wants("sweep") || arguments.wants(&format!("{} {}", program.subject, program.variant))
    });
    let (mut found, mut right) = (Vec::new(), true);
    for program in programs {
        let input = input(&program, program.gas);
        let (mut cairn, mut peer) = (Cairn::cold(&input), Peer::new(&input));
        let (ours, theirs) = (Answer::from(&cairn.run()), Answer::from(&peer.run()));
        if ours != theirs {
            println!("WRONG: {} {}: cairn {ours:?}, revm {theirs:?}", program.subject, program.variant);
            right = false;
        }
        let per_million = |time: Duration| ms(time) * 1e6 / ours.gas_used as f64;
        let (theirs, ours) = (fastest(|| peer.run()), fastest(|| cairn.run()));
        found.push(Found { ours: per_million(ours), theirs: per_million(theirs), program });
    }
    found.sort_by(|one, other| other.ours.total_cmp(&one.ours));
    print(&found, arguments.all);
    right & whole_blocks(&found)
}

fn input(program: &Program, gas_limit: Gas) -> Input {
    let mut state = MemoryState::default();
    insert(&mut state, CALLER, Genesis { balance: U256::MAX >> 8, ..Genesis::default() });
    let target = Genesis { nonce: 1, balance: U256::MAX >> 9, code: program.code.clone(), storage: Vec::new() };
    insert(&mut state, TARGET, target);
    for (address, account) in &program.others {
        insert(&mut state, *address, account.clone());
    }
    state.block_hashes = (700..1_000).map(|height| (height, BlockHash([height as u8; 32]))).collect();
    let name = program.subject.to_owned();
    Input { name, caller: CALLER, to: TARGET, value: U256::ZERO, calldata: Bytes::new(), gas_limit, state }
}

/// The fastest of a few runs: what the code costs, not what else the computer does.
fn fastest<T>(mut work: impl FnMut() -> T) -> Duration {
    (0..ROUNDS).map(|_| timed(&mut work)).min().unwrap_or_default()
}

/// The slowest variant of each subject, slowest first.
fn print(found: &[Found], all: bool) {
    if found.is_empty() {
        return;
    }
    let subjects: BTreeSet<&str> = found.iter().map(|found| found.program.subject).collect();
    println!("slowest of {} programs over {} instructions and precompiled contracts", found.len(), subjects.len());
    println!("{:<52} {:>14} {:>14}", "", "revm ms/Mgas", "cairn ms/Mgas");
    let mut seen = BTreeSet::new();
    let slowest = found.iter().filter(|found| all || seen.insert(found.program.subject));
    for found in slowest.take(if all { usize::MAX } else { SHOWN }) {
        println!("{:<52} {:>14.2} {:>14.2}", found.name(), found.theirs, found.ours);
    }
    println!();
}

/// Runs the slowest of each subject with all gas of a block.
fn whole_blocks(found: &[Found]) -> bool {
    let (mut right, mut seen) = (true, BTreeSet::new());
    for found in found.iter().filter(|found| seen.insert(found.program.subject)).take(WHOLE_BLOCKS) {
        let scaled = Duration::from_secs_f64(found.ours * BLOCK as f64 / 1e9);
        let input = input(&found.program, BLOCK);
        let mut cairn = Cairn::cold(&input);
        // A crowd of contracts that is smaller than a block can pay for is scaled only.
        let time = if found.program.others.len() > 1 { scaled } else { fastest(|| cairn.run()) };
        let fast = time <= LIMIT;
        right &= fast;
        let verdict = if fast { "" } else { ", TOO SLOW" };
        println!("60 Mgas of {:<42} {:>8.0} ms (limit {:.0} s{verdict})", found.name(), ms(time), LIMIT.as_secs_f64());
    }
    right
}
