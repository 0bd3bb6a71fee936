//! Files and folders that settings name.

use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use super::ConfigError;

/// Most bytes of a configuration or a chain spec: far more than either has.
const MOST_BYTES: u64 = 1 << 20;

/// The text of a small file.
///
/// # Errors
/// [`ConfigError::Unreadable`].
pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    text(path).map_err(|error| ConfigError::Unreadable { path: path.to_owned(), reason: error.to_string() })
}

/// A file or a pipe (`<(...)`), not a device that gives bytes without end.
fn text(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_char_device() || kind.is_block_device() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is a device: name a TOML file"));
    }
    let mut text = String::new();
    file.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    match text.len() as u64 > MOST_BYTES {
        true => Err(io::Error::new(ErrorKind::InvalidInput, "it has more than 1 MiB: name a TOML file")),
        false => Ok(text),
    }
}

/// The home directory.
///
/// # Errors
/// [`ConfigError::NoHome`].
pub(super) fn home() -> Result<PathBuf, ConfigError> {
    std::env::home_dir().filter(|home| !home.as_os_str().is_empty()).ok_or(ConfigError::NoHome)
}

/// A path whose `~` stands for the home directory. A shell replaces it in `--datadir ~/x`, but neither in `--datadir=~/x`
/// nor in a file.
pub(super) fn from_home(path: PathBuf) -> Result<PathBuf, ConfigError> {
    match path.strip_prefix("~") {
        Ok(rest) => Ok(home()?.join(rest)),
        Err(_) => Ok(path),
    }
}
