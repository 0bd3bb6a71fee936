//! Properties of the trie, against a full rebuild by alloy-trie.

use super::{
    node::{Branch, Reference, Shape},
    *,
};
use alloy_primitives::keccak256;
use alloy_trie::{HashBuilder, Nibbles as AlloyNibbles, proof::verify_proof as alloy_verify};
use proptest::{collection::vec, prelude::*, sample::select};
use std::{
    cell::Cell,
    collections::{BTreeMap, HashMap, HashSet},
};

/// Stored nodes in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MemoryNodes(HashMap<NodeKey, Arc<Node>>);

impl MemoryNodes {
    /// Takes a diff; panics if it names a node twice, removes what is not there or writes what is there already.
    pub(super) fn apply(&mut self, diff: Vec<NodeChange>) {
        let mut seen = HashSet::new();
        for NodeChange { key, node } in diff {
            assert!(seen.insert(key.clone()), "{key:?} is changed twice");
            match node {
                None => assert!(self.0.remove(&key).is_some(), "{key:?} is removed but was not there"),
                Some(node) => {
                    let stored = Node::from_bytes(node.as_bytes().to_vec()).unwrap();
                    assert_eq!(stored, *node);
                    assert_ne!(self.0.insert(key, node), Some(Arc::new(stored)), "written but not changed");
                }
            }
        }
    }

    fn update(&mut self, owner: Option<B256>, changes: &[LeafChange]) -> B256 {
        let (root, diff) = update(self, owner, changes).unwrap();
        self.apply(diff);
        root
    }
}

impl NodeReader for MemoryNodes {
    fn node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        Ok(self.0.get(key).cloned())
    }
}

/// A trie whose root is a branch that has this node, damaged, under its sixth child.
fn damaged_trie(node: Node) -> MemoryNodes {
    let mut branch = Branch::default();
    branch.children[5] = Reference::Hash(keccak256(node.as_bytes()));
    branch.children[6] = Reference::Hash(B256::repeat_byte(6));
    let path = Nibbles::default();
    let root = Arc::new(Node::new(&Shape::Branch(Box::new(branch))));
    let at = |path| NodeKey { owner: None, path };
    MemoryNodes([(at(path), root), (at(path.push(5)), Arc::new(node))].into())
}

#[test]
fn a_node_too_deep_for_any_key_is_an_error_and_no_panic() {
    let key = B256::repeat_byte(0x55);
    let long = Nibbles::of_key(&key);
    let child = Reference::Hash(B256::repeat_byte(1));
    let value = vec![7; 40];
    let deep = [Shape::Leaf { path: long, value: value.clone() }, Shape::Extension { path: long.take(63), child }];
    for shape in deep {
        let nodes = damaged_trie(Node::new(&shape));
        for change in [Some(vec![1; 40]), None] {
            let error = update(&nodes, None, &[(key, change)]).unwrap_err();
            assert!(error.to_string().contains("leads beyond the length of a key"), "{error}");
        }
    }
    // One nibble less is what a leaf there has.
    let nodes = damaged_trie(Node::new(&Shape::Leaf { path: long.take(63), value }));
    assert!(update(&nodes, None, &[(key, Some(vec![1; 40]))]).is_ok());
}

#[test]
fn an_extension_that_leads_to_itself_is_no_node() {
    let child = Reference::Hash(B256::repeat_byte(1));
    let bytes = Shape::Extension { path: Nibbles::default(), child }.encode();
    assert_eq!(Shape::decode(&bytes), Err(NodeError));
    let bytes = Shape::Extension { path: Nibbles::default().push(1), child }.encode();
    assert!(Shape::decode(&bytes).is_ok());
}

type Leaves = BTreeMap<B256, Vec<u8>>;

fn rebuilt_root(leaves: &Leaves) -> B256 {
    let mut builder = HashBuilder::default();
    for (key, value) in leaves {
        builder.add_leaf(AlloyNibbles::unpack(key), value);
    }
    builder.root()
}

fn apply_to_leaves(leaves: &mut Leaves, changes: &[LeafChange]) {
    for (key, value) in changes {
        match value {
            Some(value) => leaves.insert(*key, value.clone()),
            None => leaves.remove(key),
        };
    }
}

/// Changes that put `leaves` back to what they are before `changes`.
fn inverse(leaves: &Leaves, changes: &[LeafChange]) -> Vec<LeafChange> {
    changes.iter().map(|(key, _)| (*key, leaves.get(key).cloned())).collect()
}

/// Keys that share prefixes of all lengths, so that extensions, inline nodes and collapses are common.
fn key() -> impl Strategy<Value = B256> {
    let nibble = select(vec![0u8, 0, 0, 1, 15]);
    let clustered = (vec(nibble, 6), select(vec![0usize, 10, 29])).prop_map(|(nibbles, start)| {
        let mut key = B256::ZERO;
        for (position, pair) in nibbles.chunks(2).enumerate() {
            key[start + position] = pair[0] << 4 | pair[1];
        }
        key
    });
    prop_oneof![4 => clustered, 1 => any::<u8>().prop_map(|seed| keccak256([seed]))]
}

fn batch() -> impl Strategy<Value = Vec<LeafChange>> {
    let value = prop_oneof![vec(1u8..=255, 1..3), vec(any::<u8>(), 28..36), vec(any::<u8>(), 70..120)];
    let change = (key(), prop_oneof![2 => value.prop_map(Some), 1 => Just(None)]);
    vec(change, 0..40).prop_map(|changes| changes.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    // ST-1
    #[test]
    fn batches_give_the_root_of_a_full_rebuild_and_can_be_taken_back(batches in vec(batch(), 1..6)) {
        let (mut nodes, mut leaves) = (MemoryNodes::default(), Leaves::new());
        let mut undo = Vec::new();
        for changes in &batches {
            undo.push((nodes.clone(), inverse(&leaves, changes), rebuilt_root(&leaves)));
            let root = nodes.update(None, changes);
            apply_to_leaves(&mut leaves, changes);
            prop_assert_eq!(root, rebuilt_root(&leaves));

            let mut at_once = MemoryNodes::default();
            at_once.update(None, &leaves.clone().into_iter().map(|(key, value)| (key, Some(value))).collect::<Vec<_>>());
            prop_assert_eq!(&at_once, &nodes);
        }
        for (former, changes, root) in undo.into_iter().rev() {
            prop_assert_eq!(nodes.update(None, &changes), root);
            prop_assert_eq!(&nodes, &former);
        }
        prop_assert_eq!(nodes, MemoryNodes::default());
    }

    #[test]
    fn order_and_repetition_of_changes_do_not_matter(changes in batch(), twice in batch()) {
        let mut sorted = MemoryNodes::default();
        let mut repeated = MemoryNodes::default();
        let backwards: Vec<_> = twice.iter().filter(|(key, _)| changes.iter().any(|(other, _)| key == other))
            .chain(changes.iter().rev()).cloned().collect();
        prop_assert_eq!(sorted.update(None, &changes), repeated.update(None, &backwards));
        prop_assert_eq!(sorted, repeated);
    }

    #[test]
    fn proofs_of_present_and_absent_keys_convince_alloy_trie_and_us(changes in batch(), others in vec(key(), 1..20)) {
        let owner = Some(B256::repeat_byte(9));
        let (mut nodes, mut leaves) = (MemoryNodes::default(), Leaves::new());
        let root = nodes.update(owner, &changes);
        apply_to_leaves(&mut leaves, &changes);
        for key in others.iter().chain(leaves.keys()) {
            let value = leaves.get(key).cloned();
            let proof = prove(&nodes, owner, *key).unwrap();
            prop_assert_eq!(alloy_verify(root, AlloyNibbles::unpack(key), value.clone(), &proof), Ok(()));
            prop_assert_eq!(verify_proof(root, *key, &proof), Ok(value));
        }
    }

    #[test]
    fn altered_proofs_prove_nothing(changes in batch(), key in key(), node in any::<usize>(), bit in any::<usize>()) {
        let mut nodes = MemoryNodes::default();
        let root = nodes.update(None, &changes);
        let mut proof = prove(&nodes, None, key).unwrap();
        prop_assume!(!proof.is_empty());
        let node = node % proof.len();
        let mut bytes = proof[node].to_vec();
        let bit = bit % (8 * bytes.len());
        bytes[bit / 8] ^= 1 << (bit % 8);
        let whole = std::mem::replace(&mut proof[node], bytes.into());
        prop_assert_eq!(verify_proof(root, key, &proof), Err(ProofError));
        proof[node] = whole.clone();
        prop_assert!(verify_proof(root, key, &proof).is_ok());
        proof.push(whole);
        prop_assert_eq!(verify_proof(root, key, &proof), Err(ProofError));
        proof.pop();
        proof.pop();
        prop_assert_eq!(verify_proof(root, key, &proof), Err(ProofError));
    }

    #[test]
    fn stored_nodes_read_back_or_are_refused(bytes in vec(any::<u8>(), 0..80)) {
        if let Ok(node) = Node::from_bytes(bytes.clone()) {
            prop_assert_eq!(node.as_bytes(), bytes);
        }
    }

    #[test]
    fn database_keys_read_back(owner in any::<Option<[u8; 32]>>(), key in any::<[u8; 32]>(), len in 0usize..=64) {
        let key = NodeKey { owner: owner.map(B256::from), path: Nibbles::of_key(&key.into()).take(len) };
        prop_assert_eq!(NodeKey::from_bytes(&key.to_bytes()), Some(key));
    }
}

fn leaf(seed: u32, value: u8) -> LeafChange {
    (keccak256(seed.to_be_bytes()), Some(vec![value; 70]))
}

#[test]
fn the_empty_trie_has_no_nodes_and_the_known_root() {
    let mut nodes = MemoryNodes::default();
    assert_eq!(nodes.update(None, &[]), EMPTY_ROOT);
    assert_eq!(nodes.update(None, &[(B256::ZERO, None), (B256::repeat_byte(1), Some(Vec::new()))]), EMPTY_ROOT);
    assert_eq!(nodes, MemoryNodes::default());
    assert_eq!(prove(&nodes, None, B256::ZERO).unwrap(), Vec::<alloy_primitives::Bytes>::new());
    assert_eq!(verify_proof(EMPTY_ROOT, B256::ZERO, &[]), Ok(None));
    assert_eq!(verify_proof(B256::ZERO, B256::ZERO, &[]), Err(ProofError));
}

#[test]
fn an_update_without_effect_changes_no_node_and_tells_the_root() {
    let mut nodes = MemoryNodes::default();
    let leaves: Vec<_> = (0..100).map(|seed| leaf(seed, 1)).collect();
    let root = nodes.update(None, &leaves);
    let absent = (keccak256("absent"), None);
    for changes in [Vec::new(), leaves, vec![absent]] {
        assert_eq!(update(&nodes, None, &changes).unwrap(), (root, Vec::new()));
    }
}

#[test]
fn tries_of_different_owners_do_not_meet() {
    let mut nodes = MemoryNodes::default();
    let (alice, bob) = (Some(B256::repeat_byte(1)), Some(B256::repeat_byte(2)));
    let accounts = nodes.update(None, &[leaf(1, 1)]);
    assert_eq!(nodes.update(alice, &[leaf(1, 1)]), accounts);
    nodes.update(bob, &[leaf(1, 2), leaf(2, 2)]);
    assert_eq!(nodes.update(alice, &[(leaf(1, 1).0, None)]), EMPTY_ROOT);
    assert_eq!(update(&nodes, None, &[]).unwrap().0, accounts);
}

#[test]
fn an_inline_branch_may_take_the_place_of_a_part_of_an_extension() {
    let key = |last: u8| {
        let mut key = B256::repeat_byte(0x77);
        key[31] = last;
        key
    };
    let (mut nodes, mut leaves) = (MemoryNodes::default(), Leaves::new());
    for changes in [
        vec![(key(0x00), Some(vec![1])), (key(0x01), Some(vec![1]))],
        vec![(key(0x01), None), (key(0x10), Some(vec![1]))],
    ] {
        apply_to_leaves(&mut leaves, &changes);
        assert_eq!(nodes.update(None, &changes), rebuilt_root(&leaves));
        assert_eq!(nodes.0.len(), 1, "all is inline in the root");
    }
}

#[test]
fn an_update_reads_only_the_changed_path() {
    struct Counting(MemoryNodes, Cell<usize>);
    impl NodeReader for Counting {
        fn node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
            self.1.set(self.1.get() + 1);
            self.0.node(key)
        }
    }
    let mut nodes = MemoryNodes::default();
    nodes.update(None, &(0..5_000).map(|seed| leaf(seed, 1)).collect::<Vec<_>>());
    for seed in [0, 1_234, 4_999] {
        let counting = Counting(nodes.clone(), Cell::new(0));
        let depth = prove(&nodes, None, leaf(seed, 0).0).unwrap().len();
        let (_, diff) = update(&counting, None, &[leaf(seed, 2)]).unwrap();
        assert_eq!((counting.1.get(), diff.len()), (depth, depth));
    }
}

#[test]
fn a_missing_node_is_an_error_that_names_it() {
    let mut nodes = MemoryNodes::default();
    nodes.update(None, &(0..100).map(|seed| leaf(seed, 1)).collect::<Vec<_>>());
    let key = leaf(7, 1).0;
    let missing = NodeKey { owner: None, path: Nibbles::of_key(&key).take(1) };
    nodes.0.remove(&missing).unwrap();
    let message = format!("cannot read the state: {}", MissingNode(missing));
    assert_eq!(update(&nodes, None, &[leaf(7, 2)]).unwrap_err().to_string(), message);
    assert_eq!(prove(&nodes, None, key).unwrap_err().to_string(), message);
}

#[test]
fn refuses_bytes_that_are_no_node() {
    let mut nodes = MemoryNodes::default();
    nodes.update(None, &(0..3).map(|seed| leaf(seed, 1)).collect::<Vec<_>>());
    for node in nodes.0.values() {
        let bytes = node.as_bytes();
        assert_eq!(Node::from_bytes(bytes.to_vec()).as_ref(), Ok(&**node));
        assert_eq!(Node::from_bytes(bytes[..bytes.len() - 1].to_vec()), Err(NodeError));
        assert_eq!(Node::from_bytes([bytes, &[0]].concat()), Err(NodeError));
    }
    // Nothing, a string, an empty list, a path that is neither a leaf's nor an extension's, an extension to nothing.
    for bytes in [&[][..], &[0x80], &[0xc0], &[0xc2, 0x40, 0x01], &[0xc2, 0x11, 0x80]] {
        assert_eq!(Node::from_bytes(bytes.to_vec()), Err(NodeError));
    }
}

#[test]
fn roots_of_lists_are_as_alloy_computes_them() {
    for count in [0usize, 1, 2, 127, 128, 129, 300] {
        let values: Vec<Vec<u8>> = (0..count).map(|index| vec![index as u8 | 1; 1 + index % 80]).collect();
        let expected = alloy_trie::root::ordered_trie_root_with_encoder(&values, |value, out| {
            alloy_primitives::bytes::BufMut::put_slice(out, value);
        });
        assert_eq!(ordered_root(&values), expected);
    }
}
