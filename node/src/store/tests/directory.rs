//! What a directory may hold, and what opening it answers.

use chain_core::{hash::BlockHash, spec::ChainSpec, units::Height};
use std::sync::Arc;

use super::lab::{Lab, config, loose_header, spec};
use crate::store::{
    BlockRef, HeaderRecord, Store, StoreConfig, StoreError, Verdict,
    batch::Batch,
    column::Column,
    kv::{Durability, Kv, KvRead},
    memory::{Faults, MemoryKv},
    open::drop_state,
    schema::{self, Identity},
};

fn open(kv: &MemoryKv, config: &StoreConfig) -> Result<Store, StoreError> {
    Store::with_kv(Arc::new(kv.clone()), &spec(), config)
}

/// A chain of so many blocks in memory, flushed.
fn chain(kv: &MemoryKv, config: &StoreConfig, blocks: u8) -> Lab {
    let mut lab = Lab::new(spec(), open(kv, config).unwrap());
    (0..blocks).for_each(|number| _ = lab.connect(&[number, 3, 7 * number, 6]));
    lab.store.flush().unwrap();
    lab
}

fn other_spec() -> ChainSpec {
    ChainSpec { name: "other".into(), chain_id: 99, ..spec() }
}

fn put_meta(kv: &MemoryKv, key: &[u8], value: &[u8]) {
    let mut batch = Batch::default();
    batch.put(Column::Meta, key, value);
    kv.write(&batch, Durability::Disk).unwrap();
}

#[test]
fn an_empty_directory_receives_the_genesis_block() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::new(spec(), Store::open(directory.path(), &spec(), &config()).unwrap());
    lab.check();
    lab.check_disk();
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| name == "db" || name == "LOCK"), "{names:?}");
}

#[test]
fn a_damaged_log_costs_nothing_after_a_clean_end() {
    let directory = tempfile::tempdir().unwrap();
    let mut lab = Lab::new(spec(), Store::open(directory.path(), &spec(), &config()).unwrap());
    (0..20).for_each(|number| _ = lab.connect(&[number, 3, 7 * number, 6]));
    lab.store.finish().unwrap();
    let tip = lab.store.tip();
    drop(lab);
    for file in std::fs::read_dir(directory.path().join("db")).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "log") {
            let damaged = std::fs::read(&file).unwrap().iter().map(|byte| byte ^ 1).collect::<Vec<_>>();
            std::fs::write(&file, damaged).unwrap();
        }
    }
    assert_eq!(Store::open(directory.path(), &spec(), &config()).unwrap().tip(), tip);
}

#[test]
fn a_directory_is_refused_while_another_store_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), &spec(), &config()).unwrap();
    let error = Store::open(directory.path(), &spec(), &config()).err();
    let process = Some(std::process::id());
    assert_eq!(error, Some(StoreError::Locked { path: directory.path().into(), process }));
    drop(store);
    Store::open(directory.path(), &spec(), &config()).unwrap();
}

#[test]
fn another_chains_directory_is_refused_and_left_alone() {
    let kv = MemoryKv::default();
    let lab = chain(&kv, &config(), 2);
    let expected = StoreError::OtherChain {
        found: spec().name,
        found_genesis: spec().genesis_hash(),
        expected: "other".into(),
        expected_genesis: other_spec().genesis_hash(),
    };
    assert_eq!(Store::with_kv(Arc::new(kv.clone()), &other_spec(), &config()).err(), Some(expected.clone()));
    assert_eq!(Store::with_kv_reset(Arc::new(kv.clone()), &other_spec(), &config()).err(), Some(expected));
    lab.check_disk();
}

#[test]
fn a_newer_format_is_refused() {
    let kv = MemoryKv::default();
    drop(chain(&kv, &config(), 1));
    let newer = Identity {
        schema: schema::SCHEMA + 1,
        tx_index: true,
        address_index: true,
        log_index: true,
        genesis: BlockHash::default(),
        name: "?".into(),
    };
    put_meta(&kv, schema::IDENTITY, &newer.to_bytes());
    let expected = StoreError::NewerSchema { found: schema::SCHEMA + 1, supported: schema::SCHEMA };
    assert_eq!(open(&kv, &config()).err(), Some(expected));
}

/// What a release before the log index wrote into the meta column.
fn older(schema: u32) -> Vec<u8> {
    let (genesis, name) = (spec().genesis_hash(), spec().name);
    Identity { schema, tx_index: true, address_index: true, log_index: false, genesis, name }.to_bytes()
}

#[test]
fn a_format_of_other_rules_is_refused_by_the_start_and_by_reindex() {
    let kv = MemoryKv::default();
    drop(chain(&kv, &config(), 1));
    let found = schema::REBUILT_FROM - 1;
    put_meta(&kv, schema::IDENTITY, &older(found));
    let expected = StoreError::OlderSchema { found, needed: schema::SCHEMA };
    assert_eq!(open(&kv, &config()).err(), Some(expected.clone()));
    assert_eq!(Store::with_kv_reset(Arc::new(kv), &spec(), &config()).err(), Some(expected));
}

#[test]
fn a_format_of_other_rows_is_refused_by_the_start_and_made_new_by_reindex() {
    let kv = MemoryKv::default();
    let blocks = chain(&kv, &config(), 2).chain.len();
    put_meta(&kv, schema::IDENTITY, &older(schema::SCHEMA - 1));
    let expected = StoreError::OutdatedSchema { found: schema::SCHEMA - 1, needed: schema::SCHEMA };
    let no_index = StoreConfig { tx_index: false, address_index: false, log_index: false, ..config() };
    assert_eq!(open(&kv, &config()).err(), Some(expected.clone()));
    assert_eq!(open(&kv, &no_index).err(), Some(expected));
    let store = Store::with_kv_reset(Arc::new(kv.clone()), &spec(), &config()).unwrap();
    assert_eq!((store.tip().height, store.load_headers().unwrap().len()), (0, blocks));
    drop(store);
    // Its genesis alone is made new without a word.
    put_meta(&kv, schema::IDENTITY, &older(schema::SCHEMA - 1));
    drop(open(&kv, &config()).unwrap());
    let identity = Identity::from_bytes(&kv.get(Column::Meta, schema::IDENTITY).unwrap().unwrap()).unwrap();
    assert_eq!((identity.schema, identity.log_index), (schema::SCHEMA, true));
}

#[test]
fn an_index_cannot_be_switched_on_later_without_a_rebuild() {
    let kv = MemoryKv::default();
    let off = StoreConfig { address_index: false, ..config() };
    drop(chain(&kv, &off, 2));
    assert_eq!(open(&kv, &config()).err(), Some(StoreError::IndexMissing { index: "the address index" }));
    let store = Store::with_kv_reset(Arc::new(kv), &spec(), &config()).unwrap();
    assert_eq!(store.tip().height, 0);
}

#[test]
fn an_index_can_be_switched_on_while_there_is_only_genesis() {
    let kv = MemoryKv::default();
    drop(open(&kv, &StoreConfig { tx_index: false, ..config() }).unwrap());
    let lab = chain(&kv, &config(), 2);
    lab.check_disk();
}

#[test]
fn an_index_that_is_switched_off_is_dropped() {
    let kv = MemoryKv::default();
    drop(chain(&kv, &config(), 2));
    drop(open(&kv, &StoreConfig { tx_index: false, ..config() }).unwrap());
    let count = |column| super::lab::rows(&kv, column).len();
    assert_eq!(count(Column::TxIndex), 0);
    assert!(count(Column::AddressIndex) > 0);
    assert_eq!(open(&kv, &config()).err(), Some(StoreError::IndexMissing { index: "the transaction index" }));
}

#[test]
fn an_index_whose_removal_was_interrupted_is_removed_at_the_next_start() {
    let kv = MemoryKv::default();
    drop(chain(&kv, &config(), 2));
    let off = StoreConfig { tx_index: false, ..config() };
    // The identity is written, and the rows are not deleted any more.
    kv.set_faults(Faults { writes_left: Some(1), unreadable: false });
    assert_eq!(open(&kv, &off).err(), Some(StoreError::NoSpace));
    kv.set_faults(Faults::default());
    let left = || super::lab::rows(&kv, Column::TxIndex).len();
    assert!(left() > 0);
    drop(open(&kv, &off).unwrap());
    assert_eq!(left(), 0);
}

#[test]
fn a_reset_keeps_headers_and_bodies_and_forgets_the_rest() {
    let kv = MemoryKv::default();
    let Lab { chain, store, .. } = chain(&kv, &config(), 3);
    drop(store);
    let store = Store::with_kv_reset(Arc::new(kv.clone()), &spec(), &config()).unwrap();
    assert_eq!(store.tip(), chain[0].at);
    let records = store.load_headers().unwrap();
    assert_eq!(
        records.iter().map(HeaderRecord::at).collect::<Vec<_>>(),
        chain.iter().map(|known| known.at).collect::<Vec<_>>()
    );
    assert!(records.iter().all(|record| record.body));
    assert!(records.iter().skip(1).all(|record| record.verdict == Verdict::Unknown && record.executed.is_none()));
    for known in &chain {
        assert_eq!(store.body(known.at).unwrap().as_ref(), Some(&known.block));
    }
    // The same blocks give the same state again.
    let mut lab = Lab::new(spec(), store);
    for number in 0..3_u8 {
        lab.connect(&[number, 3, 7 * number, 6]);
    }
    lab.store.flush().unwrap();
    assert_eq!(lab.tip().at, chain[3].at);
    lab.check();
    lab.check_disk();
}

#[test]
fn a_reset_that_was_interrupted_anywhere_begins_again() {
    for writes in 0.. {
        let kv = MemoryKv::default();
        drop(chain(&kv, &config(), 3));
        kv.set_faults(Faults { writes_left: Some(writes), ..Faults::default() });
        let reset = Store::with_kv_reset(Arc::new(kv.clone()), &spec(), &config());
        kv.set_faults(Faults::default());
        let Err(error) = reset else { break };
        assert_eq!(error, StoreError::NoSpace);
        let lab = open(&kv, &config()).unwrap();
        let height = if writes == 0 { 3 } else { 0 };
        assert_eq!(lab.tip().height, height, "after {writes} writes");
        if height == 0 {
            Lab::new(spec(), lab).check_disk();
        }
    }
}

#[test]
fn a_damaged_state_whose_removal_was_interrupted_is_not_taken_for_whole() {
    for writes in 0.. {
        let kv = MemoryKv::default();
        drop(chain(&kv, &config(), 3));
        kv.set_faults(Faults { writes_left: Some(writes), ..Faults::default() });
        let dropped = drop_state(Arc::new(kv.clone()), &spec(), &config());
        kv.set_faults(Faults::default());
        let store = open(&kv, &config()).unwrap();
        let height = if writes == 0 { 3 } else { 0 };
        assert_eq!(store.tip().height, height, "after {writes} writes");
        if height == 0 {
            Lab::new(spec(), store).check_disk();
        }
        if dropped.is_ok() {
            break;
        }
    }
}

#[test]
fn a_tip_that_is_not_the_states_is_told() {
    let kv = MemoryKv::default();
    drop(chain(&kv, &config(), 1));
    let old = kv.get(Column::Meta, schema::TIP).unwrap().unwrap();
    drop(chain(&kv, &config(), 0));
    let mut lab = Lab::new(spec(), Store::with_kv_reset(Arc::new(kv.clone()), &spec(), &config()).unwrap());
    lab.connect(&[5, 6]);
    lab.connect(&[5, 6]);
    lab.store.flush().unwrap();
    drop(lab);
    put_meta(&kv, schema::TIP, &old);
    assert!(matches!(open(&kv, &config()).err(), Some(StoreError::Corrupt(_))));
}

#[test]
fn headers_are_loaded_parents_first_with_what_is_known_of_them() {
    let kv = MemoryKv::default();
    let mut lab = chain(&kv, &config(), 2);
    let invalid = HeaderRecord { verdict: Verdict::Invalid, ..loose_header(1, 5) };
    lab.store.put_headers(&[loose_header(9, 1), loose_header(3, 2), invalid]).unwrap();
    lab.connect(&[1]);
    let records = lab.store.load_headers().unwrap();
    assert_eq!(records.iter().map(|record| record.height).collect::<Vec<_>>(), [0, 1, 1, 2, 3, 3, 9]);
    assert!(records.contains(&invalid));
    assert!(records.iter().any(|record| record.at() == lab.tip().at && record.verdict == Verdict::Valid));
}

#[test]
fn what_is_known_of_a_header_is_not_lost_by_putting_it_again() {
    let mut lab = chain(&MemoryKv::default(), &config(), 1);
    let flushed = lab.tip().at;
    let waiting = lab.connect(&[2]);
    for at in [flushed, waiting] {
        let known = lab.store.header(&at.hash).unwrap().unwrap();
        let invalid = HeaderRecord { verdict: Verdict::Invalid, ..HeaderRecord::new(known.header, at.height) };
        lab.store.put_headers(&[invalid]).unwrap();
        let expected = HeaderRecord { verdict: Verdict::Invalid, ..known };
        assert_eq!(lab.store.header(&at.hash).unwrap(), Some(expected));
        lab.store.flush().unwrap();
        assert_eq!(lab.store.header(&at.hash).unwrap(), Some(expected));
    }
}

#[test]
fn a_body_can_be_stored_before_it_is_executed_and_removed() {
    let mut lab = chain(&MemoryKv::default(), &config(), 1);
    let executed = lab.block(&[4, 5]);
    let at = BlockRef { height: 2, hash: executed.block().hash() };
    lab.store.put_body(2, executed.block()).unwrap();
    assert_eq!(lab.store.body(at).unwrap().as_ref(), Some(executed.block().block()));
    assert!(lab.store.header(&at.hash).unwrap().unwrap().body);
    lab.store.remove_body(at).unwrap();
    assert_eq!(lab.store.body(at), Ok(None));
    assert!(!lab.store.header(&at.hash).unwrap().unwrap().body);
    // Connecting stores it again.
    lab.store.connect(&executed).unwrap();
    lab.follow(&executed);
    lab.check();
}

#[test]
fn only_a_child_of_the_tip_is_connected() {
    let mut lab = chain(&MemoryKv::default(), &config(), 1);
    let executed = lab.block(&[1]);
    lab.connect(&[2]);
    let (block, tip) = (executed.block().hash(), lab.tip().at.hash);
    assert_eq!(lab.store.connect(&executed), Err(StoreError::NotNext { block, tip }));
    lab.check();
}

#[test]
fn genesis_is_never_taken_back() {
    let mut lab = chain(&MemoryKv::default(), &config(), 0);
    assert_eq!(lab.store.disconnect(), Err(StoreError::Genesis));
    lab.check();
}

#[test]
fn a_flush_is_due_after_each_block_but_seldom_while_syncing() {
    let patient = StoreConfig { dirty_blocks: 3, ..config() };
    let mut lab = chain(&MemoryKv::default(), &patient, 1);
    let due = |lab: &Lab| (lab.store.needs_flush(false), lab.store.needs_flush(true));
    assert_eq!(due(&lab), (false, false));
    for expected in [false, false, true] {
        lab.connect(&[8, 9]);
        assert_eq!(due(&lab), (true, expected));
    }
    lab.store.flush().unwrap();
    assert_eq!(due(&lab), (false, false));
    let hungry = StoreConfig { cache_bytes: 16, ..config() };
    let mut lab = chain(&MemoryKv::default(), &hungry, 1);
    lab.connect(&[1]);
    assert_eq!(due(&lab), (true, true));
}

#[test]
fn hashes_of_blocks_are_known_beyond_those_in_memory() {
    let kv = MemoryKv::default();
    let mut lab = chain(&kv, &config(), 0);
    (0..1_100).for_each(|_| _ = lab.connect(&[]));
    lab.store.flush().unwrap();
    let expected = |height: Height| Some(lab.chain[height as usize].at);
    for height in [0, 1, 75, 76, 77, 1_099, 1_100] {
        assert_eq!(lab.store.at_height(height).unwrap(), expected(height));
    }
    let store = open(&kv, &config()).unwrap();
    for height in [0, 1, 76, 77, 1_099, 1_100] {
        assert_eq!(store.at_height(height).unwrap(), expected(height));
    }
}
