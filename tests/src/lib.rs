//! What the end-to-end tests and benchmarks share: real processes in throw-away directories.
//!
//! The binaries are those that `scripts/test.sh` built beside the test itself; nothing here knows the node's insides.

mod chain;
mod contracts;
mod cost;
mod keys;
mod load;
mod maker;
mod members;
mod network;
mod node;
mod port;
mod rpc;
mod setting;
mod sign;
mod socket;
mod wallet;

pub use chain::{chain_file, grind, spec};
pub use contracts::compiled_contracts;
pub use cost::{Cost, measure};
pub use keys::{NamedCoin, TestKey, genesis, send, send_all};
pub use load::Load;
pub use maker::BlockMaker;
pub use members::members;
pub use network::{agree, connect_all, cut, heal, mined_spec, nodes};
pub use node::{Node, NodeOptions, cpu_ticks};
pub use port::Port;
pub use rpc::{Rpc, RpcError};
pub use setting::{argument, setting};
pub use socket::Socket;
pub use wallet::{Outcome, Running, Wallet};

use std::path::PathBuf;

/// Path of a binary of this workspace, built in the same profile as the running test.
///
/// # Panics
/// If it was not built.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.ancestors().find(|folder| folder.join(name).is_file());
    folder.unwrap_or_else(|| panic!("{name} is not built: run `make test`")).join(name)
}

/// How hints name a binary that is not in the PATH: its folder may have a blank.
///
/// # Panics
/// If it was not built.
pub fn typed(name: &str) -> String {
    cairn_node::program::quoted(&binary(name).display().to_string())
}

/// Polls until `done` answers, at most `seconds`.
///
/// # Panics
/// If it never does; the message names what was waited for.
pub fn wait_for<T>(what: &str, seconds: u64, mut done: impl FnMut() -> Option<T>) -> T {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(std::time::Instant::now() < end, "waited {seconds} s in vain for {what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
