//! Programs that do one thing until their gas is gone: every instruction and precompiled contract, with the arguments that
//! cost most time for their gas.

mod assembler;
mod calls;
mod memory;
mod precompiled;
mod words;

use alloy_primitives::{Address, Bytes};
use cairn_vm_tests::state_test::Genesis;
use chain_core::units::Gas;

pub use assembler::{Code, looped};

/// Gas of a run, unless a program says otherwise.
const GAS: Gas = 4_000_000;

/// A program.
pub struct Program {
    /// Instruction or precompiled contract.
    pub subject: &'static str,
    /// With which arguments.
    pub variant: String,
    /// What runs.
    pub code: Bytes,
    /// Contracts that it meets.
    pub others: Vec<(Address, Genesis)>,
    /// How much gas it may burn.
    pub gas: Gas,
}

impl Program {
    fn new(subject: &'static str, variant: impl Into<String>, code: Vec<u8>) -> Self {
        Self { subject, variant: variant.into(), code: code.into(), others: Vec::new(), gas: GAS }
    }

    fn meeting(mut self, address: Address, code: impl Into<Bytes>) -> Self {
        self.others.push((address, Genesis { nonce: 1, code: code.into(), ..Genesis::default() }));
        self
    }
}

/// All of them.
pub fn all() -> Vec<Program> {
    [words::all(), memory::all(), calls::all(), precompiled::all()].into_iter().flatten().collect()
}
