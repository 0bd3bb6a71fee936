//! What can be wrong with a wallet's file.

use std::{io, path::PathBuf};

use super::{MAX_USED, VERSION};
use crate::{keys::KeyError, vault::VaultError};

/// Why a wallet file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("there is no wallet at {0}")]
    Missing(PathBuf),
    #[error("there is no wallet in {0}")]
    NoneIn(PathBuf),
    #[error("there is a wallet at {0} already; it is left as it is")]
    Exists(PathBuf),
    #[error("another cairn-wallet is working on {0}")]
    Locked(PathBuf),
    #[error("another cairn-wallet changed {0} meanwhile: nothing was signed or sent")]
    Changed(PathBuf),
    #[error("{path} is damaged: {what}")]
    Damaged { path: PathBuf, what: String },
    #[error("{0} is a transaction, not a wallet")]
    Transaction(PathBuf),
    #[error("{path} is of version {got}; this program reads up to {VERSION}")]
    Newer { path: PathBuf, got: u32 },
    /// So much was sent and is not mined that no more can be remembered.
    #[error(
        "{count} transactions that were sent are not buried yet, and the file has no room for more: wait for blocks, then try again"
    )]
    Full { count: usize },
    #[error("the wallet would take {bytes} bytes, more than the {most} that are read again; the old file is kept")]
    TooLarge { bytes: usize, most: u64 },
    #[error("{path}: {count} keys of one kind are used, more than the {MAX_USED} that a wallet may have")]
    Keys { path: PathBuf, count: u32 },
    #[error("cannot {action} {path}: {error}")]
    Io { action: &'static str, path: PathBuf, error: io::Error },
}

/// Why a wallet cannot be unlocked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnlockError {
    /// Wrong password, or a sealed part that no honest file has.
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("this wallet is watch-only: build a file with `cairn-wallet build`, and sign it where the mnemonic is")]
    WatchOnly,
    #[error("the encrypted part does not hold a mnemonic")]
    NoMnemonic,
    /// Somebody changed the public keys.
    #[error(
        "the public keys in the file do not belong to its mnemonic: the file was tampered with; restore from the mnemonic"
    )]
    ForeignKeys,
    /// No key can be derived.
    #[error(transparent)]
    Key(#[from] KeyError),
}
