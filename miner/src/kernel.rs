//! Hash kernels.

use chain_core::{U256, block::header::Header};
use sha2::block_api::compress256;

/// Searches nonces of one header. Each hit of a kernel is checked again in scalar code, so a faulty kernel can miss
/// blocks but not produce invalid ones.
pub trait Kernel: Send + Sync {
    /// Name of the kernel.
    fn name(&self) -> &'static str;

    /// The first of `count` nonces, from `first` on, whose hash may be at most the target. `first + count` is at most
    /// 2^32, and the header's own nonce does not matter.
    fn scan(&self, header: &Header, target: &U256, first: u32, count: u32) -> Option<u32>;
}

/// One nonce at a time with the `sha2` crate's block function. The first of three blocks does not depend on the nonce
/// and is hashed once (the midstate).
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

#[cfg(test)]
mod tests {
    use chain_core::{hash::BlockHash, work::pow};

    use super::*;

    /// Bitcoin's blocks 0 and 125552.
    fn known() -> [Header; 2] {
        let hash = |text: &str| text.parse::<BlockHash>().unwrap();
        let genesis = Header {
            version: 1,
            prev: BlockHash::default(),
            merkle_root: hash("4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b").0,
            time: 1_231_006_505,
            bits: 0x1d00_ffff,
            nonce: 2_083_236_893,
        };
        let later = Header {
            version: 1,
            prev: hash("00000000000008a3a41b85b8b29ad444def299fee21793cd8b9e567eab02cd81"),
            merkle_root: hash("2b12fcf1b09288fcaff797d71e950e71ae42b91e8bdb2304758dfcffc2b620e3").0,
            time: 1_305_998_791,
            bits: 0x1a44_b9f2,
            nonce: 0x9546_a142,
        };
        [genesis, later]
    }

    #[test]
    fn finds_the_nonces_of_bitcoins_blocks() {
        for header in known() {
            let target = pow::target(header.bits).unwrap();
            let search = Header { nonce: 0, ..header };
            assert_eq!(Midstate.scan(&search, &target, header.nonce - 500, 1_000), Some(header.nonce));
            assert_eq!(Midstate.scan(&search, &target, header.nonce, 1), Some(header.nonce));
            assert_eq!(Midstate.scan(&search, &target, header.nonce - 500, 500), None);
            assert_eq!(Midstate.scan(&search, &target, header.nonce + 1, 500), None);
        }
    }

    #[test]
    fn finds_what_hashing_the_whole_header_finds() {
        let target = pow::target(0x1f7f_ffff).unwrap();
        let header = known()[0];
        let wins = |nonce: &u32| U256::from_le_bytes(Header { nonce: *nonce, ..header }.hash().0) <= target;
        let expected: Vec<u32> = (0..4_000).filter(wins).collect();
        let mut found = Vec::new();
        let mut next = 0;
        while let Some(nonce) = Midstate.scan(&header, &target, next, 4_000 - next) {
            found.push(nonce);
            next = nonce + 1;
        }
        assert!(!expected.is_empty());
        assert_eq!(found, expected);
    }

    #[test]
    fn searches_up_to_the_last_nonce() {
        let header = known()[0];
        assert_eq!(Midstate.scan(&header, &U256::MAX, u32::MAX, 1), Some(u32::MAX));
        assert_eq!(Midstate.scan(&header, &U256::ZERO, u32::MAX - 9, 10), None);
    }
}
