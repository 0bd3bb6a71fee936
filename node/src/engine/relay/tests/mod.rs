//! Engines wired to each other, and to peers that mean no good.

mod blocks;
mod headers;
mod hostile;
mod net;
mod sync;
mod transactions;
