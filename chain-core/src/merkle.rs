//! The merkle tree over a block's transactions.
