//! Watching the machine: what tracers are called with.

use alloy_primitives::{Address, Log, U256};

use super::{
    frame::FrameKind,
    halt::{Halt, Status},
};
use crate::{state::Overlay, units::Gas};

/// Watches a transaction run. Each method does nothing unless it is written.
///
/// In order: `enter` for the transaction's own call; then for every instruction `step` and `step_end`; for one that
/// calls or creates, `enter` of the new frame comes right after its `step_end`, and `exit` before the caller's next
/// `step`. Precompiled contracts, the gateway, and calls that cannot begin have `enter` and `exit` but no steps.
pub trait Inspector {
    /// Whether anything is to be called at all; `false` compiles every hook away.
    const ACTIVE: bool = true;

    /// Whether `stopped` is asked at all; `false` compiles that away too.
    const STOPPABLE: bool = Self::ACTIVE;

    /// Asked at every jump, and before each instruction that reads state, hashes, copies or calls: `true` ends the run
    /// with [`Interrupted`].
    fn stopped(&mut self) -> bool {
        false
    }

    /// Before an instruction. What is read through `state` for the first time is read once, and changes nothing.
    fn step(&mut self, step: &Step<'_>, state: &mut Overlay<'_>) {
        let _ = (step, state);
    }

    /// After an instruction: what it cost, the gas handed to a new frame included, and why it broke its frame off.
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

    /// Something is logged. A frame that does not succeed takes it back.
    fn log(&mut self, log: &Log) {
        let _ = log;
    }
}

/// A run was ended by its [`Inspector`]. Nobody sees it who did not ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the run was interrupted")]
pub struct Interrupted;

/// Watches nothing and costs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Inspector for Silent {
    const ACTIVE: bool = false;
}

/// The machine before an instruction.
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
    /// The frame's memory, a whole number of words.
    pub memory: &'a [u8],
    /// What the latest call of the frame returned.
    pub return_data: &'a [u8],
    /// Gas to be refunded so far.
    pub refund: u64,
    /// ADDRESS: whose balance and storage the code acts on.
    pub address: Address,
    /// Whose code runs, before any delegation is followed.
    pub code_address: Address,
}

/// A frame that begins.
#[derive(Clone, Copy, Debug)]
pub struct FrameStart<'a> {
    /// What makes it.
    pub kind: FrameKind,
    /// 1 for the transaction's own frame.
    pub depth: usize,
    /// Who calls. For DELEGATECALL the account that executes it.
    pub from: Address,
    /// Whose code runs; the new account of a creation; the beneficiary of SELFDESTRUCT.
    pub to: Address,
    /// Wei that move; for DELEGATECALL the CALLVALUE that the code sees.
    pub value: U256,
    /// Gas that it may use.
    pub gas: Gas,
    /// Calldata or initcode.
    pub input: &'a [u8],
}

/// A frame that ends.
#[derive(Clone, Copy, Debug)]
pub struct FrameEnd<'a> {
    /// How.
    pub status: Status,
    /// Gas that it used: all of it after a halt.
    pub gas_used: Gas,
    /// What it returned, or why it reverted; the code of a new contract.
    pub output: &'a [u8],
}
