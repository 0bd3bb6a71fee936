//! The interpreter's position in the code.

use alloy_primitives::U256;

use super::code::Code;

/// A position in padded code. The padding makes every read after an instruction valid.
#[derive(Clone, Copy)]
pub(super) struct Position(*const u8);

impl Position {
    /// The position of an instruction, within the code or right after it.
    #[inline(always)]
    pub fn new(code: &Code, index: usize) -> Self {
        debug_assert!(index <= code.bytes().len() + 32, "no instruction is longer");
        Self(code.padded().as_ptr().wrapping_add(index))
    }

    /// The offset of the current byte.
    #[inline(always)]
    pub fn index(self, code: &Code) -> usize {
        (self.0 as usize).wrapping_sub(code.padded().as_ptr() as usize)
    }

    /// The current byte.
    #[inline(always)]
    pub fn opcode(self) -> u8 {
        // SAFETY: it begins within the code, and neither a jump nor the longest push leads beyond the padding, whose first
        // byte after any instruction is STOP.
        unsafe { *self.0 }
    }

    /// The current byte; advances to the next.
    #[inline(always)]
    pub fn next(&mut self) -> u8 {
        let opcode = self.opcode();
        self.0 = self.0.wrapping_add(1);
        opcode
    }

    /// The byte at distance `bytes`, within an operand and the instruction after it.
    #[inline(always)]
    pub fn after(self, bytes: usize) -> u8 {
        // SAFETY: as for `opcode`.
        unsafe { *self.0.wrapping_add(bytes) }
    }

    /// Skips bytes.
    #[inline(always)]
    pub fn skip(&mut self, bytes: usize) {
        self.0 = self.0.wrapping_add(bytes);
    }

    /// Eight bytes from `offset`, big-endian.
    #[inline(always)]
    fn limb(self, offset: usize) -> u64 {
        // SAFETY: the padding is longer than any operand.
        u64::from_be_bytes(unsafe { self.0.wrapping_add(offset).cast::<[u8; 8]>().read() })
    }
}

/// The operand of PUSH1 to PUSH32.
#[inline(always)]
pub(super) fn push_word<const LEN: usize>(at: Position) -> U256 {
    let limb = |number: usize| {
        let end = LEN.saturating_sub(8 * number);
        match end {
            0 => 0,
            1..8 => at.limb(0) >> (64 - 8 * end as u32),
            _ => at.limb(end - 8),
        }
    };
    U256::from_limbs([limb(0), limb(1), limb(2), limb(3)])
}
