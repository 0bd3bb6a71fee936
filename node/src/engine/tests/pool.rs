//! The pool as the engine keeps it: signatures, blocks, bases and batches.

use chain_core::{
    Address, U256,
    error::RuleError,
    execute::{GATEWAY, withdraw_calldata, withdrawal_outpoint},
    hash::TxId,
    transaction::{
        Transaction,
        account::AccountTransaction,
        coin::{Coin, Lock, OutPoint, Output, Signature, Witness},
    },
    units::Amount,
};

use super::kit::{COIN, FEE, GWEI, Kit, lock, made, pay, secret, transfer_fields};
use crate::{
    engine::{NodeEvent, RemovalReason, SubmitError},
    mempool::MempoolError,
};

fn rule(error: SubmitError) -> RuleError {
    match error {
        SubmitError::Rule(rule) => rule,
        other => panic!("not a broken rule but {other:?}"),
    }
}

fn policy(error: SubmitError) -> MempoolError {
    match error {
        SubmitError::Mempool(error) => error,
        other => panic!("not a matter of policy but {other:?}"),
    }
}

/// What key `number` withdraws to key 5 with its first nonce, and the coin that this makes.
fn withdrawal(number: u8, grains: u64) -> (AccountTransaction, (OutPoint, Coin)) {
    let mut fields = transfer_fields(0, 2);
    fields.to = Some(GATEWAY);
    fields.value = Amount::from_grains(grains).to_wei();
    fields.gas_limit = 200_000;
    fields.input = withdraw_calldata(&lock(5));
    let withdrawal = AccountTransaction::sign(fields, &secret(number)).unwrap();
    let outpoint = withdrawal_outpoint(TxId(withdrawal.hash().0), 0, &pay(grains, 5));
    (withdrawal, (outpoint, Coin { output: pay(grains, 5), height: 0, coinbase: false }))
}

#[test]
fn a_wall_clock_that_is_set_neither_empties_the_pool_nor_keeps_it_for_ever() {
    let mut kit = Kit::new();
    let sent = kit.send(0, FEE);
    kit.submit(&sent).unwrap();
    let expiry = kit.mempool.expiry;
    kit.ahead = 2_000 * i64::from(expiry);
    kit.wait(60);
    assert!(kit.is_pooled(&sent), "it is a minute old");
    kit.ahead = -kit.ahead;
    kit.wait(expiry.into());
    assert!(!kit.is_pooled(&sent), "it is too old");
}

// COIN-12
#[test]
fn a_wrong_signature_is_refused_and_the_right_one_taken_even_in_one_batch() {
    let mut kit = Kit::new();
    let right = kit.send(0, FEE);
    let mut wrong = right.clone();
    wrong.witnesses = vec![Witness::Key(Signature::from([7; 64]))];
    assert_eq!(wrong.txid(), right.txid());
    let batch = vec![Transaction::Coin(wrong.clone()), Transaction::Coin(right.clone()), Transaction::Coin(wrong)];
    let mut results = kit.submit_all(batch);
    assert!(matches!(results.pop().unwrap().unwrap_err(), SubmitError::Rule(_) | SubmitError::Mempool(_)));
    assert_eq!(results.pop().unwrap().unwrap(), right.txid());
    assert_eq!(rule(results.pop().unwrap().unwrap_err()), RuleError::BadCoinSignature { transaction: None });
    kit.mine();
    assert_eq!(kit.block_at(1).transactions.len(), 2);
}

#[test]
fn a_batch_may_hold_chains_of_parents_and_children() {
    let mut kit = Kit::new();
    let parent = kit.send(0, FEE);
    let child = kit.spend(2, &[made(&parent, 0)], &[pay(COIN - 2 * FEE, 3)]);
    let grandchild = kit.spend(3, &[made(&child, 0)], &[pay(COIN - 3 * FEE, 4)]);
    let chain = [&parent, &child, &grandchild].map(|tx| Transaction::Coin(tx.clone()));
    for result in kit.submit_all(chain.into()) {
        result.unwrap();
    }
    // Of a chain whose first is wrong, nothing is taken.
    let mut parent = kit.send(1, FEE);
    parent.witnesses = vec![Witness::Key(Signature::from([7; 64]))];
    let child = kit.spend(2, &[made(&parent, 0)], &[pay(COIN - 2 * FEE, 3)]);
    let results = kit.submit_all(vec![Transaction::Coin(parent), Transaction::Coin(child.clone())]);
    let missing = results.into_iter().nth(1).unwrap().unwrap_err();
    assert_eq!(policy(missing), MempoolError::MissingCoin(child.inputs[0]));
    assert_eq!(kit.pooled().len(), 3);
    kit.mine();
    assert!(kit.pooled().is_empty());
}

#[test]
fn large_batches_of_both_kinds_keep_their_order() {
    let mut kit = Kit::with(super::kit::spec(300), Default::default());
    let mut batch = Vec::new();
    for index in 0..300u32 {
        batch.push(Transaction::Coin(kit.send(index, FEE)));
        if index % 3 == 0 {
            batch.push(Transaction::Account(kit.transfer(1, u64::from(index / 3), 2)));
        }
    }
    let expected: Vec<TxId> = batch.iter().map(Transaction::txid).collect();
    let got: Vec<TxId> = kit.submit_all(batch).into_iter().map(Result::unwrap).collect();
    assert_eq!(got, expected);
    kit.mine();
    assert!(kit.pooled().is_empty());
    assert_eq!(kit.block_at(1).transactions.len(), 401);
}

#[test]
fn any_number_of_nonces_in_one_batch_is_taken() {
    let mut kit = Kit::new();
    let batch: Vec<_> = (0..400).map(|nonce| Transaction::Account(kit.transfer(1, nonce, 2))).collect();
    for (nonce, result) in kit.submit_all(batch).into_iter().enumerate() {
        result.unwrap_or_else(|error| panic!("nonce {nonce}: {error}"));
    }
    assert_eq!(kit.engine.mempool().stats().pending, 400);
    // A gap within a batch is as bounded as ever.
    let far = vec![Transaction::Account(kit.transfer(1, 464, 2)), Transaction::Account(kit.transfer(1, 465, 2))];
    let mut results = kit.submit_all(far);
    let refused = MempoolError::NonceGap { sender: super::kit::address(1), got: 465, expected: 400, limit: 64 };
    assert_eq!(policy(results.pop().unwrap().unwrap_err()), refused);
    results.pop().unwrap().unwrap();
}

//     G -- a1          a1 holds 300 transfers of one account
//      \-- b1 -- b2
#[test]
fn any_number_of_nonces_comes_back_after_a_reorganisation() {
    let mut kit = Kit::new();
    let mut twin = kit.twin();
    let batch: Vec<_> = (0..300).map(|nonce| Transaction::Account(kit.transfer(1, nonce, 2))).collect();
    kit.submit_all(batch).into_iter().for_each(|result| _ = result.unwrap());
    kit.mine();
    assert_eq!(kit.block_at(1).transactions.len(), 301);
    twin.mine_many(2).into_iter().for_each(|block| _ = kit.take(block).unwrap());
    assert_eq!(kit.engine.mempool().stats().pending, 300);
    kit.mine();
    assert!(kit.pooled().is_empty());
}

//     G -- a1 -- a2 -- a3           a deposit, a withdrawal of it, a spend of that coin
//      \-- b1 -- b2 -- b3 -- b4
#[test]
fn a_deposit_its_withdrawal_and_the_spend_of_that_all_come_back_after_a_reorganisation() {
    let mut kit = Kit::new();
    let mut twin = kit.twin();
    let deposit = Output { amount: Amount::from_grains(COIN - FEE), lock: Lock::Account(super::kit::address(20)) };
    let deposit = kit.spend(1, &[kit.coin(0)], &[deposit]);
    kit.submit(&deposit).unwrap();
    kit.mine();
    let (withdrawal, coin) = withdrawal(20, COIN / 2);
    kit.submit(&withdrawal).unwrap();
    kit.mine();
    let spend = kit.spend(5, &[coin], &[pay(COIN / 2 - FEE, 6)]);
    kit.submit(&spend).unwrap();
    kit.mine();
    assert!(kit.pooled().is_empty());
    twin.mine_many(4).into_iter().for_each(|block| _ = kit.take(block).unwrap());
    assert_eq!((kit.tip(), kit.pooled()), (twin.tip(), vec![deposit.txid()]));
    kit.mine();
    assert_eq!(kit.pooled(), [TxId(withdrawal.hash().0)]);
    kit.mine();
    assert_eq!(kit.pooled(), [spend.txid()]);
    kit.mine();
    assert!(kit.pooled().is_empty());
}

//     G -- a1               a1 holds a deposit, the pool what it pays for
//      \-- b1 -- b2
#[test]
fn what_a_disconnected_deposit_paid_for_comes_back_with_it() {
    let mut kit = Kit::new();
    let mut twin = kit.twin();
    let output = Output { amount: Amount::from_grains(COIN - FEE), lock: Lock::Account(super::kit::address(20)) };
    let deposit = kit.spend(1, &[kit.coin(0)], &[output]);
    kit.submit(&deposit).unwrap();
    kit.mine();
    let calls = [kit.transfer(20, 0, 2), kit.transfer(20, 1, 2)];
    calls.iter().for_each(|call| _ = kit.submit(call).unwrap());
    twin.mine_many(2).into_iter().for_each(|block| _ = kit.take(block).unwrap());
    assert_eq!(kit.pooled(), [deposit.txid()]);
    kit.mine();
    assert!(calls.iter().all(|call| kit.is_pooled(call)));
    kit.mine();
    assert!(kit.pooled().is_empty());
}

#[test]
fn what_never_stands_again_is_not_tried_for_ever() {
    let mut kit = Kit::new();
    let mut twin = kit.twin();
    kit.mine_many(3);
    let Transaction::Coinbase(coinbase) = &kit.block_at(1).transactions[0] else { panic!() };
    let reward = Coin { output: coinbase.outputs[0], height: 1, coinbase: true };
    let outpoint = OutPoint { txid: coinbase.txid(), index: 1 };
    let spend = kit.spend(9, &[(outpoint, reward)], &[pay(COIN, 3)]);
    kit.submit(&spend).unwrap();
    twin.mine_many(4).into_iter().for_each(|block| _ = kit.take(block).unwrap());
    assert_eq!(kit.engine.pool.waiting(), 1);
    kit.mine_many(36);
    assert_eq!(kit.engine.pool.waiting(), 1);
    kit.mine();
    assert_eq!(kit.engine.pool.waiting(), 0);
}

#[test]
fn a_block_takes_its_transactions_and_what_they_contradict_out_of_the_pool() {
    let mut kit = Kit::new();
    let mut twin = kit.twin();
    let (ours, theirs) = (kit.send(0, FEE), kit.send(0, 3 * FEE));
    let child = kit.spend(2, &[made(&ours, 0)], &[pay(COIN - 2 * FEE, 3)]);
    let shared = kit.send(1, FEE);
    let (our_call, their_call) = (kit.transfer(1, 0, 2), kit.transfer(1, 0, 5));
    let later_call = kit.transfer(1, 1, 2);
    for tx in [&ours, &child, &shared] {
        kit.submit(tx).unwrap();
    }
    kit.submit(&our_call).unwrap();
    kit.submit(&later_call).unwrap();
    twin.submit(&theirs).unwrap();
    twin.submit(&shared).unwrap();
    twin.submit(&their_call).unwrap();
    let block = twin.mine_many(1).remove(0);
    kit.events.clear();
    kit.now = twin.now;
    kit.take(block).unwrap();

    let mut removed: Vec<(TxId, RemovalReason)> = Vec::new();
    for event in &kit.events {
        if let NodeEvent::TransactionRemoved(txid, reason) = event {
            removed.push((*txid, *reason));
        }
    }
    removed.sort_by_key(|(txid, _)| *txid);
    let mut expected = [
        (ours.txid(), RemovalReason::Conflict),
        (child.txid(), RemovalReason::ParentRemoved),
        (shared.txid(), RemovalReason::Mined),
        (TxId(our_call.hash().0), RemovalReason::Conflict),
    ];
    expected.sort_by_key(|(txid, _)| *txid);
    assert_eq!(removed, expected);
    assert_eq!(kit.pooled(), [TxId(later_call.hash().0)]);
    assert_eq!(policy(kit.submit(&ours).unwrap_err()), MempoolError::MissingCoin(ours.inputs[0]));
    let used = policy(kit.submit(&our_call).unwrap_err());
    let sender = super::kit::address(1);
    assert_eq!(used, MempoolError::NonceTooLow { sender, got: 0, expected: 1 });
}

// COIN-8, CB-9
#[test]
fn a_reward_waits_until_it_is_mature() {
    let mut kit = Kit::new();
    kit.mine();
    let Transaction::Coinbase(coinbase) = &kit.block_at(1).transactions[0] else { panic!() };
    let outpoint = OutPoint { txid: coinbase.txid(), index: 1 };
    let reward = Coin { output: coinbase.outputs[0], height: 1, coinbase: true };
    let tx = kit.spend(9, &[(outpoint, reward)], &[pay(COIN, 3)]);
    let early = rule(kit.submit(&tx).unwrap_err());
    assert_eq!(early, RuleError::ImmatureCoin { outpoint, got: 2, expected: 3 });
    kit.mine();
    kit.submit(&tx).unwrap();
    kit.mine();
    assert!(kit.pooled().is_empty());
}

#[test]
fn a_deposit_is_pending_and_then_credited() {
    let mut kit = Kit::new();
    let to = Address::repeat_byte(0x44);
    let deposit = Output { amount: Amount::from_grains(COIN - FEE), lock: Lock::Account(to) };
    let tx = kit.spend(1, &[kit.coin(0)], &[deposit]);
    kit.submit(&tx).unwrap();
    let pending = kit.engine.mempool().of_lock(&Lock::Account(to));
    assert_eq!(pending.incoming, [(OutPoint { txid: tx.txid(), index: 0 }, deposit)]);
    let spent = kit.engine.mempool().of_lock(&lock(1)).spent;
    assert_eq!(spent, [(tx.inputs[0], pay(COIN, 1), tx.txid())]);
    // Nobody can spend what never becomes a coin.
    let coin = (OutPoint { txid: tx.txid(), index: 0 }, Coin { output: deposit, height: 0, coinbase: false });
    let thief = kit.spend(1, &[coin], &[pay(FEE, 1)]);
    assert_eq!(policy(kit.submit(&thief).unwrap_err()), MempoolError::MissingCoin(coin.0));
    kit.mine();
    let view = kit.engine.store().view();
    let account = chain_core::state::StateView::account(&view, &to).unwrap().unwrap();
    assert_eq!(account.balance, deposit.amount.to_wei());
}

#[test]
fn a_coin_of_an_unconfirmed_withdrawal_waits_for_its_block() {
    let mut kit = Kit::new();
    let (withdrawal, (outpoint, coin)) = withdrawal(1, COIN);
    let spend = kit.spend(5, &[(outpoint, coin)], &[pay(COIN - FEE, 6)]);
    assert_eq!(policy(kit.submit(&spend).unwrap_err()), MempoolError::MissingCoin(outpoint));
    kit.submit(&withdrawal).unwrap();
    assert_eq!(policy(kit.submit(&spend).unwrap_err()), MempoolError::MissingCoin(outpoint));
    kit.mine();
    kit.submit(&spend).unwrap();
    kit.mine();
    assert!(kit.pooled().is_empty());
}

//     G -- a1 -- a2         a1 holds a withdrawal; the pool spends its coin
//      \-- b1 -- b2 -- b3
#[test]
fn a_spend_of_a_withdrawal_falls_with_the_block_that_held_it_and_comes_back_with_the_next() {
    let mut kit = Kit::new();
    let mut twin = kit.twin();
    let (withdrawal, coin) = withdrawal(1, COIN);
    kit.submit(&withdrawal).unwrap();
    kit.mine_many(2);
    let spend = kit.spend(5, &[coin], &[pay(COIN - FEE, 6)]);
    kit.submit(&spend).unwrap();
    twin.mine_many(3).into_iter().for_each(|block| assert!(kit.take(block).is_ok()));
    assert_eq!(kit.pooled(), [TxId(withdrawal.hash().0)]);
    kit.mine();
    assert_eq!(kit.pooled(), [spend.txid()]);
}

// ACC-2, ACC-6
#[test]
fn account_transactions_that_can_never_stand_are_refused_by_rule() {
    let mut kit = Kit::new();
    let mut refusal = |change: &dyn Fn(&mut chain_core::transaction::account::Fields)| {
        let mut fields = transfer_fields(0, 2);
        change(&mut fields);
        let tx = chain_core::transaction::account::AccountTransaction::sign(fields, &secret(1)).unwrap();
        rule(kit.submit(&tx).unwrap_err())
    };
    let expected = RuleError::ChainId { got: 1, expected: 1337 };
    assert_eq!(refusal(&|fields| fields.chain_id = 1), expected);
    assert_eq!(refusal(&|fields| fields.gas_limit = 20_999), RuleError::IntrinsicGas { got: 20_999, needed: 21_000 });
    assert_eq!(refusal(&|fields| fields.to = None), RuleError::IntrinsicGas { got: 21_000, needed: 53_000 });
}

#[test]
fn a_tested_transaction_leaves_nothing_behind() {
    let mut kit = Kit::new();
    let tx = kit.send(0, FEE);
    let tested = kit.engine.test_transaction(Transaction::Coin(tx.clone())).unwrap();
    assert_eq!((tested.txid, tested.fee), (tx.txid(), Amount::from_grains(FEE)));
    let tip = i128::from(FEE) * 10_000_000_000 / i128::from(tested.gas) - i128::from(GWEI);
    assert!((tested.tip_per_gas - tip).abs() <= 1);
    let call = kit.transfer(1, 3, 2);
    let tested = kit.engine.test_transaction(Transaction::Account(call)).unwrap();
    assert_eq!((tested.gas, tested.tip_per_gas), (21_000, i128::from(2 * GWEI)));
    let mut wrong = tx;
    wrong.witnesses = vec![Witness::Key(Signature::from([7; 64]))];
    let refused = kit.engine.test_transaction(Transaction::Coin(wrong)).unwrap_err();
    assert_eq!(rule(refused), RuleError::BadCoinSignature { transaction: None });
    assert!(kit.pooled().is_empty() && kit.events.is_empty());
    assert_eq!(U256::ZERO, U256::from(kit.engine.chain_info().mempool.gas));
}
