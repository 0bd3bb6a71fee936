//! Contracts: compiler artifacts, typed calls, decoded results.
//!
//! Types, signatures and the encoding are alloy's; text to values and back, artifacts and messages are here.

mod artifact;
mod interface;
mod outcome;
mod value;

pub use self::{
    artifact::{Artifact, read_artifact},
    interface::{Call, Interface, decoded_call, well_known},
    outcome::{log_json, named, named_json, reason, show_log, show_named},
    value::quoted,
};

use cairn_client::counted;

/// Largest artifact that is read: a build with all its sources.
const MAX_ARTIFACT: u64 = 256 << 20;

/// Why a contract is not deployed or called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    #[error("{file}: {reason}")]
    Artifact { file: String, reason: String },
    /// Bytecode in which addresses of libraries are missing.
    #[error(
        "the bytecode of {contract} is not linked: it lacks the address of {}; deploy that first, and have the compiler link it (solc --libraries, forge --libraries)",
        .libraries.join(", ")
    )]
    Unlinked { contract: String, libraries: Vec<String> },
    #[error("'{text}' is not a signature: {reason}; write it like {example}")]
    Signature { text: String, reason: String, example: &'static str },
    /// A name without types.
    #[error(
        "'{0}' does not say which types it takes: give the ABI with --abi FILE, or write the types, as in \"{0}(address,uint256) returns (bool)\""
    )]
    Untyped(String),
    #[error("the ABI has no function '{name}'{}", others(.there))]
    NoFunction { name: String, there: Vec<String> },
    #[error("there are several functions '{name}': say which, as one of {}", .there.join(", "))]
    Overloaded { name: String, there: Vec<String> },
    #[error("{signature} takes {}, but {got} given", count(*.expected))]
    Count { signature: String, expected: usize, got: String },
    #[error("argument {number} of {signature}, '{text}', is not a valid {kind}: {reason}")]
    Argument { signature: String, number: usize, text: String, kind: String, reason: String },
    #[error("{0} takes no money: it is not payable, so it would revert")]
    NotPayable(String),
    /// Types that cannot be resolved, or data that does not fit them.
    #[error("{what}: {reason}")]
    Codec { what: String, reason: String },
    #[error("{what}: {reason}")]
    Reverted { what: String, reason: String },
}

fn others(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("; it has {}", names.join(", ")) }
}

fn count(arguments: usize) -> String {
    if arguments == 0 { "no arguments".into() } else { counted(arguments as u64, "argument") }
}

#[cfg(test)]
mod tests;
