//! The engine's thread, and the handle by which others ask it.

use chain_core::{
    Address, U256,
    block::Block,
    coin::{Lock, OutPoint},
    hash::{BlockHash, TxId},
    header::Header,
    spec::ChainSpec,
    transaction::Transaction,
    units::{Amount, Gas, Height},
};
use std::time::Duration;
use tokio::sync::broadcast;

use super::{
    error::{OpenError, SubmitBlockError, TemplateError},
    event::{BlockOutcome, ChainInfo, ChainTip, NodeEvent},
};
use crate::{
    mempool::{FeeEstimate, LockPending, MempoolConfig, MempoolEntry, MempoolStats, SubmitError},
    store::Store,
    template::{LongPollId, Template, TemplateRequest},
};

/// The engine, asked from other threads. Cheap to clone. Methods that are `async` wait for a bounded queue and then for
/// the engine; dropping their future takes nothing back.
#[derive(Clone)]
pub struct EngineHandle {}

/// What is known of one header of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderInfo {
    /// The header.
    pub header: Header,
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: Height,
    /// Work from genesis to it.
    pub work: U256,
    /// Its base fee, if it was executed.
    pub base_fee: Option<u64>,
    /// Whether it is on the active chain.
    pub active: bool,
}

/// What a transaction would be worth, if it was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestedTransaction {
    /// Its identifier.
    pub txid: TxId,
    /// Fee of a coin transaction; zero for accounts.
    pub fee: Amount,
    /// Gas: exact for coins, the gas limit for accounts.
    pub gas: Gas,
    /// Tip in wei a gas in the next block; negative if it does not cover the base fee.
    pub tip_per_gas: i128,
}

impl EngineHandle {
    /// Starts the engine on a thread of its own. Loads the headers and returns; stored bodies above the store's tip are
    /// then replayed (`syncing`, [`NodeEvent::Progress`]) while questions are answered.
    ///
    /// # Errors
    /// [`OpenError`] if the store cannot be read or its headers are no tree.
    pub fn start(_store: Store, _spec: ChainSpec, _mempool: MempoolConfig) -> Result<Self, OpenError> {
        todo!()
    }

    /// Waits until the engine has stopped by itself, since its storage failed; answers why. Never ends otherwise.
    pub async fn failed(&self) -> String {
        todo!()
    }

    /// The chain now, without waiting for the engine.
    pub fn chain_info(&self) -> ChainInfo {
        todo!()
    }

    /// Subscribes to events. A subscriber that falls behind loses the oldest.
    pub fn subscribe(&self) -> broadcast::Receiver<NodeEvent> {
        todo!()
    }

    /// Hands in a transaction.
    ///
    /// # Errors
    /// [`SubmitError`] says which rule or limit it misses.
    pub async fn submit_transaction(&self, _transaction: Transaction) -> Result<TxId, SubmitError> {
        todo!()
    }

    /// Judges a transaction as if it was handed in, and keeps nothing.
    ///
    /// # Errors
    /// [`SubmitError`] says which rule or limit it misses.
    pub async fn test_transaction(&self, _transaction: Transaction) -> Result<TestedTransaction, SubmitError> {
        todo!()
    }

    /// Hands in a block.
    ///
    /// # Errors
    /// [`SubmitBlockError`] says which rule it breaks.
    pub async fn submit_block(&self, _block: Block) -> Result<BlockOutcome, SubmitBlockError> {
        todo!()
    }

    /// The best block to mine now.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub async fn block_template(&self, _request: TemplateRequest) -> Result<Template, TemplateError> {
        todo!()
    }

    /// As [`EngineHandle::block_template`], but waits until it is worth changing from the one with this long-poll id, at
    /// most so long.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub async fn next_template(
        &self,
        _request: TemplateRequest,
        _than: LongPollId,
        _at_most: Duration,
    ) -> Result<Template, TemplateError> {
        todo!()
    }

    /// Mines `count` blocks at once on the engine's thread; for chains of trivial difficulty (`--dev`). `time` is the
    /// least time of the first block, for tools that move the clock forward.
    ///
    /// # Errors
    /// [`TemplateError`], also when the difficulty is not trivial.
    pub async fn mine(
        &self,
        _request: TemplateRequest,
        _count: u32,
        _time: Option<u32>,
    ) -> Result<Vec<BlockHash>, TemplateError> {
        todo!()
    }

    /// Leaves of the block tree, the active tip first.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn tips(&self) -> Result<Vec<ChainTip>, Stopped> {
        todo!()
    }

    /// A header of any branch.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn header(&self, _hash: BlockHash) -> Result<Option<HeaderInfo>, Stopped> {
        todo!()
    }

    /// A transaction of the mempool.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn mempool_transaction(&self, _txid: TxId) -> Result<Option<MempoolEntry>, Stopped> {
        todo!()
    }

    /// All transactions of the mempool, best first.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn mempool_content(&self) -> Result<Vec<MempoolEntry>, Stopped> {
        todo!()
    }

    /// Account transactions of one sender in the mempool, by nonce.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn mempool_of_sender(&self, _sender: Address) -> Result<Vec<MempoolEntry>, Stopped> {
        todo!()
    }

    /// What the mempool gives to and takes from a lock.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn mempool_of_lock(&self, _lock: Lock) -> Result<LockPending, Stopped> {
        todo!()
    }

    /// Which transaction of the mempool spends a coin.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn mempool_spender(&self, _outpoint: OutPoint) -> Result<Option<TxId>, Stopped> {
        todo!()
    }

    /// The nonce that the sender's next transaction should have, counting what is executable in the mempool; `None` if
    /// the mempool has nothing of this sender.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn pending_nonce(&self, _sender: Address) -> Result<Option<u64>, Stopped> {
        todo!()
    }

    /// Size and limits of the mempool, without waiting for the engine.
    pub fn mempool_stats(&self) -> MempoolStats {
        todo!()
    }

    /// What a transaction should offer to be mined soon.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn estimate_fee(&self) -> Result<FeeEstimate, Stopped> {
        todo!()
    }

    /// Flushes and stops the engine; answers when its thread has ended.
    pub async fn shutdown(&self) {
        todo!()
    }
}

/// The engine is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is shutting down")]
pub struct Stopped;
