//! The coinbase against the state: what it claims and what it commits to.

use super::lab::*;
use crate::{
    error::RuleError,
    execute::BlockBuilder,
    state::BlockEffects,
    transaction::{Transaction, coin::Lock, coinbase::Coinbase},
    units::Amount,
};
use alloy_primitives::{Address, B256, U256};

/// A block of one coin transaction that tips, its coinbase altered.
fn altered(lab: &mut Lab, alter: impl FnOnce(&mut Coinbase)) -> Result<BlockEffects, RuleError> {
    let coin = lab.coin(1_000_000);
    let tx = Transaction::Coin(lab.spend(&[coin], &[output(1_000_000 - FEE, lock(2))]));
    let mut builder = BlockBuilder::new(&lab.spec, lab.context.clone(), &lab.state, BENEFICIARY).unwrap();
    builder.push(&tx, None).unwrap();
    let (mut transactions, _) = builder.finish(lock(9), Vec::new()).unwrap();
    let Transaction::Coinbase(coinbase) = &mut transactions[0] else { panic!("the coinbase comes first") };
    alter(coinbase);
    lab.execute(transactions).map(|executed| executed.into_parts().1)
}

/// Subsidy and tip of such a block.
fn allowed(lab: &mut Lab) -> Amount {
    let mut claimed = Amount::ZERO;
    altered(lab, |coinbase| claimed = coinbase.outputs[0].amount).unwrap();
    assert!(claimed > lab.spec.subsidy, "there is a tip");
    claimed
}

// CB-1
#[test]
fn rejects_another_height() {
    let mut lab = Lab::new();
    for height in [999, 1_001] {
        let result = altered(&mut lab, |coinbase| coinbase.height = height);
        assert_eq!(result.unwrap_err(), RuleError::CoinbaseHeight { got: height, expected: 1_000 });
    }
    altered(&mut lab, |coinbase| coinbase.height = 1_000).unwrap();
}

// CB-3
#[test]
fn rejects_a_coinbase_that_claims_one_grain_too_much() {
    let mut lab = Lab::new();
    let allowed = allowed(&mut lab);
    let greedy = Amount::from_grains(allowed.grains() + 1);
    let result = altered(&mut lab, |coinbase| coinbase.outputs[0].amount = greedy);
    assert_eq!(result.unwrap_err(), RuleError::CoinbaseTooGreedy { got: greedy, allowed });
    let split = |first, second| {
        move |coinbase: &mut Coinbase| {
            coinbase.outputs = vec![output(first, lock(9)), output(second, lock(8))];
            coinbase.gas_used += 8_000;
        }
    };
    let result = altered(&mut lab, split(allowed.grains(), 1));
    assert_eq!(result.unwrap_err(), RuleError::CoinbaseTooGreedy { got: greedy, allowed });
    altered(&mut lab, split(allowed.grains() - 1, 1)).unwrap();
}

// CB-3
#[test]
fn what_is_not_claimed_is_never_made() {
    let mut lab = Lab::new();
    let allowed = allowed(&mut lab);
    let subsidy = lab.spec.subsidy;
    let tips = allowed.checked_sub(subsidy).unwrap();
    let all = altered(&mut lab, |_| ()).unwrap();
    assert_eq!(all.minted, subsidy.to_wei());
    let one = altered(&mut lab, |coinbase| coinbase.outputs[0].amount = Amount::from_grains(1)).unwrap();
    assert_eq!(one.minted, U256::ZERO);
    assert_eq!(one.burned - all.burned, Amount::from_grains(tips.grains() - 1).to_wei());
    let none = altered(&mut lab, |coinbase| {
        coinbase.outputs.clear();
        coinbase.gas_used -= 8_000;
    });
    let none = none.unwrap();
    assert_eq!((none.minted, none.burned - all.burned), (U256::ZERO, tips.to_wei()));
    assert_eq!(none.tx_gas[0], 0);
}

// SUB-1
#[test]
fn the_claim_follows_the_subsidy_of_the_height() {
    let mut lab = Lab::new();
    lab.spec.halving_interval = 100;
    for (height, subsidy) in [(100, 500_000_000), (101, 250_000_000), (5_000, 5_000_000)] {
        lab.context.height = height;
        assert_eq!(lab.run(&[]).unwrap().effects().minted, Amount::from_grains(subsidy).to_wei());
    }
    lab.spec.tail_subsidy = Amount::ZERO;
    lab.context.height = 100_000;
    let executed = lab.run(&[]).unwrap();
    assert_eq!(executed.block().coinbase().outputs, []);
    assert_eq!(executed.effects().gas_used, 0);
}

// CB-5, CB-6, CB-7, CB-8
#[test]
fn rejects_every_commitment_that_is_not_what_execution_gives() {
    let mut lab = Lab::new();
    let wrong = B256::repeat_byte(1);
    let mut right = lab.empty_coinbase();
    let result = altered(&mut lab, |coinbase| {
        right = coinbase.clone();
        coinbase.state_root = wrong;
    });
    assert_eq!(result.unwrap_err(), RuleError::StateRoot { got: wrong, expected: right.state_root });
    let result = altered(&mut lab, |coinbase| {
        right = coinbase.clone();
        coinbase.receipts_root = wrong;
    });
    assert_eq!(result.unwrap_err(), RuleError::ReceiptsRoot { got: wrong, expected: right.receipts_root });
    let result = altered(&mut lab, |coinbase| {
        right = coinbase.clone();
        coinbase.coins_root = wrong;
    });
    assert_eq!(result.unwrap_err(), RuleError::CoinsRoot { got: wrong, expected: right.coins_root });
    let result = altered(&mut lab, |coinbase| {
        right = coinbase.clone();
        coinbase.gas_used += 1;
    });
    assert_eq!(result.unwrap_err(), RuleError::GasUsed { got: right.gas_used + 1, expected: right.gas_used });
    altered(&mut lab, |_| ()).unwrap();
}

// BLK-6
#[test]
fn outputs_of_the_coinbase_count_towards_the_gas_of_the_block() {
    let mut lab = Lab::new();
    lab.fund(1, crn(10));
    lab.spec.gas_limit = 21_000 + 2 * 8_000;
    let tx = signed(1, fields(0, Address::repeat_byte(2), crn(1)));
    let mut builder = BlockBuilder::new(&lab.spec, lab.context.clone(), &lab.state, BENEFICIARY).unwrap();
    builder.push(&tx, sender(&tx)).unwrap();
    let (transactions, _) = builder.finish(lock(9), Vec::new()).unwrap();
    let with_outputs = |count: u64| {
        let mut transactions = transactions.clone();
        let Transaction::Coinbase(coinbase) = &mut transactions[0] else { panic!("the coinbase comes first") };
        coinbase.outputs = vec![output(1, lock(9)); count as usize];
        coinbase.gas_used = 21_000 + 8_000 * count;
        transactions
    };
    let refused = lab.execute(with_outputs(3)).unwrap_err();
    assert_eq!(refused, RuleError::BlockGas { got: 45_000, limit: 37_000 });
    assert_eq!(lab.execute(with_outputs(2)).unwrap().effects().gas_used, lab.spec.gas_limit);
}

// CB-2, CB-4
#[test]
fn the_builder_refuses_what_no_coinbase_may_hold() {
    let lab = Lab::new();
    let finish = |payout, extra| {
        BlockBuilder::new(&lab.spec, lab.context.clone(), &lab.state, BENEFICIARY)
            .unwrap()
            .finish(payout, extra)
            .map(|_| ())
    };
    let paid = rule(finish(Lock::Account(BENEFICIARY), Vec::new()).unwrap_err());
    assert_eq!(paid, RuleError::CoinbasePaysAccount { output: 0 });
    // The height is 1,000, whose push has three bytes.
    let long = rule(finish(lock(9), vec![0; 98]).unwrap_err());
    assert_eq!(long, RuleError::ExtraTooLong { got: 98, limit: 97 });
    finish(lock(9), vec![0; 97]).unwrap();
}

// BLK-5
#[test]
fn the_builder_keeps_the_block_within_its_bytes() {
    let mut lab = Lab::new();
    let coin = lab.coin(1_000_000);
    let tx = Transaction::Coin(lab.spend(&[coin], &[output(1_000_000 - FEE, lock(2))]));
    let size = tx.encode().len();
    lab.spec.max_block_bytes = 80 + 9 + 335 + size - 1;
    let refused = lab.builder_refuses(&tx);
    assert_eq!(
        refused,
        RuleError::BlockTooLarge { got: lab.spec.max_block_bytes + 1, limit: lab.spec.max_block_bytes }
    );
    lab.spec.max_block_bytes += 1;
    let executed = lab.run(&[tx]).unwrap();
    assert!(executed.block().size() <= lab.spec.max_block_bytes);
}

// BLK-2
#[test]
fn the_builder_takes_no_coinbase() {
    let lab = Lab::new();
    let coinbase = Transaction::Coinbase(lab.empty_coinbase());
    assert_eq!(lab.builder_refuses(&coinbase), RuleError::MisplacedCoinbase { index: 0 });
}
