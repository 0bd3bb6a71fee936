//! The state that blocks act on: read through a view, written as a diff.

mod effects;
mod overlay;
mod view;

pub use effects::{AccountChange, BlockEffects, BlockUndo, StorageChange};
pub use overlay::Overlay;
pub(crate) use view::account_word;
pub use view::{Account, StateView, ViewError};
