//! `devnet_*`: orders to the devnet that started this node, only on its nodes.

use serde_json::Value;

use super::base::{Args, Context, Method, RpcResult, cannot, invalid};
use crate::devnet::{self, MOST_LINE};

pub const METHODS: &[Method] =
    &[Method::new("devnet_status", &[], status), Method::new("devnet_order", &["order"], order)];

fn status(context: &Context, _: Args) -> RpcResult<Value> {
    ask(context, "")
}

fn order(context: &Context, mut args: Args) -> RpcResult<Value> {
    let line: String = args.required()?;
    let line = line.trim();
    // A second line would be another order; an empty one asks for the status.
    if line.is_empty() || line.len() > MOST_LINE || line.contains(char::is_control) || !line.is_ascii() {
        return Err(invalid(format!(
            "order: expected a line of at most {MOST_LINE} ASCII characters such as \"partition 0,1 | 2\""
        )));
    }
    ask(context, line)
}

fn ask(context: &Context, line: &str) -> RpcResult<Value> {
    let Some(socket) = &context.node.devnet else {
        return Err(cannot("this node was not started by `cairn-node devnet`"));
    };
    let answer = devnet::ask(socket, line);
    answer.map_err(|error| cannot(format!("the devnet does not answer: {error}")))?.map_err(cannot)
}
