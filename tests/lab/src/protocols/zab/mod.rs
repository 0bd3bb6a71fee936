//! Zab, the broadcast of ZooKeeper (Junqueira, Reed and Serafini, "Zab: High-performance broadcast for primary-backup
//! systems", 2011). Channels are first in, first out.
//!
//! A transaction's id, its zxid, is the epoch of the leader that proposed it, times 2^32, plus a counter from 1.
//!
//! **Discovery**
//! 1. Upon Elect, which stands for the choice of an oracle, a follower sends its last accepted epoch to the leader.
//! 2. Upon receiving that from a quorum, the leader sends NewEpoch with a higher epoch to them.
//! 3. Upon receiving NewEpoch with an epoch above the one it accepted, a follower accepts it, obeys no older leader any
//!    more, and returns its log.
//!
//! **Synchronisation**
//! 4. Upon receiving logs of a quorum, the leader takes that of the latest epoch, of these the longest, as its own and
//!    sends it with NewLeader to them.
//! 5. Upon receiving NewLeader of the epoch it accepted, a follower takes the log over and returns AckLeader.
//! 6. Upon receiving AckLeader from a quorum, the leader commits the log and sends CommitLeader to them.
//!
//! **Broadcast**
//! 7. The leader appends a transaction to its log and sends Propose.
//! 8. Upon receiving Propose, a follower appends and returns Ack.
//! 9. Upon receiving Ack from a quorum, in order, the leader commits and sends Commit; followers commit upon receiving it.
//!
//! A follower may come late: it goes through steps 1 to 6 alone while the others broadcast. The text leaves open there
//! what ZooKeeper's `protocol-spec/issues.md` found; each [`Hole`] is a reading that fails.

mod instance;
mod server;

pub use instance::{Hole, Zab};
pub use server::Server;

/// The id of a transaction.
pub type Zxid = u64;

/// An epoch's part of a zxid.
pub fn epoch(zxid: Zxid) -> u64 {
    zxid >> 32
}

/// Messages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// The oracle names the sender leader.
    Elect,
    /// The epoch that a follower accepted last.
    FollowerEpoch(u64),
    /// The epoch of a new leader.
    NewEpoch(u64),
    /// The epoch in which a follower last took over a log, and its log.
    AckEpoch(u64, Vec<Zxid>),
    /// Take over this log.
    NewLeader(u64, Vec<Zxid>),
    /// Taken over.
    AckLeader(u64, Zxid),
    /// Committed up to here.
    CommitLeader(u64, Zxid),
    /// Append this.
    Propose(Zxid),
    /// Appended.
    Ack(Zxid),
    /// Committed.
    Commit(Zxid),
}

/// Timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// The oracle names this server.
    Lead,
    /// A client's transaction comes: the leader appends it.
    Append,
    /// It sends it.
    Send,
}
