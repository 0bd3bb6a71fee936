//! The journal: what was written, as a flat list, and how each entry is taken back.

use alloy_primitives::{B256, U256};

use super::{AccountId, Overlay, SlotId, coin::CoinId};
use crate::vm::Code;

/// One write. Each says what was done and carries what takes it back.
#[derive(Debug)]
pub(super) enum Entry {
    /// A balance was written. Revert: writes the one before.
    Balance { account: AccountId, before: U256 },
    /// A nonce was written. Revert: writes the one before.
    Nonce { account: AccountId, before: u64 },
    /// Code was written. Revert: writes the hash and code before (boxed: rare and large).
    Code { account: AccountId, before: Box<(B256, Option<Code>)> },
    /// An account was touched. Revert: it is not (it is the last of the list).
    Touched { account: AccountId },
    /// An account became warm. Revert: it is cold.
    Warmed { account: AccountId },
    /// An account was made in this transaction. Revert: it was not.
    Created { account: AccountId },
    /// An account is to end with this transaction. Revert: it is not (it is the last of the list).
    Destroyed { account: AccountId },
    /// Wei were destroyed. Revert: they are not.
    Burned { wei: U256 },
    /// A slot was written. Revert: writes the value before.
    Slot { slot: SlotId, before: U256 },
    /// A slot became warm. Revert: it is cold.
    SlotWarmed { slot: SlotId },
    /// A transient slot was written. Revert: writes the value before.
    Transient { index: u32, before: U256 },
    /// A coin was spent. Revert: it is unspent (it is the last of the spent).
    CoinSpent { coin: CoinId },
    /// A coin was made. Revert: there is none (it is the last of the made).
    CoinCreated { coin: CoinId },
}

/// A position to which writes can be reverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    journal: usize,
    logs: usize,
}

impl Checkpoint {
    /// Where the running transaction began.
    pub(super) const START: Self = Self { journal: 0, logs: 0 };
}

impl Overlay<'_> {
    /// Where writes stand now.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { journal: self.journal.len(), logs: self.logs.len() }
    }

    /// Takes back all that was written since a checkpoint of this transaction.
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
