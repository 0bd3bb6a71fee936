//! Chain specs: the parameters of a chain.
//!
//! Four are built in ([`ChainSpec::main`], [`ChainSpec::test`], [`ChainSpec::local`], [`ChainSpec::dev`]); others are
//! read from TOML. The genesis hash commits to every field, so that nodes with different specs never share a chain.

mod decimal;
mod finality;
mod genesis;
mod presets;
#[cfg(test)]
mod tests;
mod toml;
mod validate;

use alloy_primitives::{Address, Bytes, U256};
use serde::Serialize;

use crate::{
    codec,
    hash::sha256,
    state::account_word,
    transaction::coin::Output,
    units::{Amount, Gas, Height},
};
pub use finality::{Finality, MOST_MEMBERS};
pub(crate) use validate::MOST_BASE_FEE;
#[cfg(test)]
pub(crate) use validate::MOST_GAS;
pub use validate::{SpecError, is_public_chain};

/// An account of the genesis block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GenesisAccount {
    /// Address of the account.
    #[serde(with = "codec::fixed")]
    pub address: Address,
    /// Balance in wei.
    #[serde(with = "account_word")]
    pub balance: U256,
    /// Nonce.
    pub nonce: u64,
    /// Code; empty for a plain account.
    #[serde(with = "codec::bytes")]
    pub code: Bytes,
    /// Slots and their values, sorted by slot, each slot once, no zero values.
    pub storage: Vec<(StorageWord, StorageWord)>,
}

/// A slot or value of storage: 32 bytes, big-endian.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct StorageWord(#[serde(with = "account_word")] pub U256);

/// The parameters of a chain's rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChainSpec {
    /// Name of the chain: lower-case letters, digits and dashes.
    pub name: String,
    /// Chain id of account transactions (EIP-155).
    pub chain_id: u64,
    /// Prefix of bech32m addresses.
    pub hrp: String,
    /// Target time between blocks, in seconds.
    pub target_interval: u32,
    /// Half-life of ASERT, in intervals.
    pub half_life: u32,
    /// Easiest target allowed, compact.
    pub pow_limit_bits: u32,
    /// Seconds that a header may be ahead of the clock.
    pub max_future: u32,
    /// Blocks until a coinbase's coins can be spent.
    pub coinbase_maturity: u32,
    /// Maximum gas of a block.
    pub gas_limit: Gas,
    /// Minimum base fee, in wei per gas.
    pub base_fee_floor: u64,
    /// Base fee of block 1, in wei per gas.
    pub initial_base_fee: u64,
    /// Subsidy of the first blocks.
    pub subsidy: Amount,
    /// Blocks between halvings of the subsidy.
    pub halving_interval: u32,
    /// Minimum subsidy.
    pub tail_subsidy: Amount,
    /// Maximum size of an encoded block, in bytes.
    pub max_block_bytes: usize,
    /// Depth below the tip of the block tag `safe`.
    pub safe_depth: u32,
    /// Depth below the tip of the block tag `finalized`.
    pub finalized_depth: u32,
    /// Time of the genesis header.
    pub genesis_time: u32,
    /// Compact target of the genesis header and of block 1.
    pub genesis_bits: u32,
    /// Coins of the genesis block, spendable at once.
    pub alloc_coins: Vec<Output>,
    /// Accounts of the genesis block, sorted by address. The gateway and the history contract are added automatically.
    pub alloc_accounts: Vec<GenesisAccount>,
    /// Who finalizes blocks. Without it nothing is encoded, so that chains without finality have the genesis that they always had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finality: Option<Finality>,
}

/// Name of a development chain.
const DEV: &str = "dev";

/// Chain ids that are drawn for development chains with a data directory: no public chain has one of them.
pub const DRAWN_DEV_IDS: std::ops::Range<u64> = 13_370_000_000_000..14_370_000_000_000;

impl ChainSpec {
    /// A built-in spec by its name: `main`, `test`, `local`, `devnet` or `dev`.
    pub fn by_name(name: &str) -> Option<Self> {
        let all = [Self::main(), Self::test(), Self::local(), Self::devnet(), Self::dev()];
        all.into_iter().find(|spec| spec.name == name)
    }

    /// Whether this is a development chain, on which the rules DEV-2 to DEV-4 hold.
    pub fn is_dev(&self) -> bool {
        // DEV-1
        self.name == DEV
    }

    /// Subsidy of the block at a height; zero for the genesis block.
    pub fn subsidy_at(&self, height: Height) -> Amount {
        // SUB-1
        let Some(mined_before) = height.checked_sub(1) else {
            return Amount::ZERO;
        };
        let halvings = mined_before / self.halving_interval;
        let halved = self.subsidy.grains().checked_shr(halvings).unwrap_or(0);
        Amount::from_grains(halved.max(self.tail_subsidy.grains()))
    }

    /// SHA-256 of the codec encoding of all fields; the genesis coinbase carries it as its `extra`.
    pub fn commitment(&self) -> [u8; 32] {
        sha256(&codec::encode(self))
    }
}
