//! Chains of unconfirmed coins: limits, packages, children that pay for their parents.

use chain_core::{hash::TxId, units::Amount};

use super::lab::{COIN, Lab, confirmed, fee_for, made, spend};
use crate::mempool::{EntryStatus, MempoolConfig, MempoolError, types::LockPending};

#[test]
fn a_child_pays_for_its_parent() {
    let mut lab = Lab::new();
    let parent = spend(&[confirmed(0)], 2, fee_for(1, 2, 110));
    let middle = spend(&[confirmed(1)], 1, fee_for(1, 1, 300));
    let child = spend(&[made(&parent, 0)], 1, fee_for(1, 1, 1_000));
    let low = spend(&[confirmed(2)], 1, fee_for(1, 1, 200));
    for tx in [&parent, &middle, &child, &low] {
        lab.submit(tx).unwrap();
    }
    assert_eq!(lab.selected(), [&parent, &child, &middle, &low].map(|tx| tx.txid()));
    let entry = lab.get(&child).unwrap();
    assert_eq!((entry.ancestors, entry.descendants), (1, 0));
    assert!(entry.package_tip_per_gas < entry.tip_per_gas);
    assert_eq!(lab.get(&parent).unwrap().descendants, 1);
}

#[test]
fn what_a_child_pays_counts_once() {
    let mut lab = Lab::new();
    // Two children share a cheap parent; with the first child in, the second ranks alone.
    let parent = spend(&[confirmed(0)], 2, fee_for(1, 2, 110));
    let rich = spend(&[made(&parent, 0)], 1, fee_for(1, 1, 2_000));
    let poor = spend(&[made(&parent, 1)], 1, fee_for(1, 1, 400));
    let other = spend(&[confirmed(1)], 1, fee_for(1, 1, 300));
    for tx in [&parent, &rich, &poor, &other] {
        lab.submit(tx).unwrap();
    }
    assert_eq!(lab.selected(), [&parent, &rich, &poor, &other].map(|tx| tx.txid()));
}

#[test]
fn a_rich_parent_does_not_wait_for_a_poor_child() {
    let mut lab = Lab::new();
    let parent = spend(&[confirmed(0)], 1, fee_for(1, 1, 1_000));
    let child = spend(&[made(&parent, 0)], 1, fee_for(1, 1, 110));
    let middle = spend(&[confirmed(1)], 1, fee_for(1, 1, 500));
    for tx in [&parent, &child, &middle] {
        lab.submit(tx).unwrap();
    }
    assert_eq!(lab.selected(), [&parent, &middle, &child].map(|tx| tx.txid()));
}

#[test]
fn chains_are_bounded_by_count() {
    let mut lab = Lab::new();
    let mut last = spend(&[confirmed(0)], 1, 2_000);
    let first = last.txid();
    lab.submit(&last).unwrap();
    for _ in 1..25 {
        last = spend(&[made(&last, 0)], 1, 2_000);
        lab.submit(&last).unwrap();
    }
    let next = spend(&[made(&last, 0)], 1, 2_000);
    assert_eq!(lab.refused(&next), MempoolError::TooManyAncestors { got: 26, limit: 25 });

    // A fan: 24 children of one parent, and no more.
    let parent = spend(&[confirmed(1)], 30, 50_000);
    lab.submit(&parent).unwrap();
    for index in 0..24 {
        lab.submit(&spend(&[made(&parent, index)], 1, 2_000)).unwrap();
    }
    let child = spend(&[made(&parent, 24)], 1, 2_000);
    let refused = MempoolError::TooManyDescendants { ancestor: parent.txid(), got: 26, limit: 25 };
    assert_eq!(lab.refused(&child), refused);
    assert_eq!(lab.pool.get(&first).unwrap().descendants, 24);
}

#[test]
fn chains_are_bounded_by_size() {
    let mut lab = Lab::with(MempoolConfig { chain_bytes: 1_000, ..MempoolConfig::default() });
    let parent = spend(&[confirmed(0)], 12, 20_000);
    let big = spend(&[made(&parent, 0)], 12, 20_000);
    lab.submit(&parent).unwrap();
    let got = parent.size() + big.size();
    assert!(got > 1_000);
    assert_eq!(lab.refused(&big), MempoolError::AncestorsTooLarge { got, limit: 1_000 });
    let small = spend(&[made(&parent, 1)], 2, 10_000);
    lab.submit(&small).unwrap();
    let other = spend(&[made(&parent, 2)], 5, 10_000);
    let got = parent.size() + small.size() + other.size();
    let refused = MempoolError::DescendantsTooLarge { ancestor: parent.txid(), got, limit: 1_000 };
    assert_eq!(lab.refused(&other), refused);
}

#[test]
fn a_parent_below_the_base_fee_holds_its_children_back() {
    let mut lab = Lab::new();
    let parent = spend(&[confirmed(0)], 1, fee_for(1, 1, 150));
    let child = spend(&[made(&parent, 0)], 1, fee_for(1, 1, 2_000));
    lab.submit(&parent).unwrap();
    lab.submit(&child).unwrap();
    assert_eq!(lab.get(&child).unwrap().status, EntryStatus::Pending);
    lab.set_base_fee(2_000_000_000);
    assert!(lab.selected().is_empty());
    assert_eq!(lab.get(&parent).unwrap().status, EntryStatus::Queued);
    assert_eq!(lab.get(&child).unwrap().status, EntryStatus::Queued);
    assert!(lab.get(&parent).unwrap().tip_per_gas < 0);
    lab.set_base_fee(1_500_000_000);
    assert_eq!(lab.selected(), [parent.txid(), child.txid()]);
}

#[test]
fn a_lock_sees_what_the_pool_gives_and_takes() {
    let mut lab = Lab::new();
    let parent = spend(&[confirmed(0)], 2, 5_000);
    let child = spend(&[made(&parent, 0)], 1, 5_000);
    lab.submit(&parent).unwrap();
    lab.submit(&child).unwrap();
    let LockPending { incoming, spent } = lab.pool.of_lock(&parent.outputs[0].lock);
    let mut outpoints: Vec<_> = incoming.iter().map(|(outpoint, _)| *outpoint).collect();
    outpoints.sort();
    let mut expected = [made(&parent, 1).0, made(&child, 0).0];
    expected.sort();
    assert_eq!(outpoints, expected);
    let mut spenders: Vec<TxId> = spent.iter().map(|(_, _, txid)| *txid).collect();
    spenders.sort();
    let mut expected = [parent.txid(), child.txid()];
    expected.sort();
    assert_eq!(spenders, expected);
    assert_eq!(lab.pool.spender(&confirmed(0).0), Some(parent.txid()));
    assert_eq!(spent.iter().map(|(_, output, _)| output.amount).max(), Some(Amount(COIN)));
}
