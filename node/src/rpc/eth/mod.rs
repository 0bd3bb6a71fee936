//! `eth_*`: what Ethereum's tools ask, answered for the account side of the ledger.

mod access_list;
mod blocks;
pub mod call;
mod fees;
mod simulate;
mod state;

pub use blocks::pending_transaction;

use super::base::Method;

pub const TABLES: &[&[Method]] =
    &[state::METHODS, blocks::METHODS, call::METHODS, access_list::METHODS, simulate::METHODS, fees::METHODS];
