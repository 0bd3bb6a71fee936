//! The specs that are built in.

use super::ChainSpec;
use crate::units::{Amount, GRAINS_PER_CRN};

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
            subsidy: Amount(5 * GRAINS_PER_CRN),
            halving_interval: 4_200_000,
            tail_subsidy: Amount(GRAINS_PER_CRN / 20),
            max_block_bytes: 7 << 20,
            safe_depth: 20,
            finalized_depth: 120,
            genesis_time: GENESIS_TIME,
            genesis_bits: 0x1d00_ffff,
            alloc_coins: Vec::new(),
            alloc_accounts: Vec::new(),
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
            ..Self::main()
        }
    }

    /// The chain of `--dev`: no work worth the name however fast blocks are asked for, time may run ahead.
    pub fn dev() -> Self {
        Self {
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
        }
    }
}
