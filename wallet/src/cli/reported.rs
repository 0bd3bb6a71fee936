//! Transactions that a result reports as sent. Until it is printed the wallet's file calls them unclear, so that a user who did not
//! read it, because of a crash, a full disk or an error of the node on the way, does not make the same payment again.

use std::path::PathBuf;

use chain_core::hash::TxId;

use crate::file::{FileError, SentState, WalletLock};

/// Transactions that a result says were sent, and the wallet that sent them.
#[derive(Clone, Debug)]
pub struct Reported {
    /// The wallet's file.
    pub file: PathBuf,
    pub txids: Vec<TxId>,
}

impl Reported {
    /// Marks them as accepted. If that fails, they stay unclear, which is safe.
    pub fn mark_accepted(&self) -> Result<(), FileError> {
        if self.txids.is_empty() {
            return Ok(());
        }
        let lock = WalletLock::take(&self.file)?;
        let mut wallet = lock.read()?;
        // Another process may have found out more meanwhile.
        let unclear =
            |txid: &&TxId| wallet.sent.iter().any(|sent| sent.txid == **txid && sent.state == SentState::Unclear);
        let unclear: Vec<TxId> = self.txids.iter().filter(unclear).copied().collect();
        if unclear.is_empty() {
            return Ok(());
        }
        unclear.iter().for_each(|txid| wallet.mark(txid, SentState::Accepted));
        lock.write(&wallet)
    }
}
