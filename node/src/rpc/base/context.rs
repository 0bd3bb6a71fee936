//! What the methods work with.

use chain_core::{
    block::Block,
    hash::BlockHash,
    spec::ChainSpec,
    transaction::{Transaction, account::AccountTransaction},
};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Instant};
use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
};

use super::{
    beneficiaries::Beneficiaries,
    call::Call,
    error::{RpcError, RpcResult, unauthorized},
    next_blocks::NextBlocks,
    templates::Templates,
};
use crate::{
    dev::Accounts,
    engine::Engine,
    engine_thread::EngineHandle,
    mining::Mining,
    net::NetHandle,
    rpc::{
        lanes::Lanes,
        pubsub::{Filters, Subscribers},
    },
    store::{Reader, Snapshot},
    stratum::Workers,
};

/// What the methods work with.
pub struct Context {
    /// The chain.
    pub spec: ChainSpec,
    /// Hash of its genesis block.
    pub genesis: BlockHash,
    /// The engine.
    pub engine: EngineHandle,
    /// The store.
    pub reader: Reader,
    /// The network, if the node takes part in it.
    pub network: Option<NetHandle>,
    /// Those that the node signs for.
    pub accounts: Accounts,
    /// The miner of this process.
    pub mining: Arc<Mining>,
    /// Who mines by stratum.
    pub workers: Arc<Workers>,
    /// Templates given to miners, until they are too old.
    pub templates: Templates,
    /// Beneficiaries of blocks that calls ran in.
    pub beneficiaries: Beneficiaries,
    /// The mempool as the next blocks.
    pub next_blocks: NextBlocks,
    /// Who may run now.
    pub lanes: Lanes,
    /// Who is notified of what.
    pub subscribers: Arc<Subscribers>,
    /// Who polls for what.
    pub filters: Filters,
    /// Whether the node stops: nothing waits for what is to come any more.
    pub stopping: watch::Sender<bool>,
    /// About this process.
    pub node: NodeInfo,
    /// Where futures of the engine are waited for.
    pub runtime: Handle,
}

/// About the process that serves the RPC.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// Where its data is; `None` in memory.
    pub datadir: Option<PathBuf>,
    /// Where its RPC is.
    pub url: String,
    /// Where miners connect by stratum, if they do.
    pub stratum: Option<SocketAddr>,
    /// When it started.
    pub started: Instant,
    /// Namespaces that are served.
    pub namespaces: Vec<String>,
    /// Whether indexes are kept.
    pub index: bool,
    /// The socket of the devnet that started the node.
    pub devnet: Option<PathBuf>,
    /// Whether its miner may mine without an address to pay.
    pub pays_nobody: bool,
    /// Asks the node to stop.
    pub stop: Arc<Notify>,
}

impl Context {
    /// The state of the last flush.
    pub fn snapshot(&self) -> RpcResult<Snapshot> {
        Ok(self.reader.snapshot()?)
    }

    /// Refuses a transaction that names its sender instead of a signature (DEV-2) from a caller elsewhere: it could spend from
    /// every account.
    ///
    /// # Errors
    /// 4100.
    pub fn check_sender(&self, transaction: &AccountTransaction, call: &Call) -> RpcResult<()> {
        let names = self.spec.is_dev() && transaction.named_sender().is_some();
        match names && !call.is_local() {
            true => Err(unauthorized(
                "a transaction without a signature is taken from programs of the node's machine alone, or with its cookie",
            )),
            false => Ok(()),
        }
    }

    /// [`Context::check_sender`] for the transactions of a block.
    ///
    /// # Errors
    /// 4100.
    pub fn check_senders(&self, block: &Block, call: &Call) -> RpcResult<()> {
        block.transactions.iter().try_for_each(|transaction| match transaction {
            Transaction::Account(transaction) => self.check_sender(transaction, call),
            Transaction::Coinbase(_) | Transaction::Coin(_) => Ok(()),
        })
    }

    /// Waits for an answer of the engine or the network.
    pub fn ask<T, E: Into<RpcError>>(&self, request: impl Future<Output = Result<T, E>>) -> RpcResult<T> {
        self.wait(request).map_err(Into::into)
    }

    /// Waits until the engine has read something.
    pub fn query<T: Send + 'static>(&self, read: impl FnOnce(&Engine) -> T + Send + 'static) -> RpcResult<T> {
        self.ask(self.engine.query(read))
    }

    /// Waits for a future on this thread. If it is one that reads connections, another takes over.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        tokio::task::block_in_place(|| self.runtime.block_on(future))
    }
}
