use chain_core::work::pow;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::{
    lanes::{Lanes, search},
    *,
};

/// Lanes without any CPU's instructions: what all vector kernels share is checked on every machine.
#[derive(Clone, Copy)]
struct Plain([u32; 16]);

impl Plain {
    fn each(self, change: impl Fn(u32) -> u32) -> Self {
        Self(self.0.map(change))
    }

    fn with(self, other: Self, join: impl Fn(u32, u32) -> u32) -> Self {
        Self(std::array::from_fn(|lane| join(self.0[lane], other.0[lane])))
    }
}

impl Lanes for Plain {
    const WIDTH: u32 = 16;

    unsafe fn splat(word: u32) -> Self {
        Self([word; 16])
    }

    unsafe fn nonces(first: u32) -> Self {
        Self(std::array::from_fn(|lane| first.wrapping_add(lane as u32).swap_bytes()))
    }

    fn add(self, other: Self) -> Self {
        self.with(other, u32::wrapping_add)
    }

    fn big_sigma0(self) -> Self {
        self.each(|word| word.rotate_right(2) ^ word.rotate_right(13) ^ word.rotate_right(22))
    }

    fn big_sigma1(self) -> Self {
        self.each(|word| word.rotate_right(6) ^ word.rotate_right(11) ^ word.rotate_right(25))
    }

    fn sigma0(self) -> Self {
        self.each(sha256::sigma0)
    }

    fn sigma1(self) -> Self {
        self.each(sha256::sigma1)
    }

    fn choose(self, one: Self, other: Self) -> Self {
        self.with(one, |mask, word| mask & word).with(self.with(other, |mask, word| !mask & word), |a, b| a | b)
    }

    fn majority(self, second: Self, third: Self) -> Self {
        let both = |one: Self, two: Self| one.with(two, |a, b| a & b);
        both(self, second).with(both(self, third), |a, b| a ^ b).with(both(second, third), |a, b| a ^ b)
    }

    fn zeros(self, mask: Self) -> u32 {
        (0..16).filter(|lane| self.0[*lane] & mask.0[*lane] == 0).map(|lane| 1 << lane).sum()
    }
}

struct PlainLanes;

impl Kernel for PlainLanes {
    fn name(&self) -> &'static str {
        "plain lanes"
    }

    fn scan(&self, job: &Job, first: u32, count: u32, hits: &mut Vec<Hit>) {
        // SAFETY: arrays need no instructions.
        unsafe { search::<Plain>(job, first, count, hits) }
    }
}

fn all() -> Vec<Box<dyn Kernel>> {
    let mut all = kernels();
    all.push(Box::new(PlainLanes));
    all
}

/// What hashing each header whole with `sha2` finds.
fn expected(job: &Job, first: u32, count: u32) -> Vec<Hit> {
    let nonces = (0..count).map(|step| first + step);
    let all = nonces.flat_map(|nonce| (0..job.versions()).map(move |version| Hit { version, nonce }));
    all.filter(|hit| {
        let digest = Sha256::digest(Sha256::digest(job.header(*hit).to_bytes()));
        u32::from_be_bytes([digest[28], digest[29], digest[30], digest[31]]) & job.mask == 0
    })
    .collect()
}

fn found(kernel: &dyn Kernel, job: &Job, first: u32, count: u32) -> Vec<Hit> {
    let mut hits = Vec::new();
    kernel.scan(job, first, count, &mut hits);
    hits.sort_by_key(|hit| (hit.nonce, hit.version));
    hits
}

proptest! {
    #[test]
    fn kernels_find_what_sha2_finds(
        bytes in any::<[u8; 80]>(),
        versions in prop::collection::vec(any::<i32>(), 1..=MAX_VERSIONS),
        zeros in 0_u32..12,
        count in 0_u32..70,
        from_end in any::<bool>(),
    ) {
        let header = Header::from_bytes(&bytes);
        let job = Job::new(&header, versions, &(U256::MAX >> zeros));
        let first = if from_end { 0_u32.wrapping_sub(count) } else { header.nonce.saturating_sub(count) };
        let count = if first == 0 { 0 } else { count };
        let expected = expected(&job, first, count);
        for kernel in all() {
            prop_assert_eq!(found(&*kernel, &job, first, count), &*expected, "{}", kernel.name());
        }
    }
}

#[test]
fn kernels_find_the_nonces_of_bitcoins_headers() {
    let Some(bytes) = cairn_vectors::read("bitcoin-headers-0-5999.bin") else { return };
    let (headers, rest) = bytes.as_chunks::<80>();
    assert_eq!((headers.len(), rest.len()), (6_000, 0));
    for header in headers.iter().map(Header::from_bytes) {
        let target = pow::target(header.bits).unwrap();
        let first = header.nonce.saturating_sub(20);
        let other = header.version ^ 0x40;
        for versions in [vec![header.version], vec![other, other, other, other, header.version, other]] {
            let version = versions.iter().position(|version| *version == header.version).unwrap();
            let job = Job::new(&header, versions, &target);
            for kernel in kernels() {
                let hits = found(&*kernel, &job, first, 41);
                assert!(hits.contains(&Hit { version, nonce: header.nonce }), "{} misses {header:?}", kernel.name());
                assert!(hits.len() <= 2, "{} finds {hits:?}", kernel.name());
            }
        }
    }
}

#[test]
fn a_target_of_zero_or_all_ones_finds_few_or_all() {
    let header = sample(1).header(Hit { version: 0, nonce: 0 });
    for kernel in all() {
        let hits = |target| found(&*kernel, &Job::new(&header, vec![1, 2, 3], &target), u32::MAX - 36, 37);
        assert_eq!(hits(U256::ZERO), [], "{}", kernel.name());
        assert_eq!(hits(U256::MAX).len(), 3 * 37, "{}", kernel.name());
    }
}

#[test]
fn chooses_one_of_the_kernels_by_measurement() {
    let names: Vec<_> = kernels().iter().map(|kernel| kernel.name()).collect();
    assert_eq!(names[0], "portable");
    assert!(names.contains(&fastest().name()));
}
