//! The base fee.
