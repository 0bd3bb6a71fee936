//! The machine: the data that a transaction's frames share, and how frames begin and end.
//!
//! Frames call each other without recursion: they are kept in a list, and the last one runs.

use alloy_primitives::{Address, B256, U256};

use super::{
    buffers::Machine,
    code::Code,
    environment::{Environment, Revision},
    frame::{Frame, FrameKind, Message},
    gateway::{GATEWAY, GatewayCall, run_gateway},
    halt::{Halt, Status},
    inspect::{FrameEnd, FrameStart, Inspector},
    precompiles,
    stack::Cursor,
};
use crate::gas::DEPTH_LIMIT;
use crate::{
    state::{AccountId, Checkpoint, Overlay, ViewError},
    units::{Gas, Height},
};

/// The fields of the transaction that all frames see.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// Hash of the transaction, from which the outpoints of withdrawn coins are derived.
    pub transaction: B256,
    /// ORIGIN.
    pub sender: Address,
    /// GASPRICE.
    pub gas_price: U256,
}

/// The call or creation of a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub origin: Origin,
    /// The sender; its nonce is already incremented.
    pub sender: AccountId,
    /// The recipient, or the account of the contract that it creates.
    pub target: AccountId,
    pub is_creation: bool,
    pub value: U256,
    /// Calldata or initcode.
    pub input: &'a [u8],
    /// Gas left after the intrinsic part.
    pub gas: Gas,
    /// Refund from before (EIP-7702).
    pub refund: i64,
}

/// A machine that executes one transaction.
pub(super) struct Vm<'a, 'v, I> {
    pub environment: &'a Environment,
    pub origin: Origin,
    pub state: &'a mut Overlay<'v>,
    pub inspector: &'a mut I,
    pub machine: &'a mut Machine,
    /// Stack of the current frame.
    pub stack: Cursor,
    /// Gas of the current frame.
    pub gas: Gas,
    /// Refund so far; may be negative until the transaction ends.
    pub refund: i64,
    /// Gas before the instruction whose `step_end` is still to be called.
    pub stepping: Option<Gas>,
}

/// The outcome of a call that has already ended, or its new frame.
#[derive(Debug)]
pub(super) enum Begun {
    Running,
    Ended(Status, Gas),
}

/// The code that a call runs.
#[derive(Debug)]
pub(super) struct Resolved {
    /// `None` if there is none.
    pub code: Option<Code>,
    /// Whether it comes from a delegation target (EIP-7702).
    pub is_delegated: bool,
}

impl<'a, 'v, I: Inspector> Vm<'a, 'v, I> {
    /// A machine before its first frame.
    pub fn new(
        environment: &'a Environment,
        state: &'a mut Overlay<'v>,
        inspector: &'a mut I,
        machine: &'a mut Machine,
        request: &Request<'_>,
    ) -> Self {
        let Request { origin, gas, refund, .. } = *request;
        Self { environment, origin, state, inspector, machine, stack: Cursor::NONE, gas, refund, stepping: None }
    }
}

impl<I: Inspector> Vm<'_, '_, I> {
    /// The current frame.
    #[inline(always)]
    pub fn frame(&self) -> &Frame {
        self.machine.frames.last().expect("instructions run in a frame")
    }

    /// The code that a call of an account runs. A delegation (EIP-7702) is followed once, to the account that `find`
    /// returns: its price is charged before it is read.
    pub fn resolve<E: From<ViewError>>(
        &mut self,
        account: AccountId,
        find: impl FnOnce(&mut Self, &Address) -> Result<AccountId, E>,
    ) -> Result<Resolved, E> {
        let code = self.state.code(account)?.cloned();
        let follows = self.environment.revision >= Revision::Osaka;
        // VM-14
        let Some(delegate) = code.as_ref().filter(|_| follows).and_then(Code::delegate) else {
            return Ok(Resolved { code, is_delegated: false });
        };
        let delegate = find(self, &delegate)?;
        Ok(Resolved { code: self.state.code(delegate)?.cloned(), is_delegated: true })
    }

    /// Begins a call. A call that needs no frame has ended when this returns, with its output in the return data.
    pub fn begin_call(&mut self, message: Message, resolved: Resolved) -> Result<Begun, ViewError> {
        self.machine.return_data.clear();
        self.observe_call(&message);
        // VM-10
        if self.machine.frames.len() > DEPTH_LIMIT {
            return Ok(self.refuse(Halt::CallTooDeep, message.gas));
        }
        let checkpoint = self.state.checkpoint();
        // Zero value still touches its target (EIP-161).
        let sent = match message.kind {
            FrameKind::Call => self.state.transfer(message.caller, message.target, message.value),
            FrameKind::CallCode => self.state.info(message.caller).balance >= message.value,
            FrameKind::StaticCall => self.state.credit(message.target, U256::ZERO),
            _ => true,
        };
        if !sent {
            self.state.revert(checkpoint);
            let halt = match self.state.info(message.caller).balance < message.value {
                true => Halt::InsufficientBalance,
                false => Halt::BalanceOverflow,
            };
            return Ok(self.refuse(halt, message.gas));
        }
        if let Some((status, gas_left)) = self.run_built_in(&message, &resolved)? {
            if status != Status::Success {
                self.state.revert(checkpoint);
            }
            self.observe_end(status, message.gas - gas_left);
            return Ok(Begun::Ended(status, gas_left));
        }
        let Some(code) = resolved.code else {
            self.observe_end(Status::Success, 0);
            return Ok(Begun::Ended(Status::Success, message.gas));
        };
        self.push_frame(message, code, checkpoint);
        Ok(Begun::Running)
    }

    /// Runs a precompiled contract or the gateway, if the call is to one; its output goes to the return data.
    fn run_built_in(&mut self, message: &Message, resolved: &Resolved) -> Result<Option<(Status, Gas)>, ViewError> {
        let Some(address) = self.environment.built_in(self.state.address(message.code)) else { return Ok(None) };
        // A delegation to a precompiled contract runs nothing (EIP-7702).
        if !resolved.is_delegated {
            let input = self.machine.memory.absolute(&message.input);
            if let Some(result) = precompiles::run(self.environment.revision, &address, input, message.gas) {
                return Ok(Some(match result {
                    Ok((used, output)) => {
                        self.machine.return_data.extend_from_slice(&output);
                        (Status::Success, message.gas.saturating_sub(used))
                    }
                    Err(_) => (Status::Halt(Halt::Precompile), 0),
                }));
            }
        }
        if self.environment.gateway && address == GATEWAY {
            return Ok(Some(self.run_gateway(message)));
        }
        Ok(None)
    }

    fn run_gateway(&mut self, message: &Message) -> (Status, Gas) {
        let height = Height::try_from(self.environment.number).unwrap_or(Height::MAX);
        let call = GatewayCall {
            transaction: self.origin.transaction,
            height,
            caller: message.caller,
            // GW-5
            is_plain: message.kind == FrameKind::Call && !message.is_static,
            value: message.value,
            input: self.machine.memory.absolute(&message.input),
            gas: message.gas,
        };
        let (status, gas_left, output) = run_gateway(self.state, message.target, &call);
        self.machine.return_data.extend_from_slice(&output);
        (status, gas_left)
    }

    /// Creates a frame and makes it the current one.
    pub fn push_frame(&mut self, message: Message, code: Code, checkpoint: Checkpoint) {
        let mut frame = Frame {
            kind: message.kind,
            code,
            caller: message.caller,
            address: message.target,
            code_address: message.code,
            value: message.value,
            input: message.input,
            is_static: message.is_static,
            gas_limit: message.gas,
            output: message.output,
            checkpoint,
            refund: self.refund,
            stack_floor: 0,
            stack_height: 0,
            memory_below: 0,
            pc: 0,
            gas: message.gas,
        };
        if let Some(waiting) = self.machine.frames.last_mut() {
            waiting.gas = self.gas;
            waiting.stack_height = self.stack.height();
            frame.stack_floor = waiting.stack_floor + waiting.stack_height;
        }
        frame.memory_below = self.machine.memory.enter();
        self.stack = self.machine.stacks.cursor(frame.stack_floor, 0);
        self.gas = frame.gas;
        self.machine.frames.push(frame);
    }

    /// Removes the current frame and resumes the one below it; `None` if there is none.
    pub fn pop_frame(&mut self) -> Option<Frame> {
        let frame = self.machine.frames.pop()?;
        self.machine.memory.leave(frame.memory_below);
        if let Some(waiting) = self.machine.frames.last() {
            self.stack = self.machine.stacks.cursor(waiting.stack_floor, waiting.stack_height);
            self.gas = waiting.gas;
        }
        Some(frame)
    }

    /// A call or creation that cannot begin: its gas is returned.
    pub fn refuse(&mut self, halt: Halt, gas: Gas) -> Begun {
        self.observe_end(Status::Halt(halt), 0);
        Begun::Ended(Status::Halt(halt), gas)
    }

    fn observe_call(&mut self, message: &Message) {
        if I::ACTIVE {
            self.observe_step_end(None);
            // In DELEGATECALL the caller is the caller's caller.
            let from = if message.kind == FrameKind::DelegateCall { message.target } else { message.caller };
            self.inspector.enter(&FrameStart {
                kind: message.kind,
                depth: self.machine.frames.len() + 1,
                from: self.state.address(from),
                to: self.state.address(message.code),
                value: message.value,
                gas: message.gas,
                input: self.machine.memory.absolute(&message.input),
            });
        }
    }

    /// Reports the end of a frame whose output is in the return data.
    pub fn observe_end(&mut self, status: Status, gas_used: Gas) {
        if I::ACTIVE {
            self.inspector.exit(&FrameEnd { status, gas_used, output: &self.machine.return_data });
        }
    }

    /// The running instruction lacks this gas, which counts as its cost.
    pub fn lack(&mut self, gas: Gas) -> Halt {
        if I::ACTIVE {
            self.stepping = self.stepping.map(|before| before.saturating_add(gas));
        }
        Halt::OutOfGas
    }

    /// Reports the end of the latest instruction, unless already reported.
    pub fn observe_step_end(&mut self, halt: Option<Halt>) {
        if I::ACTIVE
            && let Some(before) = self.stepping.take()
        {
            self.inspector.step_end(before - self.gas, halt);
        }
    }
}
