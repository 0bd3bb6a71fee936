//! Why a transaction file is refused.

use crate::{
    keys::KeyError,
    network::{BadAddress, Network},
};

/// Why a transaction file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// Not readable, or not the JSON that is expected.
    #[error("cannot be read: {0}")]
    Malformed(String),
    #[error("it is a '{format}' of version {version}, not a 'cairn-transaction' of version 1")]
    Format { format: String, version: u32 },
    #[error("it is for {got}, but this wallet is for {expected}")]
    Network { got: Box<Network>, expected: Box<Network> },
    /// An address in it does not fit.
    #[error(transparent)]
    Address(#[from] Box<BadAddress>),
    #[error("it contradicts itself: {0}")]
    Contradiction(String),
    /// A payment to a contract of the chain itself that pays nothing out.
    #[error(
        "it pays {to}, which is {what}: no one could ever get the money out. To turn account money into coins, use \
         `cairn-wallet withdraw`"
    )]
    Kept { to: String, what: &'static str },
    #[error("the chain would refuse it: {0}")]
    Rule(String),
    #[error("it is not complete: {0}")]
    Incomplete(String),
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
