//! Instructions that use more than stack and gas, each as a method of the machine. The interpreter has checked the
//! stack and charged the static gas of the table.
//!
//! Each pops its operands, then charges gas, then acts: no state is read before the gas for it is charged. Otherwise a
//! frame with little gas could cause a disk read for the price of a call.

mod call;
mod create;
mod data;
mod end;
mod host;
mod storage;

use alloy_primitives::{Address, U256};
use std::ops::Range;

use super::{halt::Halt, inspect::Inspector, machine::Vm, memory, precompiles::is_accessed};
use crate::gas;
use crate::{
    state::{AccountId, SlotId, ViewError},
    units::Gas,
};

/// Why an instruction does not continue with the next.
#[derive(Debug)]
pub(super) enum Exit {
    /// The frame halts.
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
    /// Pops the top word.
    #[inline(always)]
    fn pop(&mut self) -> U256 {
        // SAFETY: the interpreter has checked that the stack has the words that the instruction pops.
        unsafe { self.stack.pop() }
    }

    /// Pushes a word.
    #[inline(always)]
    fn push(&mut self, word: U256) {
        // SAFETY: the interpreter has checked that there is room for the words that the instruction pushes.
        unsafe { self.stack.push(word) }
    }

    fn pop_address(&mut self) -> Address {
        Address::from_word(self.pop().into())
    }

    #[inline(always)]
    fn charge(&mut self, gas: Gas) -> Result<(), Halt> {
        match self.gas.checked_sub(gas) {
            Some(left) => {
                self.gas = left;
                Ok(())
            }
            None => Err(self.lack(gas)),
        }
    }

    /// A range of memory from two words; charges for it and grows the memory.
    #[inline(always)]
    fn memory_range(&mut self, offset: U256, len: U256) -> Result<Range<usize>, Halt> {
        let range = memory::range(offset, len).ok_or(Halt::OutOfGas)?;
        self.make_room(range.end)?;
        Ok(range)
    }

    /// Charges for memory up to `end` and grows it.
    #[inline(always)]
    fn make_room(&mut self, end: usize) -> Result<(), Halt> {
        self.charge(self.machine.memory.cost(end))?;
        self.machine.memory.grow(end);
        Ok(())
    }

    /// Finds an account and the price of the access (EIP-2929), `warm` if it is not the first. The caller charges it;
    /// the account is read only if there is enough gas.
    fn access(&mut self, address: &Address, warm: Gas) -> Result<(AccountId, Gas), Exit> {
        // An account that is not in the overlay is cold.
        let known = self.state.known_account(address);
        // VM-6
        let is_cold = known.is_none_or(|account| self.state.warm_account(account))
            && !is_accessed(self.environment.revision, address);
        let gas = if is_cold { gas::COLD_ACCOUNT } else { warm };
        if self.gas < gas {
            return Err(self.lack(gas).into());
        }
        let account = match known {
            Some(account) => account,
            None => {
                let account = self.state.account(address)?;
                self.state.warm_account(account);
                account
            }
        };
        Ok((account, gas))
    }

    /// Charges for the access to an account and finds it.
    fn pay_for_account(&mut self, address: &Address) -> Result<AccountId, Exit> {
        let (account, gas) = self.access(address, gas::WARM)?;
        self.charge(gas)?;
        Ok(account)
    }

    /// Pops an address, charges for the access to its account and finds it.
    fn pop_account(&mut self) -> Result<AccountId, Exit> {
        let address = self.pop_address();
        self.pay_for_account(&address)
    }

    /// Finds a slot of the current contract and the price of the access, as [`Vm::access`] does for an account.
    fn access_slot(&mut self, key: U256, warm: Gas) -> Result<(SlotId, Gas), Exit> {
        let account = self.frame().address;
        let known = self.state.known_slot(account, key);
        // VM-6
        let is_cold = known.is_none_or(|slot| self.state.warm_slot(slot));
        let gas = if is_cold { gas::COLD_SLOT } else { warm };
        if self.gas < gas {
            return Err(self.lack(gas).into());
        }
        let slot = match known {
            Some(slot) => slot,
            None => {
                let slot = self.state.slot(account, key)?;
                self.state.warm_slot(slot);
                slot
            }
        };
        Ok((slot, gas))
    }

    fn deny_static(&self) -> Result<(), Halt> {
        // VM-16
        if self.frame().is_static { Err(Halt::StaticViolation) } else { Ok(()) }
    }
}
