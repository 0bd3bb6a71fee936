//! `eth_*`: what Ethereum's tools ask, answered for the account side of the ledger.

mod access_list;
mod accounts;
mod blocks;
pub mod call;
mod fees;
mod fill;
mod logs;
mod node;
mod proof;
mod raw;
mod send;
mod simulate;
mod state;

pub use blocks::{FullBlock, head, pending_transaction};
pub use raw::by_hash as raw_transaction;
pub use state::syncing_status;

use super::base::Method;

pub const TABLES: &[&[Method]] = &[
    accounts::METHODS,
    state::METHODS,
    proof::METHODS,
    blocks::METHODS,
    call::METHODS,
    access_list::METHODS,
    simulate::METHODS,
    fees::METHODS,
    fill::METHODS,
    node::METHODS,
    raw::METHODS,
    send::METHODS,
    logs::METHODS,
];
