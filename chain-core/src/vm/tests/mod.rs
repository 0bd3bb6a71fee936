//! Tests of the machine by small programs. What Ethereum's official tests cover thoroughly is only touched here, once a rule.

mod access;
pub(crate) mod assembler;
mod calls;
mod creation;
pub(crate) mod delegation;
mod instructions;
mod kit;
mod reads;
mod storage;
mod watched;
