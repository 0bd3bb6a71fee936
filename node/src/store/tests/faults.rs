//! Disks that are full, cut short or wrong: an error or a state that was committed, never wrong data.

use chain_core::state::StateView;
use std::{
    fs::{self, OpenOptions},
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};
use tempfile::TempDir;

use super::{
    histories::copy_files,
    lab::{Known, Lab, config, nowhere, spec},
};
use crate::store::{
    Store, StoreConfig, StoreError, Survey, blockdata,
    column::Column,
    kv::{KeyRange, Order},
    memory::{Faults, MemoryKv},
    read::{read_account, read_coin},
    rocks::RocksKv,
    schema,
};

/// The chain at each flush.
type Flushed = Vec<Vec<Arc<Known>>>;

/// Connects a block and flushes, so many times.
fn grow(lab: &mut Lab, flushed: &mut Flushed, blocks: u8) {
    for number in 0..blocks {
        lab.connect(&[number, 3, 7, 11 * number, 4, 5]);
        lab.store.flush().unwrap();
        flushed.push(lab.chain.clone());
    }
}

/// Every row of the state is that of a block that was flushed, or an error says that it cannot be read.
fn verify(store: &Store, flushed: &Flushed) -> Result<(), StoreError> {
    let tip = store.tip();
    let chain = flushed.iter().rev().find(|chain| chain.last().unwrap().at == tip);
    let chain = chain.expect("opens at a tip that was committed");
    let state = &chain.last().unwrap().state;
    let count = |column| -> Result<usize, StoreError> {
        let mut count = 0;
        store.kv.scan(column, &KeyRange::all(), Order::Ascending, &mut |_, _| {
            count += 1;
            ControlFlow::Continue(())
        })?;
        Ok(count)
    };
    assert_eq!(count(Column::Coins)?, state.coins.len());
    assert_eq!(count(Column::Accounts)?, state.accounts.len());
    for (outpoint, coin) in &state.coins {
        assert_eq!(read_coin(&*store.kv, outpoint)?, Some(*coin));
    }
    for (address, account) in &state.accounts {
        assert_eq!(read_account(&*store.kv, address)?, Some(*account));
    }
    for known in chain {
        assert_eq!(store.body(known.at)?.as_ref(), Some(&known.block));
        assert_eq!(store.at_height(known.at.height)?, Some(known.at));
        if known.at.height > 0 {
            let undo = store.row(Column::Undo, &schema::block_key(known.at))?.expect("undo data is kept");
            let spends = blockdata::read_spends(&undo, &known.block).unwrap();
            assert_eq!(spends.len(), known.effects.spent.len() + known.effects.transient.len());
        }
    }
    Ok(())
}

#[test]
fn a_full_disk_stops_the_store_and_loses_nothing() {
    for writes in 0..12 {
        let kv = MemoryKv::default();
        let open = || Store::with_kv(Arc::new(kv.clone()), &spec(), &config());
        let mut lab = Lab::new(spec(), open().unwrap());
        let mut flushed = vec![lab.chain.clone()];
        kv.set_faults(Faults { writes_left: Some(writes), ..Faults::default() });
        let error = loop {
            let executed = lab.block(&[1, 2, 3]);
            let result = lab.store.put_body(executed.context().height, executed.block());
            if let Err(error) = result.and_then(|()| lab.store.connect(&executed)) {
                break error;
            }
            lab.follow(&executed);
            if let Err(error) = lab.store.flush() {
                break error;
            }
            flushed.push(lab.chain.clone());
        };
        assert_eq!(error, StoreError::NoSpace, "after {writes} writes");
        // Space alone does not help: what is in memory is not what is on disk.
        kv.set_faults(Faults::default());
        assert_eq!(lab.store.flush(), Err(StoreError::Stopped));
        assert_eq!(lab.store.put_headers(&[]), Err(StoreError::Stopped));
        assert_eq!(lab.store.disconnect().err(), Some(StoreError::Stopped));
        drop(lab);
        let mut lab = Lab { spec: spec(), store: open().unwrap(), chain: flushed.pop().unwrap() };
        lab.check();
        lab.check_disk();
        lab.connect(&[7, 8]);
        lab.store.flush().unwrap();
        lab.check_disk();
    }
}

#[test]
fn a_disk_that_cannot_be_read_is_nobodys_fault() {
    let kv = MemoryKv::default();
    let store = Store::with_kv(Arc::new(kv.clone()), &spec(), &config()).unwrap();
    let mut lab = Lab::new(spec(), store);
    lab.connect(&[1, 2]);
    kv.set_faults(Faults { unreadable: true, ..Faults::default() });
    let error = lab.store.view().coin(&nowhere(9)).unwrap_err();
    let expected = StoreError::Io { action: "read".into(), reason: "simulated".into() };
    assert_eq!(error.0.downcast_ref::<StoreError>(), Some(&expected));
    kv.set_faults(Faults::default());
    lab.check();
}

#[test]
fn what_was_not_synced_is_lost_from_the_end() {
    let kv = MemoryKv::with_crashes();
    let open = |config: &StoreConfig| Store::with_kv(Arc::new(kv.clone()), &spec(), config).unwrap();
    let mut lab = Lab::new(spec(), open(&StoreConfig { sync: true, ..config() }));
    lab.connect(&[1, 2, 3]);
    lab.store.flush().unwrap();
    assert_eq!(kv.unsynced(), 0);
    let Lab { store, chain, .. } = lab;
    drop(store);
    let mut lab = Lab { spec: spec(), store: open(&config()), chain };
    let synced = lab.chain.clone();
    lab.connect(&[4, 5]);
    lab.store.flush().unwrap();
    assert_eq!(kv.unsynced(), 1);
    drop(lab);
    kv.crash(usize::MAX);
    Lab { spec: spec(), store: open(&config()), chain: synced }.check_disk();
}

/// A closed database of some blocks, part of them in files and part in the log.
fn database() -> (TempDir, Flushed) {
    let directory = tempfile::tempdir().unwrap();
    let open = || Store::open(directory.path(), &spec(), &config()).unwrap();
    let mut lab = Lab::new(spec(), open());
    let mut flushed = vec![lab.chain.clone()];
    grow(&mut lab, &mut flushed, 4);
    let Lab { store, chain, .. } = lab;
    drop(store);
    // Opening brings what is in the log into files.
    let mut lab = Lab { spec: spec(), store: open(), chain };
    grow(&mut lab, &mut flushed, 5);
    (directory, flushed)
}

/// Files of the database, by how their names end or begin.
fn files(directory: &Path, is: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(directory.join("db")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| is(path.file_name().unwrap().to_str().unwrap()));
    paths.sort();
    paths
}

/// Opens a copy of a database after something was done to it, and reads everything. Answers with the height of the tip.
fn after(database: &TempDir, flushed: &Flushed, harm: impl FnOnce(&Path)) -> Result<u32, StoreError> {
    let copy = tempfile::tempdir().unwrap();
    copy_files(&database.path().join("db"), &copy.path().join("db"));
    harm(copy.path());
    let store = Store::open(copy.path(), &spec(), &config())?;
    verify(&store, flushed)?;
    Ok(store.tip().height)
}

#[test]
fn a_log_cut_at_any_byte_opens_at_a_committed_tip() {
    let (database, flushed) = database();
    assert_eq!(after(&database, &flushed, |_| {}), Ok(9));
    let logs = files(database.path(), |name| name.ends_with(".log"));
    // Older logs are whole: a shorter one is refused.
    let log = logs.last().unwrap();
    let len = fs::metadata(log).unwrap().len();
    let mut heights = Vec::new();
    for cut in (0..40).map(|step| len * step / 40).chain([len - 1, 1, 7]) {
        let height = after(&database, &flushed, |copy| {
            let path = copy.join("db").join(log.file_name().unwrap());
            OpenOptions::new().write(true).open(path).unwrap().set_len(cut).unwrap();
        });
        heights.push(height.unwrap_or_else(|error| panic!("cut at {cut} of {len}: {error}")));
    }
    assert!(heights.contains(&4) && heights.contains(&8) && !heights.contains(&9), "{heights:?}");
}

#[test]
fn a_flipped_bit_in_any_file_is_an_error_or_changes_nothing() {
    let (database, flushed) = database();
    let mut refused = 0;
    for file in files(database.path(), |name| !name.starts_with("LOG") && name != "LOCK") {
        let len = fs::metadata(&file).unwrap().len();
        for step in 0..8.min(len) {
            let at = (len * step / 8 + step * 7) % len;
            let result = after(&database, &flushed, |copy| {
                let path = copy.join("db").join(file.file_name().unwrap());
                let mut bytes = fs::read(&path).unwrap();
                bytes[at as usize] ^= 1 << (step % 8);
                fs::write(path, bytes).unwrap();
            });
            match result {
                Ok(_) => {}
                Err(StoreError::Corrupt(_) | StoreError::Lost { .. } | StoreError::Io { .. }) => refused += 1,
                Err(error) => panic!("{} at {at}: {error}", file.display()),
            }
        }
    }
    assert!(refused > 10, "only {refused} refused");
}

#[test]
fn a_missing_file_is_an_error_or_a_committed_tip() {
    let (database, flushed) = database();
    for file in files(database.path(), |name| !name.starts_with("LOG") && name != "LOCK") {
        let result = after(&database, &flushed, |copy| {
            fs::remove_file(copy.join("db").join(file.file_name().unwrap())).unwrap();
        });
        assert!(
            matches!(result, Ok(_) | Err(StoreError::Corrupt(_) | StoreError::Lost { .. } | StoreError::Io { .. })),
            "{}: {result:?}",
            file.display()
        );
    }
}

/// Spoils the tables of columns.
fn spoil(directory: &Path, which: impl Fn(&str) -> bool, harm: impl Fn(&Path)) -> usize {
    let kv = RocksKv::open(directory, &config()).unwrap();
    let files = kv.files();
    drop(kv);
    let paths = files.iter().filter(|(column, _)| which(column)).map(|(_, file)| file.trim_start_matches('/'));
    paths.map(|file| harm(&directory.join("db").join(file))).count()
}

/// Flips some bits all over a file, its index and footer included.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes.iter_mut().step_by(50).for_each(|byte| *byte ^= 0xff);
    fs::write(path, bytes).unwrap();
}

fn is_state(column: &str) -> bool {
    !["headers", "bodies", "meta"].contains(&column)
}

#[test]
fn a_state_that_cannot_be_read_is_rebuilt_by_a_reset() {
    rebuilds_after(flip);
    rebuilds_after(|path| fs::remove_file(path).unwrap());
}

fn rebuilds_after(harm: impl Fn(&Path)) {
    let (directory, flushed) = database();
    assert!(spoil(directory.path(), is_state, harm) >= 4);
    let error = Store::open(directory.path(), &spec(), &config()).and_then(|store| verify(&store, &flushed));
    assert!(matches!(error, Err(StoreError::Corrupt(_))), "{error:?}");

    let mut lab = Lab::new(spec(), Store::open_reset(directory.path(), &spec(), &config()).unwrap());
    lab.check_disk();
    let chain = flushed.last().unwrap();
    for known in &chain[1..] {
        let block = lab.store.body(known.at).unwrap().unwrap();
        assert_eq!(block, known.block);
        lab.replay(block, &known.senders);
    }
    lab.store.flush().unwrap();
    lab.check();
    lab.check_disk();
}

#[test]
fn headers_that_cannot_be_read_are_lost() {
    let (directory, _) = database();
    assert!(spoil(directory.path(), |column| column == "headers", flip) > 0);
    let error = Store::open_reset(directory.path(), &spec(), &config()).err();
    assert!(matches!(&error, Some(StoreError::Lost { path, .. }) if *path == directory.path().join("db")), "{error:?}");
}

/// Runs in a process whose files may not grow: see the next test.
#[test]
#[ignore = "run by the test of a disk without space"]
fn grows_until_there_is_no_space() {
    let directory = PathBuf::from(std::env::var_os("CAIRN_TEST_DIRECTORY").unwrap());
    let mut lab = Lab::new(spec(), Store::open(&directory, &spec(), &config()).unwrap());
    let error = loop {
        let executed = lab.block(&[1, 2, 3, 4, 5, 6, 7]);
        if let Err(error) = lab.store.connect(&executed).and_then(|()| lab.store.flush()) {
            break error;
        }
        lab.follow(&executed);
        fs::write(directory.join("height"), lab.tip().at.height.to_string()).unwrap();
    };
    assert_eq!(error, StoreError::NoSpace);
    assert_eq!(lab.store.flush(), Err(StoreError::Stopped));
}

#[cfg(unix)]
#[test]
fn a_database_without_space_keeps_what_was_committed() {
    let directory = tempfile::tempdir().unwrap();
    // Files of at most 256 KiB, and no death by the signal that tells so.
    let script = "trap '' XFSZ; ulimit -f 512; exec \"$0\" --exact --ignored store::tests::faults::grows_until_there_is_no_space";
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env("CAIRN_TEST_DIRECTORY", directory.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let height: u32 = fs::read_to_string(directory.path().join("height")).unwrap().parse().unwrap();
    let store = Store::open(directory.path(), &spec(), &config()).unwrap();
    assert_eq!(store.tip().height, height);
    let mut lab = Lab::new(spec(), Store::in_memory(&spec(), &config()).unwrap());
    (0..height).for_each(|_| _ = lab.connect(&[1, 2, 3, 4, 5, 6, 7]));
    assert_eq!(lab.tip().at, store.tip());
    let mut lab = Lab { store, ..lab };
    lab.check();
    lab.check_disk();
    lab.connect(&[9]);
    lab.store.flush().unwrap();
    lab.check_disk();
}

#[test]
fn a_database_whose_current_file_is_lost_keeps_its_blocks() {
    for logs in [true, false] {
        let (directory, _) = database();
        let path = |name: &str| directory.path().join("db").join(name);
        fs::remove_file(path("CURRENT")).unwrap();
        if !logs {
            files(directory.path(), |name| name.ends_with(".log")).iter().for_each(|log| fs::remove_file(log).unwrap());
        }
        let rows = || files(directory.path(), |name| [".sst", ".blob", ".log"].iter().any(|end| name.ends_with(end)));
        let before = rows();
        let reason = format!(
            "{} is missing, although there are {} files of a database",
            path("CURRENT").display(),
            before.len()
        );
        let lost = Some(StoreError::Lost { path: directory.path().join("db"), reason });
        assert_eq!(Store::open(directory.path(), &spec(), &config()).err(), lost);
        assert_eq!(Survey::run(directory.path(), &spec(), &config()).err(), lost);
        assert_eq!(Store::open_reset(directory.path(), &spec(), &config()).err(), lost);
        assert_eq!(rows(), before, "nothing is deleted");
    }
}

#[test]
fn a_damaged_list_of_files_is_not_said_to_be_rebuilt_by_a_reindex() {
    for name in ["CURRENT", "MANIFEST"] {
        for harm in [flip, |path: &Path| fs::write(path, "").unwrap()] {
            let (directory, _) = database();
            files(directory.path(), |file| file.starts_with(name)).iter().for_each(|path| harm(path));
            let error = Store::open(directory.path(), &spec(), &config()).err();
            assert!(matches!(error, Some(StoreError::Lost { .. })), "{name}: {error:?}");
        }
    }
}

#[test]
fn a_body_in_a_spoiled_file_is_noted_and_named_by_height() {
    let (directory, flushed) = database();
    files(directory.path(), |name| name.ends_with(".blob")).iter().for_each(|path| flip(path));
    let store = Store::open(directory.path(), &spec(), &config()).unwrap();
    let snapshot = store.reader().snapshot().unwrap();
    let chain = flushed.last().unwrap();
    let is_unreadable = |known: &&Arc<Known>| match snapshot.body(known.at) {
        Ok(block) => block != known.block,
        Err(StoreError::Unreadable { at, .. }) => at == known.at,
        Err(error) => panic!("{error}"),
    };
    let unreadable: Vec<_> = chain.iter().filter(is_unreadable).map(|known| known.at).collect();
    assert!(!unreadable.is_empty() && unreadable.len() < chain.len(), "{unreadable:?}");
    assert_eq!(store.unreadable(), unreadable);
    assert_eq!(store.body_for_others(unreadable[0]), None);
    store.forget_unreadable(unreadable[0]);
    assert_eq!(store.unreadable(), unreadable[1..]);
}
