//! The message that a coin transaction's signatures sign.
