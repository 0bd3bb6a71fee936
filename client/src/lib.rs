//! What programs that ask a node share: the node's commands, the miner and the wallet.

mod cookie;
mod dates;
mod fault;
mod numbers;
mod silence;
mod suggest;
mod text;
pub mod typed_data;
mod variables;

/// The release of all programs and, where it is known, the commit: `0.1.0 (1a2b3c4d5)`.
pub const VERSION: &str = env!("CAIRN_VERSION");

pub use cookie::{Cookie, CookieError, authorization, is_local, well_known};
pub use dates::{DAY, civil, days_of, unix, utc};
pub use fault::{bounded, fault};
pub use numbers::{counted, hash_rate};
pub use silence::Silence;
pub use suggest::suggest_flag;
pub use text::{disguises, make_plain, plain};
pub use variables::without_empty;
