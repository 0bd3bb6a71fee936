//! Programs that were right once.

use super::rng::Rng;

/// Changes a program in a few places.
pub(super) fn mutate(rng: &mut Rng, code: &mut Vec<u8>) {
    for _ in 0..=rng.below(4) {
        if code.is_empty() {
            return;
        }
        let at = rng.below(code.len());
        let len = 1 + rng.below((code.len() - at).min(20));
        match rng.below(6) {
            0 => code[at] = rng.bits() as u8,
            1 => code[at] ^= 1 << rng.below(8),
            2 => drop(code.drain(at..at + len)),
            3 => {
                let copy = code[at..at + len].to_vec();
                let to = rng.below(code.len());
                drop(code.splice(to..to, copy));
            }
            4 => {
                let more = rng.bytes(len);
                drop(code.splice(at..at, more));
            }
            _ => code.truncate(at),
        }
    }
}
