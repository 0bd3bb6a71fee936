//! From a request to its handler: who may call, when there is room, and what happens if it fails.

use futures::FutureExt;
use jsonrpsee::{
    Extensions, RpcModule,
    server::{MethodCallback, MethodResponse, MethodSink, Methods, ResponsePayload, SubscriptionPermit},
    types::{Id, Params},
};
use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    access::{self, Caller},
    base::{Answer, Args, Call, Context, Handler, Method, RpcResult, internal},
    lanes::{Lane, Who},
    pubsub::{Arrival, Held, Topic},
    server::{Batched, Client},
    table,
};
use crate::{engine::Stopped, metrics};

/// All methods of the namespaces that are served.
///
/// # Panics
/// If two methods have one name: a mistake in the tables, which a test would find.
pub fn methods(context: Arc<Context>) -> Methods {
    let served = table::served(&context.node.namespaces).collect::<Vec<_>>();
    let mut module = RpcModule::from_arc(context.clone());
    for method in served {
        let registered = match method.handler {
            Handler::Subscribe(notifications, handler) => {
                let subscribes = Subscribes { context: context.clone(), method, notifications, handler };
                module.verify_and_insert(method.name, subscribes.callback())
            }
            _ => module.register_async_method(method.name, |params, context, client| {
                measured(method, params, context, client)
            }),
        };
        registered.expect("no two methods have one name");
    }
    module.into()
}

/// A method that opens a subscription.
struct Subscribes {
    context: Arc<Context>,
    method: &'static Method,
    notifications: &'static str,
    handler: fn(&Context, Args) -> RpcResult<Topic>,
}

impl Subscribes {
    fn callback(self) -> MethodCallback {
        let own = Arc::new(self);
        MethodCallback::Subscription(Arc::new(move |id, params, sink, state, client| {
            let (own, id, params) = (own.clone(), id.into_owned(), params.into_owned());
            let answer = async move {
                let opened = own.measured(params, sink.clone(), state.subscription_permit, client.clone()).await;
                respond(id, opened, sink, client).await
            };
            answer.boxed()
        }))
    }

    /// [`Self::open`] once there is room, with its time and outcome for those who watch.
    async fn measured(
        self: Arc<Self>,
        params: Params<'static>,
        sink: MethodSink,
        permit: SubscriptionPermit,
        client: Extensions,
    ) -> RpcResult<(String, Held)> {
        let (began, name, context) = (Instant::now(), self.method.name, self.context.clone());
        let opened = match context.lanes.slot() {
            Some(_slot) => self.open(&params, sink, permit, &client),
            None => {
                let (lane, who) = (self.method.lane(), who(&client));
                context.lanes.run(lane, who, move || self.open(&params, sink, permit, &client)).await.flatten()
            }
        };
        if let Some(metrics) = metrics::on() {
            metrics.rpc.called(name, began.elapsed(), opened.is_err());
        }
        opened
    }

    fn open(
        &self,
        params: &Params<'_>,
        sink: MethodSink,
        permit: SubscriptionPermit,
        client: &Extensions,
    ) -> RpcResult<(String, Held)> {
        access::check(self.method.name, caller(client))?;
        let who = who(client);
        let call = Call::start(self.method.most).by(who, caller(client).scope);
        let topic = (self.handler)(&self.context, Args::new(params, self.method.params, call)?)?;
        let session = client.get::<Client>().ok_or_else(|| internal("a subscription without a connection"))?;
        let session = session.session.clone();
        self.context.subscribers.open(topic, self.notifications, Arrival { who, sink, session, permit })
    }
}

/// Responds to a subscription, and lets its notifications follow. In a batch they follow the response to all of it.
async fn respond(
    id: Id<'static>,
    opened: RpcResult<(String, Held)>,
    sink: MethodSink,
    client: Extensions,
) -> MethodResponse {
    let batched = client.get::<Batched>();
    match opened {
        Ok((subscription, held)) => {
            let most = sink.max_response_size() as usize;
            let response = MethodResponse::subscription_response(id, ResponsePayload::success(subscription), most);
            match batched {
                Some(batched) => batched.add(held),
                None => drop(held.outbox().send(response.to_json()).await),
            }
            response
        }
        Err(error) => {
            let response = MethodResponse::subscription_error(id, error);
            if batched.is_none() {
                if let Some(client) = client.get::<Client>() {
                    client.session.answered(response.as_json().get().len());
                }
                // The client may have gone.
                let _ = sink.send(response.to_json()).await;
            }
            response
        }
    }
}

fn caller(client: &Extensions) -> Caller {
    client.get::<Client>().map(|client| client.caller).unwrap_or_default()
}

/// Whose turn a call takes.
fn who(client: &Extensions) -> Who {
    let operator = caller(client).scope == access::Scope::Full;
    client.get::<Client>().map_or(Who { operator, ..Who::default() }, |client| Who {
        network: client.session.network,
        connection: client.session.number,
        operator,
    })
}

/// [`answer`], with its time and outcome for those who watch.
async fn measured(
    method: &'static Method,
    params: Params<'static>,
    context: Arc<Context>,
    client: Extensions,
) -> RpcResult<Answer> {
    let began = Instant::now();
    let answer = answer(method, params, context, client).await;
    if let Some(metrics) = metrics::on() {
        metrics.rpc.called(method.name, began.elapsed(), answer.is_err());
    }
    answer
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
    let who = who(&client);
    let call = Call::start(method.most).by(who, caller.scope);
    if let Handler::Wait(handler) = method.handler {
        let _place = context.lanes.poll(method.lane(), who)?;
        let args = Args::new(&params, method.params, call)?;
        let mut stopping = context.stopping.subscribe();
        return tokio::select! {
            biased;
            answer = handler(context.clone(), args, who, caller.scope) => answer.map(Answer::Value),
            _ = stopping.wait_for(|stopping| *stopping) => Err(Stopped.into()),
        };
    }
    if method.is_brief()
        && let Some(_slot) = context.lanes.slot()
    {
        return run(method, &params, &context, call);
    }
    let _end = call.end_on_drop();
    let own = context.clone();
    let run = move || {
        let began = Instant::now();
        let answer = run(method, &params, &context, call.begin());
        if let Lane::Read | Lane::Code = method.lane() {
            give_back(began);
        }
        answer
    };
    own.lanes.run(method.lane(), who, run).await.flatten()
}

/// Runs a method. A panic in one is a bug, answered as such, and does not end the node.
pub fn run(method: &Method, params: &Params<'_>, context: &Context, call: Call) -> RpcResult<Answer> {
    let args = Args::new(params, method.params, call)?;
    let run = || match method.handler {
        Handler::Value(run) => run(context, args).map(Answer::Value),
        Handler::Raw(run) => run(context, args).map(Answer::Raw),
        Handler::Wait(_) | Handler::Subscribe(..) => Err(internal("the method runs on no thread")),
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
