//! Block templates: the best packages of the mempool, executed into a block that lacks only its nonce.

use chain_core::{
    Address, U256,
    block::Block,
    coin::Lock,
    hash::BlockHash,
    units::{Amount, Gas, Height},
};

/// Who gets what from a block.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TemplateRequest {
    /// Lock of the coinbase output. Not an account.
    pub payout: Lock,
    /// Account that gets the tips of account transactions.
    pub beneficiary: Address,
    /// The miner's own bytes, 0 to 96, at the end of the coinbase.
    pub extra: Vec<u8>,
}

/// Names a state of chain and mempool. A template with another one is worth taking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LongPollId {
    /// The tip it builds on.
    pub parent: BlockHash,
    /// Counts improvements of fees on that tip.
    pub version: u64,
}

/// `parent-version`, the parent as hashes are shown.
impl std::fmt::Display for LongPollId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.parent, self.version)
    }
}

/// A text that is not a [`LongPollId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a long-poll id as a template gave it")]
pub struct ParseLongPollIdError;

impl std::str::FromStr for LongPollId {
    type Err = ParseLongPollIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (parent, version) = text.split_once('-').ok_or(ParseLongPollIdError)?;
        Ok(Self {
            parent: parent.parse().map_err(|_| ParseLongPollIdError)?,
            version: version.parse().map_err(|_| ParseLongPollIdError)?,
        })
    }
}

/// A block that lacks only its nonce. Its time may be raised (at most to what other nodes accept), its `extra` changed.
#[derive(Clone, Debug)]
pub struct Template {
    /// To wait for a better one.
    pub longpoll: LongPollId,
    /// The block, with nonce 0.
    pub block: Block,
    /// The header's hash must not be above this.
    pub target: U256,
    /// Its height.
    pub height: Height,
    /// Tips of coin transactions, which the coinbase claims beside the subsidy.
    pub coin_tips: Amount,
    /// Tips of account transactions in wei, which go to the beneficiary.
    pub account_tips: U256,
    /// Gas used.
    pub gas_used: Gas,
}
