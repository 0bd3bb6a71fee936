//! SHA-NI: six hashes interleaved, three first and three second ones.
//!
//! Two rounds of one hash have a latency of four cycles, but the CPU begins two rounds of some hash each cycle. A first
//! hash, whose schedule is known, needs rounds alone; the schedule of a second one takes other units. Together they fill
//! both, and with six chains none has to be on time.

#![allow(clippy::needless_range_loop, reason = "streams go through several arrays in step")]

use std::arch::{
    asm,
    x86_64::{
        __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_and_si128, _mm_blend_epi16, _mm_castps_si128, _mm_castsi128_ps,
        _mm_cmpeq_epi32, _mm_movemask_ps, _mm_set1_epi32, _mm_setr_epi8, _mm_setr_epi32, _mm_setzero_si128,
        _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32, _mm_shuffle_ps,
        _mm_unpackhi_epi64, _mm_unpacklo_epi32,
    },
};

use super::{
    job::{Hit, Job},
    sha256::{self, INITIAL, K, State, W4, W15},
};

/// First hashes at a time, and second ones.
const STREAMS: usize = 3;

/// Groups of four rounds of a hash that are left: rounds 4 to 63 of the first, 1 to 60 of the second.
const GROUPS: usize = 15;

/// A vector of each stream.
type Streams = [__m128i; STREAMS];

/// States in the order of the instructions: words `f e b a` and `h g d c`, the lowest lane first.
#[derive(Clone, Copy)]
struct States {
    abef: Streams,
    cdgh: Streams,
}

/// Words 4 to 63 of the first hash's schedule with the rounds' constants: in each pair, those of two rounds and of the next
/// two in the lower half.
type Words = [[__m128i; 2]; GROUPS];

/// The constants of a search.
struct Constants {
    /// Those of the rounds: of the first hash from round 4 on, of the second from round 1 on.
    first: [__m128i; GROUPS],
    second: [__m128i; GROUPS],
    /// The second hash's state after round 0, but for word 0 of its message in `a` and `e`.
    start: [__m128i; 2],
    /// Words 16 to 31 of the first hash's schedule, as far as they do not depend on the nonce: see [`schedule`].
    fixed: [__m128i; 4],
}

/// # Safety
/// The CPU has SSE 4.1.
#[target_feature(enable = "sse4.1")]
unsafe fn vector(words: [u32; 4]) -> __m128i {
    let [one, two, three, four] = words.map(u32::cast_signed);
    _mm_setr_epi32(one, two, three, four)
}

/// # Safety
/// The CPU has SSE 4.1.
#[target_feature(enable = "sse4.1")]
unsafe fn pair([a, b, c, d, e, f, g, h]: State) -> [__m128i; 2] {
    // SAFETY: what this function requires.
    unsafe { [vector([f, e, b, a]), vector([h, g, d, c])] }
}

impl Constants {
    /// # Safety
    /// The CPU has SSE 4.1.
    #[target_feature(enable = "sse4.1")]
    unsafe fn new(tail: [u32; 3]) -> Self {
        // SAFETY: what this function requires.
        let group = |t: usize| unsafe { vector([K[t], K[t + 1], K[t + 2], K[t + 3]]) };
        let [w16, w17] = sha256::fixed_words(tail);
        let fixed = [
            // Words 0 to 2, the nonce to come.
            [tail[0], tail[1], tail[2], 0],
            // The rest of words 16 to 19.
            [0, sha256::sigma1(W15), sha256::sigma1(w16), sha256::sigma1(w17)],
            // Words 20 to 23, but for what the four words before add.
            [W4, 0, W15, w16],
            // The terms of words 28 to 31 that are known.
            [0, 0, sha256::sigma0(W15), W15.wrapping_add(sha256::sigma0(w16))],
        ];
        Self {
            first: std::array::from_fn(|at| group(4 + 4 * at)),
            second: std::array::from_fn(|at| group(1 + 4 * at)),
            // SAFETY: what this function requires.
            start: unsafe { pair(sha256::round(INITIAL, K[0])) },
            // SAFETY: what this function requires.
            fixed: fixed.map(|words| unsafe { vector(words) }),
        }
    }
}

/// # Safety
/// The CPU has SHA-NI and SSE 4.1.
#[target_feature(enable = "sha,sse4.1")]
unsafe fn schedule(nonce: u32, constants: &Constants, words: &mut Words) {
    // SAFETY of both blocks: what this function requires.
    let (padding, length) = unsafe { (vector([W4, 0, 0, 0]), vector([0, 0, 0, W15])) };
    let [start, rest16, rest20, rest28] = constants.fixed;
    let start = _mm_blend_epi16::<0xc0>(start, _mm_set1_epi32(nonce.swap_bytes().cast_signed()));
    let w16 = _mm_add_epi32(_mm_sha256msg1_epu32(start, padding), rest16);
    let w20 = _mm_sha256msg2_epu32(rest20, w16);
    let w24 = _mm_sha256msg2_epu32(_mm_alignr_epi8::<4>(w20, w16), w20);
    let w28 = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_alignr_epi8::<4>(w24, w20), rest28), w24);
    let next = |one, two, three, four| {
        let sum = _mm_add_epi32(_mm_sha256msg1_epu32(one, two), _mm_alignr_epi8::<4>(four, three));
        _mm_sha256msg2_epu32(sum, four)
    };
    let w32 = next(w16, w20, w24, w28);
    let w36 = next(w20, w24, w28, w32);
    let w40 = next(w24, w28, w32, w36);
    let w44 = next(w28, w32, w36, w40);
    let w48 = next(w32, w36, w40, w44);
    let w52 = next(w36, w40, w44, w48);
    let w56 = next(w40, w44, w48, w52);
    let w60 = next(w44, w48, w52, w56);
    let zero = _mm_setzero_si128();
    let all = [padding, zero, length, w16, w20, w24, w28, w32, w36, w40, w44, w48, w52, w56, w60];
    for (words, (w, k)) in words.iter_mut().zip(all.iter().zip(&constants.first)) {
        let wk = _mm_add_epi32(*w, *k);
        *words = [wk, _mm_shuffle_epi32::<0x0e>(wk)];
    }
}

/// Two rounds of the first hash in registers `$c` and `$a`; `$half` is 0 or 16.
macro_rules! first_rounds {
    ($group:literal $half:literal, $words:literal, $c:literal $a:literal) => {
        concat!(
            "movdqa xmm0, [",
            $words,
            " + 32*",
            $group,
            " + ",
            $half,
            "]\n",
            "sha256rnds2 xmm",
            $c,
            ", xmm",
            $a,
            "\n",
        )
    };
}

/// The first two rounds of a group of a second hash, whose words are at `$at` of the stream.
macro_rules! second_rounds {
    ($group:literal $at:literal, $stream:literal $wk:literal, $c:literal $a:literal) => {
        concat!(
            "movdqa xmm",
            $wk,
            ", [{v} + 48*",
            $at,
            " + 16*",
            $stream,
            "]\n",
            "paddd xmm",
            $wk,
            ", [{k} + 16*",
            $group,
            "]\n",
            "movdqa xmm0, xmm",
            $wk,
            "\n",
            "sha256rnds2 xmm",
            $c,
            ", xmm",
            $a,
            "\n",
        )
    };
}

/// The other two.
macro_rules! last_rounds {
    ($wk:literal, $c:literal $a:literal) => {
        concat!("pshufd xmm0, xmm", $wk, ", 14\n", "sha256rnds2 xmm", $c, ", xmm", $a, "\n")
    };
}

/// The next four words of a stream's schedule, in the place of the words 16 rounds before.
macro_rules! next {
    ($one:literal $two:literal $three:literal $four:literal, $stream:literal $sum:literal) => {
        concat!(
            "movdqa xmm",
            $sum,
            ", [{v} + 48*",
            $one,
            " + 16*",
            $stream,
            "]\n",
            "sha256msg1 xmm",
            $sum,
            ", [{v} + 48*",
            $two,
            " + 16*",
            $stream,
            "]\n",
            "movdqa xmm0, [{v} + 48*",
            $four,
            " + 16*",
            $stream,
            "]\n",
            "palignr xmm0, [{v} + 48*",
            $three,
            " + 16*",
            $stream,
            "], 4\n",
            "paddd xmm",
            $sum,
            ", xmm0\n",
            "sha256msg2 xmm",
            $sum,
            ", [{v} + 48*",
            $four,
            " + 16*",
            $stream,
            "]\n",
            "movdqa [{v} + 48*",
            $one,
            " + 16*",
            $stream,
            "], xmm",
            $sum,
            "\n",
        )
    };
}

/// Four rounds of all six hashes. The second ones are in xmm1 to xmm6, the first in xmm7 to xmm12.
macro_rules! group {
    ($group:literal $at:literal, $next0:expr, $next1:expr, $next2:expr) => {
        concat!(
            first_rounds!($group 0, "{w0}", 8 7),
            second_rounds!($group $at, 0 13, 2 1),
            first_rounds!($group 0, "{w1}", 10 9),
            second_rounds!($group $at, 1 14, 4 3),
            first_rounds!($group 0, "{w2}", 12 11),
            second_rounds!($group $at, 2 15, 6 5),
            first_rounds!($group 16, "{w0}", 7 8),
            last_rounds!(13, 1 2),
            $next0,
            first_rounds!($group 16, "{w1}", 9 10),
            last_rounds!(14, 3 4),
            $next1,
            first_rounds!($group 16, "{w2}", 11 12),
            last_rounds!(15, 5 6),
            $next2,
        )
    };
    ($group:literal, $one:literal $two:literal $three:literal $four:literal) => {
        group!(
            $group $one,
            next!($one $two $three $four, 0 13),
            next!($one $two $three $four, 1 14),
            next!($one $two $three $four, 2 15)
        )
    };
    ($group:literal, $at:literal) => {
        group!($group $at, "", "", "")
    };
}

/// Rounds 4 to 63 of three first hashes, and the last word of three second ones, in lanes 0 to 2.
///
/// # Safety
/// The CPU has SHA-NI and SSE 4.1.
#[target_feature(enable = "sha,sse4.1")]
#[inline]
unsafe fn pass(digests: &States, first: &mut States, words: [&Words; STREAMS], constants: &Constants) -> __m128i {
    // SAFETY: what this function requires.
    let (padding, lengths) = unsafe { (vector([0, 0, 0, W4]), vector([0, 0, 32 * 8, 0])) };
    let spread = _mm_setr_epi8(-1, -1, -1, -1, 12, 13, 14, 15, -1, -1, -1, -1, 12, 13, 14, 15);
    let mut second = States { abef: [constants.start[0]; STREAMS], cdgh: [constants.start[1]; STREAMS] };
    // Words 1 to 4, 5 to 8, 9 to 12 and 13 to 16 of each stream.
    let mut v = [[_mm_setzero_si128(); STREAMS]; 4];
    for s in 0..STREAMS {
        let (abef, cdgh) = (_mm_castsi128_ps(digests.abef[s]), _mm_castsi128_ps(digests.cdgh[s]));
        v[0][s] = _mm_shuffle_epi32::<0b01_11_10_00>(_mm_castps_si128(_mm_shuffle_ps::<0b10_11_01_10>(abef, cdgh)));
        let fgh = _mm_shuffle_epi32::<0b11_11_10_01>(_mm_castps_si128(_mm_shuffle_ps::<0b00_01_00_00>(abef, cdgh)));
        v[1][s] = _mm_blend_epi16::<0xc0>(fgh, padding);
        v[3][s] = _mm_blend_epi16::<0xc0>(lengths, _mm_sha256msg1_epu32(digests.abef[s], v[0][s]));
        second.abef[s] = _mm_add_epi32(second.abef[s], _mm_shuffle_epi8(digests.abef[s], spread));
    }
    // SAFETY: the CPU has the instructions. All memory that is read or written is in `v`, `words` and the constants, at
    // offsets within them and at addresses that are multiples of 16.
    unsafe {
        asm!(
            group!(0, 0 1 2 3), group!(1, 1 2 3 0), group!(2, 2 3 0 1), group!(3, 3 0 1 2),
            group!(4, 0 1 2 3), group!(5, 1 2 3 0), group!(6, 2 3 0 1), group!(7, 3 0 1 2),
            group!(8, 0 1 2 3), group!(9, 1 2 3 0), group!(10, 2 3 0 1),
            group!(11, 3), group!(12, 0), group!(13, 1), group!(14, 2),
            v = in(reg) v.as_mut_ptr(),
            k = in(reg) constants.second.as_ptr(),
            w0 = in(reg) words[0],
            w1 = in(reg) words[1],
            w2 = in(reg) words[2],
            inout("xmm1") second.abef[0], inout("xmm2") second.cdgh[0],
            inout("xmm3") second.abef[1], inout("xmm4") second.cdgh[1],
            inout("xmm5") second.abef[2], inout("xmm6") second.cdgh[2],
            inout("xmm7") first.abef[0], inout("xmm8") first.cdgh[0],
            inout("xmm9") first.abef[1], inout("xmm10") first.cdgh[1],
            inout("xmm11") first.abef[2], inout("xmm12") first.cdgh[2],
            out("xmm0") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
            options(nostack, preserves_flags),
        );
    }
    // Lane 1 of each: `e`.
    let [one, two, three] = second.abef;
    let words = _mm_unpackhi_epi64(_mm_unpacklo_epi32(one, two), _mm_unpacklo_epi32(three, three));
    _mm_add_epi32(words, _mm_set1_epi32(INITIAL[7].cast_signed()))
}

/// Bits of the streams whose word is zero under a mask.
///
/// # Safety
/// The CPU has SSE 4.1.
#[target_feature(enable = "sse4.1")]
unsafe fn zeros(words: __m128i, mask: u32) -> u32 {
    let masked = _mm_and_si128(words, _mm_set1_epi32(mask.cast_signed()));
    _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(masked, _mm_setzero_si128()))).cast_unsigned()
}

/// States of three versions each; the last of an uneven number is repeated.
///
/// # Safety
/// The CPU has SSE 4.1.
#[target_feature(enable = "sse4.1")]
unsafe fn threes(states: &[State]) -> Vec<States> {
    let three = |chunk: &[State]| {
        // SAFETY: what this function requires.
        let pairs = [0, 1, 2].map(|s| unsafe { pair(chunk[s.min(chunk.len() - 1)]) });
        States { abef: pairs.map(|pair| pair[0]), cdgh: pairs.map(|pair| pair[1]) }
    };
    states.chunks(STREAMS).map(three).collect()
}

/// Second hashes follow the first ones of the same headers by one pass.
struct Pipeline<'a> {
    constants: &'a Constants,
    mask: u32,
    digests: States,
    /// The first of the headers whose first hash is done.
    done: Option<Hit>,
}

impl Pipeline<'_> {
    /// Begins three headers, of which `first` is the first, and returns the three before with a bit for each hit.
    ///
    /// # Safety
    /// The CPU has SHA-NI and SSE 4.1.
    #[target_feature(enable = "sha,sse4.1")]
    #[inline]
    unsafe fn push(
        &mut self,
        first: Hit,
        mut states: States,
        midstates: &States,
        words: [&Words; STREAMS],
    ) -> Option<(Hit, u32)> {
        // SAFETY: what this function requires.
        let found = unsafe { zeros(pass(&self.digests, &mut states, words, self.constants), self.mask) };
        for s in 0..STREAMS {
            self.digests.abef[s] = _mm_add_epi32(states.abef[s], midstates.abef[s]);
            self.digests.cdgh[s] = _mm_add_epi32(states.cdgh[s], midstates.cdgh[s]);
        }
        let done = self.done.replace(first);
        if found == 0 { None } else { Some((done?, found)) }
    }
}

/// # Safety
/// The CPU has SHA-NI and SSE 4.1.
#[target_feature(enable = "sha,sse4.1")]
pub(super) unsafe fn scan(job: &Job, first: u32, count: u32, hits: &mut Vec<Hit>) {
    // SAFETY of all blocks: what this function requires.
    let (constants, starts, midstates) =
        unsafe { (Constants::new(job.tail), threes(&job.starts), threes(&job.midstates)) };
    let zero = _mm_setzero_si128();
    let digests = States { abef: [zero; STREAMS], cdgh: [zero; STREAMS] };
    let mut pipeline = Pipeline { constants: &constants, mask: job.mask, digests, done: None };
    let mut words = [[[zero; 2]; GROUPS]; STREAMS];
    let versions = job.midstates.len();
    let end = u64::from(first) + u64::from(count);
    let mut note = |(hit, found): (Hit, u32)| {
        let header = |s: usize| match versions {
            1 => Hit { nonce: hit.nonce.wrapping_add(s as u32), ..hit }, // below 3
            _ => Hit { version: hit.version + s, ..hit },
        };
        // Those beyond the last version or nonce were hashed to fill up three.
        let found = (0..STREAMS).filter(|s| found >> s & 1 == 1).map(header);
        hits.extend(
            found.filter(|hit| hit.version < versions && (first..).contains(&hit.nonce) && u64::from(hit.nonce) < end),
        );
    };
    if versions == 1 {
        for nonce in (0..count).step_by(STREAMS).map(|step| first + step) {
            let mut states = starts[0];
            for s in 0..STREAMS {
                let nonce = nonce.wrapping_add(s as u32); // below 3
                states.abef[s] = _mm_add_epi32(states.abef[s], unsafe { nonce_word(nonce) });
                unsafe { schedule(nonce, &constants, &mut words[s]) };
            }
            let own = [&words[0], &words[1], &words[2]];
            unsafe { pipeline.push(Hit { version: 0, nonce }, states, &midstates[0], own) }.map(&mut note);
        }
    } else {
        for nonce in (0..count).map(|step| first + step) {
            let word = unsafe { nonce_word(nonce) };
            unsafe { schedule(nonce, &constants, &mut words[0]) };
            for (at, (start, midstates)) in starts.iter().zip(&midstates).enumerate() {
                let states = States { abef: start.abef.map(|abef| _mm_add_epi32(abef, word)), cdgh: start.cdgh };
                let hit = Hit { version: STREAMS * at, nonce };
                unsafe { pipeline.push(hit, states, midstates, [&words[0]; STREAMS]) }.map(&mut note);
            }
        }
    }
    // The last second hashes.
    let states = pipeline.digests;
    unsafe { pipeline.push(Hit { version: 0, nonce: first }, states, &midstates[0], [&words[0]; STREAMS]) }
        .map(&mut note);
}

/// A nonce's word in the lanes of `e` and `a`.
///
/// # Safety
/// The CPU has SSE 4.1.
#[target_feature(enable = "sse4.1")]
unsafe fn nonce_word(nonce: u32) -> __m128i {
    let word = nonce.swap_bytes();
    // SAFETY: what this function requires.
    unsafe { vector([0, word, 0, word]) }
}
