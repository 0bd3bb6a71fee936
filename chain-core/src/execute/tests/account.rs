//! Account transactions against the state.

use super::lab::*;
use crate::{
    error::RuleError,
    execute::{BlockBuilder, execute_block},
    gas::{MAX_INITCODE, MAX_TRANSACTION_GAS},
    state::Account,
    transaction::{
        Transaction,
        account::{Fees, Fields},
    },
};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};

const TO: Address = Address::repeat_byte(0x70);

/// A chain on which key 1 has 10 CRN.
fn funded() -> Lab {
    let mut lab = Lab::new();
    lab.fund(1, crn(10));
    lab
}

fn refused(lab: &Lab, fields: Fields) -> RuleError {
    lab.run(&[signed(1, fields)]).unwrap_err()
}

#[test]
fn a_transfer_moves_value_burns_the_base_fee_and_tips_the_beneficiary() {
    let mut lab = funded();
    let executed = lab.connect(&[signed(1, fields(0, TO, crn(1)))]);
    let gas = U256::from(21_000_u64);
    let (base_fee, tip) = (U256::from(GWEI), U256::from(GWEI));
    assert_eq!(lab.balance(TO), crn(1));
    assert_eq!(lab.balance(BENEFICIARY), gas * tip);
    assert_eq!(lab.balance(address(1)), crn(9) - gas * (base_fee + tip));
    assert_eq!(lab.state.accounts[&address(1)].nonce, 1);
    let effects = executed.effects();
    assert_eq!(effects.burned, gas * base_fee);
    assert_eq!(effects.gas_used, 29_000);
    assert_eq!(effects.tx_gas, [8_000, 21_000]);
    let receipt = &effects.receipts[0];
    assert_eq!((receipt.success, receipt.cumulative_gas_used, receipt.logs.len()), (true, 21_000, 0));
}

#[test]
fn a_legacy_transaction_pays_its_price_and_a_low_cap_cuts_the_tip() {
    let mut lab = funded();
    let legacy =
        Fields { tx_type: 0, fees: Fees::Legacy { gas_price: U256::from(5 * GWEI) }, ..fields(0, TO, U256::ZERO) };
    let capped = Fees::Dynamic { max_fee: U256::from(GWEI + 7), max_priority_fee: U256::from(GWEI) };
    lab.connect(&[signed(1, legacy), signed(1, Fields { fees: capped, ..fields(1, TO, U256::ZERO) })]);
    assert_eq!(lab.balance(BENEFICIARY), U256::from(21_000_u64) * U256::from(4 * GWEI + 7));
}

#[test]
fn cumulative_gas_counts_the_coin_transactions_before() {
    let mut lab = funded();
    let coin = lab.coin(1_000_000);
    let tx = lab.spend(&[coin], &[output(900_000, lock(2))]);
    let gas = tx.gas(tx.size());
    let block = [signed(1, fields(0, TO, crn(1))), Transaction::Coin(tx), signed(1, fields(1, TO, crn(1)))];
    let executed = lab.connect(&block);
    let cumulative: Vec<u64> = executed.effects().receipts.iter().map(|receipt| receipt.cumulative_gas_used).collect();
    assert_eq!(cumulative, [21_000, 42_000 + gas]);
    assert_eq!(executed.effects().gas_used, 8_000 + 42_000 + gas);
}

#[test]
fn sender_recipient_and_beneficiary_may_be_one_account() {
    let mut lab = funded();
    let own = signed(1, fields(0, address(1), crn(1)));
    let mut builder = BlockBuilder::new(&lab.spec, lab.context.clone(), &lab.state, address(1)).unwrap();
    builder.push(&own, sender(&own)).unwrap();
    let (block, effects) = builder.finish(lock(9), Vec::new()).unwrap();
    assert_eq!(effects.burned, U256::from(21_000_u64) * U256::from(GWEI));
    lab.execute(block).unwrap();
    lab.state.apply(&effects);
    assert_eq!(lab.balance(address(1)), crn(10) - effects.burned);
}

// ST-1
#[test]
fn no_account_is_made_by_nothing_and_empty_ones_cease_when_touched() {
    let mut lab = funded();
    let empty = Address::repeat_byte(0xee);
    lab.account(empty, Account::default(), Bytes::new());
    let untouched = Address::repeat_byte(0xed);
    lab.account(untouched, Account::default(), Bytes::new());
    lab.connect(&[signed(1, fields(0, TO, U256::ZERO)), signed(1, fields(1, empty, U256::ZERO))]);
    assert!(!lab.state.accounts.contains_key(&TO));
    assert!(!lab.state.accounts.contains_key(&empty));
    assert!(lab.state.accounts.contains_key(&untouched));
}

// ACC-2
#[test]
fn rejects_a_transaction_of_another_chain() {
    let lab = funded();
    let other = Fields { chain_id: 1, ..fields(0, TO, crn(1)) };
    let expected = RuleError::ChainId { got: 1, expected: lab.spec.chain_id };
    assert_eq!(refused(&lab, other.clone()), expected);
    let legacy = Fields { tx_type: 0, fees: Fees::Legacy { gas_price: U256::from(2 * GWEI) }, ..other };
    assert_eq!(refused(&lab, legacy.clone()), expected);
    let ours = Fields { chain_id: lab.spec.chain_id, ..legacy };
    lab.run(&[signed(1, ours)]).unwrap();
}

// ACC-3
#[test]
fn rejects_a_block_whose_senders_were_not_all_recovered() {
    let lab = funded();
    let block = lab.run(&[signed(1, fields(0, TO, crn(1)))]).unwrap().block().clone();
    let run = |senders: &[Address]| execute_block(&lab.spec, &lab.context, &lab.state, block.clone(), senders);
    assert_eq!(rule(run(&[]).unwrap_err()), RuleError::BadAccountSignature);
    assert!(run(&[address(1)]).is_ok());
}

// ACC-4
#[test]
fn rejects_nonces_before_and_after_the_accounts() {
    let mut lab = funded();
    lab.connect(&[signed(1, fields(0, TO, crn(1)))]);
    for nonce in [0, 2] {
        let expected = RuleError::Nonce { got: nonce, expected: 1 };
        assert_eq!(refused(&lab, fields(nonce, TO, crn(1))), expected);
    }
    let replayed = [signed(1, fields(1, TO, crn(1))), signed(1, fields(1, TO, crn(1)))];
    assert_eq!(lab.run(&replayed).unwrap_err(), RuleError::Nonce { got: 1, expected: 2 });
    lab.connect(&[signed(1, fields(1, TO, crn(1)))]);
}

// ACC-5
#[test]
fn rejects_the_last_nonce_there_is() {
    let mut lab = Lab::new();
    let account = |nonce| Account { nonce, balance: crn(1), ..Account::default() };
    lab.account(address(1), account(u64::MAX), Bytes::new());
    assert_eq!(refused(&lab, fields(u64::MAX, TO, U256::ZERO)), RuleError::NonceTooHigh(u64::MAX));
    lab.account(address(1), account(u64::MAX - 1), Bytes::new());
    lab.connect(&[signed(1, fields(u64::MAX - 1, TO, U256::ZERO))]);
    assert_eq!(lab.state.accounts[&address(1)].nonce, u64::MAX);
}

// ACC-6
#[test]
fn rejects_gas_limits_below_the_intrinsic_gas_and_the_calldata_floor() {
    let lab = funded();
    let listed = Fields {
        access_list: vec![(TO, vec![B256::ZERO, B256::repeat_byte(1)]), (address(2), Vec::new())],
        ..fields(0, TO, crn(1))
    };
    let data = Fields { input: Bytes::from(vec![0, 0, 0, 1, 2]), ..fields(0, TO, crn(1)) };
    let both = Fields { input: data.input.clone(), ..listed.clone() };
    let cases = [
        (fields(0, TO, crn(1)), 21_000, 21_000),
        (listed, 21_000 + 2 * 2_400 + 2 * 1_900, 21_000 + 2 * 2_400 + 2 * 1_900),
        (data, 21_000 + 3 * 10 + 2 * 40, 21_000 + 3 * 10 + 2 * 40),
        (both, 21_000 + 3 * 4 + 2 * 16 + 8_600, 21_000 + 3 * 4 + 2 * 16 + 8_600),
    ];
    for (fields, needed, used) in cases {
        let short = Fields { gas_limit: needed - 1, ..fields.clone() };
        assert_eq!(refused(&lab, short), RuleError::IntrinsicGas { got: needed - 1, needed });
        let exact = lab.run(&[signed(1, Fields { gas_limit: needed, ..fields.clone() })]).unwrap();
        assert_eq!(exact.effects().tx_gas[1], used);
        let ample = lab.run(&[signed(1, Fields { gas_limit: needed + 50_000, ..fields })]).unwrap();
        assert_eq!(ample.effects().tx_gas[1], used, "what is not used is not paid");
    }
}

// ACC-7
#[test]
fn rejects_gas_limits_above_the_cap_of_a_transaction() {
    let lab = funded();
    let with = |gas_limit| Fields { gas_limit, ..fields(0, TO, crn(1)) };
    let limit = MAX_TRANSACTION_GAS;
    assert_eq!(refused(&lab, with(limit + 1)), RuleError::GasLimitTooHigh { got: limit + 1, limit });
    lab.run(&[signed(1, with(limit))]).unwrap();
}

// ACC-8
#[test]
fn rejects_a_fee_cap_one_wei_below_the_base_fee() {
    let lab = funded();
    let with = |max_fee: u64| {
        let fees = Fees::Dynamic { max_fee: U256::from(max_fee), max_priority_fee: U256::ZERO };
        Fields { fees, ..fields(0, TO, crn(1)) }
    };
    let expected = RuleError::FeeCapTooLow { got: U256::from(GWEI - 1), base_fee: GWEI };
    assert_eq!(refused(&lab, with(GWEI - 1)), expected);
    let executed = lab.run(&[signed(1, with(GWEI))]).unwrap();
    assert!(executed.effects().accounts.iter().all(|change| change.address != BENEFICIARY), "no tip, no account");
}

// ACC-9
#[test]
fn rejects_a_tip_cap_above_the_fee_cap() {
    let lab = funded();
    let with = |tip: u64| {
        let fees = Fees::Dynamic { max_fee: U256::from(2 * GWEI), max_priority_fee: U256::from(tip) };
        Fields { fees, ..fields(0, TO, crn(1)) }
    };
    let expected = RuleError::TipAboveFeeCap { got: U256::from(2 * GWEI + 1), fee_cap: U256::from(2 * GWEI) };
    assert_eq!(refused(&lab, with(2 * GWEI + 1)), expected);
    lab.run(&[signed(1, with(2 * GWEI))]).unwrap();
}

// ACC-10
#[test]
fn rejects_a_balance_one_wei_below_what_the_transaction_may_cost() {
    let mut lab = Lab::new();
    let needed = crn(1) + U256::from(21_000_u64) * U256::from(2 * GWEI);
    lab.fund(1, needed - U256::ONE);
    let got = needed - U256::ONE;
    assert_eq!(refused(&lab, fields(0, TO, crn(1))), RuleError::InsufficientBalance { got, needed });
    lab.fund(1, needed);
    lab.connect(&[signed(1, fields(0, TO, crn(1)))]);
}

// ACC-10
#[test]
fn costs_that_overflow_a_word_are_more_than_any_balance() {
    let mut lab = Lab::new();
    let balance = U256::MAX - U256::ONE;
    lab.fund(1, balance);
    let expected = RuleError::InsufficientBalance { got: balance, needed: U256::MAX };
    let fees = Fees::Dynamic { max_fee: U256::MAX, max_priority_fee: U256::ZERO };
    assert_eq!(refused(&lab, Fields { fees, ..fields(0, TO, U256::ZERO) }), expected);
    assert_eq!(refused(&lab, fields(0, TO, U256::MAX)), expected);
}

#[test]
fn a_transfer_that_no_balance_can_hold_fails_and_is_paid() {
    let mut lab = funded();
    lab.account(TO, Account { balance: U256::MAX, ..Account::default() }, Bytes::new());
    let executed = lab.run(&[signed(1, fields(0, TO, U256::ONE))]).unwrap();
    assert!(!executed.effects().receipts[0].success);
    assert!(executed.effects().accounts.iter().all(|change| change.address != TO));
}

// ACC-11
#[test]
fn rejects_a_sender_with_code_unless_it_is_a_delegation() {
    let mut lab = funded();
    let account = Account { balance: crn(10), ..Account::default() };
    lab.account(address(1), account, Bytes::from(vec![0x60]));
    assert_eq!(refused(&lab, fields(0, TO, crn(1))), RuleError::SenderHasCode(address(1)));
    let delegation = [&[0xef, 0x01, 0x00][..], TO.as_slice()].concat();
    lab.account(address(1), account, Bytes::from(delegation.clone()));
    lab.connect(&[signed(1, fields(0, TO, crn(1)))]);
    let longer = [&delegation[..], &[0]].concat();
    lab.account(address(1), Account { nonce: 1, ..account }, Bytes::from(longer));
    assert_eq!(refused(&lab, fields(1, TO, crn(1))), RuleError::SenderHasCode(address(1)));
}

// ACC-12
#[test]
fn rejects_initcode_one_byte_too_long() {
    let lab = funded();
    let with = |len: usize| Fields {
        to: None,
        input: Bytes::from(vec![0; len]),
        gas_limit: 10_000_000,
        ..fields(0, TO, U256::ZERO)
    };
    let expected = RuleError::InitcodeTooLong { got: MAX_INITCODE + 1, limit: MAX_INITCODE };
    assert_eq!(refused(&lab, with(MAX_INITCODE + 1)), expected);
    lab.run(&[signed(1, with(MAX_INITCODE))]).unwrap();
}

// ACC-14
#[test]
fn rejects_a_gas_limit_above_what_is_left_in_the_block() {
    let mut lab = funded();
    lab.spec.gas_limit = 8_000 + 21_000 + 25_000;
    let block =
        |gas_limit| [signed(1, fields(0, TO, crn(1))), signed(1, Fields { gas_limit, ..fields(1, TO, crn(1)) })];
    let mut builder = BlockBuilder::new(&lab.spec, lab.context.clone(), &lab.state, BENEFICIARY).unwrap();
    let [first, second] = block(25_001);
    builder.push(&first, sender(&first)).unwrap();
    let refused = rule(builder.push(&second, sender(&second)).unwrap_err());
    assert_eq!(refused, RuleError::GasLeft { got: 25_001, left: 25_000 });
    lab.connect(&block(25_000));
}

// CB-5
#[test]
fn the_state_root_is_what_alloy_trie_computes_from_all_accounts() {
    let mut lab = funded();
    for number in 2..40 {
        lab.fund(number, crn(u64::from(number)));
    }
    let storage = [(U256::ONE, U256::from(7)), (U256::from(500), U256::MAX)];
    let code = Bytes::from(vec![0xfe]);
    let account = Account { nonce: 1, ..Account::default() };
    lab.state.insert_account(Address::repeat_byte(0xc0), account, code, &storage);
    lab.connect(&[signed(1, fields(0, TO, crn(1)))]);
    assert_eq!(lab.state.accounts[&TO].code_hash, KECCAK256_EMPTY);
    assert_eq!(lab.state.state_root(), rebuilt_state_root(&lab.state));
}
