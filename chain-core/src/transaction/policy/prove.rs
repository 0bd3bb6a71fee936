//! Builds proofs from the keys and preimages of a spender.

use super::{Policy, PolicyNode, Proof, ProofItem};
use crate::{
    gas,
    transaction::coin::{KeyBytes, Signature},
    units::Height,
};

/// The keys and preimages of a spender.
pub trait AtHand {
    /// A signature by this key over the input in question.
    fn signature(&self, key: &KeyBytes) -> Option<Signature>;
    /// The preimage of this SHA-256.
    fn preimage(&self, hash: &[u8; 32]) -> Option<[u8; 32]>;
    /// Minimum height of the spending block.
    fn height(&self) -> Height;
    /// Minimum age of the coin in that block, in blocks.
    fn age(&self) -> u32;
}

/// A subtree: its leaves, and the cheapest ways to satisfy it without and with a signature. Both are kept, since every
/// input pays for one signature: the first of a proof is free.
struct Branch {
    leaves: usize,
    unsigned: Option<Way>,
    signed: Option<Way>,
}

/// How a subtree is satisfied, and the gas of its items.
#[derive(Clone)]
struct Way {
    gas: u64,
    items: Vec<ProofItem>,
}

impl Branch {
    fn cheaper(&self) -> Option<&Way> {
        self.unsigned.iter().chain(&self.signed).min_by_key(|way| way.gas)
    }
}

impl Policy {
    /// Builds the proof with the lowest gas; `None` if the spender cannot satisfy the policy, or if it is malformed.
    ///
    /// To get the size of a proof before signing, return signatures of zeros for the spender's keys.
    pub fn prove(&self, at_hand: &dyn AtHand) -> Option<Proof> {
        self.check().ok()?;
        let Branch { unsigned, signed, .. } = cheapest(&mut self.0.iter(), at_hand);
        let ways =
            unsigned.into_iter().map(|way| (way.gas + gas::SIGNATURE, way)).chain(signed.map(|way| (way.gas, way)));
        ways.min_by_key(|(gas, _)| *gas).map(|(_, way)| Proof(way.items.into()))
    }
}

/// The cheapest ways to satisfy the next subtree. Recursive: the policy was checked and is at most [`super::MAX_DEPTH`]
/// deep.
fn cheapest(nodes: &mut dyn Iterator<Item = PolicyNode>, at_hand: &dyn AtHand) -> Branch {
    let node = nodes.next().expect("a checked policy is complete");
    let Some((needed, count)) = node.branches() else {
        let way = leaf(&node, at_hand).map(|item| Way { gas: price(&item), items: vec![item] });
        let (signed, unsigned) = if matches!(node, PolicyNode::Key(_)) { (way, None) } else { (None, way) };
        return Branch { leaves: 1, unsigned, signed };
    };
    let branches: Vec<Branch> = (0..count).map(|_| cheapest(nodes, at_hand)).collect();
    let needed = usize::from(needed);
    let unsigned = choose(&branches, needed, |_, branch| branch.unsigned.as_ref());
    // One branch signs, the others may.
    let with_signer = |signer: usize| {
        let signed = branches[signer].signed.as_ref()?;
        let mut chosen = choose(&branches, needed - 1, |index, branch| branch.cheaper().filter(|_| index != signer))?;
        chosen.push((signer, signed));
        Some(chosen)
    };
    let signed = (0..branches.len()).filter_map(with_signer).min_by_key(|chosen| sum(chosen));
    let join = |chosen: Chosen<'_>| join(&branches, &chosen);
    Branch {
        leaves: branches.iter().map(|branch| branch.leaves).sum(),
        unsigned: unsigned.map(join),
        signed: signed.map(join),
    }
}

/// Branches by their position, and how each is satisfied.
type Chosen<'a> = Vec<(usize, &'a Way)>;

fn sum(chosen: &Chosen<'_>) -> u64 {
    chosen.iter().map(|(_, way)| way.gas).sum()
}

/// The cheapest `needed` of the satisfiable branches; `None` if there are too few.
fn choose<'a>(
    branches: &'a [Branch],
    needed: usize,
    way: impl Fn(usize, &'a Branch) -> Option<&'a Way>,
) -> Option<Chosen<'a>> {
    let mut chosen: Chosen<'a> =
        branches.iter().enumerate().filter_map(|(index, branch)| Some((index, way(index, branch)?))).collect();
    chosen.sort_by_key(|(_, way)| way.gas);
    (chosen.len() >= needed).then(|| {
        chosen.truncate(needed);
        chosen
    })
}

/// Satisfies the chosen branches and skips the others.
fn join(branches: &[Branch], chosen: &Chosen<'_>) -> Way {
    let mut items = Vec::new();
    for (index, branch) in branches.iter().enumerate() {
        match chosen.iter().find(|(pick, _)| *pick == index) {
            Some((_, way)) => items.extend_from_slice(&way.items),
            None => items.resize(items.len() + branch.leaves, ProofItem::Skip),
        }
    }
    Way { gas: sum(chosen), items }
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
fn price(item: &ProofItem) -> u64 {
    match item {
        ProofItem::Skip | ProofItem::Reached => 0,
        ProofItem::Preimage(_) => gas::BYTE * 32,
        ProofItem::Signature(_) => gas::SIGNATURE + gas::BYTE * 64,
    }
}
