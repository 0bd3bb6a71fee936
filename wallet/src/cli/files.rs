//! Files that commands read and write.

use std::{fs, io, path::Path};

use zeroize::Zeroizing;

use crate::{
    error::WalletError,
    file::{holds_wallet, is_special, write_out},
    input::read_text,
};

/// Largest file of a password, mnemonic or chain spec that is read.
const MAX_SMALL_FILE: u64 = 4 << 20;

/// Wraps a failure of the system.
pub fn failed(action: impl Into<String>) -> impl FnOnce(io::Error) -> WalletError {
    let action = action.into();
    move |error| WalletError::Io { action, error }
}

/// Opens a file, or standard input for `-`.
pub fn open(path: &Path) -> io::Result<Box<dyn io::Read>> {
    Ok(if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(fs::File::open(path)?) })
}

/// Reads a file of text that has no reason to be large.
///
/// # Errors
/// [`WalletError::Io`], also if it is large or not text.
pub fn read_small(path: &Path, what: &str) -> Result<Zeroizing<String>, WalletError> {
    open(path)
        .and_then(|source| read_text(source, MAX_SMALL_FILE))
        .map_err(failed(format!("read {what} from {}", path.display())))
}

/// Refuses to replace a file, unless that is meant, and a wallet in any case. A terminal or a pipe is written into.
///
/// # Errors
/// [`WalletError::InTheWay`]: it may hold signatures. [`WalletError::HoldsWallet`].
pub fn refuse_existing(path: &Path, replace: bool) -> Result<(), WalletError> {
    match path.exists() && !is_special(path) {
        true if holds_wallet(path) => Err(WalletError::HoldsWallet(path.into())),
        true if !replace => Err(WalletError::InTheWay(path.into())),
        _ => Ok(()),
    }
}

/// Writes beside the file, then over it, so that no crash leaves half of it. Only the owner can read it: a draft may hold the
/// secret of an HTLC.
///
/// # Errors
/// [`WalletError::InTheWay`] if the file exists and may not be replaced.
pub fn write(path: &Path, bytes: &[u8], replace: bool) -> Result<(), WalletError> {
    refuse_existing(path, replace)?;
    write_out(path, bytes).map_err(failed(format!("write {}", path.display())))
}
