//! LtHash16: a digest of a set that does not depend on order, updated by adding and removing elements.
//!
//! Source: Lewi, Kim, Maykov, Weis, "Securing Update Propagation with Homomorphic Hashing" (IACR 2019/227). An element
//! expands to 1,024 lanes of 16 bits by BLAKE3's extendable output; lanes add modulo 2^16.

use alloy_primitives::B256;

/// Sum of the expanded elements.
#[derive(Clone, PartialEq, Eq)]
pub struct LtHash(Box<[u16; 1024]>);

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
        self.combine(element, u16::wrapping_add);
    }

    /// Removes an element that was added.
    pub fn remove(&mut self, element: &[u8]) {
        self.combine(element, u16::wrapping_sub);
    }

    /// Adds all elements of another sum, so that parts can be summed apart.
    pub fn add_all(&mut self, other: &Self) {
        for (lane, other) in self.0.iter_mut().zip(other.0.iter()) {
            *lane = lane.wrapping_add(*other);
        }
    }

    /// Removes all elements of another sum.
    pub fn remove_all(&mut self, other: &Self) {
        for (lane, other) in self.0.iter_mut().zip(other.0.iter()) {
            *lane = lane.wrapping_sub(*other);
        }
    }

    fn combine(&mut self, element: &[u8], operation: fn(u16, u16) -> u16) {
        let mut expanded = [0; Self::SIZE];
        blake3::Hasher::new().update(element).finalize_xof().fill(&mut expanded);
        for (lane, bytes) in self.0.iter_mut().zip(expanded.chunks_exact(2)) {
            *lane = operation(*lane, u16::from_le_bytes([bytes[0], bytes[1]]));
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
        for (lane, bytes) in hash.0.iter_mut().zip(bytes.chunks_exact(2)) {
            *lane = u16::from_le_bytes([bytes[0], bytes[1]]);
        }
        Some(hash)
    }

    /// BLAKE3 of the lanes: what a block commits to.
    pub fn digest(&self) -> B256 {
        B256::from(*blake3::hash(&self.to_bytes()).as_bytes())
    }
}
