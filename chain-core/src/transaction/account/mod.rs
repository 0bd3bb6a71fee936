//! Account transactions: Ethereum's envelopes (EIP-2718), types 0 (EIP-155 only), 1, 2 and 4, and their receipts.

mod fields;
mod receipt;
mod rlp;
#[cfg(test)]
mod tests;
mod transaction;

pub use fields::{Authorization, Fees, Fields};
pub use receipt::Receipt;
pub use transaction::{AccountTransaction, address_of};
