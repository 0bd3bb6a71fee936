//! The engine: chain, orphans and mempool as one synchronous state machine, and the thread that drives it.
//!
//! [`Engine::handle`] takes an event and the time and answers with actions; it knows no clock, thread or socket, so that
//! a simulator drives the very same code. [`EngineHandle`] is what the rest of the node talks to.

mod error;
mod event;
mod handle;

pub use crate::mempool::{RemovalReason, SubmitError};
pub use error::{OpenError, SubmitBlockError, TemplateError};
pub use event::{
    Action, BlockOutcome, ChainInfo, ChainTip, Event, NodeEvent, PeerId, Reply, Source, Ticket, TipStatus,
};
pub use handle::{EngineHandle, HeaderInfo, Stopped, TestedTransaction};
