//! The chain that tests run: trivial difficulty, so that a test mines exactly the blocks it wants.

use chain_core::{block::Block, spec::ChainSpec, work::pow};
use std::path::{Path, PathBuf};

/// A chain on which almost any nonce wins and difficulty hardly moves.
pub fn spec() -> ChainSpec {
    ChainSpec {
        name: "e2e".into(),
        chain_id: 1_337_001,
        hrp: "ecrn".into(),
        target_interval: 1,
        half_life: 10_000_000,
        coinbase_maturity: 100,
        ..ChainSpec::dev()
    }
}

/// Writes a spec where a node can be pointed at it.
///
/// # Panics
/// If the folder cannot be written.
pub fn chain_file(folder: &Path, spec: &ChainSpec) -> PathBuf {
    let path = folder.join("chain.toml");
    std::fs::write(&path, spec.to_toml()).expect("the test's folder can be written");
    path
}

/// Finds the nonce of a block.
///
/// # Panics
/// If the block's bits are not a target, or no nonce wins.
pub fn grind(block: &mut Block) {
    let target = pow::target(block.header.bits).expect("a template's bits are a target");
    let wins = |nonce: &u32| {
        block.header.nonce = *nonce;
        chain_core::U256::from_le_bytes(block.header.hash().0) <= target
    };
    (0..=u32::MAX).find(wins).expect("the difficulty is trivial");
}
