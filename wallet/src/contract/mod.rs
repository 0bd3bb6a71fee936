//! Contracts: what compilers write about them, typed calls, and what comes back in words.
//!
//! Types, signatures and the encoding are alloy's; text to values and back, artifacts and messages are here.

mod artifact;
mod interface;
mod outcome;
mod value;

pub use self::{
    artifact::{Artifact, read_artifact},
    interface::{Call, Interface, decoded_call, well_known},
    outcome::{Named, Reason, log_json, named, named_json, reason, show_log, show_named},
};

/// Largest artifact that is read: a build with all its sources.
const MAX_ARTIFACT: u64 = 256 << 20;

/// Why a contract is not deployed or called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// A file that no compiler wrote.
    #[error("{file}: {reason}")]
    Artifact {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Bytecode in which addresses of libraries are missing.
    #[error(
        "the bytecode of {contract} is not linked: it lacks the address of {}; deploy that first, and have the compiler link it (solc --libraries, forge --libraries)",
        .libraries.join(", ")
    )]
    Unlinked {
        /// The contract.
        contract: String,
        /// The libraries, or their placeholders.
        libraries: Vec<String>,
    },
    /// A text that is no signature.
    #[error("'{text}' is not a signature: {reason}; write it like {example}")]
    Signature {
        /// What was written.
        text: String,
        /// What is wrong with it.
        reason: String,
        /// How to write one.
        example: &'static str,
    },
    /// A name without types.
    #[error(
        "'{0}' does not say which types it takes: give the ABI with --abi FILE, or write the types, as in \"{0}(address,uint256) returns (bool)\""
    )]
    Untyped(String),
    /// A function that the ABI does not have.
    #[error("the ABI has no function '{name}'{}", others(.there))]
    NoFunction {
        /// What was asked for.
        name: String,
        /// What there is.
        there: Vec<String>,
    },
    /// A name that several functions have.
    #[error("there are several functions '{name}': say which, as one of {}", .there.join(", "))]
    Overloaded {
        /// The name.
        name: String,
        /// Their signatures.
        there: Vec<String>,
    },
    /// Too many or too few arguments.
    #[error("{signature} takes {}, but {got} given", count(*.expected))]
    Count {
        /// What is called.
        signature: String,
        /// How many it takes.
        expected: usize,
        /// How many there are, with the verb.
        got: String,
    },
    /// An argument that is not of its type.
    #[error("argument {number} of {signature}, '{text}', is not a valid {kind}: {reason}")]
    Argument {
        /// What is called.
        signature: String,
        /// Which argument, from 1.
        number: usize,
        /// What was written.
        text: String,
        /// Its type, and its name where it has one.
        kind: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A value for code that takes none.
    #[error("{0} takes no money: it is not payable, so it would revert")]
    NotPayable(String),
    /// Types that cannot be resolved, or data that does not fit them.
    #[error("{what}: {reason}")]
    Codec {
        /// What was encoded or decoded.
        what: String,
        /// What alloy says.
        reason: String,
    },
    /// The node tried it, and it failed.
    #[error("{what}: {reason}")]
    Reverted {
        /// What was tried.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

fn others(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("; it has {}", names.join(", ")) }
}

fn count(arguments: usize) -> String {
    match arguments {
        0 => "no arguments".into(),
        1 => "1 argument".into(),
        more => format!("{more} arguments"),
    }
}

#[cfg(test)]
mod tests;
