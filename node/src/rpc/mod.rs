//! JSON-RPC 2.0 over HTTP and WebSocket: one namespace a file, each a table of methods.
//!
//! Methods read snapshots of the store and ask the engine over its handle; none changes the chain itself. They run on
//! blocking threads and are plain functions. `docs/rpc.md` says what each takes and answers.

mod admin;
mod chain;
mod coin;
mod debug;
mod dev;
mod error;
mod eth;
mod eth_blocks;
mod eth_call;
mod eth_fees;
mod history;
mod miner;
mod net;
mod params;
mod read;
mod render;
mod server;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod txpool;
mod web3;

use chain_core::{hash::BlockHash, spec::ChainSpec};
use jsonrpsee::{RpcModule, server::Methods, types::Params};
use serde_json::Value;
use std::{future::Future, panic::AssertUnwindSafe, path::PathBuf, sync::Arc, time::Instant};
use tokio::{runtime::Handle, sync::Notify};

pub use error::{RpcError, RpcResult};
pub use miner::Templates;
pub use server::{HttpLimits, finish, serve};

use crate::{
    engine::{EngineHandle, Stopped},
    mining::Mining,
    net::NetHandle,
    store::Reader,
};
use error::{cannot, internal};
use params::Args;

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
    /// The miner of this process.
    pub mining: Arc<Mining>,
    /// Templates given to miners, until they are too old.
    pub templates: Templates,
    /// About this process.
    pub node: NodeInfo,
    /// Where futures of the engine are waited for.
    pub runtime: Handle,
}

/// What the node tells of itself.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// Where its data is; `None` in memory.
    pub datadir: Option<PathBuf>,
    /// Where its RPC is.
    pub url: String,
    /// When it started.
    pub started: Instant,
    /// Namespaces that are served.
    pub namespaces: Vec<String>,
    /// Whether indexes are kept.
    pub index: bool,
    /// Asks the node to stop.
    pub stop: Arc<Notify>,
}

/// One method: its name, its parameters in order, and what it does.
pub(crate) struct Method {
    name: &'static str,
    params: &'static [&'static str],
    run: fn(&Context, Args) -> RpcResult<Value>,
}

impl Method {
    /// A row of a namespace's table.
    const fn new(
        name: &'static str,
        params: &'static [&'static str],
        run: fn(&Context, Args) -> RpcResult<Value>,
    ) -> Self {
        Self { name, params, run }
    }
}

const TABLES: &[&[Method]] = &[
    admin::METHODS,
    chain::METHODS,
    coin::METHODS,
    debug::METHODS,
    dev::METHODS,
    eth::METHODS,
    eth_blocks::METHODS,
    eth_call::METHODS,
    eth_fees::METHODS,
    miner::METHODS,
    net::METHODS,
    txpool::METHODS,
    web3::METHODS,
];

/// Name and version of this program, as RPC clients see it.
pub const CLIENT_VERSION: &str = concat!("cairn-node/v", env!("CARGO_PKG_VERSION"));

/// All methods of the namespaces that are served.
///
/// # Panics
/// If two methods have one name: a mistake in the tables, which a test would find.
pub fn methods(context: Arc<Context>) -> Methods {
    let served = |name: &str| {
        let namespace = match name.split('_').next().unwrap_or(name) {
            "evm" => "dev",
            // Says what is served, so it always is.
            "rpc" => return true,
            other => other,
        };
        context.node.namespaces.iter().any(|served| served == namespace)
    };
    let template = served(miner::GET_TEMPLATE);
    let served: Vec<&Method> = TABLES.iter().copied().flatten().filter(|method| served(method.name)).collect();
    let mut module = RpcModule::from_arc(context);
    for method in served {
        module
            .register_blocking_method(method.name, |params, context, _| call(method, &params, &context))
            .expect("no two methods have one name");
    }
    if template {
        module
            .register_async_method(miner::GET_TEMPLATE, |params, context, _| async move {
                miner::get_template(params.into_owned(), context).await
            })
            .expect("no two methods have one name");
    }
    module.into()
}

/// Runs a method. A panic in one is a bug, answered as such, and does not end the node.
fn call(method: &Method, params: &Params<'_>, context: &Context) -> RpcResult<Value> {
    let args = Args::new(params, method.params)?;
    std::panic::catch_unwind(AssertUnwindSafe(|| (method.run)(context, args))).unwrap_or_else(|_| {
        tracing::error!(method = method.name, "an RPC method panicked; please report this");
        Err(internal("the method failed; the node's log says more"))
    })
}

impl Context {
    /// Waits for an answer of the engine.
    fn ask<T>(&self, question: impl Future<Output = Result<T, Stopped>>) -> RpcResult<T> {
        self.wait(question).map_err(|stopped| cannot(stopped.to_string()))
    }

    /// Waits for a future on this blocking thread.
    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}
