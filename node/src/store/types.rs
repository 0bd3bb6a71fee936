//! What a store keeps beside the ledger's own types.

use alloy_primitives::{Address, B256, U256};
use chain_core::{
    block::header::Header,
    hash::{BlockHash, TxId},
    transaction::{
        account::Receipt,
        coin::{Coin, OutPoint},
    },
    units::{Amount, Gas, Height},
};

/// A block by height and hash: where its body and undo data are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockRef {
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: BlockHash,
}

impl BlockRef {
    /// Whether it is among the blocks up to a height that were pruned, or should be: the genesis block never is.
    pub fn is_pruned(self, pruned: Height) -> bool {
        (1..=pruned).contains(&self.height)
    }
}

/// What is known of a block's validity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Not executed yet.
    #[default]
    Unknown,
    /// Executed once, and found to keep every rule.
    Valid,
    /// Breaks a rule, or an ancestor does.
    Invalid,
}

/// What executing a block told; kept so that its fees and roots are known without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Wei a unit of gas that was burned.
    pub base_fee: u64,
    /// Gas that its transactions used.
    pub gas_used: Gas,
    /// State root after it.
    pub state_root: B256,
    /// Digest of the coin set after it, the coins of its coinbase included, which the coinbase cannot commit to.
    pub coins_digest: B256,
    /// Wei that it minted.
    pub minted: U256,
    /// Wei that it destroyed.
    pub burned: U256,
}

/// A header with what is known of its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderRecord {
    /// Hash of the header.
    pub hash: BlockHash,
    /// The header.
    pub header: Header,
    /// Its height.
    pub height: Height,
    /// Whether the body is stored.
    pub body: bool,
    /// Whether it keeps the rules.
    pub verdict: Verdict,
    /// Set with the verdict `Valid`.
    pub executed: Option<Executed>,
    /// Work from genesis to it, which the store adds.
    pub work: U256,
}

impl HeaderRecord {
    /// A header of which nothing else is known.
    pub fn new(header: Header, height: Height) -> Self {
        Self::with_hash(header, header.hash(), height)
    }

    /// The same, its hash being known.
    pub fn with_hash(header: Header, hash: BlockHash, height: Height) -> Self {
        Self { hash, header, height, body: false, verdict: Verdict::Unknown, executed: None, work: U256::ZERO }
    }

    /// Where its body is stored.
    pub fn at(&self) -> BlockRef {
        BlockRef { height: self.height, hash: self.hash }
    }
}

/// Where a transaction stands on the active chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxPlace {
    /// Its block.
    pub block: BlockRef,
    /// Its position in the block; 0 is the coinbase.
    pub position: u32,
}

/// A receipt with what Ethereum's RPC tells beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredReceipt {
    /// Position of the transaction in the block.
    pub position: u32,
    /// Who sent it.
    pub sender: Address,
    /// Gas that it used alone.
    pub gas_used: Gas,
    /// The receipt.
    pub receipt: Receipt,
}

/// A place in a history, newest first: a transaction by height and position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HistoryPlace {
    /// Height of the block.
    pub height: Height,
    /// Position of the transaction in it.
    pub position: u32,
}

/// A place among the coins that a lock received, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CoinPlace {
    /// The transaction.
    pub transaction: HistoryPlace,
    /// Which of its outputs.
    pub index: u32,
}

/// An unspent coin and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedCoin {
    /// Where it stands.
    pub place: CoinPlace,
    /// Its name.
    pub outpoint: OutPoint,
    /// The coin.
    pub coin: Coin,
}

/// Some of a lock's coins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoinsPage {
    /// In the order of their places.
    pub coins: Vec<PlacedCoin>,
    /// What the next page comes after; `None` if this is the last.
    pub next: Option<CoinPlace>,
    /// Coins that were looked up, the spent ones counted.
    pub read: usize,
}

/// What one transaction did to a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockEvent {
    /// The transaction.
    pub place: HistoryPlace,
    /// Its identifier.
    pub txid: TxId,
    /// Whether it is an account transaction. At position 0 it is a coinbase, else one of coins.
    pub withdrawal: bool,
    /// Grains paid to the lock.
    pub received: Amount,
    /// Grains taken from it.
    pub sent: Amount,
}

/// Sums over the state at the tip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Number of unspent coins.
    pub coins: u64,
    /// What they are worth together.
    pub coin_grains: Amount,
    /// Number of accounts.
    pub accounts: u64,
    /// Their balances together.
    pub account_wei: U256,
    /// Wei minted since genesis, the genesis allocations included.
    pub minted: U256,
    /// Wei destroyed since genesis.
    pub burned: U256,
}
