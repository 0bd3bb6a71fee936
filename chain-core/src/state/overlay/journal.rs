//! The journal: a flat list of writes, and how each entry is reverted.

use super::{Overlay, entry::Entry, ids::Checkpoint};

impl Overlay<'_> {
    /// The current position.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { journal: self.journal.len(), logs: self.logs.len() }
    }

    /// Reverts all that was written since a checkpoint of this transaction.
    pub fn revert(&mut self, checkpoint: Checkpoint) {
        self.logs.truncate(checkpoint.logs);
        while self.journal.len() > checkpoint.journal {
            let Some(entry) = self.journal.pop() else { break };
            self.revert_entry(entry);
        }
    }

    fn revert_entry(&mut self, entry: Entry) {
        match entry {
            Entry::Balance { account, before } => self.accounts[account.index()].now.balance = before,
            Entry::Nonce { account, before } => self.accounts[account.index()].now.nonce = before,
            Entry::Code { account, before } => {
                let entry = &mut self.accounts[account.index()];
                (entry.now.code_hash, entry.code) = *before;
            }
            Entry::Touched { account } => {
                self.accounts[account.index()].touched = 0;
                self.touched.pop();
            }
            Entry::Warmed { account } => self.accounts[account.index()].warm = 0,
            Entry::Created { account } => self.accounts[account.index()].created = 0,
            Entry::Destroyed { account } => {
                self.accounts[account.index()].destroyed = 0;
                self.destroyed.pop();
            }
            Entry::Burned { wei } => self.burned -= wei,
            Entry::Slot { slot, before } => self.slots[slot.index()].now = before,
            Entry::SlotWarmed { slot } => self.slots[slot.index()].warm = 0,
            Entry::Transient { index, before } => self.transient[index as usize].now = before,
            Entry::CoinSpent { coin } => self.unspend(coin),
            Entry::CoinCreated { coin } => self.unmake(coin),
        }
    }
}
