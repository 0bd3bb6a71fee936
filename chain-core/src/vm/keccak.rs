//! A cache of hashes of short inputs, since contracts repeat them (a mapping's slot is hashed again at each access). It
//! changes nothing but time.

use alloy_primitives::{B256, KECCAK256_EMPTY, keccak256};

/// Number of cached hashes; a power of two.
const HASHES: usize = 1 << 10;

/// A hash of 32 or 64 bytes.
#[derive(Clone, Copy, Debug)]
struct Hashed {
    input: [u8; 64],
    /// 0 in an entry that was never used.
    len: usize,
    hash: B256,
    /// The generation of the entry.
    period: u64,
}

/// Hashes of the latest inputs of 32 and 64 bytes: a direct-mapped cache.
#[derive(Debug, Default)]
pub(super) struct Hashes {
    entries: Vec<Hashed>,
    period: u64,
}

impl Hashes {
    /// keccak-256 of some bytes.
    pub fn keccak256(&mut self, bytes: &[u8]) -> B256 {
        if bytes.is_empty() {
            return KECCAK256_EMPTY;
        }
        if bytes.len() != 32 && bytes.len() != 64 {
            return keccak256(bytes);
        }
        let period = self.period;
        if self.entries.is_empty() {
            self.entries = vec![Hashed { input: [0; 64], len: 0, hash: B256::ZERO, period }; HASHES];
        }
        let entry = &mut self.entries[place(bytes)];
        if entry.len != bytes.len() || entry.period != period || entry.input[..bytes.len()] != *bytes {
            entry.input[..bytes.len()].copy_from_slice(bytes);
            (entry.len, entry.hash, entry.period) = (bytes.len(), keccak256(bytes), period);
        }
        entry.hash
    }

    /// Drops all of them.
    pub fn forget(&mut self) {
        self.period += 1;
    }
}

/// The cache slot of some bytes: any function that spreads them will do.
fn place(bytes: &[u8]) -> usize {
    let (words, _) = bytes.as_chunks::<8>();
    let mixed = words.iter().fold(0, |mixed: u64, word| {
        (mixed ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23)
    });
    (mixed >> 32) as usize % HASHES
}

#[cfg(test)]
mod tests {
    use super::*;

    // VM-1
    #[test]
    fn remembered_hashes_are_those_of_the_input() {
        let mut hashes = Hashes::default();
        for round in 0..3 {
            if round == 2 {
                hashes.forget();
            }
            for len in [0, 31, 32, 33, 63, 64, 65, 200] {
                for fill in 0..=255 {
                    let bytes = vec![fill; len];
                    assert_eq!(hashes.keccak256(&bytes), keccak256(&bytes), "round {round}, {len} bytes of {fill}");
                }
            }
        }
        // 32 bytes and the same with zeros after them share what is compared, but not the hash.
        let (short, long) = ([7; 32], [[7; 32], [0; 32]].concat());
        for bytes in [&short[..], &long, &short] {
            assert_eq!(hashes.keccak256(bytes), keccak256(bytes));
        }
    }
}
