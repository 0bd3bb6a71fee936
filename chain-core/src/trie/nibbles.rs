//! Paths of nibbles (half-bytes).

use alloy_primitives::B256;
use std::{
    fmt,
    hash::{Hash, Hasher},
};

/// A path of up to 64 nibbles. Sorts by nibbles, a prefix before its extensions.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nibbles {
    /// Two per byte, the high one first; zero beyond `len`.
    packed: [u8; 32],
    len: u8,
}

impl Nibbles {
    /// Maximum length of a path.
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

    /// Whether this is the path of the root.
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
        if position % 2 == 1 { byte & 15 } else { byte >> 4 }
    }

    /// This path with one more nibble.
    pub(super) fn push(&self, nibble: u8) -> Self {
        let mut path = *self;
        let byte = &mut path.packed[self.len() / 2];
        *byte |= if self.len % 2 == 1 { nibble } else { nibble << 4 };
        path.len += 1;
        path
    }

    /// This path, then another; together at most [`Nibbles::MAX`].
    pub(super) fn join(&self, tail: &Self) -> Self {
        let mut path = *self;
        path.len += tail.len;
        let (start, odd) = (self.len() / 2, self.len % 2 == 1);
        let end = path.packed().len();
        if odd {
            for (position, byte) in tail.packed().iter().enumerate() {
                path.packed[start + position] |= byte >> 4;
                if start + position + 1 < end {
                    path.packed[start + position + 1] = byte << 4;
                }
            }
        } else {
            path.packed[start..end].copy_from_slice(tail.packed());
        }
        path
    }

    /// The first `count` nibbles.
    pub(super) fn take(&self, count: usize) -> Self {
        debug_assert!(count <= self.len());
        let mut packed = [0; 32];
        let bytes = count.div_ceil(2);
        packed[..bytes].copy_from_slice(&self.packed[..bytes]);
        if count % 2 == 1 {
            packed[bytes - 1] &= 0xf0;
        }
        Self { packed, len: count as u8 } // at most `self.len`
    }

    /// The nibbles after the first `count`.
    pub(super) fn skip(&self, count: usize) -> Self {
        debug_assert!(count <= self.len());
        let mut padded = [0; 65];
        padded[..32].copy_from_slice(&self.packed);
        let start = count / 2;
        let (high, low) = (&padded[start..start + 32], &padded[start + 1..start + 33]);
        let mut packed = [0; 32];
        if count % 2 == 1 {
            for ((byte, high), low) in packed.iter_mut().zip(high).zip(low) {
                *byte = high << 4 | low >> 4;
            }
        } else {
            packed.copy_from_slice(high);
        }
        Self { packed, len: self.len - count as u8 } // at most `self.len`
    }

    /// Length of the common prefix.
    pub(super) fn common_prefix(&self, other: &Self) -> usize {
        let equal = self.packed.iter().zip(&other.packed).take_while(|(a, b)| a == b).count();
        let half = match (self.packed.get(equal), other.packed.get(equal)) {
            (Some(a), Some(b)) if a >> 4 == b >> 4 => 1,
            _ => 0,
        };
        (2 * equal + half).min(self.len()).min(other.len())
    }

    /// Whether this begins with `prefix`.
    pub(super) fn starts_with(&self, prefix: &Self) -> bool {
        self.common_prefix(prefix) == prefix.len()
    }

    /// The packed bytes, the last one's low half zero if the length is odd.
    pub fn packed(&self) -> &[u8] {
        &self.packed[..self.len().div_ceil(2)]
    }

    /// The inverse of [`Nibbles::packed`] for a length; `None` for other bytes.
    pub fn from_packed(bytes: &[u8], len: usize) -> Option<Self> {
        let path = Self::of_bytes(bytes)?;
        let path = Self { len: u8::try_from(len).ok()?, ..path };
        let clean = len.is_multiple_of(2) || bytes.last().is_none_or(|last| last & 15 == 0);
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    fn path(nibbles: &[u8]) -> Nibbles {
        nibbles.iter().fold(Nibbles::default(), |path, nibble| path.push(*nibble))
    }

    fn list(path: &Nibbles) -> Vec<u8> {
        (0..path.len()).map(|position| path.at(position)).collect()
    }

    proptest! {
        #[test]
        fn paths_act_like_lists_of_nibbles(a in vec(0u8..16, 0..=32), b in vec(0u8..16, 0..=32), cut in 0usize..=32) {
            let (x, y, cut) = (path(&a), path(&b), cut.min(a.len()));
            prop_assert_eq!(list(&x), a.clone());
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x.join(&y), path(&[a.clone(), b.clone()].concat()));
            prop_assert_eq!(x.take(cut), path(&a[..cut]));
            prop_assert_eq!(x.skip(cut), path(&a[cut..]));
            prop_assert_eq!(x.common_prefix(&y), a.iter().zip(&b).take_while(|(a, b)| a == b).count());
            prop_assert_eq!(x.starts_with(&y), a.starts_with(&b));
            prop_assert!(x.starts_with(&x.take(cut)));
            prop_assert_eq!(Nibbles::from_packed(x.packed(), x.len()), Some(x));
        }
    }

    #[test]
    fn reads_packed_bytes_only_of_their_length() {
        assert_eq!(Nibbles::from_packed(&[0x12, 0x30], 3), Some(path(&[1, 2, 3])));
        assert_eq!(Nibbles::from_packed(&[0x12, 0x34], 3), None);
        assert_eq!(Nibbles::from_packed(&[0x12], 3), None);
        assert_eq!(Nibbles::from_packed(&[0x12, 0x34, 0], 4), None);
        assert_eq!(Nibbles::from_packed(&[0; 33], 66), None);
        assert_eq!(Nibbles::of_bytes(&[7; 32]), Some(Nibbles::of_key(&B256::repeat_byte(7))));
    }
}
