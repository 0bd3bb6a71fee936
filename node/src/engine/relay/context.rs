//! What the parts of the relay work with beside their own state.

use super::peers::Peers;
use crate::engine::{Chain, Outbox, pool::Pool};

/// The rest of the engine, and the peers, while an event is handled.
pub(super) struct Context<'a> {
    pub(super) chain: &'a mut Chain,
    pub(super) pool: &'a mut Pool,
    pub(super) peers: &'a mut Peers,
    pub(super) out: &'a mut Outbox,
}
