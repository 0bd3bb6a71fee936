//! The genesis block: the state that a spec allocates, and the header that commits to it.

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};

use super::{ChainSpec, GATEWAY, GenesisAccount, StorageWord};
use crate::{
    block::Block,
    codec,
    coin::{Coin, OutPoint},
    coinbase::Coinbase,
    hash::BlockHash,
    header::Header,
    lthash::LtHash,
    merkle,
    state::{Account, AccountChange, BlockEffects, StorageChange, ViewError},
    transaction::Transaction,
    trie::{self, LeafChange, Node, NodeChange, NodeKey, NodeReader},
};

/// Code of the gateway account: INVALID. It never runs, but Solidity calls only what has code.
const GATEWAY_CODE: [u8; 1] = [0xfe];

impl ChainSpec {
    /// The genesis block and what it does to the empty state. Takes as long as building the tries of the allocations.
    pub fn genesis_block(&self) -> (Block, BlockEffects) {
        let mut state = GenesisState::default();
        self.genesis_accounts().iter().for_each(|account| state.add(account));
        let state_root = state.root();
        let coinbase = Coinbase {
            height: 0,
            beneficiary: Address::ZERO,
            outputs: self.alloc_coins.clone(),
            state_root,
            receipts_root: trie::EMPTY_ROOT,
            coins_root: LtHash::default().digest(),
            gas_used: 0,
            // GEN-1
            extra: self.commitment().to_vec(),
        };
        let txid = coinbase.txid();
        let outputs = (0..).zip(&self.alloc_coins);
        let coin = |output| Coin { output, height: 0, coinbase: false };
        let created = outputs.map(|(index, output)| (OutPoint { txid, index }, coin(*output))).collect();
        let block = self.block_of(coinbase);
        (block, state.effects(self.allocated(), created))
    }

    /// Hash of the genesis block. Not cached: callers keep it.
    pub fn genesis_hash(&self) -> BlockHash {
        self.genesis_block().0.hash()
    }

    /// The allocated accounts and the gateway, sorted by address.
    fn genesis_accounts(&self) -> Vec<GenesisAccount> {
        let code = Bytes::from_static(&GATEWAY_CODE);
        let gateway = GenesisAccount { address: GATEWAY, balance: U256::ZERO, nonce: 1, code, storage: Vec::new() };
        let mut accounts = self.alloc_accounts.clone();
        accounts.push(gateway);
        accounts.sort_by_key(|account| account.address);
        accounts
    }

    fn block_of(&self, coinbase: Coinbase) -> Block {
        let coinbase = Transaction::Coinbase(coinbase);
        let header = Header {
            version: 1,
            prev: BlockHash::default(),
            // The root over one leaf is that leaf.
            merkle_root: merkle::leaf(&coinbase),
            time: self.genesis_time,
            bits: self.genesis_bits,
            nonce: 0,
        };
        Block { header, transactions: vec![coinbase] }
    }
}

/// What the allocations of accounts make of the empty state.
#[derive(Default)]
struct GenesisState {
    accounts: Vec<AccountChange>,
    storage: Vec<StorageChange>,
    codes: Vec<(B256, Bytes)>,
    leaves: Vec<LeafChange>,
    nodes: Vec<NodeChange>,
}

impl GenesisState {
    fn add(&mut self, account: &GenesisAccount) {
        let owner = keccak256(account.address);
        let slots = account.storage.iter().map(|(slot, value)| storage_leaf(slot, value)).collect();
        let after = Account {
            nonce: account.nonce,
            balance: account.balance,
            storage_root: self.build(Some(owner), slots),
            code_hash: keccak256(&account.code),
        };
        if !account.code.is_empty() {
            self.codes.push((after.code_hash, account.code.clone()));
        }
        let address = account.address;
        let change = |(slot, value): &(StorageWord, StorageWord)| StorageChange {
            address,
            slot: slot.0,
            before: U256::ZERO,
            after: value.0,
        };
        self.storage.extend(account.storage.iter().map(change));
        self.leaves.push((owner, Some(after.to_rlp())));
        self.accounts.push(AccountChange { address, before: None, after: Some(after) });
    }

    fn root(&mut self) -> B256 {
        let leaves = std::mem::take(&mut self.leaves);
        self.build(None, leaves)
    }

    fn build(&mut self, owner: Option<B256>, mut leaves: Vec<LeafChange>) -> B256 {
        leaves.sort();
        let (root, nodes) = trie::update(&NoNodes, owner, &leaves).expect("a new trie is built without reading a node");
        self.nodes.extend(nodes);
        root
    }

    fn effects(mut self, minted: U256, created: Vec<(OutPoint, Coin)>) -> BlockEffects {
        let mut coins_digest = LtHash::default();
        created.iter().for_each(|entry| coins_digest.add(&codec::encode(entry)));
        self.codes.sort();
        self.codes.dedup();
        BlockEffects {
            spent: Vec::new(),
            created,
            transient: Vec::new(),
            accounts: self.accounts,
            storage: self.storage,
            codes: self.codes,
            nodes: self.nodes,
            coins_digest,
            receipts: Vec::new(),
            gas_used: 0,
            tx_gas: vec![0],
            minted,
            burned: U256::ZERO,
        }
    }
}

fn storage_leaf(slot: &StorageWord, value: &StorageWord) -> LeafChange {
    (keccak256(slot.0.to_be_bytes::<32>()), Some(alloy_rlp::encode(value.0)))
}

/// The nodes of the state before the genesis block.
struct NoNodes;

impl NodeReader for NoNodes {
    fn node(&self, _key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        Ok(None)
    }
}
