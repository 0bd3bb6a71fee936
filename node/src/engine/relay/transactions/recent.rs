//! Transactions that need not be asked for: those that blocks brought lately, and those that this node refuses until the next
//! block, whatever their witnesses are.

use chain_core::{
    hash::TxId,
    transaction::{Transaction, coin::Witness},
};

use super::known::Known;
use crate::mempool::{MempoolError, SubmitError};

/// Names of both kinds.
#[derive(Debug, Default)]
pub(super) struct Recent {
    mined: Known,
    refused: Known,
}

impl Recent {
    /// Whether a transaction need not be asked for.
    pub(super) fn contains(&self, txid: &TxId) -> bool {
        self.mined.contains(txid) || self.refused.contains(txid)
    }

    /// A block brought transactions. Others may be taken now.
    pub(super) fn connected(&mut self, txids: impl Iterator<Item = TxId>) {
        txids.for_each(|txid| _ = self.mined.insert(&txid));
        self.refused = Known::default();
    }

    /// A block was disconnected: its transactions, and any other, may be wanted again.
    pub(super) fn disconnected(&mut self, txids: impl Iterator<Item = TxId>) {
        txids.for_each(|txid| self.mined.remove(&txid));
        self.refused = Known::default();
    }

    /// Names in it.
    pub(super) fn len(&self) -> usize {
        self.mined.len() + self.refused.len()
    }

    /// A transaction was not taken.
    pub(super) fn refused(&mut self, txid: &TxId, transaction: &Transaction, error: &SubmitError) {
        if is_final(transaction, error) {
            self.refused.insert(txid);
        }
    }
}

/// Whether no other witnesses and no other transaction change the refusal before the next block.
fn is_final(transaction: &Transaction, error: &SubmitError) -> bool {
    let SubmitError::Mempool(error) = error else { return false };
    match error {
        MempoolError::Dust { .. } | MempoolError::Coinbase | MempoolError::NonceTooLow { .. } => true,
        MempoolError::TooLarge { .. }
        | MempoolError::TipTooLow { .. }
        | MempoolError::ReplacementFee { .. }
        | MempoolError::ReplacementPrice { .. }
        | MempoolError::GasOverBlock { .. }
        | MempoolError::Full { .. } => is_least(transaction),
        _ => false,
    }
}

/// Whether no other transaction of this name is smaller. A coin transaction's name does not commit to its witnesses, and its
/// gas counts them: an attacker who makes those of a policy longer must not keep the right copy out.
fn is_least(transaction: &Transaction) -> bool {
    match transaction {
        Transaction::Coin(tx) => tx.witnesses.iter().all(|witness| matches!(witness, Witness::Key(_))),
        Transaction::Account(_) | Transaction::Coinbase(_) => true,
    }
}
