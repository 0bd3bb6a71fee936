//! ARMv8's SHA-256 instructions: two hashes interleaved.

use std::arch::aarch64::{
    uint32x4_t, vaddq_u32, vdupq_n_u32, vgetq_lane_u32, vld1q_u32, vsetq_lane_u32, vsha256h2q_u32, vsha256hq_u32,
    vsha256su0q_u32, vsha256su1q_u32,
};

use super::{
    job::{Hit, Job},
    sha256::{self, INITIAL, K, State, W4, W15},
};

/// Headers hashed together.
const STREAMS: usize = 2;

/// Groups of four rounds of a hash that are left: rounds 4 to 63 of the first, 1 to 60 of the second.
const GROUPS: usize = 15;

/// Words `a` to `d` and `e` to `h`.
type Pair = [uint32x4_t; 2];

/// # Safety
/// The CPU has NEON.
#[target_feature(enable = "neon")]
unsafe fn vector(words: [u32; 4]) -> uint32x4_t {
    // SAFETY: the array has four words.
    unsafe { vld1q_u32(words.as_ptr()) }
}

/// # Safety
/// The CPU has NEON.
#[target_feature(enable = "neon")]
unsafe fn pair([a, b, c, d, e, f, g, h]: State) -> Pair {
    // SAFETY: what this function requires.
    unsafe { [vector([a, b, c, d]), vector([e, f, g, h])] }
}

/// Four rounds.
///
/// # Safety
/// The CPU has the SHA-256 instructions.
#[target_feature(enable = "sha2")]
#[inline]
unsafe fn rounds([abcd, efgh]: Pair, wk: uint32x4_t) -> Pair {
    [vsha256hq_u32(abcd, efgh, wk), vsha256h2q_u32(efgh, abcd, wk)]
}

/// The next four words of a schedule.
///
/// # Safety
/// The CPU has the SHA-256 instructions.
#[target_feature(enable = "sha2")]
#[inline]
unsafe fn next([one, two, three, four]: [uint32x4_t; 4]) -> uint32x4_t {
    vsha256su1q_u32(vsha256su0q_u32(one, two), three, four)
}

/// The schedules of `vectors` with the rounds' constants from `t` on.
///
/// # Safety
/// The CPU has the SHA-256 instructions.
#[target_feature(enable = "sha2")]
#[inline]
unsafe fn schedule(mut v: [uint32x4_t; 4], skip: usize, t: usize) -> [uint32x4_t; GROUPS] {
    let mut words = [v[0]; GROUPS];
    for (group, words) in words.iter_mut().enumerate() {
        let at = (group + skip) % 4;
        if group + skip >= 4 {
            // SAFETY: what this function requires.
            v[at] = unsafe { next([v[at], v[(at + 1) % 4], v[(at + 2) % 4], v[(at + 3) % 4]]) };
        }
        let k = t + 4 * group;
        // SAFETY: what this function requires.
        *words = vaddq_u32(v[at], unsafe { vector([K[k], K[k + 1], K[k + 2], K[k + 3]]) });
    }
    words
}

/// The last word of the second hash of two digests.
///
/// # Safety
/// The CPU has the SHA-256 instructions.
#[target_feature(enable = "sha2")]
unsafe fn second_hashes(digests: [Pair; STREAMS], start: Pair) -> [u32; STREAMS] {
    // SAFETY of all blocks: what this function requires.
    let words = digests.map(|[abcd, efgh]| {
        let [a, b, c, d] = lanes(abcd);
        let [e, f, g, h] = lanes(efgh);
        // Words 1 to 4, 5 to 8, 9 to 12, and 13 to 16, of which the last is the sum of the first's two terms.
        let w16 = a.wrapping_add(sha256::sigma0(b));
        let all = [[b, c, d, e], [f, g, h, W4], [0; 4], [0, 0, 32 * 8, w16]];
        unsafe { schedule(all.map(|words| vector(words)), 0, 1) }
    });
    let mut states = digests.map(|[abcd, _]| {
        let word = vgetq_lane_u32::<0>(abcd);
        let zero = vdupq_n_u32(0);
        [vaddq_u32(start[0], vsetq_lane_u32::<0>(word, zero)), vaddq_u32(start[1], vsetq_lane_u32::<0>(word, zero))]
    });
    for group in 0..GROUPS {
        for (state, words) in states.iter_mut().zip(&words) {
            *state = unsafe { rounds(*state, words[group]) };
        }
    }
    states.map(|[_, efgh]| vgetq_lane_u32::<0>(efgh).wrapping_add(INITIAL[7]))
}

/// The four words of a vector.
///
/// # Safety
/// The CPU has NEON.
#[target_feature(enable = "neon")]
fn lanes(vector: uint32x4_t) -> [u32; 4] {
    [vgetq_lane_u32::<0>(vector), vgetq_lane_u32::<1>(vector), vgetq_lane_u32::<2>(vector), vgetq_lane_u32::<3>(vector)]
}

/// Two versions of one nonce at a time; a single one is hashed twice.
///
/// # Safety
/// The CPU has the SHA-256 instructions.
#[target_feature(enable = "sha2")]
pub(super) unsafe fn scan(job: &Job, first: u32, count: u32, hits: &mut Vec<Hit>) {
    // SAFETY of all blocks: what this function requires.
    let start = unsafe { pair(sha256::round(INITIAL, K[0])) };
    let [w0, w1, w2] = job.tail;
    let last = job.midstates.len() - 1;
    for nonce in (0..count).map(|step| first + step) {
        let word = nonce.swap_bytes();
        let block = [[w0, w1, w2, word], [W4, 0, 0, 0], [0; 4], [0, 0, 0, W15]];
        let words = unsafe { schedule(block.map(|words| vector(words)), 1, 4) };
        let add = vsetq_lane_u32::<0>(word, vdupq_n_u32(0));
        for version in (0..=last).step_by(STREAMS) {
            let at = [version, (version + 1).min(last)];
            let mut states = at.map(|at| {
                let [abcd, efgh] = unsafe { pair(job.starts[at]) };
                [vaddq_u32(abcd, add), vaddq_u32(efgh, add)]
            });
            for wk in words {
                for state in &mut states {
                    *state = unsafe { rounds(*state, wk) };
                }
            }
            for (state, at) in states.iter_mut().zip(at) {
                let [abcd, efgh] = unsafe { pair(job.midstates[at]) };
                *state = [vaddq_u32(state[0], abcd), vaddq_u32(state[1], efgh)];
            }
            let found = unsafe { second_hashes(states, start) };
            let zero = |(_, word): &(usize, u32)| word & job.mask == 0;
            let all = (version..=last).zip(found).filter(zero);
            hits.extend(all.map(|(version, _)| Hit { version, nonce }));
        }
    }
}
