//! Transactions that are tried on the state of a block and leave no trace: what `eth_call` and its kin stand on.

mod access_list;
mod overrides;
mod request;
mod revert;
mod simulation;
mod state;

pub use overrides::Overrides;
pub use request::CallRequest;
pub use revert::{failed, failure, reason};
pub use simulation::{MOST_GAS, Simulation};
