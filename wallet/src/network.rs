//! Which chain a wallet belongs to.

use std::fmt;

use chain_core::{
    address::{self, AddressError},
    hash::BlockHash,
    spec::ChainSpec,
    transaction::coin::Lock,
};
use serde::{Deserialize, Serialize};

use crate::input::{bounded, plain};

/// All that a wallet needs to know of its chain, also without a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Network {
    /// Name of the chain.
    pub name: String,
    pub chain_id: u64,
    /// Prefix of coin addresses.
    pub hrp: String,
    /// Hash of the genesis block, to which every signature of coins commits.
    #[serde(with = "crate::text")]
    pub genesis: BlockHash,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let genesis = self.genesis.to_string();
        write!(f, "{} (chain id {}, genesis {}…)", bounded(&self.name), self.chain_id, &genesis[..16])
    }
}

impl From<&ChainSpec> for Network {
    fn from(spec: &ChainSpec) -> Self {
        Self { name: spec.name.clone(), chain_id: spec.chain_id, hrp: spec.hrp.clone(), genesis: spec.genesis_hash() }
    }
}

/// An address that does not fit here, with the chain it is for where that is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not an address on {network}: {error}{}", belongs(.elsewhere))]
pub struct BadAddress {
    pub text: String,
    /// Name of the wallet's chain.
    pub network: String,
    /// What is wrong with it.
    pub error: AddressError,
    /// Name of the chain whose prefix it has.
    pub elsewhere: Option<String>,
}

fn belongs(elsewhere: &Option<String>) -> String {
    elsewhere.as_ref().map(|name| format!(" (that is the prefix of '{name}')")).unwrap_or_default()
}

impl Network {
    /// Whether account transactions for it would be valid on Ethereum or another public network, where the same keys may hold
    /// money.
    pub fn is_public(&self) -> bool {
        chain_core::spec::is_public_chain(self.chain_id)
    }

    /// Writes a lock as an address.
    pub fn address(&self, lock: &Lock) -> String {
        address::encode(&self.hrp, lock)
    }

    /// Reads a coin address or an account.
    ///
    /// # Errors
    /// [`BadAddress`], which says of which chain the address is.
    pub fn destination(&self, text: &str) -> Result<Lock, Box<BadAddress>> {
        address::parse_destination(&self.hrp, text).map_err(|error| self.bad_address(text, error))
    }

    /// Reads a coin address.
    ///
    /// # Errors
    /// [`BadAddress`], also for an account.
    pub fn coin_address(&self, text: &str) -> Result<Lock, Box<BadAddress>> {
        address::parse_coin_address(&self.hrp, text).map_err(|error| self.bad_address(text, error))
    }

    /// Reads the address of an account.
    ///
    /// # Errors
    /// [`BadAddress`], also for a coin address.
    pub fn account(&self, text: &str) -> Result<alloy_primitives::Address, Box<BadAddress>> {
        address::parse_account(text).map_err(|error| self.bad_address(text, error))
    }

    fn bad_address(&self, text: &str, error: AddressError) -> Box<BadAddress> {
        let elsewhere = match &error {
            AddressError::Network { got, .. } => built_in().into_iter().find(|spec| spec.hrp == *got),
            _ => None,
        };
        Box::new(BadAddress {
            text: plain(text).chars().take(120).collect(),
            network: self.name.clone(),
            error,
            elsewhere: elsewhere.map(|spec| spec.name),
        })
    }
}

/// The chains that every wallet knows.
pub fn built_in() -> [ChainSpec; 5] {
    [ChainSpec::main(), ChainSpec::test(), ChainSpec::local(), ChainSpec::devnet(), ChainSpec::dev()]
}
