//! `miner_*`: templates for miners of other processes, and the miner of this one.

use cairn_client::unix;
use chain_core::{
    Address, address,
    block::{Block, header::Header},
    codec,
    transaction::{Transaction, coin::Lock},
};
use futures::FutureExt;
use serde_json::{Map, Value, json};
use std::{sync::Arc, time::Duration};

use super::{
    access::Scope,
    base::{Args, Context, HexBytes, Method, Object, Options, RpcResult, cannot, invalid, lock_of, rejected, render},
    chain,
    lanes::Who,
};
use crate::{
    engine::{LongPollId, MOST_EXTRA, Template, TemplateRequest},
    mining::{Finder, Found, Mining},
};

mod gbt;

pub use gbt::METHODS as GBT;

pub const METHODS: &[Method] = &[
    Method::waits("miner_getTemplate", &["request"], |context, args, who, scope| {
        get_template(context, args, who, scope).boxed()
    }),
    Method::new("miner_submit", &["id", "header", "coinbase"], submit),
    Method::new("miner_start", &["threads"], start),
    Method::new("miner_stop", &[], stop),
    Method::new("miner_setAddress", &["address", "account"], set_address),
    Method::new("miner_status", &[], status),
    Method::new("miner_getWorkers", &[], workers),
    Method::new("miner_getStats", &[], stats),
];

/// How long a long poll waits for better work.
const LONG_POLL: Duration = Duration::from_secs(30);
/// Last bytes of the coinbase's `extra`, which are the miner's to change.
const EXTRANONCE: usize = 8;
/// Bytes of the coinbase's `extra` that a caller may choose: the rest are the node's tag, the id and the extranonce.
const MAX_EXTRA: usize = MOST_EXTRA - size_of::<u64>() - EXTRANONCE;
/// What a miner asks for.
struct TemplateOptions {
    payout: Lock,
    beneficiary: Address,
    extra: Vec<u8>,
    than: Option<LongPollId>,
    full: bool,
}

impl TemplateOptions {
    fn read(context: &Context, mut args: Args, scope: Scope) -> RpcResult<Self> {
        let names = ["address", "account", "extra", "longpollId", "full"];
        let options = Options::new("request", args.optional::<Object>()?, &names)?;
        let payout = match options.get::<String>("address")? {
            Some(text) => lock_of(&context.spec.hrp, &text)?,
            None if scope != Scope::Full => {
                return Err(invalid(
                    "request.address: missing; a miner with the mining token names it (cairn-miner --address ADDRESS)",
                ));
            }
            // Orders of the devnet; elsewhere a miner would mine for nobody in silence.
            None if context.node.devnet.is_some() => context.mining.payout_or_nobody(),
            None => context.mining.payout().ok_or_else(|| {
                invalid(
                    "request.address: missing, and the node pays nobody: name an address (cairn-miner --address \
                     ADDRESS), or tell the node (cairn-wallet mine, or --miner.address)",
                )
            })?,
        };
        let HexBytes(extra) = options.get("extra")?.unwrap_or(HexBytes(Vec::new()));
        if extra.len() > MAX_EXTRA {
            return Err(invalid(format!("request.extra: expected at most {MAX_EXTRA} bytes, got {}", extra.len())));
        }
        let than = options
            .get::<String>("longpollId")?
            .map(|text| text.parse().map_err(|error| invalid(format!("request.longpollId: {error}"))));
        Ok(Self {
            payout,
            beneficiary: options.get("account")?.unwrap_or_else(|| context.mining.status().beneficiary),
            extra,
            than: than.transpose()?,
            full: options.flag("full")?,
        })
    }
}

async fn get_template(context: Arc<Context>, args: Args, who: Who, scope: Scope) -> RpcResult<Value> {
    let asked = TemplateOptions::read(&context, args, scope)?;
    let id = context.templates.next_id();
    // The id makes the search spaces of this node's miners disjoint, the node's own tag those of nodes.
    let extra = [asked.extra.as_slice(), &id.to_be_bytes(), &[0; EXTRANONCE]].concat();
    let request = TemplateRequest { payout: asked.payout, beneficiary: asked.beneficiary, extra, full: false };
    let template = match asked.than {
        Some(than) => context.engine.next_template(request, than, LONG_POLL).await?,
        None => context.engine.block_template(request).await?,
    };
    // A full block takes milliseconds to encode, and many miners are answered at once.
    let answer = tokio::task::spawn_blocking(move || {
        let answer = render_template(id, &template, asked.full);
        context.templates.keep(id, who.network, template);
        answer
    });
    answer.await.map_err(|error| cannot(format!("the template could not be encoded: {error}")))
}

fn render_template(id: u64, template: &Template, full: bool) -> Value {
    let block = &template.block;
    let coinbase = block.coinbase();
    let claimed: u64 =
        coinbase.iter().flat_map(|coinbase| &coinbase.outputs).map(|output| output.amount.grains()).sum();
    let mut answer = json!({
        "id": id.to_string(),
        "longpollId": template.longpoll.to_string(),
        "height": template.height,
        "prev": block.header.prev.to_string(),
        "version": block.header.version,
        "bits": format!("{:08x}", block.header.bits),
        "target": render::word(template.target),
        "time": block.header.time,
        "header": hex::encode(block.header.to_bytes()),
        "coinbase": coinbase.map(|coinbase| hex::encode(coinbase.to_bytes())),
        "extranonceOffset": coinbase.and_then(|coinbase| coinbase.extranonce(EXTRANONCE)).map(|place| place.start),
        "extranonceSize": EXTRANONCE,
        "merkleBranch": template.merkle_branch.iter().map(hex::encode).collect::<Vec<_>>(),
        "coinbaseValue": claimed,
        "transactions": block.transactions.len(),
        "gasUsed": template.gas_used,
    });
    if full {
        answer["block"] = hex::encode(codec::encode(block)).into();
    }
    answer
}

fn submit(context: &Context, mut args: Args) -> RpcResult<Value> {
    let id = args.required::<u64>()?;
    let HexBytes(header) = args.required()?;
    let HexBytes(coinbase) = args.required()?;
    let header: [u8; Header::SIZE] = header
        .try_into()
        .map_err(|bytes: Vec<u8>| invalid(format!("header: expected {} bytes, got {}", Header::SIZE, bytes.len())))?;
    let coinbase = codec::decode(&coinbase).map_err(|error| invalid(format!("coinbase: {error}")))?;
    let body = context
        .templates
        .get(id)
        .ok_or_else(|| rejected("stale", format_args!("template {id} is unknown or too old; ask for a new one")))?;
    let rest = body.transactions.iter().cloned();
    let block = Block {
        header: Header::from_bytes(&header),
        transactions: std::iter::once(Transaction::Coinbase(coinbase)).chain(rest).collect(),
    };
    context.mining.note_mined(block.hash());
    let found = Found::of(&block, Finder::Rpc, unix());
    let answer = chain::submit(context, block)?;
    if answer["status"] == chain::CONNECTED {
        context.mining.note_found(found);
    }
    Ok(answer)
}

fn start(context: &Context, mut args: Args) -> RpcResult<Value> {
    let threads = args.optional::<u32>()?;
    if threads.is_some_and(|count| !(1..=1024).contains(&count)) {
        return Err(invalid("threads: expected 1 to 1024"));
    }
    if context.mining.payout().is_none() && !context.node.pays_nobody {
        return Err(cannot("nobody to pay: call miner_setAddress first, or start the node with --miner.address"));
    }
    context.mining.start(threads.map(|count| count as usize));
    Ok(true.into())
}

fn stop(context: &Context, _: Args) -> RpcResult<Value> {
    context.mining.stop();
    Ok(true.into())
}

fn set_address(context: &Context, mut args: Args) -> RpcResult<Value> {
    let lock = lock_of(&context.spec.hrp, &args.required::<String>()?)?;
    let account = args.optional()?;
    context
        .mining
        .set_payout(lock, account)
        .map_err(|error| cannot(format!("the address is set, but cannot be kept over a restart: {error}")))?;
    Ok(true.into())
}

fn status(context: &Context, _: Args) -> RpcResult<Value> {
    let (status, found) = (context.mining.status(), context.mining.found());
    let encode = |lock: &Lock| address::encode(&context.spec.hrp, lock);
    let last = found.last().map(|block| {
        let payee = block.payout.filter(|lock| *lock != Mining::NOBODY);
        json!({
            "height": block.height,
            "hash": block.hash.to_string(),
            "by": block.finder.name(),
            "address": payee.as_ref().map(encode),
            "time": block.time,
        })
    });
    Ok(json!({
        "mining": status.mining,
        "threads": status.threads,
        "hashrate": status.hashrate,
        "address": context.mining.payout().as_ref().map(encode),
        "account": render::account(&status.beneficiary),
        "blocks": status.blocks,
        "found": Finder::ALL.iter().map(|(finder, name)| ((*name).to_owned(), found.count(*finder).into())).collect::<Map<_, _>>(),
        "lastBlocks": last.collect::<Vec<_>>(),
        "waiting": status.waiting.map(|reason| reason.to_string()),
        "automine": status.automine,
    }))
}

fn workers(context: &Context, _: Args) -> RpcResult<Value> {
    Ok(context.workers.list(unix()))
}

fn stats(context: &Context, _: Args) -> RpcResult<Value> {
    let mut stats = context.workers.sums(unix());
    stats["stratum"] = context.node.stratum.map(|address| address.to_string()).into();
    Ok(stats)
}
