//! One method as its namespace's table has it: name, parameters, handler, and what it costs the node.

use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use std::{sync::Arc, time::Duration};

use super::{context::Context, error::RpcResult, params::Args};
use crate::rpc::{
    access::Scope,
    lanes::{Lane, Who},
    pubsub::Topic,
};

/// What a method does.
pub enum Handler {
    /// Runs on a blocking thread, or on the one that read the call if it is brief.
    Value(fn(&Context, Args) -> RpcResult<Value>),
    /// Returns text, since a tree of [`Value`]s takes many times the memory.
    Raw(fn(&Context, Args) -> RpcResult<Box<RawValue>>),
    /// Waits for something to happen, without a thread.
    Wait(fn(Arc<Context>, Args, Who, Scope) -> BoxFuture<'static, RpcResult<Value>>),
    /// Opens a subscription to what it returns, whose notifications have this method name.
    Subscribe(&'static str, fn(&Context, Args) -> RpcResult<Topic>),
}

/// The result of a call.
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// A tree.
    Value(Value),
    /// Its text.
    Raw(Box<RawValue>),
}

/// One method.
pub struct Method {
    /// Its name, with the namespace.
    pub name: &'static str,
    /// Names of its parameters, in order.
    pub params: &'static [&'static str],
    /// What it does.
    pub handler: Handler,
    /// How long it may take.
    pub most: Duration,
    lane: Lane,
    brief: bool,
}

/// How long a call may take, if its row says nothing else.
const MOST: Duration = Duration::from_secs(30);

impl Method {
    /// A row of a namespace's table.
    pub const fn new(
        name: &'static str,
        params: &'static [&'static str],
        handler: fn(&Context, Args) -> RpcResult<Value>,
    ) -> Self {
        Self { name, params, handler: Handler::Value(handler), lane: Lane::Light, most: MOST, brief: false }
    }

    /// A row of a method whose results are large.
    pub const fn raw(
        name: &'static str,
        params: &'static [&'static str],
        handler: fn(&Context, Args) -> RpcResult<Box<RawValue>>,
    ) -> Self {
        Self { name, params, handler: Handler::Raw(handler), lane: Lane::Read, most: MOST, brief: false }
    }

    /// A row of a method that waits for something to happen.
    pub const fn waits(
        name: &'static str,
        params: &'static [&'static str],
        handler: fn(Arc<Context>, Args, Who, Scope) -> BoxFuture<'static, RpcResult<Value>>,
    ) -> Self {
        Self { name, params, handler: Handler::Wait(handler), lane: Lane::Light, most: MOST, brief: false }
    }

    /// A row of a method that opens a subscription, over WebSocket only.
    pub const fn subscribes(
        name: &'static str,
        params: &'static [&'static str],
        notifications: &'static str,
        handler: fn(&Context, Args) -> RpcResult<Topic>,
    ) -> Self {
        Self {
            name,
            params,
            handler: Handler::Subscribe(notifications, handler),
            lane: Lane::Light,
            most: MOST,
            brief: false,
        }
    }

    /// Whether it opens a subscription.
    pub fn is_subscription(&self) -> bool {
        matches!(self.handler, Handler::Subscribe(..))
    }

    /// Reads much, so that only a few run at a time.
    pub const fn reads(self) -> Self {
        Self { lane: Lane::Read, ..self }
    }

    /// Runs code, so that only a few run at a time.
    pub const fn code(self) -> Self {
        Self { lane: Lane::Code, ..self }
    }

    /// Reads a row or two and runs no code, whatever its parameters are: it takes microseconds, less than it takes to wake another
    /// thread for it. Until it is done, nobody may be looking after the sockets and timers of the node.
    pub const fn brief(self) -> Self {
        Self { brief: true, ..self }
    }

    /// May take so many seconds.
    pub const fn within(self, seconds: u64) -> Self {
        Self { most: Duration::from_secs(seconds), ..self }
    }

    /// See [`Method::brief`].
    pub fn is_brief(&self) -> bool {
        self.brief
    }

    /// Where it waits for its turn; the operator's methods have a lane of their own.
    pub fn lane(&self) -> Lane {
        match self.name.split('_').next() {
            Some("admin" | "miner") => Lane::Operator,
            _ => self.lane,
        }
    }
}
