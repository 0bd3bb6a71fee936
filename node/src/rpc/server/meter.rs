//! The layer around all calls of a connection: bounds what is in flight, counts what is not read, and says which method is
//! unknown.

use jsonrpsee::{
    server::{
        BatchResponseBuilder, MethodResponse,
        middleware::rpc::{Batch, BatchEntry, Notification, Request, RpcServiceT},
    },
    types::{
        ErrorCode, ErrorObject, Extensions, Id,
        error::{OVERSIZED_RESPONSE_CODE, TOO_BIG_BATCH_RESPONSE_CODE},
    },
};
use parking_lot::Mutex;
use std::sync::{Arc, atomic::Ordering};
use tower::Layer;

use super::{
    client::Client,
    session::{InFlightRequest, Session},
};
use crate::{
    metrics,
    rpc::{
        base::{RpcError, error, over_limit},
        pubsub::Held,
        table::{absent, is_subscription, parameters},
    },
};

/// Makes a [`Meter`] around each connection's service.
#[derive(Clone, Copy)]
pub struct MeterLayer {
    /// Most bytes of the answer to a batch.
    pub max_response: u32,
}

impl<S> Layer<S> for MeterLayer {
    type Service = Meter<S>;

    fn layer(&self, inner: S) -> Meter<S> {
        Meter { inner: Arc::new(inner), max_response: self.max_response }
    }
}

/// See the module's first lines.
pub struct Meter<S> {
    inner: Arc<S>,
    max_response: u32,
}

impl<S> Clone for Meter<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), max_response: self.max_response }
    }
}

type Response = MethodResponse;

/// Stands among the extensions of a batch's requests: the subscriptions that they opened, whose notifications wait for the
/// response to the batch.
#[derive(Clone, Default)]
pub struct Batched(Arc<Mutex<Vec<Held>>>);

impl Batched {
    /// Adds a subscription.
    pub fn add(&self, opened: Held) {
        self.0.lock().push(opened);
    }
}

impl<S> RpcServiceT for Meter<S>
where
    S: RpcServiceT<MethodResponse = Response, BatchResponse = Response, NotificationResponse = Response>
        + Send
        + Sync
        + 'static,
{
    type MethodResponse = Response;
    type NotificationResponse = Response;
    type BatchResponse = Response;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = Response> + Send + 'a {
        let this = self.clone();
        async move {
            let session = session(request.extensions());
            let noted = request.extensions().get::<Client>().and_then(|client| client.error.clone());
            let response = match begin(session.as_ref(), length(&request)) {
                Ok(_in_flight) => this.one(request).await,
                Err(error) => Response::error(request.id, error),
            };
            if let (Some(noted), Some(code)) = (noted, response.as_error_code()) {
                noted.store(code, Ordering::Relaxed);
            }
            // Who opened a subscription has sent the response already.
            if !response.is_subscription() {
                answered(session.as_ref(), &response);
            }
            response
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = Response> + Send + 'a {
        let this = self.clone();
        async move {
            let session = batch.iter().flatten().next().and_then(|entry| session(entry.extensions()));
            let asked = batch.iter().flatten().map(|entry| match entry {
                BatchEntry::Call(request) => length(request),
                BatchEntry::Notification(_) => 0,
            });
            let opened = Batched::default();
            let response = match begin(session.as_ref(), asked.sum()) {
                Ok(_in_flight) => this.all(batch, &opened).await,
                Err(error) => Response::error(Id::Null, error),
            };
            send_before(opened, session.as_ref(), response).await
        }
    }

    fn notification<'a>(&self, notification: Notification<'a>) -> impl Future<Output = Response> + Send + 'a {
        let session = session(notification.extensions());
        async move {
            // Nothing here is worth calling without waiting for the answer; jsonrpsee takes a malformed id for none.
            let response = Response::error(Id::Null, no_id());
            answered(session.as_ref(), &response);
            response
        }
    }
}

impl<S> Meter<S>
where
    S: RpcServiceT<MethodResponse = Response, BatchResponse = Response, NotificationResponse = Response>,
{
    async fn one(&self, request: Request<'_>) -> Response {
        let (id, method) = (request.id.clone().into_owned(), request.method.clone().into_owned());
        let is_web_socket = request.extensions().get::<Client>().is_some_and(|client| client.is_web_socket);
        if !is_web_socket && is_subscription(&method) {
            // In geth's words.
            return Response::error(id, error(ErrorCode::MethodNotFound.code(), "notifications not supported"));
        }
        let response = self.inner.call(request).await;
        match response.as_error_code() {
            Some(OVERSIZED_RESPONSE_CODE) => {
                Response::error(id, error(OVERSIZED_RESPONSE_CODE, too_large(&method, self.max_response)))
            }
            Some(code) if code == ErrorCode::MethodNotFound.code() => {
                if let Some(metrics) = metrics::on() {
                    metrics.rpc.called_unknown();
                }
                Response::error(id, absent(&method))
            }
            _ => response,
        }
    }

    async fn all(&self, batch: Batch<'_>, opened: &Batched) -> Response {
        let mut responses = BatchResponseBuilder::new_with_limit(self.max_response as usize);
        for entry in batch {
            let response = match entry {
                Ok(BatchEntry::Call(mut request)) => {
                    request.extensions_mut().insert(opened.clone());
                    self.one(request).await
                }
                Ok(BatchEntry::Notification(_)) => Response::error(Id::Null, no_id()),
                Err(error) => {
                    let (error, id) = error.into_parts();
                    Response::error(id, error)
                }
            };
            // Brief calls never wait, and other connections must have their turn between them.
            tokio::task::yield_now().await;
            if responses.append(response).is_err() {
                let most = self.max_response;
                let message = format!(
                    "the responses to this batch have more than {most} bytes, the limit of --http.max-response: send fewer \
                     requests in a batch"
                );
                return Response::error(Id::Null, error(TOO_BIG_BATCH_RESPONSE_CODE, message));
            }
        }
        Response::from_batch(responses.finish())
    }
}

/// What to do about a response over the limit.
pub(super) fn too_large(method: &str, most: u32) -> String {
    let less = match parameters(method) {
        Some([]) | None => String::new(),
        Some(names) => format!("ask for less by the parameters of {method} ({}), or ", names.join(", ")),
    };
    format!(
        "the response has more than {most} bytes, the limit of --http.max-response: {less}start the node with a higher \
         limit"
    )
}

/// Sends the response to a batch if it opened subscriptions, and lets their notifications follow.
async fn send_before(opened: Batched, session: Option<&Arc<Session>>, response: Response) -> Response {
    let opened = std::mem::take(&mut *opened.0.lock());
    let Some(first) = opened.first() else {
        answered(session, &response);
        return response;
    };
    first.outbox().send(response.into_json()).await;
    Response::notification()
}

fn session(extensions: &Extensions) -> Option<Arc<Session>> {
    extensions.get::<Client>().map(|client| client.session.clone())
}

fn length(request: &Request<'_>) -> usize {
    request.method.len() + request.params.as_ref().map_or(0, |params| params.get().len())
}

fn begin(session: Option<&Arc<Session>>, bytes: usize) -> Result<Option<InFlightRequest>, RpcError> {
    let busy = || over_limit("too many requests of this connection are in flight: wait for answers");
    session.map(|session| session.begin(bytes).ok_or_else(busy)).transpose()
}

fn answered(session: Option<&Arc<Session>>, response: &Response) {
    if let Some(session) = session {
        session.answered(response.as_json().get().len());
    }
}

fn no_id() -> ErrorObject<'static> {
    let code = ErrorCode::InvalidRequest.code();
    ErrorObject::owned(code, "the request's id: expected an integer from 0 to 2^64-1 or a string", None::<()>)
}
