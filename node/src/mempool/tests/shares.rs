//! A full pool that few senders try to keep for themselves.

use chain_core::{
    U256,
    transaction::{Transaction, account::Fields},
};

use super::lab::{GWEI, Lab, cheap_call, confirmed, crn, fee_for, prepared, spend};
use crate::mempool::{Change, MempoolConfig, MempoolError, Prepared, RemovalReason};

/// Room for about 270 plain transfers.
const ROOM: usize = 400_000;

fn lab() -> Lab {
    Lab::with(MempoolConfig { max_bytes: ROOM, ..MempoolConfig::default() })
}

/// What honest users send: two transfers of each of 40 accounts, and 20 payments, for a tip of 1 gwei.
fn honest(lab: &mut Lab) -> Vec<Prepared> {
    let calls = (100..140).flat_map(|number| [0, 1].map(|nonce| cheap_call(number, nonce, 1)));
    let payments = (0..20).map(|index| Prepared::from(&spend(&[confirmed(index)], 1, fee_for(1, 1, 210))));
    let all: Vec<Prepared> = calls.chain(payments).collect();
    let sent: Vec<bool> = all.iter().map(|tx| lab.get(tx).is_some() || lab.submit(tx).is_ok()).collect();
    assert!(sent.iter().all(|sent| *sent), "{} of {} refused", sent.iter().filter(|sent| !**sent).count(), all.len());
    all
}

/// Six accounts send a hundred transfers each for a tip of 900 gwei; answers how many are there in the end.
fn crowd(lab: &mut Lab) -> usize {
    for nonce in 0..100 {
        (1..=6).for_each(|number| drop(lab.submit(cheap_call(number, nonce, 900))));
    }
    (1..=6).map(|number| lab.pool.of_sender(&super::lab::sender(number)).len()).sum()
}

#[test]
fn six_rich_accounts_do_not_push_honest_transactions_out() {
    let mut lab = lab();
    let before = honest(&mut lab);
    let crowded = crowd(&mut lab);
    assert!((100..200).contains(&crowded), "{crowded}: they get what is left");
    assert!(before.iter().all(|tx| lab.get(tx).is_some()));
    assert_eq!(lab.pool.stats().min_tip, 0, "nobody has to pay more for it");
}

#[test]
fn six_rich_accounts_that_came_first_give_way() {
    let mut lab = lab();
    assert!(crowd(&mut lab) > 250, "an empty pool is theirs");
    let honest = honest(&mut lab);
    assert!(honest.iter().all(|tx| lab.get(tx).is_some()));
    assert_eq!(lab.pool.stats().min_tip, 0);
}

#[test]
fn two_that_are_over_their_share_do_not_push_one_another_out_in_turn() {
    let mut lab = lab();
    for nonce in 0..200 {
        (1..=2).for_each(|number| drop(lab.submit(cheap_call(number, nonce, 900))));
    }
    let held = lab.pool.stats().transactions;
    lab.pool.take_changes();
    for number in [1, 2] {
        let next = lab.pool.pending_nonce(&super::lab::sender(number)).unwrap();
        let refused = lab.refused(cheap_call(number, next, 901));
        assert!(matches!(refused, MempoolError::Full { .. }), "{refused:?}");
    }
    assert_eq!(lab.pool.stats().transactions, held);
    // What was refused at once was announced to nobody: it left in the same breath.
    let left: Vec<_> =
        lab.pool.take_changes().into_iter().filter(|change| matches!(change, Change::Removed(..))).collect();
    assert_eq!(left.len(), 2);
}

/// Twenty accounts fill the pool, each with its share, and drive the price of entry up; honest users are outbid.
fn outbid() -> Lab {
    let mut lab = lab();
    honest(&mut lab);
    for nonce in 0..16 {
        (1..=20).for_each(|number| drop(lab.submit(cheap_call(number, nonce, 900))));
    }
    assert!(lab.pool.stats().min_tip >= 900 * GWEI, "{}", lab.pool.stats().min_tip);
    assert!(matches!(lab.refused(cheap_call(150, 0, 1)), MempoolError::TipTooLow { .. }));
    lab
}

#[test]
fn when_the_money_behind_a_crowd_is_gone_honest_transactions_are_taken_at_once() {
    let mut lab = outbid();
    lab.pool.take_changes();
    for number in 1..=20 {
        lab.set_account(number, 0, U256::ZERO);
    }
    let unpaid = |change: &Change| matches!(change, Change::Removed(_, RemovalReason::Unpaid));
    assert!(lab.pool.take_changes().iter().all(unpaid));
    assert_eq!((lab.pool.stats().transactions, lab.pool.stats().min_tip), (0, 0));
    honest(&mut lab);
}

#[test]
fn a_crowd_that_empties_its_accounts_by_replacing_loses_its_place_at_once() {
    let mut lab = outbid();
    for number in 1..=20 {
        let first = cheap_call(number, 0, 1_000);
        let Transaction::Account(tx) = &*first.transaction else { panic!() };
        let value = crn(100) - U256::from(21_000) * U256::from(1_001 * GWEI);
        lab.submit(prepared(number, Fields { value, ..tx.fields().clone() })).unwrap();
    }
    assert_eq!((lab.pool.stats().transactions, lab.pool.stats().min_tip), (20, 0));
    honest(&mut lab);
}

#[test]
fn the_price_of_entry_ends_when_a_block_makes_room() {
    let mut lab = outbid();
    for number in 1..=6 {
        lab.set_account(number, 16, crn(90));
    }
    assert!(lab.pool.stats().bytes < ROOM * 3 / 4);
    assert_eq!(lab.pool.stats().min_tip, 0);
    lab.submit(cheap_call(150, 0, 1)).unwrap();
}

#[test]
fn what_waits_for_a_nonce_takes_nobodys_room() {
    let mut lab = outbid();
    // With the first of each gone, the rest waits.
    for number in 1..=20 {
        let first = lab.pool.of_sender(&super::lab::sender(number)).remove(0).txid;
        lab.pool.drop_invalid(&[first]);
    }
    assert!(lab.pool.stats().bytes > ROOM * 3 / 4);
    assert_eq!((lab.pool.stats().pending, lab.pool.stats().min_tip), (0, 0));
    honest(&mut lab);
}

#[test]
fn what_a_cheap_first_nonce_holds_up_goes_from_the_end_and_sets_a_price() {
    let mut lab = lab();
    lab.submit(cheap_call(1, 0, 1)).unwrap();
    (1..16).for_each(|nonce| _ = lab.submit(cheap_call(1, nonce, 900)).unwrap());
    let whole = |lab: &Lab| lab.pool.of_sender(&super::lab::sender(1)).len() == 16;
    let crowd = (20..60).flat_map(|number| (0..16).map(move |nonce| cheap_call(number, nonce, 50)));
    for tx in crowd {
        if whole(&lab) {
            lab.submit(tx).unwrap();
        }
    }
    let kept: Vec<u64> =
        (0..16).filter(|nonce| lab.get(cheap_call(1, *nonce, if *nonce == 0 { 1 } else { 900 })).is_some()).collect();
    assert_eq!(
        kept,
        (0..15).collect::<Vec<u64>>(),
        "the others are worth no more than the first, but the first may be mined"
    );
    assert!((GWEI..2 * GWEI).contains(&lab.pool.stats().min_tip), "{}", lab.pool.stats().min_tip);
}
