//! Egalitarian Paxos: no leader; commands that do not conflict are not ordered (Moraru, Andersen and Kaminsky, 2013). With
//! the recovery as published, and that of EPaxos* (Ryabinin, Gotsman and Sutra, arXiv 2511.02743).
//!
//! The process that receives a command of a client coordinates it. What is agreed on for each command is its *dependencies*: the
//! conflicting commands that may come before it. Of two conflicting commands one depends on the other, so all replicas
//! execute them in one order. Of n replicas f may crash, and commands are fast while at most e did; n >= 2f+1 and
//! n >= 2e+f-1.
//!
//! Here commands are transactions of the chain, and those conflict that touch the same coin (`coins.rs`).
//!
//! **Commit** (`commit.rs`)
//! 1. The coordinator sends PreAccept with all conflicting commands it knows.
//! 2. Upon receiving PreAccept, a replica adds those that it knows, and returns the result.
//! 3. Upon receiving PreAcceptOk of n-f, itself included: if n-e added nothing, the coordinator commits, after two message
//!    delays. Otherwise it sends Accept with all of them together.
//! 4. Upon receiving Accept in a ballot not lower than any it takes part in, a replica accepts.
//! 5. Upon receiving AcceptOk of n-f, the coordinator commits.
//!
//! **Recovery** by a replica that waits for a command takes a ballot, as Paxos does, sends Recover, and upon receiving
//! RecoverOk of n-f goes on with what was committed, or was accepted in the highest ballot. If neither was, the command may
//! have been committed fast with the dependencies that its coordinator sent. That is where the two differ:
//!
//! - `published.rs`: if enough replicas pre-accepted the same, that is accepted. A replica keeps one ballot a command, for
//!   what it joined and for what it voted in; so a vote is reported with the ballot of a later Recover, and overrules newer
//!   ones (Sutra, arXiv 1906.10917). The explorer finds two replicas that commit different dependencies.
//! - `star.rs`: the ballots are two, and before dependencies are accepted, a quorum validates that no conflicting command
//!   is committed, or may be, without them. If one is, the command becomes a Nop.

mod coins;
mod commit;
mod instance;
mod published;
mod star;

pub use coins::{conflicts, payments};
pub use commit::Replica;
pub use instance::{EPaxos, Recovery, Timer};

use crate::process::Id;
use std::collections::BTreeMap;

/// A command's number.
pub type Command = u8;
/// A set of commands, as bits.
pub type Commands = u16;
/// A ballot: `k*n + id + 1` belongs to replica `id`; 0 is the coordinator's own.
pub type Ballot = u8;

/// What is agreed on for a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decision {
    /// Whether nothing is executed in its place.
    pub nop: bool,
    /// Its dependencies.
    pub after: Commands,
}

/// How far a command is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Not seen.
    #[default]
    Unknown,
    /// Pre-accepted.
    PreAccepted,
    /// Accepted.
    Accepted,
    /// Committed.
    Committed,
}

/// What a replica knows of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The highest ballot it takes part in.
    pub ballot: Ballot,
    /// The ballot of its last vote.
    pub voted: Ballot,
    /// How far the command is.
    pub phase: Phase,
    /// The dependencies that its coordinator sent, once known.
    pub sent: Option<Commands>,
    /// What is pre-accepted, accepted or committed.
    pub decision: Decision,
}

/// Messages, each about one command.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// A coordinator proposes dependencies.
    PreAccept(Command, Ballot, Commands),
    /// A replica's own, added.
    PreAcceptOk(Command, Ballot, Commands),
    /// Accept this.
    Accept(Command, Ballot, Decision),
    /// Accepted.
    AcceptOk(Command, Ballot),
    /// This is agreed on.
    Commit(Command, Ballot, Decision),
    /// Take part in no lower ballot.
    Recover(Command, Ballot),
    /// I shall not, and this I know.
    RecoverOk(Command, Ballot, Slot),
    /// Does anything speak against these dependencies?
    Validate(Command, Ballot, Commands),
    /// These commands do, of which those in the second set are committed.
    ValidateOk(Command, Ballot, Commands, Commands),
    /// A recovery waits for others; so many pre-accepted what it validates.
    Waiting(Command, u8),
}

/// What a coordinator, or who recovers a command, is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lead {
    /// It waits for PreAcceptOk.
    PreAccepting(BTreeMap<Id, Commands>),
    /// It waits for AcceptOk of these and more.
    Accepting(u16),
    /// It waits for RecoverOk.
    Recovering(BTreeMap<Id, Slot>),
    /// It waits for ValidateOk of the quorum: who answered, who has to, what speaks against, what of it is committed, and
    /// how many pre-accepted.
    Validating {
        /// Who answered.
        answered: u16,
        /// Whose answers are needed.
        quorum: u16,
        /// The dependencies.
        after: Commands,
        /// What speaks against them.
        against: Commands,
        /// What of that is committed.
        committed: Commands,
        /// How many pre-accepted them.
        count: u8,
    },
    /// It waits for the fate of the commands that speak against.
    Waiting {
        /// Who belongs to the quorum.
        quorum: u16,
        /// The dependencies.
        after: Commands,
        /// The commands.
        against: Commands,
    },
}
