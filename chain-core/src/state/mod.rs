//! The state: read through a view, written as a diff.

mod effects;
mod empty;
pub mod lthash;
#[cfg(any(test, feature = "testing"))]
mod memory;
mod overlay;
mod view;

pub use crate::error::ViewError;
pub use effects::{AccountChange, BlockEffects, BlockUndo, StorageChange};
pub use empty::EmptyState;
#[cfg(any(test, feature = "testing"))]
pub use memory::MemoryState;
pub(crate) use overlay::slots_of;
pub use overlay::{AccountId, Checkpoint, Diff, Overlay, SlotId};
pub(crate) use view::account_word;
pub use view::{Account, StateView};
