//! Persistent and transient storage.

use alloy_primitives::U256;

use super::Exit;
use crate::{
    gas,
    state::SlotId,
    units::Gas,
    vm::{halt::Halt, inspect::Inspector, machine::Vm},
};

impl<I: Inspector> Vm<'_, '_, I> {
    #[inline(never)]
    pub fn sload(&mut self) -> Result<(), Exit> {
        let key = self.pop();
        let (slot, access) = self.access_slot(key, gas::WARM)?;
        self.charge(access)?;
        self.push(self.state.storage(slot));
        Ok(())
    }

    #[inline(never)]
    pub fn sstore(&mut self) -> Result<(), Exit> {
        self.deny_static()?;
        let (key, value) = (self.pop(), self.pop());
        // VM-9
        if self.gas <= gas::STIPEND {
            return Err(Halt::OutOfGas.into());
        }
        let (slot, access) = self.access_slot(key, 0)?;
        let (cost, refund) = self.store_cost(slot, value);
        self.charge(access + cost)?;
        self.refund += refund;
        if self.state.storage(slot) != value {
            self.state.set_storage(slot, value);
        }
        Ok(())
    }

    /// Gas and refund of a write, by the slot's original, current and new value.
    fn store_cost(&self, slot: SlotId, new: U256) -> (Gas, i64) {
        const RESTORE_NEW: i64 = (gas::STORE_NEW - gas::WARM) as i64;
        const RESTORE: i64 = (gas::STORE_CHANGE - gas::WARM) as i64;
        let (original, current) = (self.state.original_storage(slot), self.state.storage(slot));
        if current == new {
            return (gas::WARM, 0);
        }
        // VM-9
        if current == original {
            return match (original.is_zero(), new.is_zero()) {
                (true, _) => (gas::STORE_NEW, 0),
                (false, true) => (gas::STORE_CHANGE, gas::STORE_CLEAR_REFUND),
                (false, false) => (gas::STORE_CHANGE, 0),
            };
        }
        let mut refund = 0;
        if !original.is_zero() {
            match (current.is_zero(), new.is_zero()) {
                (true, _) => refund -= gas::STORE_CLEAR_REFUND,
                (false, true) => refund += gas::STORE_CLEAR_REFUND,
                (false, false) => {}
            }
        }
        if new == original {
            refund += if original.is_zero() { RESTORE_NEW } else { RESTORE };
        }
        (gas::WARM, refund)
    }

    #[inline(never)]
    pub fn tload(&mut self) -> Result<(), Exit> {
        let key = self.pop();
        self.push(self.state.transient(self.frame().address, key));
        Ok(())
    }

    #[inline(never)]
    pub fn tstore(&mut self) -> Result<(), Exit> {
        self.deny_static()?;
        let (key, value) = (self.pop(), self.pop());
        let account = self.frame().address;
        self.state.set_transient(account, key, value);
        Ok(())
    }
}
