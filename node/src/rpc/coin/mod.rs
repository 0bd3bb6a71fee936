//! `coin_*`: the coin side of the ledger.

mod coins;
mod history;
mod proof;
mod transactions;

use super::base::Method;

pub const TABLES: &[&[Method]] = &[coins::METHODS, history::METHODS, proof::METHODS, transactions::METHODS];
