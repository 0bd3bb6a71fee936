//! From what a user wants to a request that can be signed: coins chosen, fees set, mistakes refused.

mod account;
mod bump;
mod coin;

use alloy_primitives::U256;
use chain_core::{policy::Policy, units::Amount};

pub use self::{
    account::{AccountOrder, RunOrder, Value, account_request},
    bump::{BumpOptions, bump_account, bump_coin},
    coin::{CoinOrder, PolicyOrder, coin_request, policy_request},
};
use crate::{
    fees::{FeeError, Prices},
    funds::Sums,
    keys::KeyError,
    money::show_wei,
    network::{BadAddress, Network},
    node::{ChainInfo, NodeError},
    request::RequestError,
    select::SelectError,
};

/// Inputs of one transaction. More would make it larger than nodes pass on; the rest is for a second one.
pub const MAX_INPUTS: usize = 2_000;

/// What building depends on beside the wallet.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Height of the tip.
    pub height: u32,
    /// Prices of gas.
    pub prices: Prices,
    /// Whether fees that look like mistakes are meant.
    pub allow_high_fee: bool,
}

impl Terms {
    /// Terms at the node's tip.
    pub fn new(info: &ChainInfo, prices: Prices, allow_high_fee: bool) -> Self {
        Self { height: info.height, prices, allow_high_fee }
    }

    /// Height of the block that will hold the transaction, at the earliest.
    pub fn next(&self) -> u32 {
        self.height.saturating_add(1)
    }
}

/// An account that holds too little.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not enough in account {account}: {} CRN are needed (fees of up to {} CRN included), {} CRN are there: {} CRN are missing",
    show_wei(*.needed), show_wei(*.fee), show_wei(*.balance), show_wei(needed.saturating_sub(*.balance)))]
pub struct Shortage {
    /// The account.
    pub account: String,
    /// Value and fees, in wei.
    pub needed: U256,
    /// The fees in it.
    pub fee: U256,
    /// The balance.
    pub balance: U256,
}

/// Why nothing is built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BuildError {
    /// The coins do not suffice.
    #[error("not enough coins: {error}{}", later(.sums))]
    NotEnoughCoins {
        /// What is missing.
        error: SelectError,
        /// What there is, also later.
        sums: Sums,
    },
    /// An account's balance does not suffice.
    #[error(transparent)]
    NotEnoughInAccount(Box<Shortage>),
    /// A fee or an amount that can only be a mistake.
    #[error(transparent)]
    Fee(#[from] FeeError),
    /// A fee that looks like a mistake.
    #[error("{0}; add --allow-high-fee if it is meant")]
    HighFee(FeeError),
    /// Dust.
    #[error("{to} would be paid too little: {error}")]
    Dust {
        /// Who.
        to: String,
        /// How little.
        error: FeeError,
    },
    /// The same destination twice.
    #[error("{0} is named twice: add the amounts up")]
    Twice(String),
    /// More coins than one transaction should spend.
    #[error(
        "{0} coins would have to be spent, but one transaction spends at most {MAX_INPUTS}: pay in parts, or gather your coins first with `send --max` to yourself"
    )]
    TooManyInputs(usize),
    /// Nobody is to be paid.
    #[error("nobody is to be paid")]
    Nobody,
    /// A policy that cannot be satisfied, whoever signs.
    #[error("{0}")]
    Unsatisfiable(String),
    /// What cannot be replaced.
    #[error("{0}")]
    NotReplaceable(String),
    /// Sums.
    #[error("the amounts sum to more money than there can be")]
    TooLarge,
    /// An address.
    #[error(transparent)]
    Address(#[from] Box<BadAddress>),
    /// The request would contradict itself.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Derivation, randomness.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// What of the funds cannot be spent yet.
fn later(sums: &Sums) -> String {
    let mut text = String::new();
    if sums.immature > Amount::ZERO {
        text += &format!("; {} CRN were mined and are not mature yet", sums.immature);
    }
    if sums.pending > Amount::ZERO {
        text += &format!("; {} CRN are on their way in transactions that are not mined yet", sums.pending);
    }
    text
}

/// Refuses a fee that looks like a mistake, unless it is meant.
fn check_fee(terms: &Terms, verdict: Result<(), FeeError>) -> Result<(), BuildError> {
    match verdict {
        Err(error @ FeeError::TooLarge) => Err(error.into()),
        Err(error) if !terms.allow_high_fee => Err(BuildError::HighFee(error)),
        _ => Ok(()),
    }
}

/// Says why a policy's coins cannot be spent.
fn unsatisfiable(network: &Network, policy: &Policy, terms: &Terms, preimages: usize) -> BuildError {
    BuildError::Unsatisfiable(format!(
        "the coins of {} cannot be spent yet: its policy is {policy}, the next block has height {}, and {} given",
        network.address(&policy.lock()),
        terms.next(),
        match preimages {
            0 => "no preimage (--preimage) is".to_owned(),
            1 => "1 preimage is".to_owned(),
            more => format!("{more} preimages are"),
        },
    ))
}

#[cfg(test)]
mod tests;
