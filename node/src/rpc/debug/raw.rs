//! `debug_getRaw*`: blocks, headers, receipts and transactions as they are hashed.

use serde_json::{Value, json};

use crate::{
    rpc::{
        base::{Args, BlockTag, Context, Method, RpcResult, data, header, no_header, not_found, receipts, resolve},
        eth::raw_transaction,
    },
    store::{BlockRef, Snapshot},
};

pub const METHODS: &[Method] = &[
    Method::new("debug_getRawBlock", &["block"], raw_block).reads(),
    Method::new("debug_getRawHeader", &["block"], raw_header),
    Method::new("debug_getRawReceipts", &["block"], raw_receipts).reads(),
    Method::new("debug_getRawTransaction", &["hash"], raw_transaction),
    Method::new("debug_getRawBlockAccessList", &["block"], no_access_list),
    // Blocks that break a rule are not kept.
    Method::new("debug_getBadBlocks", &[], |_, _| Ok(json!([]))),
];

fn named(context: &Context, args: &mut Args) -> RpcResult<(Snapshot, BlockRef)> {
    let (tag, snapshot): (BlockTag, _) = (args.required()?, context.snapshot()?);
    match resolve(context, &snapshot, tag)? {
        Some(at) => Ok((snapshot, at)),
        None => Err(no_header(&snapshot, tag)),
    }
}

fn raw_block(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (snapshot, at) = named(context, &mut args)?;
    Ok(data(&snapshot.body_bytes(at)?))
}

fn raw_header(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (snapshot, at) = named(context, &mut args)?;
    Ok(data(&header(&snapshot, at)?.header.to_bytes()))
}

/// In Ethereum's encoding, whose root the coinbase commits to.
fn raw_receipts(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (snapshot, at) = named(context, &mut args)?;
    Ok(receipts(&snapshot, at)?.iter().map(|stored| data(&stored.receipt.encode())).collect())
}

fn no_access_list(_: &Context, mut args: Args) -> RpcResult<Value> {
    args.required::<BlockTag>()?;
    Err(not_found("resource not found: blocks of this chain have no access lists (EIP-7928)"))
}
