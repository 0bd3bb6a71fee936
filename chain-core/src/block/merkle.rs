//! The merkle tree over a block's transactions.
//!
//! A leaf is SHA-256d of an encoded transaction with its witnesses (of a coinbase: of the Bitcoin transaction), a node
//! SHA-256d(left || right). An odd node is promoted unchanged and never duplicated (CVE-2012-2459).

use crate::{hash::sha256d, transaction::Transaction};

/// The leaf of a transaction.
pub fn leaf(transaction: &Transaction) -> [u8; 32] {
    sha256d(&transaction.leaf_bytes())
}

/// The root over leaves; zero for none.
pub fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = parents(&level);
    }
    level.first().copied().unwrap_or_default()
}

/// The merkle branch: the siblings from a leaf to the root, lowest first. That of leaf 0 does not depend on the leaf,
/// and each sibling is on the right, as stratum miners need it.
///
/// # Panics
/// If there is no leaf `index`.
pub fn branch(leaves: &[[u8; 32]], mut index: usize) -> Vec<[u8; 32]> {
    assert!(index < leaves.len(), "leaf {index} of {}", leaves.len());
    let mut level = leaves.to_vec();
    let mut siblings = Vec::new();
    while level.len() > 1 {
        siblings.extend(level.get(index ^ 1));
        level = parents(&level);
        index /= 2;
    }
    siblings
}

/// The root of a leaf and its merkle branch, in a tree of `count` leaves; `None` if the branch has the wrong length for
/// this position.
pub fn root_from_branch(leaf: [u8; 32], mut index: usize, mut count: usize, branch: &[[u8; 32]]) -> Option<[u8; 32]> {
    if index >= count {
        return None;
    }
    let mut siblings = branch.iter();
    let mut hash = leaf;
    while count > 1 {
        if index ^ 1 < count {
            let sibling = siblings.next()?;
            hash = if index.is_multiple_of(2) { node(&hash, sibling) } else { node(sibling, &hash) };
        }
        index /= 2;
        count = count.div_ceil(2);
    }
    siblings.next().is_none().then_some(hash)
}

fn parents(level: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let parent = |pair: &[[u8; 32]]| match pair {
        [left, right] => node(left, right),
        odd => odd[0],
    };
    level.chunks(2).map(parent).collect()
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(left);
    bytes[32..].copy_from_slice(right);
    sha256d(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(count: u8) -> Vec<[u8; 32]> {
        (0..count).map(|number| [number; 32]).collect()
    }

    #[test]
    fn root_of_nothing_is_zero_and_of_one_leaf_the_leaf() {
        assert_eq!(root(&[]), [0; 32]);
        assert_eq!(root(&leaves(3)[2..]), [2; 32]);
    }

    #[test]
    fn promotes_an_odd_node_unchanged() {
        let [a, b, c] = [[0; 32], [1; 32], [2; 32]];
        assert_eq!(root(&[a, b, c]), node(&node(&a, &b), &c));
    }

    // BLK-3, CVE-2012-2459: in Bitcoin's tree these have the same root.
    #[test]
    fn repeated_last_leaves_change_the_root() {
        for count in 1..40_u8 {
            let honest = leaves(count);
            for repeated in 1..=honest.len() {
                let mut mutated = honest.clone();
                mutated.extend_from_within(honest.len() - repeated..);
                assert_ne!(root(&mutated), root(&honest), "{count} leaves, {repeated} repeated");
            }
        }
    }

    #[test]
    fn matches_the_tree_of_a_bitcoin_block_with_four_transactions() {
        // Block 100,000 of Bitcoin's main chain, whose tree is full; hashes as shown by explorers.
        let hash = |text: &str| -> [u8; 32] {
            let mut bytes: [u8; 32] = hex::decode(text).unwrap().try_into().unwrap();
            bytes.reverse();
            bytes
        };
        let leaves = [
            "8c14f0db3df150123e6f3dbbf30f8b955a8249b62ac1d1ff16284aefa3d06d87",
            "fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4",
            "6359f0868171b1d194cbee1af2f16ea598ae8fad666d9b012c8ed2b79a236ec4",
            "e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d",
        ]
        .map(hash);
        assert_eq!(root(&leaves), hash("f3e94742aca4b5ef85488dc37c06c3282295ffec960994b2c0d5ac2a25a95766"));
    }

    #[test]
    fn branch_of_the_first_leaf_does_not_depend_on_it_and_stands_to_the_right() {
        for count in 1..20 {
            let mut leaves = leaves(count);
            let branch_before = branch(&leaves, 0);
            leaves[0] = [99; 32];
            assert_eq!(branch(&leaves, 0), branch_before);
            assert_eq!(branch_before.iter().fold(leaves[0], |hash, sibling| node(&hash, sibling)), root(&leaves));
        }
    }

    #[test]
    fn refuses_a_branch_of_the_wrong_length_and_a_leaf_outside_the_tree() {
        let leaves = leaves(5);
        let mut siblings = branch(&leaves, 4);
        assert_eq!(root_from_branch(leaves[4], 4, 5, &siblings), Some(root(&leaves)));
        assert_eq!(root_from_branch(leaves[4], 5, 5, &siblings), None);
        siblings.push([0; 32]);
        assert_eq!(root_from_branch(leaves[4], 4, 5, &siblings), None);
        assert_eq!(root_from_branch(leaves[4], 4, 5, &[]), None);
    }

    proptest! {
        #[test]
        fn every_leaf_is_proven_by_its_branch_and_no_other_leaf_is(count in 1..200_usize, pick: prop::sample::Index) {
            let leaves: Vec<[u8; 32]> = (0..count).map(|number| sha256d(&number.to_le_bytes())).collect();
            let index = pick.index(count);
            let siblings = branch(&leaves, index);
            prop_assert_eq!(root_from_branch(leaves[index], index, count, &siblings), Some(root(&leaves)));
            prop_assert_ne!(root_from_branch([7; 32], index, count, &siblings), Some(root(&leaves)));
        }
    }
}
