//! Cairn's VM against Ethereum's official tests: what the runner `conformance` and the benchmark share.
