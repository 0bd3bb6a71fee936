//! Small files of the node: read only if they are plain files, replaced in one step, readable by their owner alone.
//!
//! The data directory may lie where others can write. A link there must not have the node write elsewhere, and a FIFO or a
//! file of a terabyte must not keep it from starting.

use parking_lot::Mutex;
use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Where a link stands, another user may have put it there.
const LINK: &str = "it is a symbolic link, and those are not followed here: put the file itself in its place";

/// One replacement at a time, so that two of one file do not share their partial file.
static REPLACING: Mutex<()> = Mutex::new(());

/// Files and sockets that a process may have open on every system that lets it choose.
const MOST_OPEN: libc::rlim_t = 65_536;

/// Has the system let this process open as many files as it may; returns how many. Shells often begin with 1,024, and a
/// thousand miners or subscribers would leave the database none.
pub fn raise_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it writes to the struct that it is given.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return 0;
    }
    let raised = libc::rlimit { rlim_cur: limit.rlim_max.min(MOST_OPEN), ..limit };
    // SAFETY: it reads the struct that it is given.
    if raised.rlim_cur > limit.rlim_cur && unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) } == 0 {
        return raised.rlim_cur;
    }
    limit.rlim_cur
}

/// Keeps what this process makes from every other user, also what libraries make.
pub fn own_umask() {
    // SAFETY: it only changes the mask of this process.
    unsafe { libc::umask(0o077) };
}

/// Makes a directory, for its owner only, unless it is there.
///
/// # Errors
/// If it cannot be made.
pub fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens a plain file to read and write, makes it if it is not there, and follows no link.
///
/// # Errors
/// If it is no plain file; what the system refuses.
pub fn open_plain(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    plain(options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path))
}

/// Reads a plain file of at most so many bytes; `None` if there is none.
///
/// # Errors
/// If it is a link, no plain file, or larger; what the system refuses.
pub fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut options = OpenOptions::new();
    // Without it, opening a FIFO waits until somebody writes.
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = match plain(options.open(path)) {
        Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => return Ok(None),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("it has more than {most} bytes")));
    }
    Ok(Some(bytes))
}

/// As [`read`], for a file that holds a secret: what other users may read or write is closed to them first, with a warning,
/// for one of them may have read it.
///
/// # Errors
/// As [`read`]; if it belongs to another user, and so cannot be closed.
pub fn read_secret(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(bytes) = read(path, most)? else { return Ok(None) };
    // Not through a link: `read` has refused that.
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("other users can read it (mode {mode:o}), and that cannot be changed: {error}"),
            )
        })?;
        tracing::warn!(
            "other users could read {} (mode {mode:o}); now only you can. If one of them may have copied it, stop the \
             node and delete the file: a new one is made",
            path.display()
        );
    }
    Ok(Some(bytes))
}

/// The 32 bytes of a secret that a file holds as 64 hexadecimal digits, with blanks around them at most.
pub fn hex_secret(text: &[u8]) -> Option<[u8; 32]> {
    let mut secret = [0; 32];
    hex::decode_to_slice(text.trim_ascii(), &mut secret).ok()?;
    Some(secret)
}

fn plain(opened: io::Result<File>) -> io::Result<File> {
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => io::Error::new(ErrorKind::InvalidData, LINK),
        // A FIFO that nobody reads, or a socket.
        Some(libc::ENXIO) => io::Error::new(ErrorKind::InvalidData, "it is not a plain file"),
        _ => error,
    })?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(ErrorKind::InvalidData, "it is not a plain file")),
    }
}

/// Makes a new file with this content.
///
/// # Errors
/// If anything stands there; what the system refuses.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // O_EXCL follows no link.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // On a full disk what is left would fill it, or be taken for the whole. The first error is the one to tell.
        let _ = fs::remove_file(path);
    }
    written
}

/// Replaces a file in one step: after a power failure it has the old content or the new.
///
/// # Errors
/// What the system refuses; the file before stays then.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let _one = REPLACING.lock();
    let partial = path.with_added_extension("partial");
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => create(&partial, bytes)?,
    }
    fs::rename(&partial, path)?;
    sync_parent(path)
}

/// Has a new name of a file on disk, which it is only when its directory is.
///
/// # Errors
/// If the disk refuses.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn fifo(path: &Path) {
        let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: the path ends in a zero.
        assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    }

    #[test]
    fn a_file_is_replaced_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("payout.json");
        assert_eq!(read(&file, 9).unwrap(), None);
        replace(&file, b"one").unwrap();
        replace(&file, b"two").unwrap();
        assert_eq!(read(&file, 3).unwrap().unwrap(), b"two");
        assert_eq!(mode(&file), 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        assert_eq!(read(&file, 2).unwrap_err().to_string(), "it has more than 2 bytes");
    }

    #[test]
    fn a_secret_that_others_can_read_is_closed_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nodekey");
        for open in [0o644, 0o640, 0o602, 0o777] {
            fs::write(&file, "secret").unwrap();
            fs::set_permissions(&file, Permissions::from_mode(open)).unwrap();
            assert_eq!(read_secret(&file, 9).unwrap().unwrap(), b"secret");
            assert_eq!(mode(&file), 0o600, "{open:o}");
        }
        assert_eq!(read_secret(&folder.path().join("none"), 9).unwrap(), None);
        fs::set_permissions(&file, Permissions::from_mode(0o400)).unwrap();
        read_secret(&file, 9).unwrap();
        assert_eq!(mode(&file), 0o400, "what is closed is left as it is");
    }

    #[test]
    fn nothing_is_written_or_read_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, victim) = (folder.path().join("payout.json"), folder.path().join("victim"));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, file.with_added_extension("partial")).unwrap();
        symlink(&victim, &file).unwrap();
        assert_eq!(read(&file, 100).unwrap_err().to_string(), LINK);
        assert_eq!(open_plain(&file).unwrap_err().to_string(), LINK);
        assert_eq!(create(&file, b"new").unwrap_err().kind(), ErrorKind::AlreadyExists);
        replace(&file, b"new").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert_eq!(read(&file, 100).unwrap().unwrap(), b"new");
    }

    #[test]
    fn a_fifo_or_a_directory_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nodekey");
        fifo(&file);
        assert_eq!(read(&file, 100).unwrap_err().to_string(), "it is not a plain file");
        assert_eq!(open_plain(&file).unwrap_err().to_string(), "it is not a plain file");
        assert_eq!(read(folder.path(), 100).unwrap_err().to_string(), "it is not a plain file");
    }

    /// Runs in a process whose files may not grow: see the next test.
    #[test]
    #[ignore = "run by the test of a disk without space"]
    fn writes_more_than_fits() {
        let file = Path::new(&std::env::var_os("CAIRN_TEST_DIRECTORY").unwrap()).join("secret");
        let long = vec![b'x'; 1 << 20];
        assert!(create(&file, &long).is_err() && !file.exists());
        replace(&file, b"short").unwrap();
        assert!(replace(&file, &long).is_err());
        assert_eq!(fs::read(&file).unwrap(), b"short");
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no part of it is left");
    }

    #[test]
    fn a_file_that_does_not_fit_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("bash");
        let run = "ulimit -f 64; trap '' XFSZ; exec \"$0\" --exact files::tests::writes_more_than_fits --ignored";
        child.args(["-c", run]).arg(std::env::current_exe().unwrap()).env("CAIRN_TEST_DIRECTORY", folder.path());
        let output = child.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
    }

    #[test]
    fn a_directory_is_made_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        make_dir(&inner).unwrap();
        make_dir(&inner).unwrap();
        assert_eq!((mode(&inner), mode(&folder.path().join("a"))), (0o700, 0o700));
    }
}
