//! CREATE and CREATE2.

use alloy_primitives::{B256, KECCAK256_EMPTY, U256, keccak256};

use super::Exit;
use crate::{
    gas::{self, DEPTH_LIMIT, MAX_CODE, MAX_INITCODE},
    state::{AccountId, ViewError},
    trie::EMPTY_ROOT,
    units::Gas,
    vm::{
        code::Code,
        frame::{Creation, FrameKind, Message},
        halt::{Halt, Status},
        inspect::{FrameStart, Inspector},
        machine::{Begun, Vm},
    },
};

impl<I: Inspector> Vm<'_, '_, I> {
    /// CREATE or CREATE2. Afterwards either a new frame is the current one, or the creation has failed and 0 is on the
    /// stack.
    #[inline(never)]
    pub fn create(&mut self, kind: FrameKind) -> Result<(), Exit> {
        self.deny_static()?;
        let (value, offset, len) = (self.pop(), self.pop(), self.pop());
        let salt = if kind == FrameKind::Create2 { Some(B256::from(self.pop())) } else { None };
        // VM-11
        if len > U256::from(MAX_INITCODE) {
            return Err(Halt::InitcodeTooLong.into());
        }
        let range = self.memory_range(offset, len)?;
        let each = if salt.is_some() { gas::INITCODE_WORD + gas::KECCAK_WORD } else { gas::INITCODE_WORD };
        self.charge(gas::words(range.len(), each))?;
        // Unlike a call's, a creation's cost does not contain what it passes on, as in geth.
        self.observe_step_end(None);
        // VM-10
        let passed = self.gas - self.gas / 64;
        self.gas -= passed;
        let creator = self.frame().address;
        let initcode = self.machine.memory.slice(&range);
        let nonce = self.state.info(creator).nonce;
        let address = match salt {
            None => self.state.address(creator).create(nonce),
            Some(salt) => self.state.address(creator).create2(salt, keccak256(initcode)),
        };
        let initcode = Code::new(initcode);
        let account = self.state.account(&address)?;
        let creation = Creation { kind, creator, account, value, gas: passed };
        if let Begun::Ended(_, gas_left) = self.begin_inner_creation(&creation, initcode, nonce)? {
            self.gas += gas_left;
            self.push(U256::ZERO);
        }
        Ok(())
    }

    /// Begins a creation by a contract, whose nonce is not yet incremented, unlike that of a transaction's sender.
    fn begin_inner_creation(&mut self, creation: &Creation, initcode: Code, nonce: u64) -> Result<Begun, ViewError> {
        let refusal = if self.machine.frames.len() > DEPTH_LIMIT {
            Some(Halt::CallTooDeep)
        } else if self.state.info(creation.creator).balance < creation.value {
            Some(Halt::InsufficientBalance)
        } else if nonce == u64::MAX {
            // VM-12
            Some(Halt::NonceOverflow)
        } else {
            None
        };
        if let Some(halt) = refusal {
            self.machine.return_data.clear();
            self.observe_creation(creation, &initcode);
            return Ok(self.refuse(halt, creation.gas));
        }
        self.state.set_nonce(creation.creator, nonce + 1);
        self.state.warm_account(creation.account);
        self.begin_creation(creation, initcode)
    }

    /// Begins a creation whose creator has enough balance and an incremented nonce.
    pub fn begin_creation(&mut self, creation: &Creation, initcode: Code) -> Result<Begun, ViewError> {
        self.machine.return_data.clear();
        self.observe_creation(creation, &initcode);
        let info = self.state.info(creation.account);
        // VM-12
        if info.nonce != 0 || info.code_hash != KECCAK256_EMPTY || info.storage_root != EMPTY_ROOT {
            self.observe_end(Status::Halt(Halt::CreateCollision), creation.gas);
            return Ok(Begun::Ended(Status::Halt(Halt::CreateCollision), 0));
        }
        let checkpoint = self.state.checkpoint();
        self.state.mark_created(creation.account);
        self.state.set_nonce(creation.account, 1);
        if !self.state.transfer(creation.creator, creation.account, creation.value) {
            self.state.revert(checkpoint);
            return Ok(self.refuse(Halt::BalanceOverflow, creation.gas));
        }
        let message = Message {
            kind: creation.kind,
            caller: creation.creator,
            target: creation.account,
            code: creation.account,
            value: creation.value,
            input: 0..0,
            gas: creation.gas,
            is_static: false,
            output: 0..0,
        };
        self.push_frame(message, initcode, checkpoint);
        Ok(Begun::Running)
    }

    fn observe_creation(&mut self, creation: &Creation, initcode: &Code) {
        if I::ACTIVE {
            self.observe_step_end(None);
            self.inspector.enter(&FrameStart {
                kind: creation.kind,
                depth: self.machine.frames.len() + 1,
                from: self.state.address(creation.creator),
                to: self.state.address(creation.account),
                value: creation.value,
                gas: creation.gas,
                input: initcode.bytes(),
            });
        }
    }

    /// Sets the new contract's code to the return data of the initcode; returns the gas left.
    pub(super) fn deposit_code(&mut self, account: AccountId, gas_left: Gas) -> Result<Gas, Halt> {
        let code = &self.machine.return_data;
        // VM-13
        if code.first() == Some(&0xef) {
            return Err(Halt::CodeBeginsWithEf);
        }
        if code.len() > MAX_CODE {
            return Err(Halt::CodeTooLong);
        }
        let gas_left = gas_left.checked_sub(gas::CODE_BYTE * code.len() as Gas).ok_or(Halt::OutOfGas)?;
        if !code.is_empty() {
            self.state.set_code(account, code);
        }
        Ok(gas_left)
    }
}
