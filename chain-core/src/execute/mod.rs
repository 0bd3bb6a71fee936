//! Executing a block against a state.
