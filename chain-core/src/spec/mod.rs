//! Chain specs: all that makes one chain differ from another.
//!
//! Four are built in ([`ChainSpec::main`], [`ChainSpec::test`], [`ChainSpec::local`], [`ChainSpec::dev`]); any other is
//! read from TOML. The genesis hash commits to every field, so that nodes of different specs never share a chain.

mod decimal;
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
#[cfg(test)]
pub(crate) use validate::MOST_GAS;
pub use validate::{SpecError, is_public_chain};

/// An account that exists from the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GenesisAccount {
    /// Whose.
    #[serde(with = "codec::fixed")]
    pub address: Address,
    /// In wei.
    #[serde(with = "account_word")]
    pub balance: U256,
    /// Transactions sent.
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

/// Everything that the rules of a chain take as given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChainSpec {
    /// Name of the chain: lower-case letters, digits and dashes.
    pub name: String,
    /// Chain id of account transactions (EIP-155).
    pub chain_id: u64,
    /// Prefix of bech32m addresses.
    pub hrp: String,
    /// Seconds between blocks that difficulty aims at.
    pub target_interval: u32,
    /// Half-life of ASERT, in intervals.
    pub half_life: u32,
    /// Easiest target that a header may have, compact.
    pub pow_limit_bits: u32,
    /// Seconds that a header may be ahead of the clock.
    pub max_future: u32,
    /// Blocks before a coinbase's coins can be spent.
    pub coinbase_maturity: u32,
    /// Most gas of a block.
    pub gas_limit: Gas,
    /// Least base fee, in wei a gas.
    pub base_fee_floor: u64,
    /// Base fee of block 1, in wei a gas.
    pub initial_base_fee: u64,
    /// What a block mints at first.
    pub subsidy: Amount,
    /// Blocks between halvings of the subsidy.
    pub halving_interval: u32,
    /// Least subsidy, for ever.
    pub tail_subsidy: Amount,
    /// Most bytes of an encoded block.
    pub max_block_bytes: usize,
    /// Depth below the tip that `safe` means.
    pub safe_depth: u32,
    /// Depth below the tip that `finalized` means.
    pub finalized_depth: u32,
    /// Time of the genesis header.
    pub genesis_time: u32,
    /// Compact target of the genesis header and of block 1.
    pub genesis_bits: u32,
    /// Coins that exist from the start, spendable at once.
    pub alloc_coins: Vec<Output>,
    /// Accounts that exist from the start, sorted by address. The gateway and the history contract are added by
    /// themselves.
    pub alloc_accounts: Vec<GenesisAccount>,
}

impl ChainSpec {
    /// A built-in spec by its name: `main`, `test`, `local` or `dev`.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::main(), Self::test(), Self::local(), Self::dev()].into_iter().find(|spec| spec.name == name)
    }

    /// What the block at a height may mint; nothing for the genesis block.
    pub fn subsidy_at(&self, height: Height) -> Amount {
        // SUB-1
        let Some(mined_before) = height.checked_sub(1) else {
            return Amount::ZERO;
        };
        let halvings = mined_before / self.halving_interval;
        let halved = self.subsidy.0.checked_shr(halvings).unwrap_or(0);
        Amount(halved.max(self.tail_subsidy.0))
    }

    /// SHA-256 of the codec encoding of all fields; the genesis coinbase carries it as its `extra`.
    pub fn commitment(&self) -> [u8; 32] {
        sha256(&codec::encode(self))
    }
}
