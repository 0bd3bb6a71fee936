//! Tests of the whole store, over both databases.

mod directory;
mod faults;
mod histories;
pub mod lab;
mod logs;
mod prune;
mod queries;
mod speed;
