use proptest::prelude::*;

use super::*;
use crate::{
    block::{Block, MAX_TRANSACTIONS, check::decode_block, header::Header},
    testing,
    transaction::{
        Transaction,
        coin::{Coin, CoinTransaction, KeyBytes, Lock, OutPoint},
        policy::{Policy, Proof},
    },
};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct ByteString(#[serde(with = "bytes")] Vec<u8>);

fn malformed<T>(result: Result<T, CodecError>) -> bool {
    matches!(result, Err(CodecError::Malformed(_)))
}

#[test]
fn integers_have_the_sizes_that_the_specification_says() {
    let sizes = [(0_u64, 1), (250, 1), (251, 3), (0xffff, 3), (0x1_0000, 5), (0xffff_ffff, 5), (0x1_0000_0000, 9)];
    for (number, size) in sizes {
        let bytes = encode(&number);
        assert_eq!(bytes.len(), size, "{number}");
        assert_eq!(decode(&bytes), Ok(number));
    }
    assert_eq!(encode(&300_u64), [251, 44, 1]);
}

#[test]
fn locks_and_lists_look_as_the_specification_says() {
    let key = [7; 32];
    assert_eq!(encode(&Lock::Key(KeyBytes(key))), [&[0][..], &key].concat());
    assert_eq!(encode(&Lock::Account([9; 20].into())), [&[1][..], &[9; 20]].concat());
    assert_eq!(encode(&Lock::Policy(key)), [&[2][..], &key].concat());
    assert_eq!(encode(&Policy::after(300)), [1, 1, 251, 44, 1]);
    let empty = CoinTransaction { inputs: vec![], outputs: vec![], witnesses: vec![] };
    assert_eq!(Transaction::Coin(empty).encode(), [1, 0, 0, 0]);
}

#[test]
fn fixed_bytes_of_any_length_and_value_are_written_as_they_stand() {
    fn check<const N: usize>(bytes: [u8; N]) {
        let value = fixed::Array(bytes);
        assert_eq!(encode(&value), bytes);
        assert_eq!(decode(&bytes), Ok(value));
    }
    check([]);
    check([1, 2, 3]);
    check([1, 2, 3, 4, 5, 6, 7, 8]);
    check::<20>(std::array::from_fn(|index| index as u8));
    // As numbers: signalling and quiet NaN of both signs, infinity, subnormal, negative zero.
    for high in [0x7ff0, 0xfff0, 0x7ff8, 0xfff8, 0x0000, 0x8000] {
        for low in [0_u64, 1, 0x0000_ffff_ffff_ffff, 0x0007_ffff_ffff_ffff] {
            check((high << 48 | low).to_le_bytes());
        }
    }
}

#[test]
fn fixed_bytes_refuse_formats_for_people() {
    assert!(serde_json::to_string(&KeyBytes([1; 32])).is_err());
    assert!(serde_json::from_str::<KeyBytes>("[1.0,1.0,1.0,1.0]").is_err());
}

// COD-1
#[test]
fn refuses_integers_that_are_longer_than_needed() {
    assert_eq!(decode(&[250]), Ok(250_u64));
    assert_eq!(decode::<u64>(&[251, 250, 0]), Err(CodecError::NotCanonical));
    assert_eq!(decode(&[251, 251, 0]), Ok(251_u64));
    assert_eq!(decode::<u64>(&[252, 255, 255, 0, 0]), Err(CodecError::NotCanonical));
    assert_eq!(decode::<u64>(&[253, 1, 0, 0, 0, 0, 0, 0, 0]), Err(CodecError::NotCanonical));
    // Also where they name a variant or count a list.
    let lock = encode(&Lock::Policy([7; 32]));
    assert_eq!(decode(&lock), Ok(Lock::Policy([7; 32])));
    assert_eq!(decode::<Lock>(&[&[251, 2, 0], &lock[1..]].concat()), Err(CodecError::NotCanonical));
    assert_eq!(decode::<Policy>(&[251, 0, 0]), Err(CodecError::NotCanonical));
}

// COD-1
#[test]
fn refuses_bytes_behind_the_value_and_bytes_that_are_missing() {
    let bytes = encode(&Lock::Key(KeyBytes([7; 32])));
    assert_eq!(decode::<Lock>(&[&bytes[..], &[0]].concat()), Err(CodecError::Trailing(1)));
    for end in 0..bytes.len() {
        assert!(malformed(decode::<Lock>(&bytes[..end])), "{end}");
    }
}

#[test]
fn refuses_unknown_variants() {
    assert!(malformed(decode::<Lock>(&[&[3][..], &[0; 32]].concat())));
    assert!(malformed(decode::<Transaction>(&[3, 0, 0, 0])));
}

// COD-2
#[test]
fn refuses_one_byte_more_than_8_mib() {
    // Tag and length of the byte string take five bytes.
    let largest = ByteString(vec![1; MAX_ENCODED - 5]);
    let mut bytes = encode(&largest);
    assert_eq!(bytes.len(), MAX_ENCODED);
    assert_eq!(decode(&bytes), Ok(largest));
    bytes.push(0);
    let too_long = CodecError::TooLong { got: MAX_ENCODED + 1, limit: MAX_ENCODED };
    assert_eq!(decode::<ByteString>(&bytes), Err(too_long.clone()));
    assert_eq!(decode_block(&bytes).map(|_| ()), Err(too_long));
}

#[test]
fn decodes_millions_of_numbers_of_one_byte_each() {
    let numbers = vec![7_u64; 3 << 20];
    assert_eq!(decode(&encode(&numbers)), Ok(numbers));
}

#[test]
fn lengths_that_promise_gigabytes_cost_nothing() {
    for length in [MAX_ENCODED as u64, 1 << 32, u64::MAX / 64, u64::MAX] {
        let mut bytes = encode(&length);
        bytes.extend([1; 100]);
        assert!(malformed(decode::<ByteString>(&bytes)), "bytes, {length}");
        assert!(malformed(decode::<Vec<OutPoint>>(&bytes)), "outpoints, {length}");
        assert!(malformed(decode::<Policy>(&bytes)), "policy, {length}");
        assert!(malformed(decode::<Proof>(&bytes)), "proof, {length}");
        for tag in [0, 1, 2] {
            assert!(malformed(decode::<Transaction>(&[&[tag], &bytes[..]].concat())), "transaction {tag}, {length}");
        }
        assert!(malformed(decode_block(&[&[0; Header::SIZE], &bytes[..]].concat())), "block, {length}");
    }
}

#[test]
fn refuses_a_block_of_more_transactions_than_any_gas_allows() {
    let block = |count: usize| {
        let mut bytes = vec![0; Header::SIZE];
        encode_into(&mut bytes, &count);
        bytes.extend([1, 0, 0, 0].repeat(count));
        bytes
    };
    let largest = block(MAX_TRANSACTIONS);
    assert_eq!(decode_block(&largest).unwrap().into_block(), decode::<Block>(&largest).unwrap());
    assert!(malformed(decode_block(&block(MAX_TRANSACTIONS + 1))));
    assert!(malformed(decode::<Block>(&block(MAX_TRANSACTIONS + 1))));
}

/// An encoding with some bytes changed, added or cut off.
fn damaged(encoding: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (encoding, changes, 0..4_usize, any::<prop::sample::Index>()).prop_map(|(mut bytes, changes, kind, place)| {
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        match kind {
            0 => bytes.truncate(place.index(bytes.len())),
            1 => bytes.insert(place.index(bytes.len()), 0),
            _ => {}
        }
        bytes
    })
}

proptest! {
    // COD-1
    #[test]
    fn transactions_survive_the_round_trip(transaction in testing::transaction()) {
        prop_assert_eq!(decode(&transaction.encode()), Ok(transaction));
    }

    #[test]
    fn coins_survive_the_round_trip(coin in testing::coin(), outpoint in testing::outpoint()) {
        prop_assert_eq!(decode::<(OutPoint, Coin)>(&encode(&(outpoint, coin))), Ok((outpoint, coin)));
    }

    #[test]
    fn blocks_survive_the_round_trip_both_ways(block in testing::block()) {
        let bytes = encode(&block);
        let hashed = decode_block(&bytes).unwrap();
        prop_assert_eq!(hashed.hash(), block.hash());
        prop_assert_eq!(hashed.into_block(), block.clone());
        prop_assert_eq!(decode(&bytes), Ok(block));
    }

    // COD-1
    #[test]
    fn what_decodes_encodes_to_the_same_bytes(bytes in damaged(testing::transaction().prop_map(|tx| tx.encode()))) {
        if let Ok(transaction) = decode::<Transaction>(&bytes) {
            prop_assert_eq!(transaction.encode(), bytes);
        }
    }

    #[test]
    fn random_bytes_decode_to_what_encodes_to_them(bytes: Vec<u8>) {
        if let Ok(transaction) = decode::<CoinTransaction>(&bytes) {
            prop_assert_eq!(encode(&transaction), bytes);
        }
    }

    #[test]
    fn both_ways_to_decode_a_block_agree(bytes in damaged(testing::block().prop_map(|block| encode(&block)))) {
        match (decode::<Block>(&bytes), decode_block(&bytes)) {
            (Ok(block), Ok(hashed)) => {
                prop_assert_eq!(encode(&block), bytes);
                prop_assert_eq!(hashed.into_block(), block);
            }
            (Err(_), Err(_)) => {}
            (one, other) => prop_assert!(false, "{one:?} but {other:?}"),
        }
    }
}

// COD-2
#[test]
fn what_is_short_enough_decodes_whatever_it_claims() {
    // The worst: each byte is a number, which bincode counts as eight.
    let count = MAX_ENCODED - 5;
    let bytes = [&[252][..], &(count as u32).to_le_bytes(), &vec![7; count]].concat();
    assert_eq!(bytes.len(), MAX_ENCODED);
    assert_eq!(decode::<Vec<u64>>(&bytes).map(|numbers| numbers.len()), Ok(count));
    let longer = [&bytes[..], &[7]].concat();
    let expected = CodecError::TooLong { got: MAX_ENCODED + 1, limit: MAX_ENCODED };
    assert_eq!(decode::<Vec<u64>>(&longer), Err(expected));
}
