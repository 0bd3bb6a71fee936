//! Tests of execution. Every block is run twice: by the builder, transaction by transaction, and by `execute_block`;
//! both must agree.

mod account;
mod branches;
mod coin;
mod coinbase;
mod contracts;
mod dev;
mod gateway;
mod lab;
mod properties;
mod special;
