//! The data directory: one process at a time.

use std::{
    fs::{self, File, TryLockError},
    io::{ErrorKind, Read, Seek, Write},
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

    /// Whether a data directory has no database yet.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be told.
    pub fn is_new(datadir: &Path) -> Result<bool, StoreError> {
        is_new(&Self::database(datadir))
    }
}

/// Whether a database has to be made here, since there is none.
///
/// RocksDB finds its files by one named `CURRENT`. Without that it would make a new database over one that is there, and
/// delete all its files as left over: a node that loses this small file must not lose the chain.
///
/// # Errors
/// [`StoreError::Corrupt`] if `CURRENT` is missing and rows are there; [`StoreError::Io`] if anything that is not a plain
/// file stands among the files: opening a FIFO waits until somebody writes.
pub(super) fn is_new(database: &Path) -> Result<bool, StoreError> {
    match fs::symlink_metadata(database) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(io(format!("look at {}", database.display()), &error)),
        Ok(_) => {}
    }
    let unreadable = |error: &std::io::Error| io(format!("read the directory {}", database.display()), error);
    let (mut current, mut rows) = (false, 0_usize);
    for entry in fs::read_dir(database).map_err(|error| unreadable_database(database, &error))? {
        let entry = entry.map_err(|error| unreadable(&error))?;
        let (path, mut kind) = (entry.path(), entry.file_type().map_err(|error| unreadable(&error))?);
        if kind.is_symlink() {
            match fs::metadata(&path) {
                Ok(target) => kind = target.file_type(),
                // A link to nothing is as good as no file.
                Err(_) => continue,
            }
        }
        if !kind.is_file() && !kind.is_dir() {
            let reason = "it is not a plain file, and the database did not make it: remove it".into();
            return Err(StoreError::Io { action: format!("open {}", path.display()), reason });
        }
        current |= kind.is_file() && entry.file_name() == "CURRENT";
        rows += usize::from(path.extension().is_some_and(|ending| ROWS.iter().any(|rows| ending == *rows)));
    }
    match (current, rows) {
        (true, _) => Ok(false),
        // Nothing, or what a first start leaves that was killed before it was done.
        (false, 0) => Ok(true),
        (false, rows) => Err(StoreError::Corrupt(format!(
            "{} is missing, although there are {rows} files of a database",
            database.join("CURRENT").display()
        ))),
    }
}

/// How the names of files end that hold rows.
const ROWS: [&str; 3] = ["sst", "blob", "log"];

/// Why what stands in the place of the database cannot be listed.
fn unreadable_database(database: &Path, error: &std::io::Error) -> StoreError {
    let action = format!("read the directory {}", database.display());
    match error.kind() {
        ErrorKind::NotADirectory => {
            let reason = "it, or what it links to, is not a directory: move it away, and start again".into();
            StoreError::Io { action, reason }
        }
        ErrorKind::NotFound => {
            let reason =
                "it is a link to a directory that does not exist: make that (is its disk mounted?), or remove the \
                          link, and start again"
                    .into();
            StoreError::Io { action, reason }
        }
        _ => io(action, error),
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
pub(super) fn io(action: String, error: &std::io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::StorageFull => StoreError::NoSpace,
        ErrorKind::PermissionDenied => StoreError::Io {
            action,
            reason: format!("{error}; run as the user who owns the directory, or choose another with --datadir"),
        },
        ErrorKind::ReadOnlyFilesystem => {
            StoreError::Io { action, reason: format!("{error}; choose another with --datadir") }
        }
        _ => StoreError::Io { action, reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let reason = "it is a symbolic link, and those are not followed here: put the file itself in its place".into();
        assert_eq!(error, StoreError::Io { action, reason });
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

    fn refused(database: &Path) -> (String, String) {
        match is_new(database).unwrap_err() {
            StoreError::Io { action, reason } => (action, reason),
            error => panic!("{error}"),
        }
    }

    #[test]
    fn a_first_start_that_was_killed_is_begun_again() {
        let directory = tempfile::tempdir().unwrap();
        let database = DirectoryLock::database(directory.path());
        assert_eq!(is_new(&database), Ok(true));
        fs::create_dir(&database).unwrap();
        assert_eq!(is_new(&database), Ok(true));
        for left in ["LOG", "LOCK", "IDENTITY", "MANIFEST-000001", "000001.dbtmp"] {
            fs::write(database.join(left), "").unwrap();
        }
        assert_eq!(is_new(&database), Ok(true));
        fs::write(database.join("CURRENT"), "MANIFEST-000001\n").unwrap();
        assert_eq!(is_new(&database), Ok(false));
    }

    #[test]
    fn no_database_is_made_over_the_files_of_another() {
        for file in ["000008.sst", "000009.blob", "000007.log"] {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join(file), "rows").unwrap();
            std::os::unix::fs::symlink("nowhere", directory.path().join("CURRENT")).unwrap();
            let said = format!(
                "{} is missing, although there are 1 files of a database",
                directory.path().join("CURRENT").display()
            );
            assert_eq!(is_new(directory.path()), Err(StoreError::Corrupt(said)));
        }
    }

    #[test]
    fn what_is_not_a_database_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let database = DirectoryLock::database(directory.path());
        fs::write(directory.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("file", &database).unwrap();
        let action = format!("read the directory {}", database.display());
        let not_one = "it, or what it links to, is not a directory: move it away, and start again";
        assert_eq!(refused(&database), (action.clone(), not_one.into()));
        fs::remove_file(directory.path().join("file")).unwrap();
        let nothing = "it is a link to a directory that does not exist: make that (is its disk mounted?), or remove the \
                       link, and start again";
        assert_eq!(refused(&database), (action, nothing.into()));
    }

    #[test]
    fn a_fifo_among_the_files_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("CURRENT");
        let name = std::ffi::CString::new(fifo.to_str().unwrap()).unwrap();
        // SAFETY: the path ends in a zero.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let reason = "it is not a plain file, and the database did not make it: remove it";
        assert_eq!(refused(directory.path()), (format!("open {}", fifo.display()), reason.into()));
    }
}
