//! Engines wired to each other, and to peers that mean no good.

mod blocks;
mod net;
mod sync;
