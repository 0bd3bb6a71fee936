//! The precompiled contracts.

use alloy_primitives::{Address, Bytes};

use crate::{execute::Revision, units::Gas};

/// Why a precompiled contract broke off. All its gas is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrecompileError {
    /// The gas does not pay for it.
    OutOfGas,
    /// It refuses the input.
    InvalidInput,
}

/// Gas used and output.
pub type PrecompileResult = Result<(Gas, Bytes), PrecompileError>;

/// Whether a revision has a precompiled contract at an address.
pub fn is_precompile(revision: Revision, address: &Address) -> bool {
    let _ = (revision, address);
    false
}

/// Runs the precompiled contract at an address; `None` if there is none.
pub fn run(revision: Revision, address: &Address, input: &[u8], gas: Gas) -> Option<PrecompileResult> {
    let _ = (revision, address, input, gas);
    None
}
