//! The protocols, one a file.

pub mod abd;
pub mod paxos;
pub mod register;
pub mod two_phase_commit;
