//! What is read from the state, how often, and only once it is paid for.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use super::{
    assembler::{Program, program},
    kit::*,
};
use crate::{
    execute::transition,
    hash::BlockHash,
    state::{MemoryState, Overlay, StateView, ViewError, lthash::LtHash},
    transaction::{
        account::Fields,
        coin::{Coin, OutPoint},
    },
    trie::{Node, NodeKey},
    units::{Gas, Height},
    vm::{Status, code::ANALYSES, opcode::*},
};

/// One thing that a view is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Read {
    Account(Address),
    Slot(Address, U256),
    Code(B256),
}

/// A state that counts its reads.
struct Counting<'a> {
    state: &'a MemoryState,
    reads: RefCell<BTreeMap<Read, usize>>,
}

impl<'a> Counting<'a> {
    fn new(state: &'a MemoryState) -> Self {
        Self { state, reads: RefCell::default() }
    }

    fn count(&self, read: Read) {
        *self.reads.borrow_mut().entry(read).or_default() += 1;
    }

    fn times(&self, read: Read) -> usize {
        self.reads.borrow().get(&read).copied().unwrap_or_default()
    }
}

impl StateView for Counting<'_> {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, ViewError> {
        self.state.coin(outpoint)
    }

    fn account(&self, address: &Address) -> Result<Option<crate::state::Account>, ViewError> {
        self.count(Read::Account(*address));
        self.state.account(address)
    }

    fn storage(&self, address: &Address, slot: &U256) -> Result<U256, ViewError> {
        self.count(Read::Slot(*address, *slot));
        self.state.storage(address, slot)
    }

    fn code(&self, hash: &B256) -> Result<Bytes, ViewError> {
        self.count(Read::Code(*hash));
        self.state.code(hash)
    }

    fn block_hash(&self, height: Height) -> Result<Option<BlockHash>, ViewError> {
        self.state.block_hash(height)
    }

    fn trie_node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        self.state.trie_node(key)
    }

    fn coins_digest(&self) -> Result<LtHash, ViewError> {
        self.state.coins_digest()
    }
}

/// The contract that is looked at, the one that it delegates to, and the one that looks.
const THERE: u8 = 1;
const BEHIND: u8 = 2;
const HERE: u8 = 0xca;

/// Runs the contract with so much gas beyond the intrinsic part; returns how it ended and how often `read` was read.
fn run(kit: &Kit, gas: Gas, read: Read) -> (Status, usize) {
    let view = Counting::new(&kit.state);
    let mut overlay = Overlay::new(&view);
    let fields = Fields { gas_limit: 21_000 + gas, ..kit.fields(Some(at(HERE))) };
    let outcome = transition(&kit.environment, &mut overlay, B256::ZERO, &fields, SENDER, Gas::MAX).unwrap();
    (outcome.status, view.times(read))
}

/// What some instructions read and what is to be paid for it: the words that they take cost three gas each.
fn cases() -> Vec<(&'static str, Program, u64, Gas, Read)> {
    let there = at(THERE);
    let account = Read::Account(there);
    let code = Read::Code(keccak256(there_code()));
    let slot = Read::Slot(at(HERE), U256::from(5));
    let push = |words: u64| (0..words).fold(program(), |program, _| program.push(1));
    let look = |opcode| program().address(there).ops(&[opcode]);
    // Nothing to copy, no output, no value: PUSH1 of one byte of input, which is free once.
    let call = |opcode: u8| {
        let words = if matches!(opcode, CALL | CALLCODE) { 5 } else { 4 };
        let zeros = (0..words).fold(program(), |program, _| program.ops(&[PUSH1, 0]));
        (zeros.address(there).ops(&[PUSH1, 0, opcode]), words + 2)
    };
    let mut cases = vec![
        ("SLOAD", program().push(5).ops(&[SLOAD]), 1, 2_100, slot),
        ("SSTORE", program().push(9).push(5).ops(&[SSTORE]), 2, 2_301, slot),
        ("BALANCE", look(BALANCE), 1, 2_600, account),
        ("EXTCODESIZE", look(EXTCODESIZE), 1, 2_600, account),
        ("EXTCODESIZE, code", look(EXTCODESIZE), 1, 2_600, code),
        ("EXTCODEHASH", look(EXTCODEHASH), 1, 2_600, account),
        ("EXTCODECOPY", push(3).address(there).ops(&[EXTCODECOPY]), 4, 2_600 + 3 + 3, account),
        ("EXTCODECOPY, code", push(3).address(there).ops(&[EXTCODECOPY]), 4, 2_600 + 3 + 3, code),
        ("SELFDESTRUCT", look(SELFDESTRUCT), 1, 5_000 + 2_600, account),
    ];
    for (name, opcode) in
        [("CALL", CALL), ("CALLCODE", CALLCODE), ("DELEGATECALL", DELEGATECALL), ("STATICCALL", STATICCALL)]
    {
        let (program, words) = call(opcode);
        cases.push((name, program.clone(), words, 2_600, account));
        cases.push((name, program, words, 2_600, code));
    }
    // With value, access is paid before it is known whether the account is new.
    let paying = (0..4).fold(program(), |program, _| program.ops(&[PUSH1, 0])).push(1);
    cases.push(("CALL with value", paying.address(there).ops(&[PUSH1, 0, CALL]), 7, 2_600, account));
    cases
}

fn there_code() -> Bytes {
    Bytes::from(vec![STOP; 3])
}

// VM-6
#[test]
fn nothing_is_read_for_one_gas_less_than_it_costs() {
    for (name, program, words, price, read) in cases() {
        let mut kit = Kit::new();
        kit.account(at(THERE), 1, U256::ZERO, there_code(), &[]);
        kit.contract(HERE, program);
        let (status, times) = run(&kit, 3 * words + price - 1, read);
        assert!(matches!(status, Status::Halt(_)), "{name}: {status:?}");
        assert_eq!(times, 0, "{name} reads {read:?} without paying");
        assert_eq!(run(&kit, 3 * words + price, read).1, 1, "{name} pays and does not read {read:?}");
    }
}

// VM-14
#[test]
fn a_delegate_is_not_read_for_one_gas_less_than_it_costs() {
    let code = Bytes::from(vec![STOP; 5]);
    let zeros = (0..4).fold(program(), |program, _| program.ops(&[PUSH1, 0]));
    for opcode in [DELEGATECALL, STATICCALL] {
        let mut kit = Kit::new();
        kit.account(at(THERE), 1, U256::ZERO, crate::vm::delegation(&at(BEHIND)), &[]);
        kit.account(at(BEHIND), 1, U256::ZERO, code.clone(), &[]);
        kit.contract(HERE, zeros.clone().address(at(THERE)).ops(&[PUSH1, 0, opcode]));
        for read in [Read::Account(at(BEHIND)), Read::Code(keccak256(&code))] {
            let gas = 3 * 6 + 2 * 2_600;
            let (status, times) = run(&kit, gas - 1, read);
            assert!(matches!(status, Status::Halt(_)), "{status:?}");
            assert_eq!(times, 0, "{read:?} is read without paying");
            assert_eq!(run(&kit, gas, read), (Status::Success, 1));
        }
    }
}

// VM-6
#[test]
fn a_warm_heir_of_selfdestruct_costs_nothing_and_needs_no_gas() {
    let mut kit = Kit::new();
    kit.account(at(HERE), 1, U256::ZERO, program().ops(&[CALLER, SELFDESTRUCT]).code(), &[]);
    let (status, _) = run(&kit, 2 + 5_000, Read::Account(SENDER));
    assert_eq!(status, Status::Success);
}

/// More code than any cache of it may be trusted to hold is called in turn, twice: the worst order for whatever forgets the oldest.
#[test]
fn code_is_read_and_analysed_once_in_a_block_however_much_there_is() {
    const CONTRACTS: u64 = 1_400;
    let contract = |number: u64| Address::from_word(B256::from(U256::from(0x10_0000 + number)));
    let mut kit = Kit::new();
    for number in 1..=CONTRACTS {
        let mut code = program().push(number).ops(&[POP, PUSH0, POP, JUMPDEST, STOP]).code().to_vec();
        code.resize(24_576, JUMPDEST);
        kit.account(contract(number), 1, U256::ZERO, code.into(), &[]);
    }
    // A twin has the same code, and so the same hash.
    let twin = Address::repeat_byte(0x77);
    let code = kit.state.codes[&kit.state.accounts[&contract(1)].code_hash].clone();
    kit.account(twin, 1, U256::ZERO, code, &[]);
    // Calls the contract after the one before, whose address is on the stack.
    let next = program().push(1).ops(&[ADD, PUSH0, PUSH0, PUSH0, PUSH0, DUP5, GAS, STATICCALL, POP]);
    let all = (0..CONTRACTS).fold(program().push(0x10_0000), |program, _| program.ops(&next.clone().code()));
    kit.contract(HERE, all);
    kit.contract(0xcb, program().call(STATICCALL, twin, U256::ZERO, 0));

    let view = Counting::new(&kit.state);
    let mut overlay = Overlay::new(&view);
    let before = ANALYSES.get();
    for (nonce, to) in [(0, at(HERE)), (1, at(HERE)), (2, at(0xcb))] {
        let fields = Fields { nonce, ..kit.fields(Some(to)) };
        let outcome = transition(&kit.environment, &mut overlay, B256::ZERO, &fields, SENDER, Gas::MAX).unwrap();
        assert_eq!(outcome.status, Status::Success);
    }
    let callers = 2;
    assert_eq!(ANALYSES.get() - before, CONTRACTS as usize + callers);
    let codes = view.reads.borrow();
    let codes: Vec<usize> =
        codes.iter().filter(|(read, _)| matches!(read, Read::Code(_))).map(|(_, times)| *times).collect();
    assert_eq!(codes, vec![1; CONTRACTS as usize + callers]);
}

/// Code that is only looked at is never analysed, and initcode once for each creation, which pays for each word.
#[test]
fn only_code_that_runs_is_analysed() {
    let mut kit = Kit::new();
    kit.account(at(THERE), 1, U256::ZERO, there_code(), &[]);
    let before = ANALYSES.get();
    kit.run(
        program().address(at(THERE)).ops(&[EXTCODESIZE]).push(1).push(0).push(0).address(at(THERE)).ops(&[EXTCODECOPY]),
    );
    assert_eq!(ANALYSES.get() - before, 1, "the program alone");
}
