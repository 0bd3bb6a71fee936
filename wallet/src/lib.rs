//! Cairn's wallet: keys from one mnemonic, coin selection, signing and the offline path.
//!
//! It talks JSON-RPC to a node and trusts it with nothing but facts: amounts and locks of the coins spent are part of
//! what is signed, and keys never leave this process.

pub mod build;
pub mod cli;
pub mod contract;
pub mod error;
pub mod fees;
pub mod file;
pub mod funds;
pub mod input;
pub mod keys;
pub mod keystore;
pub mod message;
pub mod money;
pub mod network;
pub mod node;
pub mod request;
pub mod select;
pub mod text;
pub mod vault;
