//! Contracts that do something: statements one after another, then an end.

use alloy_primitives::{Address, U256};
use chain_core::execute::Revision;

use super::{assembler::Assembler, opcodes::*, rng::Rng};

/// What programs know of the world.
pub(super) struct Pool {
    /// The rules.
    pub revision: Revision,
    /// Contracts of the world.
    pub contracts: Vec<Address>,
    /// All accounts worth naming, existing or not.
    pub accounts: Vec<Address>,
}

/// A program that is being written. `stack` is how many words it has put on the stack, as far as it knows.
pub(super) struct Writer<'a> {
    pub rng: &'a mut Rng,
    pub pool: &'a Pool,
    pub code: Assembler,
    pub stack: usize,
    /// How deep initcode may still make initcode.
    pub creations: usize,
}

/// Code longer than this gets no further statements.
const ENOUGH: usize = 3_000;

/// Code of a contract.
pub(super) fn runtime(rng: &mut Rng, pool: &Pool, creations: usize) -> Vec<u8> {
    let mut writer = Writer::new(rng, pool, creations);
    let statements = 1 + writer.rng.below(14);
    writer.block(statements, 2);
    writer.end();
    writer.code.finish()
}

/// Code that makes a contract, most often.
pub(super) fn initcode(rng: &mut Rng, pool: &Pool, creations: usize) -> Vec<u8> {
    let mut writer = Writer::new(rng, pool, creations);
    let statements = writer.rng.below(6);
    writer.block(statements, 1);
    if writer.rng.percent(15) {
        writer.end();
        return writer.code.finish();
    }
    let made = match writer.rng.weighed(&[8, 6, 1, 6, 80]) {
        0 => Vec::new(),
        1 => vec![0xef, 0x01],
        2 => vec![STOP; 0x6000 + writer.rng.below(2)],
        3 => writer.rng.bytes(40),
        _ => runtime(writer.rng, pool, creations.saturating_sub(1)),
    };
    let len = U256::from(made.len());
    writer.code.push(len);
    writer.code.push_data(made);
    writer.code.push(U256::ZERO);
    writer.code.op(CODECOPY);
    writer.code.push(len);
    writer.code.push(U256::ZERO);
    writer.code.op(RETURN);
    writer.code.finish()
}

impl<'a> Writer<'a> {
    pub(super) fn new(rng: &'a mut Rng, pool: &'a Pool, creations: usize) -> Self {
        Self { rng, pool, code: Assembler::default(), stack: 0, creations }
    }

    /// Some statements; the stack is afterwards as it was before.
    pub(super) fn block(&mut self, statements: usize, level: usize) {
        for _ in 0..statements {
            if self.code.len() > ENOUGH {
                return;
            }
            self.statement(level);
        }
    }

    /// How a program ends.
    pub(super) fn end(&mut self) {
        match self.rng.weighed(&[25, 40, 15, 6, 2, 12]) {
            0 => self.code.op(STOP),
            1 => self.answer(RETURN),
            2 => self.answer(REVERT),
            3 => self.destroy(),
            4 => self.code.op(INVALID),
            _ => {}
        }
    }

    fn answer(&mut self, opcode: u8) {
        if self.rng.percent(50) {
            self.expression(1);
            self.stack -= 1;
            self.code.push(U256::ZERO);
            self.code.op(MSTORE);
        }
        self.size();
        self.offset();
        self.code.op(opcode);
        self.stack -= 2;
    }

    pub(super) fn destroy(&mut self) {
        self.address();
        self.code.op(SELFDESTRUCT);
        self.stack -= 1;
    }
}
