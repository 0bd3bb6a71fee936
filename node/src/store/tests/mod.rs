//! Tests of the whole store, over both databases.

mod directory;
mod faults;
mod histories;
mod lab;
mod prune;
mod queries;
mod speed;
