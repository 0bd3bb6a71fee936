//! `rpc.discover`: the OpenRPC document of the methods that are served.
//!
//! `docs/openrpc.json` has all methods. The tests write it from the tables and from `manual/`, and fail while it differs.

use serde_json::{Value, value::RawValue};
use std::sync::OnceLock;

use super::base::{Args, Context, Method, RpcResult, internal};

pub const METHODS: &[Method] = &[Method::raw("rpc.discover", &[], discover)];

const DOCUMENT: &str = include_str!("../../../docs/openrpc.json");

/// The document in parts, so that a call only joins texts.
struct Parts {
    /// All before the methods.
    head: String,
    methods: Vec<Part>,
}

struct Part {
    name: String,
    /// By its tag.
    namespace: String,
    text: String,
}

fn parts() -> RpcResult<Parts> {
    let mut document: Value = serde_json::from_str(DOCUMENT).map_err(internal)?;
    let methods = document["methods"].take();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let part = |method: &Value| Part {
        name: text(&method["name"]),
        namespace: text(&method["tags"][0]["name"]),
        text: method.to_string(),
    };
    let methods = methods.as_array().into_iter().flatten().map(part).collect();
    document.as_object_mut().map(|fields| fields.remove("methods"));
    let head = document.to_string().trim_end_matches('}').to_owned();
    Ok(Parts { head, methods })
}

fn discover(context: &Context, _: Args) -> RpcResult<Box<RawValue>> {
    static PARTS: OnceLock<Parts> = OnceLock::new();
    let parts = match PARTS.get() {
        Some(parts) => parts,
        None => {
            let parts = parts()?;
            PARTS.get_or_init(|| parts)
        }
    };
    let served = parts.methods.iter().filter(|part| is_served(context, part)).map(|part| part.text.as_str());
    let methods = served.collect::<Vec<_>>().join(",");
    RawValue::from_string(format!("{},\"methods\":[{methods}]}}", parts.head)).map_err(internal)
}

/// Methods of `rpc` say what is served, so they always are.
fn is_served(context: &Context, part: &Part) -> bool {
    part.name.starts_with("rpc") || context.node.namespaces.contains(&part.namespace)
}
