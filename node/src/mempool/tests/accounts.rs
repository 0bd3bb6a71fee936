//! Queues of account transactions, and their place in the common ranking.

use chain_core::{
    U256,
    error::RuleError,
    state::Account,
    transaction::{Transaction, account::Fields},
};

use super::lab::{GWEI, Lab, call, confirmed, crn, fee_for, prepared, sender, spend};
use crate::mempool::{Change, EntryStatus, MempoolConfig, MempoolError, Prepared, RemovalReason, SubmitError};

fn status(lab: &Lab, tx: &Prepared) -> EntryStatus {
    lab.get(tx).unwrap().status
}

#[test]
fn a_gap_holds_back_until_it_is_filled() {
    let mut lab = Lab::new();
    let [zero, one, two] = [0, 1, 2].map(|nonce| call(1, nonce, 10, 2));
    lab.submit(&two).unwrap();
    lab.submit(&zero).unwrap();
    assert_eq!([&zero, &two].map(|tx| status(&lab, tx)), [EntryStatus::Pending, EntryStatus::Queued]);
    assert_eq!(lab.pool.pending_nonce(&sender(1)), Some(1));
    assert_eq!(lab.selected(), [zero.txid]);
    lab.submit(&one).unwrap();
    assert_eq!(lab.pool.pending_nonce(&sender(1)), Some(3));
    assert_eq!(lab.selected(), [zero.txid, one.txid, two.txid]);
    assert_eq!(lab.pool.pending_nonce(&sender(2)), None);
}

#[test]
fn nonces_may_be_a_bounded_way_ahead() {
    let mut lab = Lab::new();
    lab.submit(call(1, 64, 10, 2)).unwrap();
    let far = lab.refused(call(1, 65, 10, 2));
    assert_eq!(far, MempoolError::NonceGap { sender: sender(1), got: 65, expected: 0, limit: 64 });
    lab.submit(call(1, 0, 10, 2)).unwrap();
    lab.submit(call(1, 65, 10, 2)).unwrap();
}

#[test]
fn one_sender_has_a_bounded_number() {
    let mut lab = Lab::with(MempoolConfig { per_sender: 3, ..MempoolConfig::default() });
    for nonce in 0..3 {
        lab.submit(call(1, nonce, 10, 2)).unwrap();
    }
    assert_eq!(lab.refused(call(1, 3, 10, 2)), MempoolError::SenderLimit { sender: sender(1), limit: 3 });
    lab.submit(call(2, 0, 10, 2)).unwrap();
    lab.submit(call(1, 2, 12, 3)).unwrap();
}

// ACC-10
#[test]
fn the_balance_must_cover_the_whole_queue() {
    let mut lab = Lab::new();
    let gas = U256::from(21_000) * U256::from(10 * GWEI);
    let mut spend_all = |nonce, value: U256| {
        let Transaction::Account(tx) = &*call(1, nonce, 10, 2).transaction else { panic!() };
        lab.submit(prepared(1, Fields { value, ..tx.fields().clone() }))
    };
    spend_all(0, crn(60)).unwrap();
    let rest = crn(40) - gas - gas;
    let refused = spend_all(1, rest + U256::ONE).unwrap_err();
    let SubmitError::Mempool(error) = refused else { panic!() };
    let needed = crn(100) + U256::ONE;
    assert_eq!(error, MempoolError::InsufficientFunds { sender: sender(1), available: crn(100), needed });
    spend_all(1, rest).unwrap();
    assert_eq!(lab.pool.pending_nonce(&sender(1)), Some(2));
}

#[test]
fn what_a_balance_that_shrinks_does_not_cover_leaves_the_pool() {
    let mut lab = Lab::new();
    let queue: Vec<Prepared> = (0..3).map(|nonce| call(1, nonce, 10, 2)).collect();
    for tx in &queue {
        lab.submit(tx).unwrap();
    }
    let behind_a_gap = [5, 6].map(|nonce| call(1, nonce, 10, 2));
    behind_a_gap.iter().for_each(|tx| _ = lab.submit(tx).unwrap());
    lab.pool.take_changes();
    lab.set_account(1, 0, crn(2) + crn(1) / U256::from(2));
    assert_eq!(lab.pool.take_changes(), [Change::Removed(queue[2].txid, RemovalReason::Unpaid)]);
    let statuses: Vec<_> = queue[..2].iter().map(|tx| status(&lab, tx)).collect();
    assert_eq!(statuses, [EntryStatus::Pending, EntryStatus::Pending]);
    assert_eq!(status(&lab, &behind_a_gap[0]), EntryStatus::Queued, "alone it is paid for");
    lab.set_account(1, 1, crn(1) / U256::from(2));
    assert_eq!(lab.pool.stats().transactions, 0);
}

#[test]
fn what_a_nonce_that_rises_again_with_a_block_taken_back_uses_up_leaves_the_pool() {
    let mut lab = Lab::new();
    lab.set_account(1, 2, crn(100));
    let (used, left) = (call(1, 3, 5, 1), call(1, 5, 5, 1));
    lab.submit(&used).unwrap();
    lab.submit(&left).unwrap();
    let account = Account { nonce: 5, balance: crn(100), ..Account::default() };
    assert!(lab.pool.block_disconnected(&[], &[(sender(1), account)]).is_empty());
    lab.pool.assert_consistent();
    assert!(lab.get(&used).is_none() && lab.get(&left).is_some());
}

// EIP-7702: one call by anybody may empty such an account.
#[test]
fn a_delegated_sender_has_one_transaction_at_a_time() {
    let mut lab = Lab::new();
    lab.delegate(1);
    let refused = MempoolError::DelegatedSender { sender: sender(1), got: 1, expected: 0 };
    assert_eq!(lab.refused(call(1, 1, 10, 2)), refused);
    lab.submit(call(1, 0, 10, 2)).unwrap();
    assert_eq!(lab.refused(call(1, 1, 10, 2)), refused);
    let raised = call(1, 0, 20, 4);
    lab.submit(&raised).unwrap();
    assert_eq!((lab.pool.stats().transactions, status(&lab, &raised)), (1, EntryStatus::Pending));
}

#[test]
fn a_replacement_that_takes_the_money_of_the_others_drops_them_at_once() {
    let mut lab = Lab::new();
    for nonce in 0..20 {
        lab.submit(call(1, nonce, 10, 2)).unwrap();
    }
    let Transaction::Account(tx) = &*call(1, 0, 11, 3).transaction else { panic!() };
    let all = crn(100) - U256::from(21_000) * U256::from(11 * GWEI);
    let emptying = prepared(1, Fields { value: all, ..tx.fields().clone() });
    lab.submit(&emptying).unwrap();
    assert_eq!(lab.pool.best(usize::MAX).iter().map(|entry| entry.txid).collect::<Vec<_>>(), [emptying.txid]);
}

// ACC-8 at the lowest base fee there can be
#[test]
fn a_fee_cap_that_no_block_can_accept_is_refused() {
    let mut lab = Lab::new();
    let Transaction::Account(tx) = &*call(1, 0, 1, 0).transaction else { panic!() };
    let mut fields = tx.fields().clone();
    fields.fees =
        chain_core::transaction::account::Fees::Dynamic { max_fee: U256::from(GWEI - 1), max_priority_fee: U256::ZERO };
    match lab.submit(prepared(1, fields)) {
        Err(SubmitError::Rule(rule)) => {
            assert_eq!(rule, RuleError::FeeCapTooLow { got: U256::from(GWEI - 1), base_fee: GWEI });
        }
        other => panic!("{other:?}"),
    }
    lab.submit(call(1, 0, 1, 0)).unwrap();
}

#[test]
fn both_kinds_rank_by_tip_per_gas() {
    let mut lab = Lab::new();
    let coin = spend(&[confirmed(0)], 1, fee_for(1, 1, 450));
    let (rich, poor) = (call(1, 0, 20, 5), call(2, 0, 20, 2));
    lab.submit(&poor).unwrap();
    lab.submit(&coin).unwrap();
    lab.submit(&rich).unwrap();
    assert_eq!(lab.selected(), [rich.txid, coin.txid(), poor.txid]);
    let content: Vec<_> = lab.pool.best(usize::MAX).iter().map(|entry| entry.txid).collect();
    assert_eq!(content, lab.selected());
}

#[test]
fn the_best_few_are_the_first_of_all_and_know_their_neighbours() {
    let mut lab = Lab::new();
    for nonce in 0..4 {
        lab.submit(call(1, nonce, 20, 5)).unwrap();
    }
    lab.submit(call(2, 0, 20, 9)).unwrap();
    lab.submit(call(3, 5, 20, 9)).unwrap();
    lab.submit(&spend(&[confirmed(0)], 1, fee_for(1, 1, 450))).unwrap();
    let all = lab.pool.best(usize::MAX);
    assert_eq!(all.len(), 7);
    assert_eq!(all.last().unwrap().status, EntryStatus::Queued);
    for few in 0..=7 {
        let best: Vec<_> = lab.pool.best(few).iter().map(|entry| entry.txid).collect();
        assert_eq!(best, all.iter().take(few).map(|entry| entry.txid).collect::<Vec<_>>());
    }
    for entry in &all {
        let alone = lab.pool.get(&entry.txid).unwrap();
        assert_eq!((alone.ancestors, alone.descendants), (entry.ancestors, entry.descendants));
    }
    let queue: Vec<_> =
        lab.pool.of_sender(&sender(1)).iter().map(|entry| (entry.ancestors, entry.descendants)).collect();
    assert_eq!(queue, [(0, 3), (1, 2), (2, 1), (3, 0)]);
    assert_eq!((lab.pool.stats().transactions, lab.pool.stats().coins, lab.pool.stats().pending), (7, 1, 6));
}

#[test]
fn a_change_of_the_base_fee_changes_the_ranking() {
    let mut lab = Lab::new();
    // One tips 5 gwei as long as the base fee is at most 3, the other 2 gwei up to 18.
    let (capped, steady) = (call(1, 0, 8, 5), call(2, 0, 20, 2));
    lab.submit(&capped).unwrap();
    lab.submit(&steady).unwrap();
    let order = |lab: &Lab| lab.selected();
    assert_eq!(order(&lab), [capped.txid, steady.txid]);
    lab.set_base_fee(5 * GWEI);
    assert_eq!(order(&lab), [capped.txid, steady.txid]);
    lab.set_base_fee(7 * GWEI);
    assert_eq!(order(&lab), [steady.txid, capped.txid]);
    lab.set_base_fee(9 * GWEI);
    assert_eq!(order(&lab), [steady.txid]);
    assert_eq!(status(&lab, &capped), EntryStatus::Queued);
    lab.set_base_fee(GWEI);
    assert_eq!(order(&lab), [capped.txid, steady.txid]);
}

#[test]
fn nonces_go_before_tips() {
    let mut lab = Lab::new();
    let (first, second) = (call(1, 0, 20, 1), call(1, 1, 20, 9));
    let other = call(2, 0, 20, 5);
    for tx in [&first, &second, &other] {
        lab.submit(tx).unwrap();
    }
    assert_eq!(lab.selected(), [other.txid, first.txid, second.txid]);
}

#[test]
fn what_a_builder_refuses_holds_back_what_rests_on_it_alone() {
    let mut lab = Lab::new();
    let (first, second, other) = (call(1, 0, 20, 9), call(1, 1, 20, 9), call(2, 0, 20, 1));
    for tx in [&first, &second, &other] {
        lab.submit(tx).unwrap();
    }
    let mut selection = lab.pool.select();
    let package = selection.next_package().unwrap();
    assert_eq!(selection.candidates(&package)[0].0, first.txid);
    selection.settle(&package, 0);
    let package = selection.next_package().unwrap();
    assert_eq!(selection.candidates(&package)[0].0, other.txid);
    selection.settle(&package, 1);
    assert!(selection.next_package().is_none());
}
