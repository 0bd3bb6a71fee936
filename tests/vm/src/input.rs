//! Where tests are read from: a folder, an archive or one file.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// What cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// A file or folder.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder that is there, but holds nothing to run.
    #[error("no tests in {}: neither state_*.tar.zst nor misc.tar.zst nor json files", .0.display())]
    NoTests(PathBuf),
}

/// A json file of tests.
#[derive(Clone, Debug)]
pub struct File {
    /// Path within its pack, the folder that holds everything left out.
    pub path: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// The packs at a path: the archives of a folder that holds some, else the path itself.
///
/// # Errors
/// [`InputError`] if the path cannot be read.
pub fn packs(path: &Path) -> Result<Vec<PathBuf>, InputError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut archives = list(path)?;
    archives.retain(|entry| {
        let name = name_of(entry);
        entry.is_file() && is_archive(&name) && (name.starts_with("state_") || name.starts_with("misc."))
    });
    if archives.is_empty() {
        archives.push(path.to_owned());
    }
    Ok(archives)
}

/// The json files of a pack, by path.
///
/// # Errors
/// [`InputError`] if it cannot be read or holds none.
pub fn read(pack: &Path) -> Result<Vec<File>, InputError> {
    let unreadable = |source| InputError::Unreadable { path: pack.to_owned(), source };
    let name = name_of(pack);
    let mut files = if pack.is_dir() {
        let mut files = Vec::new();
        read_folder(pack, "", &mut files)?;
        files
    } else if is_archive(&name) {
        read_archive(pack, |path| path.ends_with(".json"))?
    } else {
        vec![File { path: name, bytes: fs::read(pack).map_err(unreadable)? }]
    };
    if files.is_empty() {
        return Err(InputError::NoTests(pack.to_owned()));
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// The files of an archive whose path is wanted.
///
/// # Errors
/// [`InputError`] if it cannot be read.
pub fn read_archive(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<File>, InputError> {
    let read = || {
        let file = BufReader::new(fs::File::open(path)?);
        if name_of(path).ends_with(".zst") { read_tar(Zstd::new(file), wanted) } else { read_tar(file, wanted) }
    };
    read().map_err(|source| InputError::Unreadable { path: path.to_owned(), source })
}

fn is_archive(name: &str) -> bool {
    name.ends_with(".tar.zst") || name.ends_with(".tar")
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, InputError> {
    let unreadable = |source| InputError::Unreadable { path: folder.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>().map_err(unreadable)?;
    paths.sort();
    Ok(paths)
}

/// Files and folders whose names begin with a dot hold no tests but what tools keep beside them.
fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.') && part != ".")
}

fn read_folder(folder: &Path, prefix: &str, files: &mut Vec<File>) -> Result<(), InputError> {
    for entry in list(folder)? {
        let path = format!("{prefix}{}", name_of(&entry));
        if is_hidden(&path) {
            continue;
        }
        if entry.is_dir() {
            read_folder(&entry, &format!("{path}/"), files)?;
        } else if path.ends_with(".json") {
            let bytes = fs::read(&entry).map_err(|source| InputError::Unreadable { path: entry, source })?;
            files.push(File { path, bytes });
        }
    }
    Ok(())
}

fn read_tar(reader: impl Read, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    for entry in tar::Archive::new(reader).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
        if entry.header().entry_type().is_file() && wanted(&path) && !is_hidden(&path) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            files.push(File { path, bytes });
        }
    }
    strip_common_folder(&mut files);
    Ok(files)
}

/// Archives mostly hold one folder of their own name.
fn strip_common_folder(files: &mut [File]) {
    let Some((folder, _)) = files.first().and_then(|file| file.path.split_once('/')) else { return };
    let folder = format!("{folder}/");
    if files.iter().all(|file| file.path.starts_with(&folder)) {
        for file in files {
            file.path.drain(..folder.len());
        }
    }
}

/// Reads all frames of a zstd file, one after the other.
struct Zstd<R: BufRead> {
    frame: Option<ruzstd::decoding::StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>,
    rest: Option<R>,
}

impl<R: BufRead> Zstd<R> {
    fn new(reader: R) -> Self {
        Self { frame: None, rest: Some(reader) }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let count = frame.read(buffer)?;
                if count > 0 || buffer.is_empty() {
                    return Ok(count);
                }
                self.rest = self.frame.take().map(ruzstd::decoding::StreamingDecoder::into_inner);
            }
            let Some(mut rest) = self.rest.take() else { return Ok(0) };
            if rest.fill_buf()?.is_empty() {
                return Ok(0);
            }
            self.frame = Some(ruzstd::decoding::StreamingDecoder::new(rest).map_err(io::Error::other)?);
        }
    }
}
