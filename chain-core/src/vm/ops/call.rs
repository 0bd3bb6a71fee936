//! CALL, CALLCODE, DELEGATECALL and STATICCALL.

use alloy_primitives::U256;
use std::ops::Range;

use super::Exit;
use crate::{
    gas,
    state::AccountId,
    units::Gas,
    vm::{
        frame::{FrameKind, Message},
        halt::Status,
        inspect::Inspector,
        machine::{Begun, Vm},
    },
};

impl<I: Inspector> Vm<'_, '_, I> {
    /// CALL, CALLCODE, DELEGATECALL or STATICCALL. Afterwards either a new frame is the current one, or the call has
    /// ended and its outcome is on the stack.
    #[inline(never)]
    pub fn call(&mut self, kind: FrameKind) -> Result<(), Exit> {
        let (limit, to) = (self.pop(), self.pop_address());
        let has_value = matches!(kind, FrameKind::Call | FrameKind::CallCode);
        let value = if has_value { self.pop() } else { U256::ZERO };
        if kind == FrameKind::Call && !value.is_zero() {
            self.deny_static()?;
        }
        let (input, output) = ((self.pop(), self.pop()), (self.pop(), self.pop()));
        let input = self.memory_range(input.0, input.1)?;
        let output = self.memory_range(output.0, output.1)?;
        let (code, access) = self.access(&to, gas::WARM)?;
        let cost = access + self.value_cost(kind, code, value);
        self.charge(cost)?;
        let resolved = self.resolve(code, Self::pay_for_account)?;
        // VM-10
        let most = self.gas - self.gas / 64;
        let passed = u64::try_from(limit).map_or(most, |limit| limit.min(most));
        self.gas -= passed;
        let stipend = if value.is_zero() { 0 } else { gas::STIPEND };
        let frame = self.frame();
        let mut message = Message {
            kind,
            caller: frame.address,
            target: if kind == FrameKind::CallCode { frame.address } else { code },
            code,
            value,
            input: self.machine.memory.to_absolute(&input),
            gas: passed + stipend,
            is_static: frame.is_static || kind == FrameKind::StaticCall,
            output: output.clone(),
        };
        if kind == FrameKind::DelegateCall {
            (message.caller, message.target, message.value) = (frame.caller, frame.address, frame.value);
        }
        if let Begun::Ended(status, gas_left) = self.begin_call(message, resolved)? {
            self.return_to_caller(status, gas_left, &output);
        }
        Ok(())
    }

    /// Gas for the value of a call.
    fn value_cost(&self, kind: FrameKind, to: AccountId, value: U256) -> Gas {
        match value.is_zero() {
            true => 0,
            false if kind == FrameKind::Call && self.state.info(to).is_empty() => gas::CALL_VALUE + gas::NEW_ACCOUNT,
            false => gas::CALL_VALUE,
        }
    }

    /// Passes the outcome of a call to its caller, which is the current frame (again).
    pub(super) fn return_to_caller(&mut self, status: Status, gas_left: Gas, output: &Range<usize>) {
        self.gas += gas_left;
        let taken = output.len().min(self.machine.return_data.len());
        let machine = &mut *self.machine;
        machine.memory.fill(&(output.start..output.start + taken), &machine.return_data);
        self.push(U256::from(status == Status::Success));
    }
}
