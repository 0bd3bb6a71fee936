//! Accounts that are something else too: built-in contracts, contracts of the same block, accounts that delegate.

use super::lab::*;
use crate::{
    error::ExecuteError,
    execute::{
        BlockBuilder, BlockContext, GATEWAY, HISTORY, HISTORY_CODE, execute_block, undo_block, withdraw_calldata,
        withdrawal_outpoint,
    },
    hash::BlockHash,
    state::{Account, BlockEffects},
    transaction::{Transaction, account::Fields, coin::Lock},
    units::Amount,
    vm::{
        opcode::*,
        tests::{
            assembler::{deployer, program},
            delegation::authorize,
        },
    },
};
use alloy_primitives::{Address, Bytes, U256};

const COIN: u64 = 1_000_000;

/// A chain with its built-in contracts, on which key 1 has 10 CRN.
fn lab() -> Lab {
    let mut lab = Lab::new();
    lab.fund(1, crn(10));
    lab.account(GATEWAY, Account { nonce: 1, ..Account::default() }, Bytes::from(vec![INVALID]));
    lab.account(HISTORY, Account { nonce: 1, ..Account::default() }, Bytes::from_static(&HISTORY_CODE));
    lab
}

#[test]
fn a_block_with_the_context_of_another_is_a_local_failure_and_no_verdict() {
    let lab = lab();
    let executed = lab.run(&[]).unwrap();
    let block = || lab.check(executed.block().block().transactions.clone()).unwrap();
    let wrong: [fn(&mut BlockContext); 3] = [
        |context| context.parent = BlockHash([9; 32]),
        |context| context.time += 1,
        |context| context.difficulty += U256::ONE,
    ];
    for change in wrong {
        let mut context = lab.context.clone();
        change(&mut context);
        let error = execute_block(&lab.spec, &context, &lab.state, block(), &[]).err().unwrap();
        assert!(matches!(&error, ExecuteError::View(_)), "{error:?}");
        assert!(error.to_string().contains("not that of the block's parent"), "{error}");
    }
    assert!(execute_block(&lab.spec, &lab.context, &lab.state, block(), &[]).is_ok());
}

#[test]
fn a_deposit_to_a_built_in_contract_is_a_balance_and_runs_nothing() {
    for to in [GATEWAY, HISTORY, Address::left_padding_from(&[1]), Address::left_padding_from(&[0x0a])] {
        let mut lab = lab();
        let coin = lab.coin(COIN);
        let deposit = lab.spend(&[coin], &[output(COIN - FEE, Lock::Account(to))]);
        let executed = lab.connect(&[Transaction::Coin(deposit)]);
        assert_eq!(lab.balance(to), Amount::from_grains(COIN - FEE).to_wei(), "{to}");
        assert!(executed.effects().receipts.is_empty());
        assert_eq!(executed.effects().created.len(), 1, "only the coinbase's coin");
    }
}

#[test]
fn a_deposit_to_a_contract_of_the_same_block_is_its_to_spend() {
    let mut lab = lab();
    let coin = lab.coin(COIN);
    let contract = address(1).create(0);
    // Sends all it has to its caller.
    let code = program().push(0).push(0).push(0).push(0).ops(&[SELFBALANCE, CALLER, GAS, CALL]).code();
    let create = Fields { to: None, input: deployer(&code), gas_limit: 200_000, ..fields(0, contract, U256::ZERO) };
    let deposit = lab.spend(&[coin], &[output(COIN - FEE, Lock::Account(contract))]);
    let call = |nonce| signed(1, Fields { gas_limit: 100_000, ..fields(nonce, contract, U256::ZERO) });
    let before = lab.balance(address(1));
    let executed = lab.connect(&[signed(1, create), call(1), Transaction::Coin(deposit), call(2)]);
    assert!(executed.effects().receipts.iter().all(|receipt| receipt.success));
    let gas: u64 = [1, 2, 4].iter().map(|position| executed.effects().tx_gas[*position]).sum();
    assert_eq!(lab.balance(contract), U256::ZERO);
    let paid = U256::from(gas) * U256::from(2 * GWEI);
    assert_eq!(lab.balance(address(1)), before + Amount::from_grains(COIN - FEE).to_wei() - paid);
}

/// Builds and executes a block for this beneficiary, and sees that money is kept and the block can be undone.
fn mined_for(lab: &mut Lab, beneficiary: Address, transactions: &[Transaction]) -> BlockEffects {
    let mut builder = BlockBuilder::new(&lab.spec, lab.context.clone(), &lab.state, beneficiary).unwrap();
    for transaction in transactions {
        builder.push(transaction, sender(transaction)).unwrap();
    }
    let (block, effects) = builder.finish(lock(9), Vec::new()).unwrap();
    lab.execute(block).unwrap();
    let before = lab.state.clone();
    lab.state.apply(&effects);
    assert_eq!(lab.state.supply() + effects.burned, before.supply() + effects.minted);
    let reversal = undo_block(&lab.state, &effects.undo()).unwrap();
    assert_eq!(reversal.state_root, before.state_root());
    effects
}

#[test]
fn the_gateway_may_be_the_beneficiary_and_keeps_the_tips() {
    let mut lab = lab();
    let withdraw = Fields { input: withdraw_calldata(&lock(4)), gas_limit: 100_000, ..fields(0, GATEWAY, crn(1)) };
    let effects = mined_for(&mut lab, GATEWAY, &[signed(1, withdraw)]);
    assert_eq!(effects.created[0].1.output, output(100_000_000, lock(4)));
    assert_eq!(lab.balance(GATEWAY), U256::from(effects.tx_gas[1]) * U256::from(GWEI));
}

// VM-15
#[test]
fn tips_for_a_contract_that_ends_in_the_same_transaction_are_destroyed_with_it() {
    let mut lab = lab();
    let contract = address(1).create(0);
    let ends = program().ops(&[CALLER, SELFDESTRUCT]).code();
    let create = Fields { to: None, input: ends, gas_limit: 200_000, ..fields(0, contract, U256::from(5)) };
    let effects = mined_for(&mut lab, contract, &[signed(1, create.clone())]);
    let paid = U256::from(effects.tx_gas[1]) * U256::from(2 * GWEI);
    assert_eq!(effects.burned, paid, "base fee and tip");
    assert!(!lab.state.accounts.contains_key(&contract));

    // Those of the next transaction are there.
    let mut lab = self::lab();
    let transfer = signed(1, fields(1, address(2), U256::from(7)));
    let effects = mined_for(&mut lab, contract, &[signed(1, create), transfer]);
    assert_eq!(lab.balance(contract), U256::from(effects.tx_gas[2]) * U256::from(GWEI));
}

// GW-5, VM-14
#[test]
fn an_account_that_delegates_withdraws_its_own_money() {
    let mut lab = lab();
    let withdrawing = Address::repeat_byte(0xd4);
    let calldata = withdraw_calldata(&lock(4));
    let code =
        program().memory(&calldata).call(CALL, GATEWAY, Amount::from_grains(123).to_wei(), calldata.len()).code();
    lab.account(withdrawing, Account { nonce: 1, ..Account::default() }, code);
    lab.fund(2, Amount::from_grains(1_000).to_wei());
    let authorizations = vec![authorize(2, 0, withdrawing, 0)];
    let call = Fields { tx_type: 4, authorizations, gas_limit: 200_000, ..fields(0, address(2), U256::ZERO) };
    let call = signed(1, call);
    let executed = lab.connect(std::slice::from_ref(&call));
    let (outpoint, coin) = executed.effects().created[0];
    assert_eq!(coin.output, output(123, lock(4)));
    assert_eq!(outpoint, withdrawal_outpoint(call.txid(), 0, &coin.output));
    assert_eq!(lab.balance(address(2)), Amount::from_grains(877).to_wei());
    let log = &executed.effects().receipts[0].logs[0];
    assert_eq!(log.topics()[1], address(2).into_word(), "it is the one who withdraws");
}

// BLK-6, VM-3
#[test]
fn a_block_in_which_refunds_make_room_is_valid() {
    let mut lab = lab();
    let authorities = [2, 3].map(|number| lab.fund(number, U256::ONE));
    let delegate = |nonce| {
        let authorizations = [2, 3].map(|number| authorize(number, 0, Address::repeat_byte(9), nonce)).to_vec();
        signed(1, Fields { tx_type: 4, authorizations, gas_limit: 71_000, ..fields(nonce, authorities[0], U256::ZERO) })
    };
    let block = [delegate(0), delegate(1)];
    // Each needs 71,000 and gets a fifth of it back; the second begins where the first has ended.
    let used = 71_000 - 71_000 / 5;
    lab.spec.gas_limit = 8_000 + used + 71_000;
    assert!(8_000 + 2 * 71_000 > lab.spec.gas_limit);
    let executed = lab.run(&block).unwrap();
    assert_eq!(executed.effects().tx_gas, [8_000, used, used]);
}
