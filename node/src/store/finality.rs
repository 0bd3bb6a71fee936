//! Rows of finality: certificates, evidence, and what this node's member has promised. Each is on disk when its write returns.
//! A chain without finality has none of them.

use chain_core::{
    codec,
    finality::{Certificate, Evidence},
    units::Height,
};
use std::ops::ControlFlow;

use super::{
    Batch, Column, Durability, KeyRange, KvRead, Order, Snapshot, Store, StoreError, damaged, directory,
    read::read_rows,
};
use crate::finality::{Promise, Record};

/// Prefix of certificates by height.
const CERTIFICATE: &[u8] = b"certificate";

/// Prefix of evidence by member.
const EVIDENCE: &[u8] = b"evidence";

/// Key of what this node's member has promised.
const PROMISE: &[u8] = b"promise";

fn certificate_key(height: Height) -> Vec<u8> {
    [CERTIFICATE, &height.to_be_bytes()].concat()
}

impl Store {
    /// Stores a certificate.
    ///
    /// # Errors
    /// See [`Store::put_headers`].
    pub fn put_certificate(&mut self, certificate: &Certificate) -> Result<(), StoreError> {
        self.put_finality(&[(certificate_key(certificate.height), codec::encode(certificate))])
    }

    /// The certificate for a height, if it is stored.
    ///
    /// # Errors
    /// See [`Store::load_headers`].
    pub fn certificate_at(&self, height: Height) -> Result<Option<Certificate>, StoreError> {
        let value = self.kv.get(Column::Meta, &certificate_key(height))?;
        value.map(|value| decode(&value)).transpose()
    }

    /// The certificate for the greatest height that fits.
    ///
    /// # Errors
    /// See [`Store::load_headers`].
    pub fn newest_certificate(
        &self,
        fits: impl FnMut(&Certificate) -> Result<bool, StoreError>,
    ) -> Result<Option<Certificate>, StoreError> {
        newest_certificate(&*self.kv, Height::MAX, fits)
    }

    /// Stores evidence, in place of what was stored against its members before.
    ///
    /// # Errors
    /// See [`Store::put_headers`].
    pub fn put_evidence(&mut self, evidence: &[Evidence]) -> Result<(), StoreError> {
        let row = |evidence: &Evidence| ([EVIDENCE, &[evidence.member()]].concat(), codec::encode(evidence));
        self.put_finality(&evidence.iter().map(row).collect::<Vec<_>>())
    }

    /// All evidence, by member.
    ///
    /// # Errors
    /// See [`Store::load_headers`].
    pub fn evidence(&self) -> Result<Vec<Evidence>, StoreError> {
        let range = (&KeyRange::prefix(EVIDENCE), Order::Ascending);
        read_rows(&*self.kv, Column::Meta, range, usize::MAX, |_, value| decode(value))
    }

    /// Has what this node's member promises also written to its record, a file that does not depend on the database. What only the
    /// database holds is written there at once: of a crash between the two, or of votes that the record was to forget.
    ///
    /// # Errors
    /// See [`Store::put_headers`].
    pub fn keep_record(&mut self, record: Record) -> Result<(), StoreError> {
        self.record = Some(record);
        match self.promise()? {
            Some(promise) if self.record.as_ref().and_then(Record::promise) != Some(&promise) => {
                let height = promise.height;
                tracing::warn!(height, "the database holds a later vote of this member than its record, and binds it");
                self.record(&promise)
            }
            _ => Ok(()),
        }
    }

    fn record(&mut self, promise: &Promise) -> Result<(), StoreError> {
        let Some(record) = &mut self.record else { return Ok(()) };
        record.keep(promise).map_err(|error| {
            self.stopped = true;
            directory::io(format!("write {}", record.path().display()), &error)
        })
    }

    /// Stores what this node's member must keep to after a restart.
    ///
    /// # Errors
    /// See [`Store::put_headers`].
    pub fn put_promise(&mut self, promise: &Promise) -> Result<(), StoreError> {
        self.put_finality(&[(PROMISE.to_vec(), codec::encode(promise))])?;
        self.record(promise)
    }

    /// What this node's member must keep to: the later of row and record, since the database may have come back older.
    ///
    /// # Errors
    /// See [`Store::load_headers`].
    pub fn promise(&self) -> Result<Option<Promise>, StoreError> {
        let value = self.kv.get(Column::Meta, PROMISE)?;
        let row = value.map(|value| decode(&value)).transpose()?;
        let record = self.record.as_ref().and_then(Record::promise).cloned();
        Ok(Promise::later(row, record))
    }

    /// Writes rows at once; they are on disk when this returns.
    fn put_finality(&mut self, rows: &[(Vec<u8>, Vec<u8>)]) -> Result<(), StoreError> {
        self.running()?;
        let mut batch = Batch::default();
        rows.iter().for_each(|(key, value)| batch.put(Column::Meta, key, value));
        self.write(&batch, Durability::Disk)
    }
}

impl Snapshot {
    /// The newest certificate whose block is on the active chain.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn finalized(&self) -> Result<Option<Certificate>, StoreError> {
        // Certificates above the tip are of blocks that are not executed yet: there may be many, after a reindex.
        newest_certificate(self.kv(), self.tip().height, |certificate| {
            Ok(self.at_height(certificate.height)?.is_some_and(|at| at.hash == certificate.hash))
        })
    }
}

/// Walks down from the newest for this height or below: the first one or the next fits.
fn newest_certificate(
    kv: &(impl KvRead + ?Sized),
    most: Height,
    mut fits: impl FnMut(&Certificate) -> Result<bool, StoreError>,
) -> Result<Option<Certificate>, StoreError> {
    let mut found = Ok(None);
    let all = KeyRange::prefix(CERTIFICATE);
    let to = most.checked_add(1).map(certificate_key).or(all.to);
    kv.scan(Column::Meta, &KeyRange { from: all.from, to }, Order::Descending, &mut |_, value| {
        match decode::<Certificate>(value).and_then(|certificate| Ok((fits(&certificate)?, certificate))) {
            Ok((false, _)) => return ControlFlow::Continue(()),
            Ok((true, certificate)) => found = Ok(Some(certificate)),
            Err(error) => found = Err(error),
        }
        ControlFlow::Break(())
    })?;
    found
}

fn decode<T: serde::Serialize + serde::de::DeserializeOwned>(value: &[u8]) -> Result<T, StoreError> {
    codec::decode(value).map_err(|_| damaged(Column::Meta))
}

#[cfg(test)]
mod tests {
    use chain_core::{
        finality::{Signed, Statement, Vote},
        hash::BlockHash,
        spec::ChainSpec,
        transaction::coin::{KeyBytes, Signature},
    };
    use std::{path::Path, sync::Arc};

    use super::*;
    use crate::store::{StoreConfig, memory::MemoryKv};

    fn signed(member: u8) -> Signed {
        Signed { member, signature: Signature::from([member; 64]) }
    }

    fn certificate(height: Height, number: u8) -> Certificate {
        Certificate { height, hash: BlockHash([number; 32]), signatures: vec![signed(0), signed(1), signed(2)] }
    }

    fn open(kv: &MemoryKv) -> Store {
        Store::with_kv(Arc::new(kv.clone()), &ChainSpec::dev(), &StoreConfig::default()).unwrap()
    }

    /// Damages the log of a database in one of several ways, as a failing disk does.
    fn damage_log(datadir: &Path, how: usize) {
        for file in std::fs::read_dir(datadir.join("db")).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_some_and(|extension| extension == "log") {
                let mut bytes = std::fs::read(&file).unwrap();
                let last = bytes.len() - 1;
                match how {
                    0 => bytes.truncate(last),
                    1 => bytes[last - 3] ^= 1,
                    _ => bytes.clear(),
                }
                std::fs::write(&file, bytes).unwrap();
            }
        }
    }

    // FIN-3
    #[test]
    fn a_damaged_log_takes_a_promise_back_from_the_database_but_not_from_the_record() {
        let (spec, member, config) = (ChainSpec::dev(), KeyBytes([5; 32]), StoreConfig::default());
        let earlier = Promise { view: 1, ..Promise::new(20) };
        let said = Promise { view: 3, ..Promise::new(20) };
        for how in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            let (datadir, path) = (folder.path(), folder.path().join(Record::FILE));
            Record::begin(&path, member).unwrap();
            let record = || Record::open(&path, member, spec.genesis_hash()).unwrap();
            let mut store = Store::open(datadir, &spec, &config).unwrap();
            store.keep_record(record()).unwrap();
            store.put_promise(&earlier).unwrap();
            store.put_promise(&said).unwrap();
            drop(store);
            damage_log(datadir, how);
            for reset in [false, true] {
                let open = if reset { Store::open_reset } else { Store::open };
                let mut store = open(datadir, &spec, &config).unwrap();
                assert_ne!(store.promise().unwrap(), Some(said.clone()), "the database opens without a word: {how}");
                store.keep_record(record()).unwrap();
                assert_eq!(store.promise().unwrap(), Some(said.clone()), "{how}");
            }
        }
    }

    #[test]
    fn a_promise_is_as_late_as_the_later_of_row_and_record_and_neither_goes_unwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (kv, path, member) = (MemoryKv::default(), folder.path().join(Record::FILE), KeyBytes([5; 32]));
        let mut store = open(&kv);
        store.put_promise(&Promise::new(40)).unwrap();
        Record::begin(&path, member).unwrap();
        Record::open(&path, member, BlockHash([9; 32])).unwrap().keep(&Promise::new(20)).unwrap();
        store.keep_record(Record::open(&path, member, BlockHash([9; 32])).unwrap()).unwrap();
        assert_eq!(store.promise().unwrap(), Some(Promise::new(40)), "a record of an old copy takes nothing back");
        store.put_promise(&Promise::new(60)).unwrap();
        assert_eq!(Record::open(&path, member, BlockHash([9; 32])).unwrap().promise(), Some(&Promise::new(60)));
        drop(folder);
        let refused = store.put_promise(&Promise::new(80));
        assert!(
            matches!(&refused, Err(StoreError::Io { action, .. }) if action.ends_with(Record::FILE)),
            "{refused:?}"
        );
        assert_eq!(store.put_promise(&Promise::new(80)), Err(StoreError::Stopped));
    }

    #[test]
    fn what_finality_stores_survives_a_power_failure() {
        let kv = MemoryKv::with_crashes();
        let mut store = open(&kv);
        assert_eq!(store.promise().unwrap(), None);
        assert_eq!(store.newest_certificate(|_| Ok(true)).unwrap(), None);
        let vote = |member, number| {
            let hash = BlockHash([number; 32]);
            Vote { height: 20, statement: Statement::Finalize { hash }, signed: signed(member) }
        };
        let [evidence, other] = [3, 2].map(|member| Evidence { first: vote(member, 1), second: vote(member, 2) });
        for height in [20, 300, 40] {
            store.put_certificate(&certificate(height, 7)).unwrap();
        }
        store.put_evidence(&[evidence.clone(), other.clone()]).unwrap();
        store.put_promise(&Promise::new(20)).unwrap();
        let promise = Promise { view: 3, ..Promise::new(40) };
        store.put_promise(&promise).unwrap();
        drop(store);
        kv.crash(usize::MAX);
        let store = open(&kv);
        assert_eq!(store.promise().unwrap(), Some(promise));
        assert_eq!(store.evidence().unwrap(), [other, evidence]);
        assert_eq!(store.certificate_at(40).unwrap(), Some(certificate(40, 7)));
        assert_eq!(store.certificate_at(60).unwrap(), None);
        assert_eq!(store.newest_certificate(|_| Ok(true)).unwrap(), Some(certificate(300, 7)));
        assert_eq!(store.newest_certificate(|found| Ok(found.height < 300)).unwrap(), Some(certificate(40, 7)));
        assert_eq!(store.reader().snapshot().unwrap().finalized().unwrap(), None, "none of them is on the chain");
    }
}
