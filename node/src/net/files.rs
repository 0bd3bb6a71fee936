//! Small JSON files in the data directory, replaced in one step and never trusted.

use serde::{Serialize, de::DeserializeOwned};
use std::{io, path::Path};

use crate::files;

/// What is larger was not written by this node.
const MOST_BYTES: u64 = 4 << 20;

/// Reads a file, or nothing if there is none. A damaged one is reported and left out: it is worth no failure.
pub fn read<T: DeserializeOwned + Default>(file: &Path) -> T {
    try_read(file).unwrap_or_else(|error| {
        tracing::warn!("cannot use {}: {error}; going on without", file.display());
        T::default()
    })
}

fn try_read<T: DeserializeOwned + Default>(file: &Path) -> io::Result<T> {
    match files::read(file, MOST_BYTES)? {
        Some(bytes) => Ok(serde_json::from_slice(&bytes)?),
        None => Ok(T::default()),
    }
}

/// Replaces a file.
///
/// # Errors
/// If the disk refuses.
pub fn write(file: &Path, value: &impl Serialize) -> io::Result<()> {
    files::replace(file, &serde_json::to_vec_pretty(value)?)
}
