//! The overlay alone.

use super::*;
use crate::{
    hash::TxId,
    state::{Account, MemoryState},
    transaction::coin::{Coin, KeyBytes, Lock, Output},
    units::Amount,
};
use alloy_primitives::{Address, B256, Bytes, LogData, keccak256};
use proptest::{collection::vec, prelude::*};

const ALICE: Address = Address::repeat_byte(1);
const BOB: Address = Address::repeat_byte(2);

fn state() -> MemoryState {
    let mut state = MemoryState::default();
    let account = Account { nonce: 3, balance: U256::from(100), ..Account::default() };
    let storage = [(U256::ONE, U256::from(11)), (U256::from(2), U256::from(22))];
    state.insert_account(ALICE, account, Bytes::from(vec![1, 2, 3]), &storage);
    state.insert_coin(outpoint(0), coin(5));
    state.insert_coin(outpoint(1), coin(6));
    state
}

fn outpoint(index: u32) -> OutPoint {
    OutPoint { txid: TxId([9; 32]), index }
}

fn coin(amount: u64) -> Coin {
    let output = Output { amount: Amount::from_grains(amount), lock: Lock::Key(KeyBytes([1; 32])) };
    Coin { output, height: 1, coinbase: false }
}

fn log(number: u8) -> Log {
    Log { address: ALICE, data: LogData::new_unchecked(vec![B256::repeat_byte(number)], Bytes::new()) }
}

#[test]
fn nothing_changes_by_reading() {
    let view = state();
    let mut overlay = Overlay::new(&view);
    let alice = overlay.account(&ALICE).unwrap();
    let bob = overlay.account(&BOB).unwrap();
    assert_eq!(overlay.account(&ALICE).unwrap(), alice);
    assert_eq!((overlay.address(bob), *overlay.info(bob)), (BOB, Account::default()));
    assert_eq!(overlay.code(alice).unwrap().map(Code::bytes), Some(&[1, 2, 3][..]));
    assert_eq!(overlay.code(bob).unwrap().map(Code::bytes), None);
    let slot = overlay.slot(alice, U256::ONE).unwrap();
    assert_eq!(overlay.storage(slot), U256::from(11));
    let unknown = overlay.slot(bob, U256::ONE).unwrap();
    assert_eq!(overlay.storage(unknown), U256::ZERO);
    overlay.end_transaction();
    assert_eq!(overlay.into_diff(), Diff::default());
}

#[test]
fn what_was_written_shows_in_the_diff_sorted() {
    let view = state();
    let mut overlay = Overlay::new(&view);
    let bob = overlay.account(&BOB).unwrap();
    let alice = overlay.account(&ALICE).unwrap();
    assert!(overlay.transfer(alice, bob, U256::from(40)));
    overlay.set_code(bob, &[7]);
    let slot = overlay.slot(alice, U256::from(2)).unwrap();
    overlay.set_storage(slot, U256::ZERO);
    let slot = overlay.slot(alice, U256::ONE).unwrap();
    overlay.set_storage(slot, U256::from(12));
    overlay.log(log(1));
    assert_eq!(overlay.end_transaction(), [log(1)]);
    assert_eq!(overlay.end_transaction(), []);
    let diff = overlay.into_diff();
    let addresses: Vec<Address> = diff.accounts.iter().map(|change| change.address).collect();
    assert_eq!(addresses, [ALICE, BOB]);
    assert_eq!(diff.accounts[0].before, Some(view.accounts[&ALICE]));
    assert_eq!(diff.accounts[0].after.unwrap().balance, U256::from(60));
    assert_eq!(diff.accounts[1].before, None);
    assert_eq!(diff.accounts[1].after.unwrap().code_hash, keccak256([7]));
    let slots: Vec<(U256, U256, U256)> =
        diff.storage.iter().map(|change| (change.slot, change.before, change.after)).collect();
    assert_eq!(slots, [(U256::ONE, U256::from(11), U256::from(12)), (U256::from(2), U256::from(22), U256::ZERO)]);
    assert_eq!(diff.codes, [(keccak256([7]), Bytes::from(vec![7]))]);
}

#[test]
fn transfers_of_too_much_or_to_the_brim_are_refused() {
    let view = state();
    let mut overlay = Overlay::new(&view);
    let (alice, bob) = (overlay.account(&ALICE).unwrap(), overlay.account(&BOB).unwrap());
    assert!(!overlay.transfer(alice, bob, U256::from(101)));
    overlay.set_balance(bob, U256::MAX);
    let checkpoint = overlay.checkpoint();
    assert!(!overlay.transfer(alice, bob, U256::ONE));
    overlay.revert(checkpoint);
    assert_eq!(overlay.info(alice).balance, U256::from(100));
    assert!(overlay.transfer(alice, alice, U256::from(100)));
    assert_eq!(overlay.info(alice).balance, U256::from(100));
}

// ST-1
#[test]
fn empty_accounts_cease_only_when_touched_and_a_reverted_touch_is_none() {
    let mut view = state();
    view.insert_account(BOB, Account::default(), Bytes::new(), &[]);
    let run = |revert: bool| {
        let mut overlay = Overlay::new(&view);
        let bob = overlay.account(&BOB).unwrap();
        let checkpoint = overlay.checkpoint();
        overlay.touch(bob);
        if revert {
            overlay.revert(checkpoint);
        }
        overlay.end_transaction();
        overlay.into_diff().accounts
    };
    assert_eq!(run(true), []);
    let gone = run(false);
    assert_eq!((gone[0].address, gone[0].after), (BOB, None));
}

#[test]
fn warmth_lasts_for_one_transaction_and_reverts() {
    let view = state();
    let mut overlay = Overlay::new(&view);
    let alice = overlay.account(&ALICE).unwrap();
    let slot = overlay.slot(alice, U256::ONE).unwrap();
    let checkpoint = overlay.checkpoint();
    assert!(overlay.warm_account(alice) && overlay.warm_slot(slot));
    assert!(!overlay.warm_account(alice) && !overlay.warm_slot(slot));
    overlay.revert(checkpoint);
    assert!(overlay.warm_account(alice) && overlay.warm_slot(slot));
    overlay.end_transaction();
    assert!(overlay.warm_account(alice) && overlay.warm_slot(slot));
}

#[test]
fn a_slot_knows_its_value_when_the_transaction_began() {
    let view = state();
    let mut overlay = Overlay::new(&view);
    let alice = overlay.account(&ALICE).unwrap();
    let slot = overlay.slot(alice, U256::ONE).unwrap();
    overlay.set_storage(slot, U256::from(5));
    assert_eq!((overlay.original_storage(slot), overlay.storage(slot)), (U256::from(11), U256::from(5)));
    overlay.end_transaction();
    let slot = overlay.slot(alice, U256::ONE).unwrap();
    overlay.set_storage(slot, U256::from(6));
    assert_eq!((overlay.original_storage(slot), overlay.storage(slot)), (U256::from(5), U256::from(6)));
    overlay.abandon_transaction();
    let slot = overlay.slot(alice, U256::ONE).unwrap();
    assert_eq!((overlay.original_storage(slot), overlay.storage(slot)), (U256::from(5), U256::from(5)));
}

#[test]
fn transient_storage_reverts_and_is_forgotten_with_the_transaction() {
    let view = state();
    let mut overlay = Overlay::new(&view);
    let (alice, bob) = (overlay.account(&ALICE).unwrap(), overlay.account(&BOB).unwrap());
    overlay.set_transient(alice, U256::ONE, U256::from(1));
    let checkpoint = overlay.checkpoint();
    overlay.set_transient(alice, U256::ONE, U256::from(2));
    overlay.set_transient(bob, U256::ONE, U256::from(3));
    overlay.revert(checkpoint);
    assert_eq!(overlay.transient(alice, U256::ONE), U256::from(1));
    assert_eq!(overlay.transient(bob, U256::ONE), U256::ZERO);
    overlay.end_transaction();
    assert_eq!(overlay.transient(alice, U256::ONE), U256::ZERO);
    assert_eq!(overlay.into_diff(), Diff::default());
}

#[test]
fn a_destroyed_contract_leaves_nothing_and_its_balance_is_burned() {
    let view = state();
    let mut overlay = Overlay::new(&view);
    let (alice, bob) = (overlay.account(&ALICE).unwrap(), overlay.account(&BOB).unwrap());
    overlay.mark_created(bob);
    overlay.set_nonce(bob, 1);
    overlay.set_code(bob, &[7]);
    let slot = overlay.slot(bob, U256::ONE).unwrap();
    overlay.set_storage(slot, U256::from(9));
    let checkpoint = overlay.checkpoint();
    overlay.destroy(bob);
    overlay.revert(checkpoint);
    overlay.destroy(bob);
    overlay.destroy(bob);
    assert!(overlay.transfer(alice, bob, U256::from(30)));
    assert!(overlay.is_created(bob));
    overlay.end_transaction();
    assert!(!overlay.is_created(bob));
    assert_eq!(overlay.burned(), U256::from(30));
    let slot = overlay.slot(bob, U256::ONE).unwrap();
    assert_eq!(overlay.storage(slot), U256::ZERO);
    let diff = overlay.into_diff();
    assert_eq!(diff.accounts.len(), 1, "only the payer differs");
    assert_eq!((diff.storage.len(), diff.codes.len()), (0, 0));
}

// COIN-7
#[test]
fn a_coin_is_spent_once_and_given_back_by_a_revert() {
    let view = state();
    let mut overlay = Overlay::new(&view);
    assert_eq!(overlay.spend_coin(&outpoint(7)).unwrap(), None);
    let checkpoint = overlay.checkpoint();
    assert_eq!(overlay.spend_coin(&outpoint(0)).unwrap(), Some(coin(5)));
    assert_eq!(overlay.spend_coin(&outpoint(0)).unwrap(), None);
    overlay.make_coin(outpoint(7), coin(8));
    assert_eq!(overlay.coins_made(), 1);
    assert_eq!(overlay.spend_coin(&outpoint(7)).unwrap(), Some(coin(8)));
    overlay.revert(checkpoint);
    assert_eq!(overlay.coins_made(), 0);
    assert_eq!(overlay.spend_coin(&outpoint(7)).unwrap(), None);
    overlay.make_coin(outpoint(7), coin(8));
    assert_eq!(overlay.spend_coin(&outpoint(1)).unwrap(), Some(coin(6)));
    assert_eq!(overlay.spend_coin(&outpoint(7)).unwrap(), Some(coin(8)));
    overlay.make_coin(outpoint(8), coin(9));
    overlay.end_transaction();
    assert_eq!(overlay.coins_made(), 0);
    let diff = overlay.into_diff();
    assert_eq!(diff.spent, [(outpoint(1), coin(6))]);
    assert_eq!(diff.transient, [(outpoint(7), coin(8))]);
    assert_eq!(diff.created, [(outpoint(8), coin(9))]);
}

/// Anything that can be done to an overlay.
#[derive(Clone, Copy, Debug)]
enum Step {
    Transfer(u8, u8, u8),
    Nonce(u8, u64),
    Code(u8, u8),
    Touch(u8),
    Warm(u8, u8),
    Create(u8),
    Destroy(u8),
    Store(u8, u8, u8),
    StoreTransient(u8, u8, u8),
    Log(u8),
    Spend(u8),
    Make(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let (account, slot) = (0..4_u8, 0..3_u8);
    prop_oneof![
        (account.clone(), account.clone(), any::<u8>()).prop_map(|(from, to, wei)| Step::Transfer(from, to, wei)),
        (account.clone(), any::<u64>()).prop_map(|(account, nonce)| Step::Nonce(account, nonce)),
        (account.clone(), any::<u8>()).prop_map(|(account, code)| Step::Code(account, code)),
        account.clone().prop_map(Step::Touch),
        (account.clone(), slot.clone()).prop_map(|(account, slot)| Step::Warm(account, slot)),
        account.clone().prop_map(Step::Create),
        account.clone().prop_map(Step::Destroy),
        (account.clone(), slot.clone(), 0..3_u8).prop_map(|(account, slot, value)| Step::Store(account, slot, value)),
        (account, slot, 0..3_u8).prop_map(|(account, slot, value)| Step::StoreTransient(account, slot, value)),
        any::<u8>().prop_map(Step::Log),
        (0..6_u8).prop_map(Step::Spend),
        (6..12_u8).prop_map(Step::Make),
    ]
}

fn take(overlay: &mut Overlay<'_>, step: Step, made: &mut Vec<u8>) {
    let account = |overlay: &mut Overlay<'_>, number: u8| overlay.account(&Address::repeat_byte(number)).unwrap();
    match step {
        Step::Transfer(from, to, wei) => {
            let (from, to) = (account(overlay, from), account(overlay, to));
            let checkpoint = overlay.checkpoint();
            if !overlay.transfer(from, to, U256::from(wei)) {
                overlay.revert(checkpoint);
            }
        }
        Step::Nonce(number, nonce) => {
            let id = account(overlay, number);
            overlay.set_nonce(id, nonce);
        }
        Step::Code(number, code) => {
            let id = account(overlay, number);
            overlay.set_code(id, &[code]);
        }
        Step::Touch(number) => {
            let id = account(overlay, number);
            overlay.touch(id);
        }
        Step::Warm(number, slot) => {
            let id = account(overlay, number);
            overlay.warm_account(id);
            let slot = overlay.slot(id, U256::from(slot)).unwrap();
            overlay.warm_slot(slot);
        }
        Step::Create(number) => {
            let id = account(overlay, number);
            overlay.mark_created(id);
        }
        Step::Destroy(number) => {
            let id = account(overlay, number);
            overlay.destroy(id);
        }
        Step::Store(number, slot, value) => {
            let id = account(overlay, number);
            let slot = overlay.slot(id, U256::from(slot)).unwrap();
            overlay.set_storage(slot, U256::from(value));
        }
        Step::StoreTransient(number, slot, value) => {
            let id = account(overlay, number);
            overlay.set_transient(id, U256::from(slot), U256::from(value));
        }
        Step::Log(number) => overlay.log(log(number)),
        Step::Spend(number) => {
            overlay.spend_coin(&outpoint(u32::from(number))).unwrap();
        }
        Step::Make(number) if !made.contains(&number) => {
            made.push(number);
            overlay.make_coin(outpoint(u32::from(number)), coin(u64::from(number)));
        }
        Step::Make(_) => {}
    }
}

/// Warmth, transient values and whatever else no diff shows.
fn volatile(overlay: &mut Overlay<'_>) -> Vec<(U256, bool, U256, bool)> {
    let mut seen = Vec::new();
    for (number, slot) in (0..4).flat_map(|account| (0..3).map(move |slot| (account, slot))) {
        let id = overlay.account(&Address::repeat_byte(number)).unwrap();
        let slot_id = overlay.slot(id, U256::from(slot)).unwrap();
        let checkpoint = overlay.checkpoint();
        let warm = overlay.warm_slot(slot_id);
        overlay.revert(checkpoint);
        seen.push((
            overlay.transient(id, U256::from(slot)),
            warm,
            overlay.original_storage(slot_id),
            overlay.is_created(id),
        ));
    }
    seen
}

proptest! {
    #[test]
    fn a_revert_leaves_no_trace(before in vec(step(), 0..20), undone in vec(step(), 0..30), after in vec(step(), 0..20)) {
        let view = state();
        let (mut plain, mut made) = (Overlay::new(&view), Vec::new());
        let (mut reverted, mut made_too) = (Overlay::new(&view), Vec::new());
        for step in before {
            take(&mut plain, step, &mut made);
            take(&mut reverted, step, &mut made_too);
        }
        let checkpoint = reverted.checkpoint();
        let kept = made_too.clone();
        for step in undone {
            take(&mut reverted, step, &mut made_too);
        }
        reverted.revert(checkpoint);
        made_too = kept;
        prop_assert_eq!(volatile(&mut plain), volatile(&mut reverted));
        for step in after {
            take(&mut plain, step, &mut made);
            take(&mut reverted, step, &mut made_too);
        }
        prop_assert_eq!(plain.end_transaction(), reverted.end_transaction());
        prop_assert_eq!(plain.burned(), reverted.burned());
        prop_assert_eq!(plain.into_diff(), reverted.into_diff());
    }
}
