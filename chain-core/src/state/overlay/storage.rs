//! Storage of an overlay's accounts, persistent and transient.

use alloy_primitives::{U256, map::Entry as MapEntry};

use super::{
    Overlay,
    entry::{Entry, SlotEntry, TransientEntry},
    ids::{AccountId, NO_SLOT, SlotId, number},
};
use crate::{error::ViewError, trie::EMPTY_ROOT};

impl Overlay<'_> {
    /// A slot that was read before. See [`Overlay::slot`].
    pub fn known_slot(&mut self, account: AccountId, key: U256) -> Option<SlotId> {
        let id = *self.slot_ids.get(&(account, key))?;
        let slot = &mut self.slots[id.index()];
        if slot.read != self.transaction {
            slot.read = self.transaction;
            slot.original = slot.now;
        }
        Some(id)
    }

    /// Finds a slot of an account, reading it from the view the first time. Each transaction must call it before it
    /// writes the slot.
    ///
    /// # Errors
    /// [`ViewError`] if it cannot be read.
    pub fn slot(&mut self, account: AccountId, key: U256) -> Result<SlotId, ViewError> {
        if let Some(id) = self.known_slot(account, key) {
            return Ok(id);
        }
        let owner = &mut self.accounts[account.index()];
        let before = match owner.before {
            Some(_) => self.view.storage(&owner.address, &key)?,
            None => U256::ZERO,
        };
        let id = SlotId(number(self.slots.len()));
        let next = std::mem::replace(&mut owner.slots, id.0);
        let read = self.transaction;
        self.slots.push(SlotEntry { account, key, before, original: before, now: before, read, warm: 0, next });
        self.slot_ids.insert((account, key), id);
        Ok(id)
    }

    /// Whether an account has storage, or a slot of it was read.
    pub fn may_have_storage(&self, account: AccountId) -> bool {
        let entry = &self.accounts[account.index()];
        entry.now.storage_root != EMPTY_ROOT || entry.slots != NO_SLOT
    }

    /// Value of a slot.
    pub fn storage(&self, id: SlotId) -> U256 {
        self.slots[id.index()].now
    }

    /// Value that the slot had when the transaction began.
    pub fn original_storage(&self, id: SlotId) -> U256 {
        self.slots[id.index()].original
    }

    /// Writes a slot.
    pub fn set_storage(&mut self, id: SlotId, value: U256) {
        let slot = &mut self.slots[id.index()];
        self.journal.push(Entry::Slot { slot: id, before: slot.now });
        slot.now = value;
    }

    /// Marks a slot as accessed (EIP-2929); whether it was cold.
    pub fn warm_slot(&mut self, id: SlotId) -> bool {
        let slot = &mut self.slots[id.index()];
        let cold = slot.warm != self.transaction;
        if cold {
            slot.warm = self.transaction;
            self.journal.push(Entry::SlotWarmed { slot: id });
        }
        cold
    }

    /// Value of a transient slot (EIP-1153).
    pub fn transient(&self, account: AccountId, key: U256) -> U256 {
        self.transient_ids.get(&(account, key)).map_or(U256::ZERO, |index| self.transient[*index as usize].now)
    }

    /// Writes a transient slot.
    pub fn set_transient(&mut self, account: AccountId, key: U256, value: U256) {
        let index = match self.transient_ids.entry((account, key)) {
            MapEntry::Occupied(index) => *index.get(),
            MapEntry::Vacant(vacant) => {
                self.transient.push(TransientEntry { now: U256::ZERO });
                *vacant.insert(number(self.transient.len() - 1))
            }
        };
        let before = std::mem::replace(&mut self.transient[index as usize].now, value);
        if before != value {
            self.journal.push(Entry::Transient { index, before });
        }
    }

    /// Zeroes the slots of an account that were read. Only an account created by the same transaction is deleted, so it
    /// has no others.
    pub(super) fn clear_storage(&mut self, account: AccountId) {
        let mut next = self.accounts[account.index()].slots;
        while next != NO_SLOT {
            let slot = &mut self.slots[next as usize];
            slot.now = U256::ZERO;
            next = slot.next;
        }
    }
}
