//! Test vectors that are not part of the repository.

use std::{env, fs, path::PathBuf};

/// A file of the vectors: from the folder that `CAIRN_VECTORS` names, else from `../shared/vectors` beside the
/// repository. Says so and answers `None` if there is no such folder.
///
/// # Panics
/// If the folder is there but the file is not.
pub fn vector(name: &str) -> Option<Vec<u8>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors");
    let folder = env::var_os("CAIRN_VECTORS").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    if !folder.is_dir() {
        println!("skipped: no vectors in {}", folder.display());
        return None;
    }
    let file = folder.join(name);
    Some(fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
}
