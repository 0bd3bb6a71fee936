//! Beneficiaries of blocks that calls ran in: only the bodies have them, which are long.

use alloy_primitives::Address;
use chain_core::{block::first_transaction, hash::BlockHash, transaction::Transaction};
use parking_lot::Mutex;
use std::collections::VecDeque;

use super::error::{RpcResult, internal};
use crate::store::{BlockRef, Snapshot};

/// How many are kept.
const MAX_KEPT: usize = 64;

/// The latest of them.
#[derive(Default)]
pub struct Beneficiaries(Mutex<VecDeque<(BlockHash, Address)>>);

impl Beneficiaries {
    /// The beneficiary of a block.
    pub fn of(&self, snapshot: &Snapshot, at: BlockRef) -> RpcResult<Address> {
        if let Some((_, found)) = self.0.lock().iter().find(|(hash, _)| *hash == at.hash) {
            return Ok(*found);
        }
        let (_, first) = first_transaction(&snapshot.body_bytes(at)?).map_err(internal)?;
        let Transaction::Coinbase(coinbase) = first else {
            return Err(internal(format!("block {} has no coinbase", at.hash)));
        };
        let mut kept = self.0.lock();
        kept.push_front((at.hash, coinbase.beneficiary));
        kept.truncate(MAX_KEPT);
        Ok(coinbase.beneficiary)
    }
}
