//! A header within the tree, and what is known of its block.

use alloy_primitives::U256;

use super::rules::HeaderContext;
use crate::{
    block::header::Header,
    hash::BlockHash,
    units::{Gas, Height},
};

/// What is known of a block after its execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Base fee, in wei per gas.
    pub base_fee: u64,
    /// Gas used.
    pub gas_used: Gas,
}

/// The status of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Only its header.
    HeaderOnly,
    /// Its body is stored, not yet executed.
    BodyStored,
    /// It was executed and keeps every rule.
    Valid,
    /// It, or an ancestor, breaks a rule.
    Invalid,
}

/// Position of a node in the tree's list. Parents come before their children.
pub(super) type Id = u32;

/// No node.
pub(super) const NONE: Id = Id::MAX;

/// `sequence` of a block that lacks its body, or an ancestor's.
const INCOMPLETE: u32 = u32::MAX;

/// A header and what is known of its block. The parent's hash is the parent node's.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) hash: BlockHash,
    pub(super) merkle_root: [u8; 32],
    pub(super) work: U256,
    pub(super) executed: Option<Executed>,
    pub(super) version: i32,
    pub(super) time: u32,
    pub(super) bits: u32,
    pub(super) nonce: u32,
    pub(super) height: Height,
    pub(super) anchor_time: u32,
    pub(super) parent: Id,
    /// The ancestor at [`skip_height`].
    pub(super) skip: Id,
    pub(super) first_child: Id,
    pub(super) next_sibling: Id,
    /// Position in the order in which branches became complete.
    pub(super) sequence: u32,
    pub(super) body: bool,
    pub(super) invalid: bool,
}

impl Node {
    pub(super) fn new(header: &Header, context: &HeaderContext, parent: Id, skip: Id) -> Self {
        Self {
            hash: context.hash,
            merkle_root: header.merkle_root,
            work: context.work,
            executed: None,
            version: header.version,
            time: header.time,
            bits: header.bits,
            nonce: header.nonce,
            height: context.height,
            anchor_time: context.anchor_time,
            parent,
            skip,
            first_child: NONE,
            next_sibling: NONE,
            sequence: INCOMPLETE,
            body: false,
            invalid: false,
        }
    }

    /// Whether its body and those of all its ancestors are stored.
    pub(super) fn is_complete(&self) -> bool {
        self.sequence != INCOMPLETE
    }

    pub(super) fn status(&self) -> Status {
        match self {
            Self { invalid: true, .. } => Status::Invalid,
            Self { executed: Some(_), .. } => Status::Valid,
            Self { body: true, .. } => Status::BodyStored,
            _ => Status::HeaderOnly,
        }
    }

    pub(super) fn context(&self) -> HeaderContext {
        HeaderContext {
            hash: self.hash,
            height: self.height,
            time: self.time,
            anchor_time: self.anchor_time,
            work: self.work,
        }
    }
}

/// Height to which a block's skip pointer leads. Any number below its height would be correct; this one clears low bits
/// of the height, so that a walk takes a number of steps logarithmic in its length.
pub(super) fn skip_height(height: Height) -> Height {
    let clear_lowest = |number: Height| number & number.wrapping_sub(1);
    match height {
        0 | 1 => 0,
        odd if odd & 1 == 1 => clear_lowest(clear_lowest(odd - 1)) + 1,
        even => clear_lowest(even),
    }
}
