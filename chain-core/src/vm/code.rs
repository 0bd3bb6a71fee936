//! Code prepared for execution: padded, with its jump destinations.

use alloy_primitives::{Address, Bytes};
use std::{cell::OnceCell, rc::Rc};

use super::opcode::{JUMPDEST, PUSH1, PUSH32};

/// Zero bytes after the code: the operand of a PUSH32 that is its last byte, and a STOP.
const PADDING: usize = 33;
/// First bytes of a delegation (EIP-7702).
const DELEGATION: [u8; 3] = [0xef, 0x01, 0x00];
/// Executable code. Cheap to clone; all clones share one analysis, which is done at the first run.
#[derive(Clone, Debug)]
pub(crate) struct Code(Rc<Padded>);

#[derive(Debug)]
struct Padded {
    bytes: Box<[u8]>,
    /// Length of the code itself.
    len: usize,
    destinations: OnceCell<Box<[u64]>>,
}

/// The jump table: one bit for each byte of the code, whether it is a JUMPDEST outside of push data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Destinations<'a>(&'a [u64]);

impl Destinations<'_> {
    /// Whether a position is a valid jump destination.
    #[inline(always)]
    pub fn contains(self, pc: u64) -> bool {
        let bits = self.0.get((pc / 64) as usize).copied().unwrap_or(0);
        bits >> (pc % 64) & 1 == 1
    }
}

impl Code {
    /// Copies code and pads it.
    pub fn new(code: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(code.len() + PADDING);
        bytes.extend_from_slice(code);
        bytes.resize(code.len() + PADDING, 0);
        Self(Rc::new(Padded { bytes: bytes.into(), len: code.len(), destinations: OnceCell::new() }))
    }

    /// The code itself.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes[..self.0.len]
    }

    /// The code with zeros after it, so that an instruction at any position can be read completely.
    pub(super) fn padded(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The jump table, computed in linear time by the first call.
    #[inline(always)]
    pub(super) fn destinations(&self) -> Destinations<'_> {
        Destinations(self.0.destinations.get_or_init(|| destinations(self.bytes())))
    }

    /// The delegation target, if the code is a delegation (EIP-7702).
    pub fn delegate(&self) -> Option<Address> {
        let address: [u8; 20] = self.bytes().strip_prefix(&DELEGATION)?.try_into().ok()?;
        Some(address.into())
    }
}

/// The code that delegates to an address.
pub(crate) fn delegation(to: &Address) -> Bytes {
    [&DELEGATION[..], to.as_slice()].concat().into()
}

fn destinations(code: &[u8]) -> Box<[u64]> {
    #[cfg(test)]
    ANALYSES.with(|count| count.set(count.get() + 1));
    let mut bits = vec![0_u64; code.len().div_ceil(64)];
    let mut pc = 0;
    while let Some(opcode) = code.get(pc) {
        match *opcode {
            JUMPDEST => bits[pc / 64] |= 1 << (pc % 64),
            push @ PUSH1..=PUSH32 => pc += usize::from(push - PUSH1) + 1,
            _ => {}
        }
        pc += 1;
    }
    bits.into()
}

#[cfg(test)]
thread_local! {
    /// How often code was analysed in this thread.
    pub(super) static ANALYSES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
