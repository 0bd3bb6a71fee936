//! AVX2: eight nonces at a time.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_castsi256_ps, _mm256_cmpeq_epi32, _mm256_movemask_ps,
    _mm256_set1_epi32, _mm256_setr_epi32, _mm256_setzero_si256, _mm256_slli_epi32, _mm256_srli_epi32, _mm256_xor_si256,
};

use super::{
    job::{Hit, Job},
    lanes::{self, Lanes},
};

/// # Safety
/// The CPU has AVX2.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn scan(job: &Job, first: u32, count: u32, hits: &mut Vec<Hit>) {
    // SAFETY: the CPU has AVX2, all that `Vector` needs.
    unsafe { lanes::search::<Vector>(job, first, count, hits) }
}

#[derive(Clone, Copy)]
struct Vector(__m256i);

/// Rotations to the right by two numbers and a third rotation or shift, combined by exclusive or. AVX2 has no rotations.
macro_rules! sigma {
    ($x:expr, $one:literal $two:literal rotate $three:literal) => {
        sigma!(@join $x, [$one $two $three], [$one $two $three])
    };
    ($x:expr, $one:literal $two:literal shift $three:literal) => {
        sigma!(@join $x, [$one $two $three], [$one $two])
    };
    (@join $x:expr, [$first:literal $($right:literal)*], [$($left:literal)*]) => {{
        let sum = _mm256_srli_epi32::<$first>($x);
        $(let sum = _mm256_xor_si256(sum, _mm256_srli_epi32::<$right>($x));)*
        $(let sum = _mm256_xor_si256(sum, _mm256_slli_epi32::<{ 32 - $left }>($x));)*
        sum
    }};
}

// SAFETY of the blocks below that have no comment of their own: a `Vector` is made only where the CPU has AVX2, and the
// instructions touch no memory.
impl Lanes for Vector {
    const WIDTH: u32 = 8;

    #[inline(always)]
    unsafe fn splat(word: u32) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { _mm256_set1_epi32(word.cast_signed()) })
    }

    #[inline(always)]
    unsafe fn nonces(first: u32) -> Self {
        let [a, b, c, d, e, f, g, h] =
            [0, 1, 2, 3, 4, 5, 6, 7].map(|lane| first.wrapping_add(lane).swap_bytes().cast_signed());
        // SAFETY: the caller's.
        Self(unsafe { _mm256_setr_epi32(a, b, c, d, e, f, g, h) })
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_add_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn big_sigma0(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { sigma!(self.0, 2 13 rotate 22) })
    }

    #[inline(always)]
    fn big_sigma1(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { sigma!(self.0, 6 11 rotate 25) })
    }

    #[inline(always)]
    fn sigma0(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { sigma!(self.0, 7 18 shift 3) })
    }

    #[inline(always)]
    fn sigma1(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { sigma!(self.0, 17 19 shift 10) })
    }

    #[inline(always)]
    fn choose(self, one: Self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_xor_si256(other.0, _mm256_and_si256(self.0, _mm256_xor_si256(one.0, other.0))) })
    }

    #[inline(always)]
    fn majority(self, second: Self, third: Self) -> Self {
        // SAFETY: see above. The next round's `second ^ third` is this round's `self ^ second`: the compiler keeps it.
        Self(unsafe {
            let (one, two) = (_mm256_xor_si256(self.0, second.0), _mm256_xor_si256(second.0, third.0));
            _mm256_xor_si256(_mm256_and_si256(one, two), second.0)
        })
    }

    #[inline(always)]
    fn zeros(self, mask: Self) -> u32 {
        // SAFETY: see above.
        let signs = unsafe {
            let equal = _mm256_cmpeq_epi32(_mm256_and_si256(self.0, mask.0), _mm256_setzero_si256());
            _mm256_movemask_ps(_mm256_castsi256_ps(equal))
        };
        signs.cast_unsigned()
    }
}
