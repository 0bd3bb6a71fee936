//! The chain back to where it was, and competing branches.

use alloy_primitives::Bytes;
use chain_core::{
    hash::{BlockHash, TxId},
    transaction::{Transaction, account::AccountTransaction},
    units::Height,
};
use serde_json::{Value, json};

use super::params::{Small, Word};
use crate::rpc::base::{
    Any, Args, BlockName, Context, Data, Method, Options, Param, RpcResult, find, in_geths_words, invalid, quantity,
    read,
};

pub const METHODS: &[Method] = &[
    Method::new("evm_snapshot", &[], snapshot),
    Method::new("anvil_snapshot", &[], snapshot),
    Method::new("evm_revert", &["id"], revert),
    Method::new("anvil_revert", &["id"], revert),
    Method::new("anvil_rollback", &["depth"], rollback),
    Method::new("anvil_reset", &["options"], reset),
    Method::new("hardhat_reset", &["options"], reset),
    Method::new("dev_reorg", &["depth", "blocks"], dev_reorg).reads(),
    Method::new("anvil_reorg", &["depth", "transactions"], anvil_reorg).reads(),
    Method::new("dev_fork", &["at", "blocks"], dev_fork).reads(),
];

/// Most blocks of a branch, and transactions in one of them.
const MAX_BLOCKS: usize = 1_000;
const MAX_TRANSACTIONS: usize = 5_000;

/// What the blocks of a branch carry, lowest first.
type Blocks = Vec<Vec<Transaction>>;

fn snapshot(context: &Context, _: Args) -> RpcResult<Value> {
    Ok(quantity(context.mining.snapshot()))
}

fn revert(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Word(id) = args.required()?;
    // No number that was not given is a snapshot.
    let id = u64::try_from(id).unwrap_or(u64::MAX);
    Ok(context.ask(context.mining.revert(id))?.into())
}

/// The block so many below the tip.
fn below_tip(context: &Context, depth: u32) -> RpcResult<BlockHash> {
    let most = context.engine.chain_info().height;
    let found = context.query(move |engine| engine.below_tip(depth))?;
    found.ok_or_else(|| invalid(format!("depth: expected at most {most}, got {depth}")))
}

fn rollback(context: &Context, mut args: Args) -> RpcResult<Value> {
    let depth = args.optional::<Small>()?.map_or(1, |depth| depth.0);
    let to = below_tip(context, depth)?;
    context.ask(context.mining.rewind(to))?;
    Ok(Value::Null)
}

fn reset(context: &Context, mut args: Args) -> RpcResult<Value> {
    let options = Options::new("options", args.optional()?, &["forking"])?;
    let forking = Options::new("options.forking", options.get("forking")?, &["jsonRpcUrl", "blockNumber"])?;
    // viem names it always, and nothing in it.
    if forking.has("jsonRpcUrl") || forking.has("blockNumber") {
        return Err(invalid("options.forking: this node copies no other chain; leave it out"));
    }
    let pool = context.query(|engine| engine.mempool().best(usize::MAX))?;
    context.ask(context.engine.drop_transactions(pool.into_iter().map(|entry| entry.txid).collect()))?;
    context.ask(context.mining.reset())?;
    Ok(true.into())
}

/// A branch that replaces the last blocks: it has one more than they, or as many as were given.
fn dev_reorg(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Small(depth) = args.required()?;
    let mut blocks = blocks(context, args.optional()?)?;
    reorg(context, depth, &mut blocks)
}

/// As in Anvil: `[transaction, number of the block]` for each. The branch has one block more than there.
fn anvil_reorg(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Small(depth) = args.required()?;
    let Any(pairs) = args.optional()?.unwrap_or(Any(json!([])));
    let wrong = || invalid("transactions: expected an array of [transaction, number of the block]");
    let mut blocks: Blocks = vec![Vec::new(); (depth as usize).min(MAX_BLOCKS)];
    let pairs = pairs.as_array().filter(|pairs| pairs.len() <= MAX_TRANSACTIONS).ok_or_else(wrong)?;
    for pair in pairs {
        let (one, Small(number)) = match pair.as_array().map(Vec::as_slice) {
            Some([one, number]) => (one, Small::parse(number).ok_or_else(wrong)?),
            _ => return Err(wrong()),
        };
        let last = depth.saturating_sub(1);
        let out_of_range = || invalid(format!("transactions: expected a block from 0 to {last}, got {number}"));
        let block = blocks.get_mut(number as usize).ok_or_else(out_of_range)?;
        block.push(transaction(context, one, "transactions")?);
    }
    reorg(context, depth, &mut blocks)
}

fn reorg(context: &Context, depth: Height, blocks: &mut Blocks) -> RpcResult<Value> {
    if depth == 0 || depth as usize >= MAX_BLOCKS {
        return Err(invalid(format!("depth: expected 1 to {}, got {depth}", MAX_BLOCKS - 1)));
    }
    let fork = below_tip(context, depth)?;
    // With as much work as the chain it would not win.
    blocks.resize_with(blocks.len().max(depth as usize + 1), Vec::new);
    branch(context, fork, std::mem::take(blocks))
}

/// A branch on any block: without more work than the chain it stays beside it.
fn dev_fork(context: &Context, mut args: Args) -> RpcResult<Value> {
    let at: BlockName = args.required()?;
    let blocks = match args.optional()? {
        None => vec![Vec::new()],
        given => blocks(context, given)?,
    };
    let fork = find(&context.snapshot()?, at)?.record.hash;
    branch(context, fork, blocks)
}

fn branch(context: &Context, fork: BlockHash, blocks: Blocks) -> RpcResult<Value> {
    let hashes = context.ask(context.mining.branch(fork, blocks))?;
    // More may be mined on it already: of transactions that the branch left out.
    let snapshot = context.snapshot()?;
    let last = hashes.last().map(|last| find(&snapshot, BlockName::Hash(*last))).transpose()?;
    let active = last.is_some_and(|last| last.active);
    let hashes: Vec<String> = hashes.iter().map(BlockHash::to_string).collect();
    Ok(json!({ "blocks": hashes, "active": active }))
}

/// An array of blocks, each an array of transactions.
fn blocks(context: &Context, given: Option<Any>) -> RpcResult<Blocks> {
    let wrong = || invalid(format!("blocks: expected an array of at most {MAX_BLOCKS} arrays of transactions"));
    let Some(Any(given)) = given else { return Ok(Vec::new()) };
    let blocks = given.as_array().filter(|blocks| blocks.len() <= MAX_BLOCKS).ok_or_else(wrong)?;
    let one = |block: &Value| {
        let all = block.as_array().filter(|all| all.len() <= MAX_TRANSACTIONS).ok_or_else(wrong)?;
        all.iter().map(|one| transaction(context, one, "blocks")).collect()
    };
    blocks.iter().map(one).collect()
}

/// A transaction by its hash, from the chain or the pool, or by its raw bytes.
fn transaction(context: &Context, given: &Value, name: &str) -> RpcResult<Transaction> {
    if let Some(txid) = TxId::parse(given) {
        let found = match read::transaction(&context.snapshot()?, &txid)? {
            Some((place, block)) => block.transactions.into_iter().nth(place.position as usize),
            None => {
                let entry = context.query(move |engine| engine.mempool().get(&txid))?;
                entry.map(|entry| (*entry.transaction).clone())
            }
        };
        let found = found.filter(|found| !matches!(found, Transaction::Coinbase(_)));
        return found.ok_or_else(|| invalid(format!("{name}: no transaction {txid} to carry in the pool or a block")));
    }
    let Data(raw) =
        Data::parse(given).ok_or_else(|| invalid(format!("{name}: expected hashes or raw bytes of transactions")))?;
    let decoded = AccountTransaction::decode(Bytes::from(raw));
    decoded.map(Transaction::Account).map_err(|rule| invalid(format!("{name}: {}", in_geths_words(&rule))))
}
