//! `admin_*`: the process itself.

use serde_json::{Value, json};

use super::{Context, Method, error::RpcResult, params::Args, web3};

pub(super) const METHODS: &[Method] =
    &[Method::new("admin_nodeInfo", &[], node_info), Method::new("admin_stop", &[], stop)];

fn node_info(context: &Context, _: Args) -> RpcResult<Value> {
    Ok(json!({
        "name": web3::client_version(),
        "chain": context.spec.name,
        "genesis": context.genesis.to_string(),
        "datadir": context.node.datadir,
        "uptime": context.node.started.elapsed().as_secs(),
        "rpc": context.node.url,
        "process": std::process::id(),
    }))
}

fn stop(context: &Context, _: Args) -> RpcResult<Value> {
    context.node.stop.notify_one();
    Ok(true.into())
}
