//! Values by number. A global state is then a short list of numbers, and what a process does with a message is computed
//! once for each pair of them, however many global states they occur in.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hash, Hasher},
};

/// Hashes small keys fast. Nothing here is chosen by an adversary.
#[derive(Clone, Copy, Debug, Default)]
pub struct FastHasher(u64);

/// A map with [`FastHasher`].
pub type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<FastHasher>>;

const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

impl FastHasher {
    fn add(&mut self, word: u64) {
        self.0 = fold(self.0 ^ word, ODD);
    }
}

/// Both halves of a product, so that every bit of the input reaches every bit of the result.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    // Truncation is the point.
    (product as u64) ^ (product >> 64) as u64
}

impl Hasher for FastHasher {
    fn finish(&self) -> u64 {
        fold(self.0 ^ ODD, 0xd6e8_feb8_6659_fd93)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word) ^ (chunk.len() as u64) << 56);
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.add(u64::from(value) + 1);
    }

    fn write_u32(&mut self, value: u32) {
        self.add(u64::from(value) + 1);
    }

    fn write_u64(&mut self, value: u64) {
        self.add(value.wrapping_add(1));
    }

    fn write_usize(&mut self, value: usize) {
        self.add((value as u64).wrapping_add(1));
    }
}

/// The 128 bits that stand for a global state. Two lanes with different constants: by chance alone two of 10^8 states
/// are equal in all bits with a probability of about 10^-23.
pub fn digest(words: &[u32]) -> u128 {
    let (mut low, mut high) = (ODD ^ words.len() as u64, 0xa076_1d64_78bd_642f_u64);
    for pair in words.chunks(2) {
        let word = u64::from(pair[0]) | u64::from(*pair.get(1).unwrap_or(&0)) << 32;
        low = fold(low ^ word, 0xe703_7ed1_a0b4_28db).wrapping_add(word);
        high = fold(high.wrapping_add(word), 0x8ebc_6af0_9c88_c6e3) ^ word.rotate_left(29);
    }
    u128::from(fold(low, 0x5896_36bf_7df1_4d5b)) | u128::from(fold(high, 0x1d8e_4e27_c47d_124f)) << 64
}

/// Numbers for values.
#[derive(Debug)]
pub struct Interner<T> {
    values: Vec<T>,
    numbers: FastMap<T, u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { values: Vec::new(), numbers: FastMap::default() }
    }
}

impl<T: Clone + Eq + Hash> Interner<T> {
    /// The number of a value, a new one if it was never seen.
    pub fn number(&mut self, value: T) -> u32 {
        if let Some(&number) = self.numbers.get(&value) {
            return number;
        }
        let number = u32::try_from(self.values.len()).expect("memory ends before four billion values");
        self.values.push(value.clone());
        self.numbers.insert(value, number);
        number
    }

    /// The value of a number.
    pub fn value(&self, number: u32) -> &T {
        &self.values[number as usize]
    }
}
