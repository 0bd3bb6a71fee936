//! Zab's servers, the readings of its text that fail, and what must hold.

use super::{Server, Zxid, epoch};
use crate::{
    instance::{Instance, View},
    process::{Id, everyone},
};

/// A reading of the published text that fails when a follower comes late (issues 1 to 3 of ZooKeeper's
/// `protocol-spec/issues.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hole {
    /// Propose goes to those alone that returned AckLeader: what is proposed between a follower's NewLeader and its
    /// AckLeader is missing in its log. It must go to all that were sent NewLeader.
    ProposesToSynchronised,
    /// Propose of a transaction that came with NewLeader is an error. It must be ignored.
    RefusesKnown,
    /// CommitLeader commits up to what AckLeader named: what was committed since is not. It must name the leader's last
    /// commit.
    CommitsAcknowledged,
}

/// Servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Zab {
    /// How many.
    pub servers: usize,
    /// Which of them the oracle names, each once, as bits.
    pub leaders: u32,
    /// How many transactions each leader proposes.
    pub requests: u8,
    /// How the text is misread.
    pub hole: Option<Hole>,
}

impl Instance for Zab {
    type Process = Server;
    type History = ();

    fn processes(&self) -> Vec<Server> {
        let server = |me: Id| {
            let (accepted, current, committed, lead, illegal) = (0, 0, 0, None, None);
            Server { me, rules: *self, accepted, current, log: Vec::new(), committed, lead, illegal }
        };
        everyone(self.servers).map(server).collect()
    }

    fn violation(&self, view: &View<'_, Server>) -> Option<String> {
        let mut longest: &[Zxid] = &[];
        for server in &view.processes {
            if let Some(what) = server.illegal {
                return Some(format!("illegal: {what}"));
            }
            let Some(delivered) = server.log.get(..server.committed) else {
                return Some("total order: a committed transaction is gone from a log".to_owned());
            };
            if !delivered.starts_with(&longest[..longest.len().min(delivered.len())]) {
                return Some(format!("total order: {delivered:x?} and {longest:x?} were delivered"));
            }
            if delivered.len() > longest.len() {
                longest = delivered;
            }
        }
        let follows = |pair: &[Zxid]| match epoch(pair[0]) == epoch(pair[1]) {
            true => pair[1] == pair[0] + 1,
            false => epoch(pair[1]) > epoch(pair[0]) && pair[1] & 0xffff_ffff == 1,
        };
        let ordered = longest.windows(2).all(follows);
        (!ordered).then(|| format!("primary order: {longest:x?} was delivered"))
    }

    /// A leader's transactions are committed by all that are alive.
    fn done(&self, view: &View<'_, Server>) -> bool {
        view.alive().all(|(_, server)| server.committed >= usize::from(self.requests))
    }
}
