//! A reorganisation as `chain_subscribeReorgs` describes it: its blocks, and what became of the transactions of those that left.

use chain_core::{
    Address,
    block::Block,
    hash::TxId,
    spec::ChainSpec,
    transaction::{Transaction, coin::OutPoint},
};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

use super::path::Path;
use crate::{
    rpc::base::{Context, RpcResult, header, receipts},
    store::{BlockRef, Snapshot},
};

/// Transactions that one notification lists.
const MOST_LISTED: usize = 10_000;

/// Blocks above the new branch in which transactions are looked for.
const MOST_LATER: usize = 100;

/// What only one transaction of a chain can have.
#[derive(PartialEq, Eq, Hash)]
enum Claim {
    Coin(OutPoint),
    Nonce(Address, u64),
}

/// Transactions of blocks, with what they claim.
#[derive(Default)]
struct Transactions {
    all: Vec<(TxId, Vec<Claim>)>,
    omitted: usize,
}

impl Transactions {
    fn of(
        spec: &ChainSpec,
        snapshot: &Snapshot,
        blocks: impl Iterator<Item = BlockRef>,
        most: usize,
    ) -> RpcResult<Self> {
        let mut found = Self::default();
        for at in blocks {
            let block = snapshot.body(at)?;
            let senders: HashMap<_, _> =
                receipts(snapshot, at)?.into_iter().map(|stored| (stored.position, stored.sender)).collect();
            found.add(spec, &block, &senders, most);
        }
        Ok(found)
    }

    fn add(&mut self, spec: &ChainSpec, block: &Block, senders: &HashMap<u32, Address>, most: usize) {
        for (position, transaction) in (0..).zip(&block.transactions) {
            let claims = match transaction {
                Transaction::Coinbase(_) => continue,
                Transaction::Coin(coin) => coin.inputs.iter().copied().map(Claim::Coin).collect(),
                Transaction::Account(account) => {
                    let sender = senders.get(&position).copied().or_else(|| spec.sender_of(account).ok());
                    sender.map(|sender| Claim::Nonce(sender, account.fields().nonce)).into_iter().collect()
                }
            };
            match self.all.len() < most {
                true => self.all.push((transaction.txid(), claims)),
                false => self.omitted += 1,
            }
        }
    }
}

/// Describes a way that disconnects blocks, once their transactions were submitted again.
///
/// # Errors
/// If a block cannot be read.
pub fn describe(context: &Context, path: &Path) -> RpcResult<Value> {
    let snapshot = context.snapshot()?;
    let fork = match path.disconnected.last() {
        Some(lowest) => header(&snapshot, *lowest)?.header.prev,
        None => context.genesis,
    };
    let dropped = Transactions::of(&context.spec, &snapshot, path.disconnected.iter().rev().copied(), MOST_LISTED)?;
    let added = Transactions::of(&context.spec, &snapshot, path.connected.iter().copied(), usize::MAX)?;
    let mined: HashSet<_> = added.all.iter().map(|(txid, _)| *txid).collect();
    let claimed: HashMap<_, _> =
        added.all.iter().flat_map(|(txid, claims)| claims.iter().map(|claim| (claim, *txid))).collect();
    let txids = dropped.all.iter().map(|(txid, _)| *txid).collect();
    let pooled = context.ask(context.engine.mempool_holds(txids))?;
    // What left the pool since is in a later block.
    let later = later(path, &context.snapshot()?)?;
    let (mut again, mut returned, mut conflicting, mut gone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((txid, claims), pooled) in dropped.all.iter().zip(pooled) {
        let rival = claims.iter().find_map(|claim| claimed.get(claim).copied());
        let rival = rival.or_else(|| claims.iter().find_map(|claim| pool_rival(context, claim)));
        if mined.contains(txid) || !pooled && later.contains(txid) {
            again.push(txid.to_string());
        } else if pooled {
            returned.push(txid.to_string());
        } else if let Some(rival) = rival {
            conflicting.push(json!({ "txid": txid.to_string(), "by": rival.to_string() }));
        } else {
            gone.push(txid.to_string());
        }
    }
    Ok(json!({
        "fork": block(BlockRef { height: fork_height(path), hash: fork }),
        "dropped": path.disconnected.iter().copied().map(block).collect::<Vec<_>>(),
        "added": path.connected.iter().copied().map(block).collect::<Vec<_>>(),
        "transactions": {
            "mined": again, "returned": returned, "conflicting": conflicting, "gone": gone, "omitted": dropped.omitted,
        },
    }))
}

/// Transactions of the blocks that followed on the way since, most often none or one.
fn later(path: &Path, snapshot: &Snapshot) -> RpcResult<HashSet<TxId>> {
    let mut txids = HashSet::new();
    let Some(top) = path.connected.last().filter(|top| snapshot.at_height(top.height).ok().flatten() == Some(**top))
    else {
        return Ok(txids);
    };
    for height in (top.height + 1..=snapshot.tip().height).take(MOST_LATER) {
        let Some(at) = snapshot.at_height(height)? else { break };
        txids.extend(snapshot.body(at)?.transactions.iter().map(Transaction::txid));
    }
    Ok(txids)
}

fn fork_height(path: &Path) -> u32 {
    path.disconnected.last().map_or(0, |lowest| lowest.height.saturating_sub(1))
}

fn block(at: BlockRef) -> Value {
    json!({ "height": at.height, "hash": at.hash.to_string() })
}

/// The transaction of the mempool that has the same coin.
fn pool_rival(context: &Context, claim: &Claim) -> Option<TxId> {
    match *claim {
        Claim::Coin(outpoint) => context.query(move |engine| engine.mempool().spender(&outpoint)).ok().flatten(),
        Claim::Nonce(..) => None,
    }
}
