//! What happened, for readers and for comparison: two runs of a seed must agree on every word of it.

use cairn_lab::output::say;
use std::fmt::Write as _;

/// Notes of a history. The digest is kept always, the text only on demand.
#[derive(Debug)]
pub struct Log {
    text: Option<String>,
    digest: u64,
}

impl Log {
    /// An empty log; with text, lines are printed as they come.
    pub fn new(text: bool) -> Self {
        Self { text: text.then(String::new), digest: 0x9ae1_6a3b_2f90_404f }
    }

    /// Mixes something into the digest.
    pub fn mix(&mut self, word: u64) {
        self.digest = (self.digest.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    /// Mixes bytes into the digest.
    pub fn mix_bytes(&mut self, bytes: &[u8]) {
        self.mix(digest(bytes));
    }

    /// A line, at a time in milliseconds.
    pub fn line(&mut self, now: u64, who: impl std::fmt::Display, what: impl FnOnce() -> String) {
        if let Some(text) = &mut self.text {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{:>8}.{:03} {who:<4} {}", now / 1_000, now % 1_000, what());
            if text.len() > 1 << 16 {
                say(&text);
                text.clear();
            }
        }
    }

    /// Digest of all that happened.
    pub fn digest(&self) -> u64 {
        self.digest
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(text) = &self.text {
            say(text);
        }
    }
}

/// A number that differs wherever bytes do, for all practical purposes of a simulation.
pub fn digest(bytes: &[u8]) -> u64 {
    let mut digest = bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    for word in words.iter().chain([&last]) {
        digest = (digest.rotate_left(23) ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        digest ^= digest >> 29;
    }
    digest
}
