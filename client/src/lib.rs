//! What programs that ask a node share: the node's commands, the miner and the wallet.

mod cookie;
mod dates;
mod text;

pub use cookie::{Cookie, CookieError, authorization, is_local, well_known};
pub use dates::{civil, utc};
pub use text::{disguises, make_plain, plain};
