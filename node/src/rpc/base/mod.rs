//! What all methods stand on: parameters in, answers and errors out, and between them the store, the engine and the clock.

pub mod call;
pub mod context;
pub mod error;
pub mod fees;
pub mod history;
pub mod method;
pub mod params;
pub mod read;
pub mod render;
pub mod state;
