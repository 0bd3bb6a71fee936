//! Paths of half-bytes.

/// A path of up to 64 nibbles, one a byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nibbles;
