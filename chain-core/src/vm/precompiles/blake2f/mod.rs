//! 0x09: the compression function of BLAKE2b (EIP-152).

#[cfg(target_arch = "x86_64")]
mod avx2;
mod orders;

use alloy_primitives::Bytes;

use super::result::{PrecompileError, PrecompileResult, charge};
use crate::units::Gas;
use orders::ORDERS;

/// Bytes of the input: rounds, state, message, offsets, last block.
const LEN: usize = 4 + 64 + 128 + 16 + 1;

/// First words of the fractional parts of the square roots of the first eight primes.
const IV: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// Costs one gas a round.
pub(super) fn compress(input: &[u8], gas: Gas) -> PrecompileResult {
    let input: &[u8; LEN] = input.try_into().map_err(|_| PrecompileError::InvalidInput)?;
    let (rounds, rest) = input.split_first_chunk().ok_or(PrecompileError::InvalidInput)?;
    let rounds = u32::from_be_bytes(*rounds);
    let used = charge(gas, Gas::from(rounds))?;
    let (words, last) = rest.as_chunks::<8>();
    let inverted = match last {
        [0] => 0,
        [1] => u64::MAX,
        _ => return Err(PrecompileError::InvalidInput),
    };
    let word = |index: usize| u64::from_le_bytes(words[index]);
    let state: [u64; 8] = std::array::from_fn(word);
    let message: [u64; 16] = std::array::from_fn(|index| word(8 + index));
    let mut work: [u64; 16] = std::array::from_fn(|index| if index < 8 { state[index] } else { IV[index - 8] });
    work[12] ^= word(24);
    work[13] ^= word(25);
    work[14] ^= inverted;
    run(&mut work, &message, rounds);
    let output: [[u8; 8]; 8] =
        std::array::from_fn(|index| (state[index] ^ work[index] ^ work[index + 8]).to_le_bytes());
    Ok((used, Bytes::copy_from_slice(output.as_flattened())))
}

#[allow(unsafe_code, reason = "a function for processors that have AVX2")]
pub(super) fn run(work: &mut [u64; 16], message: &[u64; 16], rounds: u32) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: AVX2 was detected on the line above.
        return unsafe { avx2::run(work, message, rounds) };
    }
    run_anywhere(work, message, rounds);
}

pub(super) fn run_anywhere(work: &mut [u64; 16], message: &[u64; 16], rounds: u32) {
    for round in 0..rounds {
        let order = &ORDERS[(round % 10) as usize];
        let word = |index: usize| message[order[index] & 15];
        mix(work, [0, 4, 8, 12], word(0), word(1));
        mix(work, [1, 5, 9, 13], word(2), word(3));
        mix(work, [2, 6, 10, 14], word(4), word(5));
        mix(work, [3, 7, 11, 15], word(6), word(7));
        mix(work, [0, 5, 10, 15], word(8), word(9));
        mix(work, [1, 6, 11, 12], word(10), word(11));
        mix(work, [2, 7, 8, 13], word(12), word(13));
        mix(work, [3, 4, 9, 14], word(14), word(15));
    }
}

#[inline(always)]
fn mix(work: &mut [u64; 16], [a, b, c, d]: [usize; 4], x: u64, y: u64) {
    work[a] = work[a].wrapping_add(work[b]).wrapping_add(x);
    work[d] = (work[d] ^ work[a]).rotate_right(32);
    work[c] = work[c].wrapping_add(work[d]);
    work[b] = (work[b] ^ work[c]).rotate_right(24);
    work[a] = work[a].wrapping_add(work[b]).wrapping_add(y);
    work[d] = (work[d] ^ work[a]).rotate_right(16);
    work[c] = work[c].wrapping_add(work[d]);
    work[b] = (work[b] ^ work[c]).rotate_right(63);
}
