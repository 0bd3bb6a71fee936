//! Engines wired to each other, and to peers that mean no good.

mod blocks;
mod bodies;
mod download;
mod finality;
mod forms;
mod headers;
mod hostile;
mod keepers;
mod net;
mod price;
mod repair;
mod requests;
mod sync;
mod transactions;
