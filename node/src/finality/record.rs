//! A member's record: what it has signed last, in a file beside its key.
//!
//! The database keeps the same promise, but can come back older than it was: after damage to its log RocksDB opens as of the last write
//! before the damage, and `reindex --force` begins a new one. A member that forgot a vote could sign a second block. So the later
//! promise of both counts, and a key without this file does not vote.

use chain_core::{
    codec,
    hash::{BlockHash, sha256},
    transaction::coin::KeyBytes,
    units::Height,
};
use serde::{Deserialize, Serialize};
use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use super::promise::Promise;
use crate::files;

/// Most bytes of a file: a promise has at most 67 signatures.
const MOST: u64 = 64 << 10;

/// Bytes of the checksum, which comes first.
const SUM: usize = 32;

/// What a member has signed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    path: PathBuf,
    member: KeyBytes,
    genesis: BlockHash,
    promise: Option<Promise>,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Content {
    /// Whose record it is.
    member: KeyBytes,
    /// Genesis block of the chain, and the promise there; nothing before the first vote.
    promise: Option<(BlockHash, Promise)>,
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The file is missing.
    #[error("it does not exist")]
    Missing,
    /// The file holds something else.
    #[error("it is damaged")]
    Damaged,
    /// It was left here by another key, or came without its own.
    #[error("it belongs to another key: move it to that one")]
    OtherKey,
    /// It comes from the data of another chain.
    #[error("it belongs to another chain: move it to the data of that one")]
    OtherChain,
    /// Nothing is wrong with it.
    #[error(
        "it is whole: the member has signed votes up to height {0}, and votes again once the checkpoint before that is final. If no \
        node has the certificate of that checkpoint any more, --forget-votes gives the votes up (docs/finality.md)"
    )]
    Whole(Height),
}

impl Record {
    /// Name of the file in the data directory.
    pub const FILE: &str = "member.votes";

    /// Begins the record of a new key.
    ///
    /// # Errors
    /// What the system refuses; [`ErrorKind::AlreadyExists`] if the file holds the votes of another key, or cannot be read.
    pub fn begin(path: &Path, member: KeyBytes) -> io::Result<()> {
        match read(path) {
            Err(RecordError::Missing) | Ok(Content { promise: None, .. }) => write(path, member, None),
            Err(RecordError::File(error)) => Err(error),
            Ok(_) | Err(_) => Err(ErrorKind::AlreadyExists.into()),
        }
    }

    /// Reads the record of a member of a chain.
    ///
    /// # Errors
    /// [`RecordError`]: without it the member must not vote.
    pub fn open(path: &Path, member: KeyBytes, genesis: BlockHash) -> Result<Self, RecordError> {
        let content = read(path)?;
        if content.member != member {
            return Err(RecordError::OtherKey);
        }
        let promise = match content.promise {
            Some((chain, _)) if chain != genesis => return Err(RecordError::OtherChain),
            promise => promise.map(|(_, promise)| promise),
        };
        Ok(Self { path: path.to_owned(), member, genesis, promise })
    }

    /// Replaces a record that was lost, or one whose votes are to be forgotten: the member says nothing of checkpoints below this
    /// height.
    ///
    /// # Errors
    /// [`RecordError::Whole`] if it has votes that are not to be forgotten; if it is another's; what the system refuses.
    pub fn resume(
        path: &Path,
        member: KeyBytes,
        genesis: BlockHash,
        height: Height,
        forget: bool,
    ) -> Result<(), RecordError> {
        match read(path) {
            Ok(content) if content.member != member => return Err(RecordError::OtherKey),
            Ok(Content { promise: Some((chain, promise)), .. }) if !promise.is_empty() => {
                if chain != genesis {
                    return Err(RecordError::OtherChain);
                }
                if !forget {
                    return Err(RecordError::Whole(promise.height));
                }
            }
            Ok(_) | Err(RecordError::Missing | RecordError::Damaged) => {}
            Err(error) => return Err(error),
        }
        write(path, member, Some((genesis, Promise::new(height)))).map_err(Into::into)
    }

    /// What a member said last, on whatever chain.
    ///
    /// # Errors
    /// As [`Record::open`].
    pub fn last(path: &Path, member: KeyBytes) -> Result<Option<Promise>, RecordError> {
        match read(path)? {
            content if content.member != member => Err(RecordError::OtherKey),
            content => Ok(content.promise.map(|(_, promise)| promise)),
        }
    }

    /// What the member must keep to.
    pub fn promise(&self) -> Option<&Promise> {
        self.promise.as_ref()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a promise; it is on disk when this returns.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn keep(&mut self, promise: &Promise) -> io::Result<()> {
        write(&self.path, self.member, Some((self.genesis, promise.clone())))?;
        self.promise = Some(promise.clone());
        Ok(())
    }
}

fn read(path: &Path) -> Result<Content, RecordError> {
    let bytes = files::read(path, MOST)?.ok_or(RecordError::Missing)?;
    let (sum, content) = bytes.split_at_checked(SUM).ok_or(RecordError::Damaged)?;
    if sum != sha256(content) {
        return Err(RecordError::Damaged);
    }
    codec::decode(content).map_err(|_| RecordError::Damaged)
}

fn write(path: &Path, member: KeyBytes, promise: Option<(BlockHash, Promise)>) -> io::Result<()> {
    let content = codec::encode(&Content { member, promise });
    files::replace(path, &[&sha256(&content)[..], &content].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: KeyBytes = KeyBytes([1; 32]);
    const OTHER: KeyBytes = KeyBytes([2; 32]);
    const GENESIS: BlockHash = BlockHash([3; 32]);

    fn promise(height: Height) -> Promise {
        Promise { view: 1, accepted: Some((1, BlockHash([9; 32]))), ..Promise::new(height) }
    }

    fn said(path: &Path) -> Option<Promise> {
        Record::open(path, MEMBER, GENESIS).unwrap().promise().cloned()
    }

    #[test]
    fn what_a_member_said_is_read_back_for_its_key_and_chain_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(Record::FILE);
        assert!(matches!(Record::open(&path, MEMBER, GENESIS), Err(RecordError::Missing)));
        Record::begin(&path, MEMBER).unwrap();
        assert_eq!(said(&path), None);
        Record::open(&path, MEMBER, GENESIS).unwrap().keep(&promise(20)).unwrap();
        assert_eq!(said(&path), Some(promise(20)));
        assert!(matches!(Record::open(&path, OTHER, GENESIS), Err(RecordError::OtherKey)));
        assert!(matches!(Record::open(&path, MEMBER, BlockHash([4; 32])), Err(RecordError::OtherChain)));
    }

    #[test]
    fn a_record_with_one_wrong_bit_or_cut_short_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(Record::FILE);
        Record::begin(&path, MEMBER).unwrap();
        Record::open(&path, MEMBER, GENESIS).unwrap().keep(&promise(20)).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1 << (at % 8);
            std::fs::write(&path, wrong).unwrap();
            assert!(matches!(Record::open(&path, MEMBER, GENESIS), Err(RecordError::Damaged)), "byte {at}");
            std::fs::write(&path, &bytes[..at]).unwrap();
            assert!(matches!(Record::open(&path, MEMBER, GENESIS), Err(RecordError::Damaged)), "{at} bytes");
        }
        assert_eq!(Record::begin(&path, OTHER).unwrap_err().kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_new_key_does_not_replace_what_another_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(Record::FILE);
        // A command that was ended in the middle leaves a record without votes.
        Record::begin(&path, OTHER).unwrap();
        Record::begin(&path, MEMBER).unwrap();
        Record::open(&path, MEMBER, GENESIS).unwrap().keep(&promise(20)).unwrap();
        assert_eq!(Record::begin(&path, OTHER).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(said(&path), Some(promise(20)));
    }

    #[test]
    fn a_record_that_was_lost_begins_again_at_a_height_and_one_that_was_not_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(Record::FILE);
        // As long as nothing was signed, the operator may choose another height.
        for height in [80, 40] {
            Record::resume(&path, MEMBER, BlockHash([4; 32]), 20, false).unwrap();
            Record::resume(&path, MEMBER, GENESIS, height, false).unwrap();
            assert_eq!(said(&path), Some(Promise::new(height)));
        }
        Record::open(&path, MEMBER, GENESIS).unwrap().keep(&promise(40)).unwrap();
        let refused = Record::resume(&path, MEMBER, GENESIS, 80, false);
        assert!(matches!(refused, Err(RecordError::Whole(40))), "{refused:?}");
        for forget in [false, true] {
            assert!(matches!(Record::resume(&path, OTHER, GENESIS, 80, forget), Err(RecordError::OtherKey)));
            let elsewhere = Record::resume(&path, MEMBER, BlockHash([4; 32]), 80, forget);
            assert!(matches!(elsewhere, Err(RecordError::OtherChain)), "{elsewhere:?}");
        }
        assert_eq!(said(&path), Some(promise(40)));
        Record::resume(&path, MEMBER, GENESIS, 20, true).unwrap();
        assert_eq!(said(&path), Some(Promise::new(20)));
        std::fs::write(&path, "x").unwrap();
        Record::resume(&path, MEMBER, GENESIS, 80, false).unwrap();
        assert_eq!(said(&path), Some(Promise::new(80)));
    }
}
