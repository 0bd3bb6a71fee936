//! Room on the disk that holds the data: a warning while there is still time to make some.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// Free bytes from which on the node warns: a day of full blocks needs more, a flush and a compaction a few hundred MB.
const LOW: u64 = 1 << 30;
/// How often it looks.
const EVERY: Duration = Duration::from_secs(600);
/// How often it looks whether the data is still there.
const LOOK: Duration = Duration::from_secs(3);

/// Warns while the disk is nearly full.
pub async fn watch(folder: PathBuf) {
    loop {
        // A disk that cannot be asked is no reason to stop; a failed write is reported anyway.
        if let Some(warning) = free(&folder).ok().and_then(|free| warning(&folder, free)) {
            tracing::warn!("{warning}");
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Ends when the directory is no longer the one that the node started in, with what to say of it. Files that were deleted can
/// still be written, so that nothing else notices: a chain would grow that is gone at the next start.
pub async fn removed(folder: PathBuf) -> String {
    let lock = folder.join("LOCK");
    // A disk that does not answer now may do so later; a store in memory has no such file.
    let before = loop {
        match identity(&lock) {
            Ok(before) => break before,
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    };
    while is_still(&lock, before) {
        tokio::time::sleep(LOOK).await;
    }
    said_of_removed(&folder)
}

/// Whether a file is the one that it was. A disk that does not answer is not one that was emptied.
fn is_still(file: &Path, before: (u64, u64)) -> bool {
    match identity(file) {
        Ok(now) => now == before,
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// What tells a file from all others, whatever its name.
fn identity(file: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(file).map(|data| (data.dev(), data.ino()))
}

fn said_of_removed(folder: &Path) -> String {
    format!(
        "the data directory {} was removed or replaced while the node ran, and what it writes now would be lost: it stops. Put \
         the directory back, if it was moved, and start the node again; without it the node fetches the chain from its peers",
        folder.display()
    )
}

/// Bytes that this user may still write to the disk of a folder.
pub fn free(folder: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

fn warning(folder: &Path, free: u64) -> Option<String> {
    (free < LOW).then(|| {
        format!(
            "the disk that holds {} has {} MB left: free some, or let the node keep fewer blocks (--prune 288). When it is \
             full, the node stops; it keeps every block that it has",
            folder.display(),
            free >> 20
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_disk_that_is_nearly_full_is_named_with_what_is_left() {
        let folder = Path::new("/srv/cairn");
        assert_eq!(warning(folder, LOW), None);
        let said = warning(folder, 700 << 20).unwrap();
        assert!(said.starts_with("the disk that holds /srv/cairn has 700 MB left: free some, or "), "{said}");
    }

    #[test]
    fn the_system_says_how_much_room_a_folder_has() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free(folder.path()).unwrap() > 0);
        assert_eq!(free(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_directory_that_is_removed_moved_or_replaced_is_noticed() {
        let harms: [fn(&Path); 3] = [
            |folder: &Path| fs::remove_dir_all(folder).unwrap(),
            |folder: &Path| fs::rename(folder, folder.with_extension("old")).unwrap(),
            |folder: &Path| {
                fs::rename(folder, folder.with_extension("old")).unwrap();
                fs::create_dir(folder).unwrap();
                fs::write(folder.join("LOCK"), "1").unwrap();
            },
        ];
        for harm in harms {
            let parent = tempfile::tempdir().unwrap();
            let folder = parent.path().join("data");
            fs::create_dir(&folder).unwrap();
            let lock = folder.join("LOCK");
            fs::write(&lock, "1").unwrap();
            let before = identity(&lock).unwrap();
            // What is written in place is the same file.
            fs::write(&lock, "22").unwrap();
            assert!(is_still(&lock, before));
            harm(&folder);
            assert!(!is_still(&lock, before));
        }
    }

    #[tokio::test]
    async fn the_watch_ends_with_what_to_do_when_the_directory_goes() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("LOCK"), "1").unwrap();
        let mut watch = Box::pin(removed(folder.clone()));
        assert!(watch.as_mut().now_or_never().is_none());
        fs::remove_dir_all(&folder).unwrap();
        let said = watch.await;
        assert!(
            said.starts_with(&format!("the data directory {} was removed or replaced", folder.display())),
            "{said}"
        );
    }
}
