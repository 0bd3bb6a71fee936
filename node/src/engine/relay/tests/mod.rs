//! Engines wired to each other, and to peers that mean no good.

mod blocks;
mod bodies;
mod forms;
mod headers;
mod hostile;
mod net;
mod price;
mod requests;
mod sync;
mod transactions;
mod turns;
