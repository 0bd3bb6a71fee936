//! Frames: calls and creations that have begun and not ended.

use alloy_primitives::U256;
use std::ops::Range;

use super::code::Code;
use crate::{
    state::{AccountId, Checkpoint},
    units::Gas,
};

/// The instruction that creates a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// CALL, or a transaction with a recipient.
    Call,
    /// CALLCODE.
    CallCode,
    /// DELEGATECALL.
    DelegateCall,
    /// STATICCALL.
    StaticCall,
    /// CREATE, or a transaction without a recipient.
    Create,
    /// CREATE2.
    Create2,
    /// SELFDESTRUCT, which runs no code.
    SelfDestruct,
}

/// A call, or the frame of a creation, that is about to begin.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// The kind of frame.
    pub kind: FrameKind,
    /// CALLER.
    pub caller: AccountId,
    /// ADDRESS: whose balance and storage it acts on.
    pub target: AccountId,
    /// The account whose code runs; not the target in DELEGATECALL and CALLCODE. In a creation, the initcode runs.
    pub code: AccountId,
    /// CALLVALUE: transferred from caller to target, except in DELEGATECALL.
    pub value: U256,
    /// Calldata, as a range in the memory of all frames.
    pub input: Range<usize>,
    /// Gas it may use.
    pub gas: Gas,
    /// Whether it must not change anything.
    pub is_static: bool,
    /// Range of the caller's memory for the output.
    pub output: Range<usize>,
}

/// A creation that is about to begin.
#[derive(Clone, Debug)]
pub(super) struct Creation {
    /// CREATE or CREATE2.
    pub kind: FrameKind,
    /// The creator.
    pub creator: AccountId,
    /// The contract's account.
    pub account: AccountId,
    /// Endowment in wei.
    pub value: U256,
    /// Gas it may use.
    pub gas: Gas,
}

/// What the code of a frame sees, and the data for ending it.
#[derive(Debug)]
pub(super) struct Frame {
    pub kind: FrameKind,
    pub code: Code,
    /// CALLER.
    pub caller: AccountId,
    /// ADDRESS.
    pub address: AccountId,
    /// The account that was called, before a delegation is followed.
    pub code_address: AccountId,
    /// CALLVALUE.
    pub value: U256,
    /// Calldata, as a range in the memory of all frames.
    pub input: Range<usize>,
    pub is_static: bool,
    /// Gas at the start.
    pub gas_limit: Gas,
    /// Range of the caller's memory for the output.
    pub output: Range<usize>,
    /// Checkpoint for a revert.
    pub checkpoint: Checkpoint,
    /// Refund for a revert.
    pub refund: i64,
    /// Start of its stack.
    pub stack_floor: usize,
    /// Height of its stack, while a frame above it runs.
    pub stack_height: usize,
    /// Start of its caller's memory.
    pub memory_below: usize,
    /// The instruction at which it resumes, while a frame above it runs.
    pub pc: usize,
    /// The gas with which it resumes, while a frame above it runs.
    pub gas: Gas,
}

impl Frame {
    /// Whether it creates a contract.
    pub fn is_creation(&self) -> bool {
        is_creation(self.kind)
    }
}

/// Whether a kind of frame creates a contract.
pub(super) fn is_creation(kind: FrameKind) -> bool {
    matches!(kind, FrameKind::Create | FrameKind::Create2)
}
