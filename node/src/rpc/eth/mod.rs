//! `eth_*`: what Ethereum's tools ask, answered for the account side of the ledger.

mod blocks;
pub mod call;
mod fees;
mod state;

pub use blocks::pending_transaction;

use super::base::Method;

pub const TABLES: &[&[Method]] = &[state::METHODS, blocks::METHODS, call::METHODS, fees::METHODS];
