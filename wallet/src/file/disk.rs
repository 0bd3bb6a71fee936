//! Reading and writing the file: whole or not at all, by one process at a time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use super::{FORMAT, FileError, MAX_USED, Wallet};
use crate::{input::open_regular, vault};

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
    // A pipe in the way is an error: opening it would wait until something reads from it.
    options.mode(0o600).custom_flags(libc::O_NONBLOCK)
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

/// How long another process is waited for: most commands take a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two tries at a lock.
const RETRY: Duration = Duration::from_millis(50);

/// The right to write a wallet's file; held until dropped.
#[derive(Debug)]
pub struct WalletLock {
    path: PathBuf,
    lock: File,
}

impl Wallet {
    /// Reads a wallet. Needs no lock: the file is only ever replaced as a whole.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let file = match open_regular(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(FileError::Missing(path.into())),
            other => other.map_err(failed("open", path))?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed("read", path))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(FileError::Damaged { path: path.into(), what: "it is far too large".into() });
        }
        let wallet = Self::from_bytes(path, &bytes)?;
        wallet.check_used(path)?;
        Ok(wallet)
    }

    /// Refuses to look through more keys than any wallet uses.
    fn check_used(&self, path: &Path) -> Result<(), FileError> {
        let used = self.used;
        let count = used.receive.max(used.change).max(used.policy).max(used.accounts);
        if count > MAX_USED { Err(FileError::Keys { path: path.into(), count }) } else { Ok(()) }
    }
}

impl WalletLock {
    /// Takes the lock of a wallet's file, which need not exist yet. While another process holds it, waits for a while.
    ///
    /// # Errors
    /// [`FileError::Locked`] if that process goes on holding it.
    pub fn take(path: &Path) -> Result<Self, FileError> {
        let lock = Self::unlocked(path)?;
        lock.retake()?;
        Ok(lock)
    }

    pub(super) fn unlocked(path: &Path) -> Result<Self, FileError> {
        let path = &target(path).map_err(failed("follow the link", path))?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            make_folder(folder).map_err(failed("make the folder", folder))?;
        }
        let lock_path = beside(path, ".lock");
        let lock = owner_only(OpenOptions::new().write(true).create(true).truncate(false))
            .open(&lock_path)
            .map_err(failed("make", &lock_path))?;
        Ok(Self { path: path.into(), lock })
    }

    /// The wallet's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets others write, as while the user is asked; what was read of the wallet may then be out of date.
    pub fn release(&self) -> Result<(), FileError> {
        self.lock.unlock().map_err(failed("unlock", &self.path))
    }

    /// Takes the lock again.
    pub fn retake(&self) -> Result<(), FileError> {
        let started = Instant::now();
        loop {
            match self.try_retake() {
                Err(FileError::Locked(_)) if started.elapsed() < PATIENCE => sleep(RETRY),
                result => return result,
            }
        }
    }

    pub(super) fn try_retake(&self) -> Result<(), FileError> {
        match self.lock.try_lock() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => Err(FileError::Locked(self.path.clone())),
            Err(TryLockError::Error(error)) => Err(failed("lock", &self.path)(error)),
        }
    }

    /// Reads the wallet to change it.
    pub fn read(&self) -> Result<Wallet, FileError> {
        Wallet::read(&self.path)
    }

    /// Makes sure that no other process wrote since the wallet was read.
    pub fn unchanged(&self, wallet: &Wallet) -> Result<(), FileError> {
        if self.read()? == *wallet { Ok(()) } else { Err(FileError::Changed(self.path.clone())) }
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
    /// [`FileError::Io`], [`FileError::TooLarge`] or [`FileError::Keys`]; the old file is then still there.
    pub fn write(&self, wallet: &Wallet) -> Result<(), FileError> {
        wallet.check_used(&self.path)?;
        let bytes = wallet.to_bytes();
        if bytes.len() as u64 > MAX_BYTES {
            return Err(FileError::TooLarge { bytes: bytes.len(), most: MAX_BYTES });
        }
        replace(&self.path, &bytes, &mut |_| Ok(())).map_err(failed("write", &self.path))
    }
}

/// Whether a path leads to something that is not a regular file: a terminal, a pipe, a device, a folder.
pub fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file())
}

/// Whether a file holds a wallet, whole or cut short.
pub fn holds_wallet(path: &Path) -> bool {
    let mut bytes = Vec::new();
    let read = open_regular(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
    let mark = format!("\"{FORMAT}\"");
    read.is_ok() && bytes.windows(mark.len()).any(|part| part == mark.as_bytes())
}

/// Writes where a command was told to write. A regular file is replaced, so that a crash leaves the old one or the new one, and
/// only its owner can read it. Anything else, such as a terminal or a pipe, is written into: replacing would take it away.
pub fn write_out(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if is_special(path) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    replace(&target(path)?, bytes, &mut |_| Ok(()))
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

/// Writes beside the file under a name that nothing else has, syncs, renames over it, and syncs the folder. `reached` may
/// stop it at every step, as a kill would.
pub(super) fn replace(path: &Path, bytes: &[u8], reached: &mut dyn FnMut(Step) -> io::Result<()>) -> io::Result<()> {
    let random = vault::random::<8>().map_err(io::Error::other)?;
    let new = beside(path, &format!(".{}.new", hex::encode(random)));
    let file = owner_only(OpenOptions::new().write(true).create_new(true)).open(&new)?;
    let replaced = fill(file, &new, path, bytes, reached);
    if replaced.is_err() {
        // Nothing is there any more if it was renamed.
        let _ = fs::remove_file(&new);
    }
    replaced
}

fn fill(
    mut file: File,
    new: &Path,
    path: &Path,
    bytes: &[u8],
    reached: &mut dyn FnMut(Step) -> io::Result<()>,
) -> io::Result<()> {
    reached(Step::Opened)?;
    let (first, second) = bytes.split_at(bytes.len() / 2);
    file.write_all(first)?;
    reached(Step::HalfWritten)?;
    file.write_all(second)?;
    reached(Step::Written)?;
    file.sync_all()?;
    reached(Step::Synced)?;
    fs::rename(new, path)?;
    reached(Step::Renamed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
