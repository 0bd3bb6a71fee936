//! Spending policies: a tree of keys, times and preimages whose hash locks a coin.
//!
//! A tree is encoded in prefix order, so that hostile bytes cannot nest a decoder. A proof has one item for each leaf,
//! in the same order. Exactly as many branches as needed are satisfied, all others are skipped. So a third party cannot
//! change a valid proof, as long as each branch of an *or* or *threshold* needs a key that is in no other branch.
//! Anyone can use a satisfiable branch without a key in place of another: the signed outputs stay, but size and fee
//! rate change.

mod prove;
mod text;

use serde::{Deserialize, Serialize};
use sha2::Digest;

pub use prove::AtHand;
pub use text::ParsePolicyError;

use crate::{
    codec::{self, List},
    error::RuleError,
    hash::{sha256, tagged_hasher},
    transaction::key::{KeyBytes, Signature},
    units::Height,
};

/// Maximum number of nodes from the root to a leaf, both included.
pub const MAX_DEPTH: usize = 16;

/// One node of a policy in prefix order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PolicyNode {
    /// A signature by this key.
    Key(KeyBytes),
    /// The block that spends has at least this height.
    After(u32),
    /// The coin was created at least this many blocks before.
    Older(u32),
    /// 32 bytes whose SHA-256 is this.
    Sha256(#[serde(with = "codec::fixed")] [u8; 32]),
    /// All of the next `n` subtrees.
    And(u8),
    /// One of the next `n` subtrees.
    Or(u8),
    /// Exactly `k` of the next `n` subtrees.
    Threshold(u8, u8),
}

/// A policy in prefix order. Not every list of nodes is valid.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Policy(pub List<PolicyNode>);

/// The proof of one leaf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProofItem {
    /// The leaf is not used.
    Skip,
    /// For a key.
    Signature(Box<Signature>),
    /// For a hash.
    Preimage(Box<[u8; 32]>),
    /// For a height or an age.
    Reached,
}

/// One item for each leaf of a policy, in prefix order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof(pub List<ProofItem>);

impl Proof {
    /// Number of signatures.
    pub fn signatures(&self) -> u64 {
        self.0.iter().filter(|item| matches!(item, ProofItem::Signature(_))).count() as u64
    }
}

impl PolicyNode {
    /// Number of subtrees that an inner node needs, and has; `None` for a leaf.
    fn branches(&self) -> Option<(u8, u8)> {
        match *self {
            Self::And(n) => Some((n, n)),
            Self::Or(n) => Some((1, n)),
            Self::Threshold(k, n) => Some((k, n)),
            Self::Key(_) | Self::After(_) | Self::Older(_) | Self::Sha256(_) => None,
        }
    }
}

impl Policy {
    fn leaf(node: PolicyNode) -> Self {
        Self(List::from_iter([node]))
    }

    /// A signature by this key.
    pub fn key(key: KeyBytes) -> Self {
        Self::leaf(PolicyNode::Key(key))
    }

    /// The block that spends has at least this height.
    pub fn after(height: u32) -> Self {
        Self::leaf(PolicyNode::After(height))
    }

    /// The coin was created at least this many blocks before.
    pub fn older(blocks: u32) -> Self {
        Self::leaf(PolicyNode::Older(blocks))
    }

    /// 32 bytes with this SHA-256.
    pub fn sha256(hash: [u8; 32]) -> Self {
        Self::leaf(PolicyNode::Sha256(hash))
    }

    /// All of these.
    ///
    /// # Panics
    /// If there are more than 255; so for [`Policy::or`] and [`Policy::threshold`].
    pub fn and(policies: impl IntoIterator<Item = Self>) -> Self {
        Self::join(PolicyNode::And, policies)
    }

    /// Exactly one of these.
    ///
    /// # Panics
    /// See [`Policy::and`].
    pub fn or(policies: impl IntoIterator<Item = Self>) -> Self {
        Self::join(PolicyNode::Or, policies)
    }

    /// Exactly `k` of these.
    ///
    /// # Panics
    /// See [`Policy::and`].
    pub fn threshold(k: u8, policies: impl IntoIterator<Item = Self>) -> Self {
        Self::join(|n| PolicyNode::Threshold(k, n), policies)
    }

    /// A hashed timelock contract: `receiver` spends with the preimage of `hash`, `sender` once `timeout` (a
    /// [`Policy::after`] or [`Policy::older`]) holds.
    pub fn htlc(hash: [u8; 32], receiver: KeyBytes, sender: KeyBytes, timeout: Self) -> Self {
        Self::or([Self::and([Self::key(receiver), Self::sha256(hash)]), Self::and([Self::key(sender), timeout])])
    }

    fn join(inner: impl Fn(u8) -> PolicyNode, policies: impl IntoIterator<Item = Self>) -> Self {
        let policies: Vec<Self> = policies.into_iter().collect();
        let count = u8::try_from(policies.len()).expect("the caller joins at most 255 policies");
        let nodes = policies.iter().flat_map(|policy| policy.0.iter());
        Self(std::iter::once(inner(count)).chain(nodes).collect())
    }

    /// Checks that the nodes are exactly one tree within its limits.
    ///
    /// # Errors
    /// POL-1.
    pub fn check(&self) -> Result<(), RuleError> {
        self.walk(|_| Ok(false)).map(|_| ())
    }

    /// The policy hash in a lock: the tagged hash `Cairn/policy` of the encoding.
    pub fn hash(&self) -> [u8; 32] {
        tagged_hasher("Cairn/policy").chain_update(codec::encode(self)).finalize().into()
    }

    /// Number of leaves.
    pub fn leaves(&self) -> usize {
        self.0.iter().filter(|node| node.branches().is_none()).count()
    }

    /// Evaluates a proof and lists the signatures to verify.
    ///
    /// `height` is that of the spending block, `age` the number of blocks since the coin was created.
    ///
    /// # Errors
    /// POL-1, POL-3, POL-4 or POL-5. The caller compares the hash (POL-2).
    pub fn evaluate(&self, proof: &Proof, height: Height, age: u32) -> Result<Vec<(KeyBytes, Signature)>, RuleError> {
        self.check()?;
        let leaves = self.leaves();
        if proof.0.len() != leaves {
            // POL-3
            return Err(RuleError::ProofLength { got: proof.0.len(), expected: leaves });
        }
        let mut items = proof.0.iter().enumerate();
        let mut signatures = Vec::new();
        let satisfied = self.walk(|leaf| {
            let (index, item) = items.next().expect("there is an item for each leaf");
            if let (PolicyNode::Key(key), ProofItem::Signature(signature)) = (leaf, &item) {
                signatures.push((*key, **signature));
            }
            check_leaf(leaf, &item, height, age).unwrap_or(Err(RuleError::ProofKind { leaf: index }))
        })?;
        // POL-4
        if satisfied { Ok(signatures) } else { Err(RuleError::ProofEmpty) }
    }

    /// Visits the leaves in order and returns whether the root is satisfied, given `leaf`, which decides for each leaf.
    /// Iterative: at most [`MAX_DEPTH`] nodes are open at once.
    fn walk(&self, mut leaf: impl FnMut(&PolicyNode) -> Result<bool, RuleError>) -> Result<bool, RuleError> {
        let mut open: Vec<OpenNode> = Vec::new();
        for (index, node) in self.0.iter().enumerate() {
            if let Some((k, n)) = node.branches() {
                // POL-1
                if k == 0 || k > n {
                    return Err(RuleError::PolicyCounts { k, n });
                }
                if open.len() + 1 == MAX_DEPTH {
                    return Err(RuleError::PolicyDepth { limit: MAX_DEPTH });
                }
                open.push(OpenNode { index, needed: k, left: n, satisfied: 0 });
                continue;
            }
            let satisfied = leaf(&node)?;
            if let Some(root) = close(&mut open, satisfied)? {
                // POL-1
                let nodes = self.0.len() - index - 1;
                return if nodes == 0 { Ok(root) } else { Err(RuleError::PolicyTrailing { nodes }) };
            }
        }
        // POL-1
        Err(RuleError::PolicyCut { nodes: self.0.len() })
    }
}

/// An inner node whose subtrees are being visited.
struct OpenNode {
    index: usize,
    needed: u8,
    left: u8,
    satisfied: u8,
}

/// Closes a subtree, and every open node whose last subtree it was. Returns the root's result if the root is closed.
fn close(open: &mut Vec<OpenNode>, mut satisfied: bool) -> Result<Option<bool>, RuleError> {
    while let Some(mut node) = open.pop() {
        node.left -= 1;
        node.satisfied += u8::from(satisfied);
        if node.left > 0 {
            open.push(node);
            return Ok(None);
        }
        // POL-4
        if node.satisfied != 0 && node.satisfied != node.needed {
            return Err(RuleError::ProofBranches { node: node.index, got: node.satisfied, expected: node.needed });
        }
        satisfied = node.satisfied != 0;
    }
    Ok(Some(satisfied))
}

/// Whether an item satisfies its leaf (`false`: it is skipped). `None` if it is of another kind.
fn check_leaf(leaf: &PolicyNode, item: &ProofItem, height: Height, age: u32) -> Option<Result<bool, RuleError>> {
    // POL-5
    let verdict = match (*leaf, item) {
        (_, ProofItem::Skip) => return Some(Ok(false)),
        (PolicyNode::Key(_), ProofItem::Signature(_)) => Ok(true),
        (PolicyNode::After(expected), ProofItem::Reached) if height < expected => {
            Err(RuleError::TooEarly { got: height, expected })
        }
        (PolicyNode::Older(expected), ProofItem::Reached) if age < expected => {
            Err(RuleError::TooYoung { got: age, expected })
        }
        (PolicyNode::After(_) | PolicyNode::Older(_), ProofItem::Reached) => Ok(true),
        (PolicyNode::Sha256(expected), ProofItem::Preimage(preimage)) => match sha256(preimage.as_slice()) {
            got if got == expected => Ok(true),
            got => Err(RuleError::WrongPreimage { got, expected }),
        },
        _ => return None,
    };
    Some(verdict)
}

#[cfg(test)]
mod tests;
