//! The engine on its thread.

mod handle;
mod turns;
