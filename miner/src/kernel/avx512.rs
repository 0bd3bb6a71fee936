//! AVX-512: sixteen nonces at a time.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_ror_epi32, _mm512_set1_epi32, _mm512_setr_epi32, _mm512_srli_epi32,
    _mm512_ternarylogic_epi32, _mm512_testn_epi32_mask,
};

use super::{
    job::{Hit, Job, Kernel},
    lanes::{self, Lanes},
};

/// Exists only where the CPU has AVX-512.
pub(super) struct Avx512(());

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Self(()))
    }
}

impl Kernel for Avx512 {
    fn name(&self) -> &'static str {
        "avx512"
    }

    fn scan(&self, job: &Job, first: u32, count: u32, hits: &mut Vec<Hit>) {
        // SAFETY: `detect` makes an `Avx512` only if the CPU has AVX-512.
        unsafe { scan(job, first, count, hits) }
    }
}

/// # Safety
/// The CPU has AVX-512.
#[target_feature(enable = "avx512f")]
unsafe fn scan(job: &Job, first: u32, count: u32, hits: &mut Vec<Hit>) {
    // SAFETY: the CPU has AVX-512, all that `Vector` needs.
    unsafe { lanes::search::<Vector>(job, first, count, hits) }
}

#[derive(Clone, Copy)]
struct Vector(__m512i);

/// Truth tables of functions of three bits, as the instruction takes them.
const EXCLUSIVE_OR: i32 = 0x96;
const CHOOSE: i32 = 0xca;
const MAJORITY: i32 = 0xe8;

// SAFETY of the blocks below that have no comment of their own: a `Vector` is made only where the CPU has AVX-512, and the
// instructions touch no memory.
impl Lanes for Vector {
    const WIDTH: u32 = 16;

    #[inline(always)]
    unsafe fn splat(word: u32) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { _mm512_set1_epi32(word.cast_signed()) })
    }

    #[inline(always)]
    unsafe fn nonces(first: u32) -> Self {
        let mut lane = first;
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = [(); 16].map(|()| {
            let word = lane.swap_bytes().cast_signed();
            lane = lane.wrapping_add(1);
            word
        });
        // SAFETY: the caller's.
        Self(unsafe { _mm512_setr_epi32(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) })
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_add_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn big_sigma0(self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            let rotated = (_mm512_ror_epi32::<2>(self.0), _mm512_ror_epi32::<13>(self.0));
            _mm512_ternarylogic_epi32::<EXCLUSIVE_OR>(rotated.0, rotated.1, _mm512_ror_epi32::<22>(self.0))
        })
    }

    #[inline(always)]
    fn big_sigma1(self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            let rotated = (_mm512_ror_epi32::<6>(self.0), _mm512_ror_epi32::<11>(self.0));
            _mm512_ternarylogic_epi32::<EXCLUSIVE_OR>(rotated.0, rotated.1, _mm512_ror_epi32::<25>(self.0))
        })
    }

    #[inline(always)]
    fn sigma0(self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            let rotated = (_mm512_ror_epi32::<7>(self.0), _mm512_ror_epi32::<18>(self.0));
            _mm512_ternarylogic_epi32::<EXCLUSIVE_OR>(rotated.0, rotated.1, _mm512_srli_epi32::<3>(self.0))
        })
    }

    #[inline(always)]
    fn sigma1(self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            let rotated = (_mm512_ror_epi32::<17>(self.0), _mm512_ror_epi32::<19>(self.0));
            _mm512_ternarylogic_epi32::<EXCLUSIVE_OR>(rotated.0, rotated.1, _mm512_srli_epi32::<10>(self.0))
        })
    }

    #[inline(always)]
    fn choose(self, one: Self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_ternarylogic_epi32::<CHOOSE>(self.0, one.0, other.0) })
    }

    #[inline(always)]
    fn majority(self, second: Self, third: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_ternarylogic_epi32::<MAJORITY>(self.0, second.0, third.0) })
    }

    #[inline(always)]
    fn zeros(self, mask: Self) -> u32 {
        // SAFETY: see above.
        u32::from(unsafe { _mm512_testn_epi32_mask(self.0, mask.0) })
    }
}
