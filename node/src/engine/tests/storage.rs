//! Restarts, and storage that fails.

use super::kit::{FEE, Kit};
use crate::{
    engine::{Event, PeerId, Reply, Source, SubmitBlockError, SubmitError},
    store::{Store, StoreConfig, StoreError, memory::Faults},
};
use chain_core::{check::check_block, transaction::Transaction};
use std::sync::Arc;

#[test]
fn opens_where_it_stood() {
    let mut kit = Kit::new();
    kit.submit(&kit.send(0, FEE)).unwrap();
    kit.mine_many(3);
    let info = kit.engine.chain_info();
    kit.restart();
    let mut after = kit.engine.chain_info();
    after.mempool = info.mempool;
    assert_eq!(after, info);
    kit.mine();
    assert_eq!(kit.height(), 4);
}

#[test]
fn replays_stored_blocks_above_the_tip() {
    let mut kit = Kit::new();
    let blocks = kit.twin().mine_many(100);
    kit.now.0 += 200_000;
    // Stored, but never connected: what a crash leaves behind.
    let mut store = Store::with_kv(Arc::new(kit.kv.clone()), &kit.spec, &StoreConfig::default()).unwrap();
    for (height, block) in (1..).zip(&blocks) {
        store.put_body(height, &check_block(&kit.spec, block.clone()).unwrap()).unwrap();
    }
    drop(store);
    kit.restart();
    assert_eq!(kit.tip(), blocks[99].hash());
    assert!(!kit.engine.chain_info().syncing);
    assert_eq!(kit.engine.store().flushed_tip().height, 100);
}

#[test]
fn a_full_disk_stops_the_engine_and_blames_nobody() {
    let mut kit = Kit::new();
    kit.mine();
    let block = kit.block_with(|_| {});
    kit.kv.set_faults(Faults { writes_left: Some(0), unreadable: false });
    let refused = kit.take_from(Source::Peer(PeerId(3)), block.clone());
    assert!(refused.is_err());
    assert!(kit.penalties.is_empty());
    assert_eq!(kit.fatal, Some(StoreError::NoSpace.to_string()));
    // Whatever comes afterwards is refused.
    assert!(matches!(kit.take(block.clone()), Err(SubmitBlockError::Stopped)));
    let late = kit.submit(&kit.send(0, FEE)).unwrap_err();
    assert!(matches!(late, SubmitError::Stopped));

    // With space again, it goes on from the last block.
    kit.kv.set_faults(Faults::default());
    kit.fatal = None;
    kit.restart();
    assert_eq!(kit.height(), 1);
    kit.take(block).unwrap();
    assert_eq!(kit.height(), 2);
}

#[test]
fn an_unreadable_disk_blames_no_transaction() {
    let mut kit = Kit::new();
    kit.mine();
    kit.restart();
    kit.kv.set_faults(Faults { writes_left: None, unreadable: true });
    let tx = kit.send(40, FEE);
    let replies = kit.handle(Event::Transactions(vec![(1, Source::Peer(PeerId(9)), Transaction::Coin(tx))]));
    assert!(kit.fatal.is_some());
    assert!(kit.penalties.is_empty());
    let local = |reply: &Reply| matches!(reply, Reply::Transaction(Err(SubmitError::Stopped | SubmitError::Local(_))));
    assert!(replies.iter().all(local) && replies.len() == 1);
}
