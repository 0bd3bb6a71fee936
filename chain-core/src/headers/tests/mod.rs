mod finality;
mod model;

use std::collections::HashMap;

use alloy_primitives::U256;

use super::*;
use crate::{block::header::Header, error::RuleError, hash::BlockHash, spec::ChainSpec, work::pow};

const NOW: u64 = 2_000_000_000;

/// Grows a tree by named blocks: `fork.mine("b2", "a1")` mines b2 on a1.
struct Forks {
    spec: ChainSpec,
    tree: HeaderTree,
    names: HashMap<&'static str, BlockHash>,
    mined: u32,
}

impl Forks {
    fn new(spec: ChainSpec) -> Self {
        let genesis = Header {
            version: 1,
            prev: BlockHash::default(),
            merkle_root: [0; 32],
            time: 1_000,
            bits: spec.genesis_bits,
            nonce: 0,
        };
        let tree = HeaderTree::new(&spec, &genesis);
        let names = HashMap::from([("genesis", genesis.hash())]);
        Self { spec, tree, names, mined: 0 }
    }

    fn dev() -> Self {
        Self::new(ChainSpec::dev())
    }

    /// A header on a block that keeps all rules but, perhaps, HDR-2. No two are equal.
    fn unmined(&mut self, parent: &BlockHash) -> Header {
        self.mined += 1;
        let mut merkle_root = [0; 32];
        merkle_root[..4].copy_from_slice(&self.mined.to_le_bytes());
        let (bits, time) = (self.tree.next_bits(parent).unwrap(), self.tree.get(parent).unwrap().header.time + 1);
        Header { version: 1, prev: *parent, merkle_root, time, bits, nonce: 0 }
    }

    /// Mines a chain of blocks this many seconds apart and stores them; returns its tip.
    fn store_apart(&mut self, blocks: usize, seconds: u32) -> BlockHash {
        let mut tip = self.hash("genesis");
        for _ in 0..blocks {
            let header = self.unmined(&tip);
            let header = solve(Header { time: header.time - 1 + seconds, ..header });
            tip = self.tree.insert(&header, NOW).unwrap().hash;
            self.tree.mark_body(&tip);
        }
        tip
    }

    fn extend(&mut self, parent: &BlockHash) -> BlockHash {
        let header = solve(self.unmined(parent));
        self.tree.insert(&header, NOW).unwrap().hash
    }

    fn mine(&mut self, name: &'static str, parent: &'static str) -> BlockHash {
        let hash = self.extend(&self.names[parent].clone());
        self.names.insert(name, hash);
        hash
    }

    /// Mines a chain and marks its bodies stored.
    fn store(&mut self, names: &[&'static str], mut parent: &'static str) {
        for name in names {
            let hash = self.mine(name, parent);
            self.tree.mark_body(&hash);
            parent = name;
        }
    }

    fn hash(&self, name: &str) -> BlockHash {
        self.names[name]
    }

    fn hashes(&self, names: &[&str]) -> Vec<BlockHash> {
        names.iter().map(|name| self.hash(name)).collect()
    }

    fn candidate(&self) -> &'static str {
        self.name(&self.tree.candidate())
    }

    fn best(&self) -> &'static str {
        self.name(&self.tree.best_header())
    }

    fn name(&self, hash: &BlockHash) -> &'static str {
        self.names.iter().find(|(_, known)| *known == hash).map(|(name, _)| *name).unwrap()
    }
}

/// Finds a nonce.
fn solve(mut header: Header) -> Header {
    let target = pow::target(header.bits).unwrap();
    while U256::from_le_bytes(header.hash().0) > target {
        header.nonce += 1;
    }
    header
}

/// Finds a nonce that does *not* fit.
fn spoil(mut header: Header) -> Header {
    let target = pow::target(header.bits).unwrap();
    while U256::from_le_bytes(header.hash().0) <= target {
        header.nonce += 1;
    }
    header
}

fn rule(error: RuleError) -> Result<Inserted, HeaderError> {
    Err(HeaderError::Rule(error))
}

#[test]
fn takes_a_header_once() {
    let mut forks = Forks::dev();
    let header = solve(forks.unmined(&forks.hash("genesis")));
    let hash = header.hash();
    assert_eq!(forks.tree.insert(&header, NOW), Ok(Inserted { hash, height: 1, best: true }));
    assert_eq!(forks.tree.insert(&header, NOW), Err(HeaderError::Duplicate(hash)));
    let info = forks.tree.get(&hash).unwrap();
    assert_eq!((info.header, info.height, info.status), (header, 1, Status::HeaderOnly));
    assert_eq!(info.work, U256::from(4));
    assert_eq!(forks.tree.len(), 2);
}

#[test]
fn refuses_a_header_without_its_parent() {
    let mut forks = Forks::dev();
    let mut header = forks.unmined(&forks.hash("genesis"));
    header.prev = BlockHash([7; 32]);
    assert_eq!(forks.tree.insert(&solve(header), NOW), Err(HeaderError::UnknownParent(BlockHash([7; 32]))));
}

// HDR-1
#[test]
fn refuses_bits_above_the_limit() {
    let mut forks =
        Forks::new(ChainSpec { pow_limit_bits: 0x2070_0000, genesis_bits: 0x2070_0000, ..ChainSpec::dev() });
    let mut header = forks.unmined(&forks.hash("genesis"));
    header.bits = 0x2070_0001;
    let above = RuleError::BitsAboveLimit { got: 0x2070_0001, limit: 0x2070_0000 };
    assert_eq!(forks.tree.insert(&solve(header), NOW), rule(above));
    header.bits = 0x2070_0000;
    assert!(forks.tree.insert(&solve(header), NOW).is_ok());
}

// HDR-2
#[test]
fn refuses_a_hash_above_the_target() {
    let mut forks = Forks::dev();
    let header = spoil(forks.unmined(&forks.hash("genesis")));
    let above = RuleError::HashAboveTarget { hash: header.hash(), bits: header.bits };
    assert_eq!(forks.tree.insert(&header, NOW), rule(above));
    assert_eq!(forks.tree.len(), 1);
}

// HDR-3
#[test]
fn refuses_bits_one_off_the_rule() {
    let mut forks = Forks::dev();
    let header = forks.unmined(&forks.hash("genesis"));
    let harder = Header { bits: header.bits - 1, ..header };
    let wrong = RuleError::WrongBits { got: harder.bits, expected: header.bits };
    assert_eq!(forks.tree.insert(&solve(harder), NOW), rule(wrong));
    assert!(forks.tree.insert(&solve(header), NOW).is_ok());
}

// HDR-3
#[test]
fn difficulty_starts_with_block_1_however_late_it_comes() {
    let spec = ChainSpec { target_interval: 30, half_life: 2, genesis_bits: 0x2000_ffff, ..ChainSpec::dev() };
    let mut forks = Forks::new(spec);
    let mut first = forks.unmined(&forks.hash("genesis"));
    first.time += 100_000_000;
    let first = solve(first);
    forks.tree.insert(&first, NOW).unwrap();
    assert_eq!(first.bits, 0x2000_ffff);
    assert_eq!(forks.tree.next_bits(&first.hash()), Some(0x2000_ffff));
    // Two intervals early at height 3 is one half-life: half the target.
    let [second, third] = [0, 1].map(|_| {
        let parent = forks.tree.best_header();
        let header = solve(Header { time: first.time, ..forks.unmined(&parent) });
        forks.tree.insert(&header, NOW).unwrap().hash
    });
    assert!(forks.tree.next_bits(&second) < Some(0x2000_ffff));
    assert_eq!(forks.tree.next_bits(&third), Some(0x1f7f_ff80));
}

// HDR-4
#[test]
fn refuses_a_time_one_second_before_the_parent_and_takes_the_same_second() {
    let mut forks = Forks::dev();
    let parent = forks.mine("a1", "genesis");
    let time = forks.tree.get(&parent).unwrap().header.time;
    let mut header = forks.unmined(&parent);
    header.time = time - 1;
    let before = RuleError::TimeBeforeParent { got: time - 1, parent: time };
    assert_eq!(forks.tree.insert(&solve(header), NOW), rule(before));
    header.time = time;
    assert!(forks.tree.insert(&solve(header), NOW).is_ok());
}

// HDR-5
#[test]
fn holds_a_header_of_the_future_and_takes_it_later() {
    let mut forks = Forks::new(ChainSpec { max_future: 120, ..ChainSpec::dev() });
    let mut header = forks.unmined(&forks.hash("genesis"));
    header.time = 5_000;
    let header = solve(header);
    let early = HeaderError::TooFarInFuture { got: 5_000, limit: 4_999 };
    assert_eq!(forks.tree.insert(&header, 4_879), Err(early));
    assert_eq!(forks.tree.len(), 1);
    assert!(forks.tree.insert(&header, 4_880).is_ok());
}

// HDR-6
#[test]
fn follows_the_most_work_and_the_first_seen_among_equals() {
    // genesis -- a1 -- a2
    //        \-- b1 -- b2 -- b3
    let mut forks = Forks::dev();
    forks.store(&["a1", "a2"], "genesis");
    forks.store(&["b1", "b2"], "genesis");
    assert_eq!((forks.candidate(), forks.best()), ("a2", "a2"));
    forks.store(&["b3"], "b2");
    assert_eq!((forks.candidate(), forks.best()), ("b3", "b3"));
}

// HDR-6
#[test]
fn waits_for_every_body_of_a_branch() {
    // genesis -- a1 -- a2
    //        \-- b1 -- b2 -- b3 (b1's body comes last)
    let mut forks = Forks::dev();
    forks.store(&["a1", "a2"], "genesis");
    forks.mine("b1", "genesis");
    forks.store(&["b2", "b3"], "b1");
    assert_eq!((forks.candidate(), forks.best()), ("a2", "b3"));
    forks.tree.mark_body(&forks.hash("b1"));
    assert_eq!(forks.candidate(), "b3");
}

// HDR-6
#[test]
fn falls_back_when_a_block_turns_out_invalid() {
    // genesis -- a1 -- a2
    //        \-- b1 -- b2 -- b3 (b2 is invalid)
    //              \-- c2
    let mut forks = Forks::dev();
    forks.store(&["a1", "a2"], "genesis");
    forks.store(&["b1", "b2", "b3"], "genesis");
    forks.store(&["c2"], "b1");
    assert_eq!(forks.candidate(), "b3");
    let fallen = forks.tree.mark_invalid(&forks.hash("b2"));
    assert_eq!(fallen, forks.hashes(&["b2", "b3"]));
    assert_eq!((forks.candidate(), forks.best()), ("a2", "a2"));
    assert_eq!(forks.tree.get(&forks.hash("b3")).unwrap().status, Status::Invalid);
    let child = solve(Header { prev: forks.hash("b3"), ..forks.unmined(&forks.hash("a2")) });
    assert_eq!(forks.tree.insert(&child, NOW), Err(HeaderError::InvalidParent(forks.hash("b3"))));
    forks.store(&["c3"], "c2");
    assert_eq!(forks.candidate(), "c3");
}

// HDR-6
#[test]
fn the_preferred_tip_wins_ties_after_loading() {
    let mut forks = Forks::dev();
    forks.store(&["a1"], "genesis");
    forks.store(&["b1"], "genesis");
    assert_eq!(forks.candidate(), "a1");
    forks.tree.prefer(&forks.hash("b1"));
    assert_eq!(forks.candidate(), "b1");
    forks.tree.prefer(&forks.hash("genesis"));
    assert_eq!(forks.candidate(), "b1");
}

// FEE-1
#[test]
fn the_base_fee_follows_once_a_block_is_executed() {
    let mut forks = Forks::new(ChainSpec { initial_base_fee: 8_000_000_000, ..ChainSpec::dev() });
    let genesis = forks.hash("genesis");
    let hash = forks.mine("a1", "genesis");
    assert_eq!(forks.tree.next_base_fee(&genesis), Some(8_000_000_000));
    assert_eq!(forks.tree.next_base_fee(&hash), None);
    let gas_used = forks.spec.gas_limit;
    forks.tree.mark_valid(&hash, Executed { base_fee: 8_000_000_000, gas_used });
    assert_eq!(forks.tree.next_base_fee(&hash), Some(9_000_000_000));
    assert_eq!(forks.tree.get(&hash).unwrap().status, Status::Valid);
    assert_eq!(forks.candidate(), "a1");
}

#[test]
fn a_reorg_of_4000_blocks_has_its_path() {
    // genesis -- a1 -- ... -- a4000
    //        \-- b1 -- ... -- b4001
    let mut forks = Forks::dev();
    let genesis = forks.hash("genesis");
    let mut branch = |length| {
        let mut parent = genesis;
        let mut hashes = Vec::new();
        for _ in 0..length {
            parent = forks.extend(&parent);
            forks.tree.mark_body(&parent);
            hashes.push(parent);
        }
        hashes
    };
    let (mut old, new) = (branch(4_000), branch(4_001));
    assert_eq!(forks.tree.candidate(), new[4_000]);
    let path = forks.tree.path(&old[3_999], &new[4_000]).unwrap();
    assert_eq!(forks.tree.fork_point(&old[3_999], &new[4_000]), Some(genesis));
    old.reverse();
    assert_eq!(path, Path { disconnect: old, connect: new });
}

#[test]
fn paths_and_fork_points_of_small_trees() {
    // genesis -- a1 -- a2 -- a3
    //              \-- b2
    let mut forks = Forks::dev();
    forks.store(&["a1", "a2", "a3"], "genesis");
    forks.store(&["b2"], "a1");
    let path = |from: &str, to: &str| forks.tree.path(&forks.hash(from), &forks.hash(to)).unwrap();
    let way = |down: &[&str], up: &[&str]| Path { disconnect: forks.hashes(down), connect: forks.hashes(up) };
    assert_eq!(path("b2", "a3"), way(&["b2"], &["a2", "a3"]));
    assert_eq!(path("a3", "b2"), way(&["a3", "a2"], &["b2"]));
    assert_eq!(path("a1", "a3"), way(&[], &["a2", "a3"]));
    assert_eq!(path("a3", "a3"), way(&[], &[]));
    assert_eq!(forks.tree.fork_point(&forks.hash("b2"), &forks.hash("a3")), Some(forks.hash("a1")));
    assert!(forks.tree.is_ancestor(&forks.hash("a1"), &forks.hash("b2")));
    assert!(!forks.tree.is_ancestor(&forks.hash("a2"), &forks.hash("b2")));
    assert_eq!(forks.tree.path(&forks.hash("a1"), &BlockHash([7; 32])), None);
    let mut tips = forks.tree.tips();
    tips.sort();
    let mut expected = forks.hashes(&["a3", "b2"]);
    expected.sort();
    assert_eq!(tips, expected);
}

/// A tree of this many headers in one chain, none of them mined.
fn chain(length: u32) -> (ChainSpec, Vec<StoredHeader>) {
    let spec = ChainSpec::dev();
    let mut prev = BlockHash::default();
    let headers = (0..length).map(|height| {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&u64::from(height).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        let header =
            Header { version: 1, prev, merkle_root: [0; 32], time: height, bits: spec.genesis_bits, nonce: height };
        prev = if height == 0 { header.hash() } else { BlockHash(hash) };
        let executed = Some(Executed { base_fee: 1, gas_used: 2 });
        StoredHeader { header, hash: prev, status: Status::Valid, executed }
    });
    let headers = headers.collect();
    (spec, headers)
}

#[test]
fn finds_every_ancestor() {
    let (spec, headers) = chain(2_000);
    let tree = HeaderTree::load(&spec, headers.iter().copied()).unwrap();
    for from in (0..2_000).step_by(37) {
        for to in 0..=from {
            assert_eq!(tree.ancestor(&headers[from].hash, to as u32), Some(headers[to].hash));
        }
        assert_eq!(tree.ancestor(&headers[from].hash, from as u32 + 1), None);
    }
}

#[test]
fn a_locator_is_dense_then_sparse_and_finds_the_fork() {
    let (spec, headers) = chain(1_000);
    let mut tree = HeaderTree::load(&spec, headers.iter().copied()).unwrap();
    let locator = tree.locator(&headers[999].hash);
    let heights: Vec<_> = locator.iter().map(|hash| tree.get(hash).unwrap().height).collect();
    let expected = [999, 998, 997, 996, 995, 994, 993, 992, 991, 990, 988, 984, 976, 960, 928, 864, 736, 480, 0];
    assert_eq!(heights, expected);
    assert_eq!(tree.find_fork(&locator, &headers[900].hash), headers[864].hash);
    assert_eq!(tree.find_fork(&[BlockHash([7; 32])], &headers[900].hash), headers[0].hash);
    let after = tree.headers_after(&headers[864].hash, &headers[900].hash, 20);
    assert_eq!(after, headers[865..885].iter().map(|stored| stored.header).collect::<Vec<_>>());
    assert_eq!(tree.headers_after(&headers[864].hash, &headers[866].hash, 20).len(), 2);
    assert_eq!(tree.headers_after(&headers[900].hash, &headers[866].hash, 20), []);
    assert_eq!(tree.locator(&headers[0].hash), [headers[0].hash]);
    tree.mark_invalid(&headers[500].hash);
    assert_eq!((tree.candidate(), tree.best_header()), (headers[499].hash, headers[499].hash));
}

#[test]
fn loading_restores_what_was_known() {
    let (spec, mut headers) = chain(10);
    headers[7] = StoredHeader { status: Status::BodyStored, executed: None, ..headers[7] };
    headers[8] = StoredHeader { status: Status::Invalid, executed: None, ..headers[8] };
    headers[9] = StoredHeader { status: Status::HeaderOnly, executed: None, ..headers[9] };
    let tree = HeaderTree::load(&spec, headers.iter().copied()).unwrap();
    assert_eq!((tree.candidate(), tree.best_header()), (headers[7].hash, headers[7].hash));
    for stored in &headers[1..9] {
        let info = tree.get(&stored.hash).unwrap();
        let seen = StoredHeader { header: info.header, hash: info.hash, status: info.status, executed: info.executed };
        assert_eq!(seen, *stored);
    }
    assert_eq!(tree.get(&headers[9].hash).unwrap().status, Status::Invalid);
}

#[test]
fn loading_refuses_what_is_no_tree() {
    let (spec, headers) = chain(4);
    let load =
        |positions: &[usize]| HeaderTree::load(&spec, positions.iter().map(|at| headers[*at])).map(|tree| tree.len());
    assert_eq!(load(&[0, 1, 2, 3]), Ok(4));
    assert_eq!(load(&[]), Err(LoadError::Empty));
    assert_eq!(load(&[0, 1, 1]), Err(LoadError::Duplicate(headers[1].hash)));
    let orphan = LoadError::UnknownParent { hash: headers[3].hash, parent: headers[2].hash };
    assert_eq!(load(&[0, 1, 3]), Err(orphan));
    let mut bad = headers.clone();
    bad[1].header.bits = 0;
    assert_eq!(HeaderTree::load(&spec, bad).map(|tree| tree.len()), Err(LoadError::BadBits(headers[1].hash)));
}

// HDR-2, HDR-3, HDR-4
#[test]
fn a_chain_is_checked_without_storing_it() {
    let mut forks = Forks::dev();
    let genesis = forks.tree.context(&forks.hash("genesis")).unwrap();
    let first = solve(forks.unmined(&genesis.hash));
    let after = genesis.child(&forks.spec, &first, NOW).unwrap();
    assert_eq!(forks.tree.len(), 1);
    forks.tree.insert(&first, NOW).unwrap();
    assert_eq!(forks.tree.context(&first.hash()), Some(after.clone()));
    let skipped = HeaderError::UnknownParent(first.hash());
    let second = solve(forks.unmined(&first.hash()));
    assert_eq!(genesis.child(&forks.spec, &second, NOW), Err(skipped));
    assert_eq!(after.child(&forks.spec, &second, NOW).unwrap().height, 2);
}

// HDR-6
//
//     genesis -- 7 blocks, each harder than the one before
//            \-- 16 blocks of the least work
#[test]
fn a_short_chain_of_more_work_beats_a_long_one() {
    let spec = ChainSpec { half_life: 2, target_interval: 30, ..ChainSpec::dev() };
    for heavy_first in [true, false] {
        let mut forks = Forks::new(spec.clone());
        let chains = [(7, 1), (15, 30)];
        let tips = match heavy_first {
            true => chains.map(|(blocks, seconds)| forks.store_apart(blocks, seconds)),
            false => {
                let light = forks.store_apart(chains[1].0, chains[1].1);
                [forks.store_apart(chains[0].0, chains[0].1), light]
            }
        };
        let [heavy, light] = tips.map(|tip| forks.tree.get(&tip).unwrap());
        assert!(heavy.height < light.height && heavy.work > light.work, "{heavy:?} {light:?}");
        assert_eq!((forks.tree.candidate(), forks.tree.best_header()), (tips[0], tips[0]));
    }
}
