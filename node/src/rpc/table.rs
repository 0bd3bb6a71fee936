//! Every method of the RPC, by namespace: what is registered, and the error for the rest.

use jsonrpsee::types::ErrorCode;

use super::{
    admin,
    base::{Method, RpcError, error},
    chain, coin, debug, dev, devnet, discover, eth, miner, net, ots, pubsub, trace, txpool, web3,
};

/// Namespaces and their tables. A method belongs to the namespace of its table, whatever its prefix is.
const NAMESPACES: [(&str, &[&[&[Method]]]); 14] = [
    ("admin", &[&[admin::METHODS]]),
    ("chain", &[chain::TABLES, pubsub::CHAIN]),
    ("coin", &[coin::TABLES, pubsub::COIN]),
    ("debug", &[debug::TABLES]),
    ("dev", &[dev::TABLES]),
    ("devnet", &[&[devnet::METHODS]]),
    ("erigon", &[&[ots::ERIGON]]),
    ("eth", &[eth::TABLES, pubsub::ETH, &[ots::ETH]]),
    ("miner", &[&[miner::METHODS, miner::GBT]]),
    ("net", &[&[net::METHODS]]),
    ("ots", &[ots::TABLES]),
    ("trace", &[trace::TABLES]),
    ("txpool", &[&[txpool::METHODS]]),
    ("web3", &[&[web3::METHODS, discover::METHODS]]),
];

/// They say what is served, so they always are.
const ALWAYS: [&str; 2] = ["rpc_modules", "rpc.discover"];

/// Names of all namespaces.
pub fn namespaces() -> impl Iterator<Item = &'static str> {
    NAMESPACES.iter().map(|(name, _)| *name)
}

/// All methods with their namespaces.
pub fn all() -> impl Iterator<Item = (&'static str, &'static Method)> {
    let of = |tables: &'static [&'static [&'static [Method]]]| tables.iter().copied().flatten().copied().flatten();
    NAMESPACES.iter().flat_map(move |(name, tables)| of(tables).map(|method| (*name, method)))
}

/// The methods of some namespaces.
pub fn served(namespaces: &[String]) -> impl Iterator<Item = &'static Method> {
    let served = |(namespace, method): &(&str, &Method)| {
        ALWAYS.contains(&method.name) || namespaces.iter().any(|served| served == namespace)
    };
    all().filter(move |row| served(row)).map(|(_, method)| method)
}

/// Whether a method opens a subscription.
pub fn is_subscription(name: &str) -> bool {
    name.contains("_subscribe") && all().any(|(_, method)| method.name == name && method.is_subscription())
}

/// Names of a method's parameters; `None` if there is no such method.
pub fn parameters(name: &str) -> Option<&'static [&'static str]> {
    all().find(|(_, method)| method.name == name).map(|(_, method)| method.params)
}

/// The error for a method that is not served.
pub fn absent(method: &str) -> RpcError {
    let message = match all().find(|(_, row)| row.name == method) {
        Some(("dev", _)) => {
            format!("the method {method} is not served here: start the node with --dev, and dev among --http.api")
        }
        Some((namespace, _)) => {
            format!("the method {method} is not served here: start the node with {namespace} among --http.api")
        }
        None => format!("the method {} does not exist", method.chars().take(60).collect::<String>()),
    };
    error(ErrorCode::MethodNotFound.code(), message)
}
