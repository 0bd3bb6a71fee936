//! Random histories of blocks, flushes, restarts and crashes, compared with the model step by step.

use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{Error, ErrorKind},
    path::Path,
    sync::Arc,
};
use tempfile::TempDir;

use super::lab::{Known, Lab, config, spec};
use crate::store::{Store, StoreConfig, memory::MemoryKv};

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    /// A block of these choices.
    Connect(Vec<u8>),
    /// So many blocks are disconnected.
    Disconnect(u8),
    Flush,
    /// The node stops without a flush and starts again.
    Restart,
    /// The machine loses so many writes that were not synced, where it can.
    Crash(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => prop::collection::vec(any::<u8>(), 0..12).prop_map(Step::Connect),
        3 => (1..4_u8).prop_map(Step::Disconnect),
        3 => Just(Step::Flush),
        1 => Just(Step::Restart),
        1 => (0..6_u8).prop_map(Step::Crash),
    ];
    prop::collection::vec(step, 1..24)
}

/// Something that outlives a store.
trait Machine {
    fn open(&self, config: &StoreConfig) -> Store;

    /// Loses what a crash may lose. The store is closed or leaks.
    fn crash(&mut self, store: Store, lost: usize);
}

impl Machine for MemoryKv {
    fn open(&self, config: &StoreConfig) -> Store {
        Store::with_kv(Arc::new(self.clone()), &spec(), config).unwrap()
    }

    fn crash(&mut self, store: Store, lost: usize) {
        drop(store);
        MemoryKv::crash(self, lost);
    }
}

impl Machine for TempDir {
    fn open(&self, config: &StoreConfig) -> Store {
        Store::open(self.path(), &spec(), config).unwrap()
    }

    /// As kill -9 does: the files stay as they are at this moment.
    fn crash(&mut self, store: Store, _: usize) {
        let copy = tempfile::tempdir().unwrap();
        copy_files(&self.path().join("db"), &copy.path().join("db"));
        drop(store);
        *self = copy;
    }
}

/// Copies the files of a database as they are at one moment: again, if it tidies up meanwhile.
pub fn copy_files(from: &Path, to: &Path) {
    loop {
        match try_copy(from, to) {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
        }
        fs::remove_dir_all(to).unwrap();
    }
}

/// Copies the files, and tells whether all stayed as they were while that went on.
fn try_copy(from: &Path, to: &Path) -> Result<bool, Error> {
    fs::create_dir_all(to)?;
    let before = sizes(from)?;
    for name in before.keys() {
        fs::copy(from.join(name), to.join(name))?;
    }
    Ok(sizes(from)? == before)
}

fn sizes(folder: &Path) -> Result<BTreeMap<OsString, u64>, Error> {
    fs::read_dir(folder)?
        .map(|entry| entry.and_then(|entry| Ok((entry.file_name(), entry.metadata()?.len()))))
        .collect()
}

/// Runs a history and compares after every step.
fn run(machine: &mut impl Machine, config: &StoreConfig, steps: Vec<Step>) {
    let mut lab = Lab::new(spec(), machine.open(config));
    // The chain at each flush.
    let mut flushed: Vec<Vec<Arc<Known>>> = vec![lab.chain.clone()];
    for step in steps {
        match step {
            Step::Connect(choices) => _ = lab.connect(&choices),
            Step::Disconnect(count) => {
                let count = usize::from(count).min(lab.chain.len() - 1);
                (0..count).for_each(|_| lab.disconnect());
            }
            Step::Flush => {
                lab.store.flush().unwrap();
                lab.check_disk();
                flushed.push(lab.chain.clone());
            }
            Step::Restart => {
                let Lab { spec, store, .. } = lab;
                drop(store);
                let chain = flushed.last().unwrap().clone();
                lab = Lab { spec, store: machine.open(config), chain };
                lab.check_disk();
            }
            Step::Crash(lost) => {
                let Lab { spec, store, .. } = lab;
                machine.crash(store, usize::from(lost));
                let store = machine.open(config);
                let committed = flushed.iter().rposition(|chain| chain.last().unwrap().at == store.tip());
                flushed.truncate(committed.expect("opens at a tip that was committed") + 1);
                let chain = flushed.last().unwrap().clone();
                lab = Lab { spec, store, chain };
                lab.check_disk();
            }
        }
        lab.check();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_store_in_memory_equals_its_model(steps in steps(), small: bool) {
        let cache_bytes = if small { 4_096 } else { 1 << 20 };
        run(&mut MemoryKv::with_crashes(), &StoreConfig { cache_bytes, ..config() }, steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_store_on_disk_equals_its_model(steps in steps()) {
        run(&mut tempfile::tempdir().unwrap(), &config(), steps);
    }
}
