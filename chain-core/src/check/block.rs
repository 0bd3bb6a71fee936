//! A block alone.

use crate::{
    block::{Block, CheckedBlock, TxMeta},
    codec::CodecError,
    error::RuleError,
    hash::BlockHash,
    spec::ChainSpec,
    transaction::Transaction,
};

/// A block with all that is computed from its encoding, so that each transaction is encoded and hashed once. Says
/// nothing about rules.
#[derive(Clone, Debug)]
pub struct HashedBlock {
    block: Block,
    hash: BlockHash,
    metas: Vec<TxMeta>,
    leaves: Vec<[u8; 32]>,
    size: usize,
}

impl HashedBlock {
    /// Encodes and hashes every transaction of a block.
    pub fn new(_block: Block) -> Self {
        todo!()
    }

    /// The block.
    pub fn block(&self) -> &Block {
        &self.block
    }
}

/// Decodes a block and hashes its transactions in one go: the way in for bytes of the network and the disk.
///
/// # Errors
/// [`CodecError`] if the bytes are not the canonical encoding of a block.
pub fn decode_block(_bytes: &[u8]) -> Result<HashedBlock, CodecError> {
    todo!()
}

/// Checks all that a block shows without its ancestors: BLK-1 to BLK-5, what coins alone use of BLK-6, CB-2, CB-4, COIN-1
/// to COIN-6 and POL-1. Neither the header's work nor any state is looked at.
///
/// # Errors
/// The block and the rule that it breaks; see [`RuleError::blames_body_only`] for whose fault that is.
pub fn check_block(spec: &ChainSpec, block: Block) -> Result<CheckedBlock, (Block, RuleError)> {
    check_hashed_block(spec, HashedBlock::new(block))
}

/// [`check_block`] for a block that was hashed while it was decoded.
///
/// # Errors
/// As for [`check_block`].
pub fn check_hashed_block(_spec: &ChainSpec, _block: HashedBlock) -> Result<CheckedBlock, (Block, RuleError)> {
    todo!()
}

/// Checks a transaction that stands alone (not a coinbase) and answers its identifier and size.
///
/// Of an account transaction only BLK-4 remains to be checked: it was well-formed to be decoded at all.
///
/// # Errors
/// BLK-2, BLK-4, COIN-1 to COIN-6, POL-1.
pub fn check_transaction(_transaction: &Transaction) -> Result<TxMeta, RuleError> {
    todo!()
}
