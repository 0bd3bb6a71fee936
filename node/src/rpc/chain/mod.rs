//! `chain_*`: blocks, headers and accounts of both ledgers.

mod blocks;
mod coming;
mod finality;
pub mod history;
pub mod logs;
mod status;

pub use blocks::{CONNECTED, submit};

use super::base::Method;

pub const TABLES: &[&[Method]] =
    &[blocks::METHODS, coming::METHODS, finality::METHODS, history::METHODS, logs::METHODS, status::METHODS];
