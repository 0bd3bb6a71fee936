//! Paths of half-bytes.

use alloy_primitives::B256;
use std::{
    fmt,
    hash::{Hash, Hasher},
};

/// A path of up to 64 nibbles. Sorts like the nibbles it holds, a prefix before what it prefixes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nibbles {
    /// Two a byte, high one first; zero beyond `len`.
    packed: [u8; 32],
    len: u8,
}

impl Nibbles {
    /// Most nibbles that a path holds.
    pub const MAX: usize = 64;

    /// The 64 nibbles of a hashed key.
    pub fn of_key(key: &B256) -> Self {
        Self { packed: key.0, len: 64 }
    }

    /// The nibbles of up to 32 bytes; `None` if there are more.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let mut packed = [0; 32];
        packed.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { packed, len: u8::try_from(2 * bytes.len()).ok()? })
    }

    /// Number of nibbles.
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether there are none: the path of the root.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The nibble at a position.
    ///
    /// # Panics
    /// If it is beyond the end.
    pub fn at(&self, position: usize) -> u8 {
        assert!(position < self.len());
        let byte = self.packed[position / 2];
        if position % 2 == 0 { byte >> 4 } else { byte & 15 }
    }

    /// The packed bytes, the last one's low half zero if the length is odd.
    pub fn packed(&self) -> &[u8] {
        &self.packed[..self.len().div_ceil(2)]
    }

    /// Reads [`Nibbles::packed`] of a length; `None` if it is not what that gives.
    pub fn from_packed(bytes: &[u8], len: usize) -> Option<Self> {
        let path = Self::of_bytes(bytes)?;
        let path = Self { len: u8::try_from(len).ok()?, ..path };
        let clean = len % 2 == 0 || bytes.last().is_none_or(|last| last & 15 == 0);
        (bytes.len() == len.div_ceil(2) && clean).then_some(path)
    }
}

impl Hash for Nibbles {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.packed());
        state.write_u8(self.len);
    }
}

impl fmt::Display for Nibbles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..self.len()).try_for_each(|position| write!(f, "{:x}", self.at(position)))
    }
}

impl fmt::Debug for Nibbles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nibbles({self})")
    }
}
