//! The layer around all calls of a connection: bounds what is in flight, counts what is not read, and says which method is
//! unknown.

use jsonrpsee::{
    server::{
        BatchResponseBuilder, MethodResponse,
        middleware::rpc::{Batch, BatchEntry, Notification, Request, RpcServiceT},
    },
    types::{
        ErrorCode, ErrorObject, Id,
        error::{OVERSIZED_RESPONSE_CODE, TOO_BIG_BATCH_RESPONSE_CODE},
    },
};
use parking_lot::Mutex;
use std::{
    future::ready,
    sync::{Arc, atomic::Ordering},
};
use tower::Layer;

use super::{client::Client, session::InFlightRequest};
use crate::{
    metrics,
    rpc::{
        base::{RpcError, error, over_limit},
        pubsub::Held,
        table::{absent, is_subscription, parameters},
    },
};

/// Makes a [`Meter`] around the service of a WebSocket, or of a request by HTTP.
#[derive(Clone)]
pub struct MeterLayer {
    /// Most bytes of the answer to a batch.
    pub max_response: u32,
    /// Who asks.
    pub client: Client,
}

impl<S> Layer<S> for MeterLayer {
    type Service = Meter<S>;

    fn layer(&self, inner: S) -> Meter<S> {
        let Self { max_response, client } = self.clone();
        Meter(Arc::new(Metered { inner, max_response, client }))
    }
}

/// See the module's first lines.
pub struct Meter<S>(Arc<Metered<S>>);

struct Metered<S> {
    inner: S,
    max_response: u32,
    client: Client,
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
        let this = self.0.clone();
        async move {
            let response = match this.begin(length(&request)) {
                Ok(_in_flight) => this.one(request).await,
                Err(error) => Response::error(request.id, error),
            };
            this.note(&response);
            // Who opened a subscription has sent the response already.
            if !response.is_subscription() {
                this.answered(&response);
            }
            response
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = Response> + Send + 'a {
        let this = self.0.clone();
        async move {
            let asked = batch.iter().flatten().map(|entry| match entry {
                BatchEntry::Call(request) => length(request),
                BatchEntry::Notification(_) => 0,
            });
            let opened = Batched::default();
            let response = match this.begin(asked.sum()) {
                Ok(_in_flight) => this.all(batch, &opened).await,
                Err(error) => Response::error(Id::Null, error),
            };
            this.send_before(opened, response).await
        }
    }

    fn notification<'a>(&self, _: Notification<'a>) -> impl Future<Output = Response> + Send + 'a {
        // Nothing here is worth calling without waiting for the answer; jsonrpsee takes a malformed id for none.
        let response = Response::error(Id::Null, no_id());
        self.0.note(&response);
        self.0.answered(&response);
        ready(response)
    }
}

impl<S> Metered<S>
where
    S: RpcServiceT<MethodResponse = Response, BatchResponse = Response, NotificationResponse = Response>,
{
    async fn one(&self, mut request: Request<'_>) -> Response {
        let (id, method) = (request.id.clone().into_owned(), request.method.clone().into_owned());
        if !self.client.is_web_socket && is_subscription(&method) {
            // In geth's words.
            return Response::error(id, error(ErrorCode::MethodNotFound.code(), "notifications not supported"));
        }
        request.extensions_mut().insert(self.client.clone());
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

    /// Sends the response to a batch if it opened subscriptions, and lets their notifications follow.
    async fn send_before(&self, opened: Batched, response: Response) -> Response {
        let opened = std::mem::take(&mut *opened.0.lock());
        let Some(first) = opened.first() else {
            self.answered(&response);
            return response;
        };
        first.outbox().send(response.into_json()).await;
        Response::notification()
    }

    fn begin(&self, bytes: usize) -> Result<InFlightRequest, RpcError> {
        let busy = || over_limit("too many requests of this connection are in flight: wait for answers");
        self.client.session.begin(bytes).ok_or_else(busy)
    }

    /// Notes the code of an error, for those who read it from the status of HTTP.
    fn note(&self, response: &Response) {
        if let Some(noted) = &self.client.error {
            noted.store(response.as_error_code().unwrap_or(0), Ordering::Relaxed);
        }
    }

    fn answered(&self, response: &Response) {
        self.client.session.answered(response.as_json().get().len());
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

fn length(request: &Request<'_>) -> usize {
    request.method.len() + request.params.as_ref().map_or(0, |params| params.get().len())
}

fn no_id() -> ErrorObject<'static> {
    let code = ErrorCode::InvalidRequest.code();
    ErrorObject::owned(code, "the request's id: expected an integer from 0 to 2^64-1 or a string", None::<()>)
}
