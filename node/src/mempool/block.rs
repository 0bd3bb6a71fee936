//! What blocks do to the pool.

use alloy_primitives::map::HashSet;
use chain_core::{block::CheckedBlock, hash::TxId, state::AccountChange, transaction::Transaction, units::Height};
use std::sync::Arc;

use super::{ChainPoint, Id, Mempool, RemovalReason, SubmitError, slab::Slot};

impl Mempool {
    /// Drops what a connected block holds and what it contradicts. `accounts` are the accounts that it changed; `point`
    /// is the chain after it.
    pub fn block_connected(&mut self, point: &ChainPoint, block: &CheckedBlock, accounts: &[AccountChange]) {
        self.set_base_fee(point.base_fee);
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
            for entry in self.accounts.update_sender(&change.address, after.nonce, after.balance) {
                let own = mined.contains(&entry.txid);
                self.forget_account(&entry, if own { RemovalReason::Mined } else { RemovalReason::Conflict });
            }
        }
    }

    /// After blocks were taken back and others connected: drops what rested on them and answers with it, in order of
    /// arrival, for it may stand again on what the new branch holds. `returned` are the transactions taken back.
    ///
    /// # Errors
    /// [`SubmitError::Local`] if the state cannot be read.
    pub fn reorganised(&mut self, point: &ChainPoint, returned: &[TxId]) -> Result<Vec<Arc<Transaction>>, SubmitError> {
        self.set_base_fee(point.base_fee);
        let rested: Vec<Slot> = returned.iter().flat_map(|txid| self.coins.spenders_of(txid)).collect();
        let early = self.too_early(point.height);
        let mut dropped = Vec::new();
        for slot in rested.into_iter().chain(early) {
            if self.coins.contains(slot) {
                let all = self.coins.descent(&[slot]);
                dropped.extend(
                    all.iter()
                        .map(|slot| self.coins.get(*slot))
                        .map(|entry| (entry.sequence, entry.transaction.clone())),
                );
                self.drop_coins(&[slot], RemovalReason::Invalid);
            }
        }
        for sender in self.accounts.senders() {
            let account = point.view.account(&sender)?.unwrap_or_default();
            for entry in self.accounts.update_sender(&sender, account.nonce, account.balance) {
                self.forget_account(&entry, RemovalReason::Conflict);
            }
        }
        dropped.sort_by_key(|(sequence, _)| *sequence);
        Ok(dropped.into_iter().map(|(_, transaction)| transaction).collect())
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

    fn set_base_fee(&mut self, base_fee: u64) {
        self.base_fee = base_fee;
        self.accounts.set_base_fee(base_fee);
    }
}
