//! The node's key: its identity among peers, kept in the data directory.

use libp2p::identity::{Keypair, ed25519};
use std::{
    io::{self, ErrorKind},
    path::Path,
};

use crate::files;

/// 64 digits and the end of the line, and some room to find out that it is something else.
const MOST_BYTES: u64 = 1_024;

/// Reads the key, or makes one if there is none. The file holds the 32 secret bytes in hex and is readable by its owner
/// only.
///
/// # Errors
/// If the file cannot be read or made, or holds something else.
pub fn load(file: &Path) -> io::Result<Keypair> {
    match files::read_secret(file, MOST_BYTES)? {
        Some(text) => files::hex_secret(&text).and_then(|key| Keypair::ed25519_from_bytes(key).ok()).ok_or_else(|| {
            io::Error::new(
                ErrorKind::InvalidData,
                "expected 64 hex digits; remove it, and the node gets a new identity",
            )
        }),
        None => {
            let pair = ed25519::Keypair::generate();
            files::replace(file, format!("{}\n", hex::encode(pair.secret())).as_bytes())?;
            Ok(pair.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn a_node_keeps_its_key_and_shows_it_to_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nodekey");
        let first = load(&file).unwrap().public().to_peer_id();
        assert_eq!(load(&file).unwrap().public().to_peer_id(), first);
        let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(load(&file).unwrap().public().to_peer_id(), first);
        assert_eq!(mode(), 0o600, "also if somebody opened it");
    }

    #[test]
    fn a_damaged_key_is_named_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nodekey");
        for odd in ["", "00", &"zz".repeat(32), &"00".repeat(33)] {
            fs::write(&file, odd).unwrap();
            assert_eq!(load(&file).unwrap_err().kind(), ErrorKind::InvalidData, "{odd:?}");
            assert_eq!(fs::read_to_string(&file).unwrap(), odd);
        }
    }
}
