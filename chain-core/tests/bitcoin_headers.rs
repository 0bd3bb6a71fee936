//! Bitcoin's and Bitcoin Cash's known answers through the header code.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use chain_core::{
    U256,
    block::header::Header,
    error::RuleError,
    hash::BlockHash,
    headers::{HeaderTree, Status, StoredHeader},
    spec::ChainSpec,
    work::{asert::Asert, pow},
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

/// Some of Bitcoin Cash's published answers to aserti3-2d with blocks of 600 s and a half-life of two days.
struct Run {
    name: &'static str,
    /// Height, time of the parent, bits.
    anchor: (u64, i64, u32),
    /// Height, time, bits of the block after it.
    blocks: &'static [(u64, i64, u32)],
}

const ASERT: [Run; 10] = [
    Run {
        name: "steady at pow limit",
        anchor: (1, 0, 0x1d00_ffff),
        blocks: &[
            (1, 600, 0x1d00_ffff),
            (2, 1_200, 0x1d00_ffff),
            (3, 1_800, 0x1d00_ffff),
            (4, 2_400, 0x1d00_ffff),
            (5, 3_000, 0x1d00_ffff),
            (6, 3_600, 0x1d00_ffff),
            (7, 4_200, 0x1d00_ffff),
            (8, 4_800, 0x1d00_ffff),
            (9, 5_400, 0x1d00_ffff),
            (10, 6_000, 0x1d00_ffff),
        ],
    },
    Run {
        name: "steady at arb non limit",
        anchor: (1, 0, 0x1a2b_3c4d),
        blocks: &[
            (1, 600, 0x1a2b_3c4d),
            (2, 1_200, 0x1a2b_3c4d),
            (3, 1_800, 0x1a2b_3c4d),
            (4, 2_400, 0x1a2b_3c4d),
            (5, 3_000, 0x1a2b_3c4d),
            (6, 3_600, 0x1a2b_3c4d),
            (7, 4_200, 0x1a2b_3c4d),
            (8, 4_800, 0x1a2b_3c4d),
            (9, 5_400, 0x1a2b_3c4d),
            (10, 6_000, 0x1a2b_3c4d),
        ],
    },
    Run {
        name: "steady at minimum limit",
        anchor: (1, 0, 0x0101_0000),
        blocks: &[
            (1, 600, 0x0101_0000),
            (2, 1_200, 0x0101_0000),
            (3, 1_800, 0x0101_0000),
            (4, 2_400, 0x0101_0000),
            (5, 3_000, 0x0101_0000),
            (6, 3_600, 0x0101_0000),
            (7, 4_200, 0x0101_0000),
            (8, 4_800, 0x0101_0000),
            (9, 5_400, 0x0101_0000),
            (10, 6_000, 0x0101_0000),
        ],
    },
    Run {
        name: "from min halflife jumps doubling target",
        anchor: (1, 0, 0x0101_0000),
        blocks: &[
            (1, 173_400, 0x0102_0000),
            (21, 3_641_400, 0x0320_0000),
            (42, 7_282_800, 0x0604_0000),
            (62, 10_750_800, 0x0840_0000),
            (82, 14_218_800, 0x0b04_0000),
            (103, 17_860_200, 0x0e00_8000),
            (123, 21_328_200, 0x1008_0000),
            (144, 24_969_600, 0x1301_0000),
            (164, 28_437_600, 0x1510_0000),
            (184, 31_905_600, 0x1801_0000),
            (205, 35_547_000, 0x1a20_0000),
            (225, 39_015_000, 0x1d00_ffff),
        ],
    },
    Run {
        name: "from pow limit series halflife block jumps w time inc target halving",
        anchor: (1, 0, 0x1d00_ffff),
        blocks: &[
            (2, 0, 0x1d00_fec5),
            (5_762, 0, 0x1a0f_ec58),
            (11_810, 0, 0x177f_62c0),
            (17_570, 0, 0x1507_f62c),
            (23_330, 0, 0x127f_62c0),
            (29_378, 0, 0x1003_fb16),
            (35_138, 0, 0x0d3f_b160),
            (41_186, 0, 0x0b01_fd8b),
            (46_946, 0, 0x081f_d8b0),
            (52_706, 0, 0x0601_fd8b),
            (58_754, 0, 0x030f_ec58),
            (64_514, 0, 0x0101_0000),
        ],
    },
    Run {
        name: "random solvetimes stable hashrate",
        anchor: (1, 0, 0x1802_aee8),
        blocks: &[
            (1, 600, 0x1802_aee8),
            (92, 54_443, 0x1802_acd4),
            (183, 108_767, 0x1802_ac14),
            (273, 170_933, 0x1802_c2e4),
            (364, 225_364, 0x1802_c269),
            (455, 272_531, 0x1802_ada0),
            (546, 330_621, 0x1802_b74d),
            (637, 386_131, 0x1802_b9d9),
            (728, 447_085, 0x1802_cbe5),
            (818, 489_059, 0x1802_aa24),
            (909, 533_868, 0x1802_8feb),
            (1_000, 589_138, 0x1802_91ad),
        ],
    },
    Run {
        name: "random solvetimes for up ramp hashrate",
        anchor: (1, 0, 0x1802_aee8),
        blocks: &[
            (1, 600, 0x1802_aee8),
            (92, 18_959, 0x1802_5206),
            (183, 22_935, 0x1801_e4c5),
            (273, 25_644, 0x1801_8aaf),
            (364, 27_314, 0x1801_3f32),
            (455, 28_415, 0x1801_0182),
            (546, 29_518, 0x1800_cfc9),
            (637, 30_420, 0x1800_a788),
            (728, 31_262, 0x1800_8707),
            (818, 31_759, 0x176c_f177),
            (909, 32_234, 0x1757_b0e3),
            (1_000, 32_765, 0x1746_9789),
        ],
    },
    Run {
        name: "random solvetimes for down ramping hashrate",
        anchor: (1, 0, 0x1802_aee8),
        blocks: &[
            (1, 600, 0x1802_aee8),
            (46, 93_316, 0x1803_7e07),
            (92, 251_736, 0x1805_e733),
            (137, 594_317, 0x1814_eec8),
            (182, 1_017_205, 0x1866_7131),
            (228, 1_743_055, 0x1906_9607),
            (273, 2_442_682, 0x1961_d1e4),
            (319, 3_421_132, 0x1a11_5289),
            (364, 4_182_302, 0x1b01_4950),
            (409, 5_035_033, 0x1b23_4e1d),
            (455, 6_136_663, 0x1c0a_3f96),
            (500, 7_462_333, 0x1d00_ffff),
        ],
    },
    Run {
        name: "sequence 300s blocks across s32bit max integer height",
        anchor: (2_147_483_642, 1_234_567_290, 0x1802_aee8),
        blocks: &[
            (2_147_483_643, 1_234_568_190, 0x1802_ae16),
            (2_147_483_644, 1_234_568_490, 0x1802_ad44),
            (2_147_483_645, 1_234_568_790, 0x1802_ac71),
            (2_147_483_646, 1_234_569_090, 0x1802_ab9e),
            (2_147_483_647, 1_234_569_390, 0x1802_aacd),
            (2_147_483_648, 1_234_569_690, 0x1802_a9fa),
            (2_147_483_649, 1_234_569_990, 0x1802_a929),
            (2_147_483_650, 1_234_570_290, 0x1802_a858),
            (2_147_483_651, 1_234_570_590, 0x1802_a787),
            (2_147_483_652, 1_234_570_890, 0x1802_a6b7),
        ],
    },
    Run {
        name: "sequence 900s blocks across s64bit max integer height and s32bit max integer time",
        anchor: (9_223_372_036_854_775_802, 2_147_483_047, 0x1802_aee8),
        blocks: &[
            (9_223_372_036_854_775_803, 2_147_484_547, 0x1802_afbb),
            (9_223_372_036_854_775_804, 2_147_485_447, 0x1802_b08f),
            (9_223_372_036_854_775_805, 2_147_486_347, 0x1802_b166),
            (9_223_372_036_854_775_806, 2_147_487_247, 0x1802_b23a),
            (9_223_372_036_854_775_807, 2_147_488_147, 0x1802_b30e),
            (9_223_372_036_854_775_808, 2_147_489_047, 0x1802_b3e5),
            (9_223_372_036_854_775_809, 2_147_489_947, 0x1802_b4bb),
            (9_223_372_036_854_775_810, 2_147_490_847, 0x1802_b592),
            (9_223_372_036_854_775_811, 2_147_491_747, 0x1802_b669),
            (9_223_372_036_854_775_812, 2_147_492_647, 0x1802_b73d),
        ],
    },
];

/// The bits that ASERT gives behind a block of a run.
fn asert_bits(anchor: (u64, i64, u32), height: u64, time: i64) -> u32 {
    let asert = Asert { interval: 600, half_life: 172_800, limit: limit() };
    let (anchor_height, anchor_time, anchor_bits) = anchor;
    let height_delta = height.wrapping_sub(anchor_height).cast_signed();
    pow::bits(asert.next_target(pow::target(anchor_bits).unwrap(), time - anchor_time, height_delta))
}

// HDR-3
#[test]
fn asert_gives_the_published_bits() {
    for run in ASERT {
        for (height, time, bits) in run.blocks {
            assert_eq!(asert_bits(run.anchor, *height, *time), *bits, "{} at {height}", run.name);
        }
    }
    assert_eq!(ASERT.iter().map(|run| run.blocks.len()).sum::<usize>(), 110);
}

// HDR-3
#[test]
fn asert_gives_all_published_bits() {
    let Some(bytes) = cairn_vectors::read("asert.json") else { return };
    let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let bits = |value: &serde_json::Value| u32::from_str_radix(value.as_str().unwrap(), 16).unwrap();
    let mut rows = 0;
    for run in json["runs"].as_array().unwrap() {
        let [height, time] = ["anchor_height", "anchor_parent_time"].map(|name| &run[name]);
        let anchor = (height.as_u64().unwrap(), time.as_i64().unwrap(), bits(&run["anchor_bits"]));
        for row in run["blocks"].as_array().unwrap() {
            let got = asert_bits(anchor, row[0].as_u64().unwrap(), row[1].as_i64().unwrap());
            assert_eq!(got, bits(&row[2]), "{} at {}", run["name"], row[0]);
            rows += 1;
        }
    }
    assert_eq!(rows, 3_000);
}
