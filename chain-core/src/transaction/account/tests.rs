//! Account transactions alone: against alloy-consensus, and case by case.

use super::*;
use crate::{
    block::check::{AccountRules, check_account_transaction},
    error::RuleError,
    execute::Revision,
    gas::MAX_TRANSACTION_GAS,
    testing::account_transaction,
};
use alloy_consensus::{Transaction as _, TxEnvelope, private::alloy_eips::eip2718::Decodable2718};
use alloy_primitives::{Address, B256, Bytes, Log, LogData, U256, b256, hex};
use alloy_rlp::{Encodable, Header};
use proptest::{collection::vec, prelude::*, sample::Index};
use secp256k1::SecretKey;

fn key(byte: u8) -> SecretKey {
    SecretKey::from_secret_bytes([byte; 32]).unwrap()
}

fn fields() -> Fields {
    Fields {
        tx_type: 2,
        chain_id: 7,
        nonce: 1,
        fees: Fees::Dynamic { max_fee: U256::from(9), max_priority_fee: U256::from(3) },
        gas_limit: 21_000,
        to: Some(Address::repeat_byte(5)),
        value: U256::from(1_000),
        input: Bytes::from(vec![1, 2, 3]),
        access_list: vec![(Address::repeat_byte(6), vec![B256::repeat_byte(7)])],
        authorizations: Vec::new(),
    }
}

// ACC-1
#[test]
fn signs_the_example_of_eip_155() {
    let fields = Fields {
        tx_type: 0,
        chain_id: 1,
        nonce: 9,
        fees: Fees::Legacy { gas_price: U256::from(20_000_000_000_u64) },
        gas_limit: 21_000,
        to: Some(Address::repeat_byte(0x35)),
        value: U256::from(1_000_000_000_000_000_000_u64),
        input: Bytes::new(),
        access_list: Vec::new(),
        authorizations: Vec::new(),
    };
    let hash = b256!("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
    assert_eq!(fields.signing_hash(), hash);
    let signed = AccountTransaction::sign(fields, &key(0x46)).unwrap();
    let raw = hex!(
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025"
        "a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
        "a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    );
    assert_eq!(signed.raw()[..], raw);
    assert_eq!(signed.recover_sender().unwrap(), address_of(&key(0x46).public_key()));
}

/// Fields of a well-formed transaction of any type.
fn any_fields() -> impl Strategy<Value = Fields> {
    account_transaction().prop_map(|transaction| transaction.fields().clone())
}

proptest! {
    // ACC-1, ACC-3
    #[test]
    fn alloy_reads_what_we_sign_as_we_do(fields in any_fields(), byte in 1..u8::MAX) {
        let ours = AccountTransaction::sign(fields.clone(), &key(byte)).unwrap();
        let theirs = TxEnvelope::decode_2718_exact(ours.raw()).unwrap();
        prop_assert_eq!(*theirs.hash(), ours.hash());
        prop_assert_eq!(theirs.signature_hash(), fields.signing_hash());
        prop_assert_eq!(theirs.signature().v(), ours.signature().1);
        prop_assert_eq!(theirs.signature().as_bytes()[..64].to_vec(), ours.signature().0.to_vec());
        prop_assert_eq!(theirs.chain_id(), Some(fields.chain_id));
        prop_assert_eq!((theirs.nonce(), theirs.gas_limit()), (fields.nonce, fields.gas_limit));
        prop_assert_eq!(U256::from(theirs.max_fee_per_gas()), fields.fees.fee_cap());
        prop_assert_eq!(theirs.max_priority_fee_per_gas().map(U256::from), match fields.fees {
            Fees::Legacy { .. } => None,
            Fees::Dynamic { max_priority_fee, .. } => Some(max_priority_fee),
        });
        prop_assert_eq!((theirs.to(), theirs.value(), theirs.input()), (fields.to, fields.value, &fields.input));
        let list = theirs.access_list().map(|list| list.0.as_slice()).unwrap_or_default();
        let list: Vec<(Address, Vec<B256>)> = list.iter().map(|item| (item.address, item.storage_keys.clone())).collect();
        prop_assert_eq!(list, fields.access_list);
        prop_assert_eq!(theirs.authorization_list().unwrap_or_default().len(), fields.authorizations.len());
        prop_assert_eq!(ours.recover_sender().unwrap(), address_of(&key(byte).public_key()));
    }

    // ACC-1
    #[test]
    fn what_decodes_encodes_to_the_same_bytes_and_alloy_takes_it_too(
        transaction in account_transaction(), at in any::<Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut raw = transaction.raw().to_vec();
        if cut {
            raw.truncate(at.index(raw.len()));
        } else {
            let at = at.index(raw.len());
            raw[at] = byte;
        }
        if let Ok(decoded) = AccountTransaction::decode(raw.clone().into()) {
            let (signature, parity) = decoded.signature();
            let again = AccountTransaction::from_parts(decoded.fields().clone(), signature, parity).unwrap();
            prop_assert_eq!(&again, &decoded);
            prop_assert_eq!(again.raw()[..].to_vec(), raw.clone());
            // Only alloy limits fees to 128 bits.
            if decoded.fields().fees.fee_cap() < U256::from(u128::MAX) && decoded.fields().fees.tip_cap() < U256::from(u128::MAX) {
                prop_assert_eq!(*TxEnvelope::decode_2718_exact(&raw).unwrap().hash(), decoded.hash());
            }
            let _ = decoded.recover_sender();
        }
    }

    #[test]
    fn no_bytes_make_decoding_fail_hard(raw in vec(any::<u8>(), 0..200), list in any::<bool>()) {
        let raw = if list { wrapped(2, &raw) } else { raw };
        let _ = AccountTransaction::decode(raw.into());
    }

    // CB-6
    #[test]
    fn receipts_read_back_and_alloy_encodes_them_alike(
        tx_type in prop::sample::select(vec![0_u8, 1, 2, 4]),
        success in any::<bool>(),
        gas in any::<u64>(),
        logs in vec((any::<[u8; 20]>(), vec(any::<[u8; 32]>(), 0..5), vec(any::<u8>(), 0..50)), 0..4),
    ) {
        let log = |(address, topics, data): (_, Vec<[u8; 32]>, Vec<u8>)| Log {
            address: Address::from(address),
            data: LogData::new_unchecked(topics.into_iter().map(B256::from).collect(), data.into()),
        };
        let logs: Vec<Log> = logs.into_iter().map(log).collect();
        let receipt = Receipt::new(tx_type, success, gas, logs.clone());
        let encoded = receipt.encode();
        prop_assert_eq!(Receipt::decode(&encoded).unwrap(), receipt.clone());
        let theirs = alloy_consensus::Receipt { status: success.into(), cumulative_gas_used: gas, logs }.with_bloom();
        let mut body = Vec::new();
        theirs.encode(&mut body);
        prop_assert_eq!(&encoded[usize::from(tx_type != 0)..], &body[..]);
        prop_assert!(Receipt::decode(&encoded[..encoded.len() - 1]).is_err());
        prop_assert!(Receipt::decode(&[&encoded[..], &[0]].concat()).is_err());
    }
}

/// A list of encoded items under a type's byte.
fn wrapped(tx_type: u8, payload: &[u8]) -> Vec<u8> {
    let mut raw = if tx_type == 0 { Vec::new() } else { vec![tx_type] };
    Header { list: true, payload_length: payload.len() }.encode(&mut raw);
    raw.extend_from_slice(payload);
    raw
}

/// The encoded items of a legal transaction of type 2: chain id, nonce, tip cap, fee cap, gas, to, value, input, access
/// list, parity, r, s.
fn items() -> Vec<Vec<u8>> {
    let signed = AccountTransaction::sign(fields(), &key(1)).unwrap();
    let mut raw = &signed.raw()[1..];
    let mut payload = Header::decode_bytes(&mut raw, true).unwrap();
    let mut items = Vec::new();
    while !payload.is_empty() {
        let start = payload;
        let header = Header::decode(&mut payload).unwrap();
        payload = &payload[header.payload_length..];
        items.push(start[..start.len() - payload.len()].to_vec());
    }
    assert_eq!(items.len(), 12);
    items
}

fn decode_items(items: &[Vec<u8>]) -> Result<AccountTransaction, RuleError> {
    AccountTransaction::decode(wrapped(2, &items.concat()).into())
}

fn rlp<T: Encodable>(value: T) -> Vec<u8> {
    alloy_rlp::encode(value)
}

// ACC-1
#[test]
fn rejects_what_is_not_the_one_encoding_of_a_transaction() {
    use RuleError::MalformedAccountTransaction as Malformed;
    let with = |index: usize, item: &[u8]| {
        let mut items = items();
        items[index] = item.to_vec();
        decode_items(&items).unwrap_err()
    };
    assert_eq!(with(1, &[0x82, 0, 1]), Malformed("a number has leading zeros"));
    assert_eq!(with(1, &[0]), Malformed("a number has leading zeros"));
    assert_eq!(with(1, &[0x81, 1]), Malformed("not in its shortest form"));
    assert_eq!(with(1, &rlp(u128::MAX)), Malformed("a number is too large"));
    assert_eq!(with(3, &[&[0xa1, 1][..], &[0; 32]].concat()), Malformed("a number is too large"));
    assert_eq!(with(1, &[0xc0]), Malformed("a list stands for a string"));
    assert_eq!(with(5, &[&[0x93][..], &[1; 19]].concat()), Malformed("an item has the wrong length"));
    assert_eq!(with(8, &[0x80]), Malformed("a string stands for a list"));
    let slot_short = [&[0xf7, 0xf6, 0x94][..], &[1; 20], &[0xe0, 0x9f], &[1; 31]].concat();
    assert_eq!(with(8, &slot_short), Malformed("an item has the wrong length"));
    let entry_long = [&[0xd8, 0xd7, 0x94][..], &[1; 20], &[0xc0, 0x80]].concat();
    assert_eq!(with(8, &entry_long), Malformed("an item has the wrong length"));
    let mut more = items();
    more.push(vec![0x80]);
    assert_eq!(decode_items(&more).unwrap_err(), Malformed("items are left in the list"));
    assert_eq!(decode_items(&items()[..11]).unwrap_err(), Malformed("cut short"));
    let trailing = [&wrapped(2, &items().concat())[..], &[0]].concat();
    let refused = AccountTransaction::decode(trailing.into()).unwrap_err();
    assert_eq!(refused, Malformed("bytes are left after the list"));
    assert_eq!(AccountTransaction::decode(Bytes::new()).unwrap_err(), Malformed("no envelope"));
    assert_eq!(AccountTransaction::decode(vec![0x80].into()).unwrap_err(), Malformed("no envelope"));
    assert_eq!(decode_items(&items()).unwrap().fields(), &fields());
}

// ACC-1
#[test]
fn rejects_types_that_are_not_supported() {
    for tx_type in [0, 3, 5, 0x7f] {
        let raw = [&[tx_type][..], &wrapped(0, &items().concat())].concat();
        let refused = AccountTransaction::decode(raw.into()).unwrap_err();
        assert_eq!(refused, RuleError::UnsupportedType(tx_type));
    }
}

/// A legacy transaction with this `v`.
fn legacy(v: u128) -> Result<AccountTransaction, RuleError> {
    let items = items();
    let mut payload = [&items[1], &items[3], &items[4], &items[5], &items[6], &items[7]].map(Vec::as_slice).concat();
    v.encode(&mut payload);
    payload.extend([&items[10][..], &items[11]].concat());
    AccountTransaction::decode(wrapped(0, &payload).into())
}

// ACC-1, ACC-3
#[test]
fn a_legacy_signature_names_its_chain() {
    for v in [27, 28] {
        assert_eq!(legacy(v).unwrap_err(), RuleError::NoChainId);
    }
    for v in [0, 1, 26, 29, 34] {
        assert_eq!(legacy(v).unwrap_err(), RuleError::BadAccountSignature);
    }
    let most = 36 + 2 * u128::from(u64::MAX);
    let too_large = RuleError::MalformedAccountTransaction("a number is too large");
    assert_eq!(legacy(most + 1).unwrap_err(), too_large);
    for (v, chain_id, parity) in [(35, 0, false), (36, 0, true), (37, 1, false), (most, u64::MAX, true)] {
        let decoded = legacy(v).unwrap();
        assert_eq!((decoded.fields().chain_id, decoded.signature().1), (chain_id, parity));
    }
}

// ACC-3
#[test]
fn rejects_signatures_out_of_range_and_high_s() {
    let order = U256::from_be_bytes(secp256k1::constants::CURVE_ORDER);
    let half = order >> 1;
    let with = |parity: u8, r: U256, s: U256| {
        let mut items = items();
        items.splice(9.., [rlp(parity), rlp(r), rlp(s)]);
        decode_items(&items)
    };
    let (one, two) = (U256::ONE, U256::from(2));
    let cases = [
        (2, one, one),
        (0, U256::ZERO, one),
        (0, order, one),
        (0, one, U256::ZERO),
        (0, one, half + one),
        (0, one, order),
    ];
    for (parity, r, s) in cases {
        assert_eq!(with(parity, r, s).unwrap_err(), RuleError::BadAccountSignature);
    }
    for (parity, r, s) in [(0, one, half), (1, order - one, one), (1, two, two)] {
        with(parity, r, s).unwrap();
    }
    // No point of the curve has x = 5.
    let off_curve = with(0, U256::from(5), one).unwrap();
    assert_eq!(off_curve.recover_sender().unwrap_err(), RuleError::BadAccountSignature);
    assert!(with(0, one, one).unwrap().recover_sender().is_ok());
}

// ACC-13
#[test]
fn a_set_code_transaction_has_a_recipient() {
    let authorization = Authorization {
        chain_id: U256::ZERO,
        address: Address::ZERO,
        nonce: 0,
        y_parity: 1,
        r: U256::ONE,
        s: U256::ONE,
    };
    let set_code = Fields { tx_type: 4, authorizations: vec![authorization], ..fields() };
    let nobody = Fields { to: None, ..set_code.clone() };
    assert_eq!(AccountTransaction::sign(nobody, &key(1)).unwrap_err(), RuleError::EmptySetCode);
    let empty = AccountTransaction::sign(Fields { authorizations: Vec::new(), ..set_code.clone() }, &key(1)).unwrap();
    let rules = AccountRules { revision: Revision::Osaka, chain_id: 7, transaction_gas: MAX_TRANSACTION_GAS };
    let ample = |transaction: &AccountTransaction| Fields { gas_limit: 100_000, ..transaction.fields().clone() };
    assert_eq!(check_account_transaction(&rules, &ample(&empty)).unwrap_err(), RuleError::EmptySetCode);
    let full = AccountTransaction::sign(set_code, &key(1)).unwrap();
    assert!(check_account_transaction(&rules, &ample(&full)).is_ok());
}

// ACC-1
#[test]
fn fields_that_a_type_has_no_room_for_cannot_be_signed() {
    let no_room = RuleError::MalformedAccountTransaction("the type has no room for these fields");
    let legacy = Fields { tx_type: 0, ..fields() };
    assert_eq!(AccountTransaction::sign(legacy.clone(), &key(1)).unwrap_err(), no_room);
    let fees = Fees::Legacy { gas_price: U256::from(9) };
    let listed = Fields { fees, ..legacy };
    assert_eq!(AccountTransaction::sign(listed.clone(), &key(1)).unwrap_err(), no_room);
    AccountTransaction::sign(Fields { access_list: Vec::new(), ..listed }, &key(1)).unwrap();
}

#[test]
fn a_transaction_that_nobody_signed_is_not_one() {
    let unsigned = AccountTransaction::unsigned(fields());
    assert_eq!(unsigned.fields(), &fields());
    assert_eq!(AccountTransaction::decode(unsigned.raw().clone()).unwrap_err(), RuleError::BadAccountSignature);
}
