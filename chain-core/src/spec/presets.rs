//! The built-in specs.

use alloy_primitives::{Address, Bytes, U256, address, hex};

use super::{ChainSpec, GenesisAccount};
use crate::{
    transaction::coin::{KeyBytes, Lock, Output},
    units::{Amount, GRAINS_PER_CRN},
};

/// 1 gwei.
const GWEI: u64 = 1_000_000_000;

/// 2026-01-01 00:00 UTC.
const GENESIS_TIME: u32 = 1_767_225_600;

impl ChainSpec {
    /// The main network.
    pub fn main() -> Self {
        Self {
            name: "main".into(),
            chain_id: 133_700,
            hrp: "crn".into(),
            target_interval: 30,
            half_life: 288,
            pow_limit_bits: 0x1e00_ffff,
            max_future: 120,
            coinbase_maturity: 100,
            gas_limit: 60_000_000,
            base_fee_floor: GWEI,
            initial_base_fee: GWEI,
            subsidy: Amount::from_grains(5 * GRAINS_PER_CRN),
            halving_interval: 4_200_000,
            tail_subsidy: Amount::from_grains(GRAINS_PER_CRN / 20),
            max_block_bytes: 7 << 20,
            safe_depth: 20,
            finalized_depth: 120,
            genesis_time: GENESIS_TIME,
            genesis_bits: 0x1d00_ffff,
            alloc_coins: Vec::new(),
            alloc_accounts: Vec::new(),
            finality: None,
        }
    }

    /// The public test network: the main network's rules with work for a laptop.
    pub fn test() -> Self {
        Self {
            name: "test".into(),
            chain_id: 133_701,
            hrp: "tcrn".into(),
            pow_limit_bits: 0x1f00_ffff,
            genesis_bits: 0x1e00_ffff,
            ..Self::main()
        }
    }

    /// The chain of `make run`: a block every 5 seconds, short maturity.
    ///
    /// The first blocks cost 8 million hashes, 1 to 3 seconds on one core, and no block ever costs less. Difficulty
    /// doubles within 10 blocks that come at once, so that fast machines settle within tens of blocks.
    pub fn local() -> Self {
        Self {
            name: "local".into(),
            chain_id: 133_702,
            hrp: "lcrn".into(),
            target_interval: 5,
            half_life: 10,
            pow_limit_bits: 0x1e02_0000,
            coinbase_maturity: 10,
            safe_depth: 3,
            finalized_depth: 10,
            genesis_bits: 0x1e02_0000,
            alloc_accounts: vec![create2_factory()],
            ..Self::main()
        }
    }

    /// The chain of `cairn-node devnet`: the local one with the allocations of `--dev`, so that there is money to send from
    /// the first block on. Everybody has the keys.
    pub fn devnet() -> Self {
        Self { name: "devnet".into(), chain_id: 133_703, hrp: "vcrn".into(), ..Self::local() }.funded()
    }

    /// The chain of `--dev`: almost no work however fast blocks are requested, and time may run ahead. Its allocations
    /// belong to the test mnemonic of Ethereum's tools (`test test ... junk`): ten accounts, and the wallet's first
    /// coin address. Its name turns on the rules DEV-2 to DEV-4.
    pub fn dev() -> Self {
        let spec = Self {
            name: "dev".into(),
            chain_id: 1337,
            hrp: "dcrn".into(),
            target_interval: 1,
            half_life: 100_000_000,
            pow_limit_bits: 0x207f_ffff,
            max_future: 3_155_760_000,
            coinbase_maturity: 1,
            safe_depth: 0,
            finalized_depth: 0,
            genesis_bits: 0x207f_ffff,
            ..Self::main()
        };
        spec.funded()
    }

    /// With the accounts and coins of the test mnemonic, and the CREATE2 factory.
    fn funded(self) -> Self {
        let mut alloc_accounts: Vec<_> = DEV_ACCOUNTS.map(dev_account).into();
        alloc_accounts.push(create2_factory());
        alloc_accounts.sort_by_key(|account| account.address);
        let coin = Output { amount: Amount::from_grains(1_000 * GRAINS_PER_CRN), lock: Lock::Key(DEV_KEY) };
        Self { alloc_coins: vec![coin; 10], alloc_accounts, ..self }
    }
}

/// Accounts `m/44'/60'/0'/0/0` to `/9` of the test mnemonic, sorted.
const DEV_ACCOUNTS: [Address; 10] = [
    address!("14dc79964da2c08b23698b3d3cc7ca32193d9955"),
    address!("15d34aaf54267db7d7c367839aaf71a00a2c6a65"),
    address!("23618e81e3f5cdf7f54c3d65f7fbc0abf5b21e8f"),
    address!("3c44cdddb6a900fa2b585dd299e03d12fa4293bc"),
    address!("70997970c51812dc3a010c7d01b50e0d17dc79c8"),
    address!("90f79bf6eb2c4f870365e785982e1f101e93b906"),
    address!("976ea74026e726554db657fa54763abd0c3a0aa9"),
    address!("9965507d1a55bcc2695c58ba16fb37d819b0a4dc"),
    address!("a0ee7a142d267c1f36714e4a8f75612f20a79720"),
    address!("f39fd6e51aad88f6f4ce6ab8827279cfffb92266"),
];

/// The coin key `m/4411982'/0'/0/0` of the same mnemonic.
const DEV_KEY: KeyBytes = KeyBytes(hex!("2867cb1249d3bc9e961715573c67f54718b05a498a186c43f17f1cf3eb25e836"));

/// The CREATE2 factory that Ethereum's tools expect on every chain. The transaction that deploys it elsewhere has no chain
/// id, so that ACC-1 refuses it.
fn create2_factory() -> GenesisAccount {
    GenesisAccount {
        address: address!("4e59b44847b379578588920ca78fbf26c0b4956c"),
        balance: U256::ZERO,
        nonce: 1,
        code: Bytes::from_static(&CREATE2_FACTORY),
        storage: Vec::new(),
    }
}

/// Deploys the initcode that follows a salt of 32 bytes, and returns the address.
const CREATE2_FACTORY: [u8; 69] = hex!(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b80"
    "82525050506014600cf3"
);

/// 10,000 CRN.
fn dev_account(address: Address) -> GenesisAccount {
    let balance = Amount::from_grains(10_000 * GRAINS_PER_CRN).to_wei();
    GenesisAccount { address, balance, nonce: 0, code: Bytes::new(), storage: Vec::new() }
}
