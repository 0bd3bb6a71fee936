//! `eth_getLogs`.

use serde_json::value::RawValue;

use crate::rpc::base::{Args, Context, LogSearch, Method, Options, RpcResult};

pub const METHODS: &[Method] = &[Method::raw("eth_getLogs", &["filter"], get_logs)];

/// Unknown fields are ignored, as geth does.
fn get_logs(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let search = LogSearch::parse(&Options::lenient("filter", args.required()?))?;
    search.run(context, &args.call())
}
