//! The hashing.

use chain_core::{U256, header::Header};
use sha2::block_api::compress256;

/// Searches nonces of one header. Whatever a kernel finds is checked again in scalar code, so a wrong one can miss
/// blocks but not make bad ones.
pub trait Kernel: Send + Sync {
    /// For people: which one it is.
    fn name(&self) -> &'static str;

    /// The first of `count` nonces, from `first` on, whose hash may be at most the target. `first + count` is at most
    /// 2^32, and the header's own nonce does not matter.
    fn scan(&self, header: &Header, target: &U256, first: u32, count: u32) -> Option<u32>;
}

/// One nonce at a time with the `sha2` crate's block function. What does not depend on the nonce, the first of three
/// blocks, is hashed once.
pub struct Midstate;

/// SHA-256's initial state.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

impl Kernel for Midstate {
    fn name(&self) -> &'static str {
        "midstate"
    }

    fn scan(&self, header: &Header, target: &U256, first: u32, count: u32) -> Option<u32> {
        let bytes = header.to_bytes();
        let (head, tail) = bytes.split_first_chunk::<64>().expect("a header has 80 bytes");
        let mut midstate = INITIAL;
        compress256(&mut midstate, std::slice::from_ref(head));
        // The padding of a message of 80 bytes, and of the digest of 32.
        let mut rest = [0; 64];
        rest[..16].copy_from_slice(tail);
        rest[16] = 0x80;
        rest[62..].copy_from_slice(&(80 * 8_u16).to_be_bytes());
        let mut digest = [0; 64];
        digest[32] = 0x80;
        digest[62..].copy_from_slice(&(32 * 8_u16).to_be_bytes());

        let most = highest_word(target);
        (0..count).map(|step| first + step).find(|nonce| {
            rest[12..16].copy_from_slice(&nonce.to_le_bytes());
            let mut state = midstate;
            compress256(&mut state, &[rest]);
            for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
                bytes.copy_from_slice(&word.to_be_bytes());
            }
            let mut state = INITIAL;
            compress256(&mut state, &[digest]);
            // The hash counts as little-endian: its last word is the highest.
            state[7].swap_bytes() <= most
        })
    }
}

/// The upper 32 bits of a target.
fn highest_word(target: &U256) -> u32 {
    (target.as_limbs()[3] >> 32) as u32 // 32 bits are left
}
