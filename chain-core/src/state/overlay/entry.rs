//! The entries of an overlay for accounts, slots and coins, and the entries of its journal.

use alloy_primitives::{Address, B256, U256};

use super::ids::{AccountId, CoinId, SlotId};
use crate::{
    state::view::Account,
    transaction::coin::{Coin, OutPoint},
    vm::Code,
};

/// One write, with the data that reverts it.
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
    /// An account was created in this transaction. Revert: it was not.
    Created { account: AccountId },
    /// An account was scheduled for deletion. Revert: it is not (it is the last of the list).
    Destroyed { account: AccountId },
    /// Wei were burned. Revert: they are not.
    Burned { wei: U256 },
    /// A slot was written. Revert: writes the value before.
    Slot { slot: SlotId, before: U256 },
    /// A slot became warm. Revert: it is cold.
    SlotWarmed { slot: SlotId },
    /// A transient slot was written. Revert: writes the value before.
    Transient { index: u32, before: U256 },
    /// A coin was spent. Revert: it is unspent (it is the last of the spent).
    CoinSpent { coin: CoinId },
    /// A coin was created. Revert: it does not exist (it is the last of the created).
    CoinCreated { coin: CoinId },
}

/// The status of a coin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CoinStatus {
    Unspent,
    Spent,
    /// It was created, and that was reverted.
    Absent,
}

/// A coin that was read or created.
#[derive(Debug)]
pub(super) struct CoinEntry {
    pub outpoint: OutPoint,
    pub coin: Coin,
    /// Whether the view has it.
    pub in_view: bool,
    pub status: CoinStatus,
}

/// An account that was read. Stamps are numbers of transactions.
#[derive(Debug)]
pub(super) struct AccountEntry {
    pub address: Address,
    /// In the view.
    pub before: Option<Account>,
    /// Now; the default if it does not exist.
    pub now: Account,
    /// Whether it existed after the last transaction that touched it.
    pub exists: bool,
    /// Its code, once read or written, if it has any.
    pub code: Option<Code>,
    pub touched: u32,
    pub warm: u32,
    pub created: u32,
    pub destroyed: u32,
    /// First of its slots that were read.
    pub slots: u32,
}

/// A slot that was read. Stamps are numbers of transactions.
#[derive(Debug)]
pub(super) struct SlotEntry {
    pub account: AccountId,
    pub key: U256,
    /// In the view.
    pub before: U256,
    /// When the transaction of the stamp `read` began (EIP-2200's original value).
    pub original: U256,
    /// Now (EIP-2200's current value).
    pub now: U256,
    pub read: u32,
    pub warm: u32,
    /// Next slot of the same account.
    pub next: u32,
}

/// A transient slot (EIP-1153).
#[derive(Debug)]
pub(super) struct TransientEntry {
    pub now: U256,
}
