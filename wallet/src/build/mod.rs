//! From what a user wants to a request that can be signed: coins chosen, fees set, mistakes refused.

mod account;
mod bump;
mod coin;

use alloy_primitives::U256;
use chain_core::{
    hash::{BlockHash, TxId},
    transaction::policy::Policy,
    units::Amount,
};

pub use self::{
    account::{AccountOrder, RunOrder, Value, account_request},
    bump::{BumpOptions, Weight, bump_account, bump_coin},
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

/// Bytes of a transaction that nodes relay: room for 1,019 coins under keys.
pub const MAX_BYTES: usize = 100_000;

/// What building depends on beside the wallet.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Height of the tip.
    pub height: u32,
    /// Prices of gas.
    pub prices: Prices,
    /// Whether fees that look like mistakes are meant.
    pub allow_high_fee: bool,
    /// The chain's first block, by which what was sent on it is known.
    pub first_block: Option<BlockHash>,
    /// The nonce of an account's transaction, if the user names it.
    pub nonce: Option<u64>,
}

impl Terms {
    /// Terms at the node's tip.
    pub fn new(info: &ChainInfo, prices: Prices, allow_high_fee: bool, first_block: Option<BlockHash>) -> Self {
        Self { height: info.height, prices, allow_high_fee, first_block, nonce: None }
    }

    /// Height of the block that will hold the transaction, at the earliest.
    pub fn next(&self) -> u32 {
        self.height.saturating_add(1)
    }
}

/// An account that holds too little.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not enough in account {account}: {} CRN are needed (fees of up to {} CRN included), {} CRN are there: {} CRN are missing{}",
    show_wei(*.needed), show_wei(*.fee), show_wei(*.balance), show_wei(needed.saturating_sub(*.balance)), on_the_way(self))]
pub struct Shortage {
    /// The account.
    pub account: String,
    /// Value and fees, in wei.
    pub needed: U256,
    /// The fees in it.
    pub fee: U256,
    /// What it may spend: the balance less what its own transactions that wait for a block may cost.
    pub balance: U256,
    /// What those may cost.
    pub promised: U256,
    /// What is paid to it in transactions that wait for a block.
    pub arriving: U256,
}

fn on_the_way(shortage: &Shortage) -> String {
    let mut text = String::new();
    if !shortage.promised.is_zero() {
        text +=
            &format!("; {} CRN more are promised to transactions that wait for a block", show_wei(shortage.promised));
    }
    if !shortage.arriving.is_zero() {
        text += &format!(
            "; {} CRN are on their way to it and can be spent once a block holds them: wait for it (--wait) and try again",
            show_wei(shortage.arriving)
        );
    }
    text
}

/// Why nothing is built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BuildError {
    /// The coins do not suffice.
    #[error("not enough coins: {error}{}", later(.sums, .lost_to))]
    NotEnoughCoins {
        /// What is missing.
        error: SelectError,
        /// What there is, also later.
        sums: Sums,
        /// What was sent and the node does not know, and that spends the rest.
        lost_to: Vec<TxId>,
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
    /// A nonce that leaves a gap, as far as this wallet knows.
    #[error(
        "the node says that the next nonce of {account} is {pending}, but {mined} of its transactions are mined and this wallet \
         knows of {waiting} that wait: a transaction with nonce {pending} waits until all before it are mined. If another \
         wallet of yours sent those, add --nonce {pending}; if not, add --nonce {own}"
    )]
    NonceGap {
        /// The account.
        account: String,
        /// What the node says.
        pending: u64,
        /// What is mined.
        mined: u64,
        /// What this wallet sent and is not mined.
        waiting: usize,
        /// The next nonce after those.
        own: u64,
    },
    /// Nonces of what was sent while a node named another first block.
    #[error(
        "{account} sent {} while the node named another block 1, and this node does not know of {}. If the chain began anew \
         (--dev), run `cairn-wallet resend --began-anew`, or add --nonce {anew}; if not, run `cairn-wallet resend --other-chain`, \
         or add --nonce {nonce}",
        many(*.count), if *.count == 1 { "it" } else { "them" }
    )]
    OtherFirstBlock {
        /// The account.
        account: String,
        /// How many transactions.
        count: usize,
        /// The next nonce if they are of another chain.
        anew: u64,
        /// The next nonce if they are of this one.
        nonce: u64,
    },
    /// A nonce of the user that is used up.
    #[error("nonce {nonce} of {account} is used already: the next is {mined}")]
    NonceUsed {
        /// The account.
        account: String,
        /// What the user asked for.
        nonce: u64,
        /// The next.
        mined: u64,
    },
    /// The same destination twice.
    #[error("{0} is named twice: add the amounts up")]
    Twice(String),
    /// More coins than nodes relay in one transaction.
    #[error(
        "{count} coins would have to be spent, but the {MAX_BYTES} bytes that nodes relay hold {fits}: pay at most about {worth} CRN \
         at a time, or gather your coins first with `send --max` to an address of yours"
    )]
    TooManyInputs {
        /// Coins that the payment takes.
        count: usize,
        /// Coins that fit.
        fits: usize,
        /// What the largest that fit are worth.
        worth: Amount,
    },
    /// Nobody is to be paid.
    #[error("there is no payment")]
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

/// Transactions that an error names: a node may have lost a hundred.
const NAMED: usize = 3;

/// What of the funds cannot be spent yet.
fn later(sums: &Sums, lost_to: &[TxId]) -> String {
    let mut text = String::new();
    if sums.immature > Amount::ZERO {
        text += &format!("; {} CRN were mined and are not mature yet", sums.immature);
    }
    if sums.pending > Amount::ZERO {
        text += &format!("; {} CRN are on their way in transactions that are not mined yet", sums.pending);
    }
    if sums.lost > Amount::ZERO {
        let named: Vec<String> = lost_to.iter().take(NAMED).map(ToString::to_string).collect();
        let more = if lost_to.len() > NAMED { " and others" } else { "" };
        text += &format!(
            "; {} CRN are spent by {}{more}, which was sent and the node does not know: rebroadcast it with \
             `cairn-wallet resend`",
            sums.lost,
            named.join(", ")
        );
    }
    text
}

fn many(count: usize) -> String {
    if count == 1 { "1 transaction".into() } else { format!("{count} transactions") }
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
