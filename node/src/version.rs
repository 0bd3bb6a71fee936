//! Which cairn-node this is.

/// The release and, where it is known, the commit: `0.1.0 (1a2b3c4d5)`.
pub const VERSION: &str = env!("CAIRN_VERSION");

/// The commit, if it is known.
pub fn commit() -> Option<&'static str> {
    VERSION.split_once(" (")?.1.strip_suffix(')')
}
