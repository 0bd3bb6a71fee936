//! Round trips, and every limit from both sides.

use super::*;
use chain_core::{
    Bytes, U256,
    codec::CodecError,
    hash::{BlockHash, TxId},
};

fn status() -> Status {
    let agent = "cairn/0.1.0".to_owned();
    let (genesis, best) = (BlockHash([1; 32]), BlockHash([2; 32]));
    let work = U256::MAX - U256::ONE;
    Status { genesis, best, height: 7, work, protocol: PROTOCOL, agent, oldest: 3, time: 1_700_000_000 }
}

fn round_trip<M: Message + PartialEq + std::fmt::Debug>(message: &M) {
    assert_eq!(M::decode(&message.encode()).unwrap(), *message);
}

#[test]
fn messages_survive_the_wire() {
    let hash = BlockHash([3; 32]);
    round_trip(&Request::Status(status()));
    round_trip(&Request::Headers { locator: vec![hash; LOCATOR], most: 2_000 });
    round_trip(&Request::Blocks(vec![hash; BLOCKS]));
    round_trip(&Request::BlockTransactions { block: hash, positions: (0..POSITIONS as u32).collect() });
    round_trip(&Request::Announce(vec![TxId([4; 32]); ANNOUNCED]));
    round_trip(&Request::Transactions(vec![TxId([4; 32]); TRANSACTIONS]));
    round_trip(&Request::ShortTransactions { salt: 9, ids: vec![ShortId([5; 6]); SHORT_TRANSACTIONS] });
    round_trip(&Response::Status(status()));
    round_trip(&Response::Blocks(vec![Body::new(vec![6; 100])]));
    round_trip(&Response::Transactions(vec![Bytes::from(vec![7; 100]), Bytes::new()]));
    round_trip(&Response::ShortIds(vec![ShortId([8; 6]); POOL]));
    round_trip(&Response::Unknown);
}

#[test]
fn the_largest_block_fits_into_an_answer() {
    let most = codec::MAX_ENCODED - (64 << 10);
    round_trip(&Response::Blocks(vec![Body::new(vec![0; most])]));
}

fn refused<M: Message + std::fmt::Debug>(bytes: &[u8]) -> CodecError {
    M::decode(bytes).unwrap_err()
}

#[test]
fn refuses_one_item_more_than_the_limit() {
    let hash = BlockHash([3; 32]);
    for request in [
        Request::Headers { locator: vec![hash; LOCATOR + 1], most: 1 },
        Request::Blocks(vec![hash; BLOCKS + 1]),
        Request::Announce(vec![TxId([4; 32]); ANNOUNCED + 1]),
        Request::Transactions(vec![TxId([4; 32]); TRANSACTIONS + 1]),
        Request::ShortTransactions { salt: 9, ids: vec![ShortId([5; 6]); SHORT_TRANSACTIONS + 1] },
    ] {
        assert!(matches!(refused::<Request>(&request.encode()), CodecError::Malformed(_)), "{request:?}");
    }
    let ids = Response::ShortIds(vec![ShortId([8; 6]); POOL + 1]);
    assert!(matches!(refused::<Response>(&ids.encode()), CodecError::Malformed(_)));
}

#[test]
fn refuses_one_byte_more_than_the_limit() {
    let got = Request::MOST_BYTES + 1;
    assert_eq!(refused::<Request>(&vec![0; got]), CodecError::TooLong { got, limit: Request::MOST_BYTES });
    let got = CompactBlock::MOST_BYTES + 1;
    assert_eq!(refused::<CompactBlock>(&vec![0; got]), CodecError::TooLong { got, limit: CompactBlock::MOST_BYTES });
}

#[test]
fn a_length_that_promises_gigabytes_is_malformed() {
    // Blocks: one body of 2^40 bytes, of which none come.
    let mut bytes = vec![2, 1, 253];
    bytes.extend((1_u64 << 40).to_le_bytes());
    assert!(matches!(refused::<Response>(&bytes), CodecError::Malformed(_)));
    // Announce: 2^40 identifiers.
    bytes[0] = 4;
    bytes.remove(1);
    assert!(matches!(refused::<Request>(&bytes), CodecError::Malformed(_)));
}

#[test]
fn refuses_agents_that_could_forge_a_log() {
    let named = |agent: &str| Request::Status(Status { agent: agent.into(), ..status() });
    round_trip(&named(&"a".repeat(AGENT)));
    for agent in ["two\nlines", "\u{1b}[31m", "ä", &"a".repeat(AGENT + 1)] {
        assert!(matches!(refused::<Request>(&named(agent).encode()), CodecError::Malformed(_)), "{agent}");
    }
}

#[test]
fn short_ids_depend_on_the_salt_and_the_leaf() {
    let leaf = [9; 32];
    let ids = ShortIds::of_block(&BlockHash([1; 32]));
    assert_eq!(ids.id(&leaf), ids.id(&leaf));
    assert_ne!(ids.id(&leaf), ids.id(&[8; 32]));
    assert_ne!(ids.id(&leaf), ShortIds::of_block(&BlockHash([2; 32])).id(&leaf));
    assert_ne!(ShortIds::of_salt(1).id(&leaf), ShortIds::of_salt(2).id(&leaf));
}
