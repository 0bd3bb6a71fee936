//! The merkle tree over a block's transactions.
//!
//! A leaf is SHA-256d of an encoded transaction with its witnesses, a node SHA-256d(left || right). An odd node is
//! promoted unchanged and never duplicated (CVE-2012-2459).

use crate::transaction::Transaction;

/// The leaf of a transaction.
pub fn leaf(transaction: &Transaction) -> [u8; 32] {
    crate::hash::sha256d(&transaction.encode())
}

/// The root over leaves; zero for none.
pub fn root(_leaves: &[[u8; 32]]) -> [u8; 32] {
    todo!()
}

/// The siblings on the way from a leaf to the root, lowest first. For leaf 0 it does not depend on that leaf, and each
/// sibling stands to the right: what stratum miners need.
///
/// # Panics
/// If there is no leaf `index`.
pub fn branch(_leaves: &[[u8; 32]], _index: usize) -> Vec<[u8; 32]> {
    todo!()
}

/// The root that a leaf and its branch lead to, in a tree of `count` leaves; `None` if the branch does not have the
/// length that this position asks for.
pub fn root_from_branch(_leaf: [u8; 32], _index: usize, _count: usize, _branch: &[[u8; 32]]) -> Option<[u8; 32]> {
    todo!()
}
