//! JSON-RPC 2.0 over HTTP and WebSocket: one namespace a file, each a table of methods.
//!
//! Methods read snapshots of the store and ask the engine over its handle; none changes the chain itself. They are plain
//! functions on blocking threads, each of which was admitted before: `access` says who may call, `lanes` how many at a time,
//! `call` when one has to end. `docs/rpc.md` says what each takes and answers.

pub mod access;
mod admin;
mod call;
mod chain;
mod coin;
mod debug;
mod dev;
mod error;
mod eth;
mod eth_blocks;
mod eth_call;
mod eth_fees;
mod heap;
mod history;
mod lanes;
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
use jsonrpsee::{
    Extensions, RpcModule,
    server::Methods,
    types::{ErrorCode, ErrorObjectOwned, Params},
};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use std::{
    future::Future,
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
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
use access::Caller;
use call::Call;
use error::{cannot, internal};
pub use lanes::Lanes;
use lanes::{Lane, Who};
use params::Args;
use server::Session;

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
    /// Who may run now.
    pub lanes: Lanes,
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

/// What a method does.
enum Run {
    Value(fn(&Context, Args) -> RpcResult<Value>),
    /// Answers text, since a tree of [`Value`]s takes many times the memory.
    Raw(fn(&Context, Args) -> RpcResult<Box<RawValue>>),
}

/// What a method answers.
#[derive(Clone, Serialize)]
#[serde(untagged)]
enum Answer {
    Value(Value),
    Raw(Box<RawValue>),
}

/// One method: its name, its parameters in order, and what it does.
pub(crate) struct Method {
    name: &'static str,
    params: &'static [&'static str],
    run: Run,
    /// Where it waits; the operator's methods have a lane of their own.
    lane: Lane,
    /// How long it may take.
    most: Duration,
}

/// How long a call may take, if its row says nothing else.
const MOST: Duration = Duration::from_secs(30);

impl Method {
    /// A row of a namespace's table.
    const fn new(
        name: &'static str,
        params: &'static [&'static str],
        run: fn(&Context, Args) -> RpcResult<Value>,
    ) -> Self {
        Self { name, params, run: Run::Value(run), lane: Lane::Light, most: MOST }
    }

    /// A row of a method whose answers are large.
    const fn raw(
        name: &'static str,
        params: &'static [&'static str],
        run: fn(&Context, Args) -> RpcResult<Box<RawValue>>,
    ) -> Self {
        Self { name, params, run: Run::Raw(run), lane: Lane::Read, most: MOST }
    }

    /// Reads much, so that only a few run at a time.
    const fn reads(self) -> Self {
        Self { lane: Lane::Read, ..self }
    }

    /// Runs code, so that only a few run at a time.
    const fn code(self) -> Self {
        Self { lane: Lane::Code, ..self }
    }

    /// May take so many seconds.
    const fn within(self, seconds: u64) -> Self {
        Self { most: Duration::from_secs(seconds), ..self }
    }

    fn lane(&self) -> Lane {
        match self.name.split('_').next() {
            Some("admin" | "miner") => Lane::Operator,
            _ => self.lane,
        }
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

/// The namespace that serves a method.
fn namespace(method: &str) -> &str {
    match method.split('_').next().unwrap_or(method) {
        "evm" => "dev",
        other => other,
    }
}

/// All methods of the namespaces that are served.
///
/// # Panics
/// If two methods have one name: a mistake in the tables, which a test would find.
pub fn methods(context: Arc<Context>) -> Methods {
    // `rpc_modules` says what is served, so it always is.
    let served =
        |name: &str| namespace(name) == "rpc" || context.node.namespaces.iter().any(|served| served == namespace(name));
    let template = served(miner::GET_TEMPLATE);
    let served: Vec<&Method> = TABLES.iter().copied().flatten().filter(|method| served(method.name)).collect();
    let mut module = RpcModule::from_arc(context);
    for method in served {
        module
            .register_async_method(method.name, |params, context, client| answer(method, params, context, client))
            .expect("no two methods have one name");
    }
    if template {
        module
            .register_async_method(miner::GET_TEMPLATE, |params, context, client| async move {
                access::check(miner::GET_TEMPLATE, caller(&client))?;
                let _place = context.lanes.poll(who(&client))?;
                miner::get_template(params, context, who(&client), caller(&client).scope).await
            })
            .expect("no two methods have one name");
    }
    module.into()
}

fn caller(client: &Extensions) -> Caller {
    client.get().copied().unwrap_or_default()
}

/// Whose turn a call takes.
fn who(client: &Extensions) -> Who {
    let operator = caller(client).scope == access::Scope::Full;
    client.get::<Arc<Session>>().map_or(Who { operator, ..Who::default() }, |session| Who {
        network: session.network,
        connection: session.number,
        operator,
    })
}

/// Admits a call and runs it. Until it has its place it is but a future, which goes with its connection.
async fn answer(
    method: &'static Method,
    params: Params<'static>,
    context: Arc<Context>,
    client: Extensions,
) -> RpcResult<Answer> {
    access::check(method.name, caller(&client))?;
    let place = context.lanes.enter(method.lane(), who(&client)).await?;
    let call = Call::start(method.most);
    let _end = call.end_on_drop();
    let run = move || {
        // Given up last, so that the memory of the next call comes after that of this one has gone.
        let _place = place;
        let began = Instant::now();
        let answer = run(method, &params, &context, call);
        if let Lane::Read | Lane::Code = method.lane() {
            heap::give_back(began);
        }
        answer
    };
    tokio::task::spawn_blocking(run).await.unwrap_or_else(|_| Err(cannot("the node is shutting down")))
}

/// Runs a method. A panic in one is a bug, answered as such, and does not end the node.
fn run(method: &Method, params: &Params<'_>, context: &Context, call: Call) -> RpcResult<Answer> {
    let args = Args::new(params, method.params, call)?;
    let run = || match method.run {
        Run::Value(run) => run(context, args).map(Answer::Value),
        Run::Raw(run) => run(context, args).map(Answer::Raw),
    };
    std::panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        tracing::error!(method = method.name, "an RPC method panicked; please report this");
        Err(internal("the method failed; the node's log says more"))
    })
}

/// The answer to a method that is not served.
fn absent(method: &str) -> RpcError {
    let known = method == miner::GET_TEMPLATE || TABLES.iter().copied().flatten().any(|row| row.name == method);
    let message = match known {
        true => {
            let namespace = namespace(method);
            format!("the method {method} is not served here: start the node with {namespace} among --http.api")
        }
        false => format!("the method {} does not exist", method.chars().take(60).collect::<String>()),
    };
    ErrorObjectOwned::owned(ErrorCode::MethodNotFound.code(), message, None::<()>)
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
