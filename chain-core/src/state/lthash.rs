//! LtHash16: a digest of a set that does not depend on order, updated by adding and removing elements.
//!
//! Source: Lewi, Kim, Maykov, Weis, "Securing Update Propagation with Homomorphic Hashing" (IACR 2019/227). An element
//! expands to 1,024 lanes of 16 bits by BLAKE3's extendable output; lanes add modulo 2^16.

use alloy_primitives::B256;

type Lanes = [u16; 1024];

/// Sum of the expanded elements.
#[derive(Clone, PartialEq, Eq)]
pub struct LtHash(Box<Lanes>);

impl std::fmt::Debug for LtHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LtHash({})", self.digest())
    }
}

impl Default for LtHash {
    fn default() -> Self {
        Self(Box::new([0; 1024]))
    }
}

impl LtHash {
    /// Size of [`LtHash::to_bytes`].
    pub const SIZE: usize = 2048;

    /// Adds an element.
    pub fn add(&mut self, element: &[u8]) {
        self.combine(&expand(element), u16::wrapping_add);
    }

    /// Removes an element that was added.
    pub fn remove(&mut self, element: &[u8]) {
        self.combine(&expand(element), u16::wrapping_sub);
    }

    #[inline]
    fn combine(&mut self, other: &Lanes, operation: impl Fn(u16, u16) -> u16) {
        for (lane, other) in self.0.iter_mut().zip(other) {
            *lane = operation(*lane, *other);
        }
    }

    /// The lanes, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|lane| lane.to_le_bytes()).collect()
    }

    /// Reads the lanes; `None` unless there are exactly [`LtHash::SIZE`] bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::SIZE {
            return None;
        }
        let mut hash = Self::default();
        read(bytes, &mut hash.0);
        Some(hash)
    }

    /// BLAKE3 of the lanes: what a block commits to.
    pub fn digest(&self) -> B256 {
        B256::from(*blake3::hash(&self.to_bytes()).as_bytes())
    }
}

/// The lanes of one element.
fn expand(element: &[u8]) -> Lanes {
    let mut bytes = [0; LtHash::SIZE];
    blake3::Hasher::new().update(element).finalize_xof().fill(&mut bytes);
    let mut lanes = [0; 1024];
    read(&bytes, &mut lanes);
    lanes
}

fn read(bytes: &[u8], lanes: &mut Lanes) {
    for (lane, bytes) in lanes.iter_mut().zip(bytes.chunks_exact(2)) {
        *lane = u16::from_le_bytes([bytes[0], bytes[1]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    fn sum(elements: &[Vec<u8>]) -> LtHash {
        let mut hash = LtHash::default();
        elements.iter().for_each(|element| hash.add(element));
        hash
    }

    fn elements() -> impl Strategy<Value = Vec<Vec<u8>>> {
        vec(vec(any::<u8>(), 0..200), 0..20)
    }

    proptest! {
        // ST-2
        #[test]
        fn order_does_not_matter(elements in elements(), seed in any::<u64>()) {
            let mut shuffled = elements.clone();
            shuffled.sort_by_key(|element| blake3::keyed_hash(&[seed as u8; 32], element).as_bytes()[..8].to_vec());
            prop_assert_eq!(sum(&elements), sum(&shuffled));
        }

        #[test]
        fn removing_takes_back_adding(kept in elements(), gone in elements()) {
            let mut hash = sum(&kept);
            gone.iter().for_each(|element| hash.add(element));
            gone.iter().rev().for_each(|element| hash.remove(element));
            prop_assert_eq!(hash, sum(&kept));
        }

        #[test]
        fn bytes_read_back(elements in elements()) {
            let hash = sum(&elements);
            prop_assert_eq!(LtHash::from_bytes(&hash.to_bytes()), Some(hash));
        }
    }

    #[test]
    fn the_sum_of_one_element_is_its_blake3_output_and_other_lengths_are_refused() {
        let mut output = vec![0; LtHash::SIZE];
        blake3::Hasher::new().update(b"coin").finalize_xof().fill(&mut output);
        let hash = sum(&[b"coin".to_vec()]);
        assert_eq!(hash.to_bytes(), output);
        assert_eq!(hash.digest(), B256::from(*blake3::hash(&output).as_bytes()));
        assert_eq!(LtHash::from_bytes(&output[1..]), None);
    }
}
