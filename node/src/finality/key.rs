//! The key of a member, in a file that only its owner reads.

use chain_core::transaction::coin::KeyBytes;
use secp256k1::{Keypair, SecretKey};
use std::{
    fmt,
    io::{self, ErrorKind},
    path::Path,
};

use crate::files;

/// The secret key of a member.
#[derive(Clone, PartialEq, Eq)]
pub struct MemberKey(Keypair);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The file holds something else.
    #[error("it does not contain a key: expected 64 hexadecimal digits, as `cairn-node member new` writes them")]
    Malformed,
}

impl MemberKey {
    /// Name of the file in the data directory.
    pub const FILE: &str = "member.key";

    /// A key of these bytes; `None` for the few that are none.
    pub fn from_bytes(bytes: [u8; 32]) -> Option<Self> {
        SecretKey::from_secret_bytes(bytes).ok().map(|secret| Self(Keypair::from_secret_key(&secret)))
    }

    /// A new key.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn generate() -> io::Result<Self> {
        loop {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).map_err(io::Error::other)?;
            if let Some(key) = Self::from_bytes(bytes) {
                return Ok(key);
            }
        }
    }

    /// The pair that signs.
    pub fn pair(&self) -> &Keypair {
        &self.0
    }

    /// The public key, as it stands in a chain spec.
    pub fn public(&self) -> KeyBytes {
        KeyBytes::of(&self.0)
    }

    /// Reads a key; `None` if there is no file. One that others can read is closed to them first.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load(path: &Path) -> Result<Option<Self>, KeyError> {
        let Some(text) = files::read_secret(path, 80)? else { return Ok(None) };
        files::hex_secret(&text).and_then(Self::from_bytes).map(Some).ok_or(KeyError::Malformed)
    }

    /// Writes it to a new file that only its owner reads. A key that is there is never overwritten.
    ///
    /// # Errors
    /// What the system refuses; [`ErrorKind::AlreadyExists`] if anything is there.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        if path.exists() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let text = hex::encode(self.0.secret_key().to_secret_bytes()) + "\n";
        files::create(path, text.as_bytes())?;
        files::sync_parent(path)
    }
}

/// Only the public half.
impl fmt::Debug for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberKey({})", hex::encode(self.public().0))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_key_is_read_back_from_a_file_of_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(MemberKey::FILE);
        assert!(MemberKey::load(&file).unwrap().is_none());
        let key = MemberKey::generate().unwrap();
        key.save(&file).unwrap();
        assert_eq!(MemberKey::load(&file).unwrap(), Some(key.clone()));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(key.save(&file).unwrap_err().kind(), ErrorKind::AlreadyExists);
        let secret = hex::encode(key.pair().secret_key().to_secret_bytes());
        assert!(!format!("{key:?}").contains(&secret));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(MemberKey::FILE);
        for text in ["", "secret", &"0".repeat(64), &"g".repeat(64), &"1".repeat(66)] {
            fs::write(&file, text).unwrap();
            assert!(matches!(MemberKey::load(&file), Err(KeyError::Malformed)), "{text}");
        }
    }
}
