//! Cairn's wallet: keys from one mnemonic, coin selection, signing and the offline path.
//!
//! It talks JSON-RPC to a node and trusts it with nothing but facts: amounts and locks of the coins spent are part of
//! what is signed, and keys never leave this process.

pub mod cli;
mod coins;
mod contract;
mod draft;
mod error;
mod fees;
mod keystore;
mod message;
mod node;
mod payment;
mod select;
mod text;

// Public for the tests in wallet/tests alone.
#[doc(hidden)]
pub mod file;
#[doc(hidden)]
pub mod input;
#[doc(hidden)]
pub mod keys;
#[doc(hidden)]
pub mod money;
#[doc(hidden)]
pub mod network;
#[doc(hidden)]
pub mod own;
#[doc(hidden)]
pub mod vault;
