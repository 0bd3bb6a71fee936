//! Bytes of a program, with places to jump to and data behind the code.

use alloy_primitives::U256;

use super::opcodes::{JUMPDEST, PUSH0, PUSH1, PUSH2};

/// A place to jump to.
#[derive(Clone, Copy, Debug)]
pub struct Label(usize);

/// A program that grows.
#[derive(Clone, Debug, Default)]
pub struct Assembler {
    bytes: Vec<u8>,
    /// Where each label is, once placed.
    places: Vec<usize>,
    /// Where the code names a label.
    named: Vec<(usize, Label)>,
    /// Data, and where the code names its place.
    data: Vec<(usize, Vec<u8>)>,
}

impl Assembler {
    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.data.iter().map(|(_, data)| data.len()).sum::<usize>()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An instruction.
    pub fn op(&mut self, opcode: u8) {
        self.bytes.push(opcode);
    }

    /// Any bytes.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A number, by the shortest PUSH.
    pub fn push(&mut self, number: U256) {
        let bytes = number.to_be_bytes_trimmed_vec();
        self.push_bytes(&bytes);
    }

    /// Up to 32 bytes as a number.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        match bytes.len() {
            0 => self.op(PUSH0),
            len => self.op(PUSH1 + (len - 1) as u8),
        }
        self.raw(bytes);
    }

    /// A label to name now and place later.
    pub fn label(&mut self) -> Label {
        self.places.push(0);
        Label(self.places.len() - 1)
    }

    /// Puts a JUMPDEST here.
    pub fn place(&mut self, label: Label) {
        self.places[label.0] = self.bytes.len();
        self.op(JUMPDEST);
    }

    /// A label's place.
    pub fn push_label(&mut self, label: Label) {
        self.op(PUSH2);
        self.named.push((self.bytes.len(), label));
        self.raw(&[0, 0]);
    }

    /// The place of data that will stand behind the code.
    pub fn push_data(&mut self, data: Vec<u8>) {
        self.op(PUSH2);
        self.data.push((self.bytes.len(), data));
        self.raw(&[0, 0]);
    }

    /// The program. It is wrong, but a program, if it is longer than 64 KiB.
    pub fn finish(mut self) -> Vec<u8> {
        for (at, label) in &self.named {
            self.bytes[*at..at + 2].copy_from_slice(&(self.places[label.0] as u16).to_be_bytes());
        }
        for (at, data) in &self.data {
            let place = self.bytes.len() as u16;
            self.bytes[*at..at + 2].copy_from_slice(&place.to_be_bytes());
            self.bytes.extend_from_slice(data);
        }
        self.bytes
    }
}
