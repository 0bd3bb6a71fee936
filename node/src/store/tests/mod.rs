//! Tests of the whole store, over both databases.

mod bench;
mod directory;
mod faults;
mod histories;
mod lab;
mod queries;
mod speed;
