//! The memory of all frames in one buffer.
//!
//! A frame's memory begins where its caller's ends, and the buffer ends where the current frame's memory does. So a
//! range is within the frame's memory exactly if it is within the buffer.

use alloy_primitives::U256;
use std::ops::Range;

use super::word::small;
use crate::gas;
use crate::units::Gas;

/// Maximum memory size: more would cost over 2^44 gas.
const LIMIT: u64 = 1 << 32;

/// The buffer, and the start of the current frame's memory in it.
#[derive(Debug, Default)]
pub(super) struct Memory {
    bytes: Vec<u8>,
    base: usize,
}

impl Memory {
    /// Clears it, except for bytes below the first frame.
    pub fn start(&mut self, below: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(below);
        self.base = below.len();
    }

    /// Begins a frame on top of the current one; returns the start of the current one's memory.
    pub fn enter(&mut self) -> usize {
        std::mem::replace(&mut self.base, self.bytes.len())
    }

    /// Drops the current frame's memory and returns to that of its caller.
    pub fn leave(&mut self, base: usize) {
        self.bytes.truncate(self.base);
        self.base = base;
    }

    /// Size of the current frame's memory, in bytes.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.bytes.len().wrapping_sub(self.base)
    }

    /// The current frame's memory.
    pub fn all(&self) -> &[u8] {
        &self.bytes[self.base..]
    }

    /// Bytes of any frame, by their range in the buffer. An empty range may be anywhere.
    #[inline(always)]
    pub fn absolute(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    /// Converts a range of the current frame to one of the buffer.
    pub fn to_absolute(&self, range: &Range<usize>) -> Range<usize> {
        self.base + range.start..self.base + range.end
    }

    /// A range within the current frame's memory, or an empty one.
    pub fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.absolute(&self.to_absolute(range))
    }

    /// A word, if it is within the frame's memory.
    #[inline(always)]
    pub fn load(&self, offset: U256) -> Option<U256> {
        let at = self.place(offset)?;
        let bytes = self.bytes.get(at..)?.first_chunk::<32>()?;
        Some(U256::from_be_bytes(*bytes))
    }

    /// Writes a word, if it is within the frame's memory; returns whether it is.
    #[inline(always)]
    pub fn store(&mut self, offset: U256, word: U256) -> bool {
        let Some(at) = self.place(offset) else { return false };
        let Some(bytes) = self.bytes.get_mut(at..).and_then(|bytes| bytes.first_chunk_mut()) else { return false };
        *bytes = word.to_be_bytes::<32>();
        true
    }

    /// Writes a byte, if it is within the frame's memory; returns whether it is.
    #[inline(always)]
    pub fn store_byte(&mut self, offset: U256, value: u8) -> bool {
        let Some(at) = self.place(offset) else { return false };
        let Some(byte) = self.bytes.get_mut(at) else { return false };
        *byte = value;
        true
    }

    #[inline(always)]
    fn place(&self, offset: U256) -> Option<usize> {
        let offset = small(&offset).filter(|offset| *offset < LIMIT)?;
        Some(self.base.wrapping_add(offset as usize))
    }

    /// Copies bytes to a range within the frame's memory, and fills the rest with zeros.
    pub fn fill(&mut self, range: &Range<usize>, source: &[u8]) {
        let range = self.to_absolute(range);
        fill(self.bytes.get_mut(range).unwrap_or_default(), source);
    }

    /// Like [`Memory::fill`], from another place in the buffer.
    pub fn fill_within(&mut self, range: &Range<usize>, source: Range<usize>) {
        let range = self.to_absolute(range);
        let taken = source.len().min(range.len());
        if taken > 0 {
            self.bytes.copy_within(source.start..source.start + taken, range.start);
        }
        if range.len() > taken {
            self.bytes[range.start + taken..range.end].fill(0);
        }
    }

    /// Gas for growing to `end` bytes, in whole words.
    #[inline(always)]
    pub fn cost(&self, end: usize) -> Gas {
        let len = self.len();
        if end <= len {
            return 0;
        }
        gas::memory(end.div_ceil(32) as u64) - gas::memory((len / 32) as u64)
    }

    /// Grows to `end` bytes, in whole words.
    #[inline(always)]
    pub fn grow(&mut self, end: usize) {
        if end > self.len() {
            self.bytes.resize(self.base + end.next_multiple_of(32), 0);
        }
    }
}

/// Copies bytes, and fills the rest with zeros.
fn fill(target: &mut [u8], source: &[u8]) {
    let taken = source.len().min(target.len());
    let (copied, zeroed) = target.split_at_mut(taken);
    copied.copy_from_slice(&source[..taken]);
    zeroed.fill(0);
}

/// A range of memory from two words; an empty one may begin anywhere. `None` beyond the maximum size.
#[inline(always)]
pub(super) fn range(offset: U256, len: U256) -> Option<Range<usize>> {
    let len = small(&len)?;
    if len == 0 {
        return Some(0..0);
    }
    let offset = small(&offset)?;
    if offset >= LIMIT || len >= LIMIT {
        return None;
    }
    Some(offset as usize..(offset + len) as usize)
}
