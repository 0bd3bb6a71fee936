//! Code that leaves the stack as it was: writes, copies, branches, loops, calls, creations.

use alloy_primitives::U256;

use super::{
    inputs,
    opcodes::*,
    program::{Writer, initcode},
};

impl Writer<'_> {
    /// One statement. Branches and loops hold others, at most `level` deep.
    pub(super) fn statement(&mut self, level: usize) {
        let inner = if level > 0 { 1 } else { 0 };
        let creation = if self.creations > 0 { 6 } else { 0 };
        match self.rng.weighed(&[12, 5, 12, 5, 10, 6, 8 * inner, 6 * inner, 16, 6, creation, 5, 1]) {
            0 => self.store(MSTORE, Self::offset),
            1 => self.store(MSTORE8, Self::offset),
            2 => self.store(SSTORE, Self::key),
            3 => self.store(TSTORE, Self::key),
            4 => self.copy(),
            5 => self.log(),
            6 => self.branch(level),
            7 => self.repeat(level),
            8 => self.call(),
            9 => self.call_precompile(),
            10 => self.create(),
            11 => self.shuffle(),
            _ => self.oddity(),
        }
    }

    fn drop_words(&mut self, count: usize) {
        self.stack -= count;
    }

    fn store(&mut self, opcode: u8, place: fn(&mut Self)) {
        match opcode == SSTORE && self.rng.percent(50) {
            // Few values, so that slots go back and forth.
            true => {
                let value = U256::from(self.rng.below(3));
                self.push(value);
            }
            false => self.expression(2),
        }
        place(self);
        self.code.op(opcode);
        self.drop_words(2);
    }

    fn copy(&mut self) {
        let opcode = *self.rng.pick(&[CALLDATACOPY, CODECOPY, EXTCODECOPY, RETURNDATACOPY, MCOPY]);
        if opcode == RETURNDATACOPY && self.rng.percent(93) {
            self.code.op(RETURNDATASIZE);
            self.stack += 1;
            self.push(U256::ZERO);
        } else {
            self.size();
            self.offset();
        }
        self.offset();
        if opcode == EXTCODECOPY {
            self.address();
            self.drop_words(1);
        }
        self.code.op(opcode);
        self.drop_words(3);
    }

    fn log(&mut self) {
        let topics = self.rng.below(5);
        (0..topics).for_each(|_| self.expression(0));
        self.size();
        self.offset();
        self.code.op(LOG0 + topics as u8);
        self.drop_words(topics + 2);
    }

    fn branch(&mut self, level: usize) {
        let (otherwise, end) = (self.code.label(), self.code.label());
        match self.rng.percent(25) {
            true => {
                let limit = self.rng.below(60_000);
                self.push(U256::from(limit));
                self.code.op(GAS);
                self.code.op(LT);
            }
            false => self.expression(2),
        }
        self.code.push_label(otherwise);
        self.code.op(JUMPI);
        self.drop_words(1);
        let statements = 1 + self.rng.below(3);
        self.block(statements, level - 1);
        if self.rng.percent(12) {
            self.end();
        } else if self.rng.percent(50) {
            self.code.push_label(end);
            self.code.op(JUMP);
        }
        self.code.place(otherwise);
        let statements = self.rng.below(3);
        self.block(statements, level - 1);
        self.code.place(end);
    }

    fn repeat(&mut self, level: usize) {
        let top = self.code.label();
        let times = 1 + self.rng.below(12);
        self.push(U256::from(times));
        self.code.place(top);
        let statements = 1 + self.rng.below(3);
        self.block(statements, level - 1);
        self.code.push(U256::ONE);
        self.code.op(SWAP1);
        self.code.op(SUB);
        self.code.op(DUP1);
        self.code.push_label(top);
        self.code.op(JUMPI);
        self.code.op(POP);
        self.drop_words(1);
    }

    fn gas(&mut self) {
        match self.rng.weighed(&[60, 20, 10, 10]) {
            0 => {
                self.code.op(GAS);
                self.stack += 1;
            }
            1 => {
                let gas = self.rng.below(100_000);
                self.push(U256::from(gas));
            }
            2 => {
                let gas = *self.rng.pick(&[0, 1, 99, 100, 700, 2_299, 2_300, 2_301, 2_600, 9_000]);
                self.push(U256::from(gas));
            }
            _ => self.expression(1),
        }
    }

    fn value(&mut self) {
        match self.rng.weighed(&[70, 25, 5]) {
            0 => self.push(U256::ZERO),
            1 => {
                let value = self.rng.below(2_000);
                self.push(U256::from(value));
            }
            _ => self.expression(1),
        }
    }

    fn call(&mut self) {
        let opcode = *self.rng.pick(&[CALL, CALL, CALL, CALLCODE, DELEGATECALL, DELEGATECALL, STATICCALL]);
        self.size();
        self.offset();
        self.size();
        self.offset();
        if opcode == CALL || opcode == CALLCODE {
            self.value();
            self.drop_words(1);
        }
        match !self.pool.contracts.is_empty() && self.rng.percent(60) {
            true => {
                let address = *self.rng.pick(&self.pool.contracts);
                self.push(U256::from_be_slice(address.as_slice()));
            }
            false => self.address(),
        }
        self.gas();
        self.code.op(opcode);
        self.drop_words(5);
        self.consume();
    }

    /// Does something with the word on the stack.
    fn consume(&mut self) {
        match self.rng.weighed(&[45, 30, 15, 10]) {
            0 => self.code.op(POP),
            1 => {
                let key = self.rng.below(4);
                self.code.push(U256::from(key));
                self.code.op(SSTORE);
            }
            2 => {
                self.code.push(U256::from(64));
                self.code.op(MSTORE);
            }
            _ => {
                let end = self.code.label();
                self.code.push_label(end);
                self.code.op(JUMPI);
                self.stack -= 1;
                self.end();
                self.code.place(end);
                return;
            }
        }
        self.drop_words(1);
    }

    fn call_precompile(&mut self) {
        let number = inputs::number(self.rng);
        let input = inputs::input(self.rng, number);
        let len = U256::from(input.len());
        self.code.push(len);
        self.code.push_data(input);
        self.code.push(U256::ZERO);
        self.code.op(CODECOPY);
        self.size();
        self.offset();
        self.push(len);
        self.push(U256::ZERO);
        let opcode = *self.rng.pick(&[CALL, CALLCODE, DELEGATECALL, STATICCALL]);
        if opcode == CALL || opcode == CALLCODE {
            self.value();
            self.drop_words(1);
        }
        self.push(U256::from(number));
        self.gas();
        self.code.op(opcode);
        self.drop_words(5);
        self.consume();
    }

    fn create(&mut self) {
        let initcode = match self.rng.once_in(300) {
            true => vec![JUMPDEST; 0xc000 + self.rng.below(2)],
            false => initcode(self.rng, self.pool, self.creations - 1),
        };
        let len = U256::from(initcode.len());
        self.code.push(len);
        self.code.push_data(initcode);
        self.code.push(U256::ZERO);
        self.code.op(CODECOPY);
        let opcode = *self.rng.pick(&[CREATE, CREATE2]);
        if opcode == CREATE2 {
            let salt = self.rng.below(3);
            self.push(U256::from(salt));
            self.drop_words(1);
        }
        self.push(len);
        self.push(U256::ZERO);
        self.value();
        self.code.op(opcode);
        self.drop_words(2);
        if self.rng.percent(50) {
            self.call_created();
        }
        self.consume();
    }

    /// Calls the address on the stack, which stays there.
    fn call_created(&mut self) {
        let opcode = *self.rng.pick(&[CALL, STATICCALL, DELEGATECALL]);
        let zeros = if opcode == CALL { 5 } else { 4 };
        (0..zeros).for_each(|_| self.code.op(PUSH0));
        self.code.op(DUP1 + zeros as u8);
        self.code.op(GAS);
        self.code.op(opcode);
        self.code.op(POP);
    }

    /// Puts words on the stack, turns them over and takes them off.
    fn shuffle(&mut self) {
        let count = 2 + self.rng.below(15);
        (0..count).for_each(|_| self.expression(0));
        for _ in 0..self.rng.below(4) {
            let depth = self.rng.below((self.stack - 1).min(16));
            self.code.op(SWAP1 + depth as u8);
        }
        (0..count).for_each(|_| self.code.op(POP));
        self.drop_words(count);
    }

    /// What a compiler would never write.
    fn oddity(&mut self) {
        match self.rng.below(7) {
            0 => {
                let opcode = self.rng.bits() as u8;
                self.code.op(opcode);
            }
            1 => {
                let bytes = self.rng.bytes(5);
                self.code.raw(&bytes);
            }
            2 => {
                let top = self.code.label();
                self.code.place(top);
                self.code.op(*self.rng.pick(&[PUSH0, GAS, JUMPDEST]));
                self.code.push_label(top);
                self.code.op(JUMP);
            }
            3 => {
                self.word();
                self.code.op(JUMP);
                self.drop_words(1);
            }
            // A JUMPDEST inside of a PUSH.
            4 => {
                let place = self.code.len() + 4;
                self.code.push_bytes(&(place as u16).to_be_bytes());
                self.code.op(JUMP);
                self.code.push_bytes(&[JUMPDEST]);
                self.code.op(POP);
            }
            5 => self.destroy(),
            _ => self.code.op(*self.rng.pick(&[0x0c, 0x1f, 0x21, 0x4b, 0xa5, 0xb0, 0xef, 0xf6, 0xfe])),
        }
    }
}
