use alloy_primitives::{Address, B256, U256};
use proptest::prelude::*;

use super::*;
use crate::{
    block::check::IntrinsicGas,
    gas::{MAX_INITCODE, MAX_TRANSACTION_GAS},
    hash::{TxId, sha256d},
    spec::MOST_GAS,
    testing,
    transaction::{
        account::{AccountTransaction, Fees, Fields},
        coin::{CoinTransaction, KeyBytes, OutPoint, Output, Witness},
        policy::{Policy, Proof, ProofItem},
    },
    units::{AmountOverflow, Gas, Height},
    vm::Revision,
};

fn output(amount: u64) -> Output {
    Output { amount: Amount::from_grains(amount), lock: Lock::Key(KeyBytes([2; 32])) }
}

fn coinbase() -> Coinbase {
    Coinbase {
        height: 1,
        beneficiary: Address::ZERO,
        outputs: vec![output(5)],
        state_root: B256::ZERO,
        receipts_root: B256::ZERO,
        coins_root: B256::ZERO,
        gas_used: 0,
        extra: vec![0; 8],
    }
}

fn coin_transaction(number: u32) -> Transaction {
    Transaction::Coin(CoinTransaction {
        inputs: vec![OutPoint { txid: TxId([1; 32]), index: number }],
        outputs: vec![output(7), output(8)],
        witnesses: vec![Witness::Key([3; 64].into())],
    })
}

fn account_fields(bytes: usize) -> Fields {
    Fields {
        tx_type: 0,
        chain_id: ChainSpec::dev().chain_id,
        nonce: 0,
        fees: Fees::Legacy { gas_price: U256::from(1) },
        gas_limit: 60_000,
        to: Some(Address::ZERO),
        value: U256::ZERO,
        input: vec![9; bytes].into(),
        access_list: vec![],
        authorizations: vec![],
    }
}

fn assembled(fields: Fields) -> Transaction {
    let mut signature = [0; 64];
    (signature[31], signature[63]) = (1, 1);
    Transaction::Account(AccountTransaction::from_parts(fields, signature, false).unwrap())
}

/// An account transaction that passes the context-free checks, with an encoding of this many bytes.
fn account_transaction(size: usize) -> Transaction {
    (2..100)
        .map(|bytes| assembled(account_fields(bytes)))
        .find(|transaction| transaction.encode().len() == size)
        .unwrap()
}

/// A block whose header commits to these transactions.
fn block(transactions: Vec<Transaction>) -> Block {
    let leaves: Vec<_> = transactions.iter().map(merkle::leaf).collect();
    let merkle_root = merkle::root(&leaves);
    let header = Header { version: 0, prev: BlockHash([0; 32]), merkle_root, time: 0, bits: 0, nonce: 0 };
    Block { header, transactions }
}

fn legal() -> Vec<Transaction> {
    vec![Transaction::Coinbase(coinbase()), coin_transaction(0), account_transaction(65), coin_transaction(1)]
}

fn check(block: Block) -> Result<CheckedBlock, RuleError> {
    check_with(&ChainSpec::dev(), block)
}

fn check_with(spec: &ChainSpec, block: Block) -> Result<CheckedBlock, RuleError> {
    let decoded = check_hashed_block(spec, decode_block(&codec::encode(&block)).unwrap());
    let checked = check_block(spec, block.clone());
    match (decoded, checked) {
        (Ok(decoded), Ok(checked)) => {
            assert_eq!(decoded.metas, checked.metas);
            assert_eq!((decoded.hash, decoded.size), (checked.hash, checked.size));
            assert_eq!(decoded.block, checked.block);
            Ok(checked)
        }
        (Err((decoded, error)), Err((returned, same))) => {
            assert_eq!((decoded, &error), (block.clone(), &same));
            assert_eq!(returned, block);
            Err(error)
        }
        (decoded, checked) => panic!("{decoded:?} but {checked:?}"),
    }
}

fn refused(block: Block) -> RuleError {
    check(block).map(|_| ()).unwrap_err()
}

#[test]
fn accepts_a_legal_block_and_says_what_it_holds() {
    let block = block(legal());
    let checked = check(block.clone()).unwrap();
    assert_eq!(checked.hash(), block.hash());
    assert_eq!(checked.size(), codec::encode(&block).len());
    assert_eq!(checked.coinbase(), &coinbase());
    let metas = block
        .transactions
        .iter()
        .map(|transaction| TxMeta { txid: transaction.txid(), size: transaction.encode().len() as u32 });
    assert_eq!(checked.metas(), metas.collect::<Vec<_>>());
    let Transaction::Account(account) = &block.transactions[2] else { unreachable!() };
    assert_eq!(checked.recoveries(), [account]);
}

#[test]
fn identifiers_and_leaves_are_those_of_the_specification() {
    let mut buffer = Vec::new();
    for transaction in legal() {
        let bytes = transaction.encode();
        let (meta, leaf) = transaction.digest(&mut buffer);
        assert_eq!(buffer, bytes);
        let tag = usize::from(matches!(transaction, Transaction::Coinbase(_)));
        assert_eq!(leaf, sha256d(&bytes[tag..]));
        assert_eq!(meta.txid, transaction.txid());
        if let Transaction::Coin(coin) = &transaction {
            assert_eq!(coin.size(), bytes.len());
            let without_witnesses = codec::encode(&(1_u8, &coin.inputs, &coin.outputs));
            assert_eq!(meta.txid.0, sha256d(&without_witnesses));
        }
    }
}

// BLK-1
#[test]
fn refuses_a_block_without_a_coinbase_in_front() {
    assert_eq!(refused(block(vec![])), RuleError::NoCoinbase);
    let mut transactions = legal();
    transactions.swap(0, 1);
    assert_eq!(refused(block(transactions)), RuleError::NoCoinbase);
}

// BLK-2
#[test]
fn refuses_a_second_coinbase() {
    let mut transactions = legal();
    transactions.insert(2, Transaction::Coinbase(Coinbase { height: 2, ..coinbase() }));
    assert_eq!(refused(block(transactions)), RuleError::MisplacedCoinbase { index: 2 });
}

// BLK-3, CVE-2012-2459
#[test]
fn a_body_with_its_end_repeated_is_not_the_headers() {
    let honest = block(legal());
    for repeated in 1..=honest.transactions.len() {
        let mut mutated = honest.clone();
        mutated.transactions.extend_from_within(honest.transactions.len() - repeated..);
        let leaves: Vec<_> = mutated.transactions.iter().map(merkle::leaf).collect();
        let expected = honest.header.merkle_root;
        let error = refused(mutated);
        assert_eq!(error, RuleError::MerkleRoot { got: merkle::root(&leaves), expected });
        assert!(error.blames_body_only());
    }
    assert_eq!(check(honest.clone()).unwrap().hash(), honest.hash());
}

// BLK-3
#[test]
fn a_changed_witness_is_not_the_headers_body() {
    let mut mutated = block(legal());
    let Transaction::Coin(coin) = &mut mutated.transactions[1] else { unreachable!() };
    coin.witnesses = vec![Witness::Key([4; 64].into())];
    assert!(matches!(refused(mutated), RuleError::MerkleRoot { .. }));
}

#[test]
fn other_faults_are_only_named_once_the_body_is_known_to_be_the_headers() {
    let mut mutated = block(legal());
    mutated.transactions[0] = Transaction::Coinbase(Coinbase { extra: vec![0; 97], ..coinbase() });
    mutated.transactions.push(account_transaction(64));
    assert!(refused(mutated.clone()).blames_body_only());
    let refused = refused(block(mutated.transactions));
    assert_eq!(refused, RuleError::SixtyFourBytes { index: 4 });
    assert!(refused.blames_body_only());
}

// BLK-4, CVE-2017-12842
#[test]
fn refuses_a_transaction_of_64_bytes_and_accepts_63_and_65() {
    for (size, accepted) in [(63, true), (64, false), (65, true)] {
        let transaction = account_transaction(size);
        let alone = check_transaction(&transaction).map(|meta| meta.size as usize);
        assert_eq!(alone, if accepted { Ok(size) } else { Err(RuleError::SixtyFourBytes { index: 0 }) });
        let mut transactions = legal();
        transactions.push(transaction);
        let inside = check(block(transactions)).map(|checked| checked.metas()[4].size as usize);
        assert_eq!(inside, if accepted { Ok(size) } else { Err(RuleError::SixtyFourBytes { index: 4 }) });
    }
}

// BLK-4
#[test]
fn the_smallest_coin_transaction_that_can_spend_has_65_bytes() {
    let with_proof = |items: Vec<ProofItem>| {
        Transaction::Coin(CoinTransaction {
            inputs: vec![OutPoint { txid: TxId([1; 32]), index: 0 }],
            outputs: vec![Output { amount: Amount::from_grains(1), lock: Lock::Account(Address::ZERO) }],
            witnesses: vec![Witness::Policy(Policy::older(0), Proof(items.into()))],
        })
    };
    assert_eq!(check_transaction(&with_proof(vec![ProofItem::Reached])).map(|meta| meta.size), Ok(65));
    assert_eq!(check_transaction(&with_proof(vec![])), Err(RuleError::SixtyFourBytes { index: 0 }));
}

// BLK-5
#[test]
fn refuses_one_byte_more_than_the_spec_allows() {
    let block = block(legal());
    let got = codec::encode(&block).len();
    let spec = |max_block_bytes| ChainSpec { max_block_bytes, ..ChainSpec::dev() };
    assert!(check_with(&spec(got), block.clone()).is_ok());
    let error = check_with(&spec(got - 1), block).map(|_| ()).unwrap_err();
    assert_eq!(error, RuleError::BlockTooLarge { got, limit: got - 1 });
    assert!(!error.blames_body_only());
}

// BLK-6
#[test]
fn refuses_coins_that_need_more_gas_than_the_spec_allows() {
    let block = block(legal());
    let coin_size = coin_transaction(0).encode().len() as u64;
    let got = 8_000 + 2 * (16 * coin_size + 5_000 + 16_000) + least_used(&account_transaction(65));
    let spec = |gas_limit| ChainSpec { gas_limit, ..ChainSpec::dev() };
    assert!(check_with(&spec(got), block.clone()).is_ok());
    let error = check_with(&spec(got - 1), block).map(|_| ()).unwrap_err();
    assert_eq!(error, RuleError::BlockGas { got, limit: got - 1 });
}

fn check_coinbase_with(change: impl Fn(&mut Coinbase)) -> Result<(), RuleError> {
    let mut coinbase = coinbase();
    change(&mut coinbase);
    check(block(vec![Transaction::Coinbase(coinbase)])).map(|_| ())
}

// CB-2
#[test]
fn refuses_a_script_of_101_bytes() {
    for (height, limit) in [(1, 98), (127, 98), (128, 97), (0x8000, 96), (0x80_0000, 95), (Height::MAX, 94)] {
        let with = |length: usize| {
            check_coinbase_with(|coinbase| (coinbase.height, coinbase.extra) = (height, vec![1; length]))
        };
        assert_eq!([with(0), with(limit)], [Ok(()), Ok(())]);
        assert_eq!(with(limit + 1), Err(RuleError::ExtraTooLong { got: limit + 1, limit }));
        let longest = Coinbase { height, extra: vec![1; limit], ..coinbase() }.to_bytes();
        assert_eq!(longest[41], 100, "the length of the script");
    }
}

// CB-4
#[test]
fn refuses_a_coinbase_that_pays_an_account_or_nothing() {
    assert_eq!(check_coinbase_with(|coinbase| coinbase.outputs.clear()), Ok(()));
    let account = Output { amount: Amount::from_grains(1), lock: Lock::Account(Address::ZERO) };
    let pays_account = Err(RuleError::CoinbasePaysAccount { output: 1 });
    assert_eq!(check_coinbase_with(|coinbase| coinbase.outputs.push(account)), pays_account);
    let zero = Err(RuleError::ZeroCoinbaseOutput { output: 1 });
    assert_eq!(check_coinbase_with(|coinbase| coinbase.outputs.push(output(0))), zero);
}

// AMT-1, CVE-2010-5139
#[test]
fn refuses_a_coinbase_whose_sum_wraps() {
    let outputs = |amounts: [u64; 2]| amounts.map(output).to_vec();
    assert_eq!(check_coinbase_with(|coinbase| coinbase.outputs = outputs([u64::MAX - 1, 1])), Ok(()));
    let wraps = Err(RuleError::AmountOverflow(AmountOverflow));
    assert_eq!(check_coinbase_with(|coinbase| coinbase.outputs = outputs([u64::MAX, 1])), wraps);
}

// COIN-4, CVE-2018-17144
#[test]
fn refuses_a_block_with_an_unsound_coin_transaction() {
    let mut transactions = legal();
    let Transaction::Coin(coin) = &mut transactions[3] else { unreachable!() };
    coin.inputs.push(coin.inputs[0]);
    coin.witnesses.push(coin.witnesses[0].clone());
    let outpoint = coin.inputs[0];
    let alone = check_transaction(&transactions[3]);
    assert_eq!(alone, Err(RuleError::DuplicateInput { outpoint }));
    assert_eq!(refused(block(transactions)), RuleError::DuplicateInput { outpoint });
}

#[test]
fn a_coinbase_never_stands_alone() {
    let alone = check_transaction(&Transaction::Coinbase(coinbase()));
    assert_eq!(alone, Err(RuleError::MisplacedCoinbase { index: 0 }));
}

// COD-1
#[test]
fn decoding_refuses_a_count_that_is_longer_than_needed() {
    let bytes = codec::encode(&block(legal()));
    let mut long = bytes.clone();
    long.splice(80..81, [251, 4, 0]);
    assert!(decode_block(&bytes).is_ok());
    assert_eq!(decode_block(&long).map(|_| ()), Err(CodecError::NotCanonical));
}

fn least_used(transaction: &Transaction) -> Gas {
    let Transaction::Account(transaction) = transaction else { unreachable!() };
    IntrinsicGas::of(Revision::Osaka, transaction.fields()).least_used()
}

// BLK-6
#[test]
fn refuses_account_transactions_that_use_too_much_gas_before_a_sender_is_recovered() {
    let transactions = |count| {
        let mut transactions = vec![Transaction::Coinbase(coinbase())];
        transactions.extend(vec![account_transaction(90); count]);
        block(transactions)
    };
    let each = least_used(&account_transaction(90));
    assert!(each > 21_000);
    let spec = ChainSpec { gas_limit: 8_000 + 2 * each, ..ChainSpec::dev() };
    assert!(check_with(&spec, transactions(2)).is_ok());
    let error = check_with(&spec, transactions(3)).map(|_| ()).unwrap_err();
    assert_eq!(error, RuleError::BlockGas { got: 8_000 + 3 * each, limit: spec.gas_limit });
}

// ACC-2, ACC-5, ACC-6, ACC-7, ACC-9, ACC-12, ACC-13
#[test]
fn refuses_a_block_with_an_account_transaction_that_is_unsound_alone() {
    let dynamic =
        |max_fee: u64, tip: u64| Fees::Dynamic { max_fee: U256::from(max_fee), max_priority_fee: U256::from(tip) };
    let check_fields = |alter: &dyn Fn(&mut Fields)| {
        let mut fields = Fields { tx_type: 2, fees: dynamic(2, 1), ..account_fields(2) };
        alter(&mut fields);
        let mut transactions = legal();
        transactions.push(assembled(fields));
        check(block(transactions)).map(|_| ())
    };
    assert_eq!(check_fields(&|_| ()), Ok(()));
    let expected = ChainSpec::dev().chain_id;
    assert_eq!(check_fields(&|fields| fields.chain_id = 1), Err(RuleError::ChainId { got: 1, expected }));
    assert_eq!(check_fields(&|fields| fields.nonce = u64::MAX), Err(RuleError::NonceTooHigh(u64::MAX)));
    let gas = RuleError::IntrinsicGas { got: 21_000, needed: 21_080 };
    assert_eq!(check_fields(&|fields| fields.gas_limit = 21_000), Err(gas));
    let limit = MAX_TRANSACTION_GAS;
    let too_high = RuleError::GasLimitTooHigh { got: limit + 1, limit };
    assert_eq!(check_fields(&|fields| fields.gas_limit = limit + 1), Err(too_high));
    let tip = RuleError::TipAboveFeeCap { got: U256::from(3), fee_cap: U256::from(2) };
    assert_eq!(check_fields(&|fields| fields.fees = dynamic(2, 3)), Err(tip));
    let long = RuleError::InitcodeTooLong { got: MAX_INITCODE + 1, limit: MAX_INITCODE };
    let create = |fields: &mut Fields| {
        (fields.to, fields.gas_limit) = (None, 10_000_000);
        fields.input = vec![0; MAX_INITCODE + 1].into();
    };
    assert_eq!(check_fields(&create), Err(long));
    assert_eq!(check_fields(&|fields| fields.tx_type = 4), Err(RuleError::EmptySetCode));
}

// BLK-6
#[test]
fn no_chain_spec_allows_more_gas_than_the_transactions_use_that_are_decoded() {
    // One of them is the coinbase. The cheapest other is the smallest coin transaction that can spend.
    let cheapest = Transaction::Coin(CoinTransaction {
        inputs: vec![OutPoint { txid: TxId([1; 32]), index: 0 }],
        outputs: vec![Output { amount: Amount::from_grains(1), lock: Lock::Account(Address::ZERO) }],
        witnesses: vec![Witness::Policy(Policy::older(0), Proof(vec![ProofItem::Reached].into()))],
    });
    let Transaction::Coin(coin) = &cheapest else { unreachable!() };
    let gas = coin.gas(cheapest.encode().len());
    assert_eq!(gas, 14_040);
    assert!(gas < least_used(&assembled(account_fields(0))));
    assert!((MAX_TRANSACTIONS as u64 - 1) * gas > MOST_GAS);
}

proptest! {
    // BLK-6
    #[test]
    fn no_sound_coin_transaction_is_cheaper(tx in testing::coin_transaction()) {
        if check_coin_transaction(&tx).is_ok() && tx.size() != 64 {
            prop_assert!(tx.gas(tx.size()) >= 14_040);
        }
    }
}
