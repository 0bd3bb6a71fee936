//! Context-free checks of blocks and transactions, cheapest first.

mod account;
mod block;
mod coin;

pub use account::{AccountRules, IntrinsicGas, check_account_transaction};
pub use block::{
    HashedBlock, check_and_hash_transaction, check_block, check_hashed_block, check_transaction, decode_block,
};
pub use coin::check_coin_transaction;
