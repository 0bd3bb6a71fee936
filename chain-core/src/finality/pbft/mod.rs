//! Practical Byzantine fault tolerance (Castro and Liskov, 1999): a log on which 3f+1 replicas agree, of which f may do
//! anything.
//!
//! Views have numbers; replica `v mod n` leads view v. A quorum is 2f+1 replicas: any two have f+1 in common, so at least
//! one correct one.
//!
//! **Normal case** (`replica.rs`)
//! 1. Upon a request, the leader gives it the next sequence number and sends PrePrepare to all.
//! 2. Upon receiving PrePrepare of its view's leader, for a number to which it accepted nothing else in this view, a
//!    replica sends Prepare to all.
//! 3. Upon receiving Prepare of 2f+1, PrePrepare counted, a request is *prepared*: no other can be in this view, since two
//!    quorums share a correct replica. The replica sends Commit to all.
//! 4. Upon receiving Commit of 2f+1, a prepared request is *committed*. Requests are executed in the order of numbers.
//!
//! **Checkpoints** (`checkpoint.rs`). After every few executions a replica sends Checkpoint with a digest of the state to
//! all. Upon receiving 2f+1 that are equal, the checkpoint is stable, and what lies before it is forgotten. Numbers are
//! taken only from a window above the last stable checkpoint, so that a faulty leader cannot use them up.
//!
//! **View change** (`view_change.rs`)
//! 1. When a request is not executed in time, a replica stops taking part in its view and sends ViewChange to all, with
//!    its stable checkpoint and all requests that it prepared, each with the quorum that proves it. Upon receiving
//!    ViewChange of f+1 for higher views, it joins the lowest of them. Once 2f+1 have left for its new view or a higher one
//!    it waits again, twice as long, and then leaves for the next; before, it only repeats its ViewChange.
//! 2. Upon receiving ViewChange of 2f+1, the leader of the new view sends NewView with them to all: for each number the
//!    request prepared in the highest view, and nothing for those between that nobody prepared.
//! 3. Upon receiving NewView, a replica computes the same from the same messages, takes no other result, and goes on as if
//!    these were PrePrepares of the new view.
//!
//! What was committed anywhere was prepared at 2f+1, so a correct replica of every ViewChange quorum reports it.
//!
//! **Catching up** (`catch_up.rs`). A replica that lost patience also asks the others what they executed since, and executes
//! what f+1 of them did.
//!
//! **Restart** (`restart.rs`). A replica keeps to what it told others before.
//!
//! The replica knows no network and no clock: it is handed messages and timeouts and returns effects. Messages are taken
//! to be authentic, and the quorums inside them to be signed: who drives a replica checks signatures.

mod catch_up;
mod checkpoint;
mod message;
mod replica;
mod restart;
mod rules;
mod slot;
mod symmetry;
mod view_change;

pub use message::{Change, Id, Message, Number, Prepared, View};
pub use replica::{Effect, Replica};
pub use restart::Promise;
pub use rules::Rules;
