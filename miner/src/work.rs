//! What is searched: a header, and what of it may be changed beside the nonce.

use std::{ops::Range, sync::Arc};

use chain_core::{U256, block::Block, hash::sha256d, header::Header, merkle};

/// Bits of the version that are free for miners (BIP 320): 5 to 28.
pub const VERSION_MASK: u32 = 0x1fff_ffe0;

/// Nonces of one slice: what a thread takes at once.
const SLICE: u64 = 1 << 28;

/// Slices of one header's 2^32 nonces.
const SLICES: u64 = (1 << 32) / SLICE;

/// A block to find. Its variants are the headers that differ in what may be rolled: version bits first, since they are
/// cheapest, then the extranonce, then the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The caller's name for it.
    pub id: String,
    /// The header. Its nonce does not matter.
    pub header: Header,
    /// The largest hash that wins.
    pub target: U256,
    /// The encoded coinbase.
    pub coinbase: Vec<u8>,
    /// How many bytes at the end of the coinbase are free; 0 to 8.
    pub extranonce_size: usize,
    /// Where the count of extranonces starts, so that several miners of one template search apart.
    pub extranonce_start: u64,
    /// Siblings on the way from the coinbase to the merkle root.
    pub merkle_branch: Vec<[u8; 32]>,
    /// Which bits of the version are free.
    pub version_mask: u32,
    /// By how many seconds the header's time may be put forward.
    pub time_slack: u32,
}

/// A header that wins, and the coinbase that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solution {
    /// What was searched.
    pub work: Arc<Work>,
    /// The header.
    pub header: Header,
    /// The encoded coinbase.
    pub coinbase: Vec<u8>,
}

/// One part of the search that a thread does alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The header, its nonce not set.
    pub header: Header,
    /// The encoded coinbase.
    pub coinbase: Vec<u8>,
    /// The nonces to try.
    pub nonces: Range<u64>,
}

impl Work {
    /// The search for a block that is complete but for its work. The last `extranonce_size` bytes of its coinbase are
    /// free.
    ///
    /// # Panics
    /// If the block has no transactions.
    pub fn of_block(id: String, block: &Block, target: U256, extranonce_size: usize) -> Self {
        let leaves: Vec<_> = block.transactions.iter().map(merkle::leaf).collect();
        Self {
            id,
            header: block.header,
            target,
            coinbase: block.transactions[0].encode(),
            extranonce_size,
            extranonce_start: 0,
            merkle_branch: merkle::branch(&leaves, 0),
            version_mask: VERSION_MASK,
            time_slack: 0,
        }
    }

    /// The part with a number. Parts do not overlap, and together they are all that there is to search; `None` after
    /// the last.
    pub(crate) fn part(&self, number: u64) -> Option<Part> {
        let (header, coinbase) = self.variant(u128::from(number / SLICES))?;
        let start = number % SLICES * SLICE;
        Some(Part { header, coinbase, nonces: start..start + SLICE })
    }

    /// The header with a number, and its coinbase.
    fn variant(&self, number: u128) -> Option<(Header, Vec<u8>)> {
        let versions = 1_u128 << self.version_mask.count_ones();
        let extranonces = 1_u128 << (8 * self.extranonce_size.min(8));
        let version = u32::try_from(number % versions).ok()?;
        let extranonce = number / versions % extranonces;
        let later = u32::try_from(number / versions / extranonces).ok().filter(|later| *later <= self.time_slack)?;

        let mut header = self.header;
        header.version ^= deposit(version, self.version_mask).cast_signed();
        header.time = header.time.checked_add(later)?;
        let mut coinbase = self.coinbase.clone();
        if self.extranonce_size > 0 {
            let extranonce = (extranonce as u64).wrapping_add(self.extranonce_start); // of at most 64 bits
            let free = coinbase.len().checked_sub(self.extranonce_size)?;
            coinbase[free..].copy_from_slice(&extranonce.to_le_bytes()[..self.extranonce_size]);
            header.merkle_root = self.merkle_root(&coinbase);
        }
        Some((header, coinbase))
    }

    fn merkle_root(&self, coinbase: &[u8]) -> [u8; 32] {
        self.merkle_branch.iter().fold(sha256d(coinbase), |root, sibling| sha256d(&[root, *sibling].concat()))
    }
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
