//! One transaction on two branches of the chain: honest nodes see it differently and must not blame each other.

use super::lab::*;
use crate::{
    error::{Penalty, RuleError},
    execute::{GATEWAY, withdraw_calldata, withdrawal_outpoint},
    state::Account,
    transaction::{
        Transaction,
        account::Fields,
        coin::{Coin, CoinTransaction, KeyBytes, Lock, OutPoint, Witness},
        policy::{Policy, Proof, ProofItem},
    },
    units::Amount,
    vm::{
        opcode::*,
        tests::assembler::{Program, program},
    },
};
use alloy_primitives::{Address, Bytes, U256};

const CONTRACT: Address = Address::repeat_byte(0xc1);
const COIN: u64 = 1_000_000;

/// A chain on which key 1 has 10 CRN and a contract 1 CRN.
fn lab(contract: Program) -> Lab {
    let mut lab = Lab::new();
    lab.fund(1, crn(10));
    lab.account(GATEWAY, Account { nonce: 1, ..Account::default() }, Bytes::from(vec![INVALID]));
    lab.account(CONTRACT, Account { nonce: 1, balance: crn(1), ..Account::default() }, contract.code());
    lab
}

/// Withdraws to key 1, where `lock` may write to the calldata in memory first, as many grains as `grains` leaves on the stack.
fn withdraw(lock_bytes: Program, grains: Program) -> Program {
    let calldata = withdraw_calldata(&lock(1));
    let program = program().memory(&calldata).ops(&lock_bytes.code());
    let program = program.push(0).push(0).push(calldata.len() as u64).push(0).ops(&grains.code());
    program.push(10_000_000_000).ops(&[MUL]).address(GATEWAY).ops(&[GAS, CALL, POP])
}

/// The coin that the call of the contract creates on a branch with this time.
fn withdrawn(contract: &Program, time: u32) -> (Lab, Transaction, (OutPoint, Coin)) {
    let mut lab = lab(contract.clone());
    lab.context.time = time;
    let call = signed(1, Fields { gas_limit: 100_000, ..fields(0, CONTRACT, U256::ZERO) });
    let made = lab.connect(std::slice::from_ref(&call)).effects().created[0];
    assert_eq!(made.0, withdrawal_outpoint(call.txid(), 0, &made.1.output));
    (lab, call, made)
}

// GW-6, COIN-7
#[test]
fn a_call_that_withdraws_otherwise_on_another_branch_makes_another_outpoint_and_its_spend_is_not_punished() {
    // Offset of the key in the calldata: after the selector, two words and the tag.
    let key = program().ops(&[TIMESTAMP]).push(4 + 64 + 1).ops(&[MSTORE]);
    let fixed = program().push(500_000);
    let amount = program().push(500_000).push(255).ops(&[TIMESTAMP, AND, ADD]);
    for contract in [withdraw(program(), amount), withdraw(key, fixed)] {
        let (mut here, call, one) = withdrawn(&contract, 1_800_000_000);
        let (there, _, other) = withdrawn(&contract, 1_800_000_001);
        assert_ne!(one.1.output, other.1.output, "the branches differ in amount or lock");
        assert_ne!(one.0, other.0);
        assert_eq!(one.0.index, other.0.index);

        let spend = Transaction::Coin(here.spend(&[one], &[output(one.1.output.amount.grains() - FEE, lock(2))]));
        let refused = there.builder_refuses(&spend);
        assert_eq!(refused, RuleError::MissingCoin(one.0));
        assert_eq!(refused.penalty(), Penalty::None);
        if one.1.output.lock == lock(1) {
            here.connect(&[spend]);
        }
        assert_ne!(one.0.txid, call.txid(), "no outpoint of a withdrawal names its transaction");
    }
    // What is the same on both branches has one outpoint.
    let contract = withdraw(program(), program().push(500_000));
    assert_eq!(withdrawn(&contract, 1_800_000_000).2, withdrawn(&contract, 1_800_000_001).2);
}

/// Transactions that are valid on a branch, of every kind that depends on it.
struct Branch {
    lab: Lab,
    coin: (OutPoint, Coin),
    mined: (OutPoint, Coin),
    by_key: Transaction,
    of_mined: Transaction,
    deposit: Transaction,
    after: Transaction,
    older: Transaction,
    transfer: Transaction,
}

fn reveal(lab: &Lab, policy: &Policy, coin: (OutPoint, Coin)) -> Transaction {
    let witnesses = vec![Witness::Policy(policy.clone(), Proof(vec![ProofItem::Reached].into()))];
    let outputs = vec![output(COIN - FEE, lock(2))];
    valid(lab, Transaction::Coin(CoinTransaction { inputs: vec![coin.0], outputs, witnesses }))
}

/// A transaction that the branch takes.
fn valid(lab: &Lab, transaction: Transaction) -> Transaction {
    lab.run(std::slice::from_ref(&transaction)).unwrap();
    transaction
}

fn branch() -> Branch {
    let mut lab = lab(program());
    let (coin, height) = (lab.coin(COIN), lab.context.height);
    let mined = lab.mined_coin(COIN, height - lab.spec.coinbase_maturity);
    let spend =
        |lab: &Lab, coin, lock: Lock| valid(lab, Transaction::Coin(lab.spend(&[coin], &[output(COIN - FEE, lock)])));
    let (after, older) = (Policy::after(height), Policy::older(100));
    let locked = |lab: &mut Lab, policy: &Policy| {
        lab.insert(Coin { output: output(COIN, policy.lock()), height: height - 100, coinbase: false })
    };
    let (after_coin, older_coin) = (locked(&mut lab, &after), locked(&mut lab, &older));
    Branch {
        by_key: spend(&lab, coin, lock(2)),
        of_mined: spend(&lab, mined, lock(2)),
        deposit: spend(&lab, coin, Lock::Account(address(5))),
        after: reveal(&lab, &after, after_coin),
        older: reveal(&lab, &older, older_coin),
        transfer: valid(&lab, signed(1, fields(0, address(2), crn(1)))),
        lab,
        coin,
        mined,
    }
}

/// Every way in which the state of another branch may refuse what is valid on one. What depends on the branch and is not here
/// cannot be reached, since each field of the state stands below.
#[test]
fn no_verdict_that_depends_on_the_branch_is_punished() {
    let check = |what: fn(&Branch) -> &Transaction, differ: &dyn Fn(&mut Branch), expected: RuleError| {
        let mut other = branch();
        differ(&mut other);
        let refused = other.lab.builder_refuses(what(&other));
        assert_eq!(refused, expected);
        assert_eq!(refused.penalty(), Penalty::None, "{refused}");
    };
    let (lab, Branch { coin, mined, .. }) = (branch().lab, branch());
    let height = lab.context.height;

    // Coins: there or not, and their height.
    check(|branch| &branch.by_key, &|other| _ = other.lab.state.coins.remove(&coin.0), RuleError::MissingCoin(coin.0));
    let later = |other: &mut Branch| {
        other.lab.state.coins.values_mut().for_each(|coin| coin.height += 1);
    };
    let immature = RuleError::ImmatureCoin { outpoint: mined.0, got: height, expected: height + 1 };
    check(|branch| &branch.of_mined, &later, immature);
    check(|branch| &branch.older, &later, RuleError::TooYoung { got: 99, expected: 100 });

    // The block: its height, base fee, and what else is in it.
    let lower = |other: &mut Branch| other.lab.context.height -= 1;
    check(|branch| &branch.after, &lower, RuleError::TooEarly { got: height - 1, expected: height });
    let gas = |transaction: &Transaction| match transaction {
        Transaction::Coin(tx) => tx.gas(tx.size()),
        _ => 21_000,
    };
    let needed = |base_fee: u64| Amount::from_grains((gas(&branch().by_key) * base_fee).div_ceil(10 * GWEI));
    let dearer = |other: &mut Branch| other.lab.context.base_fee = 50 * GWEI;
    check(
        |branch| &branch.by_key,
        &dearer,
        RuleError::FeeTooLow { got: Amount::from_grains(FEE), needed: needed(50 * GWEI) },
    );
    let cap = RuleError::FeeCapTooLow { got: U256::from(2 * GWEI), base_fee: 50 * GWEI };
    check(|branch| &branch.transfer, &dearer, cap);
    let full = |other: &mut Branch| other.lab.spec.gas_limit = 8_000 + 1;
    for what in [(|branch| &branch.by_key) as fn(&Branch) -> &Transaction, |branch| &branch.transfer] {
        check(what, &full, RuleError::GasLeft { got: gas(what(&branch())), left: 1 });
    }

    // Accounts: nonce, balance, code.
    let account = |alter: fn(&mut Account)| {
        move |other: &mut Branch| alter(other.lab.state.accounts.entry(address(1)).or_default())
    };
    let nonce = RuleError::Nonce { got: 0, expected: 1 };
    check(|branch| &branch.transfer, &account(|account| account.nonce = 1), nonce);
    let poor =
        RuleError::InsufficientBalance { got: U256::ZERO, needed: crn(1) + U256::from(21_000) * U256::from(2 * GWEI) };
    check(|branch| &branch.transfer, &account(|account| account.balance = U256::ZERO), poor);
    let coded = |other: &mut Branch| {
        let account = Account { balance: crn(10), ..Account::default() };
        other.lab.account(address(1), account, Bytes::from(vec![STOP]));
    };
    check(|branch| &branch.transfer, &coded, RuleError::SenderHasCode(address(1)));
    let rich = |other: &mut Branch| {
        let account = Account { balance: U256::MAX, ..Account::default() };
        other.lab.account(address(5), account, Bytes::new());
    };
    check(|branch| &branch.deposit, &rich, RuleError::DepositOverflow(address(5)));
}

/// The twin of the above: what is invalid on every branch is punished.
#[test]
fn a_verdict_that_follows_from_the_transaction_is_punished() {
    let Branch { lab, by_key, .. } = branch();
    let Transaction::Coin(tx) = by_key else { panic!("made of a coin") };
    let refused = |alter: fn(&mut CoinTransaction)| {
        let mut wrong = tx.clone();
        alter(&mut wrong);
        let refused = lab.run(&[Transaction::Coin(wrong)]).unwrap_err();
        assert_eq!(refused.penalty(), Penalty::Ban, "{refused}");
        refused
    };
    let signature = refused(|tx| tx.witnesses[0] = Witness::Key([7; 64].into()));
    assert_eq!(signature, RuleError::BadCoinSignature { transaction: Some(1) });
    let policy = refused(|tx| {
        let proof = Proof(vec![ProofItem::Signature(Box::new([7; 64].into()))].into());
        tx.witnesses[0] = Witness::Policy(Policy::key(KeyBytes([1; 32])), proof);
    });
    assert_eq!(policy, RuleError::WitnessKind { input: 0 });
    let overspent = refused(|tx| tx.outputs[0].amount = Amount::from_grains(COIN + 1));
    assert_eq!(
        overspent,
        RuleError::Overspent { got: Amount::from_grains(COIN + 1), available: Amount::from_grains(COIN) }
    );
}
