//! The EVM: runs the code of contracts exactly as Ethereum does (SPEC.md, section 7).
//!
//! `execute` takes a transaction's call or creation and returns its outcome; its writes are in the overlay. Inside,
//! `machine` begins and ends frames, `interpreter` is the interpreter loop, and `ops` holds the instructions that use more than
//! the stack. The module knows neither blocks nor fees.

mod buffers;
mod code;
mod environment;
mod frame;
mod gateway;
mod halt;
mod inspect;
mod interpreter;
mod keccak;
mod machine;
mod memory;
pub mod opcode;
mod ops;
mod position;
pub mod precompiles;
mod stack;
#[cfg(test)]
pub(crate) mod tests;
mod word;

pub(crate) use buffers::Machine;
pub(crate) use code::{Code, delegation};
pub use environment::{Environment, Revision, Trial};
pub use frame::FrameKind;
pub use gateway::{GATEWAY, WITHDRAW_SELECTOR, WITHDRAWAL_TOPIC, withdraw_calldata, withdrawal_outpoint, withdrawals};
pub use halt::{Halt, Status};
pub use inspect::{FrameEnd, FrameStart, Inspector, Interrupted, Silent, Step};
pub(crate) use machine::{Origin, Request};

use alloy_primitives::Bytes;

use crate::{error::ViewError, state::Overlay, units::Gas};
use frame::{Creation, Message};
use machine::{Begun, Vm};

/// The outcome of a request.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub status: Status,
    pub gas_left: Gas,
    /// Refund before its cap.
    pub refund: Gas,
    pub output: Bytes,
}

/// Runs a transaction's call or creation. Unless it succeeds, its changes are reverted.
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
