//! The protocols, one a file.

pub mod abd;
pub mod epaxos;
pub mod failure_detector;
pub mod fast_paxos;
pub mod flood_set;
pub mod generals;
pub mod herlihy;
pub mod lock_register;
pub mod multi_paxos;
pub mod paxos;
pub mod pbft;
pub mod register;
pub mod sequence_numbers;
pub mod two_phase_commit;
pub mod zab;
