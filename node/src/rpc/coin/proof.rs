//! `coin_getProof`: that a header commits to a transaction.

use chain_core::{
    block::merkle,
    hash::{BlockHash, TxId},
};
use serde_json::{Value, json};

use crate::{
    rpc::base::{Args, BlockName, Context, Method, RpcResult, find, not_found},
    store::{BlockRef, Snapshot},
};

pub const METHODS: &[Method] = &[Method::new("coin_getProof", &["txid", "blockHash"], get_proof).reads()];

/// The merkle path of a transaction of any kind to the header of its block, on the active chain or of the block that is named.
fn get_proof(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (txid, hash) = (args.required::<TxId>()?, args.optional::<BlockHash>()?);
    let snapshot = context.snapshot()?;
    let at = match hash {
        Some(hash) => find(&snapshot, BlockName::Hash(hash))?.record.at(),
        None => holder(context, &snapshot, txid)?,
    };
    let found = find(&snapshot, BlockName::Hash(at.hash))?;
    let transactions = snapshot.body(at)?.transactions;
    let index = transactions.iter().position(|tx| tx.txid() == txid);
    let index = index.ok_or_else(|| not_found(format!("block {} has no transaction {txid}", at.hash)))?;
    let leaves: Vec<_> = transactions.iter().map(merkle::leaf).collect();
    Ok(json!({
        "txid": txid.to_string(),
        "blockHash": at.hash.to_string(),
        "height": at.height,
        "confirmations": if found.active { i64::from(snapshot.tip().height - at.height) + 1 } else { -1 },
        "header": hex::encode(found.record.header.to_bytes()),
        "transaction": hex::encode(transactions[index].leaf_bytes()),
        "index": index,
        "count": leaves.len(),
        "branch": merkle::branch(&leaves, index).iter().map(hex::encode).collect::<Vec<_>>(),
    }))
}

/// The block of the active chain that holds a transaction.
fn holder(context: &Context, snapshot: &Snapshot, txid: TxId) -> RpcResult<BlockRef> {
    if let Some(place) = snapshot.transaction(&txid)? {
        return Ok(place.block);
    }
    Err(not_found(match context.query(move |engine| engine.mempool().contains(&txid))? {
        true => format!("transaction {txid} is in the mempool, and in no block yet"),
        false => {
            format!("no block of the active chain has transaction {txid}; name the block if it is on another branch")
        }
    }))
}
