//! The EVM: runs the code of contracts exactly as Ethereum does (SPEC.md, section 7).
//!
//! `execute` takes a transaction's call or creation and answers with how it ended; what it wrote is in the overlay. Inside,
//! `machine` begins and ends frames, `run` is the loop over instructions, and `ops` holds those that reach beyond the
//! stack. The module knows neither blocks nor fees.

mod code;
mod frame;
mod gas;
mod halt;
mod inspect;
mod machine;
mod memo;
mod memory;
pub mod opcode;
mod operand;
mod ops;
pub mod precompiles;
mod run;
mod stack;
#[cfg(test)]
pub(crate) mod tests;
mod word;

pub(crate) use code::{Code, delegation};
pub use halt::{Halt, Status};
pub use inspect::{FrameEnd, FrameKind, FrameStart, Inspector, Interrupted, Silent, Step};
pub(crate) use machine::{Machine, Origin};

use alloy_primitives::{Bytes, U256};

use crate::{
    execute::Environment,
    state::{AccountId, Overlay, ViewError},
    units::Gas,
};
use frame::{Creation, Message};
use machine::{Begun, Vm};

/// What a transaction asks the machine to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub origin: Origin,
    /// Who pays; its nonce is counted.
    pub sender: AccountId,
    /// Whom it calls, or the account of the contract that it makes.
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

/// How a request ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub status: Status,
    pub gas_left: Gas,
    /// Refund before its cap.
    pub refund: Gas,
    pub output: Bytes,
}

/// Runs a transaction's call or creation. Unless it succeeds, nothing of it stays.
pub(crate) fn execute<I: Inspector>(
    environment: &Environment,
    state: &mut Overlay<'_>,
    inspector: &mut I,
    request: &Request<'_>,
) -> Result<Ended, ViewError> {
    let mut machine = state.take_machine();
    machine.start(if request.is_creation { &[] } else { request.input });
    let mut vm = Vm::new(environment, state, inspector, &mut machine, request);
    let ended = vm.begin(request).and_then(|begun| match begun {
        Begun::Running => vm.run(),
        Begun::Ended(status, gas_left) => Ok((status, gas_left)),
    });
    let refund = u64::try_from(vm.refund).unwrap_or(0);
    let output = Bytes::copy_from_slice(machine.output());
    state.keep_machine(machine);
    let (status, gas_left) = ended?;
    Ok(Ended { status, gas_left, refund, output })
}

impl<I: Inspector> Vm<'_, '_, I> {
    fn begin(&mut self, request: &Request<'_>) -> Result<Begun, ViewError> {
        let Request { sender, target, value, gas, .. } = *request;
        if request.is_creation {
            let creation = Creation { kind: FrameKind::Create, creator: sender, account: target, value, gas };
            return self.begin_creation(&creation, Code::new(request.input));
        }
        let resolved = self.resolve(target, |vm, delegate| {
            let delegate = vm.state.account(delegate)?;
            // VM-2
            vm.state.warm_account(delegate);
            Ok::<_, ViewError>(delegate)
        })?;
        let message = Message {
            kind: FrameKind::Call,
            caller: sender,
            target,
            code: target,
            value,
            input: 0..request.input.len(),
            gas,
            is_static: false,
            output: 0..0,
        };
        self.begin_call(message, resolved)
    }
}
