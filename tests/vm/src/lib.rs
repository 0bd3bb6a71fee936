//! Cairn's VM against Ethereum's official tests: what the runner `conformance` and the benchmark share.

pub mod execute;
pub mod fuzz;
pub mod homestead;
pub mod hostile;
pub mod input;
pub mod lenient;
pub mod pool;
pub mod report;
pub mod rlp_test;
pub mod state_test;
pub mod suite;
pub mod trace;
pub mod transaction_test;
pub mod trie_test;
pub mod verdict;
