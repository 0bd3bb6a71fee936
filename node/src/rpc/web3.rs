//! `web3_*` and `rpc_modules`.

use alloy_primitives::keccak256;
use serde_json::{Map, Value};

use super::base::{Args, Context, Data, Method, RpcResult, data};
use crate::version::{DEV_NAME, client_version};

pub const METHODS: &[Method] = &[
    Method::new("web3_clientVersion", &[], |context, _| Ok(web3_version(context).into())).brief(),
    Method::new("web3_sha3", &["data"], sha3),
    Method::new("rpc_modules", &[], modules),
];

/// The node's name. That of a chain of `--dev` begins with Anvil's: Hardhat's helpers for tests work with nodes of that name alone.
pub fn web3_version(context: &Context) -> String {
    let dev = if context.spec.is_dev() { DEV_NAME } else { "" };
    format!("{dev}{}", client_version())
}

fn sha3(_: &Context, mut args: Args) -> RpcResult<Value> {
    let Data(bytes) = args.required()?;
    Ok(data(keccak256(bytes).as_slice()))
}

fn modules(context: &Context, _: Args) -> RpcResult<Value> {
    let names = context.node.namespaces.iter().map(String::as_str);
    // The prefixes of those methods that Ethereum's tools know.
    let tools = names.clone().filter(|name| *name == "dev").flat_map(|_| ["anvil", "evm", "hardhat"]);
    Ok(Value::Object(names.chain(tools).map(|name| (name.to_owned(), Value::from("1.0"))).collect::<Map<_, _>>()))
}
