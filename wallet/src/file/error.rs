//! What can be wrong with a wallet's file.

use std::{io, path::PathBuf};

use super::{MAX_USED, VERSION};
use crate::{keys::KeyError, vault::VaultError};

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
    /// Another process wrote while the user was asked.
    #[error("another cairn-wallet changed {0} meanwhile: nothing was signed or sent")]
    Changed(PathBuf),
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
    /// So much was sent and is not mined that no more can be remembered.
    #[error(
        "{count} transactions that were sent are not buried yet, and the file has no room for more: wait for blocks, then try again"
    )]
    Full {
        /// How many.
        count: usize,
    },
    /// Larger than what is read again.
    #[error("the wallet would take {bytes} bytes, more than the {most} that are read again; the old file is kept")]
    TooLarge {
        /// How many it takes.
        bytes: usize,
        /// How many are read.
        most: u64,
    },
    /// More keys than are looked through.
    #[error("{path}: {count} keys of one kind are used, more than the {MAX_USED} that a wallet may have")]
    Keys {
        /// The file.
        path: PathBuf,
        /// How many.
        count: u32,
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
    #[error("this wallet is watch-only: build a file with `cairn-wallet build`, and sign it where the mnemonic is")]
    WatchOnly,
    /// The sealed bytes are no mnemonic.
    #[error("the encrypted part does not hold a mnemonic")]
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
