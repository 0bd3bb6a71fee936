//! From a request to its handler: who may call, when there is room, and what happens if it fails.

use jsonrpsee::{Extensions, RpcModule, server::Methods, types::Params};
use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    access::{self, Caller},
    base::{Answer, Args, Call, Context, Handler, Method, RpcResult, cannot, internal},
    lanes::{Lane, Who},
    server::Session,
    table,
};

/// All methods of the namespaces that are served.
///
/// # Panics
/// If two methods have one name: a mistake in the tables, which a test would find.
pub fn methods(context: Arc<Context>) -> Methods {
    let served = table::served(&context.node.namespaces).collect::<Vec<_>>();
    let mut module = RpcModule::from_arc(context);
    for method in served {
        module
            .register_async_method(method.name, |params, context, client| answer(method, params, context, client))
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
    let caller = caller(&client);
    access::check(method.name, caller)?;
    if let Handler::Wait(handler) = method.handler {
        let _place = context.lanes.poll(method.lane(), who(&client))?;
        let args = Args::new(&params, method.params, Call::start(method.most))?;
        return handler(context.clone(), args, who(&client), caller.scope).await.map(Answer::Value);
    }
    let place = context.lanes.enter(method.lane(), who(&client)).await?;
    let call = Call::start(method.most);
    let _end = call.end_on_drop();
    let run = move || {
        // Given up last, so that the memory of the next call comes after that of this one has gone.
        let _place = place;
        let began = Instant::now();
        let answer = run(method, &params, &context, call);
        if let Lane::Read | Lane::Code = method.lane() {
            give_back(began);
        }
        answer
    };
    tokio::task::spawn_blocking(run).await.unwrap_or_else(|_| Err(cannot("the node is shutting down")))
}

/// Runs a method. A panic in one is a bug, answered as such, and does not end the node.
pub fn run(method: &Method, params: &Params<'_>, context: &Context, call: Call) -> RpcResult<Answer> {
    let args = Args::new(params, method.params, call)?;
    let run = || match method.handler {
        Handler::Value(run) => run(context, args).map(Answer::Value),
        Handler::Raw(run) => run(context, args).map(Answer::Raw),
        Handler::Wait(_) => Err(internal("the method runs on no thread")),
    };
    std::panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        tracing::error!(method = method.name, "an RPC method panicked; please report this");
        Err(internal("the method failed; the node's log says more"))
    })
}

/// Calls that were shorter cannot have held much, and are not worth the search for free pages.
const LONG: Duration = Duration::from_millis(20);

/// Gives what a call that began at this time has freed back to the system. The allocator of glibc keeps what a thread has
/// freed for that thread: a call that held 200 MB on each of many threads in turn would have the process keep that many times
/// as much as the calls that run hold.
fn give_back(began: Instant) {
    if began.elapsed() >= LONG {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        // SAFETY: it takes no pointers, and may be called by any thread at any time.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}
