//! The data directory: one process at a time.

use std::{
    fs::{File, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::StoreError;
use crate::files;

/// How long a process that was killed may take to let go of its files, and how often that is tried: a node that is
/// started right after it was killed does not fail because of the old process.
const ENDING: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(20);

/// A locked data directory. The operating system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Creates the directory if need be, and locks it.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process has it; [`StoreError::Io`].
    pub fn acquire(datadir: &Path) -> Result<Self, StoreError> {
        files::make_dir(datadir).map_err(|error| io(format!("create {}", datadir.display()), &error))?;
        let path = datadir.join("LOCK");
        let mut file = open(&path)?;
        let end = Instant::now() + ENDING;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(AGAIN),
                Err(TryLockError::WouldBlock) => return Err(locked(datadir, file)),
                Err(TryLockError::Error(error)) => return Err(io(format!("lock {}", path.display()), &error)),
            }
        }
        // Only to tell who has it; a full disk is reported by what needs the space.
        let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }

    /// Where the database stands in a data directory.
    pub fn database(datadir: &Path) -> PathBuf {
        datadir.join("db")
    }
}

fn open(path: &Path) -> Result<File, StoreError> {
    files::open_plain(path).map_err(|error| io(format!("open {}", path.display()), &error))
}

fn locked(datadir: &Path, mut file: File) -> StoreError {
    let mut text = String::new();
    // A process id has few digits; whatever else stands there is left.
    let _ = file.rewind().and_then(|()| (&file).take(32).read_to_string(&mut text));
    StoreError::Locked { path: datadir.into(), process: text.trim().parse().ok() }
}

/// What the operating system refused.
fn io(action: String, error: &std::io::Error) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::StorageFull => StoreError::NoSpace,
        _ => StoreError::Io { action, reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_directory_is_locked_once_and_tells_by_whom() {
        let directory = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::acquire(directory.path()).unwrap();
        let error = DirectoryLock::acquire(directory.path()).unwrap_err();
        let expected = StoreError::Locked { path: directory.path().into(), process: Some(std::process::id()) };
        assert_eq!(error, expected);
        drop(lock);
        DirectoryLock::acquire(directory.path()).unwrap();
    }

    #[test]
    fn a_lock_of_a_process_that_is_ending_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::acquire(directory.path()).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| DirectoryLock::acquire(directory.path()));
            drop(lock);
            second.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_lock_that_is_a_link_is_refused_and_not_written_through() {
        let directory = tempfile::tempdir().unwrap();
        let victim = directory.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, directory.path().join("LOCK")).unwrap();
        let error = DirectoryLock::acquire(directory.path()).unwrap_err();
        let action = format!("open {}", directory.path().join("LOCK").display());
        assert_eq!(error, StoreError::Io { action, reason: "it is a symbolic link".into() });
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
    }

    #[test]
    fn a_file_in_place_of_the_directory_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "").unwrap();
        let error = DirectoryLock::acquire(&path).unwrap_err();
        assert!(
            matches!(&error, StoreError::Io { action, .. } if *action == format!("create {}", path.display())),
            "{error}"
        );
    }
}
