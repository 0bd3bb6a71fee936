//! Chains of unconfirmed coins: limits, packages, children that pay for their parents.

use chain_core::{hash::TxId, transaction::coin::CoinTransaction, units::Amount};

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
    assert!(lab.pool.coins.iter().any(|(_, kept)| kept.txid == entry.txid && kept.package_rate() < kept.own.rate()));
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
    // The one that is carved out, and no more.
    lab.submit(&spend(&[made(&parent, 24)], 1, 2_000)).unwrap();
    let child = spend(&[made(&parent, 25)], 1, 2_000);
    let refused = MempoolError::TooManyDescendants { ancestor: parent.txid(), got: 27, limit: 25 };
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
    let small = spend(&[made(&parent, 1)], 1, 10_000);
    lab.submit(&small).unwrap();
    // One that rests on the parent alone is carved out, what rests on more is not.
    let with = |tx: &CoinTransaction| parent.size() + small.size() + tx.size();
    let mut sizes = (1..12).map(|outputs| spend(&[made(&parent, 2)], outputs, 10_000));
    let carved = sizes.find(|tx| with(tx) > 1_000).unwrap();
    let got = with(&carved);
    lab.submit(&carved).unwrap();
    let other = spend(&[made(&small, 0)], 1, 10_000);
    assert!(parent.size() + small.size() + other.size() <= 1_000);
    let refused = MempoolError::DescendantsTooLarge { ancestor: parent.txid(), got: got + other.size(), limit: 1_000 };
    assert_eq!(lab.refused(&other), refused);
    let second = spend(&[made(&parent, 3)], 200, 400_000);
    assert!(matches!(lab.refused(&second), MempoolError::AncestorsTooLarge { .. }));
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
fn no_child_pays_the_base_fee_of_its_parent() {
    let mut lab = Lab::with(MempoolConfig { max_bytes: 10_000, ..MempoolConfig::default() });
    let parent = spend(&[confirmed(0)], 1, fee_for(1, 1, 150));
    let child = spend(&[made(&parent, 0)], 1, fee_for(1, 1, 9_000));
    let honest = spend(&[confirmed(1)], 1, fee_for(1, 1, 220));
    for tx in [&parent, &child, &honest] {
        lab.submit(tx).unwrap();
    }
    assert_eq!(lab.selected(), [parent.txid(), child.txid(), honest.txid()]);
    lab.set_base_fee(2_000_000_000);
    let first = lab.pool.best(usize::MAX)[0].txid;
    assert_eq!(first, honest.txid(), "what cannot be mined ranks behind what can");
    assert_eq!(lab.selected(), [honest.txid()]);
    let fast = lab.pool.estimate(1).fast;
    assert!((200_000_000..202_000_000).contains(&fast), "{fast}: nor does it raise what others are told to pay");
    // In a full pool it goes first, its rich child with it.
    let mut index = 2;
    while lab.get(&parent).is_some() {
        lab.submit(&spend(&[confirmed(index)], 1, fee_for(1, 1, 215))).unwrap();
        index += 1;
    }
    assert!(lab.get(&child).is_none() && lab.get(&honest).is_some());
    assert_eq!(lab.pool.stats().min_tip, 0, "its price is below every base fee");
    lab.set_base_fee(1_000_000_000);
    assert_eq!(lab.selected().len(), usize::from(index) - 1);
}

//     P -- 24 of one owner
#[test]
fn the_other_owner_of_a_shared_transaction_can_always_add_one_child() {
    let mut lab = Lab::new();
    let shared = spend(&[confirmed(0)], 2, 5_000);
    let first = spend(&[made(&shared, 0)], 23, 60_000);
    lab.submit(&shared).unwrap();
    lab.submit(&first).unwrap();
    let children: Vec<_> = (0..23).map(|index| spend(&[made(&first, index)], 1, 3_000)).collect();
    children.iter().for_each(|child| _ = lab.submit(child).unwrap());
    assert_eq!(lab.get(&shared).unwrap().descendants, 24);
    // Not for what rests on more than the shared one.
    let deep = spend(&[made(&children[0], 0)], 1, 3_000);
    assert!(matches!(lab.refused(&deep), MempoolError::TooManyDescendants { limit: 25, .. }));
    let child = spend(&[made(&shared, 1)], 1, fee_for(1, 1, 50_000));
    lab.submit(&child).unwrap();
    assert_eq!(lab.selected()[..2], [shared.txid(), child.txid()]);
    let grandchild = spend(&[made(&child, 0)], 1, 3_000);
    let refused = MempoolError::TooManyDescendants { ancestor: shared.txid(), got: 27, limit: 25 };
    assert_eq!(lab.refused(&grandchild), refused);
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
    assert_eq!(spent.iter().map(|(_, output, _)| output.amount).max(), Some(Amount::from_grains(COIN)));
}
