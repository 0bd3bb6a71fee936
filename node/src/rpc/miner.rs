//! `miner_*`: templates for miners of other processes, and the miner of this one.

use chain_core::{Address, address, block::Block, codec, coin::Lock, header::Header, transaction::Transaction};
use jsonrpsee::types::Params;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use super::{
    Context, Method,
    access::Scope,
    call::Call,
    chain, coin,
    error::{RpcResult, cannot, invalid, rejected, template_error},
    lanes::Who,
    params::{Args, HexBytes, Object, Options},
    render,
};
use crate::template::{LongPollId, MOST_EXTRA, Template, TemplateRequest};

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
/// Templates that are remembered: a minute of the most long polls that may wait, each answered every two seconds.
const KEPT: usize = 4_096;
/// Encoded bytes of their transactions in all.
const KEPT_BYTES: usize = 64 << 20;

/// Templates that were given out, so that a solution need not carry the block back.
#[derive(Default)]
pub struct Templates(Mutex<Kept>);

/// Miners of one moment differ in their coinbases alone, and share the other transactions.
#[derive(Default)]
struct Kept {
    last_id: u64,
    /// Newest last: id, caller's address, and which body.
    given: VecDeque<(u64, IpAddr, Arc<Body>)>,
    bodies: VecDeque<Arc<Body>>,
}

/// All transactions of a block but its coinbase.
struct Body {
    /// The coinbase's merkle branch, which commits to all of them.
    branch: Vec<[u8; 32]>,
    transactions: Vec<Transaction>,
    bytes: usize,
}

impl Templates {
    fn next_id(&self) -> u64 {
        let mut kept = self.0.lock();
        kept.last_id += 1;
        kept.last_id
    }

    fn keep(&self, id: u64, caller: IpAddr, template: Template) {
        let mut kept = self.0.lock();
        let body = kept.body(template);
        kept.given.push_back((id, caller, body));
        kept.forget();
    }

    fn get(&self, id: u64) -> Option<Arc<Body>> {
        self.0.lock().given.iter().find(|(kept, ..)| *kept == id).map(|(_, _, body)| body.clone())
    }
}

impl Kept {
    /// The body of a template, which another one may have had already.
    fn body(&mut self, template: Template) -> Arc<Body> {
        let (branch, mut transactions) = (template.merkle_branch, template.block.transactions);
        let is_same = |body: &&Arc<Body>| body.branch == branch && body.transactions.len() + 1 == transactions.len();
        if let Some(body) = self.bodies.iter().find(is_same) {
            return body.clone();
        }
        transactions.drain(..transactions.len().min(1));
        let bytes = transactions.iter().map(|tx| tx.encode().len()).sum();
        let body = Arc::new(Body { branch, transactions, bytes });
        self.bodies.push_back(body.clone());
        body
    }

    /// Forgets the oldest bodies beyond their bytes, and beyond their number the oldest template of the caller with most: one
    /// who asks again and again takes nobody else's.
    fn forget(&mut self) {
        while self.bodies.len() > 1 && self.bodies.iter().map(|body| body.bytes).sum::<usize>() > KEPT_BYTES {
            let oldest = self.bodies.pop_front();
            self.given.retain(|(_, _, body)| oldest.as_ref().is_none_or(|oldest| !Arc::ptr_eq(body, oldest)));
        }
        if self.given.len() > KEPT {
            let mut of: HashMap<IpAddr, usize> = HashMap::new();
            self.given.iter().for_each(|(_, caller, _)| *of.entry(*caller).or_default() += 1);
            let most = of.into_iter().max_by_key(|(_, given)| *given).map(|(caller, _)| caller);
            let oldest = self.given.iter().position(|(_, caller, _)| Some(*caller) == most);
            oldest.and_then(|oldest| self.given.remove(oldest));
            let given = &self.given;
            self.bodies.retain(|body| given.iter().any(|(_, _, other)| Arc::ptr_eq(body, other)));
        }
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
                    "request.address: missing; a miner with the mining token names it (cairn-miner --address ADDRESS)",
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
pub(super) async fn get_template(
    params: Params<'static>,
    context: Arc<Context>,
    who: Who,
    scope: Scope,
) -> RpcResult<Value> {
    let asked = Asked::read(&context, Args::new(&params, &["request"], Call::start(LONG_POLL))?, scope)?;
    let id = context.templates.next_id();
    // The id makes the search spaces of this node's miners disjoint, the node's own tag those of nodes.
    let extra = [asked.extra.as_slice(), &id.to_be_bytes(), &[0; EXTRANONCE]].concat();
    let request = TemplateRequest { payout: asked.payout, beneficiary: asked.beneficiary, extra };
    let template = match asked.than {
        Some(than) => context.engine.next_template(request, than, LONG_POLL).await,
        None => context.engine.block_template(request).await,
    };
    let template = template.map_err(template_error)?;
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
    let claimed: u64 = match block.transactions.first() {
        Some(Transaction::Coinbase(coinbase)) => coinbase.outputs.iter().map(|output| output.amount.0).sum(),
        _ => 0,
    };
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
        "coinbase": block.transactions.first().map(|coinbase| hex::encode(coinbase.encode())),
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
    if !matches!(coinbase, Transaction::Coinbase(_)) {
        return Err(invalid("coinbase: another kind of transaction"));
    }
    let body = context
        .templates
        .get(id)
        .ok_or_else(|| rejected("stale", format_args!("template {id} is unknown or too old; ask for a new one")))?;
    let rest = body.transactions.iter().cloned();
    let block =
        Block { header: Header::from_bytes(&header), transactions: std::iter::once(coinbase).chain(rest).collect() };
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
        "automine": status.automine,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain_core::{U256, hash::BlockHash, spec::ChainSpec, units::Amount};

    /// A template of any transactions, so many beside the coinbase.
    fn template(branch: u8, body: usize) -> Template {
        let mut block = ChainSpec::dev().genesis_block().0;
        let coinbase = block.transactions[0].clone();
        block.transactions.extend(vec![coinbase; body]);
        Template {
            longpoll: LongPollId { parent: BlockHash([0; 32]), version: 0 },
            block,
            merkle_branch: vec![[branch; 32]],
            target: U256::MAX,
            height: 1,
            coin_tips: Amount(0),
            account_tips: U256::ZERO,
            gas_used: 0,
        }
    }

    fn ip(host: u8) -> IpAddr {
        [192, 0, 2, host].into()
    }

    #[test]
    fn miners_of_one_moment_share_its_transactions() {
        let templates = Templates::default();
        let given = template(7, 100);
        (1..=1_000).for_each(|id| templates.keep(id, ip(1), given.clone()));
        templates.keep(1_001, ip(1), template(8, 100));
        assert_eq!(templates.0.lock().bodies.len(), 2);
        assert_eq!(templates.get(1).unwrap().transactions.len(), 100);
        assert!(templates.get(1_000).is_some() && templates.get(1_001).is_some() && templates.get(1_002).is_none());
    }

    #[test]
    fn the_caller_with_most_templates_loses_its_oldest() {
        let templates = Templates::default();
        let given = template(7, 1);
        templates.keep(0, ip(1), given.clone());
        (1..=2 * KEPT as u64).for_each(|id| templates.keep(id, ip(2), given.clone()));
        assert!(templates.get(0).is_some());
        assert!(templates.get(1).is_none() && templates.get(2 * KEPT as u64).is_some());
        assert_eq!(templates.0.lock().given.len(), KEPT);
    }

    #[test]
    fn what_the_transactions_take_is_bounded() {
        let templates = Templates::default();
        let bytes = template(0, 1).block.transactions[0].encode().len();
        let each = (KEPT_BYTES / 4).div_ceil(bytes);
        (0..6).for_each(|id| templates.keep(u64::from(id), ip(id), template(id, each)));
        let held: usize = templates.0.lock().bodies.iter().map(|body| body.bytes).sum();
        assert!(held <= KEPT_BYTES);
        assert!(templates.get(0).is_none() && templates.get(5).is_some());
        assert!(templates.0.lock().given.iter().all(|(_, _, body)| body.bytes > 0));
    }
}
