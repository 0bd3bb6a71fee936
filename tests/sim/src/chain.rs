//! The chain of all histories: trivial work with real difficulty, and a few users with money on both sides.
//!
//! A block takes 32 hashes at first and never fewer than 2, so that every header is really solved and checked. Miners find
//! blocks after exponential times whose mean is their share of a hash rate that gives a block every interval at the first
//! difficulty. ASERT follows (half-life 40 blocks), and a miner's mean grows with the difficulty of what it mines: so blocks
//! come slower after hash rate left (a partition, a crash), until difficulty has followed. [`Rules`] change all of this.

use cairn_node::finality::MemberKey;
use chain_core::{
    Address, Bytes, U256,
    block::{Block, header::Header, merkle},
    execute::GATEWAY,
    hash::BlockHash,
    spec::{ChainSpec, Finality, GenesisAccount},
    transaction::{
        account::address_of,
        coin::{KeyBytes, Lock, Output},
    },
    units::{Amount, GRAINS_PER_CRN},
    work::pow,
};
use secp256k1::{Keypair, SecretKey};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// What chains differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rules {
    /// Seconds between blocks that difficulty aims at.
    pub interval: u32,
    /// ASERT's half-life in blocks; `None` if difficulty stays what it is.
    pub half_life: Option<u32>,
    /// Difficulty of the first block.
    pub bits: u32,
    /// How many members finalize blocks.
    pub members: u8,
    /// The most blocks that a certificate may disconnect.
    pub window: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self { interval: 10, half_life: Some(40), bits: 0x2007_ffff, members: 0, window: WINDOW }
    }
}

impl Rules {
    /// A block costs 2 hashes, whatever happens.
    pub fn fixed(interval: u32) -> Self {
        Self { interval, half_life: None, bits: 0x207f_ffff, members: 0, window: WINDOW }
    }

    /// Milliseconds between blocks.
    pub fn milliseconds(&self) -> u64 {
        u64::from(self.interval) * 1_000
    }
}

/// Users: those who pay all the time, one who pays in the end to see whether it works, and an attacker.
pub const USERS: usize = PAYING + 2;

/// Users who pay all the time; the first ones.
pub const PAYING: usize = 5;

/// The user who pays in the end.
pub const PROMISING: usize = PAYING;

/// The user who pays twice.
pub const CHEATING: usize = PAYING + 1;

/// Coins that each user begins with.
pub const COINS: usize = 8;

/// What each of those coins holds.
pub const COIN: Amount = Amount::from_grains(10 * GRAINS_PER_CRN);

/// A contract that counts, at the slot that its calldata names, how often it was called.
pub const COUNTER: Address = Address::repeat_byte(0xcc);

/// CALLDATALOAD(0) DUP1 SLOAD PUSH1 1 ADD SWAP1 SSTORE STOP.
const COUNTER_CODE: [u8; 11] = [0x60, 0x00, 0x35, 0x80, 0x54, 0x60, 0x01, 0x01, 0x90, 0x55, 0x00];

/// A contract that withdraws, to the lock that its calldata names, an amount that depends on the block's beneficiary.
pub const WITHDRAWER: Address = Address::repeat_byte(0xdd);

/// What it withdraws for each unit, in wei: 0.001 CRN.
const WITHDRAWN_UNIT: u64 = 1_000_000_000_000_000;

/// What [`WITHDRAWER`] withdraws in a block with this beneficiary.
pub fn withdrawn(beneficiary: &Address) -> Amount {
    Amount::from_grains(u64::from(1 + (beneficiary[19] & 15)) * (GRAINS_PER_CRN / 1_000))
}

/// Hands its calldata on to the gateway, with (1 + COINBASE mod 16) units.
fn withdrawer_code() -> Bytes {
    // CALLDATASIZE PUSH0 PUSH0 CALLDATACOPY; PUSH0 PUSH0 CALLDATASIZE PUSH0; COINBASE PUSH1 15 AND PUSH1 1 ADD; PUSH8.
    let mut code = vec![0x36, 0x5f, 0x5f, 0x37, 0x5f, 0x5f, 0x36, 0x5f, 0x41, 0x60, 15, 0x16, 0x60, 1, 0x01, 0x67];
    code.extend(WITHDRAWN_UNIT.to_be_bytes());
    // MUL; PUSH20 gateway, GAS CALL POP STOP.
    code.extend([0x02, 0x73]);
    code.extend(GATEWAY);
    code.extend([0x5a, 0xf1, 0x50, 0x00]);
    code.into()
}

/// Somebody with a key.
#[derive(Debug)]
pub struct User {
    /// Signs account transactions.
    pub secret: SecretKey,
    /// Signs coin transactions.
    pub pair: Keypair,
    /// Lock of its coins.
    pub lock: Lock,
    /// Its account.
    pub address: Address,
}

/// The chain.
#[derive(Debug)]
pub struct Chain {
    /// What it differs in from others.
    pub rules: Rules,
    /// Its rules' numbers.
    pub spec: ChainSpec,
    /// Its first block.
    pub genesis: Block,
    /// Hash of that.
    pub hash: BlockHash,
    /// Who has money on it.
    pub users: Vec<User>,
    /// Who finalizes its blocks, if anybody does.
    pub members: Vec<MemberKey>,
    /// Expected hashes of a block at the first difficulty.
    first_work: f64,
}

fn user(number: usize) -> User {
    // At most a few users.
    let secret = SecretKey::from_secret_bytes([1 + number as u8; 32]).expect("small numbers are keys");
    let pair = Keypair::from_secret_key(&secret);
    let lock = Lock::Key(KeyBytes::of(&pair));
    User { lock, pair, address: address_of(&secret.public_key()), secret }
}

/// Blocks between checkpoints, and their depth.
pub const CHECKPOINTS: (u32, u32) = (4, 2);

/// The most blocks that a certificate may disconnect, unless a history says otherwise: more than it has.
pub const WINDOW: u32 = 400;

fn member(number: u8) -> MemberKey {
    MemberKey::from_bytes([0x70 + number; 32]).expect("small numbers are keys")
}

fn finality(members: &[MemberKey], window: u32) -> Option<Finality> {
    let (interval, depth) = CHECKPOINTS;
    let members: Vec<_> = members.iter().map(MemberKey::public).collect();
    (!members.is_empty()).then_some(Finality { members, interval, depth, window })
}

fn spec(users: &[User], members: &[MemberKey], rules: Rules) -> ChainSpec {
    let account = |address, code: Bytes| GenesisAccount {
        address,
        balance: Amount::from_grains(100 * GRAINS_PER_CRN).to_wei(),
        nonce: u64::from(!code.is_empty()),
        code,
        storage: Vec::new(),
    };
    let mut accounts: Vec<_> = users.iter().map(|user| account(user.address, Bytes::new())).collect();
    accounts.push(account(COUNTER, Bytes::from_static(&COUNTER_CODE)));
    accounts.push(account(WITHDRAWER, withdrawer_code()));
    accounts.sort_by_key(|account| account.address);
    let dev = ChainSpec::dev();
    let coins = users.iter().flat_map(|user| vec![Output { amount: COIN, lock: user.lock }; COINS]);
    ChainSpec {
        name: "sim".into(),
        chain_id: 1_337_002,
        hrp: "scrn".into(),
        target_interval: rules.interval,
        // The longest that is valid: difficulty changes by less than a hash in years.
        half_life: rules.half_life.unwrap_or(1_000_000_000),
        max_future: 120,
        coinbase_maturity: 10,
        halving_interval: 150,
        genesis_bits: rules.bits,
        // Just below the limit, rounding would change the work of blocks that are behind schedule.
        pow_limit_bits: if rules.half_life.is_none() { rules.bits } else { dev.pow_limit_bits },
        alloc_coins: coins.collect(),
        alloc_accounts: accounts,
        finality: finality(members, rules.window),
        ..dev
    }
}

impl Chain {
    /// The chain with these rules. All histories share it: nothing of it changes.
    ///
    /// # Panics
    /// If no chain can have these rules.
    pub fn of(rules: Rules) -> Arc<Self> {
        static CHAINS: Mutex<BTreeMap<Rules, Arc<Chain>>> = Mutex::new(BTreeMap::new());
        let mut chains = CHAINS.lock().unwrap_or_else(PoisonError::into_inner);
        chains.entry(rules).or_insert_with(|| Arc::new(Self::new(rules))).clone()
    }

    fn new(rules: Rules) -> Self {
        let users: Vec<User> = (0..USERS).map(user).collect();
        let members: Vec<MemberKey> = (0..rules.members).map(member).collect();
        let spec = spec(&users, &members, rules);
        spec.validate().expect("the spec of simulations is sound");
        let (genesis, _) = spec.genesis_block();
        let hash = genesis.hash();
        let first_work = expected_hashes(spec.genesis_bits);
        Self { rules, spec, genesis, hash, users, members, first_work }
    }

    /// Work of a block at the first difficulty.
    pub fn genesis_work(&self) -> U256 {
        pow::target(self.spec.genesis_bits).map(pow::work).unwrap_or_default()
    }

    /// Milliseconds in which all miners together find a block of these bits on average.
    pub fn mean_interval(&self, bits: u32) -> f64 {
        self.rules.milliseconds() as f64 * expected_hashes(bits) / self.first_work
    }

    /// Finds the nonce of a block.
    pub fn solve(&self, block: &mut Block) {
        self.solve_header(&mut block.header);
    }

    /// Finds the nonce of a header.
    pub fn solve_header(&self, header: &mut Header) {
        while is_solved(header) == Some(false) {
            header.nonce = header.nonce.wrapping_add(1);
        }
    }

    /// Finds a nonce that does not solve a block.
    pub fn unsolve(&self, block: &mut Block) {
        self.unsolve_header(&mut block.header);
    }

    /// Finds a nonce that does not solve a header.
    pub fn unsolve_header(&self, header: &mut Header) {
        while is_solved(header) == Some(true) {
            header.nonce = header.nonce.wrapping_add(1);
        }
    }

    /// Makes the header name the transactions again, and solves it.
    pub fn reroot(&self, block: &mut Block) {
        let leaves: Vec<_> = block.transactions.iter().map(merkle::leaf).collect();
        block.header.merkle_root = merkle::root(&leaves);
        self.solve(block);
    }
}

/// Whether a header's hash is its work; `None` if its bits are no target.
fn is_solved(header: &Header) -> Option<bool> {
    let target = pow::target(header.bits).ok()?;
    Some(U256::from_le_bytes(header.hash().0) <= target)
}

/// Expected hashes of a block; 0 for bits that are no target.
fn expected_hashes(bits: u32) -> f64 {
    let work = pow::target(bits).map(pow::work).unwrap_or_default();
    // Trivial difficulty: far below 2^52.
    u64::try_from(work).unwrap_or(u64::MAX) as f64
}
