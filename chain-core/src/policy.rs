//! Spending policies: a tree of keys, times and preimages whose hash locks a coin.
//!
//! A tree is written in prefix order, so that hostile bytes cannot nest a decoder. A proof has one item for each leaf,
//! in the same order. Exactly as many branches as needed are satisfied, all else is skipped: a third party cannot
//! change a valid proof.

use serde::{Deserialize, Serialize};

use crate::coin::{KeyBytes, Signature};

/// One node of a policy in prefix order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PolicyNode {
    /// A signature by this key.
    Key(KeyBytes),
    /// The block that spends has at least this height.
    After(u32),
    /// The coin was made at least so many blocks before.
    Older(u32),
    /// 32 bytes whose SHA-256 is this.
    Sha256([u8; 32]),
    /// All of the next `n` subtrees.
    And(u8),
    /// One of the next `n` subtrees.
    Or(u8),
    /// Exactly `k` of the next `n` subtrees.
    Threshold(u8, u8),
}

/// A policy in prefix order. Not every list of nodes is one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Policy(pub Vec<PolicyNode>);

/// What is given for one leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProofItem {
    /// The leaf is not used.
    Skip,
    /// For a key.
    Signature(Signature),
    /// For a hash.
    Preimage([u8; 32]),
    /// For a height or an age.
    Reached,
}

/// One item for each leaf of a policy, in prefix order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof(pub Vec<ProofItem>);

impl Proof {
    /// How many signatures it holds.
    pub fn signatures(&self) -> u64 {
        self.0.iter().filter(|item| matches!(item, ProofItem::Signature(_))).count() as u64
    }
}
