//! Tests of the whole store, over both databases.

mod directory;
mod faults;
mod histories;
mod history;
pub mod lab;
mod logs;
mod prune;
mod queries;
mod speed;
