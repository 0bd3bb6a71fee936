//! The withdrawal gateway.

use super::lab::*;
use crate::{
    codec,
    error::RuleError,
    execute::{
        GATEWAY, IntrinsicGas, Revision, WITHDRAW_SELECTOR, WITHDRAWAL_TOPIC, withdraw_calldata, withdrawal_outpoint,
        withdrawals,
    },
    gas,
    state::Account,
    transaction::{
        Transaction,
        account::Fields,
        coin::{Coin, KeyBytes, Lock},
    },
    units::{Amount, WEI_PER_GRAIN},
};
use alloy_primitives::{Bytes, U256};

/// A withdrawal by key 1 to its own coin lock.
fn withdrawal(nonce: u64, value: U256) -> Fields {
    Fields { input: withdraw_calldata(&lock(1)), gas_limit: 100_000, ..fields(nonce, GATEWAY, value) }
}

/// A chain with the gateway as in genesis, on which key 1 has 10 CRN.
fn funded() -> Lab {
    let mut lab = Lab::new();
    lab.fund(1, crn(10));
    lab.account(GATEWAY, Account { nonce: 1, ..Account::default() }, Bytes::from(vec![0xfe]));
    lab
}

fn grains(amount: u64) -> U256 {
    Amount::from_grains(amount).to_wei()
}

fn gas(fields: &Fields) -> IntrinsicGas {
    IntrinsicGas::of(Revision::Osaka, fields)
}

/// Gas of a transaction that carries the calldata, before it runs.
fn intrinsic(fields: &Fields) -> u64 {
    gas(fields).intrinsic
}

// GW-1, GW-2, GW-3
#[test]
fn a_withdrawal_burns_the_value_makes_a_coin_and_logs_it() {
    let mut lab = funded();
    let fields = withdrawal(0, grains(123));
    let gas = intrinsic(&fields) + gas::GATEWAY;
    let tx = signed(1, fields);
    let executed = lab.connect(std::slice::from_ref(&tx));
    let effects = executed.effects();
    let outpoint = withdrawal_outpoint(tx.txid(), 0, &output(123, lock(1)));
    let coin = Coin { output: output(123, lock(1)), height: 1_000, coinbase: false };
    assert_eq!(effects.created[0], (outpoint, coin));
    assert_eq!(effects.tx_gas[1], gas);
    assert_eq!(lab.balance(GATEWAY), U256::ZERO);
    assert_eq!(lab.balance(address(1)), crn(10) - grains(123) - U256::from(gas) * U256::from(2 * GWEI));

    assert_eq!(withdrawals(tx.txid(), &effects.receipts[0].logs), [(outpoint, coin.output)]);
    let log = &effects.receipts[0].logs[0];
    assert_eq!(log.address, GATEWAY);
    assert_eq!(log.data.topics(), [WITHDRAWAL_TOPIC, address(1).into_word()]);
    let lock = codec::encode(&lock(1));
    let words = [word(64), word(123), word(33)].concat();
    assert_eq!(log.data.data[..96], words);
    assert_eq!(log.data.data[96..129], lock);
    assert_eq!(log.data.data[129..], [0; 31]);
}

fn word(value: u64) -> [u8; 32] {
    U256::from(value).to_be_bytes()
}

#[test]
fn a_withdrawn_coin_is_spent_in_the_same_block_or_a_later_one() {
    let mut lab = funded();
    let tx = signed(1, withdrawal(0, grains(1_000_000)));
    let coin = Coin { output: output(1_000_000, lock(1)), height: lab.context.height, coinbase: false };
    let made = (withdrawal_outpoint(tx.txid(), 0, &coin.output), coin);
    let spend = Transaction::Coin(lab.spend(&[made], &[output(1_000_000 - FEE, lock(2))]));
    let at_once = lab.run(&[tx.clone(), spend.clone()]).unwrap();
    assert_eq!(at_once.effects().transient, [made]);
    assert_eq!(lab.run(&[spend.clone(), tx.clone()]).unwrap_err(), RuleError::MissingCoin(made.0));
    lab.connect(&[tx]);
    lab.connect(&[spend]);
}

#[test]
fn money_goes_around_deposit_transfer_withdrawal_spend() {
    let mut lab = Lab::new();
    let coin = lab.coin(500_000_000);
    let deposit = lab.spend(&[coin], &[output(500_000_000 - FEE, Lock::Account(address(1)))]);
    let transfer = signed(1, fields(0, address(2), crn(2)));
    let back = signed(2, Fields { gas_limit: 50_000, ..withdrawal(0, crn(1)) });
    lab.connect(&[Transaction::Coin(deposit), transfer, back.clone()]);
    let made = withdrawal_outpoint(back.txid(), 0, &output(100_000_000, lock(1)));
    let spend = lab.spend(&[(made, lab.state.coins[&made])], &[output(100_000_000 - FEE, lock(3))]);
    lab.connect(&[Transaction::Coin(spend)]);
}

/// The transaction fails: gas is charged, the value stays, no coin is created.
fn fails(lab: &Lab, fields: Fields, gas_used: u64) {
    let before = lab.balance(address(1));
    let executed = lab.run(&[signed(1, fields)]).unwrap();
    let effects = executed.effects();
    assert!(!effects.receipts[0].success);
    assert!(effects.receipts[0].logs.is_empty());
    assert_eq!(effects.created.len(), 1, "only the coinbase's coin");
    assert_eq!(effects.tx_gas[1], gas_used);
    let mut after = lab.state.clone();
    after.apply(effects);
    let paid = U256::from(gas_used) * U256::from(2 * GWEI);
    assert_eq!(after.accounts[&address(1)].balance, before - paid);
}

/// The frame reverts: what the gateway charges is used, the rest returned.
fn reverts(lab: &Lab, fields: Fields) {
    let gas_used = (intrinsic(&fields) + gas::GATEWAY).max(gas(&fields).floor);
    fails(lab, fields, gas_used);
}

// GW-1
#[test]
fn calldata_that_does_not_name_withdraw_reverts() {
    let lab = funded();
    let good = withdraw_calldata(&lock(1));
    let with = |input: Vec<u8>| Fields { input: input.into(), ..withdrawal(0, grains(1)) };
    let altered = |at: usize, byte: u8| {
        let mut input = good.to_vec();
        input[at] = byte;
        with(input)
    };
    let offset_far = altered(4, 1);
    let length_huge = altered(4 + 32, 0xff);
    let length_long = altered(4 + 63, 65);
    let wrong_function = altered(0, 0);
    let missing = with(Vec::new());
    let bare = with(WITHDRAW_SELECTOR.to_vec());
    let cut = with(good[..4 + 64 + 32].to_vec());
    for fields in [offset_far, length_huge, length_long, wrong_function, missing, bare, cut] {
        reverts(&lab, fields);
    }
    let longer = with([&good[..], &[1, 2, 3]].concat());
    let unpadded = with(good[..4 + 64 + 33].to_vec());
    for legal in [longer, unpadded, with(good.to_vec())] {
        assert!(lab.run(&[signed(1, legal)]).unwrap().effects().receipts[0].success);
    }
}

// GW-2
#[test]
fn no_value_and_fractions_of_a_grain_and_more_than_64_bits_revert() {
    let mut lab = funded();
    let grain = U256::from(WEI_PER_GRAIN);
    reverts(&lab, withdrawal(0, U256::ZERO));
    reverts(&lab, withdrawal(0, grain - U256::ONE));
    reverts(&lab, withdrawal(0, grain + U256::ONE));
    lab.fund(1, U256::from(u128::MAX));
    reverts(&lab, withdrawal(0, grains(u64::MAX) + grain));
    for amount in [1, u64::MAX] {
        let executed = lab.run(&[signed(1, withdrawal(0, grains(amount)))]).unwrap();
        assert_eq!(executed.effects().created[0].1.output.amount, Amount::from_grains(amount));
    }
}

// GW-3
#[test]
fn bytes_that_are_no_key_or_policy_lock_revert() {
    let lab = funded();
    let encoded = codec::encode(&lock(1));
    let with = |lock: &[u8]| {
        let mut input = [&WITHDRAW_SELECTOR[..], &word(32), &word(lock.len() as u64), lock].concat();
        input.resize(4 + 64 + lock.len().next_multiple_of(32), 0);
        Fields { input: input.into(), ..withdrawal(0, grains(1)) }
    };
    reverts(&lab, with(&[]));
    reverts(&lab, with(&encoded[..32]));
    reverts(&lab, with(&[&encoded[..], &[0]].concat()));
    reverts(&lab, with(&[&[3], &encoded[1..]].concat()));
    reverts(&lab, with(&codec::encode(&Lock::Account(address(1)))));
    for legal in [Lock::Key(KeyBytes([0xff; 32])), Lock::Policy([4; 32])] {
        let executed = lab.run(&[signed(1, with(&codec::encode(&legal)))]).unwrap();
        assert_eq!(executed.effects().created[0].1.output.lock, legal);
    }
}

// GW-4
#[test]
fn a_withdrawal_without_enough_gas_halts_and_uses_all_of_it() {
    let lab = funded();
    let enough = withdrawal(0, grains(1));
    let needed = intrinsic(&enough) + gas::GATEWAY;
    let with = |gas_limit| Fields { gas_limit, ..enough.clone() };
    fails(&lab, with(needed - 1), needed - 1);
    assert!(lab.run(&[signed(1, with(needed))]).unwrap().effects().receipts[0].success);
}
