//! The genesis block: the state that a spec allocates, and the header that commits to it.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};

use super::{ChainSpec, GenesisAccount};
use crate::{
    block::{Block, header::Header, merkle},
    execute::{GATEWAY, HISTORY, HISTORY_CODE, roots},
    hash::BlockHash,
    state::{Account, AccountChange, BlockEffects, EmptyState, StorageChange, lthash::LtHash},
    transaction::{
        Transaction,
        coin::{Coin, OutPoint},
        coinbase::Coinbase,
    },
    trie,
};

/// Code of the gateway account: INVALID. It never runs, but Solidity calls only accounts with code.
const GATEWAY_CODE: [u8; 1] = [0xfe];

impl ChainSpec {
    /// The genesis block and its effects on the empty state. Takes as long as building the tries of the allocations.
    pub fn genesis_block(&self) -> (Block, BlockEffects) {
        let allocated = self.genesis_accounts();
        let mut accounts: Vec<_> = allocated.iter().map(new_account).collect();
        let storage: Vec<_> = allocated.iter().flat_map(new_slots).collect();
        let (state_root, nodes) =
            roots::change_state(&EmptyState, &mut accounts, &storage).expect("an empty state can be read");
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
        let created = created_coins(&coinbase);
        let mut coins_digest = LtHash::default();
        roots::change_coins(&mut coins_digest, &created, &[]);
        let effects = BlockEffects {
            spent: Vec::new(),
            created,
            transient: Vec::new(),
            accounts,
            storage,
            codes: new_codes(&allocated),
            nodes,
            coins_digest,
            receipts: Vec::new(),
            gas_used: 0,
            tx_gas: vec![0],
            minted: self.allocated(),
            burned: U256::ZERO,
        };
        (self.block_of(coinbase), effects)
    }

    /// Hash of the genesis block. Not cached: callers keep it.
    pub fn genesis_hash(&self) -> BlockHash {
        self.genesis_block().0.hash()
    }

    /// The allocated accounts, the gateway and the history contract, sorted by address.
    fn genesis_accounts(&self) -> Vec<GenesisAccount> {
        let contract = |address, code| GenesisAccount {
            address,
            balance: U256::ZERO,
            nonce: 1,
            code: Bytes::from_static(code),
            storage: Vec::new(),
        };
        let mut accounts = self.alloc_accounts.clone();
        accounts.extend([contract(GATEWAY, &GATEWAY_CODE), contract(HISTORY, &HISTORY_CODE)]);
        accounts.sort_by_key(|account| account.address);
        accounts
    }

    fn block_of(&self, coinbase: Coinbase) -> Block {
        let coinbase = Transaction::Coinbase(coinbase);
        let header = Header {
            version: 1,
            prev: BlockHash::default(),
            merkle_root: merkle::root(&[merkle::leaf(&coinbase)]),
            time: self.genesis_time,
            bits: self.genesis_bits,
            nonce: 0,
        };
        Block { header, transactions: vec![coinbase] }
    }
}

fn created_coins(coinbase: &Coinbase) -> Vec<(OutPoint, Coin)> {
    let txid = coinbase.txid();
    let coin = |output| Coin { output, height: 0, coinbase: false };
    coinbase.coins().map(|(index, output)| (OutPoint { txid, index }, coin(*output))).collect()
}

/// The account without its storage root, which its slots give.
fn new_account(account: &GenesisAccount) -> AccountChange {
    let GenesisAccount { address, balance, nonce, code, .. } = account;
    let after = Account { nonce: *nonce, balance: *balance, code_hash: keccak256(code), ..Account::default() };
    AccountChange { address: *address, before: None, after: Some(after) }
}

fn new_slots(account: &GenesisAccount) -> impl Iterator<Item = StorageChange> {
    let address = account.address;
    let slots = account.storage.iter();
    slots.map(move |(slot, value)| StorageChange { address, slot: slot.0, before: U256::ZERO, after: value.0 })
}

fn new_codes(accounts: &[GenesisAccount]) -> Vec<(B256, Bytes)> {
    let with_code = accounts.iter().filter(|account| !account.code.is_empty());
    let mut codes: Vec<_> = with_code.map(|account| (keccak256(&account.code), account.code.clone())).collect();
    codes.sort();
    codes.dedup();
    codes
}
