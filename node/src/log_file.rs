//! The log file.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

/// The file is renamed at this size.
const MAX_FILE: u64 = 20 << 20;
/// A file that cannot be renamed grows by this part of the limit before that is tried again.
const AGAIN: u64 = 16;

/// A file that is renamed to `NAME.1`, over an older one, when it has grown to its limit.
pub struct BoundedFile {
    path: PathBuf,
    file: File,
    size: u64,
    limit: u64,
    /// The size beyond which it is renamed.
    full: u64,
}

impl BoundedFile {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn open(path: &Path) -> io::Result<Self> {
        let (file, size) = open(path)?;
        Ok(Self { path: path.to_owned(), file, size, limit: MAX_FILE, full: MAX_FILE })
    }

    fn rotate(&mut self) -> io::Result<()> {
        match std::fs::rename(&self.path, self.path.with_added_extension("1")) {
            // It was renamed before, and no new one could be made; or somebody else renamed it.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            renamed => renamed?,
        }
        (self.file, self.size) = open(&self.path)?;
        Ok(())
    }

    /// Begins a new file; if that fails, the old one is written on, and the log says so, once.
    fn make_room(&mut self) {
        let is_first = self.full == self.limit;
        match self.rotate() {
            Ok(()) => self.full = self.limit,
            Err(error) => {
                self.full = self.size + self.limit / AGAIN;
                if is_first {
                    let path = self.path.display();
                    tracing::warn!(
                        "cannot begin a new log file {path}: {error}; the old one grows until that succeeds"
                    );
                }
            }
        }
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

impl Write for BoundedFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.size > 0 && self.size + line.len() as u64 > self.full {
            self.make_room();
        }
        let written = self.file.write(line)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes lines with these numbers.
    fn write(file: &mut BoundedFile, numbers: std::ops::Range<u32>) {
        numbers.for_each(|line| writeln!(file, "line number {line:02} of the log").unwrap());
    }

    /// The lines of a file and their last.
    fn lines(path: &Path) -> (usize, String) {
        let text = std::fs::read_to_string(path).unwrap();
        (text.lines().count(), text.lines().last().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_log_file_never_grows_over_twice_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.log");
        let mut file = BoundedFile::open(&path).unwrap();
        (file.limit, file.full) = (100, 100);
        write(&mut file, 0..50);
        let older = dir.path().join("node.log.1");
        assert!(std::fs::metadata(&path).unwrap().len() <= 100);
        assert!(std::fs::metadata(&older).unwrap().len() <= 100);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("line number 49 of the log\n"));
    }

    #[test]
    fn an_existing_log_file_is_continued() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.log");
        std::fs::write(&path, "before\n").unwrap();
        writeln!(BoundedFile::open(&path).unwrap(), "after").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before\nafter\n");
    }

    #[test]
    fn a_log_file_that_cannot_be_renamed_is_written_on_and_renamed_later() {
        let dir = tempfile::tempdir().unwrap();
        let (path, older) = (dir.path().join("node.log"), dir.path().join("node.log.1"));
        let mut file = BoundedFile::open(&path).unwrap();
        (file.limit, file.full) = (100, 100);
        // No file takes the place of a folder.
        std::fs::create_dir(&older).unwrap();
        write(&mut file, 0..20);
        assert_eq!(lines(&path), (20, "line number 19 of the log".to_owned()));
        std::fs::remove_dir(&older).unwrap();
        write(&mut file, 20..22);
        assert_eq!(lines(&older).0 + lines(&path).0, 22);
        assert_eq!(lines(&path).1, "line number 21 of the log");
        write(&mut file, 22..50);
        assert!(std::fs::metadata(&path).unwrap().len() <= 100, "the limit holds again");
    }

    #[test]
    fn a_log_file_is_written_on_while_no_new_one_can_be_made() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        let path = logs.join("node.log");
        let mut file = BoundedFile::open(&path).unwrap();
        (file.limit, file.full) = (100, 100);
        write(&mut file, 0..3);
        // The folder is moved: neither name can be made where it was.
        let moved = dir.path().join("moved");
        std::fs::rename(&logs, &moved).unwrap();
        write(&mut file, 3..10);
        assert_eq!(lines(&moved.join("node.log")), (10, "line number 09 of the log".to_owned()));
        std::fs::create_dir(&logs).unwrap();
        write(&mut file, 10..13);
        assert_eq!(lines(&path).1, "line number 12 of the log");
    }
}
