//! Coin transactions against the state.

use super::lab::*;
use crate::{
    codec,
    error::RuleError,
    execute::coin_fee,
    state::Account,
    transaction::{
        Transaction,
        coin::{Coin, KeyBytes, Lock, OutPoint, Witness},
        policy::{Policy, Proof, ProofItem},
    },
    units::{Amount, AmountOverflow},
};
use alloy_primitives::{Bytes, U256};

const COIN: u64 = 1_000_000;

// COIN-7
#[test]
fn spends_a_coin_and_makes_two() {
    let mut lab = Lab::new();
    let coin = lab.coin(COIN);
    let tx = lab.spend(&[coin], &[output(300_000, lock(2)), output(COIN - 300_000 - FEE, lock(1))]);
    let executed = lab.connect(&[Transaction::Coin(tx.clone())]);
    let effects = executed.effects();
    assert_eq!(effects.spent, [coin]);
    lab.context.height -= 1;
    let coinbase = OutPoint { txid: executed.block().metas()[0].txid, index: 1 };
    assert_eq!(effects.created[..2], [lab.made(&tx, 0), lab.made(&tx, 1)]);
    assert_eq!(effects.created[2].0, coinbase);
    assert_eq!(effects.tx_gas, [8_000, tx.gas(tx.size())]);
}

// COIN-7
#[test]
fn rejects_a_coin_that_does_not_exist() {
    let mut lab = Lab::new();
    let (outpoint, coin) = lab.coin(COIN);
    let absent = OutPoint { index: 1, ..outpoint };
    let tx = lab.spend(&[(absent, coin)], &[output(COIN - FEE, lock(2))]);
    assert_eq!(lab.run(&[Transaction::Coin(tx)]).unwrap_err(), RuleError::MissingCoin(absent));
}

// COIN-7
#[test]
fn rejects_a_coin_that_an_earlier_block_spent() {
    let mut lab = Lab::new();
    let coin = lab.coin(COIN);
    let tx = Transaction::Coin(lab.spend(&[coin], &[output(COIN - FEE, lock(2))]));
    lab.connect(std::slice::from_ref(&tx));
    assert_eq!(lab.run(&[tx]).unwrap_err(), RuleError::MissingCoin(coin.0));
}

// COIN-7, CVE-2018-17144
#[test]
fn rejects_two_transactions_of_one_block_that_spend_one_coin() {
    let mut lab = Lab::new();
    let coin = lab.coin(COIN);
    let first = lab.spend(&[coin], &[output(COIN - FEE, lock(2))]);
    let second = lab.spend(&[coin], &[output(COIN - FEE, lock(3))]);
    let both = [Transaction::Coin(first), Transaction::Coin(second)];
    assert_eq!(lab.run(&both).unwrap_err(), RuleError::MissingCoin(coin.0));
    assert!(lab.run(&both[..1]).is_ok());
    assert!(lab.run(&both[1..]).is_ok());
}

// COIN-4, CVE-2018-17144
#[test]
fn rejects_one_transaction_that_spends_a_coin_twice_old_or_of_this_block() {
    let mut lab = Lab::new();
    let coin = lab.coin(COIN);
    let twice = lab.spend(&[coin, coin], &[output(2 * COIN - FEE, lock(2))]);
    assert_eq!(lab.run(&[Transaction::Coin(twice)]).unwrap_err(), RuleError::DuplicateInput { outpoint: coin.0 });

    let parent = lab.spend(&[coin], &[output(COIN - FEE, lock(1))]);
    let fresh = lab.made(&parent, 0);
    let twice = lab.spend(&[fresh, fresh], &[output(COIN, lock(2))]);
    let block = [Transaction::Coin(parent), Transaction::Coin(twice)];
    let expected = RuleError::DuplicateInput { outpoint: fresh.0 };
    let mut all = vec![Transaction::Coinbase(lab.empty_coinbase())];
    all.extend(block);
    assert_eq!(lab.check(all).unwrap_err(), expected);
}

// COIN-7
#[test]
fn a_chain_of_transactions_may_stand_in_one_block_in_order_only() {
    let mut lab = Lab::new();
    let coin = lab.coin(COIN);
    let parent = lab.spend(&[coin], &[output(COIN - FEE, lock(1))]);
    let child = lab.spend(&[lab.made(&parent, 0)], &[output(COIN - 2 * FEE, lock(1))]);
    let grandchild = lab.spend(&[lab.made(&child, 0)], &[output(COIN - 3 * FEE, lock(2))]);
    let made = [lab.made(&parent, 0), lab.made(&child, 0)];
    let (parent, child, grandchild) =
        (Transaction::Coin(parent), Transaction::Coin(child), Transaction::Coin(grandchild));

    let executed = lab.run(&[parent.clone(), child.clone(), grandchild.clone()]).unwrap();
    assert_eq!(executed.effects().spent, [coin]);
    assert_eq!(executed.effects().transient, made);
    assert_eq!(executed.effects().created.len(), 2, "the last of the chain, and the coinbase's");

    let missing = RuleError::MissingCoin(made[0].0);
    assert_eq!(lab.run(&[child.clone(), parent.clone(), grandchild.clone()]).unwrap_err(), missing);
    let missing = RuleError::MissingCoin(made[1].0);
    assert_eq!(lab.run(&[parent.clone(), grandchild, child.clone()]).unwrap_err(), missing);
    lab.connect(&[parent, child]);
}

// COIN-8, CB-9
#[test]
fn a_mined_coin_is_spent_when_it_is_mature_and_not_a_block_sooner() {
    let mut lab = Lab::new();
    let height = lab.context.height;
    let maturity = lab.spec.coinbase_maturity;
    let ripe = lab.mined_coin(COIN, height - maturity);
    let green = lab.mined_coin(COIN, height - maturity + 1);
    let spend = |coin| Transaction::Coin(lab.spend(&[coin], &[output(COIN - FEE, lock(2))]));
    let (ripe, early) = (spend(ripe), spend(green));
    let expected = RuleError::ImmatureCoin { outpoint: green.0, got: height, expected: height + 1 };
    assert_eq!(lab.run(std::slice::from_ref(&early)).unwrap_err(), expected);
    lab.connect(&[ripe]);
    lab.connect(&[early]);
}

// COIN-9
#[test]
fn rejects_outputs_worth_a_grain_more_than_the_inputs() {
    let mut lab = Lab::new();
    let coin = lab.coin(COIN);
    lab.context.base_fee = 0;
    let tx = lab.spend(&[coin], &[output(COIN + 1, lock(2))]);
    let expected = RuleError::Overspent { got: Amount::from_grains(COIN + 1), available: Amount::from_grains(COIN) };
    assert_eq!(lab.run(&[Transaction::Coin(tx)]).unwrap_err(), expected);
    let tx = lab.spend(&[coin], &[output(COIN, lock(2))]);
    lab.connect(&[Transaction::Coin(tx)]);
}

// COIN-10
#[test]
fn rejects_a_fee_one_grain_below_the_base_fee_rounded_up() {
    let mut lab = Lab::new();
    lab.context.base_fee = GWEI + 1;
    let coin = lab.coin(COIN);
    let gas = lab.spend(&[coin], &[output(COIN - 3_000, lock(2))]);
    let gas = gas.gas(gas.size());
    let needed = (gas * (GWEI + 1)).div_ceil(10 * GWEI);
    assert!(needed * 10 * GWEI > gas * (GWEI + 1), "the fee is rounded up");
    let pay = |fee| Transaction::Coin(lab.spend(&[coin], &[output(COIN - fee, lock(2))]));
    let (short, exact) = (pay(needed - 1), pay(needed));
    let expected = RuleError::FeeTooLow { got: Amount::from_grains(needed - 1), needed: Amount::from_grains(needed) };
    assert_eq!(lab.run(&[short]).unwrap_err(), expected);
    let executed = lab.connect(&[exact]);
    assert_eq!(executed.effects().burned, Amount::from_grains(needed).to_wei());
    assert_eq!(executed.effects().minted, lab.spec.subsidy_at(1).to_wei());
}

// COIN-6, CVE-2010-5139
#[test]
fn rejects_sums_that_wrap() {
    let mut lab = Lab::new();
    let big = [lab.coin(u64::MAX), lab.coin(1)];
    let tx = lab.spend(&big, &[output(1, lock(2))]);
    assert_eq!(lab.run(&[Transaction::Coin(tx)]).unwrap_err(), RuleError::AmountOverflow(AmountOverflow));
    let tx = lab.spend(&big[..1], &[output(1, lock(2))]);
    let spent = [big[0].1];
    let fee = coin_fee(&tx, tx.size(), &spent, GWEI).unwrap();
    assert_eq!(fee.fee, Amount::from_grains(u64::MAX - 1));
    assert_eq!(fee.burned.add(fee.tip).unwrap(), fee.fee);
}

// COIN-11
#[test]
fn rejects_a_witness_of_another_kind_than_the_lock() {
    let mut lab = Lab::new();
    let policy = Policy::key(KeyBytes(secret(1).x_only_public_key().0.to_byte_array()));
    let keyed = lab.coin(COIN);
    let locked = lab.insert(Coin { output: output(COIN, policy.lock()), ..keyed.1 });
    let as_key = lab.spend(&[locked], &[output(COIN - FEE, lock(2))]);
    assert_eq!(lab.run(&[Transaction::Coin(as_key)]).unwrap_err(), RuleError::WitnessKind { input: 0 });

    let reveal = |coin| {
        let mut tx = lab.spend(&[coin], &[output(COIN - FEE, lock(2))]);
        let Witness::Key(signature) = tx.witnesses[0] else { panic!("made with a key") };
        tx.witnesses[0] =
            Witness::Policy(policy.clone(), Proof(vec![ProofItem::Signature(Box::new(signature))].into()));
        Transaction::Coin(tx)
    };
    assert_eq!(lab.run(&[reveal(keyed)]).unwrap_err(), RuleError::WitnessKind { input: 0 });
    let legal = reveal(locked);
    lab.connect(&[legal]);
}

// COIN-12
#[test]
fn names_the_transaction_whose_signature_does_not_verify() {
    let mut lab = Lab::new();
    let (first, second) = (lab.coin(COIN), lab.coin(COIN));
    let good = lab.spend(&[first], &[output(COIN - FEE, lock(2))]);
    let mut bad = lab.spend(&[second], &[output(COIN - FEE, lock(2))]);
    bad.witnesses = good.witnesses.clone();
    let block = [Transaction::Coin(good), Transaction::Coin(bad)];
    assert_eq!(lab.run(&block).unwrap_err(), RuleError::BadCoinSignature { transaction: Some(2) });
    lab.connect(&block[..1]);
}

// COIN-12
#[test]
fn a_missing_verdict_is_not_a_good_one() {
    let mut lab = Lab::new();
    let coin = lab.coin(COIN);
    let tx = Transaction::Coin(lab.spend(&[coin], &[output(COIN - FEE, lock(2))]));
    let executed = lab.run(std::slice::from_ref(&tx)).unwrap();
    let block = executed.block().clone();
    let pending = crate::execute::execute_block(&lab.spec, &lab.context, &lab.state, block, &[]).unwrap();
    assert_eq!(pending.checks().len(), 1);
    assert_eq!(pending.confirm(&[]).unwrap_err(), RuleError::BadCoinSignature { transaction: Some(1) });
}

// SIG-1
#[test]
fn a_signature_of_another_chain_does_not_verify() {
    let mut lab = Lab::new();
    let coin = lab.coin(COIN);
    let tx = Transaction::Coin(lab.spend(&[coin], &[output(COIN - FEE, lock(2))]));
    assert!(lab.run(std::slice::from_ref(&tx)).is_ok());
    lab.context.genesis.0[0] ^= 1;
    assert_eq!(lab.run(&[tx]).unwrap_err(), RuleError::BadCoinSignature { transaction: Some(1) });
}

#[test]
fn a_deposit_credits_the_account_and_makes_no_coin() {
    let mut lab = Lab::new();
    let coin = lab.coin(COIN);
    let to = Lock::Account(address(5));
    let tx = lab.spend(&[coin], &[output(700_000, to), output(1, to), output(COIN - 700_001 - FEE, lock(2))]);
    let executed = lab.connect(&[Transaction::Coin(tx)]);
    assert_eq!(lab.balance(address(5)), Amount::from_grains(700_001).to_wei());
    assert_eq!(executed.effects().created.len(), 2, "the change and the coinbase's");
    assert_eq!(lab.state.accounts[&address(5)].nonce, 0);
}

// AMT-1
#[test]
fn rejects_a_deposit_that_no_balance_can_hold() {
    let mut lab = Lab::new();
    let coin = lab.coin(COIN);
    lab.account(address(5), Account { balance: U256::MAX, ..Account::default() }, Bytes::new());
    let tx = lab.spend(&[coin], &[output(COIN - FEE, Lock::Account(address(5)))]);
    assert_eq!(lab.run(&[Transaction::Coin(tx)]).unwrap_err(), RuleError::DepositOverflow(address(5)));
    lab.account(
        address(5),
        Account { balance: U256::MAX - Amount::from_grains(COIN - FEE).to_wei(), ..Account::default() },
        Bytes::new(),
    );
    let tx = lab.spend(&[coin], &[output(COIN - FEE, Lock::Account(address(5)))]);
    lab.run(&[Transaction::Coin(tx)]).unwrap();
}

// BLK-6
#[test]
fn a_block_takes_coin_transactions_up_to_its_gas_limit_and_no_further() {
    let mut lab = Lab::new();
    let (first, second) = (lab.coin(COIN), lab.coin(COIN));
    let txs = [first, second].map(|coin| lab.spend(&[coin], &[output(COIN - FEE, lock(2))]));
    let gas = txs.each_ref().map(|tx| tx.gas(tx.size()));
    let txs = txs.map(Transaction::Coin);
    lab.spec.gas_limit = 8_000 + gas[0] + gas[1];
    assert_eq!(lab.run(&txs).unwrap().effects().gas_used, lab.spec.gas_limit);
    lab.spec.gas_limit -= 1;
    let mut builder =
        crate::execute::BlockBuilder::new(&lab.spec, lab.context.clone(), &lab.state, BENEFICIARY).unwrap();
    builder.push(&txs[0], None).unwrap();
    let refused = rule(builder.push(&txs[1], None).unwrap_err());
    assert_eq!(refused, RuleError::GasLeft { got: gas[1], left: gas[1] - 1 });
    assert_eq!(builder.room().0, gas[1] - 1);
}

// ST-2, CB-7
#[test]
fn the_coin_digest_is_that_of_the_coins_whatever_their_history() {
    let mut lab = Lab::new();
    let coin = lab.coin(COIN);
    let tx = lab.spend(&[coin], &[output(1, lock(2)), output(COIN - 1 - FEE, lock(1))]);
    let executed = lab.connect(&[Transaction::Coin(tx)]);
    let mut digest = crate::state::lthash::LtHash::default();
    for (outpoint, coin) in &lab.state.coins {
        let Coin { output, height, coinbase } = *coin;
        digest.add(&codec::encode(&(outpoint, output.amount, output.lock, height, coinbase)));
    }
    assert_eq!(executed.effects().coins_digest, digest);
}
