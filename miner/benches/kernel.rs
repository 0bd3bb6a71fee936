//! How much faster the kernel is than hashing each header whole: `cargo bench -p cairn-miner`.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use cairn_miner::{Kernel, Midstate};
use chain_core::{U256, block::header::Header, hash::BlockHash};
use sha2::{Digest, Sha256};

/// Hashes of one measurement.
const HASHES: u32 = 200_000;

/// Measurements, taken in turn so that both suffer the same noise.
const ROUNDS: usize = 15;

fn main() {
    let header =
        Header { version: 1, prev: BlockHash([1; 32]), merkle_root: [2; 32], time: 3, bits: 0x1d00_ffff, nonce: 0 };
    let (mut plain, mut kernel) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        plain.push(time(|| digest_twice(black_box(&header))));
        kernel.push(time(|| Midstate.scan(black_box(&header), &U256::ZERO, 0, HASHES)));
    }
    let (plain, kernel) = (median(plain), median(kernel));
    let rate = |time: Duration| f64::from(HASHES) / time.as_secs_f64() / 1e6;
    println!("sha2 digest twice  {:8.3} MH/s on one core", rate(plain));
    println!("{:17}  {:8.3} MH/s on one core", Midstate.name(), rate(kernel));
    println!("ratio              {:8.2}", plain.as_secs_f64() / kernel.as_secs_f64());
}

fn digest_twice(header: &Header) -> Option<u32> {
    let mut bytes = header.to_bytes();
    (0..HASHES).find(|nonce| {
        bytes[76..].copy_from_slice(&nonce.to_le_bytes());
        Sha256::digest(Sha256::digest(bytes)).ends_with(&[0; 8])
    })
}

fn time(work: impl FnOnce() -> Option<u32>) -> Duration {
    let start = Instant::now();
    assert_eq!(black_box(work()), None);
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
