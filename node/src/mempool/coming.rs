//! The pool as the blocks to come: what templates would take one after the other if nothing else arrived.

use chain_core::{hash::TxId, units::Gas};

use super::{Id, Mempool, Package};

/// Most blocks that are laid out. A walk through the whole of a large pool would hold up the engine.
pub const MOST_COMING: usize = 8;

/// A block to come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComingBlock {
    /// Its transactions, the coinbase not counted.
    pub transactions: usize,
    /// Those of them that are coin transactions.
    pub coins: usize,
    /// Gas: exact for coins, the gas limits for accounts.
    pub gas: Gas,
    /// Encoded bytes.
    pub bytes: usize,
    /// Wei of all tips, if each account transaction uses its gas limit.
    pub tips: u128,
    /// Wei per gas that each package tips, lowest first.
    pub tips_per_gas: Vec<i128>,
}

/// A transaction of the next block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComingTransaction {
    /// Its id.
    pub txid: TxId,
    /// Whether it is a coin transaction.
    pub coin: bool,
    /// Gas: exact for coins, the gas limit for accounts.
    pub gas: Gas,
    /// Encoded bytes.
    pub bytes: usize,
    /// Wei per gas that its package tips.
    pub tip_per_gas: i128,
}

/// What the pool would fill blocks with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coming {
    /// The next blocks, of which there are a few at most.
    pub blocks: Vec<ComingBlock>,
    /// The first transactions of the next one.
    pub first: Vec<ComingTransaction>,
    /// Transactions that none of the blocks has: they come later, or wait for a nonce or a lower base fee.
    pub left: usize,
}

impl Mempool {
    /// Lays the pool out in blocks of so much gas and so many bytes, and names the first so many transactions.
    pub fn coming(&self, gas_limit: Gas, bytes_limit: usize, named: usize) -> Coming {
        let mut coming = Coming::default();
        let (mut block, mut placed) = (ComingBlock::default(), 0);
        let mut selection = self.select();
        while let Some(package) = selection.next_package() {
            let fits = block.gas.saturating_add(package.gas) <= gas_limit && block.bytes + package.bytes <= bytes_limit;
            if !fits && block.transactions > 0 {
                coming.blocks.push(std::mem::take(&mut block));
                if coming.blocks.len() == MOST_COMING {
                    break;
                }
            }
            if coming.blocks.is_empty() {
                self.name_first(&package, named, &mut coming.first);
            }
            block.add(&package);
            placed += package.count();
            selection.settle(&package, package.count());
        }
        if block.transactions > 0 {
            coming.blocks.push(block);
        }
        for block in &mut coming.blocks {
            block.tips_per_gas.sort_unstable();
        }
        coming.left = self.by_txid.len().saturating_sub(placed);
        coming
    }

    fn name_first(&self, package: &Package, named: usize, first: &mut Vec<ComingTransaction>) {
        let tip_per_gas = package.tip.wei();
        let one = |id: &Id| match *id {
            Id::Coin(slot) => {
                let entry = self.coins.get(slot);
                let bytes = entry.own.size as usize;
                ComingTransaction { txid: entry.txid, coin: true, gas: entry.own.gas, bytes, tip_per_gas }
            }
            Id::Account(slot) => {
                let entry = self.accounts.get(slot);
                let (gas, bytes) = (entry.gas_limit, entry.size);
                ComingTransaction { txid: entry.txid, coin: false, gas, bytes, tip_per_gas }
            }
        };
        let room = named.saturating_sub(first.len());
        first.extend(package.ids().iter().take(room).map(one));
    }
}

impl ComingBlock {
    fn add(&mut self, package: &Package) {
        let tip = package.tip.wei();
        self.transactions += package.count();
        self.coins += package.ids().iter().filter(|id| matches!(id, Id::Coin(_))).count();
        self.gas = self.gas.saturating_add(package.gas);
        self.bytes += package.bytes;
        let tips = u128::try_from(tip).unwrap_or(0).saturating_mul(u128::from(package.gas));
        self.tips = self.tips.saturating_add(tips);
        self.tips_per_gas.push(tip);
    }
}
