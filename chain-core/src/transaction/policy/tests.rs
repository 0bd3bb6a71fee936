use proptest::prelude::*;
use std::collections::HashSet;

use super::*;
use crate::{codec, testing, transaction::coin::Lock};

const A: KeyBytes = KeyBytes([0xa; 32]);
const B: KeyBytes = KeyBytes([0xb; 32]);
const C: KeyBytes = KeyBytes([0xc; 32]);

fn signature_of(key: &KeyBytes) -> Signature {
    [key.0[0]; 64].into()
}

fn sign(key: KeyBytes) -> ProofItem {
    ProofItem::Signature(Box::new(signature_of(&key)))
}

fn preimage(fill: u8) -> ProofItem {
    ProofItem::Preimage(Box::new([fill; 32]))
}

fn hash() -> [u8; 32] {
    sha256(&[5; 32])
}

fn evaluate(policy: &Policy, items: &[ProofItem]) -> Result<Vec<KeyBytes>, RuleError> {
    let signatures = policy.evaluate(&Proof(items.to_vec().into()), 100, 10)?;
    Ok(signatures.into_iter().map(|(key, _)| key).collect())
}

/// `depth` nodes from the root to the leaf.
fn chain(depth: usize) -> Policy {
    let mut nodes = vec![PolicyNode::And(1); depth - 1];
    nodes.push(PolicyNode::After(0));
    Policy(nodes.into())
}

// POL-1
#[test]
fn accepts_a_depth_of_16_and_refuses_17() {
    assert_eq!(chain(16).check(), Ok(()));
    assert_eq!(chain(17).check(), Err(RuleError::PolicyDepth { limit: 16 }));
    // The depth counts open branches, not branches passed.
    assert_eq!(Policy::or((0..200).map(|_| chain(15))).check(), Ok(()));
}

// POL-1
#[test]
fn accepts_exactly_one_tree() {
    let tree = Policy::or([Policy::key(A), Policy::and([Policy::key(B), Policy::older(3)])]);
    assert_eq!(tree.check(), Ok(()));
    for end in 0..tree.0.len() {
        assert_eq!(Policy(tree.0.iter().take(end).collect()).check(), Err(RuleError::PolicyCut { nodes: end }));
    }
    let two = tree.0.iter().chain(tree.0.iter()).collect();
    assert_eq!(Policy(two).check(), Err(RuleError::PolicyTrailing { nodes: 5 }));
}

// POL-1
#[test]
fn refuses_counts_that_make_no_sense() {
    let node = |node| Policy(vec![node, PolicyNode::After(0), PolicyNode::After(0)].into()).check();
    assert_eq!(node(PolicyNode::Threshold(1, 2)), Ok(()));
    assert_eq!(node(PolicyNode::Threshold(2, 2)), Ok(()));
    assert_eq!(node(PolicyNode::Threshold(0, 2)), Err(RuleError::PolicyCounts { k: 0, n: 2 }));
    assert_eq!(node(PolicyNode::Threshold(3, 2)), Err(RuleError::PolicyCounts { k: 3, n: 2 }));
    assert_eq!(node(PolicyNode::Threshold(0, 0)), Err(RuleError::PolicyCounts { k: 0, n: 0 }));
    assert_eq!(node(PolicyNode::And(0)), Err(RuleError::PolicyCounts { k: 0, n: 0 }));
    assert_eq!(node(PolicyNode::Or(0)), Err(RuleError::PolicyCounts { k: 1, n: 0 }));
}

#[test]
fn a_million_nested_nodes_are_refused_at_once() {
    let policy = Policy(vec![PolicyNode::And(255); 1 << 20].into());
    assert_eq!(policy.check(), Err(RuleError::PolicyDepth { limit: 16 }));
    assert_eq!(policy.evaluate(&Proof(vec![].into()), 0, 0), Err(RuleError::PolicyDepth { limit: 16 }));
    assert!(policy.to_string().len() > 1 << 20);
}

// POL-2
#[test]
fn hash_is_the_tagged_hash_of_the_encoding() {
    let policy = Policy::key(A);
    let tag = sha256(b"Cairn/policy");
    let encoding = [&[1, 0][..], &A.0].concat();
    assert_eq!(codec::encode(&policy), encoding);
    assert_eq!(policy.hash(), sha256(&[&tag[..], &tag, &encoding].concat()));
    assert_eq!(policy.lock(), Lock::Policy(policy.hash()));
}

// POL-3
#[test]
fn refuses_a_proof_that_is_too_short_or_too_long() {
    let policy = Policy::and([Policy::key(A), Policy::key(B)]);
    assert_eq!(evaluate(&policy, &[sign(A), sign(B)]), Ok(vec![A, B]));
    assert_eq!(evaluate(&policy, &[sign(A)]), Err(RuleError::ProofLength { got: 1, expected: 2 }));
    let long = [sign(A), sign(B), ProofItem::Skip];
    assert_eq!(evaluate(&policy, &long), Err(RuleError::ProofLength { got: 3, expected: 2 }));
}

// POL-4
#[test]
fn or_takes_exactly_one_branch() {
    let policy = Policy::or([Policy::key(A), Policy::key(B)]);
    assert_eq!(evaluate(&policy, &[sign(A), ProofItem::Skip]), Ok(vec![A]));
    assert_eq!(evaluate(&policy, &[ProofItem::Skip, sign(B)]), Ok(vec![B]));
    let both = Err(RuleError::ProofBranches { node: 0, got: 2, expected: 1 });
    assert_eq!(evaluate(&policy, &[sign(A), sign(B)]), both);
    assert_eq!(evaluate(&policy, &[ProofItem::Skip, ProofItem::Skip]), Err(RuleError::ProofEmpty));
}

// POL-4
#[test]
fn threshold_takes_exactly_k_branches() {
    let policy = Policy::threshold(2, [A, B, C].map(Policy::key));
    let skip = || ProofItem::Skip;
    assert_eq!(evaluate(&policy, &[sign(A), skip(), sign(C)]), Ok(vec![A, C]));
    let wrong = |got| Err(RuleError::ProofBranches { node: 0, got, expected: 2 });
    assert_eq!(evaluate(&policy, &[sign(A), sign(B), sign(C)]), wrong(3));
    assert_eq!(evaluate(&policy, &[skip(), sign(B), skip()]), wrong(1));
    assert_eq!(evaluate(&policy, &[skip(), skip(), skip()]), Err(RuleError::ProofEmpty));
}

// POL-4
#[test]
fn a_branch_that_is_not_needed_may_not_be_satisfied_in_part() {
    let policy = Policy::or([Policy::key(A), Policy::and([Policy::key(B), Policy::older(3)])]);
    assert_eq!(evaluate(&policy, &[sign(A), ProofItem::Skip, ProofItem::Skip]), Ok(vec![A]));
    assert_eq!(evaluate(&policy, &[ProofItem::Skip, sign(B), ProofItem::Reached]), Ok(vec![B]));
    let partial = Err(RuleError::ProofBranches { node: 2, got: 1, expected: 2 });
    assert_eq!(evaluate(&policy, &[sign(A), ProofItem::Skip, ProofItem::Reached]), partial);
    assert_eq!(evaluate(&policy, &[ProofItem::Skip, sign(B), ProofItem::Skip]), partial);
}

// POL-5
#[test]
fn heights_and_ages_are_reached_exactly_on_time() {
    let reached = [ProofItem::Reached];
    assert_eq!(evaluate(&Policy::after(100), &reached), Ok(vec![]));
    assert_eq!(evaluate(&Policy::after(101), &reached), Err(RuleError::TooEarly { got: 100, expected: 101 }));
    assert_eq!(evaluate(&Policy::older(10), &reached), Ok(vec![]));
    assert_eq!(evaluate(&Policy::older(11), &reached), Err(RuleError::TooYoung { got: 10, expected: 11 }));
}

// POL-5
#[test]
fn a_preimage_is_hashed() {
    let policy = Policy::sha256(hash());
    assert_eq!(evaluate(&policy, &[preimage(5)]), Ok(vec![]));
    let wrong = RuleError::WrongPreimage { got: sha256(&[6; 32]), expected: hash() };
    assert_eq!(evaluate(&policy, &[preimage(6)]), Err(wrong));
}

// POL-5
#[test]
fn an_item_of_another_kind_is_refused() {
    let leaves = [PolicyNode::Key(A), PolicyNode::After(1), PolicyNode::Older(1), PolicyNode::Sha256(hash())];
    let items = [sign(A), ProofItem::Reached, preimage(5)];
    for leaf in leaves {
        let fitting: Vec<bool> = items
            .iter()
            .map(|item| match evaluate(&Policy(vec![leaf].into()), std::slice::from_ref(item)) {
                Ok(_) => true,
                Err(error) => {
                    assert_eq!(error, RuleError::ProofKind { leaf: 0 });
                    false
                }
            })
            .collect();
        assert_eq!(fitting.iter().filter(|fits| **fits).count(), 1, "{leaf:?}");
    }
    let second = Policy::and([Policy::key(A), Policy::key(B)]);
    assert_eq!(evaluate(&second, &[sign(A), ProofItem::Reached]), Err(RuleError::ProofKind { leaf: 1 }));
}

#[test]
fn a_hashed_timelock_contract_has_two_ways_out() {
    let policy = Policy::htlc(hash(), A, B, Policy::older(10));
    let skip = || ProofItem::Skip;
    assert_eq!(evaluate(&policy, &[sign(A), preimage(5), skip(), skip()]), Ok(vec![A]));
    assert_eq!(evaluate(&policy, &[skip(), skip(), sign(B), ProofItem::Reached]), Ok(vec![B]));
    let early = policy.evaluate(&Proof(vec![skip(), skip(), sign(B), ProofItem::Reached].into()), 100, 9);
    assert_eq!(early, Err(RuleError::TooYoung { got: 9, expected: 10 }));
}

/// A spender with everything except some keys and preimages.
struct Wallet {
    keys: HashSet<KeyBytes>,
    preimages: bool,
    height: Height,
    age: u32,
}

impl AtHand for Wallet {
    fn signature(&self, key: &KeyBytes) -> Option<Signature> {
        self.keys.contains(key).then(|| signature_of(key))
    }

    fn preimage(&self, expected: &[u8; 32]) -> Option<[u8; 32]> {
        (self.preimages && *expected == hash()).then_some([5; 32])
    }

    fn height(&self) -> Height {
        self.height
    }

    fn age(&self) -> u32 {
        self.age
    }
}

fn wallet(keys: &[KeyBytes], preimages: bool, age: u32) -> Wallet {
    Wallet { keys: keys.iter().copied().collect(), preimages, height: 100, age }
}

#[test]
fn proves_by_the_cheapest_way_at_hand() {
    let htlc = Policy::htlc(hash(), A, B, Policy::older(10));
    let skip = || ProofItem::Skip;
    let by_preimage = Proof(vec![sign(A), preimage(5), skip(), skip()].into());
    let by_timeout = Proof(vec![skip(), skip(), sign(B), ProofItem::Reached].into());
    assert_eq!(htlc.prove(&wallet(&[A, B], true, 9)), Some(by_preimage));
    assert_eq!(htlc.prove(&wallet(&[A, B], true, 10)), Some(by_timeout.clone()));
    assert_eq!(htlc.prove(&wallet(&[A, B], false, 10)), Some(by_timeout));
    assert_eq!(htlc.prove(&wallet(&[A], false, 10)), None);
    let two_of_three = Policy::threshold(2, [A, B, C].map(Policy::key));
    assert_eq!(two_of_three.prove(&wallet(&[C, B], false, 0)), Some(Proof(vec![skip(), sign(B), sign(C)].into())));
    assert_eq!(two_of_three.prove(&wallet(&[C], false, 0)), None);
    assert_eq!(chain(17).prove(&wallet(&[], false, 0)), None);
}

/// The gas of a witness with this proof beyond that of every witness of the policy.
fn price(proof: &Proof) -> u64 {
    5_000 * proof.signatures().max(1) + 16 * codec::encode(proof).len() as u64
}

#[test]
fn the_first_signature_of_a_proof_is_free() {
    let preimages = |count: usize| Policy::and(vec![Policy::sha256(hash()); count]);
    let all = wallet(&[A, B], true, 0);
    let chosen = |policy: Policy| policy.prove(&all).unwrap().signatures();
    // A signature takes the bytes of two preimages.
    assert_eq!(chosen(Policy::or([Policy::key(A), preimages(1)])), 0);
    assert_eq!(chosen(Policy::or([Policy::key(A), preimages(3)])), 1);
    // Where one is needed anyway, a second costs as much as ten preimages.
    let beside = |count| Policy::and([Policy::key(B), Policy::or([Policy::key(A), preimages(count)])]);
    assert_eq!(chosen(beside(11)), 1);
    assert_eq!(chosen(beside(12)), 2);
}

#[test]
fn text_reads_as_documented() {
    let [a, b, c] = [A, B, C].map(|key| hex::encode(key.0));
    let text = format!("or(and(key({a}),older(10)),threshold(2,key({b}),after(7),key({c})))");
    let policy = Policy::or([
        Policy::and([Policy::key(A), Policy::older(10)]),
        Policy::threshold(2, [Policy::key(B), Policy::after(7), Policy::key(C)]),
    ]);
    assert_eq!(policy.to_string(), text);
    assert_eq!(text.parse(), Ok(policy));
    let htlc = Policy::htlc(hash(), A, B, Policy::older(10));
    let h = hex::encode(hash());
    assert_eq!(format!("htlc({h},{a},{b},older(10))").parse(), Ok(htlc.clone()));
    assert_eq!(format!(" or ( and( key({a}), sha256({h})) ,and(key({b}),older( 10 )) ) ").parse(), Ok(htlc));
}

#[test]
fn text_errors_say_where_and_what() {
    let error = |text: &str| match text.parse::<Policy>() {
        Ok(policy) => panic!("{policy}"),
        Err(error) => (error.at, error.expected),
    };
    assert_eq!(error(""), (0, "key, after, older, sha256, and, or, threshold or htlc"));
    assert_eq!(error("or(sig(1))"), (3, "key, after, older, sha256, and, or, threshold or htlc"));
    assert_eq!(error("older"), (5, "("));
    assert_eq!(error("older(1"), (7, ")"));
    assert_eq!(error("older(4294967296)"), (6, "a number of blocks"));
    assert_eq!(error("after(-1)"), (6, "a height"));
    assert_eq!(error("older(1))"), (8, "the end"));
    assert_eq!(error("older(1) x"), (9, "the end"));
    assert_eq!(error("key(abc)"), (4, "a key of 64 hexadecimal digits"));
    assert_eq!(error("sha256(é)"), (7, "a hash of 64 hexadecimal digits"));
    assert_eq!(error("and()"), (4, "key, after, older, sha256, and, or, threshold or htlc"));
    assert_eq!(error("threshold(3,older(1),older(2))"), (0, "a threshold from 1 to the number of branches"));
    assert_eq!(error("threshold(0,older(1))"), (0, "a threshold from 1 to the number of branches"));
    assert_eq!(error("threshold(256,older(1))"), (10, "how many branches are needed"));
    let branches = |count: usize| format!("or({}older(1))", "older(1),".repeat(count - 1));
    assert_eq!(branches(255).parse::<Policy>().map(|policy| policy.0.len()), Ok(256));
    assert_eq!(error(&branches(256)).1, "at most 255 branches");
}

#[test]
fn text_is_refused_where_it_gets_too_deep() {
    let text = |depth: usize| format!("{}older(1){}", "and(".repeat(depth - 1), ")".repeat(depth - 1));
    assert_eq!(text(16).parse::<Policy>().map(|policy| policy.check()), Ok(Ok(())));
    let error = text(17).parse::<Policy>().unwrap_err();
    assert_eq!(error, ParsePolicyError { at: 60, expected: "a policy at most 16 deep" });
    assert!(text(100_000).parse::<Policy>().is_err());
    let [a, h] = [hex::encode(A.0), hex::encode(hash())];
    let htlc = |depth: usize| {
        let inner = format!("htlc({h},{a},{a},older(1))");
        format!("{}{inner}{}", "and(".repeat(depth - 3), ")".repeat(depth - 3))
    };
    assert_eq!(htlc(16).parse::<Policy>().map(|policy| policy.check()), Ok(Ok(())));
    assert!(htlc(17).parse::<Policy>().is_err());
}

// POL-4
#[test]
fn branches_without_keys_can_be_swapped_by_anybody() {
    let either = Policy::or([Policy::after(1), Policy::older(0)]);
    for items in [[ProofItem::Reached, ProofItem::Skip], [ProofItem::Skip, ProofItem::Reached]] {
        assert_eq!(evaluate(&either, &items), Ok(vec![]));
    }
    let fallback = Policy::or([Policy::key(A), Policy::after(1)]);
    assert_eq!(evaluate(&fallback, &[sign(A), ProofItem::Skip]), Ok(vec![A]));
    assert_eq!(evaluate(&fallback, &[ProofItem::Skip, ProofItem::Reached]), Ok(vec![]));
}

/// The policy of these nodes with a key of its own in each branch of which others may take the place.
fn keyed(nodes: &mut dyn Iterator<Item = PolicyNode>, keys: &mut u8) -> Policy {
    let node = nodes.next().unwrap();
    let Some((needed, count)) = node.branches() else { return Policy(vec![node].into()) };
    let mut branches: Vec<Policy> = (0..count).map(|_| keyed(nodes, keys)).collect();
    if needed < count {
        for branch in &mut branches {
            *keys += 1;
            *branch = Policy::and([Policy::key(KeyBytes([*keys; 32])), branch.clone()]);
        }
    }
    Policy::threshold(needed, branches)
}

/// Changes one or two items of a proof to what a third party can write: no signature.
fn foreign_variations(proof: &Proof) -> Vec<Proof> {
    let given: Vec<ProofItem> = proof.0.iter().collect();
    let items = [ProofItem::Skip, ProofItem::Reached, preimage(5)];
    let mut changed = Vec::new();
    for (first, second) in (0..given.len()).flat_map(|first| (first..given.len()).map(move |second| (first, second))) {
        for (one, other) in items.iter().flat_map(|one| items.iter().map(move |other| (one, other))) {
            let mut varied = given.clone();
            (varied[first], varied[second]) = (one.clone(), other.clone());
            changed.extend((varied != given).then(|| Proof(varied.into())));
        }
    }
    changed
}

/// Changes one item of a proof to each other kind.
fn variations(proof: &Proof) -> Vec<Proof> {
    let items = [ProofItem::Skip, ProofItem::Reached, preimage(5), sign(A)];
    let given: Vec<ProofItem> = proof.0.iter().collect();
    let places = 0..given.len();
    let change = |(place, item): (usize, ProofItem)| {
        let mut changed = given.clone();
        changed[place] = item;
        Proof(changed.into())
    };
    places
        .flat_map(|place| items.clone().map(|item| (place, item)))
        .filter(|(place, item)| given[*place] != *item)
        .filter(|(place, item)| !matches!((&given[*place], item), (ProofItem::Signature(_), ProofItem::Signature(_))))
        .map(change)
        .collect()
}

proptest! {
    #[test]
    fn text_survives_the_round_trip(policy in testing::policy()) {
        prop_assert_eq!(policy.check(), Ok(()));
        prop_assert_eq!(policy.to_string().parse(), Ok(policy));
    }

    #[test]
    fn any_list_of_nodes_is_handled_without_panic(policy in testing::policy_nodes(), height: u32, age: u32) {
        let _ = policy.to_string();
        let proof = Proof(vec![ProofItem::Reached; policy.leaves()].into());
        let verdict = policy.evaluate(&proof, height, age);
        if let Err(error) = policy.check() {
            prop_assert_eq!(verdict, Err(error));
        }
    }

    #[test]
    fn no_proof_is_cheaper_than_the_one_that_is_found(policy in testing::policy(), known in any::<bool>()) {
        prop_assume!(policy.leaves() <= 10);
        // Half of the leaves of a hash have a preimage.
        let nodes = policy.0.iter().map(|node| match node {
            PolicyNode::Sha256(other) if known && other[0] % 2 == 0 => PolicyNode::Sha256(hash()),
            other => other,
        });
        let policy = Policy(nodes.collect());
        let keys = policy.0.iter().filter_map(|node| match node {
            PolicyNode::Key(key) => Some(key),
            _ => None,
        });
        let wallet = Wallet { keys: keys.collect(), preimages: true, height: u32::MAX / 2, age: u32::MAX / 2 };
        let given: Vec<ProofItem> = policy.0.iter().filter(|node| node.branches().is_none()).map(|leaf| match leaf {
            PolicyNode::Key(key) => sign(key),
            PolicyNode::Sha256(_) => preimage(5),
            _ => ProofItem::Reached,
        }).collect();
        let proofs = (0..1_u32 << given.len()).map(|used| {
            Proof(given.iter().enumerate().map(|(leaf, item)| match used >> leaf & 1 {
                1 => item.clone(),
                _ => ProofItem::Skip,
            }).collect())
        });
        let cheapest = proofs
            .filter(|proof| policy.evaluate(proof, wallet.height, wallet.age).is_ok())
            .map(|proof| price(&proof))
            .min();
        prop_assert_eq!(policy.prove(&wallet).map(|proof| price(&proof)), cheapest);
    }

    // POL-4
    #[test]
    fn nobody_else_can_change_two_items_of_a_proof_where_each_branch_needs_a_key(policy in testing::policy()) {
        let policy = keyed(&mut policy.0.iter(), &mut 0);
        prop_assume!(policy.check().is_ok() && policy.leaves() <= 24);
        let keys = policy.0.iter().filter_map(|node| match node {
            PolicyNode::Key(key) => Some(key),
            _ => None,
        });
        let everything = Wallet { keys: keys.collect(), preimages: true, height: u32::MAX, age: u32::MAX };
        if let Some(proof) = policy.prove(&everything) {
            prop_assert!(policy.evaluate(&proof, u32::MAX, u32::MAX).is_ok());
            for other in foreign_variations(&proof) {
                prop_assert!(policy.evaluate(&other, u32::MAX, u32::MAX).is_err(), "{other:?}");
            }
        }
    }

    // POL-4
    #[test]
    fn what_is_proven_is_accepted_and_no_other_item_is(policy in testing::policy()) {
        let keys = policy.0.iter().filter_map(|node| match node {
            PolicyNode::Key(key) => Some(key),
            _ => None,
        });
        let everything = Wallet { keys: keys.collect(), preimages: true, height: u32::MAX, age: u32::MAX };
        if let Some(proof) = policy.prove(&everything) {
            let signatures = policy.evaluate(&proof, u32::MAX, u32::MAX).unwrap();
            prop_assert_eq!(signatures.len() as u64, proof.signatures());
            for other in variations(&proof) {
                prop_assert!(policy.evaluate(&other, u32::MAX, u32::MAX).is_err(), "{other:?}");
            }
        }
    }
}
