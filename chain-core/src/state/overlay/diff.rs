//! The changes of an overlay, at the end of a block.

use alloy_primitives::{Address, B256, Bytes};

use super::{Overlay, entry::CoinStatus};
use crate::{
    state::effects::{AccountChange, StorageChange},
    transaction::coin::{Coin, OutPoint},
};

/// All differences from the view. Storage roots are still those of the view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Coins of the view that were spent, in order.
    pub spent: Vec<(OutPoint, Coin)>,
    /// Coins that were created and are unspent, in order.
    pub created: Vec<(OutPoint, Coin)>,
    /// Coins both created and spent, in order of creation.
    pub transient: Vec<(OutPoint, Coin)>,
    /// Accounts whose fields or storage changed, sorted by address.
    pub accounts: Vec<AccountChange>,
    /// Changed slots, sorted by address and slot.
    pub storage: Vec<StorageChange>,
    /// New code by its hash, sorted.
    pub codes: Vec<(B256, Bytes)>,
}

impl Overlay<'_> {
    /// The differences from the view. Called after the last transaction has ended.
    pub fn into_diff(self) -> Diff {
        let mut diff = Diff::default();
        for id in &self.spent {
            let entry = &self.coins[id.index()];
            if entry.in_view {
                diff.spent.push((entry.outpoint, entry.coin));
            }
        }
        for id in &self.created {
            let entry = &self.coins[id.index()];
            let list = if entry.status == CoinStatus::Spent { &mut diff.transient } else { &mut diff.created };
            list.push((entry.outpoint, entry.coin));
        }
        diff.storage = self.storage_changes();
        diff.accounts = self.account_changes(&diff.storage);
        diff.codes = self.accounts.iter().filter_map(|entry| entry.new_code()).collect();
        diff.codes.sort_unstable_by_key(|(hash, _)| *hash);
        diff.codes.dedup_by_key(|(hash, _)| *hash);
        diff
    }

    fn storage_changes(&self) -> Vec<StorageChange> {
        let changed = self.slots.iter().filter(|slot| slot.now != slot.before);
        let mut changes: Vec<StorageChange> = changed
            .map(|slot| StorageChange {
                address: self.address(slot.account),
                slot: slot.key,
                before: slot.before,
                after: slot.now,
            })
            .collect();
        changes.sort_unstable_by_key(|change| (change.address, change.slot));
        changes
    }

    fn account_changes(&self, storage: &[StorageChange]) -> Vec<AccountChange> {
        let has_storage = |address: &Address| storage.binary_search_by(|change| change.address.cmp(address)).is_ok();
        let changed = self.accounts.iter().filter(|entry| entry.before != entry.after() || has_storage(&entry.address));
        let mut changes: Vec<AccountChange> = changed
            .map(|entry| AccountChange { address: entry.address, before: entry.before, after: entry.after() })
            .collect();
        changes.sort_unstable_by_key(|change| change.address);
        changes
    }
}

/// The slots of one address among sorted changes.
pub(crate) fn slots_of<'a>(storage: &'a [StorageChange], address: &Address) -> &'a [StorageChange] {
    let start = storage.partition_point(|change| change.address < *address);
    let len = storage[start..].partition_point(|change| change.address == *address);
    &storage[start..start + len]
}
