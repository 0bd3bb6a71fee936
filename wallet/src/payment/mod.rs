//! From what a user wants to a draft that can be signed: coins chosen, fees set, mistakes refused.

mod account;
mod bump;
mod coin;

use std::fmt;

use alloy_primitives::U256;
use cairn_client::counted;
use chain_core::{
    hash::{BlockHash, TxId},
    transaction::policy::Policy,
    units::{Amount, Height},
};

pub use self::{
    account::{AccountOrder, AccountValue, account_payment},
    bump::{BumpOptions, Weight, bump_account, bump_coin},
    coin::{CoinOrder, PolicyOrder, coin_payment, policy_payment},
};
use crate::{
    coins::Sums,
    draft::{Body, Draft, DraftError},
    fees::{self, FeeError, Prices},
    file::Wallet,
    keys::KeyError,
    money::{show_gwei, show_wei},
    network::{BadAddress, Network},
    node::{ChainInfo, NodeError},
    select::SelectError,
};

/// Bytes of a transaction that nodes relay: room for 1,019 coins under keys.
pub const MAX_BYTES: usize = 100_000;

/// What building depends on beside the wallet.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Height of the tip.
    pub height: u32,
    pub prices: Prices,
    /// Whether fees that look like mistakes are meant.
    pub allow_high_fee: bool,
    /// The chain's first block, by which what was sent on it is known.
    pub first_block: Option<BlockHash>,
    /// The nonce of an account's transaction, if the user names it.
    pub nonce: Option<u64>,
    /// Blocks from a coinbase to the first that can spend it.
    pub maturity: u32,
}

impl Terms {
    /// Terms at the node's tip.
    pub fn new(info: &ChainInfo, prices: Prices, allow_high_fee: bool, first_block: Option<BlockHash>) -> Self {
        Self { height: info.height, prices, allow_high_fee, first_block, nonce: None, maturity: info.coinbase_maturity }
    }

    /// A draft with nothing signed.
    fn draft(&self, wallet: &Wallet, transaction: Body) -> Draft {
        Draft::new(wallet.network.clone(), self.height, self.prices.base, transaction)
    }

    /// Height of the block that will hold the transaction, at the earliest.
    pub fn next(&self) -> u32 {
        self.height.saturating_add(1)
    }
}

/// An account that holds too little.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not enough in account {account}: {} CRN are needed (fees of up to {} CRN included), you have {}, {} short{}",
    show_wei(*.needed), show_wei(*.fee), show_wei(*.balance), show_wei(needed.saturating_sub(*.balance)), on_the_way(self))]
pub struct Shortage {
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
pub enum PaymentError {
    #[error("not enough coins: {error}{withheld}")]
    NotEnoughCoins { error: SelectError, withheld: Box<Withheld> },
    /// An account's balance does not suffice.
    #[error(transparent)]
    NotEnoughInAccount(Box<Shortage>),
    /// A fee or an amount that can only be a mistake.
    #[error(transparent)]
    Fee(#[from] FeeError),
    #[error("{0}; add --allow-high-fee if it is meant")]
    HighFee(FeeError),
    #[error("{0} is named twice: add the amounts up")]
    Twice(String),
    /// More coins than nodes relay in one transaction.
    #[error(
        "{count} coins would have to be spent, but the {MAX_BYTES} bytes that nodes relay hold {fits}: pay at most about {worth} CRN \
         at a time, or gather your coins first with `send --max` to an address of yours"
    )]
    TooManyInputs { count: usize, fits: usize, worth: Amount },
    #[error("there is no payment")]
    Nobody,
    #[error("{0}")]
    Refused(String),
    #[error("the amounts sum to more money than there can be")]
    TooLarge,
    #[error(transparent)]
    Address(#[from] Box<BadAddress>),
    /// The draft would contradict itself.
    #[error(transparent)]
    Draft(#[from] DraftError),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Transactions that an error names: a node may have lost a hundred.
const NAMED: usize = 3;

/// Coins that a payment does not spend, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Withheld {
    pub sums: Sums,
    /// What the node has lost and spends some of them.
    pub lost_to: Vec<TxId>,
    /// Blocks until the first of those that are not mature is.
    pub ripen_in: Option<Height>,
    /// Coins that cost more to spend than they hold.
    pub uneconomic: usize,
    /// The price of gas at which they do, in wei.
    pub price: u128,
    /// Whether a lower tip would help.
    pub by_tip: bool,
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sums, lost_to) = (&self.sums, &self.lost_to);
        if self.uneconomic > 0 {
            let (coins, price) = (counted(self.uneconomic as u64, "coin"), show_gwei(U256::from(self.price)));
            let cost = if self.uneconomic == 1 {
                "costs more to spend than it holds"
            } else {
                "cost more to spend than they hold"
            };
            write!(f, "; at {price} per gas {coins} {cost}{}", if self.by_tip { ": lower --fee-rate" } else { "" })?;
        }
        if sums.immature > Amount::ZERO {
            write!(f, "; {} CRN were mined and are not mature yet", sums.immature)?;
        }
        if let Some(blocks) = self.ripen_in {
            write!(f, " (the first in {})", counted(blocks, "block"))?;
        }
        if sums.pending > Amount::ZERO {
            write!(f, "; {} CRN are on their way in transactions that are not mined yet", sums.pending)?;
        }
        if sums.lost > Amount::ZERO {
            let named: Vec<String> = lost_to.iter().take(NAMED).map(ToString::to_string).collect();
            let more = if lost_to.len() > NAMED { " and others" } else { "" };
            write!(
                f,
                "; {} CRN are spent by {}{more}, which was sent and the node does not know: rebroadcast it with \
                 `cairn-wallet resend`",
                sums.lost,
                named.join(", ")
            )?;
        }
        Ok(())
    }
}

/// Refuses a fee that looks like a mistake, unless it is meant.
fn check_fee(terms: &Terms, verdict: Result<(), FeeError>) -> Result<(), PaymentError> {
    match verdict {
        Err(error @ FeeError::TooLarge) => Err(error.into()),
        Err(error) if !terms.allow_high_fee => Err(PaymentError::HighFee(error)),
        _ => Ok(()),
    }
}

/// What lacks, unless it is a price that nobody could pay.
fn lacking(terms: &Terms, otherwise: PaymentError) -> PaymentError {
    if terms.allow_high_fee {
        return otherwise;
    }
    match (fees::check_base(&terms.prices), fees::check_tip(&terms.prices)) {
        (Err(error), _) => error.into(),
        (_, Err(error)) => PaymentError::HighFee(error),
        _ => otherwise,
    }
}

/// Why a policy's coins cannot be spent.
fn unsatisfiable(network: &Network, policy: &Policy, terms: &Terms, preimages: usize) -> PaymentError {
    PaymentError::Refused(format!(
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
