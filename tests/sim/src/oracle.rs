//! Knows every block that any node ever connected, and checks what must hold whatever happens. It reads blocks and keeps
//! its own books; of the engines it asks only what they claim.

use cairn_node::{
    engine::{ChainInfo, Engine},
    store::{BlockRef, Totals},
};
use chain_core::{
    B256, U256,
    block::Block,
    execute::withdrawals,
    hash::{BlockHash, TxId, keccak256},
    state::{StateView, lthash::LtHash},
    transaction::{
        Transaction,
        coin::{Lock, OutPoint},
    },
    trie::{EMPTY_ROOT, Nibbles, NodeKey},
    units::{Amount, Height},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use crate::chain::Chain;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invariant {
    /// No coin is spent twice on a chain, and none that it did not make.
    Coins,
    /// No transaction stands twice on a chain.
    Transactions,
    /// Money is what was minted but for what was burned, and no more is minted than the rules allow.
    Supply,
    /// Equal tips have equal states, and the coinbase commits to that state.
    State,
    /// The tip that an engine tells of is the one that it executed.
    Tip,
    /// Honest nodes share all but the last blocks.
    CommonPrefix,
    /// Honest nodes agree and mine what they are given, once the network is good.
    Liveness,
    /// Each peer costs bounded memory.
    Memory,
    /// Each peer costs bounded work.
    Work,
    /// No honest peer is banned or close to it, and nothing that it passed on is rejected.
    Blame,
    /// An honest miner's block is valid.
    Template,
    /// What was committed is there after a crash, and nothing fails unless it is made to.
    Storage,
    /// Every question is answered once, every gossiped block judged once, no message is too long.
    Protocol,
    /// No two blocks are final at one height, no final block is disconnected, only faulty members are accused, and blocks go on to
    /// become final.
    Finality,
    /// Nothing panics and no engine turns round without end.
    Sanity,
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was seen.
    pub detail: String,
}

impl Violation {
    /// A violation.
    pub fn new(invariant: Invariant, detail: impl Into<String>) -> Self {
        Self { invariant, detail: detail.into() }
    }
}

/// What the oracle says.
pub type Judgement = Result<(), Violation>;

/// What is known of a block.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its parent.
    pub parent: BlockHash,
    /// Its height.
    pub height: Height,
    /// Its transactions but the coinbase.
    pub transactions: Vec<TxId>,
    /// Coins that its account transactions withdrew.
    withdrawn: Vec<(OutPoint, Amount)>,
    state_root: B256,
    print: Option<Print>,
}

/// All that a tip determines.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Print {
    totals: Totals,
    coins: B256,
    accounts: B256,
    base_fee: u64,
    bits: u32,
    work: U256,
}

/// Who found a block, and when.
#[derive(Clone, Copy, Debug)]
pub struct Find {
    /// The node.
    pub miner: usize,
    /// What it was found on.
    pub parent: BlockHash,
    /// Milliseconds from the start.
    pub at: u64,
}

/// Where a transaction stands, and the indexes of the coins that it makes. Withdrawals are noted by themselves.
type Maker = (BlockHash, Vec<u32>);

/// The oracle.
#[derive(Debug)]
pub struct Oracle {
    chain: Arc<Chain>,
    blocks: HashMap<BlockHash, Facts>,
    finds: HashMap<BlockHash, Find>,
    makers: HashMap<TxId, Vec<Maker>>,
    /// Blocks whose account transactions withdrew a coin.
    withdrawn: HashMap<OutPoint, Vec<BlockHash>>,
    spenders: HashMap<OutPoint, Vec<BlockHash>>,
    /// Blocks that an honest node took for final.
    finalized: BTreeMap<Height, BlockHash>,
    /// When the first honest node had a tip of a height.
    reached: BTreeMap<Height, u64>,
}

impl Oracle {
    /// Knows the genesis block.
    pub fn new(chain: Arc<Chain>) -> Self {
        let mut oracle = Self {
            blocks: HashMap::new(),
            finds: HashMap::new(),
            makers: HashMap::new(),
            withdrawn: HashMap::new(),
            spenders: HashMap::new(),
            finalized: BTreeMap::new(),
            reached: BTreeMap::new(),
            chain: chain.clone(),
        };
        oracle.note(chain.hash, 0, &chain.genesis, Vec::new());
        oracle
    }

    /// An honest node takes a block for final.
    ///
    /// # Errors
    /// If another one is final at that height.
    pub fn finalize(&mut self, height: Height, hash: BlockHash) -> Judgement {
        let known = *self.finalized.entry(height).or_insert(hash);
        if known == hash {
            return Ok(());
        }
        Err(Violation::new(Invariant::Finality, format!("{known} and {hash} are final at height {height}")))
    }

    /// An honest node has a tip of this height.
    pub fn reach(&mut self, height: Height, now: u64) {
        self.reached.entry(height).or_insert(now);
    }

    /// When the first honest node had a tip of this height or above.
    pub fn reached(&self, height: Height) -> Option<u64> {
        self.reached.range(height..).map(|(_, at)| *at).min()
    }

    /// A miner found a block.
    pub fn found(&mut self, hash: BlockHash, find: Find) {
        self.finds.insert(hash, find);
    }

    /// Who found a block.
    pub fn find(&self, hash: &BlockHash) -> Option<Find> {
        self.finds.get(hash).copied()
    }

    /// All blocks that were found.
    pub fn finds(&self) -> impl Iterator<Item = (BlockHash, Find)> {
        self.finds.iter().map(|(hash, find)| (*hash, *find))
    }

    /// How many blocks each node found.
    pub fn finds_by_miner(&self, nodes: usize) -> Vec<u64> {
        let mut found = vec![0; nodes];
        self.finds.values().for_each(|find| found[find.miner] += 1);
        found
    }

    /// What is known of a block.
    pub fn facts(&self, hash: &BlockHash) -> Option<&Facts> {
        self.blocks.get(hash)
    }

    /// A chain from its tip down to the genesis block, which is left out.
    pub fn chain_down(&self, tip: BlockHash) -> impl Iterator<Item = (BlockHash, &Facts)> {
        let of = |hash: BlockHash| self.blocks.get(&hash).filter(|facts| facts.height > 0).map(|facts| (hash, facts));
        std::iter::successors(of(tip), move |(_, facts)| of(facts.parent))
    }

    fn is_ancestor(&self, ancestor: &BlockHash, of: &BlockHash) -> bool {
        let Some(height) = self.blocks.get(ancestor).map(|facts| facts.height) else { return false };
        let mut at = *of;
        while let Some(facts) = self.blocks.get(&at).filter(|facts| facts.height > height) {
            at = facts.parent;
        }
        at == *ancestor
    }

    fn note(&mut self, hash: BlockHash, height: Height, block: &Block, withdrawn: Vec<(OutPoint, Amount)>) {
        let transactions: Vec<TxId> = block.transactions.iter().map(Transaction::txid).collect();
        for (txid, transaction) in transactions.iter().zip(&block.transactions) {
            let coins = transaction.outputs().map(|(index, _)| index).collect();
            self.makers.entry(*txid).or_default().push((hash, coins));
        }
        for (outpoint, _) in &withdrawn {
            self.withdrawn.entry(*outpoint).or_default().push(hash);
        }
        let state_root = block.coinbase().map_or(B256::ZERO, |coinbase| coinbase.state_root);
        let transactions = transactions.into_iter().skip(1).collect();
        let facts = Facts { parent: block.header.prev, height, transactions, withdrawn, state_root, print: None };
        self.blocks.insert(hash, facts);
    }

    /// A node connected a block: if nobody has before, its coins and transactions are looked up on its chain.
    ///
    /// # Errors
    /// The invariant that does not hold.
    pub fn connected(&mut self, engine: &Engine, hash: BlockHash) -> Judgement {
        if self.blocks.contains_key(&hash) {
            return Ok(());
        }
        let unknown = || Violation::new(Invariant::Tip, format!("connected {hash}, which is not stored"));
        let height = engine.chain().tree().get(&hash).ok_or_else(unknown)?.height;
        let at = BlockRef { height, hash };
        let block = engine.store().body(at).ok().flatten().ok_or_else(unknown)?;
        let receipts = engine.store().receipts(at).map_err(|_| unknown())?;
        let withdrawn = receipts.iter().flat_map(|stored| {
            let transaction = block.transactions.get(stored.position as usize);
            transaction.map(|transaction| withdrawals(transaction.txid(), &stored.receipt.logs)).unwrap_or_default()
        });
        let withdrawn = withdrawn.map(|(outpoint, output)| (outpoint, output.amount)).collect();
        self.add(hash, height, &block, withdrawn)
    }

    /// Blocks that stood before the history began, lowest first.
    ///
    /// # Errors
    /// The invariant that does not hold.
    pub fn inherit(&mut self, blocks: &[Block]) -> Judgement {
        (1..).zip(blocks).try_for_each(|(height, block)| self.add(block.hash(), height, block, Vec::new()))
    }

    /// A block that stands on one that is known.
    fn add(&mut self, hash: BlockHash, height: Height, block: &Block, withdrawn: Vec<(OutPoint, Amount)>) -> Judgement {
        let parent = self.blocks.get(&block.header.prev).map(|facts| facts.height);
        if parent.map(|parent| parent + 1) != Some(height) {
            return Err(Violation::new(Invariant::Tip, format!("{hash} at {height} is on no known block below it")));
        }
        self.note(hash, height, block, withdrawn);
        self.check_coins(hash, block)
    }

    fn check_coins(&mut self, hash: BlockHash, block: &Block) -> Judgement {
        for transaction in &block.transactions {
            let txid = transaction.txid();
            let twice = self.makers.get(&txid).into_iter().flatten().filter(|(at, _)| self.is_ancestor(at, &hash));
            if twice.count() != 1 {
                return Err(Violation::new(Invariant::Transactions, format!("{txid} stands twice on {hash}")));
            }
            let Transaction::Coin(tx) = transaction else { continue };
            for input in &tx.inputs {
                let makers = self.makers.get(&input.txid).into_iter().flatten();
                let makers = makers.filter(|(_, coins)| coins.contains(&input.index)).map(|(at, _)| at);
                let mut makers = makers.chain(self.withdrawn.get(input).into_iter().flatten());
                if !makers.any(|at| self.is_ancestor(at, &hash)) {
                    let detail = format!("{hash} spends {}:{}, which nobody made", input.txid, input.index);
                    return Err(Violation::new(Invariant::Coins, detail));
                }
                let spenders = self.spenders.get(input).cloned().unwrap_or_default();
                if let Some(other) = spenders.iter().find(|other| self.is_ancestor(other, &hash)) {
                    let detail = format!("{hash} spends {}:{}, as {other} did", input.txid, input.index);
                    return Err(Violation::new(Invariant::Coins, detail));
                }
                self.spenders.entry(*input).or_default().push(hash);
            }
        }
        Ok(())
    }

    /// An engine tells of a tip.
    ///
    /// # Errors
    /// The invariant that does not hold.
    pub fn tip(&mut self, engine: &Engine, info: &ChainInfo) -> Judgement {
        let wrong = |detail: String| Err(Violation::new(Invariant::Tip, detail));
        let tip = engine.store().tip();
        if (info.hash, info.height) != (tip.hash, tip.height) {
            return wrong(format!(
                "tells of {} at {}, stands on {} at {}",
                info.hash, info.height, tip.hash, tip.height
            ));
        }
        if engine.chain().tree().get(&tip.hash).is_none_or(|header| header.executed.is_none()) {
            return wrong(format!("its tip {} was never executed", tip.hash));
        }
        self.check_print(tip, Self::print(engine, info)?)
    }

    /// Money is what it may be at a tip, and all that the tip determines is what others found.
    fn check_print(&mut self, tip: BlockRef, print: Print) -> Judgement {
        let (allocated, minted) = (self.chain.spec.allocated(), self.chain.spec.minted_until(tip.height));
        let minted = allocated + U256::from(minted) * U256::from(chain_core::units::WEI_PER_GRAIN);
        let Totals { coin_grains, account_wei, minted: claimed, burned, .. } = print.totals;
        if claimed > minted || coin_grains.to_wei() + account_wei + burned != claimed {
            let detail = format!("{:?} at {}, of which {minted} may be minted", print.totals, tip.height);
            return Err(Violation::new(Invariant::Supply, detail));
        }
        let unknown = || Violation::new(Invariant::Tip, format!("{} is unknown", tip.hash));
        let facts = self.blocks.get_mut(&tip.hash).ok_or_else(unknown)?;
        let known = *facts.print.get_or_insert(print);
        if known != print || facts.height > 0 && facts.state_root != print.accounts {
            let detail = format!("{} at {}: {print:?}, others {known:?}, {}", tip.hash, tip.height, facts.state_root);
            return Err(Violation::new(Invariant::State, detail));
        }
        Ok(())
    }

    fn print(engine: &Engine, info: &ChainInfo) -> Result<Print, Violation> {
        let view = engine.store().view();
        let unreadable = |error: chain_core::state::ViewError| Violation::new(Invariant::Storage, error.to_string());
        let root = view.trie_node(&NodeKey { owner: None, path: Nibbles::default() }).map_err(unreadable)?;
        Ok(Print {
            totals: engine.store().totals(),
            coins: LtHash::digest(&view.coins_digest().map_err(unreadable)?),
            accounts: root.map_or(EMPTY_ROOT, |node| keccak256(node.as_bytes())),
            base_fee: info.next_base_fee,
            bits: info.next_bits,
            work: info.work,
        })
    }

    /// Blocks of one chain that another does not share.
    pub fn apart(&self, one: BlockHash, other: BlockHash) -> usize {
        let height = |hash: &BlockHash| self.blocks.get(hash).map_or(0, |facts| facts.height);
        let parent = |hash: &BlockHash| self.blocks.get(hash).map_or(self.chain.hash, |facts| facts.parent);
        let (mut one, mut other, mut apart) = (one, other, 0);
        while one != other {
            let heights = (height(&one), height(&other));
            if heights.0 >= heights.1 {
                (one, apart) = (parent(&one), apart + 1);
            }
            if heights.1 >= heights.0 {
                other = parent(&other);
            }
        }
        apart
    }

    /// Blocks of a tip's chain that go if another block is final: none if it is one of them.
    pub fn disconnected(&self, tip: BlockHash, by: BlockHash) -> usize {
        if self.is_ancestor(&by, &tip) { 0 } else { self.apart(tip, by) }
    }

    /// Looks at everything that an engine holds at its tip: every coin of the chain is there unless the chain spends it,
    /// and they are all.
    ///
    /// # Errors
    /// The invariant that does not hold.
    pub fn audit(&self, engine: &Engine) -> Judgement {
        let tip = engine.store().tip();
        let mut blocks: Vec<BlockHash> = self.chain_down(tip.hash).map(|(hash, _)| hash).collect();
        blocks.push(self.chain.hash);
        let stored = |hash: &BlockHash| {
            let height = self.blocks.get(hash).map_or(0, |facts| facts.height);
            engine.store().body(BlockRef { height, hash: *hash }).ok().flatten()
        };
        let (mut spent, mut made) = (HashSet::new(), Vec::new());
        for hash in &blocks {
            let block = stored(hash)
                .ok_or_else(|| Violation::new(Invariant::Storage, format!("the body of {hash} is gone")))?;
            for transaction in &block.transactions {
                let txid = transaction.txid();
                if let Transaction::Coin(tx) = transaction {
                    spent.extend(tx.inputs.iter().copied());
                }
                let coins = transaction.outputs().filter(|(_, output)| !matches!(output.lock, Lock::Account(_)));
                made.extend(coins.map(|(index, output)| (OutPoint { txid, index }, output.amount.grains())));
            }
            let withdrawn = self.blocks.get(hash).into_iter().flat_map(|facts| &facts.withdrawn);
            made.extend(withdrawn.map(|(outpoint, amount)| (*outpoint, amount.grains())));
        }
        let view = engine.store().view();
        let (mut count, mut grains) = (0, 0);
        let wrong = |outpoint: &OutPoint, what: &str| {
            let detail = format!("coin {}:{} {what} at {}", outpoint.txid, outpoint.index, tip.hash);
            Err(Violation::new(Invariant::Coins, detail))
        };
        for (outpoint, amount) in &made {
            match (view.coin(outpoint), spent.contains(outpoint)) {
                (Ok(None), true) => {}
                (Ok(Some(coin)), false) if coin.output.amount.grains() == *amount => {
                    (count, grains) = (count + 1, grains + amount)
                }
                (found, _) => return wrong(outpoint, &format!("is {found:?}")),
            }
        }
        let totals = engine.store().totals();
        if (totals.coins, totals.coin_grains.grains()) != (count, grains) {
            let detail = format!("{count} coins of {grains} grains by the books of {}, {totals:?}", tip.hash);
            return Err(Violation::new(Invariant::Supply, detail));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
