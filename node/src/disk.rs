//! Room on the disk that holds the data: a warning while there is still time to make some.

use std::{
    ffi::CString,
    io,
    mem::MaybeUninit,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// Free bytes from which on the node warns: a day of full blocks needs more, a flush and a compaction a few hundred MB.
const LOW: u64 = 1 << 30;
/// How often it looks.
const EVERY: Duration = Duration::from_secs(600);

/// Warns while the disk is nearly full.
pub async fn watch(folder: PathBuf) {
    loop {
        // A disk that does not say is no reason to stop; what cannot be written will be said.
        if let Some(warning) = free(&folder).ok().and_then(|free| warning(&folder, free)) {
            tracing::warn!("{warning}");
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Bytes that this user may still write to the disk of a folder.
fn free(folder: &Path) -> io::Result<u64> {
    let path = CString::new(folder.as_os_str().as_bytes()).map_err(io::Error::other)?;
    let mut found = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends in a zero, and the system fills the structure unless it reports an error.
    let found = unsafe {
        if libc::statvfs(path.as_ptr(), found.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        found.assume_init()
    };
    // Types differ between systems.
    #[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
    Ok((found.f_bavail as u64).saturating_mul(found.f_frsize as u64))
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
}
