//! Contracts that make a node read and analyse as much as their gas allows, for benchmarks with and without a disk.

use alloy_primitives::{Address, B256, Bytes, U256};

use crate::state_test::Genesis;

/// The contract that is called.
pub const TARGET: Address = Address::with_last_byte(0x22);

/// A program, and what it meets.
#[derive(Clone, Debug)]
pub struct Hostile {
    /// What it does.
    pub name: &'static str,
    /// Code of [`TARGET`].
    pub code: Bytes,
    /// Other accounts.
    pub others: Vec<(Address, Genesis)>,
    /// How many slots of its own, from 0 on, the program reads.
    pub slots: u64,
    /// How many accounts, from [`FIRST`] on, it reads.
    pub accounts: u64,
}

/// Contracts of the largest size: together more code than 32 MiB.
pub const CROWD: u64 = 1_400;
/// Reads that a block can pay for if each costs no more than a call that halts.
pub const READS: u64 = 450_000;
/// The first of many accounts; that of contracts is one more.
pub const FIRST: u64 = 0x10_0000;
/// The contract that is called to halt.
const HALTING: Address = Address::with_last_byte(0x33);

const PUSH0: u8 = 0x5f;
const PUSH1: u8 = 0x60;
const PUSH20: u8 = 0x73;
const POP: u8 = 0x50;
const JUMPDEST: u8 = 0x5b;
const STATICCALL: u8 = 0xfa;
const DUP1: u8 = 0x80;

/// Account of a number.
pub fn account(number: u64) -> Address {
    Address::from_word(B256::from(U256::from(FIRST + number)))
}

/// A push of a number of four bytes.
fn push4(number: u64) -> [u8; 5] {
    let bytes = (number as u32).to_be_bytes(); // what is pushed here fits
    [0x63, bytes[0], bytes[1], bytes[2], bytes[3]]
}

/// Repeats instructions for ever, with a number on the stack that begins here.
fn looped(first: u64, repeated: &[u8]) -> Bytes {
    let mut code = push4(first).to_vec();
    let start = code.len() as u8; // five
    code.push(JUMPDEST);
    for _ in 0..200 {
        code.extend_from_slice(repeated);
    }
    code.extend_from_slice(&[PUSH1, start, 0x56]);
    code.into()
}

/// Code of the largest size that never runs beyond its first byte; where jumps go in it no branch predictor guesses.
fn large(number: u64) -> Bytes {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut code = vec![0];
    while code.len() < 24_576 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        code.extend(state.to_le_bytes().map(|byte| if byte & 1 == 0 { JUMPDEST } else { PUSH1 }));
    }
    code.truncate(24_576);
    code.into()
}

fn crowd() -> Vec<(Address, Genesis)> {
    let contract = |number| (account(number), Genesis { nonce: 1, code: large(number), ..Genesis::default() });
    (1..=CROWD).map(contract).collect()
}

/// Calls contracts of the largest size one after the other and begins again: whatever forgets the oldest code never knows the next.
fn in_turn() -> Hostile {
    // The number n becomes n mod CROWD + 1.
    let next = [&push4(CROWD)[..], &[0x90, 0x06, PUSH1, 1, 0x01]].concat();
    // Without output and input; the sixth word from the top is the number.
    let call = [&[PUSH0, PUSH0, PUSH0, PUSH0, DUP1 + 4][..], &push4(FIRST), &[0x01, 0x5a, STATICCALL, POP]].concat();
    let code = looped(CROWD - 1, &[next, call].concat());
    Hostile {
        name: "STATICCALL of 1,400 contracts of 24,576 bytes in turn",
        code,
        others: crowd(),
        slots: 0,
        accounts: 0,
    }
}

/// Slots and accounts that a program reads from its first number on.
fn reads(first: u64) -> (u64, u64) {
    if first == 0 { (READS, 0) } else { (0, READS) }
}

/// Calls a contract that has gas for one instruction but not for what that reads.
fn halting(name: &'static str, opcode: u8, first: u64) -> Hostile {
    // 5 gas for the operand, and one more.
    let callee = [PUSH0, 0x35, opcode, 0];
    let call = [
        &[DUP1, PUSH0, 0x52, PUSH0, PUSH0, PUSH1, 32, PUSH0, PUSH20][..],
        HALTING.as_slice(),
        &[PUSH1, 6, STATICCALL, POP, PUSH1, 1, 0x01],
    ];
    let callee = Genesis { nonce: 1, code: Bytes::copy_from_slice(&callee), ..Genesis::default() };
    let others = vec![(HALTING, callee)];
    let (slots, accounts) = reads(first);
    Hostile { name, code: looped(first, &call.concat()), others, slots, accounts }
}

/// Reads another slot or account each time, and pays for it.
fn paying(name: &'static str, opcode: u8, first: u64) -> Hostile {
    let code = looped(first, &[DUP1, opcode, POP, PUSH1, 1, 0x01]);
    let (slots, accounts) = reads(first);
    Hostile { name, code, others: Vec::new(), slots, accounts }
}

/// All of them.
pub fn all() -> Vec<Hostile> {
    let mut once = in_turn();
    once.name = "EXTCODESIZE of 1,400 contracts of 24,576 bytes in turn";
    let next = [&push4(CROWD)[..], &[0x90, 0x06, PUSH1, 1, 0x01, DUP1], &push4(FIRST), &[0x01, 0x3b, POP]].concat();
    once.code = looped(CROWD - 1, &next);
    vec![
        in_turn(),
        once,
        halting("SLOAD that cannot pay for its read", 0x54, 0),
        halting("BALANCE that cannot pay for its read", 0x31, FIRST),
        halting("EXTCODESIZE that cannot pay for its read", 0x3b, FIRST),
        paying("SLOAD, cold", 0x54, 0),
        paying("BALANCE, cold", 0x31, FIRST),
    ]
}
