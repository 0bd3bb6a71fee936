//! Orphans and blocks of the future.

use super::kit::{Kit, solved};
use crate::engine::{BlockOutcome, SubmitBlockError};
use chain_core::{block::Block, error::RuleError, hash::BlockHash, transaction::Transaction};

#[test]
fn orphans_wait_for_their_parent() {
    let mut kit = Kit::new();
    let blocks = kit.twin().mine_many(4);
    kit.now.0 += 10_000;
    for index in [3, 1, 2] {
        assert_eq!(kit.take(blocks[index].clone()).unwrap(), BlockOutcome::Orphan);
    }
    assert_eq!(kit.take(blocks[2].clone()).unwrap(), BlockOutcome::Known);
    assert_eq!(kit.height(), 0);
    assert_eq!(kit.take(blocks[0].clone()).unwrap(), BlockOutcome::Connected { disconnected: 0 });
    assert_eq!((kit.height(), kit.tip()), (4, blocks[3].hash()));
}

#[test]
fn orphans_are_bounded_and_the_oldest_give_way() {
    let mut kit = Kit::new();
    let parent = kit.twin().mine_many(1).remove(0);
    kit.now.0 += 10_000;
    let orphans: Vec<_> = (0..100)
        .map(|index: u8| {
            let mut block = parent.clone();
            block.header.prev = BlockHash([index; 32]);
            solved(&kit.spec, block)
        })
        .collect();
    for orphan in &orphans {
        assert_eq!(kit.take(orphan.clone()).unwrap(), BlockOutcome::Orphan);
    }
    assert_eq!(kit.engine.chain.held().0, 64);
    assert_eq!(kit.take(orphans[99].clone()).unwrap(), BlockOutcome::Known);
    assert_eq!(kit.take(orphans[0].clone()).unwrap(), BlockOutcome::Orphan, "forgotten");
    assert_eq!(kit.engine.chain.held().0, 64);
}

// HDR-2
#[test]
fn an_orphan_must_show_work() {
    let mut kit = Kit::new();
    let mut block = kit.twin().mine_many(1).remove(0);
    block.header.prev = BlockHash([1; 32]);
    block.header.bits = 0x207f_ffff;
    let mut lazy = block.clone();
    while lazy.hash().0[31] < 0x80 {
        lazy.header.nonce += 1;
    }
    let refused = kit.take(lazy).unwrap_err();
    assert!(matches!(refused, SubmitBlockError::Rule(RuleError::HashAboveTarget { .. })), "{refused:?}");
    assert_eq!(kit.take(solved(&kit.spec, block)).unwrap(), BlockOutcome::Orphan);
}

// HDR-5
#[test]
fn a_block_of_the_future_waits_for_its_time() {
    let mut kit = Kit::new();
    let mut twin = kit.twin();
    let limit = kit.now.0 + u64::from(kit.spec.max_future) * 1_000;
    twin.now.0 = limit - 1_000;
    let on_time = twin.mine_many(1).remove(0);
    let early = twin.mine_many(1).remove(0);
    let child = twin.mine_many(1).remove(0);
    assert_eq!(kit.take(on_time).unwrap(), BlockOutcome::Connected { disconnected: 0 });
    assert_eq!(kit.take(early.clone()).unwrap(), BlockOutcome::Future);
    assert_eq!(kit.take(early.clone()).unwrap(), BlockOutcome::Known);
    assert_eq!(kit.take(child.clone()).unwrap(), BlockOutcome::Orphan);
    assert_eq!(kit.height(), 1);
    kit.wait(1);
    assert_eq!((kit.height(), kit.tip()), (2, early.hash()));
    kit.wait(1);
    assert_eq!((kit.height(), kit.tip()), (3, child.hash()));
}

// HDR-5
#[test]
fn blocks_of_the_future_are_bounded() {
    let mut kit = Kit::new();
    let block = kit.twin().mine_many(1).remove(0);
    for ahead in 0..100 {
        let mut block = block.clone();
        block.header.time += 10_000 + ahead;
        let outcome = kit.take(solved(&kit.spec, block));
        assert_eq!(outcome.is_ok(), ahead < 64, "block {ahead}: those furthest ahead give way");
    }
    assert_eq!(kit.engine.chain.held().1, 64);
}

// BLK-3
#[test]
fn a_wrong_body_is_not_held_and_keeps_no_right_one_out() {
    let mut kit = Kit::new();
    let mut twin = kit.twin();
    let blocks = twin.mine_many(2);
    twin.now.0 = kit.now.0 + 1_000_000;
    let late = twin.mine_many(1).remove(0);
    kit.now.0 += 10_000;
    let wrong = |block: &Block| {
        let mut block = block.clone();
        let Transaction::Coinbase(coinbase) = &mut block.transactions[0] else { panic!() };
        coinbase.extra.push(7);
        block
    };
    let refused = kit.take(wrong(&blocks[1])).unwrap_err();
    assert!(matches!(refused, SubmitBlockError::Rule(RuleError::MerkleRoot { .. })), "{refused:?}");
    assert_eq!(kit.take(blocks[1].clone()).unwrap(), BlockOutcome::Orphan);
    assert_eq!(kit.take(blocks[0].clone()).unwrap(), BlockOutcome::Connected { disconnected: 0 });
    assert_eq!(kit.tip(), blocks[1].hash());
    // The same for one of the future.
    let refused = kit.take(wrong(&late)).unwrap_err();
    assert!(matches!(refused, SubmitBlockError::Rule(RuleError::MerkleRoot { .. })), "{refused:?}");
    assert_eq!(kit.take(late.clone()).unwrap(), BlockOutcome::Future);
    kit.wait(1_000);
    assert_eq!(kit.tip(), late.hash());
}
