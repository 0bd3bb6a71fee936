//! Specs as TOML.

use super::ChainSpec;

/// Why a text is not a chain spec: which field, what it holds and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Not TOML, a field that is missing or unknown, or a value of the wrong type.
    #[error("{0}")]
    Syntax(String),
    /// A value that is not allowed.
    #[error("{field} = {got}: {allowed}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it holds.
        got: String,
        /// What it may hold.
        allowed: String,
    },
}

impl ChainSpec {
    /// Reads a spec and checks every value.
    ///
    /// # Errors
    /// [`SpecError`] that names the field and what is allowed.
    pub fn from_toml(_text: &str) -> Result<Self, SpecError> {
        todo!()
    }

    /// The spec as TOML that [`ChainSpec::from_toml`] reads back to the same spec.
    pub fn to_toml(&self) -> String {
        todo!()
    }
}
