//! Code made ready to run: padded, its jump destinations found.

use alloy_primitives::{Address, B256, Bytes, map::B256Map};
use std::rc::Rc;

use super::opcode::{JUMPDEST, PUSH1, PUSH32};

/// Zero bytes after the code: the operand of a PUSH32 that is its last byte, and a STOP.
const PADDING: usize = 33;
/// First bytes of a delegation (EIP-7702).
const DELEGATION: [u8; 3] = [0xef, 0x01, 0x00];
/// Bytes of code that a cache keeps: beyond, it forgets all.
const CACHED_BYTES: usize = 32 << 20;

/// Code that can run. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Code(Rc<Analysed>);

#[derive(Debug)]
struct Analysed {
    padded: Box<[u8]>,
    len: usize,
    /// One bit for each byte of the code: whether it is a JUMPDEST outside of push data.
    destinations: Box<[u64]>,
}

impl Code {
    /// Makes code ready, in linear time.
    pub fn new(bytes: &[u8]) -> Self {
        let mut padded = Vec::with_capacity(bytes.len() + PADDING);
        padded.extend_from_slice(bytes);
        padded.resize(bytes.len() + PADDING, 0);
        Self(Rc::new(Analysed { padded: padded.into(), len: bytes.len(), destinations: destinations(bytes) }))
    }

    /// The code itself.
    pub fn bytes(&self) -> &[u8] {
        &self.0.padded[..self.0.len]
    }

    /// The code with enough zeros after it that an instruction can be read wherever one can begin.
    pub fn padded(&self) -> &[u8] {
        &self.0.padded
    }

    /// Whether a jump may go there.
    #[inline(always)]
    pub fn is_destination(&self, pc: u64) -> bool {
        let bits = self.0.destinations.get((pc / 64) as usize).copied().unwrap_or(0);
        bits >> (pc % 64) & 1 == 1
    }

    /// Whom it delegates to, if it is nothing but a delegation.
    pub fn delegate(&self) -> Option<Address> {
        delegate(self.bytes())
    }
}

/// Whom code delegates to, if it is nothing but a delegation (EIP-7702).
pub(crate) fn delegate(code: &[u8]) -> Option<Address> {
    let address: [u8; 20] = code.strip_prefix(&DELEGATION)?.try_into().ok()?;
    Some(address.into())
}

/// The code that delegates to an address.
pub(crate) fn delegation(to: &Address) -> Bytes {
    [&DELEGATION[..], to.as_slice()].concat().into()
}

fn destinations(code: &[u8]) -> Box<[u64]> {
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

/// Code by its hash, so that none is analysed twice while it is remembered.
#[derive(Debug, Default)]
pub(super) struct CodeCache {
    codes: B256Map<Code>,
    bytes: usize,
}

impl CodeCache {
    /// What is remembered for a hash.
    pub fn get(&self, hash: &B256) -> Option<&Code> {
        self.codes.get(hash)
    }

    /// Makes code ready and remembers it.
    pub fn insert(&mut self, hash: B256, bytes: &[u8]) -> Code {
        if self.bytes > CACHED_BYTES {
            self.codes.clear();
            self.bytes = 0;
        }
        let code = Code::new(bytes);
        self.bytes += bytes.len() + PADDING;
        self.codes.insert(hash, code.clone());
        code
    }
}
