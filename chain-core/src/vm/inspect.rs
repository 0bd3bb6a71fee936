//! Hooks into the machine, for tracers.

use alloy_primitives::{Address, Log, U256};

use super::{
    frame::FrameKind,
    halt::{Halt, Status},
};
use crate::{state::Overlay, units::Gas};

/// Observes the execution of a transaction. The default of each method does nothing.
///
/// In order: `enter` for the transaction's own call; then `step` and `step_end` for every instruction. After the
/// `step_end` of a call or creation comes `enter` of the new frame, and its `exit` before the caller's next `step`.
/// Precompiled contracts, the gateway, and calls that cannot begin have `enter` and `exit` but no steps.
pub trait Inspector {
    /// Whether the hooks are called; `false` compiles every hook away.
    const ACTIVE: bool = true;

    /// Whether `stopped` is called; `false` compiles the call away.
    const STOPPABLE: bool = Self::ACTIVE;

    /// Called at every jump, and before each instruction that reads state, hashes, copies or calls: `true` ends the run
    /// with [`Interrupted`].
    fn stopped(&mut self) -> bool {
        false
    }

    /// Before an instruction. Reads through `state` change nothing; a first read is cached.
    fn step(&mut self, step: &Step<'_>, state: &mut Overlay<'_>) {
        let _ = (step, state);
    }

    /// After an instruction: its cost, including the gas that a call (not a creation) passes on, or what it lacked gas
    /// for; and why it halted its frame.
    fn step_end(&mut self, cost: Gas, halt: Option<Halt>) {
        let _ = (cost, halt);
    }

    /// A call or creation begins, or SELFDESTRUCT sends its balance.
    fn enter(&mut self, frame: &FrameStart<'_>) {
        let _ = frame;
    }

    /// The frame of the latest `enter` that has not exited ends.
    fn exit(&mut self, frame: &FrameEnd<'_>) {
        let _ = frame;
    }

    /// A log is added. A frame that does not succeed removes it.
    fn log(&mut self, log: &Log) {
        let _ = log;
    }
}

/// A run was stopped by its [`Inspector`]. Only with `STOPPABLE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the run was interrupted")]
pub struct Interrupted;

/// Observes nothing and costs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Inspector for Silent {
    const ACTIVE: bool = false;
}

/// The state of the machine before an instruction.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Position of the instruction in the code.
    pub pc: usize,
    /// The instruction: STOP beyond the end of the code.
    pub opcode: u8,
    /// Gas left in the frame.
    pub gas: Gas,
    /// 1 for the transaction's own frame.
    pub depth: usize,
    /// The frame's stack, its top last.
    pub stack: &'a [U256],
    /// The frame's memory, in whole words.
    pub memory: &'a [u8],
    /// Return data of the frame's latest call.
    pub return_data: &'a [u8],
    /// Refund so far.
    pub refund: u64,
    /// ADDRESS: the account whose balance and storage the code uses.
    pub address: Address,
    /// The account that was called, before a delegation is followed.
    pub code_address: Address,
}

/// A frame that begins.
#[derive(Clone, Copy, Debug)]
pub struct FrameStart<'a> {
    /// The instruction that creates it.
    pub kind: FrameKind,
    /// 1 for the transaction's own frame.
    pub depth: usize,
    /// The caller. For DELEGATECALL the account that executes it.
    pub from: Address,
    /// The account whose code runs; the new account of a creation; the beneficiary of SELFDESTRUCT.
    pub to: Address,
    /// Wei transferred; for DELEGATECALL the CALLVALUE that the code sees.
    pub value: U256,
    /// Gas limit of the frame.
    pub gas: Gas,
    /// Calldata or initcode.
    pub input: &'a [u8],
}

/// A frame that ends.
#[derive(Clone, Copy, Debug)]
pub struct FrameEnd<'a> {
    /// The outcome.
    pub status: Status,
    /// Gas used: all of it after a halt.
    pub gas_used: Gas,
    /// The output: return data, revert reason, or the code of a new contract.
    pub output: &'a [u8],
}
