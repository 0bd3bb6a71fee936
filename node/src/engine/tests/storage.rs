//! Restarts, and storage that fails.

use super::kit::{FEE, Kit, Tx, reroot};
use crate::{
    engine::{Action, BlockOutcome, Event, NodeEvent, Reply, SubmitBlockError, SubmitError},
    store::{Store, StoreConfig, StoreError, memory::Faults},
};
use chain_core::{block::check::check_block, transaction::Transaction, units::Amount};
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
    let refused = kit.take(block.clone());
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
    let replies = kit.handle(Event::Transactions(vec![(1, Transaction::Coin(tx))]));
    assert!(kit.fatal.is_some());
    assert!(kit.penalties.is_empty());
    let local = |reply: &Reply| matches!(reply, Reply::Transaction(Err(SubmitError::Stopped | SubmitError::Local(_))));
    assert!(replies.iter().all(local) && replies.len() == 1);
}

// Headers that come before their blocks, blocks that come at once, and a branch beside:
//     genesis - a1 ... a5
//            \- b1 b2
#[test]
fn the_work_of_every_chain_stands_in_its_headers_row() {
    let mut kit = Kit::new();
    let (mut ahead, mut other) = (kit.twin(), kit.twin());
    other.name = 9;
    let first = ahead.mine_many(5);
    let headers: Vec<_> = first.iter().map(|block| block.header).collect();
    kit.now = ahead.now;
    kit.insert_headers(&headers);
    for block in first.into_iter().chain(other.mine_many(2)) {
        kit.take(block).unwrap();
    }
    let records = kit.engine.store().load_headers().unwrap();
    assert_eq!(records.len(), 8);
    for record in &records {
        assert_eq!(Some(record.work), kit.engine.chain().tree().get(&record.hash).map(|info| info.work), "{record:?}");
    }
}

// The chain's first blocks are pruned when the branch comes:
//     genesis - a1 ... a80
//            \- b1 ... b81
#[test]
fn a_better_branch_from_below_the_pruned_blocks_stops_the_engine_and_says_what_to_do() {
    let mut kit = Kit::new();
    let mut other = kit.twin();
    kit.store = StoreConfig { prune: Some(10), ..StoreConfig::default() };
    kit.restart();
    kit.mine_many(80);
    assert_eq!(kit.engine.chain_info().pruned, 64);
    for block in other.mine_many(81) {
        let _ = kit.take(block);
    }
    let said = kit.fatal.expect("the branch cannot be followed");
    assert!(said.contains("at height 64 was pruned: this node keeps only blocks above height 64"), "{said}");
    assert!(said.contains("cairn-node reindex --force`"), "{said}");
    assert!(kit.penalties.is_empty(), "{:?}", kit.penalties);
}

// BLK-3
//
//     G -- a1 -- a2        a wrong body of a1 comes, then a2 builds on its header
#[test]
fn a_header_whose_body_was_wrong_is_on_disk_for_its_children() {
    let mut kit = Kit::new();
    let blocks = kit.twin().mine_many(2);
    kit.now.0 += 10_000;
    let mut wrong = blocks[0].clone();
    let Transaction::Coinbase(coinbase) = &mut wrong.transactions[0] else { panic!() };
    coinbase.extra.push(7);
    kit.take(wrong).unwrap_err();
    kit.insert_headers(&[blocks[1].header]);
    kit.restart();
    assert_eq!(kit.engine.chain_info().best_header, 2);
    for block in blocks {
        kit.take(block).unwrap();
    }
    assert_eq!(kit.height(), 2);
}

//     G -- a1 ... a5
//      \-- b1 ... b4 -- b5 -- b6      b5 claims one grain too much
#[test]
fn readers_of_the_disk_see_the_tip_again_after_a_better_branch_turned_out_invalid() {
    let mut kit = Kit::new();
    // It is written after each four of the 18 steps there and back.
    kit.store.dirty_blocks = 4;
    kit.restart();
    let mut twin = kit.twin();
    kit.mine_many(5);
    let told = kit.engine.store().tip();
    assert_eq!(kit.engine.store().flushed_tip(), told);

    let mut branch = twin.mine_many(4);
    let b5 = twin.block_with(|transactions| {
        let Transaction::Coinbase(coinbase) = &mut transactions[0] else { panic!() };
        coinbase.outputs[0].amount = Amount::from_grains(coinbase.outputs[0].amount.grains() + 1);
    });
    let mut b6 = b5.clone();
    b6.header.prev = b5.hash();
    b6.header.time += 1;
    let b6 = reroot(&kit.spec, b6);
    branch.push(b5);
    for block in branch {
        assert_eq!(kit.take(block).unwrap(), BlockOutcome::SideBranch);
    }
    kit.take(b6).unwrap_err();
    assert_eq!(kit.engine.store().tip(), told);
    assert_eq!(kit.engine.store().flushed_tip(), told);
}

//     G -- a1 ... a150                 150 full of payments, then
//      \-- b1 ... b151                 a longer branch
#[test]
fn a_deep_reorganisation_keeps_little_in_memory_answers_in_between_and_outlives_a_kill() {
    const DIRTY: u32 = 10;
    let mut kit = Kit::with(super::kit::spec(160), Default::default());
    kit.store.dirty_blocks = DIRTY;
    kit.restart();
    let mut twin = kit.twin();
    for index in 0..150 {
        kit.submit(&kit.send(index, FEE)).unwrap();
        kit.mine();
    }
    let mut branch = twin.mine_many(151);
    let last = branch.pop().unwrap();
    for block in branch {
        assert_eq!(kit.take(block).unwrap(), BlockOutcome::SideBranch);
    }
    let told = kit.tip();
    kit.events.clear();
    let mut actions = kit.engine.handle(Event::Block(7, last), kit.now);
    let (mut slices, mut lowest) = (0, kit.height());
    while kit.tip() != twin.tip() {
        assert!(actions.iter().any(|action| matches!(action, Action::Continue)), "it goes on by itself");
        assert!(!actions.iter().any(|action| matches!(action, Action::Reply(7, _))), "nothing is decided");
        let new_tip = |action: &Action| matches!(action, Action::Publish(NodeEvent::NewTip { .. }));
        assert!(!actions.iter().any(new_tip), "nobody is told of a block in between");
        assert!(kit.engine.store().dirty_blocks() <= DIRTY);
        // Calls in between are answered.
        let payment = kit.send(150 + slices, FEE);
        let answers = kit.engine.handle(Event::Transactions(vec![(9, Tx::from(&payment).0)]), kit.now);
        assert!(
            answers.iter().any(|action| matches!(action, Action::Reply(9, Reply::Transaction(Ok(_))))),
            "{answers:?}"
        );
        kit.engine.mempool().assert_consistent();
        lowest = lowest.min(kit.height());
        slices += 1;
        if slices == 2 {
            // Killed: what was flushed last is a block on the way, and the way goes on.
            let flushed = kit.engine.store().flushed_tip().height;
            assert!(flushed < 150 && flushed > 0, "{flushed}");
            kit.restart();
            break;
        }
        actions = kit.engine.handle(Event::Continue, kit.now);
    }
    assert!(lowest < 100 && told != kit.tip());
    assert_eq!((kit.tip(), kit.height()), (twin.tip(), 151));
    kit.mine();
}

#[test]
fn a_deep_reorganisation_brings_every_payment_back() {
    let mut kit = Kit::with(super::kit::spec(160), Default::default());
    let mut twin = kit.twin();
    for index in 0..150 {
        kit.submit(&kit.send(index, FEE)).unwrap();
        kit.mine();
    }
    let mut outcome = None;
    for block in twin.mine_many(151) {
        outcome = Some(kit.take(block).unwrap());
    }
    assert_eq!(outcome, Some(BlockOutcome::Connected { disconnected: 150 }));
    assert_eq!(kit.pooled().len(), 150);
    let told = kit
        .events
        .iter()
        .filter(|event| matches!(event, NodeEvent::NewTip { disconnected, .. } if !disconnected.is_empty()));
    assert_eq!(told.count(), 1, "one step for subscribers");
}
