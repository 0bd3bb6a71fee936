//! A wallet's addresses, and the coins that the node finds at them.

use std::collections::{BTreeSet, HashMap};

use alloy_primitives::Address;
use chain_core::{
    hash::{BlockHash, TxId},
    transaction::coin::{Lock, OutPoint, Output},
    units::{Amount, Height},
};
use serde_json::json;

use crate::{
    file::{Sent, Wallet},
    keys::{Branch, KeyError, KeyPath},
    money::saturating_sum,
    node::{CoinEntry, NO_INDEX, Node, NodeCoin, NodeError, Page},
    own::GAP,
};

/// Why the coins cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoinsError {
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// An address of the wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnAddress {
    pub address: String,
    pub lock: Lock,
    /// What its key is for.
    pub branch: Branch,
    /// Its number in the branch.
    pub index: u32,
}

/// How an own coin is unlocked.
#[derive(Clone, Debug, PartialEq)]
pub enum Unlock {
    /// By a key of the wallet.
    Key(KeyPath),
    Policy(chain_core::transaction::policy::Policy),
}

/// A coin that may be spent, now or later.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnCoin {
    pub outpoint: OutPoint,
    pub output: Output,
    pub address: String,
    /// Height of its block; nothing while in the mempool.
    pub height: Option<Height>,
    /// Whether a coinbase made it.
    pub coinbase: bool,
    /// Whether the next block may spend it.
    pub mature: bool,
    /// The transaction that spends it: one of the mempool, or one that this wallet sent and the node has lost.
    pub spent_by: Option<TxId>,
    pub unlock: Unlock,
}

impl OwnCoin {
    /// Blocks from now until the next block may spend it, if it is a coinbase's and too young.
    pub fn ripens_in(&self, maturity: u32, tip: Height) -> Option<Height> {
        let until = self.height?.saturating_add(maturity).saturating_sub(tip.saturating_add(1));
        (!self.mature && until > 0).then_some(until)
    }

    /// Whether it is the change of a transaction that this wallet sent, which is as good as confirmed: no one else can
    /// double-spend it. Its address alone does not prove that: once it is on the chain, anyone can pay to it.
    fn is_change(&self, wallet: &Wallet) -> bool {
        let change = matches!(self.unlock, Unlock::Key(KeyPath::Coin(Branch::Change, _)));
        change && wallet.has_sent(&self.outpoint.txid)
    }
}

/// Coins by what can be done with them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coins {
    /// May be spent in the next block.
    pub spendable: Vec<OwnCoin>,
    /// Frozen by the user.
    pub frozen: Vec<OwnCoin>,
    /// Coinbase coins below maturity.
    pub immature: Vec<OwnCoin>,
    /// In the mempool, from others.
    pub pending: Vec<OwnCoin>,
    /// Spent by the mempool.
    pub spent: Vec<OwnCoin>,
    /// Spent by what this wallet sent and the node does not know (any more).
    pub lost: Vec<OwnCoin>,
    /// Whether the user chose what may be spent: then all of it is.
    pub chosen: bool,
}

/// Sums of [`Coins`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// May be spent in the next block.
    pub spendable: Amount,
    /// Coinbase coins below maturity.
    pub immature: Amount,
    /// On their way here.
    pub pending: Amount,
    /// Spent by what the node has lost.
    pub lost: Amount,
}

impl Coins {
    /// Sorts the coins of a wallet by what can be done with them.
    pub fn sort(wallet: &Wallet, coins: Vec<OwnCoin>) -> Self {
        let mut sorted = Self::default();
        for coin in coins {
            let list = if coin.spent_by.is_some() {
                &mut sorted.spent
            } else if coin.height.is_none() && !coin.is_change(wallet) {
                &mut sorted.pending
            } else if coin.mature || coin.height.is_none() {
                &mut sorted.spendable
            } else {
                &mut sorted.immature
            };
            list.push(coin);
        }
        sorted
    }

    /// Leaves only these to be spent, all of them.
    ///
    /// # Errors
    /// Why one of them cannot be spent.
    pub fn choose(mut self, chosen: &[OutPoint]) -> Result<Self, String> {
        let has = |coins: &[OwnCoin], wanted: &OutPoint| coins.iter().any(|coin| coin.outpoint == *wanted);
        let spender = |coins: &[OwnCoin], wanted: &OutPoint| {
            coins.iter().find(|coin| coin.outpoint == *wanted)?.spent_by.map(|txid| txid.to_string())
        };
        if let Some(wanted) = chosen.iter().find(|wanted| !has(&self.spendable, wanted)) {
            let why = match (spender(&self.spent, wanted), spender(&self.lost, wanted)) {
                (Some(txid), _) => format!("is spent by the pending transaction {txid}"),
                (_, Some(txid)) => {
                    format!("is spent by {txid}, which the node has lost: `cairn-wallet resend` rebroadcasts it")
                }
                _ if has(&self.frozen, wanted) => "is frozen: `cairn-wallet unfreeze` lets it be spent".into(),
                _ if has(&self.immature, wanted) => "was mined and is not mature yet".into(),
                _ if has(&self.pending, wanted) => "is not mined yet".into(),
                _ => "is not an unspent coin of this wallet".into(),
            };
            return Err(format!("{} {why}", coin_name(wanted)));
        }
        self.spendable.retain(|coin| chosen.contains(&coin.outpoint));
        Ok(Self { chosen: true, ..self })
    }

    /// What this wallet sent and the node has lost, and that spends some of the coins.
    pub fn lost_to(&self) -> Vec<TxId> {
        let spenders: BTreeSet<TxId> = self.lost.iter().filter_map(|coin| coin.spent_by).collect();
        spenders.into_iter().collect()
    }

    /// The sums, saturating: a node that claims more money than there can be is found out when the coins are spent.
    pub fn sums(&self) -> Sums {
        let sum = |coins: &[OwnCoin]| saturating_sum(coins.iter().map(|coin| coin.output.amount));
        Sums {
            spendable: sum(&self.spendable),
            immature: sum(&self.immature),
            pending: sum(&self.pending),
            lost: sum(&self.lost),
        }
    }
}

/// The addresses of a branch up to an index.
pub fn branch_addresses(
    wallet: &Wallet,
    branch: Branch,
    indices: std::ops::Range<u32>,
) -> Result<Vec<OwnAddress>, KeyError> {
    indices
        .map(|index| {
            let lock = wallet.keys.lock(branch, index)?;
            Ok(OwnAddress { address: wallet.network.address(&lock), lock, branch, index })
        })
        .collect()
}

/// Every address of coins that the wallet uses, and the gap beyond.
pub fn addresses(wallet: &Wallet) -> Result<Vec<OwnAddress>, KeyError> {
    let mut all = Vec::new();
    for (branch, count) in wallet.used.branches() {
        all.extend(branch_addresses(wallet, branch, 0..count.saturating_add(GAP))?);
    }
    Ok(all)
}

/// Finds the wallet's coins, those of the gap included. The numbers of used keys stay: a node that invents coins must not
/// drive the addresses that are handed out next beyond what a restore looks at.
pub fn load(node: &Node, wallet: &Wallet, first_block: Option<BlockHash>) -> Result<Coins, CoinsError> {
    let own = addresses(wallet)?;
    let texts: Vec<String> = own.iter().map(|own| own.address.clone()).collect();
    let found = node.coins(&texts)?;
    let by_address: HashMap<&str, &OwnAddress> = own.iter().map(|own| (own.address.as_str(), own)).collect();
    let mut coins = Vec::with_capacity(found.len());
    for coin in found {
        // The wallet cannot spend a coin of another address.
        let Some(address) = by_address.get(coin.address.as_str()) else { continue };
        let unlock = Unlock::Key(KeyPath::Coin(address.branch, address.index));
        coins.push(own_coin(coin, address.lock, unlock));
    }
    Ok(sorted(wallet, coins, first_block))
}

/// Sorts coins, those apart that this wallet has spent: whether the node still knows that or not, it may be mined elsewhere.
/// What was sent while the node named another first block does not count: what spends the same coin can never be mined beside it.
fn sorted(wallet: &Wallet, coins: Vec<OwnCoin>, first_block: Option<BlockHash>) -> Coins {
    let of = |sent: &Sent| sent.spends().into_iter().map(|outpoint| (outpoint, sent.txid)).collect::<Vec<_>>();
    let spenders: HashMap<OutPoint, TxId> = wallet.live_on(first_block).flat_map(of).collect();
    let (mut lost, coins): (Vec<OwnCoin>, Vec<OwnCoin>) =
        coins.into_iter().partition(|coin| coin.spent_by.is_none() && spenders.contains_key(&coin.outpoint));
    for coin in &mut lost {
        coin.spent_by = spenders.get(&coin.outpoint).copied();
    }
    let mut sorted = Coins { lost, ..Coins::sort(wallet, coins) };
    let frozen = |coin: &OwnCoin| wallet.frozen.contains(&coin_name(&coin.outpoint));
    (sorted.frozen, sorted.spendable) = sorted.spendable.into_iter().partition(frozen);
    sorted
}

/// How a coin is named by people.
pub fn coin_name(outpoint: &OutPoint) -> String {
    format!("{}:{}", outpoint.txid, outpoint.index)
}

/// Finds the coins at the address of a policy.
pub fn load_policy(
    node: &Node,
    wallet: &Wallet,
    policy: &chain_core::transaction::policy::Policy,
    first_block: Option<BlockHash>,
) -> Result<Coins, CoinsError> {
    let lock = policy.lock();
    let address = wallet.network.address(&lock);
    let found = node.coins(std::slice::from_ref(&address))?;
    let own = found.into_iter().filter(|coin| coin.address == address);
    let coins = own.map(|coin| own_coin(coin, lock, Unlock::Policy(policy.clone())));
    Ok(sorted(wallet, coins.collect(), first_block))
}

fn own_coin(coin: NodeCoin, lock: Lock, unlock: Unlock) -> OwnCoin {
    OwnCoin {
        outpoint: coin.outpoint(),
        output: Output { amount: coin.amount, lock },
        address: coin.address,
        height: coin.height,
        coinbase: coin.coinbase,
        mature: coin.mature,
        spent_by: coin.spent_by,
        unlock,
    }
}

/// Whether an address was ever paid, the mempool included.
pub fn is_paid(node: &Node, address: &str) -> Result<bool, NodeError> {
    let page: Result<Page<CoinEntry>, NodeError> = node.call("coin_getHistory", json!([address, { "limit": 1 }]));
    match page {
        // Without an index what was paid and spent is not known.
        Err(NodeError::Refused { code: NO_INDEX, .. }) => Ok(!node.coins(&[address.to_owned()])?.is_empty()),
        page => Ok(!page?.entries.is_empty()),
    }
}

/// Keys of a branch, and accounts, that a scan looks at: a node that calls every key used would keep it busy for ever.
const SCANNED: u32 = 200_000;

/// Goes through the branches and accounts until `gap` keys in a row were never used; returns whether any was. Keys of
/// policies are never paid bare: they are found when their policy is made again.
pub fn scan(node: &Node, wallet: &mut Wallet, gap: u32, progress: &mut dyn FnMut(u32)) -> Result<bool, CoinsError> {
    let mut looked_at = 0;
    let mut found = false;
    for branch in [Branch::Receive, Branch::Change, Branch::Policy] {
        let last = last_used(gap, |indices| {
            let own = branch_addresses(wallet, branch, indices)?;
            let params = own.iter().map(|own| json!([own.address, { "limit": 1 }])).collect();
            let pages: Vec<Page<CoinEntry>> = node.call_many("coin_getHistory", params)?;
            progress(looked_at + own.last().map_or(0, |own| own.index + 1));
            Ok(pages.iter().map(|page| !page.entries.is_empty()).collect())
        })?;
        if let Some(last) = last {
            found = true;
            wallet.used.mark(branch, last);
        }
        looked_at += last.map_or(0, |last| last + 1).saturating_add(gap);
    }
    let last = last_used(gap, |indices| {
        let accounts: Vec<Address> = indices.map(|index| wallet.keys.account(index)).collect::<Result<_, _>>()?;
        progress(looked_at.saturating_add(GAP));
        Ok(node.accounts_used(&accounts)?)
    })?;
    if let Some(last) = last {
        found = true;
        wallet.used.accounts = wallet.used.accounts.max(last + 1);
    }
    Ok(found)
}

/// The last key that was used before `gap` in a row were not.
fn last_used(
    gap: u32,
    mut are_used: impl FnMut(std::ops::Range<u32>) -> Result<Vec<bool>, CoinsError>,
) -> Result<Option<u32>, CoinsError> {
    let (mut next, mut last) = (0u32, None::<u32>);
    while next < last.map_or(0, |last| last + 1).saturating_add(gap) {
        if next >= SCANNED {
            let reason = format!("the node says that all of the first {next} keys were used: ask another node (--rpc)");
            return Err(NodeError::BadAnswer { method: "coin_getHistory".into(), reason }.into());
        }
        let until = next.saturating_add(gap.clamp(GAP, 100));
        for (index, used) in (next..until).zip(are_used(next..until)?) {
            if used {
                last = Some(index);
            }
        }
        next = until;
    }
    Ok(last)
}
