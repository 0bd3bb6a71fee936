//! The rounds with vectors of four words, one per row of the working state.

#![allow(unsafe_code, reason = "vectors are read and written through pointers to arrays of their size")]

use std::arch::x86_64::*;

use super::orders::ORDERS;

/// The message words of one round: twice for its columns, then twice for its diagonals.
type Schedule = [__m256i; 4];

/// Byte shuffles that rotate a word to the right by 24 and 16 bits, and the step to the bytes of the next word.
const BY_24: i64 = 0x0201_0007_0605_0403;
const BY_16: i64 = 0x0100_0706_0504_0302;
const SECOND_WORD: i64 = 0x0808_0808_0808_0808;

#[target_feature(enable = "avx2")]
pub(super) fn run(work: &mut [u64; 16], message: &[u64; 16], rounds: u32) {
    let (rows, _) = work.as_chunks_mut::<4>();
    // SAFETY: a row has the size of a vector.
    let [mut a, mut b, mut c, mut d] =
        [0, 1, 2, 3].map(|row: usize| unsafe { _mm256_loadu_si256(rows[row].as_ptr().cast()) });
    let mut schedules = [[_mm256_setzero_si256(); 4]; ORDERS.len()];
    for round in 0..rounds as usize {
        let schedule = &mut schedules[round % ORDERS.len()];
        if let Some(order) = ORDERS.get(round) {
            *schedule = scheduled(message, order);
        }
        (a, b, c, d) = mix(a, b, c, d, schedule[0], schedule[1]);
        // The diagonals become columns: all rows but the second are rotated.
        a = _mm256_permute4x64_epi64::<0b10_01_00_11>(a);
        c = _mm256_permute4x64_epi64::<0b00_11_10_01>(c);
        d = _mm256_permute4x64_epi64::<0b01_00_11_10>(d);
        (a, b, c, d) = mix(a, b, c, d, schedule[2], schedule[3]);
        a = _mm256_permute4x64_epi64::<0b00_11_10_01>(a);
        c = _mm256_permute4x64_epi64::<0b10_01_00_11>(c);
        d = _mm256_permute4x64_epi64::<0b01_00_11_10>(d);
    }
    for (row, vector) in rows.iter_mut().zip([a, b, c, d]) {
        // SAFETY: as above.
        unsafe { _mm256_storeu_si256(row.as_mut_ptr().cast(), vector) };
    }
}

/// The rotated rows start with the last diagonal.
#[inline]
#[target_feature(enable = "avx2")]
fn scheduled(message: &[u64; 16], order: &[usize; 16]) -> Schedule {
    let pick = |[first, second, third, fourth]: [usize; 4]| {
        let word = |index: usize| message[order[index] & 15].cast_signed();
        _mm256_set_epi64x(word(fourth), word(third), word(second), word(first))
    };
    [pick([0, 2, 4, 6]), pick([1, 3, 5, 7]), pick([14, 8, 10, 12]), pick([15, 9, 11, 13])]
}

/// The four mixings of a half round, one in each lane.
#[inline]
#[target_feature(enable = "avx2")]
fn mix(
    mut a: __m256i,
    mut b: __m256i,
    mut c: __m256i,
    mut d: __m256i,
    x: __m256i,
    y: __m256i,
) -> (__m256i, __m256i, __m256i, __m256i) {
    // Which byte each byte comes from, in halves of a vector.
    let by_24 = _mm256_set_epi64x(BY_24 + SECOND_WORD, BY_24, BY_24 + SECOND_WORD, BY_24);
    let by_16 = _mm256_set_epi64x(BY_16 + SECOND_WORD, BY_16, BY_16 + SECOND_WORD, BY_16);
    a = _mm256_add_epi64(_mm256_add_epi64(a, x), b);
    d = _mm256_shuffle_epi32::<0b10_11_00_01>(_mm256_xor_si256(d, a));
    c = _mm256_add_epi64(c, d);
    b = _mm256_shuffle_epi8(_mm256_xor_si256(b, c), by_24);
    a = _mm256_add_epi64(_mm256_add_epi64(a, y), b);
    d = _mm256_shuffle_epi8(_mm256_xor_si256(d, a), by_16);
    c = _mm256_add_epi64(c, d);
    b = _mm256_xor_si256(b, c);
    b = _mm256_xor_si256(_mm256_srli_epi64::<63>(b), _mm256_add_epi64(b, b));
    (a, b, c, d)
}
