//! A chain in a few lines: keys by number, coins that genesis gives, an engine, and twins of it that mine other branches.

use chain_core::{
    Address, U256,
    block::{Block, header::Header, merkle},
    hash::{BlockHash, TxId},
    spec::{ChainSpec, GenesisAccount},
    transaction::{
        Transaction,
        account::{AccountTransaction, Fees, Fields, address_of},
        coin::{Coin, CoinTransaction, KeyBytes, Lock, OutPoint, Output, Signature, Witness},
        sighash::sighash,
    },
    units::{Amount, Height},
    work::pow,
};
use secp256k1::{Keypair, SecretKey};
use std::{path::PathBuf, sync::Arc};

use crate::{
    engine::{
        Action, BlockOutcome, Engine, EngineConfig, Event, NodeEvent, Now, PeerAction, Reply, SubmitBlockError,
        SubmitError, Template, TemplateRequest, Time, VerifyConfig,
    },
    finality::{MemberKey, Record},
    mempool::MempoolConfig,
    store::{Store, StoreConfig, memory::MemoryKv},
};

pub(crate) const GWEI: u64 = 1_000_000_000;
/// Grains in each coin that genesis gives to key 1.
pub(crate) const COIN: u64 = 100_000_000;
/// A fee that covers any plain transaction of these tests, with some tip.
pub(crate) const FEE: u64 = 10_000;

pub(crate) fn secret(number: u8) -> SecretKey {
    SecretKey::from_secret_bytes([number; 32]).unwrap()
}

pub(crate) fn address(number: u8) -> Address {
    address_of(&secret(number).public_key())
}

pub(crate) fn lock(number: u8) -> Lock {
    Lock::Key(KeyBytes(secret(number).x_only_public_key().0.to_byte_array()))
}

pub(crate) fn crn(amount: u64) -> U256 {
    U256::from(amount) * U256::from(GWEI) * U256::from(GWEI)
}

pub(crate) fn pay(grains: u64, number: u8) -> Output {
    Output { amount: Amount::from_grains(grains), lock: lock(number) }
}

/// Trivial work, coins for key 1, balances for keys 1 to 9.
pub(crate) fn spec(coins: usize) -> ChainSpec {
    let account = |number| GenesisAccount {
        address: address(number),
        balance: crn(100),
        nonce: 0,
        code: chain_core::Bytes::new(),
        storage: Vec::new(),
    };
    let mut accounts: Vec<_> = (1..10).map(account).collect();
    accounts.sort_by_key(|account| account.address);
    ChainSpec {
        max_future: 120,
        coinbase_maturity: 2,
        alloc_coins: vec![pay(COIN, 1); coins],
        alloc_accounts: accounts,
        ..ChainSpec::dev()
    }
}

/// An engine, its clock and what it did last.
pub(crate) struct Kit {
    pub(crate) engine: Engine,
    pub(crate) spec: ChainSpec,
    pub(crate) genesis: Block,
    pub(crate) kv: MemoryKv,
    pub(crate) now: Time,
    /// Milliseconds that somebody has set the wall clock ahead.
    pub(crate) ahead: i64,
    pub(crate) events: Vec<NodeEvent>,
    pub(crate) penalties: Vec<String>,
    pub(crate) peer_actions: Vec<PeerAction>,
    pub(crate) fatal: Option<String>,
    pub(crate) mempool: MempoolConfig,
    /// Used by the next [`Kit::restart`].
    pub(crate) store: StoreConfig,
    /// In the coinbase's extra, so that twins mine different blocks.
    pub(crate) name: u8,
    /// Used by the next [`Kit::restart`].
    pub(crate) member: Option<MemberKey>,
    /// Where the record of the member is, if it has one. Used by the next [`Kit::restart`].
    pub(crate) record: Option<PathBuf>,
    tickets: u64,
}

impl Kit {
    pub(crate) fn new() -> Self {
        Self::with(spec(50), MempoolConfig::default())
    }

    pub(crate) fn with(spec: ChainSpec, mempool: MempoolConfig) -> Self {
        let kv = MemoryKv::default();
        let genesis = spec.genesis_block().0;
        let now = Time(u64::from(spec.genesis_time) * 1_000);
        let engine = open(&kv, &spec, &mempool, &StoreConfig::default(), None, None);
        let (events, penalties, peer_actions) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            engine,
            spec,
            genesis,
            kv,
            now,
            ahead: 0,
            events,
            penalties,
            peer_actions,
            fatal: None,
            mempool,
            store: StoreConfig::default(),
            name: 0,
            member: None,
            record: None,
            tickets: 0,
        }
    }

    /// Another node on the same chain, with the same blocks, that will mine others.
    pub(crate) fn twin(&self) -> Self {
        let mut twin = Self::with(self.spec.clone(), self.mempool.clone());
        twin.name = self.name + 1;
        twin.now = self.now;
        for height in 1..=self.height() {
            twin.take(self.block_at(height)).unwrap();
        }
        twin
    }

    /// Ends this engine without a word and opens another on the same database.
    pub(crate) fn restart(&mut self) {
        let record = self
            .member
            .as_ref()
            .zip(self.record.as_ref())
            .map(|(key, path)| Record::open(path, key.public(), self.genesis.hash()).unwrap());
        self.engine = open(&self.kv, &self.spec, &self.mempool, &self.store, self.member.clone(), record);
        self.settle();
    }

    pub(crate) fn height(&self) -> Height {
        self.engine.store().tip().height
    }

    pub(crate) fn tip(&self) -> BlockHash {
        self.engine.store().tip().hash
    }

    pub(crate) fn block_at(&self, height: Height) -> Block {
        let at = self.engine.store().at_height(height).unwrap().unwrap();
        self.engine.store().body(at).unwrap().unwrap()
    }

    pub(crate) fn handle(&mut self, event: Event) -> Vec<Reply> {
        let mut replies = Vec::new();
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let wall = Time(self.now.0.saturating_add_signed(self.ahead));
            for action in self.engine.handle(event, Now { wall, steady: self.now }) {
                match action {
                    Action::Reply(_, reply) => replies.push(reply),
                    Action::Publish(event) => self.events.push(event),
                    Action::Peer(action) => {
                        if let PeerAction::Penalize(_, offence) = &action {
                            self.penalties.push(offence.to_string());
                        }
                        self.peer_actions.push(action);
                    }
                    Action::Continue => events.push(Event::Continue),
                    Action::Fatal(message) => self.fatal = Some(message),
                }
            }
        }
        replies
    }

    /// Lets the engine finish what it has to do.
    pub(crate) fn settle(&mut self) {
        assert!(self.handle(Event::Continue).is_empty());
    }

    /// Lets the engine finish, whatever it answers to whom.
    pub(crate) fn settle_all(&mut self) {
        self.handle(Event::Continue);
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now.0 += seconds * 1_000;
        assert!(self.handle(Event::Tick).is_empty());
    }

    pub(crate) fn take(&mut self, block: Block) -> Result<BlockOutcome, SubmitBlockError> {
        self.tickets += 1;
        match self.handle(Event::Block(self.tickets, block)).pop() {
            Some(Reply::Block(result)) => result,
            other => panic!("no answer to a block but {other:?}"),
        }
    }

    /// Puts headers into the tree before their blocks come, parents first.
    pub(crate) fn insert_headers(&mut self, headers: &[Header]) {
        for header in headers {
            let parent = self.engine.chain().tree().context(&header.prev).unwrap();
            let context = parent.child(&self.spec, header, self.now.seconds()).unwrap();
            self.engine.chain.insert_headers(&[(*header, context)]).unwrap();
        }
    }

    pub(crate) fn submit(&mut self, transaction: impl Into<Tx>) -> Result<TxId, SubmitError> {
        let Tx(transaction) = transaction.into();
        self.submit_all(vec![transaction]).pop().unwrap()
    }

    pub(crate) fn submit_all(&mut self, transactions: Vec<Transaction>) -> Vec<Result<TxId, SubmitError>> {
        let batch = transactions.into_iter().map(|transaction| (0, transaction)).collect();
        let answer = |reply| match reply {
            Reply::Transaction(result) => result,
            Reply::Block(_) => panic!("a block's answer to a transaction"),
        };
        self.handle(Event::Transactions(batch)).into_iter().map(answer).collect()
    }

    pub(crate) fn request(&self) -> TemplateRequest {
        TemplateRequest {
            payout: lock(9),
            beneficiary: Address::repeat_byte(0xbe),
            extra: vec![self.name],
            full: false,
        }
    }

    pub(crate) fn template(&mut self) -> Template {
        self.engine.set_time(self.now);
        self.engine.template(&self.request()).unwrap()
    }

    /// Mines a block of the best of the pool.
    pub(crate) fn mine(&mut self) -> BlockHash {
        self.now.0 += 1_000;
        let block = self.template().block;
        let block = solved(&self.spec, block);
        let hash = block.hash();
        assert_eq!(self.take(block).unwrap(), BlockOutcome::Connected { disconnected: 0 });
        hash
    }

    /// Mines a few blocks and answers with them.
    pub(crate) fn mine_many(&mut self, count: u32) -> Vec<Block> {
        (0..count)
            .map(|_| {
                self.mine();
                self.block_at(self.height())
            })
            .collect()
    }

    /// A solved block on the tip that nobody has taken, changed as asked for before its merkle root is computed.
    pub(crate) fn block_with(&mut self, change: impl FnOnce(&mut Vec<Transaction>)) -> Block {
        self.now.0 += 1_000;
        let mut block = self.template().block;
        change(&mut block.transactions);
        reroot(&self.spec, block)
    }

    /// A coin that genesis gave to key 1.
    pub(crate) fn coin(&self, index: u32) -> (OutPoint, Coin) {
        // Output 0 of a coinbase is no coin (CB-10).
        let outpoint = OutPoint { txid: self.genesis.transactions[0].txid(), index: 1 + index };
        (outpoint, Coin { output: pay(COIN, 1), height: 0, coinbase: false })
    }

    /// Spends coins of a key.
    pub(crate) fn spend(&self, number: u8, spent: &[(OutPoint, Coin)], outputs: &[Output]) -> CoinTransaction {
        let inputs = spent.iter().map(|(outpoint, _)| *outpoint).collect();
        let mut tx = CoinTransaction { inputs, outputs: outputs.to_vec(), witnesses: Vec::new() };
        let coins: Vec<Coin> = spent.iter().map(|(_, coin)| *coin).collect();
        let message = sighash(&self.genesis.hash(), &tx, &coins);
        let pair = Keypair::from_secret_key(&secret(number));
        tx.witnesses = (0..spent.len() as u32)
            .map(|input| pair.sign_schnorr_no_aux_rand(&message(input)).to_byte_array())
            .map(|bytes| Witness::Key(Signature::from(bytes)))
            .collect();
        tx
    }

    /// Sends a coin of genesis on to key 2, for a fee.
    pub(crate) fn send(&self, index: u32, fee: u64) -> CoinTransaction {
        self.spend(1, &[self.coin(index)], &[pay(COIN - fee, 2)])
    }

    /// What key `number` sends in its `nonce`-th account transaction: 1 wei, for a tip in gwei.
    pub(crate) fn transfer(&self, number: u8, nonce: u64, tip: u64) -> AccountTransaction {
        let fields = Fields { chain_id: self.spec.chain_id, ..transfer_fields(nonce, tip) };
        AccountTransaction::sign(fields, &secret(number)).unwrap()
    }

    /// All transactions of the pool.
    pub(crate) fn pooled(&self) -> Vec<TxId> {
        let mut txids: Vec<_> = self.engine.mempool().best(usize::MAX).iter().map(|entry| entry.txid).collect();
        txids.sort_unstable();
        txids
    }

    pub(crate) fn is_pooled(&self, tx: impl Into<Tx>) -> bool {
        self.engine.mempool().contains(&tx.into().0.txid())
    }
}

/// The coin that an output of an unconfirmed transaction makes.
pub(crate) fn made(tx: &CoinTransaction, index: u32) -> (OutPoint, Coin) {
    let coin = Coin { output: tx.outputs[index as usize], height: 0, coinbase: false };
    (OutPoint { txid: tx.txid(), index }, coin)
}

pub(crate) fn transfer_fields(nonce: u64, tip: u64) -> Fields {
    Fields {
        tx_type: 2,
        chain_id: ChainSpec::dev().chain_id,
        nonce,
        fees: Fees::Dynamic { max_fee: U256::from((10 + tip) * GWEI), max_priority_fee: U256::from(tip * GWEI) },
        gas_limit: 21_000,
        to: Some(Address::repeat_byte(0x77)),
        value: U256::ONE,
        input: chain_core::Bytes::new(),
        access_list: Vec::new(),
        authorizations: Vec::new(),
    }
}

/// A transaction of either kind.
pub(crate) struct Tx(pub(crate) Transaction);

impl From<&CoinTransaction> for Tx {
    fn from(tx: &CoinTransaction) -> Self {
        Self(Transaction::Coin(tx.clone()))
    }
}

impl From<&AccountTransaction> for Tx {
    fn from(tx: &AccountTransaction) -> Self {
        Self(Transaction::Account(tx.clone()))
    }
}

fn open(
    kv: &MemoryKv,
    spec: &ChainSpec,
    mempool: &MempoolConfig,
    store: &StoreConfig,
    member: Option<MemberKey>,
    record: Option<Record>,
) -> Engine {
    let mut store = Store::with_kv(Arc::new(kv.clone()), spec, store).unwrap();
    record.into_iter().for_each(|record| store.keep_record(record).unwrap());
    let verify = VerifyConfig { parallel: false, signatures: 1 << 14, senders: 1 << 12, ..VerifyConfig::default() };
    let config = EngineConfig { mempool: mempool.clone(), verify, member, ..EngineConfig::default() };
    Engine::open(store, spec.clone(), config).unwrap()
}

/// The block with a merkle root that fits, solved.
pub(crate) fn reroot(spec: &ChainSpec, mut block: Block) -> Block {
    let leaves: Vec<_> = block.transactions.iter().map(merkle::leaf).collect();
    block.header.merkle_root = merkle::root(&leaves);
    solved(spec, block)
}

/// The block with a nonce that solves it.
pub(crate) fn solved(spec: &ChainSpec, mut block: Block) -> Block {
    let limit = pow::target(spec.pow_limit_bits).unwrap();
    while pow::check_pow(&block.hash(), block.header.bits, limit).is_err() {
        block.header.nonce += 1;
    }
    block
}
