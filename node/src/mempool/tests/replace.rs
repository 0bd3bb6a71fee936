//! Replacement: at a tenth more, never for free, never of too many.

use chain_core::{
    U256,
    hash::TxId,
    transaction::{Transaction, account::Fees},
    units::Amount,
};

use super::lab::{GWEI, Lab, call, confirmed, fee_for, made, prepared, spend};
use crate::mempool::{Change, MempoolError, RemovalReason};

#[test]
fn a_double_spend_must_pay_a_tenth_more() {
    let mut lab = Lab::new();
    let old = spend(&[confirmed(0)], 1, 10_000);
    lab.submit(&old).unwrap();
    let free = spend(&[confirmed(0)], 1, 10_999);
    let needed = Amount::from_grains(11_000);
    assert_eq!(lab.refused(&free), MempoolError::ReplacementFee { count: 1, got: Amount::from_grains(10_999), needed });
    let paid = spend(&[confirmed(0)], 1, 11_000);
    lab.pool.take_changes();
    lab.submit(&paid).unwrap();
    let replaced = Change::Removed(old.txid(), RemovalReason::Replaced(paid.txid()));
    assert_eq!(lab.pool.take_changes(), [replaced, Change::Added(paid.txid())]);
    assert!(lab.get(&old).is_none());
    assert_eq!(
        lab.refused(&old),
        MempoolError::ReplacementFee {
            count: 1,
            got: Amount::from_grains(10_000),
            needed: Amount::from_grains(12_100)
        }
    );
}

#[test]
fn a_larger_replacement_pays_a_tenth_more_for_each_gas() {
    let mut lab = Lab::new();
    let old = spend(&[confirmed(0)], 1, 10_000);
    lab.submit(&old).unwrap();
    let gas = |tx: &chain_core::transaction::coin::CoinTransaction| u128::from(tx.gas(tx.size()));
    let mut large = spend(&[confirmed(0)], 3, 11_000);
    let needed = (10_000 * gas(&large) * 11).div_ceil(10 * gas(&old)) as u64;
    let refused = MempoolError::ReplacementFee {
        count: 1,
        got: Amount::from_grains(11_000),
        needed: Amount::from_grains(needed),
    };
    assert_eq!(lab.refused(&large), refused);
    large = spend(&[confirmed(0)], 3, needed);
    lab.submit(&large).unwrap();
}

#[test]
fn descendants_are_paid_for_too() {
    let mut lab = Lab::new();
    let old = spend(&[confirmed(0)], 1, 10_000);
    let child = spend(&[made(&old, 0)], 1, 30_000);
    lab.submit(&old).unwrap();
    lab.submit(&child).unwrap();
    let cheap = spend(&[confirmed(0)], 1, 43_999);
    let needed = Amount::from_grains(44_000);
    assert_eq!(
        lab.refused(&cheap),
        MempoolError::ReplacementFee { count: 2, got: Amount::from_grains(43_999), needed }
    );
    lab.submit(&spend(&[confirmed(0)], 1, 44_000)).unwrap();
    assert_eq!(lab.pool.stats().transactions, 1);
}

#[test]
fn one_transaction_replaces_a_bounded_number() {
    let mut lab = Lab::new();
    let coins: Vec<_> = (0..101).map(confirmed).collect();
    for coin in &coins {
        lab.submit(&spend(&[*coin], 1, 2_000)).unwrap();
    }
    let all = spend(&coins, 1, 1_000_000);
    assert_eq!(lab.refused(&all), MempoolError::TooManyReplaced { got: 101, limit: 100 });
    lab.submit(&spend(&coins[..100], 1, 1_000_000)).unwrap();
    assert_eq!(lab.pool.stats().transactions, 2);
}

#[test]
fn a_replacement_spends_nothing_that_it_replaces_and_no_other_unconfirmed_coin() {
    let mut lab = Lab::new();
    let old = spend(&[confirmed(0)], 2, 10_000);
    let other = spend(&[confirmed(1)], 2, 10_000);
    lab.submit(&old).unwrap();
    lab.submit(&other).unwrap();
    let own = spend(&[confirmed(0), made(&old, 1)], 1, 90_000);
    assert_eq!(lab.refused(&own), MempoolError::SpendsReplaced(old.txid()));
    let leaning = spend(&[confirmed(0), made(&other, 0)], 1, 90_000);
    assert_eq!(lab.refused(&leaning), MempoolError::ReplacementAddsUnconfirmed(made(&other, 0).0));
    // A bump of a child stands on the same parent.
    let child = spend(&[made(&other, 0)], 1, 10_000);
    lab.submit(&child).unwrap();
    lab.submit(&spend(&[made(&other, 0), made(&other, 1)], 1, 90_000)).unwrap();
    assert!(lab.get(&child).is_none());
}

#[test]
fn an_account_transaction_is_replaced_at_a_tenth_more_on_both_caps() {
    let mut lab = Lab::new();
    let old = call(1, 0, 10, 2);
    lab.submit(&old).unwrap();
    let Transaction::Account(tx) = &*old.transaction else { panic!() };
    let offer = |fee_cap: u64, tip_cap: u64| {
        let mut fields = tx.fields().clone();
        fields.fees = Fees::Dynamic { max_fee: U256::from(fee_cap), max_priority_fee: U256::from(tip_cap) };
        prepared(1, fields)
    };
    let refused = |got_fee_cap, got_tip_cap| MempoolError::ReplacementPrice {
        replaced: old.txid,
        got_fee_cap: u128::from(got_fee_cap),
        got_tip_cap: u128::from(got_tip_cap),
        needed_fee_cap: u128::from(11 * GWEI),
        needed_tip_cap: u128::from(2_200_000_000u64),
    };
    let (fee_cap, tip_cap) = (11 * GWEI, 2_200_000_000);
    assert_eq!(lab.refused(offer(fee_cap - 1, tip_cap)), refused(fee_cap - 1, tip_cap));
    assert_eq!(lab.refused(offer(fee_cap, tip_cap - 1)), refused(fee_cap, tip_cap - 1));
    assert_eq!(lab.refused(&old), MempoolError::AlreadyKnown(old.txid));
    lab.submit(offer(fee_cap, tip_cap)).unwrap();
    assert_eq!(lab.pool.stats().transactions, 1);
}

#[test]
fn a_replacement_raises_its_rank() {
    let mut lab = Lab::new();
    let low = spend(&[confirmed(0)], 1, fee_for(1, 1, 200));
    let high = spend(&[confirmed(1)], 1, fee_for(1, 1, 400));
    let raised = spend(&[confirmed(0)], 1, fee_for(1, 1, 600));
    lab.submit(&low).unwrap();
    lab.submit(&high).unwrap();
    assert_eq!(lab.selected(), [high.txid(), low.txid()]);
    lab.submit(&raised).unwrap();
    let order: Vec<TxId> = lab.selected();
    assert_eq!(order, [raised.txid(), high.txid()]);
}
