//! The `sha2` crate's block function, on any CPU.

use sha2::block_api::compress256;

use super::{
    job::{Hit, Job},
    sha256,
};

/// One nonce at a time.
pub(super) fn scan(job: &Job, first: u32, count: u32, hits: &mut Vec<Hit>) {
    // The padding of a message of 80 bytes, and of the digest of 32.
    let mut rest = [0; 64];
    for (bytes, word) in rest.chunks_exact_mut(4).zip(job.tail) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    rest[16..20].copy_from_slice(&sha256::W4.to_be_bytes());
    rest[60..].copy_from_slice(&sha256::W15.to_be_bytes());
    let mut digest = [0; 64];
    digest[32] = 0x80;
    digest[62..].copy_from_slice(&(32 * 8_u16).to_be_bytes());

    for nonce in (0..count).map(|step| first + step) {
        rest[12..16].copy_from_slice(&nonce.to_le_bytes());
        for (version, midstate) in job.midstates.iter().enumerate() {
            let mut state = *midstate;
            compress256(&mut state, &[rest]);
            for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
                bytes.copy_from_slice(&word.to_be_bytes());
            }
            let mut state = sha256::INITIAL;
            compress256(&mut state, &[digest]);
            if state[7] & job.mask == 0 {
                hits.push(Hit { version, nonce });
            }
        }
    }
}
