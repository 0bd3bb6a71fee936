//! The state before the genesis block.

use alloy_primitives::{Address, B256, Bytes, U256};
use std::sync::Arc;

use super::{Account, StateView, ViewError};
use crate::{
    hash::BlockHash,
    state::lthash::LtHash,
    transaction::coin::{Coin, OutPoint},
    trie::{Node, NodeKey},
    units::Height,
};

/// An empty state.
pub struct EmptyState;

impl StateView for EmptyState {
    fn coin(&self, _: &OutPoint) -> Result<Option<Coin>, ViewError> {
        Ok(None)
    }

    fn account(&self, _: &Address) -> Result<Option<Account>, ViewError> {
        Ok(None)
    }

    fn storage(&self, _: &Address, _: &U256) -> Result<U256, ViewError> {
        Ok(U256::ZERO)
    }

    fn code(&self, _: &B256) -> Result<Bytes, ViewError> {
        Ok(Bytes::new())
    }

    fn block_hash(&self, _: Height) -> Result<Option<BlockHash>, ViewError> {
        Ok(None)
    }

    fn trie_node(&self, _: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        Ok(None)
    }

    fn coins_digest(&self) -> Result<LtHash, ViewError> {
        Ok(LtHash::default())
    }
}
