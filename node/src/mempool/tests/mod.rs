//! The pool over a state in memory, without signatures.

mod accounts;
mod chains;
mod coming;
mod lab;
mod limits;
mod replace;
mod shares;
