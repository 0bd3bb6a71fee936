//! Development chains. `Lab::connect` sees each time that the root is that of a rebuild, that the block can be disconnected,
//! and that money is accounted for.

use super::lab::*;
use crate::{
    error::RuleError,
    execute::{EDITOR, Edit, base_fee_mark},
    spec::ChainSpec,
    state::{Account, StateView},
    transaction::{
        Transaction,
        account::{AccountTransaction, Fields},
    },
    vm::{opcode::*, tests::assembler::program},
};
use alloy_primitives::{Address, Bytes, U256};

const SOMEBODY: Address = Address::repeat_byte(0x5b);
const CONTRACT: Address = Address::repeat_byte(0xc1);

fn lab() -> Lab {
    let mut lab = Lab::new();
    lab.spec = ChainSpec::dev();
    lab
}

fn edit(lab: &Lab, nonce: u64, edits: &[Edit]) -> Transaction {
    Transaction::Account(lab.spec.edit(nonce, edits).unwrap())
}

fn unsigned(sender: Address, lab: &Lab, fields: Fields) -> Transaction {
    let fields = Fields { chain_id: lab.spec.chain_id, ..fields };
    Transaction::Account(AccountTransaction::naming(fields, sender).unwrap())
}

fn every_edit() -> Vec<Edit> {
    let code = program().push(1).push(2).ops(&[SSTORE]).code().to_vec();
    vec![
        Edit::Balance { account: SOMEBODY, wei: crn(7) },
        Edit::Nonce { account: SOMEBODY, nonce: 41 },
        Edit::Code { account: CONTRACT, code },
        Edit::Slot { account: CONTRACT, slot: U256::from(3), value: U256::from(9) },
    ]
}

// DEV-3
#[test]
fn an_edit_sets_balance_nonce_code_and_slot() {
    let mut lab = lab();
    let executed = lab.connect(&[edit(&lab, 0, &every_edit())]);
    let account = lab.state.account(&SOMEBODY).unwrap().unwrap();
    assert_eq!((account.balance, account.nonce), (crn(7), 41));
    assert_eq!(lab.state.storage(&CONTRACT, &U256::from(3)).unwrap(), U256::from(9));
    assert_eq!(executed.effects().codes.len(), 1);
    assert_eq!(executed.effects().tx_gas[1], 0);
    assert!(executed.effects().receipts[0].success);
    assert_eq!(lab.state.state_root(), rebuilt_state_root(&lab.state));
    lab.connect(&[edit(
        &lab,
        1,
        &[
            Edit::Balance { account: SOMEBODY, wei: U256::ZERO },
            Edit::Slot { account: CONTRACT, slot: U256::from(3), value: U256::ZERO },
            Edit::Code { account: SOMEBODY, code: vec![] },
        ],
    )]);
    assert_eq!(lab.balance(SOMEBODY), U256::ZERO);
    assert_eq!(lab.state.storage(&CONTRACT, &U256::from(3)).unwrap(), U256::ZERO);
    assert_eq!(lab.state.state_root(), rebuilt_state_root(&lab.state));
}

// DEV-3
#[test]
fn an_edit_is_refused_out_of_turn_or_if_it_breaks_the_state() {
    let mut lab = lab();
    let refused = |edits: &[Edit]| lab.run(&[edit(&lab, 0, edits)]).unwrap_err();
    assert_eq!(lab.run(&[edit(&lab, 1, &[])]).unwrap_err(), RuleError::Nonce { got: 1, expected: 0 });
    let slot = |value| Edit::Slot { account: SOMEBODY, slot: U256::ZERO, value: U256::from(value) };
    let nobody = RuleError::BadEdit("only an account with code, nonce or balance has storage");
    assert_eq!(refused(&[slot(1)]), nobody);
    let wei = |wei| Edit::Balance { account: SOMEBODY, wei };
    let emptied = RuleError::BadEdit("an account with storage keeps a code, nonce or balance");
    assert_eq!(refused(&[wei(U256::ONE), slot(1), wei(U256::ZERO)]), emptied);
    let nonce = Edit::Nonce { account: SOMEBODY, nonce: u64::MAX };
    assert_eq!(refused(&[nonce]), RuleError::BadEdit("a nonce is at most 2^64 - 2"));
    let code = |bytes| Edit::Code { account: SOMEBODY, code: vec![1; bytes] };
    assert_eq!(refused(&[code(24_577)]), RuleError::BadEdit("code is at most 24,576 bytes"));
    lab.run(&[edit(&lab, 0, &[code(24_576)])]).unwrap();
    let foreign = Fields { chain_id: 1, ..fields(0, EDITOR, U256::ZERO) };
    let foreign = Transaction::Account(AccountTransaction::naming(foreign, EDITOR).unwrap());
    assert_eq!(lab.builder_refuses(&foreign), RuleError::ChainId { got: 1, expected: 1337 });
    let malformed = unsigned(EDITOR, &lab, Fields { input: Bytes::from(vec![9]), ..fields(0, EDITOR, U256::ZERO) });
    assert!(matches!(lab.builder_refuses(&malformed), RuleError::Encoding(_)));
    // With storage of an earlier block, too.
    lab.connect(&[edit(&lab, 0, &[wei(U256::ONE), slot(1)])]);
    assert_eq!(lab.run(&[edit(&lab, 1, &[wei(U256::ZERO)])]).unwrap_err(), emptied);
}

// DEV-2
#[test]
fn a_named_sender_needs_no_key_and_may_be_a_contract() {
    let mut lab = lab();
    let account = Account { balance: crn(1), ..Account::default() };
    lab.account(CONTRACT, account, program().ops(&[STOP]).code());
    let transfer = unsigned(CONTRACT, &lab, fields(0, SOMEBODY, U256::from(5)));
    let executed = lab.connect(&[transfer]);
    assert_eq!(executed.senders(), [CONTRACT]);
    assert_eq!(lab.balance(SOMEBODY), U256::from(5));
}

// DEV-1, DEV-2, DEV-3, DEV-4
#[test]
fn on_every_other_chain_nothing_of_this_is_possible() {
    let other = |name: &str| ChainSpec { name: name.into(), ..ChainSpec::dev() };
    for spec in
        [ChainSpec::main(), ChainSpec::test(), ChainSpec::local(), ChainSpec::devnet(), other("dev2"), other("dev-")]
    {
        let mut lab = Lab::new();
        lab.spec = spec.clone();
        lab.account(EDITOR, Account { balance: crn(1), ..Account::default() }, Bytes::new());
        let named = unsigned(SOMEBODY, &lab, fields(0, EDITOR, U256::ZERO));
        let edits = edit(&lab, 0, &every_edit());
        for transaction in [&named, &edits] {
            let Transaction::Account(tx) = transaction else { unreachable!() };
            let named = tx.named_sender().unwrap();
            assert_ne!(spec.sender_of(tx).ok(), Some(named));
            assert_eq!(spec.sender_of(tx), tx.recover_sender());
        }
        // Even if somebody had the editor's key.
        let mut builder =
            crate::execute::BlockBuilder::new(&lab.spec, lab.context.clone(), &lab.state, BENEFICIARY).unwrap();
        let refused = builder.push(&edits, Some(EDITOR)).map_err(rule);
        assert!(matches!(refused, Err(RuleError::FeeCapTooLow { .. })), "{refused:?}");
        assert_eq!(spec.base_fee_set_by(&base_fee_mark(7)), None);
    }
    let dev = ChainSpec::dev();
    let Transaction::Account(tx) = edit(&lab(), 0, &[]) else { unreachable!() };
    assert_eq!(dev.sender_of(&tx), Ok(EDITOR));
}

// DEV-4
#[test]
fn a_coinbase_sets_the_base_fee_of_its_block() {
    let spec = ChainSpec::dev();
    let extra = |fee| [vec![1; 16], base_fee_mark(fee)].concat();
    for fee in [0, 7, 1_000_000_000_000_000] {
        assert_eq!(spec.base_fee_set_by(&extra(fee)), Some(fee));
    }
    assert_eq!(spec.base_fee_set_by(&extra(1_000_000_000_000_001)), None);
    assert_eq!(spec.base_fee_set_by(&[]), None);
    assert_eq!(spec.base_fee_set_by(&[7; 8]), None);
}

// ACC-3
#[test]
fn a_signature_names_a_sender_only_if_nobody_made_it() {
    let Transaction::Account(signed) = signed(1, fields(0, SOMEBODY, U256::ZERO)) else { unreachable!() };
    assert_eq!(signed.named_sender(), None);
    for sender in [Address::ZERO, SOMEBODY, Address::repeat_byte(0xff)] {
        let tx = AccountTransaction::naming(fields(0, SOMEBODY, U256::ZERO), sender).unwrap();
        assert_eq!(tx.named_sender(), Some(sender));
        assert_ne!(tx.recover_sender().ok(), Some(sender));
        let again = AccountTransaction::decode(tx.raw().clone()).unwrap();
        assert_eq!(again, tx);
    }
}
