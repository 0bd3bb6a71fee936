//! Pruning: what goes, what stays, and what is said about what has gone.

use std::{fs, path::Path, sync::Arc};

use super::lab::{Lab, config, rows, spec};
use crate::store::{
    BlockRef, Store, StoreConfig, StoreError, Survey, Verdict,
    column::Column,
    memory::{Faults, MemoryKv},
};

/// Keeps the last ten blocks.
fn pruning() -> StoreConfig {
    StoreConfig { prune: Some(10), ..config() }
}

fn open(kv: &MemoryKv, config: &StoreConfig) -> Store {
    Store::with_kv(Arc::new(kv.clone()), &spec(), config).unwrap()
}

fn grow(lab: &mut Lab, blocks: u32) {
    for number in 0..blocks {
        lab.connect(&[number as u8, 3, 5, 6]);
        lab.store.flush().unwrap();
    }
}

/// Heights above genesis of the rows of a column whose keys are blocks.
fn heights(kv: &MemoryKv, column: Column) -> Vec<u32> {
    let height = |key: &[u8]| u32::from_be_bytes(*key.first_chunk().unwrap());
    rows(kv, column).iter().map(|(key, _)| height(key)).filter(|height| *height > 0).collect()
}

// Blocks are pruned 64 at a time: 1 to 64 once the tip is at 74.
#[test]
fn bodies_undo_data_and_receipts_below_the_depth_are_deleted_and_all_else_stays() {
    let kv = MemoryKv::default();
    let mut lab = Lab::new(spec(), open(&kv, &pruning()));
    grow(&mut lab, 73);
    assert_eq!((lab.store.pruned(), heights(&kv, Column::Bodies).len()), (0, 73));
    grow(&mut lab, 1);
    assert_eq!(lab.store.pruned(), 64);
    let kept: Vec<u32> = (65..=74).collect();
    assert_eq!(heights(&kv, Column::Bodies), kept);
    assert_eq!(heights(&kv, Column::Undo), kept);
    assert!(heights(&kv, Column::Receipts).iter().all(|height| kept.contains(height)));
    let snapshot = lab.store.reader().snapshot().unwrap();
    for known in &lab.chain {
        assert_eq!(lab.store.at_height(known.at.height).unwrap(), Some(known.at));
        assert!(snapshot.header(&known.at.hash).unwrap().unwrap().executed.is_some());
        let pruned = StoreError::Pruned { at: known.at, pruned: 64 };
        match known.at.height {
            1..=64 => {
                assert_eq!(snapshot.body(known.at), Err(pruned.clone()));
                assert_eq!(snapshot.receipts(known.at), Err(pruned));
            }
            _ => assert_eq!(snapshot.body(known.at).as_ref(), Ok(&known.block)),
        }
    }
    lab.check();
}

/// Blocks of a losing branch go with those of the active chain at their heights.
#[test]
fn a_losing_branch_is_pruned_with_the_rest() {
    let kv = MemoryKv::default();
    let mut lab = Lab::new(spec(), open(&kv, &pruning()));
    grow(&mut lab, 3);
    let lost = lab.tip().at;
    lab.disconnect();
    grow(&mut lab, 2);
    let snapshot = |lab: &Lab| lab.store.reader().snapshot().unwrap();
    assert!(snapshot(&lab).receipts(lost).unwrap().is_some_and(|receipts| !receipts.is_empty()));
    grow(&mut lab, 70);
    assert_eq!(lab.store.pruned(), 64);
    assert_eq!(snapshot(&lab).receipts(lost), Err(StoreError::Pruned { at: lost, pruned: 64 }));
    for column in [Column::Bodies, Column::Undo, Column::Receipts] {
        assert!(heights(&kv, column).iter().all(|height| *height > 64), "{column:?}");
    }
}

#[test]
fn blocks_are_disconnected_down_to_the_pruned_ones_and_no_further() {
    let kv = MemoryKv::default();
    let mut lab = Lab::new(spec(), open(&kv, &pruning()));
    grow(&mut lab, 74);
    (0..10).for_each(|_| lab.disconnect());
    let at = lab.tip().at;
    assert_eq!(lab.store.disconnect(), Err(StoreError::Pruned { at, pruned: 64 }));
    lab.check();
    // The way back up, past the height where it was pruned, is as any other.
    lab.store.flush().unwrap();
    grow(&mut lab, 75);
    assert_eq!(lab.store.pruned(), 128);
    lab.check();
}

#[test]
fn a_pruned_store_opens_as_such_with_and_without_pruning() {
    let kv = MemoryKv::default();
    let mut lab = Lab::new(spec(), open(&kv, &pruning()));
    grow(&mut lab, 74);
    let Lab { chain, store, .. } = lab;
    drop(store);
    for config in [pruning(), config()] {
        let lab = Lab { spec: spec(), store: open(&kv, &config), chain: chain.clone() };
        assert_eq!(lab.store.pruned(), 64);
        lab.check();
    }
    let mut lab = Lab { spec: spec(), store: open(&kv, &config()), chain };
    grow(&mut lab, 100);
    assert_eq!(lab.store.pruned(), 64, "without the setting nothing more is pruned");
}

#[test]
fn pruning_that_begins_late_does_not_delete_a_long_history_block_by_block() {
    let kv = MemoryKv::default();
    let long = StoreConfig { history: Some(5_000), ..config() };
    let mut lab = Lab::new(spec(), open(&kv, &long));
    (0..1_200_u32).for_each(|number| _ = lab.connect(&[number as u8, 3]));
    lab.store.flush().unwrap();
    let Lab { chain, store, .. } = lab;
    drop(store);
    let pruning = StoreConfig { prune: Some(10), ..long };
    let mut lab = Lab { spec: spec(), store: open(&kv, &pruning), chain };
    let prunable = lab.store.prunable();
    lab.store.history.expire(prunable);
    assert_eq!((prunable, lab.store.history.expired().count()), (Some(1_190), 0));
    lab.store.flush().unwrap();
    lab.check();
}

#[test]
fn a_crash_between_the_note_and_the_deletion_leaves_a_whole_store_that_deletes_the_rest_later() {
    let kv = MemoryKv::default();
    let mut lab = Lab::new(spec(), open(&kv, &pruning()));
    grow(&mut lab, 73);
    lab.connect(&[1]);
    kv.set_faults(Faults { writes_left: Some(1), unreadable: false });
    assert_eq!(lab.store.flush(), Err(StoreError::NoSpace));
    assert_eq!(heights(&kv, Column::Bodies).len(), 74);
    kv.set_faults(Faults::default());
    let Lab { chain, store, .. } = lab;
    drop(store);
    let mut lab = Lab { spec: spec(), store: open(&kv, &pruning()), chain };
    assert_eq!(lab.store.pruned(), 64);
    lab.check();
    grow(&mut lab, 64);
    assert_eq!(heights(&kv, Column::Bodies), (129..=138).collect::<Vec<_>>());
}

#[test]
fn a_reset_knows_which_blocks_have_to_be_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut lab = Lab::new(spec(), Store::open(folder.path(), &spec(), &pruning()).unwrap());
    grow(&mut lab, 74);
    let Lab { chain, store, .. } = lab;
    drop(store);
    let survey = Survey::run(folder.path(), &spec(), &config()).unwrap();
    assert_eq!(survey, Survey { tip: Some(74), pruned: 64, damaged: Vec::new() });
    let mut store = Store::open_reset(folder.path(), &spec(), &config()).unwrap();
    assert_eq!((store.tip().height, store.pruned()), (0, 0));
    assert_eq!(store.forget_damaged(), Ok(Vec::new()), "what was pruned is not damaged");
    let unknown = |at: &BlockRef| store.header(&at.hash).unwrap().unwrap();
    let bodies: Vec<bool> = chain[1..].iter().map(|known| unknown(&known.at).body).collect();
    assert_eq!(bodies, [vec![false; 64], vec![true; 10]].concat());
    assert!(chain[1..].iter().all(|known| unknown(&known.at).verdict == Verdict::Unknown));
}

/// Bytes of the files that hold bodies, undo data and receipts.
fn blob_bytes(folder: &Path) -> u64 {
    let files = fs::read_dir(folder.join("db")).unwrap().map(|entry| entry.unwrap());
    let blobs = files.filter(|file| file.path().extension().is_some_and(|end| end == "blob"));
    blobs.map(|file| file.metadata().unwrap().len()).sum()
}

#[test]
fn pruning_gives_the_disk_its_space_back() {
    let folder = tempfile::tempdir().unwrap();
    let open = |config| Store::open(folder.path(), &spec(), &config).unwrap();
    let mut lab = Lab::new(spec(), open(config()));
    for _ in 0..6 {
        // Opening brings what is in the log into files, each of which goes as a whole.
        let Lab { chain, store, .. } = lab;
        drop(store);
        lab = Lab { spec: spec(), store: open(config()), chain };
        grow(&mut lab, 50);
    }
    let Lab { chain, store, .. } = lab;
    drop(store);
    let store = open(pruning());
    let before = blob_bytes(folder.path());
    let mut lab = Lab { spec: spec(), store, chain };
    grow(&mut lab, 1);
    assert_eq!(lab.store.pruned(), 291);
    lab.check();
    drop(lab);
    let after = blob_bytes(folder.path());
    assert!(before > 200_000 && after < before / 4, "{before} bytes before, {after} after");
}
