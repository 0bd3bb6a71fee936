//! A chain in a few lines: a state in memory, keys by number, signed transactions, blocks.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::{HashBuilder, Nibbles};
use secp256k1::{Keypair, SecretKey};
use std::collections::BTreeMap;

use crate::{
    block::{Block, CheckedBlock, check::check_block, header::Header, merkle},
    error::{ExecuteError, RuleError},
    execute::{BlockBuilder, BlockContext, ExecutedBlock, encode_account, execute_block, undo_block},
    hash::{BlockHash, TxId},
    spec::ChainSpec,
    state::{Account, BlockEffects, MemoryState},
    transaction::{
        Transaction,
        account::{AccountTransaction, Fees, Fields, address_of},
        coin::{Coin, CoinTransaction, KeyBytes, Lock, OutPoint, Output, Signature, Witness},
        coinbase::{Coinbase, tests::assert_bitcoin_reads},
        sighash::sighash,
    },
    units::{Amount, Height},
    work::pow,
};

pub const GWEI: u64 = 1_000_000_000;
/// A fee that covers any transaction of these tests.
pub const FEE: u64 = 20_000;
/// Those of every header.
pub const BITS: u32 = 0x207f_ffff;
pub const BENEFICIARY: Address = Address::repeat_byte(0xbe);

/// Secret keys by number, for both sides of the ledger.
pub fn secret(number: u8) -> SecretKey {
    SecretKey::from_secret_bytes([number; 32]).unwrap()
}

pub fn address(number: u8) -> Address {
    address_of(&secret(number).public_key())
}

pub fn lock(number: u8) -> Lock {
    Lock::Key(KeyBytes(secret(number).x_only_public_key().0.to_byte_array()))
}

pub fn crn(amount: u64) -> U256 {
    U256::from(amount) * U256::from(GWEI) * U256::from(GWEI)
}

pub fn output(amount: u64, lock: Lock) -> Output {
    Output { amount: Amount::from_grains(amount), lock }
}

/// What a call by the key costs at most 2 gwei per gas for, 1 of them as a tip.
pub fn fields(nonce: u64, to: Address, value: U256) -> Fields {
    Fields {
        tx_type: 2,
        chain_id: ChainSpec::local().chain_id,
        nonce,
        fees: Fees::Dynamic { max_fee: U256::from(2 * GWEI), max_priority_fee: U256::from(GWEI) },
        gas_limit: 21_000,
        to: Some(to),
        value,
        input: Bytes::new(),
        access_list: Vec::new(),
        authorizations: Vec::new(),
    }
}

pub fn signed(number: u8, fields: Fields) -> Transaction {
    Transaction::Account(AccountTransaction::sign(fields, &secret(number)).unwrap())
}

/// A state, and the block that comes next.
pub struct Lab {
    pub spec: ChainSpec,
    pub context: BlockContext,
    pub state: MemoryState,
    coins: u8,
}

impl Lab {
    pub fn new() -> Self {
        Self {
            spec: ChainSpec::local(),
            context: BlockContext {
                genesis: BlockHash([7; 32]),
                height: 1_000,
                time: 1_800_000_000,
                base_fee: GWEI,
                difficulty: pow::work(pow::target(BITS).unwrap()),
                parent: BlockHash([8; 32]),
            },
            state: MemoryState::default(),
            coins: 0,
        }
    }

    /// Gives key 1 a coin.
    pub fn coin(&mut self, grains: u64) -> (OutPoint, Coin) {
        self.insert(Coin { output: output(grains, lock(1)), height: 10, coinbase: false })
    }

    /// Gives key 1 a coin of a coinbase.
    pub fn mined_coin(&mut self, grains: u64, height: Height) -> (OutPoint, Coin) {
        self.insert(Coin { output: output(grains, lock(1)), height, coinbase: true })
    }

    pub fn insert(&mut self, coin: Coin) -> (OutPoint, Coin) {
        self.coins += 1;
        let outpoint = OutPoint { txid: TxId([self.coins; 32]), index: 0 };
        self.state.insert_coin(outpoint, coin);
        (outpoint, coin)
    }

    /// Gives the account of a key a balance.
    pub fn fund(&mut self, number: u8, balance: U256) -> Address {
        let address = address(number);
        self.account(address, Account { balance, ..Account::default() }, Bytes::new());
        address
    }

    pub fn account(&mut self, address: Address, account: Account, code: Bytes) {
        self.state.insert_account(address, account, code, &[]);
    }

    pub fn balance(&self, address: Address) -> U256 {
        self.state.accounts.get(&address).map_or(U256::ZERO, |account| account.balance)
    }

    /// A coin transaction of coins that key 1 holds.
    pub fn spend(&self, spent: &[(OutPoint, Coin)], outputs: &[Output]) -> CoinTransaction {
        let inputs = spent.iter().map(|(outpoint, _)| *outpoint).collect();
        let mut tx = CoinTransaction { inputs, outputs: outputs.to_vec(), witnesses: Vec::new() };
        let coins: Vec<Coin> = spent.iter().map(|(_, coin)| *coin).collect();
        let message = sighash(&self.context.genesis, &tx, &coins);
        let pair = Keypair::from_secret_key(&secret(1));
        tx.witnesses = (0..spent.len() as u32)
            .map(|input| pair.sign_schnorr_no_aux_rand(&message(input)).to_byte_array())
            .map(|bytes| Witness::Key(Signature::from(bytes)))
            .collect();
        tx
    }

    /// The coin that an output of a transaction creates in the next block.
    pub fn made(&self, tx: &CoinTransaction, index: u32) -> (OutPoint, Coin) {
        let coin = Coin { output: tx.outputs[index as usize], height: self.context.height, coinbase: false };
        (OutPoint { txid: tx.txid(), index }, coin)
    }

    /// Runs a block of these transactions, built and executed.
    pub fn run(&self, transactions: &[Transaction]) -> Result<ExecutedBlock, RuleError> {
        let mut builder = BlockBuilder::new(&self.spec, self.context.clone(), &self.state, BENEFICIARY).unwrap();
        let pushed = transactions.iter().try_for_each(|transaction| {
            let sender = self.sender(transaction);
            builder.push(transaction, sender).map(|_| ())
        });
        if let Err(error) = pushed {
            let error = rule(error);
            let mut all = vec![Transaction::Coinbase(self.empty_coinbase())];
            all.extend_from_slice(transactions);
            assert_eq!(self.execute(all).unwrap_err(), error, "builder and execution disagree");
            return Err(error);
        }
        let (transactions, effects) = builder.finish(lock(1), vec![1, 2, 3]).unwrap();
        let executed = self.execute(transactions)?;
        assert_same(&effects, executed.effects());
        Ok(executed)
    }

    /// The sender of an account transaction on this chain.
    fn sender(&self, transaction: &Transaction) -> Option<Address> {
        match transaction {
            Transaction::Account(transaction) => Some(self.spec.sender_of(transaction).unwrap()),
            _ => None,
        }
    }

    /// What the builder says of a transaction that it does not take.
    pub fn builder_refuses(&self, transaction: &Transaction) -> RuleError {
        let mut builder = BlockBuilder::new(&self.spec, self.context.clone(), &self.state, BENEFICIARY).unwrap();
        rule(builder.push(transaction, self.sender(transaction)).unwrap_err())
    }

    /// Runs a block of these transactions, the coinbase the first of them.
    pub fn execute(&self, transactions: Vec<Transaction>) -> Result<ExecutedBlock, RuleError> {
        let block = self.check(transactions)?;
        let senders: Vec<Address> =
            block.recoveries().iter().map(|transaction| self.spec.sender_of(transaction).unwrap()).collect();
        let pending = execute_block(&self.spec, &self.context, &self.state, block, &senders).map_err(rule)?;
        let verdicts: Vec<bool> = pending.checks().iter().map(|check| check.verify()).collect();
        pending.confirm(&verdicts)
    }

    /// A block that is sound alone.
    pub fn check(&self, transactions: Vec<Transaction>) -> Result<CheckedBlock, RuleError> {
        let leaves: Vec<[u8; 32]> = transactions.iter().map(merkle::leaf).collect();
        let header = Header {
            version: 0,
            prev: self.context.parent,
            merkle_root: merkle::root(&leaves),
            time: self.context.time,
            bits: BITS,
            nonce: 0,
        };
        check_block(&self.spec, Block { header, transactions }).map_err(|(_, error)| error)
    }

    /// Runs a block and applies it, after checking that it can be disconnected.
    pub fn connect(&mut self, transactions: &[Transaction]) -> ExecutedBlock {
        let executed = self.run(transactions).unwrap();
        let effects = executed.effects();
        let before = self.state.clone();
        let supply = before.supply() + effects.minted - effects.burned;
        self.state.apply(effects);
        assert_eq!(self.state.supply(), supply, "money is made or lost");
        assert_eq!(executed.block().coinbase().state_root, self.state.state_root());
        assert_bitcoin_reads(executed.block().coinbase());

        let reversal = undo_block(&self.state, &effects.undo()).unwrap();
        let mut back = self.state.clone();
        back.revert(&effects.undo(), &reversal);
        back.codes = before.codes.clone();
        assert_eq!(back, before, "undo is not the inverse");
        assert_eq!(reversal.state_root, before.state_root());
        self.context.height += 1;
        executed
    }

    /// A coinbase that commits to nothing, for blocks that fail before that matters.
    pub fn empty_coinbase(&self) -> Coinbase {
        Coinbase {
            height: self.context.height,
            beneficiary: BENEFICIARY,
            outputs: vec![output(1, lock(9))],
            state_root: Default::default(),
            receipts_root: Default::default(),
            coins_root: Default::default(),
            gas_used: 0,
            extra: Vec::new(),
        }
    }
}

pub fn sender(transaction: &Transaction) -> Option<Address> {
    match transaction {
        Transaction::Account(transaction) => Some(transaction.recover_sender().unwrap()),
        _ => None,
    }
}

pub fn rule(error: ExecuteError) -> RuleError {
    match error {
        ExecuteError::Rule(rule) => rule,
        ExecuteError::View(error) => panic!("memory can be read: {error}"),
    }
}

/// The builder says of its block what execution says.
fn assert_same(built: &BlockEffects, executed: &BlockEffects) {
    assert_eq!(format!("{built:?}"), format!("{executed:?}"));
}

/// The state root, computed from scratch by alloy-trie.
pub fn rebuilt_state_root(state: &MemoryState) -> B256 {
    let account = |(address, account): (&Address, &Account)| {
        let slots = state.storage.range((*address, U256::ZERO)..=(*address, U256::MAX));
        let slots = slots.map(|((_, slot), value)| (keccak256(slot.to_be_bytes::<32>()), alloy_rlp::encode(value)));
        let account = Account { storage_root: rebuilt_root(slots.collect()), ..*account };
        (keccak256(address), encode_account(&account))
    };
    rebuilt_root(state.accounts.iter().map(account).collect())
}

fn rebuilt_root(leaves: BTreeMap<B256, Vec<u8>>) -> B256 {
    let mut builder = HashBuilder::default();
    for (key, value) in &leaves {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    builder.root()
}
