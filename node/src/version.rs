//! Which cairn-node this is.

pub use cairn_client::VERSION;

/// Name and release, as peers see them.
pub const AGENT: &str = concat!("cairn-node/v", env!("CARGO_PKG_VERSION"));

/// Before the name of a node of `--dev` in `web3_clientVersion`.
pub const DEV_NAME: &str = "anvil/";

/// Name, release, commit and platform, as geth writes them.
pub fn client_version() -> String {
    let commit = VERSION.split_once(" (").and_then(|(_, commit)| commit.strip_suffix(')'));
    let commit = commit.map_or(String::new(), |commit| format!("-{commit}"));
    format!("{AGENT}{commit}/{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}
