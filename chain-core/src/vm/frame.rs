//! Frames: calls and creations that have begun and not ended.

use alloy_primitives::U256;
use std::ops::Range;

use super::code::Code;
use crate::{
    state::{AccountId, Checkpoint},
    units::Gas,
};

/// What makes a frame.
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
    /// SELFDESTRUCT, which runs nothing.
    SelfDestruct,
}

/// A call, or the frame of a creation, that is about to begin.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// What kind.
    pub kind: FrameKind,
    /// CALLER.
    pub caller: AccountId,
    /// ADDRESS: whose balance and storage it acts on.
    pub target: AccountId,
    /// Whose code runs; not the target's in DELEGATECALL and CALLCODE. In a creation, the initcode runs.
    pub code: AccountId,
    /// CALLVALUE: moves from caller to target, but in DELEGATECALL.
    pub value: U256,
    /// Calldata, by its place in the memory of all frames.
    pub input: Range<usize>,
    /// Gas it may use.
    pub gas: Gas,
    /// Whether it must not change anything.
    pub is_static: bool,
    /// Where in the caller's memory the output goes.
    pub output: Range<usize>,
}

/// A creation that is about to begin.
#[derive(Clone, Debug)]
pub(super) struct Creation {
    /// CREATE or CREATE2.
    pub kind: FrameKind,
    /// Who makes the contract.
    pub creator: AccountId,
    /// The contract's account.
    pub account: AccountId,
    /// Wei it begins with.
    pub value: U256,
    /// Gas it may use.
    pub gas: Gas,
}

/// What the code of a frame sees, and what its end needs.
#[derive(Debug)]
pub(super) struct Frame {
    pub kind: FrameKind,
    pub code: Code,
    /// CALLER.
    pub caller: AccountId,
    /// ADDRESS.
    pub address: AccountId,
    /// Whose code it is, before any delegation is followed.
    pub code_address: AccountId,
    /// CALLVALUE.
    pub value: U256,
    /// Calldata, by its place in the memory of all frames.
    pub input: Range<usize>,
    pub is_static: bool,
    /// Gas it began with.
    pub gas_limit: Gas,
    /// Where in the caller's memory the output goes.
    pub output: Range<usize>,
    /// What to revert to.
    pub checkpoint: Checkpoint,
    /// The refund to go back to.
    pub refund: i64,
    /// Where its words begin.
    pub stack_floor: usize,
    /// Its words, while a frame above it runs.
    pub stack_height: usize,
    /// Where the memory of its caller begins.
    pub memory_below: usize,
    /// The instruction it goes on with, while a frame above it runs.
    pub pc: usize,
    /// The gas it goes on with, while a frame above it runs.
    pub gas: Gas,
}

impl Frame {
    /// Whether it makes a contract.
    pub fn is_creation(&self) -> bool {
        is_creation(self.kind)
    }
}

/// Whether a kind of frame makes a contract.
pub(super) fn is_creation(kind: FrameKind) -> bool {
    matches!(kind, FrameKind::Create | FrameKind::Create2)
}
