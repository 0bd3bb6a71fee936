//! The work of a search: a header, and what may be changed in it besides the nonce.

use std::{ops::Range, sync::Arc};

use chain_core::{
    U256,
    block::{Block, header::Header, merkle},
    hash::sha256d,
    transaction::Transaction,
    units::Height,
};

use crate::kernel::MAX_VERSIONS;

/// Bits of the version that are free for miners: 5 to 28, of which BIP 320 names 13 to 28.
pub const VERSION_MASK: u32 = 0x1fff_ffe0;

/// Solutions of a block's work that are worth a report: the first is the block, more only if it is refused.
pub const MAX_SOLUTIONS: u32 = 16;

/// Number of nonces in a slice, the unit of work of a thread: with 64 versions each, minutes of a fast core.
const SLICE: u64 = 1 << 28;

/// Slices of one header's 2^32 nonces.
const SLICES: u64 = (1 << 32) / SLICE;

/// A block to find. Its variants are the headers that differ in the rolled fields: version bits first, since they are
/// cheapest, in groups that a kernel searches at once, then the extranonce, then the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The caller's id.
    pub id: String,
    /// Height of the block, for display.
    pub height: Height,
    /// The header. Its nonce does not matter.
    pub header: Header,
    /// The largest hash that wins.
    pub target: U256,
    /// The coinbase, a Bitcoin transaction.
    pub coinbase: Vec<u8>,
    /// Which bytes of the coinbase are free; at most 8.
    pub extranonce: Range<usize>,
    /// Merkle branch of the coinbase.
    pub merkle_branch: Vec<[u8; 32]>,
    /// Which bits of the version are free.
    pub version_mask: u32,
    /// Maximum number of seconds to roll the header's time forward.
    pub time_slack: u32,
    /// The search ends after this many solutions: at a trivial difficulty there are millions a second.
    pub max_solutions: u32,
}

/// A winning header and its coinbase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solution {
    /// The work.
    pub work: Arc<Work>,
    /// The header.
    pub header: Header,
    /// The encoded coinbase.
    pub coinbase: Vec<u8>,
}

/// One part of the search that a thread does alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The header, its version and nonce not set.
    pub header: Header,
    /// The versions to try.
    pub versions: Vec<i32>,
    /// The encoded coinbase.
    pub coinbase: Vec<u8>,
    /// The nonces to try.
    pub nonces: Range<u64>,
}

impl Work {
    /// The work for a block that lacks only its proof of work. The last `extranonce_size` bytes of the `extra` of its
    /// coinbase are free.
    ///
    /// # Panics
    /// If the block has no transactions.
    pub fn of_block(id: String, block: &Block, target: U256, extranonce_size: usize) -> Self {
        let leaves: Vec<_> = block.transactions.iter().map(merkle::leaf).collect();
        let (height, extranonce) = match &block.transactions[0] {
            Transaction::Coinbase(coinbase) => (coinbase.height, coinbase.extranonce(extranonce_size)),
            _ => (0, None),
        };
        Self {
            id,
            height,
            header: block.header,
            target,
            coinbase: block.transactions[0].leaf_bytes(),
            extranonce: extranonce.unwrap_or_default(),
            merkle_branch: merkle::branch(&leaves, 0),
            version_mask: VERSION_MASK,
            time_slack: 0,
            max_solutions: MAX_SOLUTIONS,
        }
    }

    /// The part with a number. Parts do not overlap, and together they cover the whole search; `None` after the last.
    pub(crate) fn part(&self, number: u64) -> Option<Part> {
        let (header, versions, coinbase) = self.variants(u128::from(number / SLICES))?;
        let start = number % SLICES * SLICE;
        Some(Part { header, versions, coinbase, nonces: start..start + SLICE })
    }

    /// The headers of a group with a number, which differ in their versions, and their coinbase.
    fn variants(&self, number: u128) -> Option<(Header, Vec<i32>, Vec<u8>)> {
        let free = self.version_mask.count_ones();
        // Both are powers of two, so that groups are full.
        let size = 1 << free.min(MAX_VERSIONS.ilog2());
        let groups = (1_u128 << free) / u128::from(size);
        let extranonces = 1_u128 << (8 * self.extranonce.len().min(8));
        let group = u32::try_from(number % groups).ok()?;
        let extranonce = number / groups % extranonces;
        let later = u32::try_from(number / groups / extranonces).ok().filter(|later| *later <= self.time_slack)?;

        let version = |index| self.header.version ^ deposit(group * size + index, self.version_mask).cast_signed();
        let mut header = self.header;
        header.time = header.time.checked_add(later)?;
        let mut coinbase = self.coinbase.clone();
        if !self.extranonce.is_empty() {
            let free = coinbase.get_mut(self.extranonce.clone())?;
            for (byte, new) in free.iter_mut().zip(extranonce.to_le_bytes()) {
                *byte = new;
            }
            header.merkle_root = self.merkle_root(&coinbase);
        }
        Some((header, (0..size).map(version).collect(), coinbase))
    }

    /// The merkle root with this coinbase.
    pub(crate) fn merkle_root(&self, coinbase: &[u8]) -> [u8; 32] {
        self.merkle_branch.iter().fold(sha256d(coinbase), |root, sibling| sha256d(&[root, *sibling].concat()))
    }
}

/// The difficulty of a target or a hash as pools count it: 1 is that of Bitcoin's first block.
pub(crate) fn difficulty(target: U256) -> f64 {
    f64::from(U256::from(0xffff_u32) << 208) / f64::from(target.max(U256::ONE))
}

/// Spreads the low bits of a number over the bits that are set in a mask.
fn deposit(mut number: u32, mut mask: u32) -> u32 {
    let mut spread = 0;
    while mask != 0 {
        let lowest = mask & mask.wrapping_neg();
        if number & 1 == 1 {
            spread |= lowest;
        }
        number >>= 1;
        mask ^= lowest;
    }
    spread
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use chain_core::{hash::BlockHash, spec::ChainSpec};

    use super::*;

    fn work(version_mask: u32, extranonce_size: usize, time_slack: u32) -> Work {
        let header = Header {
            version: 0x2000_0000,
            prev: BlockHash([1; 32]),
            merkle_root: [2; 32],
            time: 1_000,
            bits: 0x207f_ffff,
            nonce: 0,
        };
        Work {
            id: "1".into(),
            height: 0,
            header,
            target: U256::ZERO,
            coinbase: vec![0; 100],
            extranonce: 90 - extranonce_size..90,
            merkle_branch: vec![[3; 32], [4; 32]],
            version_mask,
            time_slack,
            max_solutions: 1,
        }
    }

    #[test]
    fn parts_cover_each_header_once_without_overlap() {
        let work = work(0, 0, 0);
        let mut next = 0;
        for number in 0..SLICES {
            let part = work.part(number).unwrap();
            assert_eq!(part.nonces.start, next);
            assert_eq!(part.header, work.header);
            next = part.nonces.end;
        }
        assert_eq!(next, 1 << 32);
        assert_eq!(work.part(SLICES), None);
    }

    #[test]
    fn rolls_version_bits_then_the_extranonce_then_the_time() {
        let work = work(0xff << 5, 1, 2);
        // Four groups of 64 versions.
        let all: Vec<_> = (0..4 * 256 * 3).map(|number| work.variants(number).unwrap()).collect();
        assert_eq!(work.variants(4 * 256 * 3), None);
        let headers = all.iter().flat_map(|(header, versions, _)| versions.iter().map(|&version| (version, *header)));
        let distinct: HashSet<_> = headers.map(|(version, header)| Header { version, ..header }.to_bytes()).collect();
        assert_eq!(distinct.len(), 256 * 256 * 3);
        let first = |at: usize| all[at].1[0];
        assert_eq!([0, 1, 2, 3, 4].map(first).map(|version| version & !0x2000_0000), [0, 0x800, 0x1000, 0x1800, 0]);
        assert_eq!(all[0].1[..3], [0x2000_0000, 0x2000_0020, 0x2000_0040]);
        assert_eq!([0, 3, 4, 1023].map(|at: usize| all[at].2[89]), [0, 0, 1, 255]);
        assert_eq!([1023, 1024, 2048].map(|at: usize| all[at].0.time), [1_000, 1_001, 1_002]);
        let outside = |version: &i32| version & !(0xff << 5);
        assert!(all.iter().flat_map(|(_, versions, _)| versions).all(|version| outside(version) == 0x2000_0000));
    }

    #[test]
    fn rolls_no_bit_outside_the_mask() {
        let versions = |mask| work(mask, 0, 0).part(0).unwrap().versions;
        assert_eq!(versions(0), [0x2000_0000]);
        assert_eq!(versions(1 << 28 | 1 << 5), [0, 0x20, 0x1000_0000, 0x1000_0020].map(|bits| 0x2000_0000 | bits));
    }

    #[test]
    fn the_merkle_root_follows_the_extranonce() {
        let work = work(0, 2, 0);
        let (header, _, coinbase) = work.variants(0x0103).unwrap();
        assert_eq!(coinbase[88..90], [0x03, 0x01]);
        let mut root = sha256d(&coinbase);
        for sibling in [[3; 32], [4; 32]] {
            root = sha256d(&[root, sibling].concat());
        }
        assert_eq!(header.merkle_root, root);
    }

    #[test]
    fn a_coinbase_shorter_than_its_extranonce_gives_no_work() {
        let work = Work { coinbase: vec![0; 7], ..work(0, 8, 0) };
        assert_eq!(work.part(0), None);
    }

    #[test]
    fn takes_work_from_a_block() {
        let (block, _) = ChainSpec::dev().genesis_block();
        let work = Work::of_block("7".into(), &block, U256::MAX, 0);
        let part = work.part(0).unwrap();
        assert_eq!(part.header, block.header);
        assert_eq!(part.coinbase, block.transactions[0].leaf_bytes());
        let rolled = Work { extranonce: 60..64, version_mask: 0, ..work }.part(SLICES).unwrap();
        assert_eq!(rolled.header.merkle_root, sha256d(&rolled.coinbase));
        assert_ne!(rolled.header.merkle_root, block.header.merkle_root);
    }

    #[test]
    fn deposits_bits_into_a_mask() {
        assert_eq!(deposit(0b101, 0b1_0010_0100), 0b1_0000_0100);
        assert_eq!(deposit(u32::MAX, VERSION_MASK), VERSION_MASK);
        assert_eq!(deposit(0, VERSION_MASK), 0);
    }
}
