//! `ots_*` and `erigon_getHeaderByNumber`: what the block explorer Otterscan asks beside `eth_*`.

mod blocks;
mod creator;
mod history;
mod number;
mod runs;
mod search;
mod states;

use alloy_primitives::{Address, KECCAK256_EMPTY};
use serde_json::{Value, json};

use super::base::{Args, BlockTag, Context, Method, RpcResult, account, state_at};

pub const TABLES: &[&[Method]] = &[METHODS, blocks::METHODS, runs::METHODS, search::METHODS, creator::METHODS];
/// The one method of Erigon that Otterscan asks, too.
pub const ERIGON: &[Method] = &[Method::new("erigon_getHeaderByNumber", &["block"], blocks::header).reads()];

pub use search::ETH;

const METHODS: &[Method] = &[
    Method::new("ots_getApiLevel", &[], |_, _| Ok(json!(API_LEVEL))),
    Method::new("ots_hasCode", &["account", "block"], has_code),
];

/// The version of these methods that Otterscan looks for.
const API_LEVEL: u32 = 8;

fn has_code(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (address, tag): (Address, Option<BlockTag>) = (args.required()?, args.optional()?);
    let state = state_at(context, tag)?;
    Ok((account(&state, &address)?.code_hash != KECCAK256_EMPTY).into())
}
