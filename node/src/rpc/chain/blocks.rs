//! `chain_*`: blocks and headers of both ledgers.

use chain_core::{block::Block, codec, transaction::Transaction};
use serde_json::{Value, json};

use crate::{
    engine::{BlockOutcome, TipStatus},
    rpc::base::{Args, BlockName, Context, Found, HexBytes, Method, RpcResult, Spent, find, invalid, receipts, render},
    store::{BlockRef, Snapshot},
};

pub const METHODS: &[Method] = &[
    Method::new("chain_getInfo", &[], get_info),
    Method::new("chain_getBlockHash", &["height"], get_block_hash),
    Method::new("chain_getHeader", &["block", "verbose"], get_header),
    Method::new("chain_getBlock", &["block", "verbosity"], get_block).reads(),
    Method::new("chain_getTips", &["most"], get_tips),
    Method::new("chain_getSupply", &[], get_supply),
    Method::new("chain_submitBlock", &["block"], submit_block),
];

fn get_info(context: &Context, _: Args) -> RpcResult<Value> {
    let (spec, info) = (&context.spec, context.engine.chain_info());
    Ok(json!({
        "chain": spec.name,
        "chainId": spec.chain_id,
        "hrp": spec.hrp,
        "genesis": context.genesis.to_string(),
        "height": info.height,
        "bestHash": info.hash.to_string(),
        "headers": info.best_header,
        "time": info.header.time,
        "bits": format!("{:08x}", info.next_bits),
        "difficulty": render::difficulty_number(info.next_bits),
        "chainWork": render::word(info.work),
        "baseFee": info.next_base_fee,
        "gasLimit": spec.gas_limit,
        "minTipPerGas": info.mempool.min_tip,
        "syncing": info.syncing,
        "sync": info.sync.map(|progress| json!({
            "start": progress.start,
            "current": progress.current,
            "highest": progress.highest,
        })),
        "coinbaseMaturity": spec.coinbase_maturity,
        "targetInterval": spec.target_interval,
        "safeDepth": spec.safe_depth,
        "finalizedDepth": spec.finalized_depth,
        "maxBlockBytes": spec.max_block_bytes,
        "index": context.node.index,
        "pruned": info.pruned > 0,
        "pruneHeight": (info.pruned > 0).then(|| info.pruned + 1),
        "mempool": {
            "transactions": info.mempool.transactions,
            "pending": info.mempool.pending,
            "bytes": info.mempool.bytes,
            "maxBytes": info.mempool.max_bytes,
        },
    }))
}

fn get_block_hash(context: &Context, mut args: Args) -> RpcResult<Value> {
    let height = args.required()?;
    let found = find(&context.snapshot()?, BlockName::Height(height))?;
    Ok(found.record.hash.to_string().into())
}

fn get_header(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (block, verbose) = (args.required()?, args.optional()?.unwrap_or(true));
    let snapshot = context.snapshot()?;
    let found = find(&snapshot, block)?;
    if !verbose {
        return Ok(hex::encode(found.record.header.to_bytes()).into());
    }
    header_fields(&snapshot, &found).map(Value::Object)
}

fn header_fields(snapshot: &Snapshot, found: &Found) -> RpcResult<render::Fields> {
    let record = &found.record;
    let tip = snapshot.tip().height;
    let next = match found.active {
        true => snapshot.at_height(record.height + 1)?,
        false => None,
    };
    let mut fields = render::header(&record.header, record.height);
    fields.extend(render::fields(json!({
        "confirmations": if found.active { i64::from(tip - record.height) + 1 } else { -1 },
        "chainWork": render::word(record.work),
        "next": next.map(|next| next.hash.to_string()),
    })));
    Ok(fields)
}

fn get_block(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (block, verbosity) = (args.required()?, args.optional::<u32>()?.unwrap_or(1));
    if verbosity > 2 {
        return Err(invalid(format!("verbosity: expected 0, 1 or 2, got {verbosity}")));
    }
    let snapshot = context.snapshot()?;
    let found = find(&snapshot, block)?;
    let at = found.record.at();
    match verbosity {
        0 => Ok(hex::encode(snapshot.body_bytes(at)?).into()),
        _ => whole_block(context, &snapshot, &found, verbosity == 2),
    }
}

fn whole_block(context: &Context, snapshot: &Snapshot, found: &Found, full: bool) -> RpcResult<Value> {
    let at = found.record.at();
    let (block, size) = snapshot.sized_body(at)?;
    let transactions: Vec<Value> = match full {
        false => block.transactions.iter().map(|tx| tx.txid().to_string().into()).collect(),
        true => full_transactions(context, snapshot, at, &block)?,
    };
    let mut fields = header_fields(snapshot, found)?;
    fields.extend(render::fields(json!({
        "size": size,
        "baseFee": found.record.executed.map(|executed| executed.base_fee),
        "transactions": transactions,
    })));
    if let Some(coinbase) = block.coinbase() {
        fields.extend(render::fields(json!({
            "gasUsed": coinbase.gas_used,
            "beneficiary": render::account(&coinbase.beneficiary),
            "stateRoot": coinbase.state_root,
            "receiptsRoot": coinbase.receipts_root,
            "coinsRoot": coinbase.coins_root,
            "extra": hex::encode(&coinbase.extra),
        })));
    }
    Ok(Value::Object(fields))
}

fn full_transactions(context: &Context, snapshot: &Snapshot, at: BlockRef, block: &Block) -> RpcResult<Vec<Value>> {
    let spent = Spent::of(snapshot, at, block)?;
    let mut receipts = receipts(snapshot, at)?.into_iter().peekable();
    let mut all = Vec::with_capacity(block.transactions.len());
    for (position, tx) in (0u32..).zip(&block.transactions) {
        let receipt = receipts.next_if(|receipt| receipt.position == position);
        let mut fields = render::transaction(&context.spec, tx, receipt.as_ref().map(|receipt| receipt.sender));
        let fee = match tx {
            Transaction::Coin(coin) => spent.fee(coin).map(|fee| fee.grains()),
            _ => None,
        };
        fields.insert("fee".into(), fee.into());
        fields.insert("success".into(), receipt.is_none_or(|receipt| receipt.receipt.success).into());
        all.push(Value::Object(fields));
    }
    Ok(all)
}

fn get_tips(context: &Context, mut args: Args) -> RpcResult<Value> {
    let most = args.optional::<u32>()?.map_or(usize::MAX, |most| most as usize);
    let tips = context.query(move |engine| engine.chain().tips(most))?;
    let tip = |tip: &crate::engine::ChainTip| {
        let status = match tip.status {
            TipStatus::Active => "active",
            TipStatus::ValidFork => "valid-fork",
            TipStatus::ValidHeaders => "valid-headers",
            TipStatus::HeadersOnly => "headers-only",
            TipStatus::Invalid => "invalid",
        };
        json!({
            "hash": tip.hash.to_string(),
            "height": tip.height,
            "branchLength": tip.branch_length,
            "status": status,
        })
    };
    Ok(tips.iter().map(tip).collect())
}

fn get_supply(context: &Context, _: Args) -> RpcResult<Value> {
    let snapshot = context.snapshot()?;
    let totals = snapshot.totals();
    let height = snapshot.tip().height;
    Ok(json!({
        "height": height,
        "subsidies": u64::try_from(context.spec.minted_until(height)).ok(),
        "allocatedWei": render::wei(context.spec.allocated()),
        "coins": totals.coin_grains.grains(),
        "coinCount": totals.coins,
        "accountsWei": render::wei(totals.account_wei),
        "accountCount": totals.accounts,
        "mintedWei": render::wei(totals.minted),
        "burnedWei": render::wei(totals.burned),
    }))
}

fn submit_block(context: &Context, mut args: Args) -> RpcResult<Value> {
    let HexBytes(bytes) = args.required()?;
    let block: Block = codec::decode(&bytes).map_err(|error| invalid(format!("block: {error}")))?;
    context.check_senders(&block, &args.call())?;
    submit(context, block)
}

/// The status of a block that is on the active chain now.
pub const CONNECTED: &str = "connected";

/// Hands a block to the engine.
pub fn submit(context: &Context, block: Block) -> RpcResult<Value> {
    let hash = block.hash();
    let outcome = context.ask(context.engine.submit_block(block))?;
    let status = match outcome {
        BlockOutcome::Connected { .. } => CONNECTED,
        BlockOutcome::SideBranch => "stored",
        BlockOutcome::Orphan | BlockOutcome::Future => "held",
        BlockOutcome::Known => "known",
    };
    Ok(json!({ "hash": hash.to_string(), "status": status }))
}
