//! Reading and writing the file: whole or not at all, by one process at a time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use super::{FileError, Wallet};

/// Largest file that is read.
const MAX_BYTES: u64 = 64 << 20;

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    move |error| FileError::Io { action, path: path.into(), error }
}

/// The path with something appended to its last part.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Links that are followed, as systems do.
const LINKS: usize = 40;

/// Where a path leads: a link to a wallet on another disk stays a link when the wallet is written.
fn target(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_symlink() => {
                let to = fs::read_link(&path)?;
                path = path.parent().map(|folder| folder.join(&to)).unwrap_or(to);
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => return Ok(path),
        }
    }
    Err(io::Error::other("too many links"))
}

#[cfg(unix)]
fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Makes a folder that only its owner can enter.
fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// The right to write a wallet's file; held until dropped.
#[derive(Debug)]
pub struct WalletLock {
    path: PathBuf,
    _lock: File,
}

impl Wallet {
    /// Reads a wallet. Needs no lock: the file is only ever replaced as a whole.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(FileError::Missing(path.into())),
            other => other.map_err(failed("open", path))?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed("read", path))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(FileError::Damaged { path: path.into(), what: "it is far too large".into() });
        }
        Self::from_bytes(path, &bytes)
    }
}

impl WalletLock {
    /// Takes the lock of a wallet's file, which need not exist yet.
    ///
    /// # Errors
    /// [`FileError::Locked`] while another process holds it.
    pub fn take(path: &Path) -> Result<Self, FileError> {
        let path = &target(path).map_err(failed("follow the link", path))?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            make_folder(folder).map_err(failed("make the folder", folder))?;
        }
        let lock_path = beside(path, ".lock");
        let lock = owner_only(OpenOptions::new().write(true).create(true).truncate(false))
            .open(&lock_path)
            .map_err(failed("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.into(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(FileError::Locked(path.into())),
            Err(TryLockError::Error(error)) => Err(failed("lock", &lock_path)(error)),
        }
    }

    /// Reads the wallet to change it.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn read(&self) -> Result<Wallet, FileError> {
        Wallet::read(&self.path)
    }

    /// Writes a wallet where none is.
    ///
    /// # Errors
    /// [`FileError::Exists`] if one is there.
    pub fn create(&self, wallet: &Wallet) -> Result<(), FileError> {
        if self.path.exists() {
            return Err(FileError::Exists(self.path.clone()));
        }
        self.write(wallet)
    }

    /// Replaces the wallet: after a crash at any instant the file is the old one or the new one.
    ///
    /// # Errors
    /// [`FileError::Io`] or [`FileError::TooLarge`]; the old file is then still there.
    pub fn write(&self, wallet: &Wallet) -> Result<(), FileError> {
        let bytes = wallet.to_bytes();
        if bytes.len() as u64 > MAX_BYTES {
            return Err(FileError::TooLarge { bytes: bytes.len(), most: MAX_BYTES });
        }
        replace(&self.path, &bytes, &mut |_| Ok(())).map_err(failed("write", &self.path))
    }
}

/// Where a replacement can be interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Opened,
    HalfWritten,
    Written,
    Synced,
    Renamed,
}

/// Writes beside the file, syncs, renames over it, and syncs the folder. `reached` may stop it at every step, as a kill
/// would.
pub(super) fn replace(path: &Path, bytes: &[u8], reached: &mut dyn FnMut(Step) -> io::Result<()>) -> io::Result<()> {
    let new = beside(path, ".new");
    // A crashed write may have left one.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = owner_only(OpenOptions::new().write(true).create_new(true)).open(&new)?;
    reached(Step::Opened)?;
    let (first, second) = bytes.split_at(bytes.len() / 2);
    file.write_all(first)?;
    reached(Step::HalfWritten)?;
    file.write_all(second)?;
    reached(Step::Written)?;
    file.sync_all()?;
    reached(Step::Synced)?;
    fs::rename(&new, path)?;
    reached(Step::Renamed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Replaces a file that only its owner can read.
///
/// # Errors
/// What the system says; the old file is then still there.
pub fn replace_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, &mut |_| Ok(()))
}
