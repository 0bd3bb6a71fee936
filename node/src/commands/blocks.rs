//! `cairn-node export` and `import`: the blocks of a chain as one file.
//!
//! The file starts with [`MAGIC`] and the genesis hash; each block follows as its length (u32, little-endian) and its
//! encoded bytes, lowest first.

use cairn_client::counted;
use chain_core::{
    block::Block,
    codec::{self, MAX_ENCODED},
    hash::BlockHash,
    units::Height,
};
use serde_json::json;
use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, BufWriter, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

use crate::{
    config::Config,
    engine::BlockOutcome,
    error::CommandError,
    files,
    open::{self, Opened},
    output::{Progress, say},
    program,
    store::{BlockRef, Snapshot},
};

/// First bytes of a file of blocks.
const MAGIC: &[u8; 16] = b"cairn blocks v1\n";

/// Refuses to write over a file: an export may be the only copy of a chain.
///
/// # Errors
/// [`CommandError::FileExists`].
pub fn refuse_existing(file: &Path, replace: bool) -> Result<(), CommandError> {
    // A pipe or a device is written to, not replaced.
    match file.is_file() && !replace {
        true => Err(CommandError::FileExists(file.into())),
        false => Ok(()),
    }
}

/// Writes blocks `from..=to` of the active chain.
pub fn export(config: Config, file: &Path, from: Height, to: Option<Height>, json: bool) -> Result<(), CommandError> {
    let store = open::open_existing(&config)?;
    let snapshot = store.reader().snapshot()?;
    let tip = snapshot.tip().height;
    let to = to.unwrap_or(tip);
    if tip == 0 {
        return Err(CommandError::NoBlocks);
    }
    for (flag, got) in [("from", from), ("to", to)] {
        if got > tip {
            return Err(CommandError::Height { flag, got, tip });
        }
    }
    if from > to {
        return Err(CommandError::Range { from, to });
    }
    // Before anything is written: the first block may be pruned.
    snapshot.body_bytes(at(&snapshot, from)?)?;
    let genesis = at(&snapshot, 0)?.hash;
    if file.as_os_str() == "-" {
        write_blocks(&mut io::stdout().lock(), &snapshot, genesis, from, to, file)?;
        return Ok(());
    }
    let mut out = Output::open(file).map_err(CommandError::write(file))?;
    let mut blocks = BufWriter::new(out.file());
    write_blocks(&mut blocks, &snapshot, genesis, from, to, file)?;
    drop(blocks);
    out.finish().map_err(CommandError::write(file))?;
    match json {
        true => say(format_args!("{:#}\n", json!({ "file": file, "from": from, "to": to }))),
        false => say(format_args!("wrote blocks {from} to {to} to {}\n", file.display())),
    }
    Ok(())
}

/// Where an export goes.
enum Output {
    /// A pipe, a terminal, `/dev/null`.
    Direct(File),
    /// A plain file, which has its name once it is whole; what is written until then goes if anything fails.
    Whole(NamedTempFile, PathBuf),
}

impl Output {
    fn open(path: &Path) -> io::Result<Self> {
        // A link stays one: the file that it names is replaced.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        // A directory is refused by the system.
        if std::fs::metadata(&path).is_ok_and(|data| !data.is_file()) {
            return Ok(Self::Direct(OpenOptions::new().write(true).open(&path)?));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self::Whole(tempfile::Builder::new().prefix(".cairn-").suffix(".partial").tempfile_in(folder)?, path))
    }

    fn file(&mut self) -> &mut File {
        match self {
            Self::Direct(file) => file,
            Self::Whole(file, _) => file.as_file_mut(),
        }
    }

    fn finish(self) -> io::Result<()> {
        if let Self::Whole(file, path) = self {
            file.as_file().sync_all()?;
            file.persist(&path)?;
            // It is whole and has its name, whatever comes.
            if let Err(error) = files::sync_parent(&path) {
                let path = path.display();
                tracing::warn!("{path} is written, but its name may not survive a power failure: {error}");
            }
        }
        Ok(())
    }
}

fn at(snapshot: &Snapshot, height: Height) -> Result<BlockRef, CommandError> {
    let missing = || {
        CommandError::Stopped(format!(
            "the chain has no block at height {height}: run `{}`",
            program::on_this_data("reindex")
        ))
    };
    snapshot.at_height(height)?.ok_or_else(missing)
}

fn write_blocks(
    out: &mut impl Write,
    snapshot: &Snapshot,
    genesis: BlockHash,
    from: Height,
    to: Height,
    file: &Path,
) -> Result<(), CommandError> {
    out.write_all(MAGIC).and_then(|()| out.write_all(&genesis.0)).map_err(CommandError::write(file))?;
    let mut progress = Progress::new("Exporting", u64::from((to + 1).saturating_sub(from)));
    for height in from..=to {
        let at = at(snapshot, height)?;
        let bytes = snapshot.body_bytes(at)?;
        // A block encodes to at most 8 MiB.
        let length = bytes.len() as u32;
        out.write_all(&length.to_le_bytes()).and_then(|()| out.write_all(&bytes)).map_err(CommandError::write(file))?;
        progress.at(u64::from(height - from + 1));
    }
    out.flush().map_err(CommandError::write(file))?;
    progress.finish();
    Ok(())
}

/// Hands in the blocks of a file.
pub fn import(config: Config, file: &Path, json: bool) -> Result<(), CommandError> {
    let input: Box<dyn Read> = match file.as_os_str() == "-" {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(file).map_err(CommandError::io(format!("open {}", file.display())))?),
    };
    let total = std::fs::metadata(file).map(|data| data.len()).ok();
    let opened = open::open(&config)?;
    let blocks = BlockFile::open(BufReader::new(input), file, opened.genesis)?;
    let (known, new) = import_all(&opened, blocks, total)?;
    let height = opened.engine.chain_info().height;
    opened.close()?;
    match json {
        true => say(format_args!("{:#}\n", json!({ "imported": new, "known": known, "height": height }))),
        false => say(format_args!(
            "imported {}, {known} known before; the tip is at height {height}\n",
            counted(new, "block")
        )),
    }
    Ok(())
}

fn import_all(opened: &Opened, mut blocks: BlockFile<'_>, total: Option<u64>) -> Result<(u64, u64), CommandError> {
    let mut progress = Progress::bytes("Importing", total.unwrap_or_default());
    let (mut known, mut new) = (0, 0);
    while let Some(block) = blocks.next()? {
        match hand_in(opened, block)? {
            BlockOutcome::Known => known += 1,
            _ => new += 1,
        }
        progress.at(blocks.read);
    }
    progress.finish();
    Ok((known, new))
}

fn hand_in(opened: &Opened, block: Block) -> Result<BlockOutcome, CommandError> {
    let hash = block.hash();
    let refused = |error| CommandError::Stopped(format!("block {hash} is refused: {error}"));
    opened.runtime().block_on(opened.engine.submit_block(block)).map_err(refused)
}

/// Reads a file of blocks, one at a time.
struct BlockFile<'p> {
    input: BufReader<Box<dyn Read>>,
    path: &'p Path,
    count: u64,
    read: u64,
}

impl<'p> BlockFile<'p> {
    fn open(mut input: BufReader<Box<dyn Read>>, path: &'p Path, genesis: BlockHash) -> Result<Self, CommandError> {
        let wrong = |reason: String| CommandError::BlockFile { path: path.to_owned(), reason };
        let (mut magic, mut of) = ([0; MAGIC.len()], BlockHash::default());
        if input.read_exact(&mut magic).and_then(|()| input.read_exact(&mut of.0)).is_err() || &magic != MAGIC {
            return Err(wrong("not a file that `cairn-node export` wrote".into()));
        }
        if of != genesis {
            return Err(wrong(format!("holds blocks of another chain: its genesis is {of}, here it is {genesis}")));
        }
        Ok(Self { input, path, count: 0, read: 48 })
    }

    fn next(&mut self) -> Result<Option<Block>, CommandError> {
        let Some(first) = self.input.by_ref().bytes().next() else { return Ok(None) };
        let mut length = [first.map_err(|error| self.wrong(error))?, 0, 0, 0];
        self.read(&mut length[1..])?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_ENCODED {
            return Err(self.wrong(format_args!("{length} bytes, more than a block may have")));
        }
        let mut bytes = vec![0; length];
        self.read(&mut bytes)?;
        let block = codec::decode(&bytes).map_err(|error| self.wrong(error))?;
        self.count += 1;
        self.read += 4 + length as u64;
        Ok(Some(block))
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), CommandError> {
        self.input.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => self.wrong("the file ends within it"),
            _ => self.wrong(error),
        })
    }

    fn wrong(&self, reason: impl std::fmt::Display) -> CommandError {
        let reason = format!("block number {} in the file: {reason}", self.count + 1);
        CommandError::BlockFile { path: self.path.to_owned(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = entries.collect();
        names.sort();
        names
    }

    #[test]
    fn an_export_touches_no_file_but_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let partial = at(&format!("blocks.partial-{}-0", std::process::id()));
        fs::write(at("victim"), "precious").unwrap();
        symlink(at("victim"), &partial).unwrap();
        fs::write(at("blocks.partial"), "mine").unwrap();
        let before = names(folder.path());
        let mut out = Output::open(&at("blocks")).unwrap();
        out.file().write_all(b"blocks").unwrap();
        drop(out);
        assert_eq!(names(folder.path()), before, "one that fails leaves nothing");
        let mut out = Output::open(&at("blocks")).unwrap();
        out.file().write_all(b"blocks").unwrap();
        out.finish().unwrap();
        assert_eq!(fs::read(at("blocks")).unwrap(), b"blocks");
        assert_eq!(
            (fs::read(at("victim")).unwrap(), fs::read(at("blocks.partial")).unwrap()),
            (b"precious".into(), b"mine".into())
        );
        assert_eq!(names(folder.path()).len(), before.len() + 1);
    }

    #[test]
    fn an_export_over_a_link_replaces_what_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let (link, file) = (folder.path().join("link"), folder.path().join("file"));
        fs::write(&file, "old").unwrap();
        symlink(&file, &link).unwrap();
        let mut out = Output::open(&link).unwrap();
        out.file().write_all(b"new").unwrap();
        out.finish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
    }

    #[test]
    fn an_export_into_a_pipe_is_written_into_it() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let name = std::ffi::CString::new(fifo.to_str().unwrap()).unwrap();
        // SAFETY: the path ends in a zero.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || fs::read(fifo).unwrap()
        });
        let mut out = Output::open(&fifo).unwrap();
        out.file().write_all(b"blocks").unwrap();
        out.finish().unwrap();
        assert_eq!(reader.join().unwrap(), b"blocks");
        assert_eq!(names(folder.path()), ["fifo"]);
        assert!(Output::open(folder.path()).is_err(), "a directory");
    }
}
