//! Spending policies: a tree of keys, times and preimages whose hash locks a coin.
//!
//! A tree is written in prefix order, so that hostile bytes cannot nest a decoder. A proof has one item for each leaf,
//! in the same order. Exactly as many branches as needed are satisfied, all else is skipped: a third party cannot
//! change a valid proof.

use serde::{Deserialize, Serialize};

use std::{fmt, str::FromStr};

use crate::{
    coin::{KeyBytes, Lock, Signature},
    error::RuleError,
    units::Height,
};

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

/// Longest way from the root to a leaf, both counted.
pub const MAX_DEPTH: usize = 16;

impl Policy {
    /// A signature by this key.
    pub fn key(key: KeyBytes) -> Self {
        Self(vec![PolicyNode::Key(key)])
    }

    /// The block that spends has at least this height.
    pub fn after(height: u32) -> Self {
        Self(vec![PolicyNode::After(height)])
    }

    /// The coin was made at least so many blocks before.
    pub fn older(blocks: u32) -> Self {
        Self(vec![PolicyNode::Older(blocks)])
    }

    /// 32 bytes with this SHA-256.
    pub fn sha256(hash: [u8; 32]) -> Self {
        Self(vec![PolicyNode::Sha256(hash)])
    }

    /// All of these, at most 255.
    pub fn and(_policies: impl IntoIterator<Item = Self>) -> Self {
        todo!()
    }

    /// Exactly one of these, at most 255.
    pub fn or(_policies: impl IntoIterator<Item = Self>) -> Self {
        todo!()
    }

    /// Exactly `k` of these, at most 255.
    pub fn threshold(_k: u8, _policies: impl IntoIterator<Item = Self>) -> Self {
        todo!()
    }

    /// A hashed timelock contract: `receiver` spends with the preimage of `hash`, `sender` once `timeout` (an
    /// [`Policy::after`] or [`Policy::older`]) holds.
    pub fn htlc(hash: [u8; 32], receiver: KeyBytes, sender: KeyBytes, timeout: Self) -> Self {
        Self::or([Self::and([Self::key(receiver), Self::sha256(hash)]), Self::and([Self::key(sender), timeout])])
    }

    /// Checks that the nodes are exactly one tree within its limits.
    ///
    /// # Errors
    /// POL-1.
    pub fn check(&self) -> Result<(), RuleError> {
        todo!()
    }

    /// What a [`crate::coin::Lock::Policy`] holds: the tagged hash `Cairn/policy` of the encoding.
    pub fn hash(&self) -> [u8; 32] {
        todo!()
    }

    /// The lock that this policy opens.
    pub fn lock(&self) -> Lock {
        Lock::Policy(self.hash())
    }

    /// Evaluates a proof and lists the signatures that remain to be verified.
    ///
    /// `height` is that of the spending block, `age` how many blocks lie between it and the one that made the coin.
    ///
    /// # Errors
    /// POL-1, POL-3, POL-4 or POL-5. The hash (POL-2) is the caller's to compare.
    pub fn evaluate(
        &self,
        _proof: &Proof,
        _height: Height,
        _age: u32,
    ) -> Result<Vec<(KeyBytes, Signature)>, RuleError> {
        todo!()
    }

    /// Builds the cheapest proof from what is at hand; `None` if that does not suffice, or if the policy is malformed.
    ///
    /// Needs the signatures only when there are such; to learn the size of a proof beforehand, answer zeros.
    pub fn prove(&self, _at_hand: &dyn AtHand) -> Option<Proof> {
        todo!()
    }
}

/// What a spender has at hand to satisfy a policy.
pub trait AtHand {
    /// A signature by this key over the input in question.
    fn signature(&self, key: &KeyBytes) -> Option<Signature>;
    /// The preimage of this SHA-256.
    fn preimage(&self, hash: &[u8; 32]) -> Option<[u8; 32]>;
    /// The height of the block that will spend, at least.
    fn height(&self) -> Height;
    /// How many blocks will lie between it and the one that made the coin, at least.
    fn age(&self) -> u32;
}

/// Why a text is not a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: expected {expected}")]
pub struct ParsePolicyError {
    /// Position in the text, from 0.
    pub at: usize,
    /// What should stand there.
    pub expected: &'static str,
}

/// Shown as in `or(key(ab..),and(key(cd..),older(10)))`.
impl fmt::Display for Policy {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

/// Reads what [`fmt::Display`] writes, and `htlc(hash,receiver key,sender key,timeout)`.
impl FromStr for Policy {
    type Err = ParsePolicyError;

    fn from_str(_text: &str) -> Result<Self, ParsePolicyError> {
        todo!()
    }
}
