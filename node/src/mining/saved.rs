//! `payout.json`: whom an earlier run was told to pay.
//!
//! A file that was damaged must not have the node mine for nobody, or for a stranger. The checksum of an account is in its
//! capitals, and one without letters has none; so the file has a checksum of its own, and what is not byte for byte what the
//! node writes is an error.

use cairn_client::fault;
use chain_core::{Address, address, hash::sha256, transaction::coin::Lock};
use serde::{Deserialize, Serialize};
use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{files, program};

/// Two addresses and their names; what is larger is something else.
const MOST_BYTES: u64 = 4_096;

/// Who is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The coins.
    pub lock: Lock,
    /// Tips of account transactions.
    pub account: Address,
}

/// The file cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SavedError {
    /// The system does not let it be read.
    #[error(
        "cannot read {}, which says whom to pay: {reason}; run the node as the user who owns it, or choose another directory \
         with --datadir", .path.display()
    )]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Its content is not what the node wrote.
    #[error(
        "{}, which says whom to pay, is damaged: {reason}. Remove it, and name the address again with `{} mine-to ADDRESS` \
         or --miner.address", .path.display(), program::named("cairn-node")
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// The file's content.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    address: String,
    account: String,
    /// Of both; files of older nodes have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

/// Eight bytes of a hash, in hex: the chance that damage goes unseen is one in 2^64.
fn checksum(address: &str, account: &str) -> String {
    hex::encode(&sha256(format!("{address} {account}").as_bytes())[..8])
}

impl Saved {
    fn written(&self, hrp: &str) -> Written {
        let (address, account) = (address::encode(hrp, &self.lock), self.account.to_checksum(None));
        let checksum = Some(checksum(&address, &account));
        Written { address, account, checksum }
    }

    /// Reads the file; `None` if there is none.
    ///
    /// # Errors
    /// [`SavedError`] if it is damaged, not of this chain, or no plain file.
    pub fn load(file: &Path, hrp: &str) -> Result<Option<Self>, SavedError> {
        let wrong = |reason: String| SavedError::Damaged { path: file.to_owned(), reason };
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::PermissionDenied => {
                SavedError::Unreadable { path: file.to_owned(), reason: error.to_string() }
            }
            _ => wrong(error.to_string()),
        };
        let Some(bytes) = files::read(file, MOST_BYTES).map_err(failed)? else {
            return Ok(None);
        };
        let written: Written = serde_json::from_slice(&bytes).map_err(|error| wrong(fault(&error)))?;
        let lock = address::parse_coin_address(hrp, &written.address);
        let lock = lock.map_err(|error| wrong(format!("address {}: {error}", written.address)))?;
        let account: Address = written.account.parse().map_err(|error| wrong(format!("account: {error}")))?;
        let saved = Self { lock, account };
        let mut expected = saved.written(hrp);
        expected.checksum = expected.checksum.filter(|_| written.checksum.is_some());
        if serde_json::to_vec_pretty(&expected).map_err(|error| wrong(error.to_string()))? != bytes {
            return Err(wrong("its checksum is wrong, or it was changed by hand".to_owned()));
        }
        Ok(Some(saved))
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn save(&self, file: &Path, hrp: &str) -> io::Result<()> {
        files::replace(file, &serde_json::to_vec_pretty(&self.written(hrp))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain_core::transaction::coin::KeyBytes;

    fn saved() -> Saved {
        Saved { lock: Lock::Key(KeyBytes([7; 32])), account: Address::repeat_byte(0xab) }
    }

    fn reason(file: &Path, hrp: &str) -> String {
        match Saved::load(file, hrp) {
            Err(SavedError::Damaged { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_payout_comes_back_as_it_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("payout.json");
        assert_eq!(Saved::load(&file, "lcrn"), Ok(None));
        saved().save(&file, "lcrn").unwrap();
        assert_eq!(Saved::load(&file, "lcrn"), Ok(Some(saved())));
    }

    #[test]
    fn a_payout_with_any_byte_changed_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("payout.json");
        // An account without letters has no checksum of its own: `mine-to ADDRESS` alone leaves zeros.
        for account in [Address::ZERO, Address::repeat_byte(0x11), Address::repeat_byte(0xab)] {
            Saved { account, ..saved() }.save(&file, "lcrn").unwrap();
            let good = std::fs::read(&file).unwrap();
            let bits = (0..good.len() * 8).map(|at| (at / 8, 1 << (at % 8)));
            let digits = (0..good.len()).flat_map(|at| (0..16).map(move |digit| (at, digit)));
            for (at, change) in bits.chain(digits.filter(|(_, change)| *change != 0)) {
                let mut bad = good.clone();
                bad[at] ^= change;
                std::fs::write(&file, &bad).unwrap();
                let error = Saved::load(&file, "lcrn").expect_err(&String::from_utf8_lossy(&bad)).to_string();
                assert!(
                    error.starts_with(&format!("{}, which says whom to pay, is damaged: ", file.display())),
                    "{error}"
                );
                assert!(error.contains("cairn-node mine-to ADDRESS"), "{error}");
            }
        }
    }

    #[test]
    fn a_payout_of_an_older_node_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("payout.json");
        let mut old = saved().written("lcrn");
        old.checksum = None;
        std::fs::write(&file, serde_json::to_vec_pretty(&old).unwrap()).unwrap();
        assert_eq!(Saved::load(&file, "lcrn"), Ok(Some(saved())));
        old.account = old.account.to_lowercase();
        std::fs::write(&file, serde_json::to_vec_pretty(&old).unwrap()).unwrap();
        assert_eq!(reason(&file, "lcrn"), "its checksum is wrong, or it was changed by hand");
    }

    #[test]
    fn a_payout_that_is_empty_of_another_chain_or_no_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("payout.json");
        std::fs::write(&file, "").unwrap();
        assert!(reason(&file, "lcrn").starts_with("EOF"));
        std::fs::write(&file, "5").unwrap();
        assert_eq!(reason(&file, "lcrn"), "invalid type: integer `5`, expected an object at line 1 column 1");
        saved().save(&file, "lcrn").unwrap();
        assert!(reason(&file, "crn").starts_with("address lcrn1"));
        assert_eq!(reason(folder.path(), "crn"), "it is not a plain file");
    }
}
