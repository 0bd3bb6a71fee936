//! Small JSON files in the data directory, replaced in one step and never trusted.

use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
};

/// What is larger was not written by this node.
const MOST_BYTES: u64 = 4 << 20;

/// Reads a file, or nothing if there is none. A damaged one is reported and left out: it is worth no failure.
pub fn read<T: DeserializeOwned + Default>(file: &Path) -> T {
    match try_read(file) {
        Ok(value) => value,
        Err(error) if error.kind() == ErrorKind::NotFound => T::default(),
        Err(error) => {
            tracing::warn!("cannot use {}: {error}; going on without", file.display());
            T::default()
        }
    }
}

fn try_read<T: DeserializeOwned>(file: &Path) -> io::Result<T> {
    if fs::metadata(file)?.len() > MOST_BYTES {
        return Err(io::Error::new(ErrorKind::InvalidData, "the file is too large"));
    }
    Ok(serde_json::from_slice(&fs::read(file)?)?)
}

/// Replaces a file.
///
/// # Errors
/// If the disk refuses.
pub fn write(file: &Path, value: &impl Serialize) -> io::Result<()> {
    let partial = file.with_added_extension("partial");
    fs::write(&partial, serde_json::to_vec_pretty(value)?)?;
    fs::rename(partial, file)
}
