//! Programs, written down instruction by instruction.

use alloy_primitives::{Address, Bytes, U256};

use crate::vm::opcode::*;

/// A program under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program(Vec<u8>);

/// An empty program.
pub(crate) fn program() -> Program {
    Program::default()
}

impl Program {
    /// Appends instructions.
    pub fn ops(mut self, opcodes: &[u8]) -> Self {
        self.0.extend_from_slice(opcodes);
        self
    }

    /// Appends the shortest push of a number.
    pub fn push(self, number: u64) -> Self {
        self.word(U256::from(number))
    }

    /// Appends the shortest push of a word.
    pub fn word(mut self, word: U256) -> Self {
        let bytes = word.to_be_bytes_trimmed_vec();
        self.0.push(PUSH0 + bytes.len() as u8);
        self.0.extend(bytes);
        self
    }

    /// Appends a push of an address.
    pub fn address(self, address: Address) -> Self {
        self.word(address.into_word().into())
    }

    /// Appends what writes the top word to a slot.
    pub fn store(self, slot: u64) -> Self {
        self.push(slot).ops(&[SSTORE])
    }

    /// Appends what returns the top word.
    pub fn return_top(self) -> Self {
        self.push(0).ops(&[MSTORE]).push(32).push(0).ops(&[RETURN])
    }

    /// Appends what writes bytes to memory from 0 on.
    pub fn memory(mut self, bytes: &[u8]) -> Self {
        for (index, chunk) in bytes.chunks(32).enumerate() {
            let mut word = [0; 32];
            word[..chunk.len()].copy_from_slice(chunk);
            self = self.word(U256::from_be_bytes(word)).push(32 * index as u64).ops(&[MSTORE]);
        }
        self
    }

    /// Appends a call without output, whose calldata is memory from 0 on. Value is for CALL and CALLCODE alone.
    pub fn call(self, opcode: u8, to: Address, value: U256, calldata: usize) -> Self {
        let program = self.push(0).push(0).push(calldata as u64).push(0);
        let program = if matches!(opcode, CALL | CALLCODE) { program.word(value) } else { program };
        program.address(to).ops(&[GAS, opcode])
    }

    /// Appends CREATE of a contract by initcode, which is put into memory.
    pub fn create(self, initcode: &[u8], value: u64) -> Self {
        self.memory(initcode).push(initcode.len() as u64).push(0).push(value).ops(&[CREATE])
    }

    /// The code.
    pub fn code(self) -> Bytes {
        self.0.into()
    }
}

/// Initcode that creates a contract with this code, of up to 255 bytes.
pub(crate) fn deployer(code: &[u8]) -> Bytes {
    let head = |offset: u8| [PUSH1, code.len() as u8, DUP1, PUSH1, offset, PUSH0, CODECOPY, PUSH0, RETURN];
    [&head(head(0).len() as u8)[..], code].concat().into()
}
