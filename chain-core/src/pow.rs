//! Proof of work: compact targets and what they are worth.
