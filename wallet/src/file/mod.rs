//! The wallet's file: JSON with the sealed mnemonic, the public keys, and what is not derived from them.
//!
//! A checksum tells a damaged file from a wrong password. Public keys are in the clear, so that balances and addresses
//! need no password; each time the mnemonic is opened they are compared with it.

mod disk;

use std::{io, path::PathBuf};

use bip39::Mnemonic;
use chain_core::{
    hash::{TxId, sha256},
    policy::Policy,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use self::disk::WalletLock;
use crate::{
    keys::{KeyError, PublicKeys, Signer},
    network::Network,
    request::Request,
    vault::{Cost, Sealed, VaultError},
};

/// First field of the file.
const FORMAT: &str = "cairn-wallet";

/// The version that this program writes, and the newest that it reads.
const VERSION: u32 = 1;

/// Sent transactions that are remembered; older ones are on the chain.
const SENT_KEPT: usize = 100;

/// Why a wallet file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// No such file.
    #[error("there is no wallet at {0}")]
    Missing(PathBuf),
    /// No wallet of any chain in the folder.
    #[error("there is no wallet in {0}")]
    NoneIn(PathBuf),
    /// A wallet is there already.
    #[error("there is a wallet at {0} already; it is left as it is")]
    Exists(PathBuf),
    /// Another process writes.
    #[error("another cairn-wallet is working on {0}")]
    Locked(PathBuf),
    /// Cut short, altered or no wallet at all.
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What shows it.
        what: String,
    },
    /// Written by a later program.
    #[error("{path} is of version {got}; this program reads up to {VERSION}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        got: u32,
    },
    /// The system refuses.
    #[error("cannot {action} {path}: {error}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Why a mnemonic cannot be taken out of a wallet.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnlockError {
    /// Wrong password, or a sealed part that no honest file has.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// There is no mnemonic in it.
    #[error("this wallet only watches: build a file with `cairn-wallet build`, and sign it where the mnemonic is")]
    WatchOnly,
    /// The sealed bytes are no mnemonic.
    #[error("the sealed part holds no mnemonic")]
    NoMnemonic,
    /// Somebody changed the public keys.
    #[error(
        "the public keys in the file do not belong to its mnemonic: the file was tampered with; restore from the words"
    )]
    ForeignKeys,
    /// No key can be derived.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// What a wallet's file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wallet {
    /// The chain it is for.
    pub network: Network,
    /// The mnemonic's entropy; a wallet that only watches has none.
    pub sealed: Option<Sealed>,
    /// Extended public keys: of coins, of accounts.
    pub keys: PublicKeys,
    /// How many keys of each branch have been used.
    pub used: Used,
    /// Policies that this wallet takes part in.
    pub policies: Vec<NamedPolicy>,
    /// What was sent, oldest first.
    pub sent: Vec<Sent>,
}

/// How many keys of each branch have been handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Used {
    /// Addresses given to others.
    pub receive: u32,
    /// Change.
    pub change: u32,
    /// Keys in policies.
    pub policy: u32,
    /// Accounts.
    pub accounts: u32,
}

/// A policy under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedPolicy {
    /// Chosen by the user.
    pub name: String,
    /// In its text form.
    #[serde(with = "crate::text")]
    pub policy: Policy,
}

/// A transaction that was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sent {
    /// Its identifier.
    #[serde(with = "crate::text")]
    pub txid: TxId,
    /// When, in seconds since 1970.
    pub time: u64,
    /// What it replaces.
    #[serde(with = "crate::text::option")]
    pub replaces: Option<TxId>,
    /// All that made it.
    pub request: Request,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    format: String,
    version: u32,
    wallet: Wallet,
    checksum: String,
}

#[derive(Deserialize)]
struct Preamble {
    format: String,
    version: u32,
}

fn checksum(wallet: &Wallet) -> String {
    hex::encode(sha256(&serde_json::to_vec(wallet).expect("a wallet is plain data with text keys")))
}

impl Wallet {
    /// A wallet for a mnemonic that has used nothing yet but its first address and account.
    ///
    /// # Errors
    /// [`UnlockError`] if sealing or deriving fails.
    pub fn new(network: Network, mnemonic: &Mnemonic, password: &str, cost: Cost) -> Result<Self, UnlockError> {
        let mut wallet = Self::watch(network, Signer::new(mnemonic)?.public().clone());
        wallet.seal(mnemonic, password, cost)?;
        Ok(wallet)
    }

    /// A wallet that knows public keys only.
    pub fn watch(network: Network, keys: PublicKeys) -> Self {
        let used = Used { receive: 1, change: 0, policy: 0, accounts: 1 };
        Self { network, sealed: None, keys, used, policies: Vec::new(), sent: Vec::new() }
    }

    /// Seals the mnemonic anew.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn seal(&mut self, mnemonic: &Mnemonic, password: &str, cost: Cost) -> Result<(), VaultError> {
        let entropy = Zeroizing::new(mnemonic.to_entropy());
        self.sealed = Some(Sealed::seal(&entropy, password, cost)?);
        Ok(())
    }

    /// Takes the mnemonic out.
    ///
    /// # Errors
    /// [`UnlockError`], above all for a wrong password.
    pub fn mnemonic(&self, password: &str) -> Result<Mnemonic, UnlockError> {
        let entropy = self.sealed.as_ref().ok_or(UnlockError::WatchOnly)?.open(password)?;
        Mnemonic::from_entropy(&entropy).map_err(|_| UnlockError::NoMnemonic)
    }

    /// Derives the secret keys, and makes sure that the file's public keys are theirs.
    ///
    /// # Errors
    /// [`UnlockError`].
    pub fn signer(&self, password: &str) -> Result<Signer, UnlockError> {
        let signer = Signer::new(&self.mnemonic(password)?)?;
        if *signer.public() == self.keys { Ok(signer) } else { Err(UnlockError::ForeignKeys) }
    }

    /// Remembers what is sent, and forgets the oldest beyond a bound.
    pub fn remember(&mut self, sent: Sent) {
        self.sent.retain(|old| old.txid != sent.txid);
        self.sent.push(sent);
        let surplus = self.sent.len().saturating_sub(SENT_KEPT);
        self.sent.drain(..surplus);
    }

    fn to_bytes(&self) -> Vec<u8> {
        let envelope =
            Envelope { format: FORMAT.into(), version: VERSION, wallet: self.clone(), checksum: checksum(self) };
        let mut bytes = serde_json::to_vec_pretty(&envelope).expect("a wallet is plain data with text keys");
        bytes.push(b'\n');
        bytes
    }

    fn from_bytes(path: &std::path::Path, bytes: &[u8]) -> Result<Self, FileError> {
        let damaged = |what: String| FileError::Damaged { path: path.into(), what };
        if bytes.is_empty() {
            return Err(damaged("it is empty".into()));
        }
        let preamble: Preamble = serde_json::from_slice(bytes).map_err(|error| {
            damaged(if error.is_eof() { "it ends too early".into() } else { format!("it is no wallet file: {error}") })
        })?;
        if preamble.format != FORMAT {
            return Err(damaged(format!("it is a '{}', not a '{FORMAT}'", preamble.format)));
        }
        if preamble.version > VERSION {
            return Err(FileError::Newer { path: path.into(), got: preamble.version });
        }
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        if checksum(&envelope.wallet) != envelope.checksum {
            return Err(damaged("its checksum does not match".into()));
        }
        Ok(envelope.wallet)
    }
}

#[cfg(test)]
mod tests;
