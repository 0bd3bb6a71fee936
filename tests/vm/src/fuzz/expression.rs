//! Code that leaves one word on the stack.

use alloy_primitives::U256;
use chain_core::execute::Revision;

use super::{opcodes::*, program::Writer};

const ENVIRONMENT: [u8; 20] = [
    ADDRESS,
    ORIGIN,
    CALLER,
    CALLVALUE,
    CALLDATASIZE,
    CODESIZE,
    GASPRICE,
    RETURNDATASIZE,
    COINBASE,
    TIMESTAMP,
    NUMBER,
    PREVRANDAO,
    GASLIMIT,
    CHAINID,
    SELFBALANCE,
    BASEFEE,
    BLOBBASEFEE,
    PC,
    MSIZE,
    GAS,
];

const BINARY: [u8; 21] =
    [ADD, MUL, SUB, DIV, SDIV, MOD, SMOD, SIGNEXTEND, LT, GT, SLT, SGT, EQ, AND, OR, XOR, BYTE, SHL, SHR, SAR, EXP];

impl Writer<'_> {
    /// A known word.
    pub(super) fn push(&mut self, number: U256) {
        self.code.push(number);
        self.stack += 1;
    }

    /// A random word.
    pub(super) fn word(&mut self) {
        match self.rng.percent(8) {
            true => self.address(),
            false => {
                let word = self.rng.word();
                self.push(word);
            }
        }
    }

    /// A place in memory, most often near its start.
    pub(super) fn offset(&mut self) {
        let offset = match self.rng.below(600) {
            0 => self.rng.word(),
            1..=8 => U256::from(self.rng.below(20_000)),
            9..=270 => U256::from(32 * self.rng.below(6)),
            _ => U256::from(self.rng.below(200)),
        };
        self.push(offset);
    }

    /// A length, most often short.
    pub(super) fn size(&mut self) {
        let size = match self.rng.below(600) {
            0 => self.rng.word(),
            1..=8 => U256::from(self.rng.below(10_000)),
            9..=240 => U256::from(32 * self.rng.below(4)),
            _ => U256::from(self.rng.below(100)),
        };
        self.push(size);
    }

    /// A storage key out of few.
    pub(super) fn key(&mut self) {
        let key = if self.rng.once_in(40) { self.rng.word() } else { U256::from(self.rng.below(4)) };
        self.push(key);
    }

    /// An account.
    pub(super) fn address(&mut self) {
        match self.rng.weighed(&[80, 6, 4, 4, 3, 3]) {
            0 => {
                let address = *self.rng.pick(&self.pool.accounts);
                self.push(U256::from_be_slice(address.as_slice()));
            }
            1 => self.nullary(ADDRESS),
            2 => self.nullary(CALLER),
            3 => self.nullary(ORIGIN),
            // The upper bytes are to be ignored.
            4 => {
                let address = *self.rng.pick(&self.pool.accounts);
                let dirt = self.rng.wide() << 160;
                self.push(dirt | U256::from_be_slice(address.as_slice()));
            }
            _ => self.expression(1),
        }
    }

    fn nullary(&mut self, opcode: u8) {
        self.code.op(opcode);
        self.stack += 1;
    }

    fn unary(&mut self, opcode: u8, argument: impl FnOnce(&mut Self)) {
        argument(self);
        self.code.op(opcode);
    }

    /// Any word, computed at most so deep.
    pub(super) fn expression(&mut self, level: usize) {
        if level == 0 {
            return match self.rng.below(4) {
                0 => {
                    let opcode = *self.rng.pick(&ENVIRONMENT);
                    self.nullary(opcode);
                }
                1 if self.stack > 0 => {
                    let depth = self.rng.below(self.stack.min(16));
                    self.nullary(DUP1 + depth as u8);
                }
                _ => self.word(),
            };
        }
        match self.rng.weighed(&[10, 30, 5, 25, 30]) {
            0 => self.expression(0),
            1 => {
                self.expression(level - 1);
                self.expression(level - 1);
                let opcode = *self.rng.pick(&BINARY);
                self.code.op(opcode);
                self.stack -= 1;
            }
            2 => {
                (0..3).for_each(|_| self.expression(level - 1));
                let opcode = *self.rng.pick(&[ADDMOD, MULMOD]);
                self.code.op(opcode);
                self.stack -= 2;
            }
            3 => self.computed(level),
            _ => self.read(level),
        }
    }

    fn computed(&mut self, level: usize) {
        match self.rng.below(6) {
            0 | 1 => self.unary(ISZERO, |writer| writer.expression(level - 1)),
            2 => self.unary(NOT, |writer| writer.expression(level - 1)),
            // Cancun does not know it: rarely there.
            3 if self.pool.revision == Revision::Osaka || self.rng.once_in(20) => {
                self.unary(CLZ, |writer| writer.expression(level - 1));
            }
            4 => {
                self.expression(0);
                self.word();
                self.code.op(*self.rng.pick(&[SHL, SHR, SAR, BYTE, SIGNEXTEND]));
                self.stack -= 1;
            }
            _ => {
                self.size();
                self.offset();
                self.code.op(KECCAK256);
                self.stack -= 1;
            }
        }
    }

    fn read(&mut self, level: usize) {
        match self.rng.below(12) {
            0 | 1 => self.unary(SLOAD, Self::key),
            2 => self.unary(TLOAD, Self::key),
            3 | 4 => self.unary(MLOAD, Self::offset),
            5 => self.unary(BALANCE, Self::address),
            6 => self.unary(EXTCODESIZE, Self::address),
            7 => self.unary(EXTCODEHASH, Self::address),
            8 => self.unary(BLOBHASH, |writer| writer.expression(level - 1)),
            9 => self.unary(BLOCKHASH, |writer| {
                let number = 700 + writer.rng.below(310);
                writer.push(U256::from(number));
            }),
            _ => self.unary(CALLDATALOAD, |writer| match writer.rng.percent(80) {
                true => writer.offset(),
                false => writer.expression(level - 1),
            }),
        }
    }
}
