//! Searching logs by the index equals a search through all blocks, on all branches.

use alloy_primitives::Log;
use chain_core::units::Height;
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::lab::{Known, LOUD_ACCOUNT, Lab, account, config, rows, spec, topic};
use crate::store::{
    BlockLog, BlockRef, LogFilter, Snapshot, Store, StoreConfig, StoreError, blockdata, column::Column, logs::LogTerm,
    memory::MemoryKv, schema,
};

fn open(kv: &MemoryKv) -> Lab {
    Lab::new(spec(), Store::with_kv(Arc::new(kv.clone()), &spec(), &config()).unwrap())
}

fn snapshot(lab: &Lab) -> Snapshot {
    lab.store.reader().snapshot().unwrap()
}

/// The logs of a block that are asked for, the slow way.
fn logs_of(known: &Known, filter: &LogFilter) -> Vec<BlockLog> {
    let accounts =
        known.block.transactions.iter().filter(|tx| matches!(tx, chain_core::transaction::Transaction::Account(_)));
    let of_transactions = (0..).zip(accounts).zip(&known.effects.receipts);
    let all = of_transactions.flat_map(|((transaction, tx), receipt)| {
        receipt.logs.iter().map(move |log| (transaction, tx.txid(), log.clone()))
    });
    let placed = (0..).zip(all).map(|(index, (transaction, txid, log))| BlockLog { index, transaction, txid, log });
    placed.filter(|placed| wanted(filter, &placed.log)).collect()
}

fn wanted(filter: &LogFilter, log: &Log) -> bool {
    let address = filter.addresses.is_empty() || filter.addresses.contains(&log.address);
    let topics = (0..filter.topics.len()).all(|position| match log.topics().get(position) {
        Some(topic) => filter.topics[position].is_empty() || filter.topics[position].contains(topic),
        None => false,
    });
    address && topics
}

/// Every answer about logs is that of a search through all blocks; `all` are those that were ever connected.
fn check(lab: &Lab, all: &BTreeMap<BlockRef, Arc<Known>>, filter: &LogFilter) {
    let (snapshot, tip) = (snapshot(lab), lab.tip().at.height);
    for known in all.values() {
        assert_eq!(snapshot.logs(known.at, filter).unwrap().unwrap(), logs_of(known, filter));
    }
    for (from, to) in [(0, Height::MAX), (0, tip), (tip / 2, tip), (1, tip / 2), (tip + 1, tip + 9), (3, 2)] {
        let heights = snapshot.log_heights(filter, from, to, &|| false).unwrap();
        assert!(
            heights.is_sorted_by(|a, b| a < b) && heights.iter().all(|height| (from..=to.min(tip)).contains(height))
        );
        let logs_at = |height: &Height| {
            let at = snapshot.at_height(*height).unwrap().unwrap();
            snapshot.logs(at, filter).unwrap().unwrap().into_iter().map(move |log| (at, log))
        };
        let found: Vec<_> = heights.iter().flat_map(logs_at).collect();
        let range = lab.chain.iter().filter(|known| (from..=to).contains(&known.at.height));
        let expected: Vec<_> =
            range.flat_map(|known| logs_of(known, filter).into_iter().map(|log| (known.at, log))).collect();
        assert_eq!(found, expected, "{from} to {to}");
    }
}

/// The rows of the index are those of the active chain's logs.
fn check_rows(lab: &Lab, kv: &MemoryKv) {
    let mut expected = BTreeSet::new();
    for known in &lab.chain {
        for log in known.effects.receipts.iter().flat_map(|receipt| &receipt.logs) {
            expected.insert(schema::log_key(LogTerm::address(&log.address), known.at.height).to_vec());
            for (position, topic) in (0..).zip(log.topics()) {
                expected.insert(schema::log_key(LogTerm::topic(position, topic), known.at.height).to_vec());
            }
        }
    }
    let found = rows(kv, Column::LogIndex).into_iter().map(|(key, _)| key);
    assert!(found.eq(expected));
}

fn filters() -> impl Strategy<Value = LogFilter> {
    let address = prop_oneof![4 => Just(account(LOUD_ACCOUNT)), 1 => Just(account(9))];
    let topics = prop::collection::vec((0..7_u8).prop_map(topic), 0..3);
    (prop::collection::vec(address, 0..2), prop::collection::vec(topics, 0..4))
        .prop_map(|(addresses, topics)| LogFilter { addresses, topics })
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    let choice = prop_oneof![2 => (0..16_u8).prop_map(|number| 134 + 8 * (number % 15)), 1 => any::<u8>()];
    prop::collection::vec(choice, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_log_index_equals_a_search_through_all_blocks(
        blocks in prop::collection::vec((choices(), 0..3_usize, any::<bool>()), 1..12),
        filters in prop::collection::vec(filters(), 1..4),
    ) {
        let kv = MemoryKv::default();
        let (mut lab, mut all) = (open(&kv), BTreeMap::new());
        all.insert(lab.tip().at, lab.chain[0].clone());
        for (choices, back, flush) in blocks {
            let at = lab.connect(&choices);
            all.insert(at, lab.chain.last().unwrap().clone());
            (0..back.min(lab.chain.len() - 1)).for_each(|_| lab.disconnect());
            if flush {
                lab.store.flush().unwrap();
                check_rows(&lab, &kv);
            }
        }
        lab.store.flush().unwrap();
        check_rows(&lab, &kv);
        filters.iter().for_each(|filter| check(&lab, &all, filter));
    }

    #[test]
    fn no_bytes_make_a_search_of_receipts_panic(bytes: Vec<u8>) {
        let _ = blockdata::read_logs(&bytes, &LogFilter::default());
    }
}

#[test]
fn a_search_that_is_stopped_ends() {
    let mut lab = open(&MemoryKv::default());
    (0..3).for_each(|_| _ = lab.connect(&[134, 142]));
    lab.store.flush().unwrap();
    let filter = LogFilter { addresses: vec![account(LOUD_ACCOUNT)], topics: Vec::new() };
    assert_eq!(snapshot(&lab).log_heights(&filter, 0, 9, &|| false), Ok(vec![1, 2, 3]));
    assert_eq!(snapshot(&lab).log_heights(&filter, 0, 9, &|| true), Ok(Vec::new()));
}

#[test]
fn without_the_index_logs_are_read_of_a_block_and_not_searched() {
    let off = StoreConfig { log_index: false, ..config() };
    let mut lab = Lab::new(spec(), Store::in_memory(&spec(), &off).unwrap());
    let at = lab.connect(&[134]);
    lab.store.flush().unwrap();
    let snapshot = snapshot(&lab);
    assert!(!snapshot.has_log_index() && rows(&*lab.store.kv, Column::LogIndex).is_empty());
    let error = snapshot.log_heights(&LogFilter::default(), 0, 1, &|| false).err();
    assert_eq!(error, Some(StoreError::IndexOff { index: "log" }));
    assert_eq!(snapshot.logs(at, &LogFilter::default()).unwrap().unwrap().len(), 2);
}
