//! `rpc.discover`: the OpenRPC document of the methods that are served.
//!
//! `docs/openrpc.json` has all methods. The tests write it from the tables and from `manual/`, and fail while it differs.

use serde_json::{Map, Value, value::RawValue};
use std::sync::LazyLock;

use super::base::{Args, Context, Method, RpcResult, internal};

pub const METHODS: &[Method] = &[Method::raw("rpc.discover", &[], discover)];

/// The document in parts, so that a call only joins texts: what stands before the methods; and the name, the namespace and the
/// text of each.
static DOCUMENT: LazyLock<(String, Vec<[String; 3]>)> = LazyLock::new(|| {
    let document = serde_json::from_str(include_str!("../../../docs/openrpc.json"));
    let mut document: Map<String, Value> = document.expect("the tests write this document");
    let methods = document.remove("methods").unwrap_or_default();
    let mut head = Value::Object(document).to_string();
    head.pop();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let parts = |method: &Value| [text(&method["name"]), text(&method["tags"][0]["name"]), method.to_string()];
    (head, methods.as_array().into_iter().flatten().map(parts).collect())
});

fn discover(context: &Context, _: Args) -> RpcResult<Box<RawValue>> {
    let (head, methods) = &*DOCUMENT;
    // Methods of `rpc` say what is served, so they always are.
    let is_served =
        |[name, namespace, _]: &&[String; 3]| name.starts_with("rpc") || context.node.namespaces.contains(namespace);
    let served: Vec<_> = methods.iter().filter(is_served).map(|[.., text]| text.as_str()).collect();
    RawValue::from_string(format!("{head},\"methods\":[{}]}}", served.join(","))).map_err(internal)
}
