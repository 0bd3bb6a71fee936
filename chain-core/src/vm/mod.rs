//! The EVM: runs the code of contracts exactly as Ethereum does.

mod halt;
mod inspect;
pub mod precompiles;

pub use halt::{Halt, Status};
pub use inspect::{FrameEnd, FrameKind, FrameStart, Inspector, Silent, Step};
