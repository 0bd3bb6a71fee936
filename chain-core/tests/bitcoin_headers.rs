//! Bitcoin's and Bitcoin Cash's known answers through the header code.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use chain_core::{
    U256,
    asert::Asert,
    error::RuleError,
    hash::BlockHash,
    header::Header,
    headers::{HeaderTree, Status, StoredHeader},
    pow,
    spec::ChainSpec,
};

/// Bitcoin's easiest target.
const LIMIT_BITS: u32 = 0x1d00_ffff;

fn limit() -> U256 {
    pow::target(LIMIT_BITS).unwrap()
}

fn block_125552() -> Header {
    let hash = |text: &str| text.parse::<BlockHash>().unwrap();
    Header {
        version: 1,
        prev: hash("00000000000008a3a41b85b8b29ad444def299fee21793cd8b9e567eab02cd81"),
        merkle_root: hash("2b12fcf1b09288fcaff797d71e950e71ae42b91e8bdb2304758dfcffc2b620e3").0,
        time: 1_305_998_791,
        bits: 0x1a44_b9f2,
        nonce: 0x9546_a142,
    }
}

// HDR-2
#[test]
fn block_125552_has_the_hash_that_bitcoin_knows() {
    let header = block_125552();
    assert_eq!(header.hash().to_string(), "00000000000000001e8d6829a8a21adc5d38d0a473b144b6765798e61f98bd1d");
    assert!(pow::check_pow(&header.hash(), header.bits, limit()).is_ok());
    let other = Header { nonce: header.nonce + 1, ..header };
    let above = RuleError::HashAboveTarget { hash: other.hash(), bits: other.bits };
    assert_eq!(pow::check_pow(&other.hash(), other.bits, limit()), Err(above));
}

// HDR-1, HDR-2
#[test]
fn the_first_6000_headers_of_bitcoin_link_and_carry_their_work() {
    let Some(bytes) = cairn_vectors::read("bitcoin-headers-0-5999.bin") else { return };
    let headers: Vec<_> = bytes.as_chunks::<80>().0.iter().map(Header::from_bytes).collect();
    assert_eq!(headers.len(), 6_000);
    assert_eq!(headers[0].nonce, 2_083_236_893);
    let mut prev = BlockHash::default();
    let mut stored = Vec::new();
    for (header, bytes) in headers.iter().zip(bytes.chunks(80)) {
        assert_eq!(header.to_bytes(), bytes);
        assert_eq!(header.prev, prev);
        let hash = header.hash();
        assert_eq!(pow::check_pow(&hash, header.bits, limit()), Ok(limit()));
        stored.push(StoredHeader { header: *header, hash, status: Status::HeaderOnly, executed: None });
        prev = hash;
    }
    assert_eq!(stored[0].hash.to_string(), "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f");
    assert_eq!(stored[170].hash.to_string(), "00000000d1145790a8694403d4063f323d499e655c83426834d4ce2f8dd4a2ee");
    let spec = ChainSpec { pow_limit_bits: LIMIT_BITS, genesis_bits: LIMIT_BITS, ..ChainSpec::main() };
    let tree = HeaderTree::load(&spec, stored.iter().copied()).unwrap();
    let best = tree.get(&tree.best_header()).unwrap();
    assert_eq!((best.hash, best.height), (prev, 5_999));
    assert_eq!(best.work, U256::from(6_000_u64 * 0x1_0001_0001));
    assert_eq!(tree.headers_after(&tree.genesis(), &prev, 10_000), headers[1..]);
}

// HDR-3
#[test]
fn asert_gives_the_published_bits() {
    let Some(bytes) = cairn_vectors::read("asert.json") else { return };
    let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let asert = Asert { interval: 600, half_life: 172_800, limit: limit() };
    let bits = |value: &serde_json::Value| u32::from_str_radix(value.as_str().unwrap(), 16).unwrap();
    let mut rows = 0;
    for run in json["runs"].as_array().unwrap() {
        let anchor = pow::target(bits(&run["anchor_bits"])).unwrap();
        let (anchor_height, anchor_time) = (&run["anchor_height"], &run["anchor_parent_time"]);
        for row in run["blocks"].as_array().unwrap() {
            let height_delta = row[0].as_u64().unwrap().wrapping_sub(anchor_height.as_u64().unwrap());
            let time_delta = row[1].as_i64().unwrap() - anchor_time.as_i64().unwrap();
            let target = asert.next_target(anchor, time_delta, height_delta.cast_signed());
            let shown = format!("{} at {}", run["name"], row[0]);
            assert_eq!(pow::bits(target), bits(&row[2]), "{shown}");
            rows += 1;
        }
    }
    assert_eq!(rows, 3_000);
}
