//! RETURN, REVERT, SELFDESTRUCT, and the end of frames.

use alloy_primitives::U256;
use std::ops::Range;

use super::Exit;
use crate::{
    gas,
    units::Gas,
    vm::{
        frame::FrameKind,
        halt::{Halt, Status},
        inspect::{FrameEnd, FrameStart, Inspector},
        machine::Vm,
    },
};

impl<I: Inspector> Vm<'_, '_, I> {
    /// The memory range of RETURN or REVERT.
    #[inline(always)]
    pub fn pop_output(&mut self) -> Result<Range<usize>, Halt> {
        let (offset, len) = (self.pop(), self.pop());
        self.memory_range(offset, len)
    }

    /// Ends the current frame with an output from its memory. For the first frame returns the outcome and the gas left;
    /// otherwise the caller resumes.
    #[inline(never)]
    pub fn end_frame(&mut self, status: Status, output: &Range<usize>) -> Option<(Status, Gas)> {
        self.observe_step_end(match status {
            Status::Halt(halt) => Some(halt),
            Status::Success | Status::Revert => None,
        });
        let machine = &mut *self.machine;
        machine.return_data.clear();
        machine.return_data.extend_from_slice(machine.memory.slice(output));
        let mut gas_left = if matches!(status, Status::Halt(_)) { 0 } else { self.gas };
        let mut status = status;
        let is_creation = self.frame().is_creation();
        if is_creation && status == Status::Success {
            match self.deposit_code(self.frame().address, gas_left) {
                Ok(left) => gas_left = left,
                Err(halt) => {
                    (status, gas_left) = (Status::Halt(halt), 0);
                    self.machine.return_data.clear();
                }
            }
        }
        let frame = self.pop_frame()?;
        self.observe_end(status, frame.gas_limit - gas_left);
        if status != Status::Success {
            self.state.revert(frame.checkpoint);
            self.refund = frame.refund;
        }
        if self.machine.frames.is_empty() {
            return Some((status, gas_left));
        }
        match is_creation {
            false => self.return_to_caller(status, gas_left, &frame.output),
            true => {
                self.gas += gas_left;
                let created = status == Status::Success;
                let address = || self.state.address(frame.address).into_word().into();
                let word = if created { address() } else { U256::ZERO };
                self.push(word);
                if created {
                    self.machine.return_data.clear();
                }
            }
        }
        None
    }

    #[inline(never)]
    pub fn self_destruct(&mut self) -> Result<(), Exit> {
        self.deny_static()?;
        let address = self.pop_address();
        let own = self.frame().address;
        let balance = self.state.info(own).balance;
        // Unlike other instructions, this one charges nothing for a warm account.
        let (beneficiary, access) = self.access(&address, 0)?;
        let is_new = !balance.is_zero() && self.state.info(beneficiary).is_empty();
        self.charge(access + if is_new { gas::NEW_ACCOUNT } else { 0 })?;
        if I::ACTIVE {
            self.observe_step_end(None);
            let kind = FrameKind::SelfDestruct;
            let (depth, from, input) = (self.machine.frames.len() + 1, self.state.address(own), &[]);
            self.inspector.enter(&FrameStart { kind, depth, from, to: address, value: balance, gas: 0, input });
            self.inspector.exit(&FrameEnd { status: Status::Success, gas_used: 0, output: &[] });
        }
        if own != beneficiary && !self.state.transfer(own, beneficiary, balance) {
            return Err(Halt::BalanceOverflow.into());
        }
        // VM-15
        if self.state.is_created(own) {
            if own == beneficiary {
                self.state.burn(own);
            }
            self.state.destroy(own);
        }
        Ok(())
    }
}
