//! Account transactions: Ethereum's envelopes (EIP-2718), types 0 (EIP-155 only), 1, 2 and 4, and their receipts.

mod receipt;
mod rlp;
#[cfg(test)]
mod tests;
mod transaction;

pub use receipt::Receipt;
pub use transaction::{AccountTransaction, Authorization, Fees, Fields, address_of};
