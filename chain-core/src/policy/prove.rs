//! Proofs from what a spender has at hand.

use super::{Policy, PolicyNode, Proof, ProofItem};
use crate::{
    coin::{KeyBytes, Signature},
    units::Height,
};

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

/// A subtree: its leaves, and the cheapest way to satisfy it.
struct Branch {
    leaves: usize,
    way: Option<(u64, Vec<ProofItem>)>,
}

impl Branch {
    fn cost(&self) -> Option<u64> {
        self.way.as_ref().map(|(cost, _)| *cost)
    }
}

impl Policy {
    /// Builds the proof that costs the least gas from what is at hand; `None` if that does not suffice, or if the policy
    /// is malformed.
    ///
    /// To learn the size of a proof before signing, answer signatures of zeros for the keys at hand.
    pub fn prove(&self, at_hand: &dyn AtHand) -> Option<Proof> {
        self.check().ok()?;
        let (_, items) = cheapest(&mut self.0.iter(), at_hand).way?;
        Some(Proof(items))
    }
}

/// The cheapest way through the next subtree. Recursive: the policy has been checked and is at most
/// [`super::MAX_DEPTH`] deep.
fn cheapest(nodes: &mut std::slice::Iter<PolicyNode>, at_hand: &dyn AtHand) -> Branch {
    let node = nodes.next().expect("a checked policy is complete");
    let Some((needed, count)) = node.branches() else {
        return Branch { leaves: 1, way: leaf(node, at_hand).map(|item| (gas(&item), vec![item])) };
    };
    let branches: Vec<Branch> = (0..count).map(|_| cheapest(nodes, at_hand)).collect();
    let leaves = branches.iter().map(|branch| branch.leaves).sum();
    Branch { leaves, way: join(branches, usize::from(needed)) }
}

/// Satisfies the `needed` cheapest branches and skips the others.
fn join(branches: Vec<Branch>, needed: usize) -> Option<(u64, Vec<ProofItem>)> {
    let mut order: Vec<(u64, usize)> =
        branches.iter().enumerate().filter_map(|(index, branch)| Some((branch.cost()?, index))).collect();
    order.sort_unstable();
    let chosen = order.get(..needed)?;
    let cost = chosen.iter().map(|(cost, _)| cost).sum();
    let mut items = Vec::new();
    for (index, branch) in branches.into_iter().enumerate() {
        match branch.way {
            Some((_, way)) if chosen.iter().any(|(_, pick)| *pick == index) => items.extend(way),
            _ => items.resize(items.len() + branch.leaves, ProofItem::Skip),
        }
    }
    Some((cost, items))
}

fn leaf(node: &PolicyNode, at_hand: &dyn AtHand) -> Option<ProofItem> {
    match node {
        PolicyNode::Key(key) => at_hand.signature(key).map(|given| ProofItem::Signature(Box::new(given))),
        PolicyNode::Sha256(hash) => at_hand.preimage(hash).map(|given| ProofItem::Preimage(Box::new(given))),
        PolicyNode::After(height) => (at_hand.height() >= *height).then_some(ProofItem::Reached),
        PolicyNode::Older(blocks) => (at_hand.age() >= *blocks).then_some(ProofItem::Reached),
        PolicyNode::And(_) | PolicyNode::Or(_) | PolicyNode::Threshold(..) => None,
    }
}

/// Gas that an item costs beyond a skipped leaf.
fn gas(item: &ProofItem) -> u64 {
    match item {
        ProofItem::Skip | ProofItem::Reached => 0,
        ProofItem::Preimage(_) => 16 * 32,
        ProofItem::Signature(_) => 5_000 + 16 * 64,
    }
}
