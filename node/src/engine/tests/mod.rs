//! The engine on a chain of trivial difficulty, over a database in memory.

mod chain;
pub(crate) mod finality;
mod held;
pub(crate) mod kit;
mod pool;
mod rivals;
mod storage;
mod templates;
