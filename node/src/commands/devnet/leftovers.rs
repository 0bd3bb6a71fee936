//! The folder of a devnet that is to leave nothing behind, and those of devnets that were killed before they could remove theirs.

use std::{
    fs::{self, DirBuilder},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use crate::{error::CommandError, files, store::DirectoryLock};

/// How the folders begin; the number of the process follows.
const NAME: &str = "cairn-devnet-";

/// How many names are tried: others may have made folders of the first ones.
const NAMES: u32 = 100;

/// Makes a folder for this devnet and locks it, after removing those of devnets that do not run any more.
///
/// # Errors
/// [`CommandError`] if it cannot be made.
pub fn make(place: &Path) -> Result<(PathBuf, DirectoryLock), CommandError> {
    remove_dead(place);
    let folder = make_new(place).map_err(CommandError::io(format!("make a folder in {}", place.display())))?;
    let lock = DirectoryLock::acquire(&folder)?;
    Ok((folder, lock))
}

/// Makes a folder that was not there, for its owner only. All users may write to the place, and could have put a folder or a link
/// of theirs where this one is expected, to read keys or to take the nodes' orders.
fn make_new(place: &Path) -> io::Result<PathBuf> {
    let process = std::process::id();
    let first = place.join(format!("{NAME}{process}"));
    let others = (1..NAMES).map(|number| place.join(format!("{NAME}{process}-{number}")));
    for folder in std::iter::once(first).chain(others) {
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return made.map(|()| folder),
        }
    }
    Err(io::Error::new(ErrorKind::AlreadyExists, format!("{NAMES} of the name {NAME}{process} are there")))
}

/// Removes the folders that no process holds; what cannot be removed stays for the next.
fn remove_dead(place: &Path) {
    let entries = fs::read_dir(place).into_iter().flatten().filter_map(Result::ok);
    for folder in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(NAME)) {
        if is_dead(&folder.path()) {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}

/// Whether a folder is this user's and nobody holds it: neither its devnet, nor a node that has outlived that. One without a
/// lock may just be made.
fn is_dead(folder: &Path) -> bool {
    // SAFETY: cannot fail and touches no memory.
    let own = unsafe { libc::geteuid() };
    let is_own = fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == own);
    let nodes = || fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let free = |lock: &Path| files::open_plain(lock).is_ok_and(|file| file.try_lock().is_ok());
    is_own
        && folder.join("LOCK").exists()
        && free(&folder.join("LOCK"))
        && nodes().map(|node| node.path().join("data/LOCK")).filter(|lock| lock.exists()).all(|lock| free(&lock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_nobody_holds_are_removed_and_no_others() {
        let place = tempfile::tempdir().unwrap();
        let folder = |name: &str| place.path().join(name);
        let dead = folder("cairn-devnet-1");
        drop(DirectoryLock::acquire(&dead).unwrap());
        fs::create_dir_all(dead.join("node-0/data")).unwrap();
        let alive = DirectoryLock::acquire(&folder("cairn-devnet-2")).unwrap();
        // The devnet was killed, one of its nodes still ends.
        drop(DirectoryLock::acquire(&folder("cairn-devnet-3")).unwrap());
        let node = DirectoryLock::acquire(&folder("cairn-devnet-3/node-1/data")).unwrap();
        // No lock yet, or something else.
        for other in ["cairn-devnet-4", "cairn-node-5"] {
            fs::create_dir(folder(other)).unwrap();
        }
        drop(DirectoryLock::acquire(&folder("cairn-node-5")).unwrap());
        std::os::unix::fs::symlink(folder("cairn-node-5"), folder("cairn-devnet-6")).unwrap();
        let (own, _lock) = make(place.path()).unwrap();
        assert!(!dead.exists() && own.exists());
        for kept in ["cairn-devnet-2", "cairn-devnet-3", "cairn-devnet-4", "cairn-node-5", "cairn-devnet-6"] {
            assert!(folder(kept).exists(), "{kept}");
        }
        assert_eq!(mode(&own), 0o700);
        drop((alive, node));
        remove_dead(place.path());
        assert!(!folder("cairn-devnet-2").exists() && !folder("cairn-devnet-3").exists() && own.exists());
    }

    fn mode(folder: &Path) -> u32 {
        fs::metadata(folder).unwrap().mode() & 0o777
    }

    #[test]
    fn what_others_put_in_the_place_of_a_folder_is_not_used() {
        let place = tempfile::tempdir().unwrap();
        let name = |rest: &str| place.path().join(format!("{NAME}{}{rest}", std::process::id()));
        let theirs = place.path().join("theirs");
        fs::create_dir(&theirs).unwrap();
        std::os::unix::fs::symlink(&theirs, name("")).unwrap();
        // A link to nothing, a file, a folder that all may read.
        std::os::unix::fs::symlink("nowhere", name("-1")).unwrap();
        fs::write(name("-2"), "").unwrap();
        fs::create_dir(name("-3")).unwrap();
        let (folder, _lock) = make(place.path()).unwrap();
        assert_eq!((&folder, mode(&folder)), (&name("-4"), 0o700));
        assert_eq!(fs::read_dir(&theirs).unwrap().count(), 0);
        assert_eq!(fs::read_dir(name("-3")).unwrap().count(), 0);
    }

    #[test]
    fn a_place_that_is_full_of_others_folders_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let process = std::process::id();
        fs::create_dir(place.path().join(format!("{NAME}{process}"))).unwrap();
        (1..NAMES).for_each(|number| fs::create_dir(place.path().join(format!("{NAME}{process}-{number}"))).unwrap());
        let refused = make(place.path()).unwrap_err().to_string();
        assert!(refused.contains(&format!("100 of the name {NAME}{process} are there")), "{refused}");
    }
}
