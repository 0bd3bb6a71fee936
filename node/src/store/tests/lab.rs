//! A chain in a few lines over a store, and the plain model that it has to equal.

use alloy_primitives::{Address, B256, Bytes, U256};
use chain_core::{
    block::{Block, CheckedBlock, check::check_block, header::Header, merkle},
    codec,
    execute::{
        BlockBuilder, BlockContext, ExecutedBlock, GATEWAY, execute_block, withdraw_calldata, withdrawal_outpoint,
    },
    hash::TxId,
    spec::{ChainSpec, GenesisAccount, StorageWord},
    state::{BlockEffects, MemoryState, StateView},
    transaction::{
        Transaction,
        account::{AccountTransaction, Fees, Fields},
        coin::{Coin, CoinTransaction, KeyBytes, Lock, OutPoint, Output, Signature, Witness},
    },
    units::{Amount, Height},
};
use std::{ops::ControlFlow, sync::Arc};

use crate::store::{
    BlockRef, HeaderRecord, Store, StoreConfig, StoreError, Totals, Verdict,
    column::Column,
    kv::{KeyRange, KvRead, Order},
    schema,
};

impl Store {
    /// Stores one body.
    pub(crate) fn put_body(&mut self, height: Height, block: &CheckedBlock) -> Result<(), StoreError> {
        self.put_bodies(std::iter::once((height, block, &codec::encode(block.block())[..])))
    }
}

/// Grains that cover the fee of any transaction here.
pub const FEE: u64 = 1_000_000;
/// Wei in a gwei.
const GWEI: u64 = 1_000_000_000;

/// Locks and accounts by number. Nobody verifies signatures here, so that no keys are needed.
pub fn lock(number: u8) -> Lock {
    match number % 4 {
        3 => Lock::Policy([number; 32]),
        _ => Lock::Key(KeyBytes([number; 32])),
    }
}

/// An account by number.
pub fn account(number: u8) -> Address {
    Address::repeat_byte(number)
}

/// A chain with coins and accounts for everybody.
pub fn spec() -> ChainSpec {
    let output = |number| Output { amount: Amount::from_grains(50 * FEE), lock: lock(number) };
    let account = |number| GenesisAccount {
        address: account(number),
        balance: U256::from(1_000_000) * U256::from(GWEI) * U256::from(GWEI),
        nonce: 0,
        code: Bytes::new(),
        storage: Vec::new(),
    };
    let contract = GenesisAccount {
        code: Bytes::from_static(&[0x5b, 0x00]),
        storage: vec![(StorageWord(U256::from(1)), StorageWord(U256::from(2)))],
        ..account(0xcc)
    };
    let loud = GenesisAccount { code: Bytes::from_static(LOUD), ..account(LOUD_ACCOUNT) };
    ChainSpec {
        alloc_coins: (0..16).map(|number| output(number % 6)).collect(),
        alloc_accounts: [1, 2, 3].map(account).into_iter().chain([contract, loud]).collect(),
        ..ChainSpec::dev()
    }
}

/// An account with [`LOUD`] as its code.
pub const LOUD_ACCOUNT: u8 = 0xdd;

/// Writes a log without topics, then one of the call's first two words with the second as data.
const LOUD: &[u8] = &[
    0x5f, 0x5f, 0xa0, // LOG0 of nothing
    0x60, 0x20, 0x35, 0x5f, 0x52, // MSTORE(0, CALLDATALOAD(32))
    0x60, 0x20, 0x35, 0x5f, 0x35, 0x60, 0x20, 0x5f, 0xa2, // LOG2(0, 32, CALLDATALOAD(0), CALLDATALOAD(32))
];

/// A topic by number.
pub fn topic(number: u8) -> B256 {
    B256::with_last_byte(number)
}

/// A configuration that flushes when it is told to.
pub fn config() -> StoreConfig {
    StoreConfig { cache_bytes: 1 << 20, sync: false, ..StoreConfig::default() }
}

/// One block of the model: the state after it and what it was.
#[derive(Debug)]
pub struct Known {
    pub at: BlockRef,
    pub state: MemoryState,
    pub block: Block,
    pub effects: BlockEffects,
    pub totals: Totals,
    pub senders: Vec<Address>,
}

/// A store beside its model.
pub struct Lab {
    pub spec: ChainSpec,
    pub store: Store,
    /// The active chain, genesis first.
    pub chain: Vec<Arc<Known>>,
}

impl Lab {
    /// A store that was just created.
    pub fn new(spec: ChainSpec, store: Store) -> Self {
        let (block, effects) = spec.genesis_block();
        let at = BlockRef { height: 0, hash: block.hash() };
        let mut state = MemoryState::default();
        state.apply(&effects);
        state.block_hashes.insert(0, at.hash);
        let totals = totals(&state, effects.minted, U256::ZERO);
        Self { spec, store, chain: vec![Arc::new(Known { at, state, block, effects, totals, senders: Vec::new() })] }
    }

    pub fn tip(&self) -> &Known {
        self.chain.last().expect("genesis is never disconnected")
    }

    /// A block on the tip of what the bytes choose, executed on the store's view.
    pub fn block(&self, choices: &[u8]) -> ExecutedBlock {
        let context = self.context();
        let view = self.store.view();
        let mut builder = BlockBuilder::new(&self.spec, context.clone(), &view, account(9)).unwrap();
        let mut writer = Writer::new(self);
        for choice in choices {
            for (transaction, sender) in writer.transactions(*choice) {
                // What does not fit the state is left out.
                if builder.push(&transaction, sender).is_ok() {
                    writer.pushed(&transaction, sender);
                }
            }
        }
        let extra = choices.iter().take(90).copied().collect();
        let (transactions, _) = builder.finish(lock(choices.first().copied().unwrap_or(0)), extra).unwrap();
        let block = self.build(&context, transactions);
        self.execute(context, block, &writer.senders)
    }

    /// Connects a block in which account 1 calls these, in order: whom, with how much and what. `salt` tells branches apart.
    pub fn connect_calls(&mut self, calls: &[(Address, u64, Bytes)], salt: u8) -> BlockRef {
        let (context, sender) = (self.context(), account(1));
        let nonce = self.tip().state.accounts.get(&sender).map_or(0, |account| account.nonce);
        let view = self.store.view();
        let mut builder = BlockBuilder::new(&self.spec, context.clone(), &view, account(9)).unwrap();
        for (nonce, (to, value, input)) in (nonce..).zip(calls) {
            let call = account_transaction(&self.spec, nonce, *to, U256::from(*value), input.clone());
            builder.push(&call, Some(sender)).unwrap();
        }
        let (transactions, _) = builder.finish(lock(salt), vec![salt]).unwrap();
        let block = self.build(&context, transactions);
        let executed = self.execute(context, block, &vec![sender; calls.len()]);
        self.store.connect(&executed).unwrap();
        self.follow(&executed)
    }

    fn context(&self) -> BlockContext {
        let tip = self.tip().at;
        let time = self.spec.genesis_time + tip.height + 1;
        let header = Header { version: 0, prev: tip.hash, merkle_root: [0; 32], time, bits: BITS, nonce: 0 };
        BlockContext::new(self.chain[0].at.hash, tip.height + 1, GWEI, &header).unwrap()
    }

    fn build(&self, context: &BlockContext, transactions: Vec<Transaction>) -> Block {
        let leaves: Vec<_> = transactions.iter().map(merkle::leaf).collect();
        let merkle_root = merkle::root(&leaves);
        let header = Header { version: 0, prev: context.parent, merkle_root, time: context.time, bits: BITS, nonce: 0 };
        Block { header, transactions }
    }

    fn execute(&self, context: BlockContext, block: Block, senders: &[Address]) -> ExecutedBlock {
        let block = check_block(&self.spec, block).unwrap();
        let pending = execute_block(&self.spec, &context, &self.store.view(), block, senders).unwrap();
        let verdicts = vec![true; pending.checks().len()];
        pending.confirm(&verdicts).unwrap()
    }

    /// Executes a known block again and connects it.
    pub fn replay(&mut self, block: Block, senders: &[Address]) {
        let executed = self.execute(self.context(), block, senders);
        self.store.connect(&executed).unwrap();
        self.follow(&executed);
    }

    /// Connects a block in the store and in the model.
    pub fn connect(&mut self, choices: &[u8]) -> BlockRef {
        let executed = self.block(choices);
        self.store.connect(&executed).unwrap();
        self.follow(&executed)
    }

    /// Connects a block in the model only.
    pub fn follow(&mut self, executed: &ExecutedBlock) -> BlockRef {
        let (block, effects) = (executed.block(), executed.effects().clone());
        let at = BlockRef { height: executed.context().height, hash: block.hash() };
        let tip = self.tip();
        let mut state = tip.state.clone();
        state.apply(&effects);
        state.block_hashes.insert(at.height, at.hash);
        let totals = totals(&state, tip.totals.minted + effects.minted, tip.totals.burned + effects.burned);
        let (block, senders) = (block.block().clone(), executed.senders().to_vec());
        self.chain.push(Arc::new(Known { at, state, block, effects, totals, senders }));
        at
    }

    /// Takes the tip back in the store and in the model.
    pub fn disconnect(&mut self) {
        let block = self.store.disconnect().unwrap().block;
        assert_eq!(block, self.chain.pop().unwrap().block);
    }

    /// Everything that the store answers is what the model knows.
    pub fn check(&self) {
        let (view, tip) = (self.store.view(), self.tip());
        assert_eq!(self.store.tip(), tip.at);
        assert_eq!(self.store.totals(), tip.totals);
        assert_eq!(view.coins_digest().unwrap(), tip.state.coins_digest().unwrap());
        for known in &self.chain {
            assert_eq!(self.store.at_height(known.at.height), Ok(Some(known.at)));
            let kept = known.at.height == 0 || known.at.height > self.store.pruned();
            assert_eq!(self.store.body(known.at).unwrap().as_ref(), kept.then_some(&known.block));
            let record = self.store.header(&known.at.hash).unwrap().unwrap();
            assert_eq!((record.header, record.body, record.verdict), (known.block.header, true, Verdict::Valid));
            for outpoint in known.state.coins.keys() {
                assert_eq!(view.coin(outpoint).unwrap(), tip.state.coins.get(outpoint).copied());
            }
        }
        assert_eq!(self.store.at_height(tip.at.height + 1), Ok(None));
        for number in 0..=255 {
            let address = account(number);
            assert_eq!(view.account(&address).unwrap(), tip.state.accounts.get(&address).copied());
        }
        for ((address, slot), word) in &tip.state.storage {
            assert_eq!(view.storage(address, slot).unwrap(), *word);
        }
        for (hash, code) in &tip.state.codes {
            assert_eq!(view.code(hash).unwrap(), *code);
        }
    }

    /// After a flush: every row of the state on disk is one of the model, and the other way round.
    pub fn check_disk(&self) {
        let tip = self.tip();
        assert_eq!(self.store.flushed_tip(), tip.at);
        let kv = &*self.store.kv;
        let coins = rows(kv, Column::Coins);
        let expected =
            tip.state.coins.iter().map(|(key, coin)| (schema::coin_key(key).to_vec(), schema::write_coin(coin)));
        assert!(coins.into_iter().eq(expected), "coins on disk");
        let accounts = rows(kv, Column::Accounts);
        let expected = tip.state.accounts.iter().map(|(key, account)| (key.to_vec(), schema::write_account(account)));
        assert!(accounts.into_iter().eq(expected), "accounts on disk");
        let storage = rows(kv, Column::Storage);
        let expected = tip
            .state
            .storage
            .iter()
            .map(|((key, slot), word)| (schema::slot_key(key, slot).to_vec(), schema::write_slot(word)));
        assert!(storage.into_iter().eq(expected), "slots on disk");
        for (key, value) in rows(kv, Column::Trie) {
            let key = chain_core::trie::NodeKey::from_bytes(&key).unwrap();
            let node = tip.state.trie_node(&key).unwrap().expect("a node is on disk that should be gone");
            assert_eq!(node.as_bytes(), value);
        }
        let snapshot = self.store.reader().snapshot().unwrap();
        for address in tip.state.accounts.keys() {
            let key = alloy_primitives::keccak256(address);
            let proof = chain_core::trie::prove(&snapshot, None, key).unwrap();
            let expected = chain_core::trie::prove(&ByNode(&tip.state), None, key).unwrap();
            assert_eq!(proof, expected);
        }
    }
}

struct ByNode<'a>(&'a MemoryState);

impl chain_core::trie::NodeReader for ByNode<'_> {
    fn node(
        &self,
        key: &chain_core::trie::NodeKey,
    ) -> Result<Option<Arc<chain_core::trie::Node>>, chain_core::state::ViewError> {
        self.0.trie_node(key)
    }
}

fn totals(state: &MemoryState, minted: U256, burned: U256) -> Totals {
    Totals {
        coins: state.coins.len() as u64,
        coin_grains: Amount::sum(state.coins.values().map(|coin| coin.output.amount)).unwrap(),
        accounts: state.accounts.len() as u64,
        account_wei: state.accounts.values().map(|account| account.balance).sum(),
        minted,
        burned,
    }
}

/// All rows of a column.
pub fn rows(kv: &(impl KvRead + ?Sized), column: Column) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    kv.scan(column, &KeyRange::all(), Order::Ascending, &mut |key, value| {
        rows.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    })
    .unwrap();
    rows
}

/// A header that nothing else is known of.
pub fn loose_header(height: Height, nonce: u32) -> HeaderRecord {
    let header = Header { version: 1, prev: Default::default(), merkle_root: [0; 32], time: 0, bits: 0, nonce };
    HeaderRecord::new(header, height)
}

/// Makes transactions for one block.
struct Writer<'a> {
    lab: &'a Lab,
    /// Coins that may be spent, those of this block last.
    coins: Vec<(OutPoint, Coin)>,
    nonces: [u64; 4],
    senders: Vec<Address>,
}

impl<'a> Writer<'a> {
    fn new(lab: &'a Lab) -> Self {
        let state = &lab.tip().state;
        let coins = state.coins.iter().map(|(outpoint, coin)| (*outpoint, *coin)).collect();
        let nonces = [0, 1, 2, 3].map(|number| state.accounts.get(&account(number)).map_or(0, |account| account.nonce));
        Self { lab, coins, nonces, senders: Vec::new() }
    }

    /// What a number chooses: spends, deposits, transfers, withdrawals.
    fn transactions(&mut self, choice: u8) -> Vec<(Transaction, Option<Address>)> {
        let sender = 1 + choice % 3;
        let to = account(4 + choice % 30);
        match choice % 8 {
            0 | 1 => self.spend(choice, 1, &[lock(choice / 8), lock(choice / 16)]).into_iter().collect(),
            2 => self.spend(choice, 2, &[lock(choice / 8)]).into_iter().collect(),
            3 => self.spend(choice, 1, &[Lock::Account(to), lock(1)]).into_iter().collect(),
            4 => self.spend(u8::MAX, 1, &[lock(2), lock(3)]).into_iter().collect(),
            5 => vec![self.call(sender, account(choice), U256::from(choice), Bytes::new())],
            6 if choice >= 128 => {
                let input = [topic(choice % 5).0, topic(choice % 7).0].concat();
                vec![self.call(sender, account(LOUD_ACCOUNT), U256::ZERO, input.into())]
            }
            6 => vec![self.call(sender, to, U256::from(5), Bytes::new())],
            _ => {
                let grains = U256::from(3 * FEE + u64::from(choice)) * U256::from(10 * GWEI);
                vec![self.call(sender, GATEWAY, grains, withdraw_calldata(&lock(choice / 8)))]
            }
        }
    }

    /// Spends some coins, chosen by a number; the last for the largest.
    fn spend(&self, choice: u8, count: usize, locks: &[Lock]) -> Option<(Transaction, Option<Address>)> {
        let first = (usize::from(choice) * self.coins.len() / 255).min(self.coins.len().checked_sub(count)?);
        let spent = &self.coins[first..first + count];
        let sum: u64 = spent.iter().map(|(_, coin)| coin.output.amount.grains()).sum();
        let each = sum.checked_sub(FEE)? / locks.len() as u64;
        let outputs = locks.iter().map(|lock| Output { amount: Amount::from_grains(each), lock: *lock }).collect();
        let witness = |(_, coin): &(OutPoint, Coin)| match coin.output.lock {
            Lock::Policy(_) => None,
            _ => Some(Witness::Key(Signature::from([1; 64]))),
        };
        let witnesses = spent.iter().map(witness).collect::<Option<Vec<_>>>()?;
        let inputs = spent.iter().map(|(outpoint, _)| *outpoint).collect();
        Some((Transaction::Coin(CoinTransaction { inputs, outputs, witnesses }), None))
    }

    fn call(&self, sender: u8, to: Address, value: U256, input: Bytes) -> (Transaction, Option<Address>) {
        let nonce = self.nonces[usize::from(sender)];
        (account_transaction(&self.lab.spec, nonce, to, value, input), Some(account(sender)))
    }

    /// A transaction is in the block: what it made may be spent by the next.
    fn pushed(&mut self, transaction: &Transaction, sender: Option<Address>) {
        let height = self.lab.tip().at.height + 1;
        let coin = |output: &Output| Coin { output: *output, height, coinbase: false };
        let txid = transaction.txid();
        match transaction {
            Transaction::Coin(tx) => {
                self.coins.retain(|(outpoint, _)| !tx.inputs.contains(outpoint));
                let made = (0..).zip(&tx.outputs).filter(|(_, output)| !matches!(output.lock, Lock::Account(_)));
                self.coins.extend(made.map(|(index, output)| (OutPoint { txid, index }, coin(output))));
            }
            Transaction::Account(tx) => {
                self.senders.extend(sender);
                let number = sender.map_or(0, |sender| sender.0[0]);
                self.nonces[usize::from(number)] += 1;
                let lock = (0..32).map(lock).find(|lock| withdraw_calldata(lock) == tx.fields().input);
                let amount = Amount::from_wei_exact(tx.fields().value).unwrap_or_default();
                let withdrawn = lock.map(|lock| Output { amount, lock });
                self.coins.extend(withdrawn.map(|output| (withdrawal_outpoint(txid, 0, &output), coin(&output))));
            }
            Transaction::Coinbase(_) => {}
        }
    }
}

/// A call that anybody may have signed.
fn account_transaction(spec: &ChainSpec, nonce: u64, to: Address, value: U256, input: Bytes) -> Transaction {
    let fields = Fields {
        tx_type: 2,
        chain_id: spec.chain_id,
        nonce,
        fees: Fees::Dynamic { max_fee: U256::from(2 * GWEI), max_priority_fee: U256::from(GWEI) },
        gas_limit: 150_000,
        to: Some(to),
        value,
        input,
        access_list: Vec::new(),
        authorizations: Vec::new(),
    };
    let mut signature = [0; 64];
    (signature[31], signature[63]) = (1, 1);
    Transaction::Account(AccountTransaction::from_parts(fields, signature, false).unwrap())
}

/// Those of every header: two hashes a block.
const BITS: u32 = 0x207f_ffff;

/// Outpoints by a number, for coins that are nowhere.
pub fn nowhere(number: u8) -> OutPoint {
    OutPoint { txid: TxId([number; 32]), index: 7 }
}
