//! Which cairn-node this is.

/// The release and, where it is known, the commit: `0.1.0 (1a2b3c4d5)`.
pub const VERSION: &str = env!("CAIRN_VERSION");

/// Name and release, as peers see them.
pub const AGENT: &str = concat!("cairn-node/v", env!("CARGO_PKG_VERSION"));

/// Name, release, commit and platform, as geth writes them.
pub fn client_version() -> String {
    let commit = VERSION.split_once(" (").and_then(|(_, commit)| commit.strip_suffix(')'));
    let commit = commit.map_or(String::new(), |commit| format!("-{commit}"));
    format!("{AGENT}{commit}/{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}
