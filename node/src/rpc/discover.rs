//! `rpc.discover`: the OpenRPC document of the methods that are served.
//!
//! `docs/openrpc.json` has all methods. The tests write it from the tables and from `manual/`, and fail while it differs.

use serde_json::Value;

use super::base::{Args, Context, Method, RpcResult, internal};

pub const METHODS: &[Method] = &[Method::new("rpc.discover", &[], discover).reads()];

const DOCUMENT: &str = include_str!("../../../docs/openrpc.json");

fn discover(context: &Context, _: Args) -> RpcResult<Value> {
    let mut document: Value = serde_json::from_str(DOCUMENT).map_err(|error| internal(error.to_string()))?;
    if let Some(methods) = document["methods"].as_array_mut() {
        methods.retain(|method| is_served(context, method));
    }
    Ok(document)
}

/// By its tag, the namespace. Methods of `rpc` say what is served, so they always are.
fn is_served(context: &Context, method: &Value) -> bool {
    let namespace = method["tags"][0]["name"].as_str().unwrap_or_default();
    let name = method["name"].as_str().unwrap_or_default();
    name.starts_with("rpc") || context.node.namespaces.iter().any(|served| served == namespace)
}
