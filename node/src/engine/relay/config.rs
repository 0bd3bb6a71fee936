//! How the engine deals with peers.

use chain_core::U256;

/// [`RelayConfig::margin`] of a node: the half-life of the difficulty.
const MARGIN: u64 = 288;

/// [`RelayConfig::beside`] of a node: some 15 MB.
const BESIDE: usize = 65_536;

/// How the engine deals with peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayConfig {
    /// All that is chosen at random is drawn from this.
    pub seed: u64,
    /// What peers are told that this program is; at most 64 bytes of printable ASCII.
    pub agent: String,
    /// Headers of less work than this are not stored: a defence of new nodes, which know no better chain yet.
    pub minimum_work: U256,
    /// Blocks' worth of work that a chain may be behind ours and still have its headers stored.
    pub margin: u64,
    /// Headers beside the best ones that are kept for less work than those have.
    pub beside: usize,
}

impl Default for RelayConfig {
    fn default() -> Self {
        let agent = concat!("cairn/", env!("CARGO_PKG_VERSION")).to_owned();
        Self { seed: 0, agent, minimum_work: U256::ZERO, margin: MARGIN, beside: BESIDE }
    }
}
