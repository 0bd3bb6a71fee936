//! Size, price of entry, age, dust.

use chain_core::{error::RuleError, units::Amount};

use super::lab::{COIN, GWEI, Lab, call, cheap_call, confirmed, fee_for, made, spend};
use crate::mempool::{Change, MempoolConfig, MempoolError, RemovalReason, SubmitError};

fn small() -> Lab {
    // Room for about six plain coin transactions.
    Lab::with(MempoolConfig { max_bytes: 10_000, ..MempoolConfig::default() })
}

#[test]
fn the_worst_give_way_and_the_price_of_entry_rises() {
    let mut lab = small();
    let mut held = 0;
    for index in 0..20u8 {
        let tx = spend(&[confirmed(index)], 1, fee_for(1, 1, 200 + u64::from(index) * 50));
        lab.submit(&tx).unwrap();
        held = lab.pool.stats().transactions;
    }
    assert!((4..10).contains(&held));
    let worst = 200 + (19 - held as u64 + 1) * 50;
    let kept = lab.pool.best(usize::MAX);
    assert!(kept.iter().all(|entry| entry.tip_per_gas >= i128::from(worst - 100) * 10_000_000));
    // What was dropped, and a tenth of a gwei more: 10 % of the floor of the base fee.
    let floor = lab.pool.stats().min_tip;
    assert!(floor > (worst - 150) * 10_000_000, "{floor}");

    let cheap = spend(&[confirmed(30)], 1, fee_for(1, 1, 200));
    match lab.refused(&cheap) {
        MempoolError::TipTooLow { got, minimum } => {
            assert_eq!(minimum, floor);
            assert!(got < i128::from(minimum));
        }
        other => panic!("{other:?}"),
    }
    // In time the price sinks, once there is room.
    for _ in 0..20 {
        lab.now += 3_600;
        lab.pool.tick(lab.now);
    }
    assert_eq!(lab.pool.stats().min_tip, 0);
}

#[test]
fn a_child_that_pays_keeps_its_parent() {
    let mut lab = small();
    let parent = spend(&[confirmed(0)], 1, fee_for(1, 1, 110));
    let child = spend(&[made(&parent, 0)], 1, fee_for(1, 1, 3_000));
    lab.submit(&parent).unwrap();
    lab.submit(&child).unwrap();
    for index in 1..20u8 {
        lab.submit(&spend(&[confirmed(index)], 1, fee_for(1, 1, 200 + u64::from(index) * 50))).unwrap();
    }
    assert!(lab.get(&parent).is_some() && lab.get(&child).is_some());
}

#[test]
fn a_full_pool_refuses_what_is_worse_than_all() {
    let mut lab = small();
    for index in 0..20u8 {
        let _ = lab.submit(&spend(&[confirmed(index)], 1, fee_for(1, 1, 500)));
    }
    let before = lab.pool.stats().transactions;
    lab.pool.take_changes();
    let worse = spend(&[confirmed(50)], 1, fee_for(1, 1, 450));
    let refused = lab.refused(&worse);
    assert!(matches!(refused, MempoolError::TipTooLow { .. } | MempoolError::Full { .. }), "{refused:?}");
    assert_eq!(lab.pool.stats().transactions, before);
    let better = spend(&[confirmed(51)], 1, fee_for(1, 1, 700));
    lab.submit(&better).unwrap();
    let changes = lab.pool.take_changes();
    assert!(matches!(changes[..], [Change::Added(_), Change::Removed(_, RemovalReason::Evicted)]), "{changes:?}");
}

#[test]
fn what_waits_goes_before_what_is_ready() {
    let mut lab = small();
    let waiting = call(1, 5, 90, 80);
    lab.submit(&waiting).unwrap();
    let mut index = 0;
    while lab.get(&waiting).is_some() {
        lab.submit(&spend(&[confirmed(index)], 1, fee_for(1, 1, 110))).unwrap();
        index += 1;
    }
    assert_eq!(lab.pool.stats().transactions, usize::from(index));
    assert_eq!(lab.pool.stats().min_tip, 0, "what waits says nothing about prices");
}

#[test]
fn old_transactions_expire_with_their_descendants() {
    let mut lab = Lab::with(MempoolConfig { expiry: 1_000, ..MempoolConfig::default() });
    let old = spend(&[confirmed(0)], 1, 2_000);
    let call = call(1, 0, 10, 2);
    lab.submit(&old).unwrap();
    lab.submit(&call).unwrap();
    lab.now += 900;
    let child = spend(&[made(&old, 0)], 1, 2_000);
    let young = spend(&[confirmed(1)], 1, 2_000);
    lab.submit(&child).unwrap();
    lab.submit(&young).unwrap();
    lab.pool.tick(lab.now + 100);
    assert_eq!(lab.pool.stats().transactions, 4);
    lab.pool.take_changes();
    lab.pool.tick(lab.now + 161);
    let gone = lab.pool.take_changes();
    assert_eq!(
        gone,
        [
            Change::Removed(child.txid(), RemovalReason::ParentRemoved),
            Change::Removed(old.txid(), RemovalReason::Expired),
            Change::Removed(call.txid, RemovalReason::Expired),
        ]
    );
    assert!(lab.get(&young).is_some());
    lab.pool.assert_consistent();
}

#[test]
fn dust_is_refused() {
    let mut lab = Lab::new();
    let mut tx = spend(&[confirmed(0)], 2, 10_000);
    // 6,648 gas at 1 gwei.
    tx.outputs[1].amount = Amount::from_grains(664);
    tx.outputs[0].amount = Amount::from_grains(COIN - 10_000 - 664);
    let refused = MempoolError::Dust { index: 1, got: Amount::from_grains(664), minimum: Amount::from_grains(665) };
    assert_eq!(lab.refused(&tx), refused);
    tx.outputs[1].amount = Amount::from_grains(665);
    tx.outputs[0].amount = Amount::from_grains(COIN - 10_000 - 665);
    lab.submit(&tx).unwrap();
}

#[test]
fn large_transactions_are_refused() {
    let mut lab = Lab::with(MempoolConfig { transaction_bytes: 1_000, ..MempoolConfig::default() });
    let coins: Vec<_> = (0..10).map(confirmed).collect();
    let large = spend(&coins, 1, 100_000);
    assert_eq!(lab.refused(&large), MempoolError::TooLarge { got: large.size(), limit: 1_000 });
    lab.submit(&spend(&coins[..5], 1, 100_000)).unwrap();
}

// COIN-10 at the lowest base fee there can be
#[test]
fn a_fee_that_no_block_can_accept_is_refused() {
    let mut lab = Lab::new();
    let least = fee_for(1, 1, 100);
    match lab.submit(&spend(&[confirmed(0)], 1, least - 1)) {
        Err(SubmitError::Rule(RuleError::FeeTooLow { got, needed })) => {
            assert_eq!((got, needed), (Amount::from_grains(least - 1), Amount::from_grains(least)));
        }
        other => panic!("{other:?}"),
    }
    lab.submit(&spend(&[confirmed(0)], 1, least)).unwrap();
}

#[test]
fn a_least_tip_can_be_asked_for() {
    let mut lab = Lab::with(MempoolConfig { min_tip: GWEI, ..MempoolConfig::default() });
    assert_eq!(lab.refused(call(1, 0, 10, 0)), MempoolError::TipTooLow { got: 0, minimum: GWEI });
    lab.submit(call(1, 0, 10, 1)).unwrap();
    let cheap = spend(&[confirmed(0)], 1, fee_for(1, 1, 199));
    assert!(matches!(lab.refused(&cheap), MempoolError::TipTooLow { .. }));
    lab.submit(&spend(&[confirmed(0)], 1, fee_for(1, 1, 200))).unwrap();
}

#[test]
fn estimates_follow_what_is_offered() {
    let mut lab = Lab::new();
    let calm = lab.pool.estimate(lab.spec.gas_limit);
    assert_eq!((calm.slow, calm.normal, calm.fast), (0, 0, 0));
    for index in 0..100u8 {
        lab.submit(&spend(&[confirmed(index)], 1, fee_for(1, 1, 200 + u64::from(index)))).unwrap();
    }
    let gas = lab.pool.stats().gas;
    let crowded = lab.pool.estimate(gas / 10);
    assert!(crowded.fast > crowded.normal && crowded.normal > crowded.slow && crowded.slow > 0, "{crowded:?}");
    let enough = lab.pool.estimate(gas);
    assert_eq!((enough.slow, enough.normal, enough.fast), (0, 0, 0));
}

#[test]
fn dear_transactions_behind_a_cheap_nonce_raise_no_estimate() {
    let mut lab = Lab::new();
    lab.submit(cheap_call(1, 0, 1)).unwrap();
    for nonce in 1..40 {
        lab.submit(cheap_call(1, nonce, 900)).unwrap();
    }
    assert_eq!(lab.pool.estimate(21_000 * 10).fast, GWEI + 1, "more than the first is enough to come before them all");
}
