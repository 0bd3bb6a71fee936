//! Satisfying policies: with what has been gathered, or in advance with what is expected.

use chain_core::{
    hash::sha256,
    transaction::{
        coin::{KeyBytes, Signature, Witness},
        policy::{AtHand, Policy, PolicyNode},
    },
    units::Height,
};

use super::coin::Hex32;
use crate::own::policy_keys;

/// What there is to satisfy a policy with.
#[derive(Clone, Copy)]
pub(super) struct Gathered<'a> {
    pub(super) signature: &'a dyn Fn(&KeyBytes) -> Option<Signature>,
    pub(super) preimages: &'a [Hex32],
    pub(super) height: Height,
    pub(super) age: u32,
}

impl AtHand for Gathered<'_> {
    fn signature(&self, key: &KeyBytes) -> Option<Signature> {
        (self.signature)(key)
    }

    fn preimage(&self, hash: &[u8; 32]) -> Option<[u8; 32]> {
        self.preimages.iter().map(|preimage| preimage.0).find(|preimage| sha256(preimage) == *hash)
    }

    fn height(&self) -> Height {
        self.height
    }

    fn age(&self) -> u32 {
        self.age
    }
}

/// A signature of the right size.
fn placeholder() -> Signature {
    [0; 64].into()
}

impl Gathered<'_> {
    /// What an input has, for those who have to find the rest.
    pub(super) fn lacks(&self, number: usize, policy: &Policy) -> String {
        let keys = policy_keys(policy);
        let signed = keys.iter().filter(|key| self.signature(key).is_some()).count();
        let mut there = vec![format!("{signed} of {} signatures", keys.len())];
        if policy.0.iter().any(|node| matches!(node, PolicyNode::Sha256(_))) {
            there.push(format!("{} preimages", self.preimages.len()));
        }
        if policy.0.iter().any(|node| matches!(node, PolicyNode::After(_))) {
            there.push(format!("height {}", self.height));
        }
        if policy.0.iter().any(|node| matches!(node, PolicyNode::Older(_))) {
            there.push(format!("an age of {} blocks", self.age));
        }
        let suffices = |next: &KeyBytes| {
            let signature = |key: &KeyBytes| if key == next { Some(placeholder()) } else { self.signature(key) };
            policy.prove(&Gathered { signature: &signature, ..*self }).is_some()
        };
        let more = if keys.iter().any(suffices) { ": one more signature is enough" } else { "" };
        format!("input {number} has {}, which does not satisfy its policy{more}", there.join(", "))
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

/// Estimates the witness of a policy's coin: the cheapest way with the wallet's keys alone, else the cheapest with all keys. Nothing
/// if not even that suffices.
pub fn estimate(
    policy: &Policy,
    own: &dyn Fn(&KeyBytes) -> bool,
    preimages: &[Hex32],
    height: Height,
    age: u32,
) -> Option<Estimate> {
    let attempt = |alone: bool| {
        let signature = |key: &KeyBytes| (!alone || own(key)).then(placeholder);
        let proof = policy.prove(&Gathered { signature: &signature, preimages, height, age })?;
        Some(Estimate { witness: Witness::Policy(policy.clone(), proof), alone })
    };
    attempt(true).or_else(|| attempt(false))
}
