//! A state as plain maps, which is easy to compare and to print.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use chain_core::{
    hash::BlockHash,
    state::{Account, Diff, StateView, ViewError, lthash::LtHash},
    transaction::coin::{Coin, OutPoint},
    trie::{EMPTY_ROOT, Node, NodeKey},
    units::Height,
};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// One account with all it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Transactions sent, or contracts created.
    pub nonce: u64,
    /// Wei.
    pub balance: U256,
    /// Code.
    pub code: Bytes,
    /// Slots that are not zero.
    pub storage: BTreeMap<U256, U256>,
}

/// All accounts that exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World(pub BTreeMap<Address, Holding>);

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (address, Holding { nonce, balance, code, storage }) in &self.0 {
            writeln!(f, "  {address} nonce {nonce} balance {balance} code {code}")?;
            for (slot, value) in storage {
                writeln!(f, "    {slot:#x} = {value:#x}")?;
            }
        }
        Ok(())
    }
}

impl World {
    /// The state after what a block changed.
    pub fn after(&self, diff: &Diff) -> Self {
        let mut world = self.clone();
        let codes: BTreeMap<B256, Bytes> = diff.codes.iter().cloned().collect();
        for change in &diff.accounts {
            let Some(account) = change.after else {
                world.0.remove(&change.address);
                continue;
            };
            let holding = world.0.entry(change.address).or_default();
            (holding.nonce, holding.balance) = (account.nonce, account.balance);
            if change.before.is_none_or(|before| before.code_hash != account.code_hash) {
                holding.code = codes.get(&account.code_hash).cloned().unwrap_or_default();
            }
        }
        for change in &diff.storage {
            let Some(holding) = world.0.get_mut(&change.address) else { continue };
            match change.after.is_zero() {
                true => holding.storage.remove(&change.slot),
                false => holding.storage.insert(change.slot, change.after),
            };
        }
        world
    }
}

/// The hash of an ancestor, as contracts see it.
pub fn block_hash(number: u64) -> B256 {
    keccak256(number.to_be_bytes())
}

/// A world as the ledger reads it.
pub struct View<'a> {
    world: &'a World,
    hashes: BTreeMap<Address, B256>,
    codes: BTreeMap<B256, Bytes>,
    number: u64,
}

impl<'a> View<'a> {
    /// Reads a world below block `number`.
    pub fn new(world: &'a World, number: u64) -> Self {
        let contracts = world.0.iter().filter(|(_, holding)| !holding.code.is_empty());
        let hashes: BTreeMap<Address, B256> =
            contracts.map(|(address, holding)| (*address, keccak256(&holding.code))).collect();
        let codes = hashes.iter().map(|(address, hash)| (*hash, world.0[address].code.clone())).collect();
        Self { world, hashes, codes, number }
    }
}

impl StateView for View<'_> {
    fn coin(&self, _: &OutPoint) -> Result<Option<Coin>, ViewError> {
        Ok(None)
    }

    fn account(&self, address: &Address) -> Result<Option<Account>, ViewError> {
        Ok(self.world.0.get(address).map(|holding| Account {
            nonce: holding.nonce,
            balance: holding.balance,
            storage_root: if holding.storage.is_empty() { EMPTY_ROOT } else { B256::repeat_byte(1) },
            code_hash: self.hashes.get(address).copied().unwrap_or(KECCAK256_EMPTY),
        }))
    }

    fn storage(&self, address: &Address, slot: &U256) -> Result<U256, ViewError> {
        let holding = self.world.0.get(address);
        Ok(holding.and_then(|holding| holding.storage.get(slot)).copied().unwrap_or_default())
    }

    fn code(&self, hash: &B256) -> Result<Bytes, ViewError> {
        Ok(self.codes.get(hash).cloned().unwrap_or_default())
    }

    fn block_hash(&self, height: Height) -> Result<Option<BlockHash>, ViewError> {
        let mut hash = block_hash(u64::from(height)).0;
        hash.reverse();
        Ok((u64::from(height) < self.number).then_some(BlockHash(hash)))
    }

    fn trie_node(&self, _: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        Ok(None)
    }

    fn coins_digest(&self) -> Result<LtHash, ViewError> {
        Ok(LtHash::default())
    }
}
