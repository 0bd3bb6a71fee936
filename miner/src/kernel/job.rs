//! What a kernel searches, and what it finds.

use chain_core::{U256, block::header::Header};
use sha2::block_api::compress256;

use super::sha256::{self, State};

/// Versions that share one message schedule. More gain nothing, and a search has to end soon when there is newer work.
pub const MAX_VERSIONS: usize = 64;

/// Headers to search: one header with several versions, and a target.
#[derive(Clone, Debug)]
pub struct Job {
    header: Header,
    versions: Vec<i32>,
    /// The state after the first block, for each version.
    pub(super) midstates: Vec<State>,
    /// [`sha256::start`] of each midstate.
    pub(super) starts: Vec<State>,
    /// Words 0 to 2 of the second block: the end of the merkle root, time and bits.
    pub(super) tail: [u32; 3],
    /// Bits of the digest's last word that are zero in each hash at most the target.
    pub(super) mask: u32,
}

/// A header whose hash may be at most the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Index of its version in the job.
    pub version: usize,
    /// Its nonce.
    pub nonce: u32,
}

/// Computes hashes. Each hit is checked again in scalar code, so a faulty kernel can miss blocks but not produce invalid
/// ones.
pub trait Kernel: Send + Sync {
    /// Name of the kernel.
    fn name(&self) -> &'static str;

    /// Hashes `count` nonces from `first` on, with each version of the job, and adds each header whose hash may be at
    /// most the target: no other is at most the target. `first + count` is at most 2^32.
    fn scan(&self, job: &Job, first: u32, count: u32, hits: &mut Vec<Hit>);
}

impl Job {
    /// A header with these versions, of which there are 1 to [`MAX_VERSIONS`]. Its own version and nonce do not matter.
    ///
    /// # Panics
    /// If the number of versions is another.
    pub fn new(header: &Header, versions: Vec<i32>, target: &U256) -> Self {
        assert!((1..=MAX_VERSIONS).contains(&versions.len()), "a job has 1 to {MAX_VERSIONS} versions");
        let mut bytes = header.to_bytes();
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let tail = [64, 68, 72].map(word);
        let midstates: Vec<_> = versions
            .iter()
            .map(|version| {
                bytes[..4].copy_from_slice(&version.to_le_bytes());
                let mut state = sha256::INITIAL;
                compress256(&mut state, bytes.first_chunk().map_or(&[], std::slice::from_ref));
                state
            })
            .collect();
        let starts = midstates.iter().map(|midstate| sha256::start(midstate, tail)).collect();
        // The hash counts as little-endian: the digest's last word is the highest, its bytes reversed.
        let zeros = highest_word(target).leading_zeros();
        let mask = (!u32::MAX.checked_shr(zeros).unwrap_or(0)).swap_bytes();
        Self { header: *header, versions, midstates, starts, tail, mask }
    }

    /// Number of versions.
    pub fn versions(&self) -> usize {
        self.versions.len()
    }

    /// The header of a hit.
    pub fn header(&self, hit: Hit) -> Header {
        Header { version: self.versions[hit.version], nonce: hit.nonce, ..self.header }
    }
}

/// The upper 32 bits of a target.
fn highest_word(target: &U256) -> u32 {
    (target.as_limbs()[3] >> 32) as u32 // 32 bits are left
}
