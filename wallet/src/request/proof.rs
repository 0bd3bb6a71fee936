//! Satisfying policies: with what has been gathered, or in advance with what is expected.

use chain_core::{
    hash::sha256,
    transaction::{
        coin::{KeyBytes, Signature, Witness},
        policy::{AtHand, Policy, PolicyNode},
    },
    units::Height,
};

use super::coin::{Hex32, Input, policy_keys};

/// What a request has gathered for one input.
pub(super) struct Gathered<'a> {
    pub(super) input: &'a Input,
    pub(super) height: Height,
    pub(super) age: u32,
}

impl AtHand for Gathered<'_> {
    fn signature(&self, key: &KeyBytes) -> Option<Signature> {
        self.input.signatures.iter().find(|given| given.key.0 == key.0).map(|given| given.signature.into())
    }

    fn preimage(&self, hash: &[u8; 32]) -> Option<[u8; 32]> {
        find_preimage(&self.input.preimages, hash)
    }

    fn height(&self) -> Height {
        self.height
    }

    fn age(&self) -> u32 {
        self.age
    }
}

fn find_preimage(preimages: &[Hex32], hash: &[u8; 32]) -> Option<[u8; 32]> {
    preimages.iter().map(|preimage| preimage.0).find(|preimage| sha256(preimage) == *hash)
}

impl Gathered<'_> {
    /// What there is, for whoever has to find the rest.
    pub(super) fn lacks(&self, number: usize) -> String {
        let Some(policy) = &self.input.policy else { return String::new() };
        let keys = policy_keys(policy);
        let signed = keys.iter().filter(|key| self.signature(key).is_some()).count();
        let mut there = vec![format!("{signed} of {} signatures", keys.len())];
        if policy.0.iter().any(|node| matches!(node, PolicyNode::Sha256(_))) {
            there.push(format!("{} preimages", self.input.preimages.len()));
        }
        if policy.0.iter().any(|node| matches!(node, PolicyNode::After(_))) {
            there.push(format!("height {}", self.height));
        }
        if policy.0.iter().any(|node| matches!(node, PolicyNode::Older(_))) {
            there.push(format!("an age of {} blocks", self.age));
        }
        let more = if self.lacks_one_signature(policy) { ": one more signature is enough" } else { "" };
        format!("input {number} has {}, which does not satisfy its policy{more}", there.join(", "))
    }

    fn lacks_one_signature(&self, policy: &Policy) -> bool {
        let preimages: Vec<[u8; 32]> = self.input.preimages.iter().map(|preimage| preimage.0).collect();
        policy_keys(policy).iter().any(|next| {
            let signs = |key: &KeyBytes| key == next || self.signature(key).is_some();
            let with_it = Expected { signs: &signs, preimages: &preimages, height: self.height, age: self.age };
            policy.prove(&with_it).is_some()
        })
    }
}

/// What a witness will look like before anything is signed, so that its gas can be paid.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// A witness of the right size, with empty signatures.
    pub witness: Witness,
    /// Whether the wallet's own keys suffice.
    pub alone: bool,
}

/// Guesses the witness of a policy's coin: the cheapest way with the own keys alone, else the cheapest with everybody's.
/// Nothing if not even that suffices.
pub fn estimate(
    policy: &Policy,
    own: &dyn Fn(&KeyBytes) -> bool,
    preimages: &[[u8; 32]],
    height: Height,
    age: u32,
) -> Option<Estimate> {
    let everybody = |_: &KeyBytes| true;
    let attempt = |signs: &dyn Fn(&KeyBytes) -> bool| {
        let proof = policy.prove(&Expected { signs, preimages, height, age })?;
        Some(Witness::Policy(policy.clone(), proof))
    };
    match attempt(own) {
        Some(witness) => Some(Estimate { witness, alone: true }),
        None => attempt(&everybody).map(|witness| Estimate { witness, alone: false }),
    }
}

struct Expected<'a> {
    signs: &'a dyn Fn(&KeyBytes) -> bool,
    preimages: &'a [[u8; 32]],
    height: Height,
    age: u32,
}

impl AtHand for Expected<'_> {
    fn signature(&self, key: &KeyBytes) -> Option<Signature> {
        (self.signs)(key).then(|| [0; 64].into())
    }

    fn preimage(&self, hash: &[u8; 32]) -> Option<[u8; 32]> {
        self.preimages.iter().copied().find(|preimage| sha256(preimage) == *hash)
    }

    fn height(&self) -> Height {
        self.height
    }

    fn age(&self) -> u32 {
        self.age
    }
}
