//! Code, written by hand.

/// Most bytes of a program's loop: the size of the largest contract, room for data left.
const MOST_BYTES: usize = 20_000;
/// Most copies of what a loop repeats.
const MOST_COPIES: usize = 512;

/// Numbers of the instructions that programs are made of.
pub mod op {
    pub const ADD: u8 = 0x01;
    pub const CODECOPY: u8 = 0x39;
    pub const POP: u8 = 0x50;
    pub const MSTORE: u8 = 0x52;
    pub const MSTORE8: u8 = 0x53;
    pub const JUMP: u8 = 0x56;
    pub const JUMPI: u8 = 0x57;
    pub const GAS: u8 = 0x5a;
    pub const JUMPDEST: u8 = 0x5b;
    pub const MCOPY: u8 = 0x5e;
    pub const PUSH0: u8 = 0x5f;
    pub const DUP1: u8 = 0x80;
    pub const SWAP1: u8 = 0x90;
    pub const CREATE: u8 = 0xf0;
    pub const CALL: u8 = 0xf1;
    pub const RETURN: u8 = 0xf3;
    pub const CREATE2: u8 = 0xf5;
    pub const STATICCALL: u8 = 0xfa;
    pub const REVERT: u8 = 0xfd;
}

/// Code that grows.
#[derive(Clone, Debug, Default)]
pub struct Code(pub Vec<u8>);

impl Code {
    /// Appends instructions.
    pub fn op(mut self, ops: &[u8]) -> Self {
        self.0.extend_from_slice(ops);
        self
    }

    /// Appends a push of a number, as short as it goes.
    pub fn push(mut self, number: u64) -> Self {
        let bytes = number.to_be_bytes();
        let bytes = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
        self.0.push(op::PUSH0 + bytes.len() as u8); // at most 8
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends a push of some bytes, at most 32.
    pub fn push_bytes(mut self, bytes: &[u8]) -> Self {
        self.0.push(op::PUSH0 + bytes.len() as u8); // at most 32
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends what fills memory with a byte, from 0 on; the size is 32 times a power of two.
    pub fn fill(self, byte: u8, size: u64) -> Self {
        let mut code = self.push_bytes(&[byte; 32]).op(&[op::PUSH0, op::MSTORE]);
        let mut filled = 32;
        while filled < size {
            code = code.push(filled).op(&[op::PUSH0]).push(filled).op(&[op::MCOPY]);
            filled *= 2;
        }
        code
    }
}

/// A program that copies `data` to memory, prepares and then repeats the same for ever. What is repeated may depend on where
/// it stands.
pub fn looped_at(before: Code, repeated: impl Fn(usize) -> Code, data: &[u8]) -> Vec<u8> {
    let mut code = Code::default();
    if !data.is_empty() {
        let length = (data.len() as u32).to_be_bytes(); // less than a contract
        code = code.push_bytes(&length).push_bytes(&[0; 4]).op(&[op::PUSH0, op::CODECOPY]);
    }
    code = code.op(&before.0);
    let start = code.0.len();
    code = code.op(&[op::JUMPDEST]);
    for _ in 0..MOST_COPIES {
        let next = repeated(code.0.len());
        if code.0.len() + next.0.len() + data.len() > MOST_BYTES.max(start + next.0.len() + data.len() + 1) {
            break;
        }
        code = code.op(&next.0);
    }
    code = code.push(start as u64).op(&[op::JUMP]);
    if !data.is_empty() {
        let offset = (code.0.len() as u32).to_be_bytes();
        code.0[6..10].copy_from_slice(&offset);
    }
    code.op(data).0
}

/// [`looped_at`] where it does not matter where it stands.
pub fn looped(before: Code, repeated: Code, data: &[u8]) -> Vec<u8> {
    looped_at(before, |_| repeated.clone(), data)
}
