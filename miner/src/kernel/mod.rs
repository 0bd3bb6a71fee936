//! Hash kernels: the double SHA-256 of many headers that share their last 16 bytes but for the nonce.
//!
//! A header of 80 bytes is hashed in three blocks. The first depends neither on the nonce nor on the bytes after it and
//! is computed once for each version (a midstate). The second holds the end of the merkle root, time, bits and nonce, so
//! that its message schedule is the same for all versions: a kernel computes it once for a nonce and uses it with each
//! midstate. The third hashes the digest; it ends at round 60, whose `e` is all that the highest word of the hash needs.
//!
//! This folder is the only place of the crate with `unsafe` code: instructions that not every CPU has.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod job;
#[cfg(any(target_arch = "x86_64", test))]
mod lanes;
mod portable;
mod sha256;
#[cfg(target_arch = "x86_64")]
mod sha_ni;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use chain_core::{U256, block::header::Header, hash::BlockHash};

pub use job::{Hit, Job, Kernel, MAX_VERSIONS};

/// A search as [`Kernel::scan`] describes it.
type Scan = unsafe fn(&Job, u32, u32, &mut Vec<Hit>);

/// A kernel whose instructions this CPU has.
struct Detected {
    name: &'static str,
    scan: Scan,
}

impl Kernel for Detected {
    fn name(&self) -> &'static str {
        self.name
    }

    fn scan(&self, job: &Job, first: u32, count: u32, hits: &mut Vec<Hit>) {
        // SAFETY: `kernels` makes one only if the CPU has the instructions.
        unsafe { (self.scan)(job, first, count, hits) }
    }
}

/// The kernels that this CPU can run, the portable one first.
pub fn kernels() -> Vec<Box<dyn Kernel>> {
    let mut kernels: Vec<Box<dyn Kernel>> = Vec::new();
    let mut add = |has: bool, name, scan: Scan| {
        if has {
            kernels.push(Box::new(Detected { name, scan }));
        }
    };
    add(true, "portable", portable::scan);
    #[cfg(target_arch = "x86_64")]
    {
        add(is_x86_feature_detected!("avx2"), "avx2", avx2::scan);
        add(is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1"), "sha-ni", sha_ni::scan);
        add(is_x86_feature_detected!("avx512f"), "avx512", avx512::scan);
    }
    #[cfg(target_arch = "aarch64")]
    add(std::arch::is_aarch64_feature_detected!("sha2"), "armv8-sha", aarch64::scan);
    kernels
}

/// Measurements of each kernel before a choice, taken in turn so that all suffer the same noise.
const TRIALS: usize = 5;

/// The fastest kernel of this CPU, by a measurement of some 20 ms.
pub fn fastest() -> Box<dyn Kernel> {
    let mut kernels = kernels();
    let job = sample(MAX_VERSIONS);
    let mut best = vec![Duration::MAX; kernels.len()];
    for _ in 0..TRIALS {
        for (kernel, best) in kernels.iter().zip(&mut best) {
            let start = Instant::now();
            kernel.scan(&job, 0, 64, &mut Vec::new());
            *best = start.elapsed().min(*best);
        }
    }
    let index = (0..best.len()).min_by_key(|index| best[*index]).unwrap_or(0);
    kernels.swap_remove(index)
}

/// A job for measurements, whose target no hash reaches.
pub fn sample(versions: usize) -> Job {
    let header =
        Header { version: 0, prev: BlockHash([1; 32]), merkle_root: [2; 32], time: 3, bits: 0x1d00_ffff, nonce: 0 };
    Job::new(&header, (0..1 << 20).map(|bits| 0x2000_0000 | bits << 5).take(versions).collect(), &U256::ZERO)
}
