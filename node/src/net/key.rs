//! The node's key: its identity among peers, kept in the data directory.

use libp2p::identity::{Keypair, ed25519};
use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Reads the key, or makes one if there is none. The file holds the 32 secret bytes in hex and is readable by its owner
/// only.
///
/// # Errors
/// If the file cannot be read or made, or holds something else.
pub fn load(file: &Path) -> io::Result<Keypair> {
    match fs::read_to_string(file) {
        Ok(text) => parse(text.trim()).ok_or_else(|| {
            io::Error::new(
                ErrorKind::InvalidData,
                "expected 64 hex digits; remove it, and the node gets a new identity",
            )
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let pair = ed25519::Keypair::generate();
            save(file, pair.secret().as_ref())?;
            Ok(pair.into())
        }
        Err(error) => Err(error),
    }
}

/// The key with these secret bytes, in hex.
fn parse(text: &str) -> Option<Keypair> {
    let mut secret = [0; 32];
    hex::decode_to_slice(text, &mut secret).ok()?;
    Keypair::ed25519_from_bytes(secret).ok()
}

fn save(file: &Path, secret: &[u8]) -> io::Result<()> {
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(opened, "{}", hex::encode(secret))?;
    opened.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_node_keeps_its_key_and_shows_it_to_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nodekey");
        let first = load(&file).unwrap().public().to_peer_id();
        assert_eq!(load(&file).unwrap().public().to_peer_id(), first);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
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
