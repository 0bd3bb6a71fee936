//! The chain id of a development chain with a directory: another for each, so that a wallet that remembers the nonces of one
//! does not use them on the next.

use chain_core::spec::DRAWN_DEV_IDS;
use std::{io, path::Path};

use super::ConfigError;
use crate::files;

const FILE: &str = "chain-id";
/// Bytes of the file at most.
const MOST_BYTES: u64 = 32;

/// The id of the chain in a folder; a fresh one if there is none yet.
///
/// # Errors
/// [`ConfigError`] if the file cannot be read or holds something else.
pub fn of(folder: &Path) -> Result<u64, ConfigError> {
    let path = folder.join(FILE);
    let damaged = |reason: String| ConfigError::ChainId { path: path.clone(), reason };
    let Some(bytes) = files::read(&path, MOST_BYTES).map_err(|error| damaged(error.to_string()))? else {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| damaged(error.to_string()))?;
        return Ok(DRAWN_DEV_IDS.start + u64::from_le_bytes(random) % (DRAWN_DEV_IDS.end - DRAWN_DEV_IDS.start));
    };
    let id = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim_end().parse().ok());
    id.filter(|id| DRAWN_DEV_IDS.contains(id)).ok_or_else(|| damaged("expected a number that the node wrote".into()))
}

/// Keeps the id of a new chain.
///
/// # Errors
/// If the disk refuses.
pub fn keep(folder: &Path, id: u64) -> io::Result<()> {
    let path = folder.join(FILE);
    if path.exists() { Ok(()) } else { files::replace(&path, format!("{id}\n").as_bytes()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_folder_has_an_id_of_its_own_and_keeps_it() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let ids = folders.each_ref().map(|folder| of(folder.path()).unwrap());
        assert_ne!(ids[0], ids[1]);
        keep(folders[0].path(), ids[0]).unwrap();
        assert_eq!(of(folders[0].path()).unwrap(), ids[0]);
        keep(folders[0].path(), ids[1]).unwrap();
        assert_eq!(of(folders[0].path()).unwrap(), ids[0]);
    }

    #[test]
    fn a_file_that_the_node_did_not_write_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for odd in ["", "1", "-1", "x", "13370000000000000000000"] {
            std::fs::write(folder.path().join(FILE), odd).unwrap();
            let error = of(folder.path()).unwrap_err().to_string();
            assert!(error.contains("expected a number that the node wrote"), "{error}");
        }
    }
}
