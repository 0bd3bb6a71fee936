//! `dev_*`, `evm_*`, `anvil_*`, `hardhat_*`: a development chain on demand, only with `--dev`.
//!
//! Names and parameters are those of Hardhat and Anvil where they have the method. What changes the state is a block:
//! [ADR 19](../../../../docs/adr/0019-development-chains.md).

mod branches;
mod dump;
mod info;
mod mine;
mod params;
mod senders;
mod state;
mod time;

use super::base::Method;

pub const TABLES: &[&[Method]] =
    &[mine::METHODS, time::METHODS, state::METHODS, branches::METHODS, senders::METHODS, info::METHODS, dump::METHODS];
