//! The folder of a devnet that is to leave nothing behind, and those of devnets that were killed before they could remove theirs.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::{error::CommandError, files, store::DirectoryLock};

/// How the names of the folders begin.
const NAME: &str = "cairn-devnet-";

/// Makes a folder for this devnet and locks it, after removing those of devnets that do not run any more.
///
/// # Errors
/// [`CommandError`] if it cannot be made.
pub fn make(place: &Path) -> Result<(PathBuf, DirectoryLock), CommandError> {
    remove_dead(place);
    // All users may write to the place: what is there with this name already is not used, and others cannot read the new one.
    let new = tempfile::Builder::new().prefix(NAME).permissions(Permissions::from_mode(0o700)).tempdir_in(place);
    let folder = new.map_err(CommandError::io(format!("make a folder in {}", place.display())))?.keep();
    let lock = DirectoryLock::acquire(&folder)?;
    Ok((folder, lock))
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
        assert_eq!(fs::metadata(&own).unwrap().mode() & 0o777, 0o700);
        drop((alive, node));
        remove_dead(place.path());
        assert!(!folder("cairn-devnet-2").exists() && !folder("cairn-devnet-3").exists() && own.exists());
    }
}
