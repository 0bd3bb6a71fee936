//! `miner_*`: templates for miners of other processes, and the miner of this one.

use chain_core::{Address, address, codec, coin::Lock, header::Header, transaction::Transaction};
use jsonrpsee::types::Params;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Context, Method,
    access::Scope,
    call::Call,
    chain, coin,
    error::{RpcResult, cannot, invalid, over_limit, rejected, template_error},
    params::{Args, HexBytes, Object, Options},
    render,
};
use crate::template::{LongPollId, MOST_EXTRA, Template};

/// The one method that waits without holding a thread.
pub(super) const GET_TEMPLATE: &str = "miner_getTemplate";

pub(super) const METHODS: &[Method] = &[
    Method::new("miner_submit", &["id", "header", "coinbase"], submit),
    Method::new("miner_start", &["threads"], start),
    Method::new("miner_stop", &[], stop),
    Method::new("miner_setAddress", &["address", "account"], set_address),
    Method::new("miner_status", &[], status),
];

/// How long a long poll waits for better work.
const LONG_POLL: Duration = Duration::from_secs(30);
/// Last bytes of the coinbase, which are the miner's to change.
const EXTRANONCE: usize = 8;
/// Bytes of the coinbase's `extra` that a caller may choose: the rest are the node's tag, the id and the extranonce.
const MAX_EXTRA: usize = MOST_EXTRA - size_of::<u64>() - EXTRANONCE;
/// Templates that are remembered, most of them of few blocks, and the encoded bytes of those blocks.
const KEPT: usize = 1_024;
const KEPT_BYTES: usize = 64 << 20;
/// Accounts that callers with the mining token may name within [`ACCOUNTS_TIME`]. The state depends on the account, so that
/// each costs the engine's thread an execution with every new tip.
const ACCOUNTS: usize = 4;
const ACCOUNTS_TIME: Duration = Duration::from_secs(600);

/// Templates that were given out, newest last, so that a solution need not carry the block back.
#[derive(Default)]
pub struct Templates(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    last_id: u64,
    templates: VecDeque<(u64, Arc<Template>)>,
    /// Accounts that the mining token's callers named, and when last.
    accounts: Vec<(Address, Instant)>,
}

impl Templates {
    fn next_id(&self) -> u64 {
        let mut kept = self.0.lock();
        kept.last_id += 1;
        kept.last_id
    }

    fn keep(&self, id: u64, template: Arc<Template>) {
        let mut kept = self.0.lock();
        kept.templates.push_back((id, template));
        while kept.templates.len() > KEPT || kept.templates.len() > 1 && kept.bytes() > KEPT_BYTES {
            kept.templates.pop_front();
        }
    }

    fn get(&self, id: u64) -> Option<Arc<Template>> {
        self.0.lock().templates.iter().find(|(kept, _)| *kept == id).map(|(_, template)| template.clone())
    }

    /// Lets a caller with the mining token name an account.
    fn name(&self, account: Address, now: Instant) -> RpcResult<()> {
        let mut kept = self.0.lock();
        kept.accounts.retain(|(other, at)| *other != account && now.saturating_duration_since(*at) < ACCOUNTS_TIME);
        if kept.accounts.len() >= ACCOUNTS {
            return Err(over_limit(format!(
                "request.account: callers with the mining token have named {ACCOUNTS} others within the last {} minutes, and \
                 no more are served: name one of them, or none",
                ACCOUNTS_TIME.as_secs() / 60
            )));
        }
        kept.accounts.push((account, now));
        Ok(())
    }
}

impl Kept {
    /// Of all blocks, each once.
    fn bytes(&self) -> usize {
        let mut blocks: Vec<_> =
            self.templates.iter().map(|(_, template)| (Arc::as_ptr(template), template.bytes)).collect();
        blocks.sort_unstable();
        blocks.dedup();
        blocks.iter().map(|(_, bytes)| bytes).sum()
    }
}

/// What a miner asks for.
struct Asked {
    payout: Lock,
    beneficiary: Address,
    extra: Vec<u8>,
    than: Option<LongPollId>,
    full: bool,
}

impl Asked {
    fn read(context: &Context, mut args: Args, scope: Scope) -> RpcResult<Self> {
        let names = ["address", "account", "extra", "longpollId", "full"];
        let options = Options::new("request", args.optional::<Object>()?, &names)?;
        let payout = match options.get::<String>("address")? {
            Some(text) => coin::lock_of(context, &text)?,
            None if scope != Scope::Full => {
                return Err(invalid(
                    "request.address: missing: name the address to pay (cairn-miner --address ADDRESS)",
                ));
            }
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
            full: options.get("full")?.unwrap_or(false),
        })
    }
}

/// `miner_getTemplate`
pub(super) async fn get_template(params: Params<'static>, context: Arc<Context>, scope: Scope) -> RpcResult<Value> {
    let asked = Asked::read(&context, Args::new(&params, &["request"], Call::start(LONG_POLL))?, scope)?;
    let id = context.templates.next_id();
    // The id makes the search spaces of this node's miners disjoint, the node's own tag those of nodes.
    let extra = [asked.extra.as_slice(), &id.to_be_bytes(), &[0; EXTRANONCE]].concat();
    if scope != Scope::Full && asked.beneficiary != context.mining.status().beneficiary {
        context.templates.name(asked.beneficiary, Instant::now())?;
    }
    if let Some(than) = asked.than {
        context.engine.better_than(than, LONG_POLL).await;
    }
    let template = context.engine.executed_template(asked.beneficiary).await.map_err(template_error)?;
    let (header, coinbase) = template.work(asked.payout, &extra).map_err(|rule| rejected("invalid", rule))?;
    let answer = render_template(id, &template, &header, &coinbase, asked.full);
    context.templates.keep(id, template);
    Ok(answer)
}

fn render_template(id: u64, template: &Template, header: &Header, coinbase: &Transaction, full: bool) -> Value {
    let claimed: u64 = match coinbase {
        Transaction::Coinbase(coinbase) => coinbase.outputs.iter().map(|output| output.amount.0).sum(),
        _ => 0,
    };
    let mut answer = json!({
        "id": id.to_string(),
        "longpollId": template.longpoll.to_string(),
        "height": template.height,
        "prev": header.prev.to_string(),
        "version": header.version,
        "bits": format!("{:08x}", header.bits),
        "target": render::word(template.target),
        "time": header.time,
        "header": hex::encode(header.to_bytes()),
        "coinbase": hex::encode(coinbase.encode()),
        "extranonceSize": EXTRANONCE,
        "merkleBranch": template.merkle_branch.iter().map(hex::encode).collect::<Vec<_>>(),
        "coinbaseValue": claimed,
        "transactions": template.block.transactions.len(),
        "gasUsed": template.gas_used,
    });
    if full {
        answer["block"] = hex::encode(codec::encode(&template.block_of(*header, coinbase.clone()))).into();
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
    if !matches!(coinbase, Transaction::Coinbase(_)) {
        return Err(invalid("coinbase: another kind of transaction"));
    }
    let template = context
        .templates
        .get(id)
        .ok_or_else(|| rejected("stale", format_args!("template {id} is unknown or too old; ask for a new one")))?;
    let block = template.block_of(Header::from_bytes(&header), coinbase);
    context.mining.note_mined(block.hash());
    chain::submit(context, block)
}

fn start(context: &Context, mut args: Args) -> RpcResult<Value> {
    let threads = args.optional::<u32>()?;
    if threads.is_some_and(|count| !(1..=1024).contains(&count)) {
        return Err(invalid("threads: expected 1 to 1024"));
    }
    if context.mining.payout().is_none() {
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
    let lock = coin::lock_of(context, &args.required::<String>()?)?;
    let account = args.optional()?;
    context
        .mining
        .set_payout(lock, account)
        .map_err(|error| cannot(format!("the address holds, but not after a restart: {error}")))?;
    Ok(true.into())
}

fn status(context: &Context, _: Args) -> RpcResult<Value> {
    let status = context.mining.status();
    Ok(json!({
        "mining": status.mining,
        "threads": status.threads,
        "hashrate": status.hashrate,
        "address": context.mining.payout().map(|lock| address::encode(&context.spec.hrp, &lock)),
        "account": render::account(&status.beneficiary),
        "blocks": status.blocks,
        "waiting": status.waiting.map(|reason| reason.to_string()),
    }))
}
