//! A case: a state, a block, and transactions that run one after the other.

use alloy_primitives::Address;
use chain_core::{execute::Environment, transaction::account::Fields};
use std::fmt;

use super::world::World;

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Who sends it.
    pub sender: Address,
    /// What it says.
    pub fields: Fields,
}

/// What both machines run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The block.
    pub environment: Environment,
    /// What they meet.
    pub world: World,
    /// In order.
    pub steps: Vec<Step>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}\n{}", self.environment, self.world)?;
        for Step { sender, fields } in &self.steps {
            writeln!(f, "  {sender} sends {fields:?}")?;
        }
        Ok(())
    }
}
