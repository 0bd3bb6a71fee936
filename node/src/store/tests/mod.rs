//! Tests of the whole store, over both databases.

mod directory;
mod faults;
mod histories;
mod lab;
mod queries;
mod speed;
