//! Instructions that reach beyond stack and gas, each as a method of the machine. The interpreter has checked the stack and
//! charged the static gas of the table.

mod call;
mod create;
mod data;
mod end;
mod host;
mod storage;

use alloy_primitives::{Address, U256};
use std::ops::Range;

use super::{gas, halt::Halt, inspect::Inspector, machine::Vm, memory, precompiles::is_accessed};
use crate::{
    state::{AccountId, ViewError},
    units::Gas,
};

/// Why an instruction does not lead to the next.
#[derive(Debug)]
pub(super) enum Exit {
    /// The frame breaks off.
    Halt(Halt),
    /// The state cannot be read.
    View(ViewError),
}

impl From<Halt> for Exit {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl From<ViewError> for Exit {
    fn from(error: ViewError) -> Self {
        Self::View(error)
    }
}

impl<I: Inspector> Vm<'_, '_, I> {
    /// Takes the top word.
    #[inline(always)]
    fn pop(&mut self) -> U256 {
        // SAFETY: the interpreter has seen that the stack has what the instruction takes.
        unsafe { self.stack.pop() }
    }

    /// Puts a word on top.
    #[inline(always)]
    fn push(&mut self, word: U256) {
        // SAFETY: the interpreter has seen that there is room for what the instruction leaves.
        unsafe { self.stack.push(word) }
    }

    fn pop_address(&mut self) -> Address {
        Address::from_word(self.pop().into())
    }

    #[inline(always)]
    fn charge(&mut self, gas: Gas) -> Result<(), Halt> {
        self.gas = self.gas.checked_sub(gas).ok_or(Halt::OutOfGas)?;
        Ok(())
    }

    /// A range of memory from two words, paid for and made.
    #[inline(always)]
    fn memory_range(&mut self, offset: U256, len: U256) -> Result<Range<usize>, Halt> {
        let range = memory::range(offset, len).ok_or(Halt::OutOfGas)?;
        self.make_room(range.end)?;
        Ok(range)
    }

    /// Pays for memory up to `end` and makes it.
    #[inline(always)]
    fn make_room(&mut self, end: usize) -> Result<(), Halt> {
        self.charge(self.machine.memory.cost(end))?;
        self.machine.memory.grow(end);
        Ok(())
    }

    /// What access to an account costs (EIP-2929).
    fn access(&mut self, account: AccountId) -> Gas {
        // VM-6
        let is_cold =
            self.state.warm_account(account) && !is_accessed(self.environment.revision, &self.state.address(account));
        if is_cold { gas::COLD_ACCOUNT } else { gas::WARM }
    }

    /// Takes an address, pays for access to its account and finds it.
    fn pop_account(&mut self) -> Result<AccountId, Exit> {
        let address = self.pop_address();
        let account = self.state.account(&address)?;
        let gas = self.access(account);
        self.charge(gas)?;
        Ok(account)
    }

    fn deny_static(&self) -> Result<(), Halt> {
        // VM-16
        if self.frame().is_static { Err(Halt::StaticViolation) } else { Ok(()) }
    }
}
