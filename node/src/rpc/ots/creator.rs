//! Who created a contract, and by which transaction.

use alloy_primitives::{Address, B256, KECCAK256_EMPTY};
use chain_core::{execute::Status, state::StateView};
use serde_json::{Value, json};

use super::{
    history::{Blocks, account_transaction},
    states::first_height,
};
use crate::{
    rpc::{
        base::{Args, Call, Context, Method, RpcResult, account, at_height, receipts, unavailable},
        tracer::{CallConfig, Calls, Frame, MOST_BYTES, Recorder, TraceBlock, Watch},
    },
    store::{BlockRef, HistoricalState, Snapshot, kv::Order},
};

pub const METHODS: &[Method] = &[Method::new("ots_getContractCreator", &["account"], creator).code()];

/// First bytes of the code of an account that delegates, which nobody creates (EIP-7702).
const DELEGATION: &[u8] = &[0xef, 0x01, 0x00];

/// Blocks in which an account is looked for the transaction that created it.
const MOST_BLOCKS: usize = 100;

fn creator(context: &Context, mut args: Args) -> RpcResult<Value> {
    let address: Address = args.required()?;
    let (call, snapshot) = (args.call(), context.snapshot()?);
    let code_hash = account(&snapshot, &address)?.code_hash;
    if code_hash == KECCAK256_EMPTY || snapshot.code(&code_hash)?.starts_with(DELEGATION) {
        return Ok(Value::Null);
    }
    let low = snapshot.oldest_state()?;
    let has_code = |state: &HistoricalState| Ok(account(state, &address)?.code_hash == code_hash);
    let height = first_height(&snapshot, low, &call, has_code)?;
    if height > low {
        let at = at_height(&snapshot, height)?;
        return by_run(context, snapshot, at, &call, address);
    }
    if let Some(found) = by_index(&snapshot, &call, address)? {
        return Ok(found);
    }
    match height {
        // The genesis block has it.
        0 => Ok(Value::Null),
        _ => Err(unavailable(format!(
            "contract {address} was created at or before block {low} by another contract; the states of those blocks, which \
             tell by which, are not kept (see --archive)"
        ))),
    }
}

fn shown(hash: B256, creator: Address) -> Value {
    json!({ "hash": hash, "creator": creator })
}

/// Runs a block again to see who creates the contract.
fn by_run(context: &Context, snapshot: Snapshot, at: BlockRef, call: &Call, address: Address) -> RpcResult<Value> {
    let block = TraceBlock::load(context, snapshot, at)?;
    let found = block.each(context, call, None, |tx| {
        let recorders = vec![Recorder::Calls(Calls::new(CallConfig::default(), 0))];
        let mut watch = Watch::new(call, MOST_BYTES, recorders);
        tx.run(&mut watch)?;
        let top = watch.take_calls().and_then(Calls::top);
        let creator = top.and_then(|top| creator_in(&top, address));
        Ok(creator.map(|creator| shown(tx.account.hash(), creator)))
    })?;
    Ok(found.into_iter().flatten().next().into())
}

fn creator_in(frame: &Frame, address: Address) -> Option<Address> {
    if frame.status != Status::Success {
        return None;
    }
    if frame.is_creation() && frame.to == address {
        return Some(frame.from);
    }
    frame.calls.iter().find_map(|call| creator_in(call, address))
}

/// Looks for a transaction that created the contract itself: one of the first that the index has of it.
fn by_index(snapshot: &Snapshot, call: &Call, address: Address) -> RpcResult<Option<Value>> {
    let mut blocks = Blocks::new(snapshot, address, Order::Ascending, None, call);
    for _ in 0..MOST_BLOCKS {
        let Some((height, positions)) = blocks.next_block()? else { break };
        call.check()?;
        let at = at_height(snapshot, height)?;
        let block = snapshot.body(at)?;
        for receipt in receipts(snapshot, at)?.iter().filter(|receipt| positions.contains(&receipt.position)) {
            let transaction = account_transaction(&block.transactions, receipt.position);
            let creates = transaction.filter(|tx| {
                let fields = tx.fields();
                receipt.receipt.success && fields.to.is_none() && receipt.sender.create(fields.nonce) == address
            });
            if let Some(transaction) = creates {
                return Ok(Some(shown(transaction.hash(), receipt.sender)));
            }
        }
    }
    Ok(None)
}
