//! Buffers that the machine keeps from one transaction to the next.

use super::{frame::Frame, keccak::Hashes, memory::Memory, stack::Stacks};

/// Buffers and hashes, kept from one transaction of a block to the next.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    pub(super) frames: Vec<Frame>,
    pub(super) stacks: Stacks,
    pub(super) memory: Memory,
    pub(super) return_data: Vec<u8>,
    pub(super) hashes: Hashes,
}

impl Machine {
    /// Prepares for a transaction with this calldata.
    pub(super) fn start(&mut self, calldata: &[u8]) {
        self.frames.clear();
        self.memory.start(calldata);
        self.return_data.clear();
    }

    /// Drops the cached hashes.
    pub(crate) fn forget_hashes(&mut self) {
        self.hashes.forget();
    }

    /// What the first frame returned.
    pub(super) fn output(&self) -> &[u8] {
        &self.return_data
    }

    /// Records where the current frame resumes after the frames above it.
    #[inline(always)]
    pub(super) fn save_position(&mut self, pc: usize) {
        if let Some(frame) = self.frames.last_mut() {
            frame.pc = pc;
        }
    }
}
