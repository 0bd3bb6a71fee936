//! A transaction on its way from what is wanted to what is broadcast, as a readable file.
//!
//! It holds all that a machine without a network needs to check and sign: the chain, the coins that are spent with
//! amounts and locks, the outputs. Nothing in it is believed: locks come from the addresses, the fee from the amounts, and
//! amounts and locks are part of what is signed, so that a lie makes the signature worthless, not the money.

mod account;
mod coin;
mod proof;
mod unspendable;

use std::{
    collections::HashMap,
    io::{self, Read},
    path::Path,
};

use chain_core::{hash::TxId, transaction::Transaction, units::Height};
use serde::{Deserialize, Serialize};

pub use self::{
    account::{AccountRequest, Called, withdraw_lock},
    coin::{CoinRequest, Hex32, Input, KeySignature, OutputLine, policy_keys},
    proof::{Estimate, estimate},
    unspendable::{burns, keeps_all},
};
use crate::{
    input::{bounded, from_json, open_regular},
    keys::{Branch, KeyError, KeyPath, PublicKeys, Signer},
    network::{BadAddress, Network},
};

/// First field of the file.
const FORMAT: &str = "cairn-transaction";

/// The only version so far.
const VERSION: u32 = 1;

/// Largest file that is read: no block has room for more.
const MAX_BYTES: u64 = 32 << 20;

/// Why a transaction file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not readable, or not the JSON that is expected.
    #[error("cannot be read: {0}")]
    Malformed(String),
    /// A file of another kind or version.
    #[error("it is a '{format}' of version {version}, not a '{FORMAT}' of version {VERSION}")]
    Format {
        /// What it says.
        format: String,
        /// What it says.
        version: u32,
    },
    /// For another chain.
    #[error("it is for {got}, but this wallet is for {expected}")]
    Network {
        /// The file's chain.
        got: Box<Network>,
        /// The wallet's.
        expected: Box<Network>,
    },
    /// An address in it does not fit.
    #[error(transparent)]
    Address(#[from] Box<BadAddress>),
    /// Something in it contradicts the rest.
    #[error("it contradicts itself: {0}")]
    Contradiction(String),
    /// A payment to a contract of the chain itself that pays nothing out.
    #[error(
        "it pays {to}, which is {what}: nobody could ever get the money out. To turn account money into coins, use \
         `cairn-wallet withdraw`"
    )]
    Kept {
        /// The address.
        to: String,
        /// What is there.
        what: &'static str,
    },
    /// A rule of the chain that it breaks.
    #[error("the chain would refuse it: {0}")]
    Rule(String),
    /// Signatures, preimages or time are missing.
    #[error("it is not complete: {0}")]
    Incomplete(String),
    /// Files that are not parts of one transaction.
    #[error("the files are not parts of one transaction: {0} differ")]
    NotParts(&'static str),
    /// A chain id that is Ethereum's or of one of its public relatives: what is signed would be valid there.
    #[error(
        "chain id {0} belongs to a public Ethereum network: a signature would be valid there, so nothing is signed"
    )]
    PublicChain(u64),
    /// A key cannot be derived, or no randomness.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A transaction to be signed and broadcast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    /// Always `cairn-transaction`.
    pub format: String,
    /// Always 1.
    pub version: u32,
    /// The chain it is for.
    pub network: Network,
    /// Height of the chain when it was built.
    pub height: Height,
    /// Base fee then, in wei a unit of gas.
    pub base_fee: u64,
    /// What it does.
    pub transaction: Body,
}

/// One of the two kinds of transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Body {
    /// Spends coins.
    Coin(CoinRequest),
    /// Sent by an account.
    Account(Box<AccountRequest>),
}

/// The keys that a wallet can sign with, for finding its own among those that a request names.
pub struct OwnKeys<'a> {
    wallet: &'a crate::file::Wallet,
    /// Keys of each branch that are looked through.
    depth: [u32; 3],
    accounts: u32,
}

impl<'a> OwnKeys<'a> {
    /// Looks through as many keys of each branch as were used, and a few more.
    pub fn new(wallet: &'a crate::file::Wallet) -> Self {
        let used = wallet.used;
        let more = |count: u32| count.saturating_add(crate::funds::GAP);
        Self {
            wallet,
            depth: [more(used.receive), more(used.change), more(used.policy)],
            accounts: more(used.accounts),
        }
    }

    /// Keys of one branch with their indices, those of the gap included.
    ///
    /// # Errors
    /// [`KeyError`] from derivation.
    pub fn table(&self) -> Result<KeyTable, KeyError> {
        let public = &self.wallet.keys;
        let mut coins = HashMap::new();
        for (branch, depth) in [Branch::Receive, Branch::Change, Branch::Policy].into_iter().zip(self.depth) {
            for index in 0..depth {
                coins.insert(public.coin_key(branch, index)?, (branch, index));
            }
        }
        let derived = (0..self.accounts).map(|index| Ok((public.account(index)?, index)));
        let accounts = derived.chain(self.wallet.imported().map(Ok)).collect::<Result<_, KeyError>>()?;
        let policies = self.wallet.policies.iter().map(|named| (named.policy.hash(), named.name.clone()));
        Ok(KeyTable { public: public.clone(), coins, accounts, policies: policies.collect() })
    }
}

/// A wallet's own keys, by key, and the policies that it keeps.
pub struct KeyTable {
    public: PublicKeys,
    coins: HashMap<chain_core::transaction::coin::KeyBytes, (Branch, u32)>,
    accounts: HashMap<alloy_primitives::Address, u32>,
    policies: HashMap<[u8; 32], String>,
}

/// What a lock is to the wallet, by what the wallet itself knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// One of its keys, which a restore finds again.
    Key(Branch),
    /// One of its accounts.
    Account,
    /// A policy that it keeps, by its name.
    Policy(&'a str),
    /// None of them.
    Foreign,
}

impl KeyTable {
    /// Where a key stands, if it is the wallet's. A hint beyond the table is followed if it proves true.
    pub fn coin(&self, key: &chain_core::transaction::coin::KeyBytes, hint: Option<KeyPath>) -> Option<(Branch, u32)> {
        let hinted = || match hint {
            Some(KeyPath::Coin(branch, index)) => {
                (self.public.coin_key(branch, index).ok()? == *key).then_some((branch, index))
            }
            _ => None,
        };
        self.coins.get(key).copied().or_else(hinted)
    }

    /// Which account an address is, if it is the wallet's.
    pub fn account(&self, address: &alloy_primitives::Address, hint: Option<KeyPath>) -> Option<u32> {
        let hinted = || match hint {
            Some(KeyPath::Account(index)) => (self.public.account(index).ok()? == *address).then_some(index),
            _ => None,
        };
        self.accounts.get(address).copied().or_else(hinted)
    }

    /// What a lock is to this wallet. A key beyond the table counts as foreign, though it can be derived: no restore looks
    /// for it, so whoever names it in a file holds what is paid there to ransom.
    pub fn owner(&self, lock: &chain_core::transaction::coin::Lock) -> Owner<'_> {
        let found = match lock {
            chain_core::transaction::coin::Lock::Key(key) => self.coins.get(key).map(|(branch, _)| Owner::Key(*branch)),
            chain_core::transaction::coin::Lock::Account(address) => self.accounts.get(address).map(|_| Owner::Account),
            chain_core::transaction::coin::Lock::Policy(hash) => {
                self.policies.get(hash).map(|name| Owner::Policy(name))
            }
        };
        found.unwrap_or(Owner::Foreign)
    }

    /// Whether a lock pays a key or an account of this wallet.
    pub fn owns(&self, lock: &chain_core::transaction::coin::Lock) -> bool {
        matches!(self.owner(lock), Owner::Key(_) | Owner::Account)
    }
}

impl Request {
    /// A request with nothing signed.
    pub fn new(network: Network, height: Height, base_fee: u64, transaction: Body) -> Self {
        Self { format: FORMAT.into(), version: VERSION, network, height, base_fee, transaction }
    }

    /// Reads a file, or standard input for `-`, and checks that it makes sense.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn read(path: &Path) -> Result<Self, RequestError> {
        let malformed = |error: &dyn std::fmt::Display| RequestError::Malformed(error.to_string());
        let source: Box<dyn Read> = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            Box::new(open_regular(path).map_err(|error| malformed(&error))?)
        };
        let mut bytes = Vec::new();
        source.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| malformed(&error))?;
        Self::from_bytes(&bytes)
    }

    /// Reads a request from the bytes of a file.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RequestError> {
        #[derive(Deserialize)]
        struct Preamble {
            format: String,
            version: u32,
        }
        let bytes = crate::input::without_mark(bytes);
        if bytes.len() as u64 > MAX_BYTES {
            return Err(RequestError::Malformed("it is far too large".into()));
        }
        let Preamble { format, version } = from_json(bytes).map_err(RequestError::Malformed)?;
        if format != FORMAT || version != VERSION {
            return Err(RequestError::Format { format: bounded(&format), version });
        }
        let request: Self = from_json(bytes).map_err(RequestError::Malformed)?;
        match &request.transaction {
            Body::Coin(coin) => coin.check(&request.network)?,
            Body::Account(account) => account.check_contents(&request.network).map(drop)?,
        }
        Ok(request)
    }

    /// The JSON of the file.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a request is plain data with text keys");
        text.push('\n');
        text
    }

    /// The policies whose coins it spends.
    pub fn policies(&self) -> Vec<&chain_core::transaction::policy::Policy> {
        match &self.transaction {
            Body::Coin(coin) => coin.inputs.iter().filter_map(|input| input.policy.as_ref()).collect(),
            Body::Account(_) => Vec::new(),
        }
    }

    /// Makes sure that it is for this chain.
    ///
    /// # Errors
    /// [`RequestError::Network`].
    pub fn expect_network(&self, expected: &Network) -> Result<(), RequestError> {
        if self.network == *expected {
            return Ok(());
        }
        Err(RequestError::Network { got: Box::new(self.network.clone()), expected: Box::new(expected.clone()) })
    }

    /// Adds every signature that this wallet can give; answers how many were new.
    ///
    /// # Errors
    /// [`RequestError`] if it makes no sense or is for another chain.
    pub fn sign(&mut self, network: &Network, signer: &Signer, own: &KeyTable) -> Result<usize, RequestError> {
        self.expect_network(network)?;
        match &mut self.transaction {
            Body::Coin(coin) => coin.sign(network, signer, own),
            Body::Account(account) => account.sign(network, signer, own),
        }
    }

    /// The transaction, complete and verified, as a block of this height could hold it.
    ///
    /// # Errors
    /// [`RequestError::Incomplete`] says what is missing.
    pub fn finish(&self, height: Height) -> Result<Transaction, RequestError> {
        match &self.transaction {
            Body::Coin(coin) => coin.finish(&self.network, height).map(Transaction::Coin),
            Body::Account(account) => account.finish(&self.network).map(Transaction::Account),
        }
    }

    /// The identifier, as soon as it is known: at once for coins, once signed for accounts.
    pub fn txid(&self) -> Option<TxId> {
        match &self.transaction {
            Body::Coin(coin) => coin.unsigned(&self.network).ok().map(|(tx, _)| tx.txid()),
            Body::Account(account) => account.finish(&self.network).ok().map(|tx| TxId(tx.hash().0)),
        }
    }

    /// Joins the signatures of several copies of one request.
    ///
    /// # Errors
    /// [`RequestError::NotParts`] if they are not copies of one.
    pub fn combine(&mut self, other: Self) -> Result<(), RequestError> {
        if self.network != other.network {
            return Err(RequestError::NotParts("the chains"));
        }
        match (&mut self.transaction, other.transaction) {
            (Body::Coin(one), Body::Coin(two)) => one.combine(&self.network, two),
            (Body::Account(one), Body::Account(two)) => one.combine(&self.network, *two),
            _ => Err(RequestError::NotParts("the kinds")),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
