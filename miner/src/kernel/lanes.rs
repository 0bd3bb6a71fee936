//! The search with one nonce in each lane of a vector, for any width.

use super::{
    job::{Hit, Job},
    sha256::{self, INITIAL, K, W4, W15},
};

/// A vector of 32-bit words. The functions that make one are unsafe, so that having one shows that the CPU has the
/// instructions.
pub(super) trait Lanes: Copy {
    /// Number of words.
    const WIDTH: u32;

    /// The same word in each lane.
    ///
    /// # Safety
    /// The CPU has the vector's instructions.
    unsafe fn splat(word: u32) -> Self;

    /// The words of the nonces from `first` on, which wrap: a nonce's word has its bytes reversed.
    ///
    /// # Safety
    /// The CPU has the vector's instructions.
    unsafe fn nonces(first: u32) -> Self;

    /// Sum without carry between lanes.
    fn add(self, other: Self) -> Self;

    /// Σ0 and Σ1 of the rounds, σ0 and σ1 of the schedule.
    fn big_sigma0(self) -> Self;
    fn big_sigma1(self) -> Self;
    fn sigma0(self) -> Self;
    fn sigma1(self) -> Self;

    /// Bits of `one` where `self` has ones, else those of `other`.
    fn choose(self, one: Self, other: Self) -> Self;

    /// The bits that at least two of three have.
    fn majority(self, second: Self, third: Self) -> Self;

    /// One bit for each lane that is zero under a mask.
    fn zeros(self, mask: Self) -> u32;
}

/// `a` and `e` of a round, with constants known to the compiler folded.
macro_rules! round {
    ($s:ident, $a:literal $b:literal $c:literal $d:literal $e:literal $f:literal $g:literal $h:literal, $word:expr) => {
        let first = $s[$h].add($word).add($s[$e].choose($s[$f], $s[$g])).add($s[$e].big_sigma1());
        $s[$d] = $s[$d].add(first);
        $s[$h] = first.add($s[$a].majority($s[$b], $s[$c])).add($s[$a].big_sigma0());
    };
}

/// The same without `a`, which the last rounds do not need.
macro_rules! late_round {
    ($s:ident, $d:literal $e:literal $f:literal $g:literal $h:literal, $word:expr) => {
        let first = $s[$h].add($word).add($s[$e].choose($s[$f], $s[$g])).add($s[$e].big_sigma1());
        $s[$d] = $s[$d].add(first);
    };
}

/// Eight rounds from round `$t` on: the words' names move around once.
macro_rules! eight_rounds {
    ($s:ident, $word:ident, $t:expr) => {
        round!($s, 0 1 2 3 4 5 6 7, $word!($t));
        round!($s, 7 0 1 2 3 4 5 6, $word!($t + 1));
        round!($s, 6 7 0 1 2 3 4 5, $word!($t + 2));
        round!($s, 5 6 7 0 1 2 3 4, $word!($t + 3));
        round!($s, 4 5 6 7 0 1 2 3, $word!($t + 4));
        round!($s, 3 4 5 6 7 0 1 2, $word!($t + 5));
        round!($s, 2 3 4 5 6 7 0 1, $word!($t + 6));
        round!($s, 1 2 3 4 5 6 7 0, $word!($t + 7));
    };
}

/// Searches with vectors of `L`. Always inlined into a function that has the instructions.
///
/// # Safety
/// The CPU has the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn search<L: Lanes>(job: &Job, first: u32, count: u32, hits: &mut Vec<Hit>) {
    // SAFETY: what this function requires.
    let mask = unsafe { L::splat(job.mask) };
    let fixed = sha256::fixed_words(job.tail);
    let mut done = 0;
    while done < count {
        // SAFETY: what this function requires.
        let (nonces, words) = unsafe {
            let nonces = L::nonces(first + done);
            (nonces, schedule(nonces, job.tail[2], fixed))
        };
        for version in 0..job.midstates.len() {
            // SAFETY: what this function requires.
            let last = unsafe {
                let digest = first_hash(nonces, &words, &job.starts[version], &job.midstates[version]);
                second_hash(digest)
            };
            let found = last.zeros(mask);
            if found != 0 {
                note(found, version, first, done..count, hits);
            }
        }
        done = done.saturating_add(L::WIDTH);
    }
}

/// Adds the hits of one vector, without those of lanes beyond the last nonce.
#[cold]
fn note(found: u32, version: usize, first: u32, steps: std::ops::Range<u32>, hits: &mut Vec<Hit>) {
    let lanes = steps.zip(0..u32::BITS).filter(|(_, lane)| found >> lane & 1 == 1);
    hits.extend(lanes.map(|(step, _)| Hit { version, nonce: first + step }));
}

/// Words 16 to 63 of the first hash's schedule, each with its round's constant. Terms that are zero are left out.
///
/// # Safety
/// The CPU has the instructions of `L`.
#[inline(always)]
unsafe fn schedule<L: Lanes>(nonces: L, bits: u32, fixed: [u32; 2]) -> [L; 48] {
    // SAFETY: what this function requires.
    let splat = |word| unsafe { L::splat(word) };
    let mut w = [nonces; 48];
    w[0] = splat(fixed[0]);
    w[1] = splat(fixed[1]);
    w[2] = splat(bits.wrapping_add(sha256::sigma1(fixed[0]))).add(nonces.sigma0());
    w[3] = splat(sha256::sigma0(W4).wrapping_add(sha256::sigma1(fixed[1]))).add(nonces);
    w[4] = splat(W4).add(w[2].sigma1());
    w[5] = w[3].sigma1();
    w[6] = splat(W15).add(w[4].sigma1());
    for t in 7..14 {
        w[t] = w[t - 7].add(w[t - 2].sigma1());
    }
    w[14] = splat(sha256::sigma0(W15)).add(w[7]).add(w[12].sigma1());
    w[15] = splat(W15.wrapping_add(sha256::sigma0(fixed[0]))).add(w[8]).add(w[13].sigma1());
    for t in 16..48 {
        w[t] = w[t - 16].add(w[t - 15].sigma0()).add(w[t - 7]).add(w[t - 2].sigma1());
    }
    for (word, k) in w.iter_mut().zip(&K[16..]) {
        *word = word.add(splat(*k));
    }
    w
}

/// The digest of the first hash.
///
/// # Safety
/// The CPU has the instructions of `L`.
#[inline(always)]
unsafe fn first_hash<L: Lanes>(nonces: L, words: &[L; 48], start: &[u32; 8], midstate: &[u32; 8]) -> [L; 8] {
    // SAFETY: what this function requires.
    let splat = |word| unsafe { L::splat(word) };
    let mut s = start.map(splat);
    s[0] = s[0].add(nonces);
    s[4] = s[4].add(nonces);
    macro_rules! padding {
        ($t:expr) => {
            splat(K[$t].wrapping_add(if $t == 4 {
                W4
            } else if $t == 15 {
                W15
            } else {
                0
            }))
        };
    }
    macro_rules! word {
        ($t:expr) => {
            words[$t - 16]
        };
    }
    eight_rounds!(s, padding, 4);
    round!(s, 0 1 2 3 4 5 6 7, padding!(12));
    round!(s, 7 0 1 2 3 4 5 6, padding!(13));
    round!(s, 6 7 0 1 2 3 4 5, padding!(14));
    round!(s, 5 6 7 0 1 2 3 4, padding!(15));
    round!(s, 4 5 6 7 0 1 2 3, word!(16));
    round!(s, 3 4 5 6 7 0 1 2, word!(17));
    round!(s, 2 3 4 5 6 7 0 1, word!(18));
    round!(s, 1 2 3 4 5 6 7 0, word!(19));
    eight_rounds!(s, word, 20);
    eight_rounds!(s, word, 28);
    eight_rounds!(s, word, 36);
    eight_rounds!(s, word, 44);
    eight_rounds!(s, word, 52);
    round!(s, 0 1 2 3 4 5 6 7, word!(60));
    round!(s, 7 0 1 2 3 4 5 6, word!(61));
    round!(s, 6 7 0 1 2 3 4 5, word!(62));
    round!(s, 5 6 7 0 1 2 3 4, word!(63));
    let end = [s[4], s[5], s[6], s[7], s[0], s[1], s[2], s[3]];
    let mut digest = end;
    for at in 0..8 {
        digest[at] = end[at].add(splat(midstate[at]));
    }
    digest
}

/// The last word of the second hash.
///
/// # Safety
/// The CPU has the instructions of `L`.
#[inline(always)]
unsafe fn second_hash<L: Lanes>(digest: [L; 8]) -> L {
    // SAFETY: what this function requires.
    let splat = |word| unsafe { L::splat(word) };
    let zero = splat(0);
    let [d0, d1, d2, d3, d4, d5, d6, d7] = digest;
    let mut w = [d0, d1, d2, d3, d4, d5, d6, d7, splat(W4), zero, zero, zero, zero, zero, zero, splat(32 * 8)];
    let mut s = INITIAL.map(splat);
    macro_rules! plain {
        ($t:expr) => {
            splat(K[$t]).add(w[$t])
        };
    }
    // The next word takes the place of the one 16 rounds before.
    macro_rules! next {
        ($t:expr) => {{
            w[$t % 16] =
                w[$t % 16].add(w[($t + 1) % 16].sigma0()).add(w[($t + 9) % 16]).add(w[($t + 14) % 16].sigma1());
            splat(K[$t]).add(w[$t % 16])
        }};
    }
    eight_rounds!(s, plain, 0);
    eight_rounds!(s, plain, 8);
    eight_rounds!(s, next, 16);
    eight_rounds!(s, next, 24);
    eight_rounds!(s, next, 32);
    eight_rounds!(s, next, 40);
    eight_rounds!(s, next, 48);
    round!(s, 0 1 2 3 4 5 6 7, next!(56));
    late_round!(s, 2 3 4 5 6, next!(57));
    late_round!(s, 1 2 3 4 5, next!(58));
    late_round!(s, 0 1 2 3 4, next!(59));
    late_round!(s, 7 0 1 2 3, next!(60));
    s[7].add(splat(INITIAL[7]))
}
