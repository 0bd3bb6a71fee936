//! `getblocktemplate` and `submitblock` (BIP 22, BIP 23), for miners that speak Bitcoin's JSON-RPC.
//!
//! Only the node can make the coinbase, which commits to the state; so there is `coinbasetxn` and no `coinbasevalue`. Such
//! miners compute Bitcoin's merkle tree, which duplicates an odd node where this chain's tree does not: they get blocks of 1,
//! 2, 4, 8, ... transactions, over which both trees are the same.

use cairn_client::unix;
use chain_core::{
    block::{Block, MAX_TRANSACTIONS, header::Header, merkle},
    codec,
    error::RuleError,
    hash::BlockHash,
    transaction::{Transaction, coin::Lock, coinbase::Coinbase},
    units::Height,
    work::pow,
};
use futures::FutureExt;
use serde_json::{Map, Value, json};
use std::sync::Arc;

use super::{
    super::{
        access::Scope,
        base::{Args, BlockName, Context, Method, Object, RpcError, RpcResult, cannot, error, find, lock_of, render},
        lanes::Who,
    },
    LONG_POLL,
};
use crate::{
    engine::{BlockOutcome, LongPollId, SubmitBlockError, Template, TemplateRequest},
    mining::{Finder, Found},
    stratum,
};

pub const METHODS: &[Method] = &[
    Method::waits("getblocktemplate", &["template_request"], |context, args, who, _: Scope| {
        get_block_template(context, args, who).boxed()
    }),
    Method::new("submitblock", &["hexdata", "parameters"], submit_block),
    Method::new("getmininginfo", &[], get_mining_info),
];

/// Bitcoin Core's codes.
const INVALID_ADDRESS: i32 = -5;
const INVALID_PARAMETER: i32 = -8;
const INITIAL_SYNC: i32 = -10;
const DESERIALIZATION: i32 = -22;

/// Seconds for which a miner may search without asking again.
const EXPIRES: u64 = 120;

/// Blocks over which the network's hash rate is estimated, as Bitcoin Core does.
const RATE_BLOCKS: Height = 120;

/// What a miner asks for. It may send more, such as `rules` or `maxversion`, that this chain does not need.
struct TemplateOptions {
    payout: Lock,
    than: Option<LongPollId>,
}

impl TemplateOptions {
    fn read(context: &Context, fields: &Map<String, Value>) -> RpcResult<Self> {
        if fields.get("mode").is_some_and(|mode| !mode.is_null() && mode != "template") {
            return Err(error(INVALID_PARAMETER, "Invalid mode: this node gives templates only"));
        }
        let lists = |name: &str| {
            let all = fields.get("capabilities").and_then(Value::as_array);
            all.is_some_and(|all| all.iter().any(|capability| capability == name))
        };
        if lists("coinbasevalue") && !lists("coinbasetxn") {
            return Err(error(
                INVALID_PARAMETER,
                "capabilities: this chain's coinbase commits to the state, so that a miner cannot make its own: \"coinbasetxn\" is needed",
            ));
        }
        let text = |name: &str| match fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(error(INVALID_PARAMETER, format!("{name}: expected a string"))),
        };
        let payout = match text("address")? {
            Some(address) => lock_of(&context.spec.hrp, address)
                .map_err(|reason| error(INVALID_ADDRESS, format!("Invalid address: {}", reason.message())))?,
            None => context.mining.payout().ok_or_else(|| {
                error(
                    INVALID_PARAMETER,
                    "nobody to pay: start the node with --miner.address ADDRESS, or call miner_setAddress, or name an \
                     \"address\" in the request",
                )
            })?,
        };
        let than = text("longpollid")?.map(str::parse).transpose();
        let than = than.map_err(|reason| error(INVALID_PARAMETER, format!("longpollid: {reason}")))?;
        Ok(Self { payout, than })
    }
}

async fn get_block_template(context: Arc<Context>, mut args: Args, who: Who) -> RpcResult<Value> {
    let fields = args.optional::<Object>()?.map_or_else(Map::new, |object| object.0);
    let options = TemplateOptions::read(&context, &fields)?;
    if context.engine.chain_info().syncing {
        return Err(error(INITIAL_SYNC, "the node is in initial sync and waiting for blocks"));
    }
    let id = context.templates.next_id();
    let request = TemplateRequest {
        payout: options.payout,
        beneficiary: context.mining.status().beneficiary,
        extra: id.to_be_bytes().to_vec(),
        // Bitcoin's merkle tree over its transactions is then this chain's.
        full: true,
    };
    if let Some(than) = options.than {
        context.engine.better_than(than, LONG_POLL).await;
    }
    let template = context.engine.block_template(request).await?;
    let answer = tokio::task::spawn_blocking(move || {
        let answer = render_template(&context, id, &template, options.than);
        context.templates.keep(id, who.network, template);
        answer
    });
    answer.await.map_err(|reason| cannot(format!("the template could not be encoded: {reason}")))
}

fn render_template(context: &Context, id: u64, template: &Template, than: Option<LongPollId>) -> Value {
    let block = &template.block;
    // What contracts read of the time is in the state root: it cannot change.
    let time = block.header.time;
    let rest = block.transactions.iter().skip(1).map(render_transaction);
    let mut coinbase = block.transactions.first().map(render_transaction);
    if let Some(coinbase) = &mut coinbase {
        coinbase["fee"] = i64::try_from(template.coin_tips.grains()).map_or(i64::MIN, |tips| -tips).into();
    }
    let mut answer = json!({
        "capabilities": [],
        "version": block.header.version,
        "rules": [],
        "vbavailable": {},
        "vbrequired": 0,
        "previousblockhash": block.header.prev.to_string(),
        "transactions": rest.collect::<Vec<_>>(),
        "coinbasetxn": coinbase,
        "longpollid": template.longpoll.to_string(),
        "workid": id.to_string(),
        "target": render::word(template.target),
        "bits": format!("{:08x}", block.header.bits),
        "height": template.height,
        "curtime": time,
        "expires": EXPIRES,
        "mintime": time,
        "maxtime": time,
        "mutable": ["coinbase/append", "version/force", "version/reduce", "submit/coinbase"],
        "noncerange": "00000000ffffffff",
        "sizelimit": context.spec.max_block_bytes,
    });
    if let Some(than) = than {
        answer["submitold"] = (than.parent == template.longpoll.parent).into();
    }
    answer
}

/// The hash is that of the merkle tree, which for a transaction of accounts is not its id. Each is needed: the coinbase
/// commits to what all of them do.
fn render_transaction(transaction: &Transaction) -> Value {
    let leaf = BlockHash(merkle::leaf(transaction)).to_string();
    json!({ "data": hex::encode(transaction.leaf_bytes()), "hash": leaf, "txid": leaf, "required": true })
}

fn get_mining_info(context: &Context, _: Args) -> RpcResult<Value> {
    let info = context.engine.chain_info();
    let since = find(&context.snapshot()?, BlockName::Height(info.height.saturating_sub(RATE_BLOCKS)))?.record;
    let seconds = info.header.time.saturating_sub(since.header.time).max(1);
    let target = pow::target(info.next_bits).unwrap_or_default();
    Ok(json!({
        "blocks": info.height,
        "bits": format!("{:08x}", info.next_bits),
        "difficulty": stratum::difficulty(target),
        "target": render::word(target),
        "networkhashps": f64::from(info.work.saturating_sub(since.work)) / f64::from(seconds),
        "pooledtx": info.mempool.transactions,
        "chain": context.spec.name,
    }))
}

fn submit_block(context: &Context, mut args: Args) -> RpcResult<Value> {
    let text: String = args.required()?;
    let fields = args.optional::<Object>()?.map_or_else(Map::new, |object| object.0);
    let workid = fields.get("workid").and_then(Value::as_str).and_then(|text| text.parse().ok());
    let bytes = hex::decode(&text).map_err(|reason| undecodable(&reason))?;
    let Some(block) = read_block(context, &bytes, workid)? else {
        return Ok("unknown-work".into());
    };
    context.check_senders(&block, &args.call())?;
    let (hash, header) = (block.hash(), block.header);
    // Anybody may hand in a block. It was mined here if its template is from here.
    let from_here = workid.is_some_and(|id| context.templates.get(id).is_some());
    if from_here {
        context.mining.note_mined(hash);
    }
    let found = Found::of(&block, Finder::GetBlockTemplate, unix());
    let on_tip = context.engine.chain_info().hash == header.prev;
    let outcome = context.wait(context.engine.submit_block(block));
    let reason = match &outcome {
        Ok(BlockOutcome::Connected { .. }) => {
            if from_here {
                context.mining.note_found(found);
            }
            return Ok(Value::Null);
        }
        Ok(BlockOutcome::Known) => "duplicate",
        Ok(BlockOutcome::SideBranch) if on_tip => "inconclusive",
        Ok(BlockOutcome::SideBranch) => "stale-prevblk",
        Ok(BlockOutcome::Orphan) | Err(SubmitBlockError::UnknownParent(_)) => "bad-prevblk",
        Ok(BlockOutcome::Future) => "time-too-new",
        Err(SubmitBlockError::KnownInvalid(_)) => "duplicate-invalid",
        Err(SubmitBlockError::Rule(rule)) => words(rule),
        Err(SubmitBlockError::Local(_) | SubmitBlockError::Stopped) => {
            return outcome.map(|_| Value::Null).map_err(RpcError::from);
        }
    };
    let detail = outcome.err().map(|reason| reason.to_string());
    tracing::debug!(%hash, reason, detail, "a block that was submitted is not the tip");
    Ok(reason.into())
}

fn undecodable(reason: &dyn std::fmt::Display) -> RpcError {
    error(DESERIALIZATION, format!("Block decode failed: {reason}"))
}

/// Reads a header, the count of transactions, the coinbase, and the others unless the template has them. `None` if they lack
/// and the template is unknown. Without the others, some miners count the coinbase alone.
fn read_block(context: &Context, bytes: &[u8], workid: Option<u64>) -> RpcResult<Option<Block>> {
    let (header, rest) = bytes
        .split_first_chunk::<{ Header::SIZE }>()
        .ok_or_else(|| undecodable(&format_args!("{} bytes, fewer than a header has", bytes.len())))?;
    let (mut count, rest) = compact_size(rest).ok_or_else(|| undecodable(&"no count of transactions"))?;
    let (coinbase, size) =
        codec::decode_first::<Coinbase>(rest).map_err(|reason| undecodable(&format_args!("coinbase: {reason}")))?;
    let mut rest = rest.get(size..).unwrap_or_default();
    let mut transactions = vec![Transaction::Coinbase(coinbase)];
    let header = Header::from_bytes(header);
    let is_alone = count == 1 && merkle::leaf(&transactions[0]) == header.merkle_root;
    if rest.is_empty() && !is_alone {
        match workid.and_then(|id| context.templates.get(id)) {
            Some(body) => transactions.extend(body.transactions.iter().cloned()),
            None if count > 1 => return Ok(None),
            None => {}
        }
        count = if count == 1 { transactions.len() } else { count };
    }
    while !rest.is_empty() && transactions.len() < count {
        let (transaction, size) = codec::decode_first(rest)
            .map_err(|reason| undecodable(&format_args!("transaction {}: {reason}", transactions.len())))?;
        transactions.push(transaction);
        rest = rest.get(size..).unwrap_or_default();
    }
    if transactions.len() != count || !rest.is_empty() {
        let surplus = rest.len();
        return Err(undecodable(&format_args!("{count} transactions, got {} and {surplus} bytes", transactions.len())));
    }
    Ok(Some(Block { header, transactions }))
}

/// Reads Bitcoin's CompactSize of at most [`MAX_TRANSACTIONS`] and what follows it.
fn compact_size(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, size) = match bytes {
        [0xfd, low, high, ..] => (usize::from(u16::from_le_bytes([*low, *high])), 3),
        [0xfe, a, b, c, d, ..] => (usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).ok()?, 5),
        [short @ 0..=0xfc, ..] => (usize::from(*short), 1),
        _ => return None,
    };
    (1..=MAX_TRANSACTIONS).contains(&number).then_some((number, bytes.get(size..)?))
}

/// The word for a rule in BIP 22, or Bitcoin Core's.
fn words(rule: &RuleError) -> &'static str {
    use RuleError as E;
    match rule {
        E::HashAboveTarget { .. } => "high-hash",
        E::MerkleRoot { .. } => "bad-txnmrklroot",
        E::WrongBits { .. }
        | E::BitsNegative { .. }
        | E::BitsZero { .. }
        | E::BitsOverflow { .. }
        | E::BitsNotCanonical { .. }
        | E::BitsAboveLimit { .. } => "bad-diffbits",
        E::TimeBeforeParent { .. } => "time-too-old",
        E::NoCoinbase => "bad-cb-missing",
        E::MisplacedCoinbase { .. } => "bad-cb-multiple",
        E::ExtraTooLong { .. } => "bad-cb-length",
        E::CoinbaseHeight { .. } => "bad-cb-height",
        E::CoinbaseTooGreedy { .. } => "bad-cb-amount",
        E::BlockTooLarge { .. } => "bad-blk-length",
        // The time was changed, or the beneficiary.
        E::StateRoot { .. } | E::ReceiptsRoot { .. } | E::CoinsRoot { .. } | E::GasUsed { .. } => "rejected",
        _ => "bad-txns",
    }
}
