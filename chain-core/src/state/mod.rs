//! The state: read through a view, written as a diff.

mod effects;
mod empty;
pub mod lthash;
mod overlay;
mod view;

pub use crate::error::ViewError;
#[cfg(any(test, feature = "testing"))]
pub use crate::testing::MemoryState;
pub use effects::{AccountChange, BlockEffects, BlockUndo, StorageChange};
pub use empty::EmptyState;
pub(crate) use overlay::slots_of;
pub use overlay::{AccountId, Checkpoint, Diff, Overlay, SlotId};
pub(crate) use view::account_word;
pub use view::{Account, StateView};
