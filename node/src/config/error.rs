//! Why settings cannot be used.

use std::path::PathBuf;

/// A setting that cannot be used. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The configuration file or a chain spec cannot be read.
    #[error("cannot read {}: {reason}", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The log file cannot be written.
    #[error("cannot write the log file {}: {reason}; choose another with --log.file", .path.display())]
    LogFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The configuration file is not what it should be.
    #[error("{}, line {line}: {reason}", .path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// No chain has this name.
    #[error("unknown chain {0:?}: expected main, test, local, devnet, dev or a TOML file that exists")]
    UnknownChain(String),
    /// `--dev` with another chain.
    #[error("--dev runs the dev chain, not {0:?}: leave out one of --dev and --chain")]
    DevChain(String),
    /// A chain spec is wrong.
    #[error("chain spec {}: {reason}", .path.display())]
    Spec {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file with the id of a development chain is not what it should be.
    #[error("{}: {reason}; choose another directory with --datadir, or remove this one", .path.display())]
    ChainId {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A flag has a value that is not allowed.
    #[error("{flag} {value}: {allowed}")]
    Value {
        /// Which flag.
        flag: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// There is no home directory to put data into.
    #[error("no home directory is known (HOME is not set): say with --datadir where to keep the data")]
    NoHome,
}

impl ConfigError {
    /// A setting with a value that it may not have.
    pub(super) fn value(flag: &'static str, value: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self::Value { flag, value: value.into(), allowed: allowed.into() }
    }
}
