//! What was reported to the user of what was sent. Before that the wallet's file calls it unclear, so that nobody who did not read the
//! result, be it a crash, a full disk or an error of the node on the way, makes the same payment again.

use std::path::PathBuf;

use chain_core::hash::TxId;

use super::screen;
use crate::file::{FileError, SentState, WalletLock};

/// Transactions that a result says were sent, and the wallet that sent them.
#[derive(Clone, Debug)]
pub struct Told {
    /// The wallet's file.
    pub file: PathBuf,
    /// The transactions.
    pub txids: Vec<TxId>,
}

impl Told {
    /// Notes that the user knows. If that fails, they stay unclear, which is safe.
    pub fn note(&self) {
        if self.txids.is_empty() {
            return;
        }
        if let Err(error) = self.write() {
            let txids: Vec<String> = self.txids.iter().map(ToString::to_string).collect();
            let txids = txids.join(", ");
            screen::warn(&format!(
                "{txids} was sent, but the wallet's file does not say so yet: {error}; see `cairn-wallet resend`"
            ));
        }
    }

    fn write(&self) -> Result<(), FileError> {
        let lock = WalletLock::take(&self.file)?;
        let mut wallet = lock.read()?;
        // Another process may have found out more meanwhile.
        let unclear =
            |txid: &&TxId| wallet.sent.iter().any(|sent| sent.txid == **txid && sent.state == SentState::Unclear);
        let unclear: Vec<TxId> = self.txids.iter().filter(unclear).copied().collect();
        if unclear.is_empty() {
            return Ok(());
        }
        unclear.iter().for_each(|txid| wallet.accepted(txid));
        lock.write(&wallet)
    }
}
