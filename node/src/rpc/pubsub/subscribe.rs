//! The methods that open and close subscriptions.

use serde_json::{Map, Value};

use super::{id::Id, poll, range::log_topic, topic::Topic};
use crate::rpc::base::{Addresses, Any, Args, Context, Method, Object, Options, Param, RpcResult, cannot, invalid};

/// Methods of `eth`.
pub const ETH: &[&[Method]] = &[
    &[
        Method::subscribes("eth_subscribe", &["subscription", "options"], "eth_subscription", subscribe),
        Method::new("eth_unsubscribe", &["subscription"], unsubscribe),
    ],
    poll::METHODS,
];

/// Methods of `chain`.
pub const CHAIN: &[&[Method]] = &[&[
    Method::subscribes("chain_subscribeReorgs", &[], "chain_subscription", |_, _| Ok(Topic::Reorgs)),
    Method::new("chain_unsubscribe", &["subscription"], unsubscribe),
]];

/// Methods of `coin`.
pub const COIN: &[&[Method]] = &[&[
    Method::subscribes("coin_subscribe", &["address"], "coin_subscription", |context, mut args| {
        let locks = args.required::<Addresses>()?.locks(&context.spec.hrp)?;
        Ok(Topic::Coins(locks.into()))
    }),
    Method::new("coin_unsubscribe", &["subscription"], unsubscribe),
]];

fn subscribe(context: &Context, mut args: Args) -> RpcResult<Topic> {
    let name: String = args.required()?;
    let options = args.optional::<Any>()?;
    match (name.as_str(), options) {
        ("newHeads", None) => Ok(Topic::Heads),
        ("logs", options) => logs(context, options),
        ("syncing", None) => Ok(Topic::Syncing),
        ("newPendingTransactions", options) => Ok(Topic::Pending { full: options.map_or(Ok(false), full)? }),
        ("newHeads" | "syncing", Some(_)) => Err(invalid(format!("options: {name} takes none"))),
        _ => {
            let name: String = name.chars().take(40).collect();
            Err(invalid(format!(
                "subscription: expected newHeads, logs, newPendingTransactions or syncing, got {name:?}"
            )))
        }
    }
}

fn logs(context: &Context, options: Option<Any>) -> RpcResult<Topic> {
    let object = match options {
        Some(Any(options)) => Object::parse(&options).ok_or_else(|| invalid("options: expected an object"))?,
        None => Object(Map::new()),
    };
    log_topic(context, &Options::lenient("options", object)).map(|(topic, _)| Topic::Logs(Box::new(topic)))
}

/// Whether transactions are wanted themselves: `true`, or as an object.
fn full(Any(options): Any) -> RpcResult<bool> {
    if let Some(full) = bool::parse(&options) {
        return Ok(full);
    }
    let object = Object::parse(&options).ok_or_else(|| invalid("options: expected true, false or an object"))?;
    let options = Options::new("options", Some(object), &["includeTransactions"])?;
    options.flag("includeTransactions")
}

/// In geth's words: to others than the connection that opened it, a subscription does not exist.
fn unsubscribe(context: &Context, mut args: Args) -> RpcResult<Value> {
    let who = args.call().who();
    let Id(id) = args.required()?;
    match context.subscribers.close(id, who) {
        true => Ok(true.into()),
        false => Err(cannot("subscription not found")),
    }
}
