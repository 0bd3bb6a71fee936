//! What blocks do to the pool.

use alloy_primitives::map::HashSet;
use chain_core::{
    Address,
    block::CheckedBlock,
    hash::TxId,
    state::{Account, AccountChange},
    transaction::Transaction,
    units::Height,
};
use std::sync::Arc;

use super::{Id, Mempool, RemovalReason, types::Slot};

/// A transaction that was dropped and may stand again, with its order of arrival.
pub type Dropped = (u64, Arc<Transaction>);

impl Mempool {
    /// Drops what a connected block holds and what it contradicts. `accounts` are the accounts that it changed,
    /// `base_fee` is that of the block after it.
    pub fn block_connected(&mut self, base_fee: u64, block: &CheckedBlock, accounts: &[AccountChange]) {
        self.set_base_fee(base_fee);
        let mut mined: HashSet<TxId> = HashSet::default();
        for (transaction, meta) in block.block().transactions.iter().zip(block.metas()) {
            match transaction {
                Transaction::Coin(tx) => {
                    if let Some(Id::Coin(slot)) = self.by_txid.get(&meta.txid).copied() {
                        self.drop_coin_alone(slot, RemovalReason::Mined);
                        continue;
                    }
                    for input in &tx.inputs {
                        if let Some(slot) = self.coins.spender(input) {
                            self.drop_coins(&[slot], RemovalReason::Conflict);
                        }
                    }
                }
                Transaction::Account(_) => {
                    mined.insert(meta.txid);
                }
                Transaction::Coinbase(_) => {}
            }
        }
        for change in accounts {
            let after = change.after.unwrap_or_default();
            let (used, sorted) = self.accounts.update_sender(&change.address, after.into());
            for entry in used {
                let own = mined.contains(&entry.txid);
                self.forget_account(&entry, if own { RemovalReason::Mined } else { RemovalReason::Conflict });
            }
            self.note_sorted(sorted);
        }
        self.lower_floor();
    }

    /// The tip was disconnected: drops what spends coins with these ids, which the block made, or is not paid for
    /// without it, and returns that, since it may be valid again on the new branch. `accounts` are those that
    /// the block changed, as they are without it.
    pub fn block_disconnected(&mut self, names: &[TxId], accounts: &[(Address, Account)]) -> Vec<Dropped> {
        let rested: Vec<Slot> = names.iter().flat_map(|name| self.coins.spenders_of(name)).collect();
        let mut dropped = self.drop_to_return(&rested);
        for (address, account) in accounts {
            // On a development chain the nonce may rise.
            let (used, sorted) = self.accounts.update_sender(address, (*account).into());
            used.iter().for_each(|entry| self.forget_account(entry, RemovalReason::Conflict));
            let unpaid = self.note_sorted(sorted);
            dropped.extend(unpaid.into_iter().map(|entry| (entry.sequence, entry.transaction)));
        }
        dropped
    }

    /// Finishes a reorganisation: checks heights and the base fee again, and returns what it drops and may be valid again.
    pub fn reorganised(&mut self, height: Height, base_fee: u64) -> Vec<Dropped> {
        self.set_base_fee(base_fee);
        let early = self.too_early(height);
        let dropped = self.drop_to_return(&early);
        self.lower_floor();
        dropped
    }

    /// Drops these with all that spends from them, and answers with all.
    fn drop_to_return(&mut self, slots: &[Slot]) -> Vec<Dropped> {
        let mut dropped = Vec::new();
        for slot in slots {
            if self.coins.contains(*slot) {
                let all = self.coins.descent(&[*slot]).into_iter().map(|slot| self.coins.get(slot));
                dropped.extend(all.map(|entry| (entry.sequence, entry.transaction.clone())));
                self.drop_coins(&[*slot], RemovalReason::Invalid);
            }
        }
        dropped
    }

    /// Drops what turned out not to stand in the next block.
    pub fn drop_invalid(&mut self, txids: &[TxId]) {
        for txid in txids {
            match self.by_txid.get(txid).copied() {
                Some(Id::Coin(slot)) => self.drop_coins(&[slot], RemovalReason::Invalid),
                Some(Id::Account(slot)) => self.drop_account(slot, RemovalReason::Invalid),
                None => {}
            }
        }
        self.lower_floor();
    }

    /// Transactions whose heights or ages are not reached in a block of this height: possible only after a
    /// reorganisation to a shorter branch.
    fn too_early(&self, height: Height) -> Vec<Slot> {
        self.coins.iter().filter(|(_, entry)| entry.valid_from > height).map(|(slot, _)| slot).collect()
    }

    /// Drops these with all that spends from them; some may be gone already.
    pub(super) fn drop_each(&mut self, slots: &[Slot], reason: RemovalReason) {
        for slot in slots {
            if self.coins.contains(*slot) {
                self.drop_coins(&[*slot], reason);
            }
        }
    }

    pub(crate) fn set_base_fee(&mut self, base_fee: u64) {
        self.base_fee = base_fee;
        self.accounts.set_base_fee(base_fee);
        self.coins.set_base_fee(base_fee);
    }
}
