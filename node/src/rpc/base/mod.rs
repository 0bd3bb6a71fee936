//! What all methods stand on: parameters in, results and errors out, and between them the store, the engine and the clock.

mod addresses;
mod beneficiaries;
mod block_name;
mod call;
mod context;
mod error;
mod fees;
mod history;
mod logs;
mod method;
mod next_blocks;
mod params;
pub mod read;
pub mod render;
mod simulate;
mod state;
mod templates;

pub use addresses::{Addresses, lock_of};
pub use beneficiaries::Beneficiaries;
pub use block_name::{BlockName, BlockTag};
pub use call::{Call, Guard};
pub use context::{Context, NodeInfo};
pub use error::{
    LIMIT, RpcError, RpcResult, cannot, error, in_geths_words, internal, invalid, not_found, not_mined, over_limit,
    rejected, unauthorized, unavailable,
};
pub use fees::{base_fee, base_fee_of_unconnected, effective_price, fee_after};
pub use history::{Page, at_height, cursor, mined_fields, pending_fields};
pub use logs::{AccountList, LogBlocks, LogSearch, LogView, LogsOfBlock, candidates, widest};
pub use method::{Answer, Handler, Method};
pub use next_blocks::NextBlocks;
pub(super) use params::param;
pub use params::{Any, Args, BigQuantity, Count, Data, HexBytes, Object, Options, Param, Quantity};
pub use read::{Found, Spent, coinbase, executed, find, fork_point, header, is_active, parent, receipts, resolve};
pub use render::{Fields, data, quantity};
pub use simulate::{CallRequest, MOST_GAS, Overrides, Simulation, failed, failure, reason};
pub use state::{account, no_header, state_after, state_at};
pub use templates::Templates;
