//! Notifications: what happens to the chain and the mempool, told to those who subscribed.
//!
//! One thread, the [`hub`], follows the engine's events and renders each notification once; [`Subscribers`] knows who gets it,
//! and an outbox of each connection sends it as fast as the client reads. Events are a hint only: the hub walks from the block
//! that it has told to the new tip, so that it misses nothing however far it falls behind.

mod activity;
mod filters;
mod hub;
mod id;
mod logs;
mod outbox;
mod path;
mod pending;
mod poll;
mod range;
mod reorgs;
mod subscribe;
mod subscribers;
mod topic;

pub use filters::Filters;
pub use hub::start_hub;
pub use outbox::Held;
pub use subscribe::{CHAIN, COIN, ETH};
pub use subscribers::{Arrival, MOST_OF_CONNECTION, Subscribers};
pub use topic::Topic;
