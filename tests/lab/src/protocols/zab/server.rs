//! A server: follower, and leader if the oracle names it.

use super::{Hole, Message, Timer, Zab, Zxid, epoch};
use crate::process::{Id, Outputs, Process, majority, others};
use std::collections::{BTreeMap, BTreeSet};

/// A leader's knowledge of its followers, itself included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Lead {
    epochs: BTreeMap<Id, u64>,
    epoch: u64,
    logs: BTreeMap<Id, (u64, Vec<Zxid>)>,
    synchronised: BTreeSet<Id>,
    acks: BTreeMap<Zxid, BTreeSet<Id>>,
    sent: usize,
    requests: u8,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    pub(super) me: Id,
    pub(super) rules: Zab,
    pub(super) accepted: u64,
    pub(super) current: u64,
    pub(super) log: Vec<Zxid>,
    pub(super) committed: usize,
    pub(super) lead: Option<Lead>,
    /// A message that must not come.
    pub(super) illegal: Option<&'static str>,
}

impl Server {
    fn quorum(&self) -> usize {
        majority(self.rules.servers)
    }

    /// Step 2.
    fn on_follower_epoch(&mut self, from: Id, accepted: u64, out: &mut Outputs<Self>) {
        let (quorum, log) = (self.quorum(), (self.current, self.log.clone()));
        let Some(lead) = &mut self.lead else { return };
        lead.epochs.insert(from, accepted);
        if lead.epoch > 0 {
            return out.send(from, Message::NewEpoch(lead.epoch));
        }
        if lead.epochs.len() == quorum {
            lead.epoch = lead.epochs.values().max().map_or(1, |highest| highest + 1);
            self.accepted = lead.epoch;
            lead.logs.insert(self.me, log);
            let followers = lead.epochs.keys().copied().filter(|&id| id != self.me);
            out.send_all(followers.collect::<Vec<_>>(), &Message::NewEpoch(lead.epoch));
        }
    }

    /// Step 3.
    fn on_new_epoch(&mut self, from: Id, epoch: u64, out: &mut Outputs<Self>) {
        if epoch > self.accepted {
            self.accepted = epoch;
            self.lead = None;
            out.send(from, Message::AckEpoch(self.current, self.log.clone()));
        }
    }

    /// Step 4. One that comes late gets the log as it is now.
    fn on_ack_epoch(&mut self, from: Id, current: u64, log: Vec<Zxid>, out: &mut Outputs<Self>) {
        let (me, quorum) = (self.me, self.quorum());
        let Some(lead) = &mut self.lead else { return };
        if lead.epoch != self.accepted {
            return;
        }
        lead.logs.insert(from, (current, log));
        let is_established = self.current == lead.epoch;
        if !is_established && lead.logs.len() >= quorum {
            let best = lead.logs.values().max_by_key(|(current, log)| (*current, log.last().copied()));
            self.log = best.map(|(_, log)| log.clone()).unwrap_or_default();
            self.current = lead.epoch;
            lead.sent = self.log.len();
            lead.synchronised.insert(me);
            let followers: Vec<Id> = lead.logs.keys().copied().filter(|&id| id != me).collect();
            out.send_all(followers, &Message::NewLeader(lead.epoch, self.log.clone()));
        } else if is_established {
            out.send(from, Message::NewLeader(lead.epoch, self.log.clone()));
        }
    }

    /// Step 5.
    fn on_new_leader(&mut self, from: Id, epoch: u64, log: Vec<Zxid>, out: &mut Outputs<Self>) {
        if epoch == self.accepted {
            self.current = epoch;
            self.log = log;
            out.send(from, Message::AckLeader(epoch, self.log.last().copied().unwrap_or(0)));
        }
    }

    /// Step 6.
    fn on_ack_leader(&mut self, from: Id, epoch: u64, last: Zxid, out: &mut Outputs<Self>) {
        let (quorum, hole) = (self.quorum(), self.rules.hole);
        let Some(lead) = self.lead.as_mut().filter(|lead| lead.epoch == epoch) else { return };
        let is_new = lead.synchronised.insert(from);
        if !is_new || lead.synchronised.len() < quorum {
            return;
        }
        if lead.synchronised.len() == quorum {
            self.committed = self.committed.max(lead.sent);
            if self.rules.requests > 0 {
                out.set_timer(Timer::Append, 1);
            }
        }
        let newest = self.committed.checked_sub(1).map_or(0, |at| self.log[at]);
        let upto = if hole == Some(Hole::CommitsAcknowledged) { last } else { newest };
        let followers = lead.synchronised.iter().copied().filter(|&id| id != self.me);
        let told = followers.filter(|&id| lead.synchronised.len() == quorum || id == from).collect::<Vec<_>>();
        out.send_all(told, &Message::CommitLeader(epoch, upto));
    }

    /// Step 8.
    fn on_propose(&mut self, from: Id, zxid: Zxid, out: &mut Outputs<Self>) {
        if epoch(zxid) != self.accepted || self.current != self.accepted {
            return;
        }
        if self.log.contains(&zxid) {
            // It came with NewLeader already.
            if self.rules.hole == Some(Hole::RefusesKnown) {
                self.illegal = Some("Propose of a transaction that is in the log");
            }
            return out.send(from, Message::Ack(zxid));
        }
        self.log.push(zxid);
        out.send(from, Message::Ack(zxid));
    }

    /// Step 9, at the leader.
    fn on_ack(&mut self, from: Id, zxid: Zxid, out: &mut Outputs<Self>) {
        let (me, quorum) = (self.me, self.quorum());
        let Some(lead) = self.lead.as_mut().filter(|lead| lead.epoch == epoch(zxid)) else { return };
        lead.acks.entry(zxid).or_insert_with(|| BTreeSet::from([me])).insert(from);
        while let Some(next) = self.log.get(self.committed)
            && lead.acks.get(next).is_some_and(|acks| acks.len() >= quorum)
        {
            let followers = lead.synchronised.iter().copied().filter(|&id| id != me).collect::<Vec<_>>();
            out.send_all(followers, &Message::Commit(*next));
            out.emit(*next);
            self.committed += 1;
        }
    }

    /// Step 9, at a follower: what is committed is next in its log.
    fn on_commit(&mut self, zxid: Zxid, out: &mut Outputs<Self>) {
        if epoch(zxid) != self.accepted || self.current != self.accepted {
            return;
        }
        match self.log.iter().position(|&known| known == zxid) {
            None => self.illegal = Some("Commit of a transaction that is not in the log"),
            Some(at) if at > self.committed => self.illegal = Some("Commit of a transaction before an earlier one"),
            Some(at) => {
                self.committed = self.committed.max(at + 1);
                out.emit(zxid);
            }
        }
    }
}

impl Process for Server {
    type Message = Message;
    type Timer = Timer;
    type Event = Zxid;

    fn on_start(&mut self, out: &mut Outputs<Self>) {
        if self.rules.leaders >> self.me & 1 == 1 {
            out.set_timer(Timer::Lead, 20 * u64::from(self.me));
        }
    }

    fn on_message(&mut self, from: Id, message: Message, out: &mut Outputs<Self>) {
        match message {
            Message::Elect => out.send(from, Message::FollowerEpoch(self.accepted)),
            Message::FollowerEpoch(accepted) => self.on_follower_epoch(from, accepted, out),
            Message::NewEpoch(epoch) => self.on_new_epoch(from, epoch, out),
            Message::AckEpoch(current, log) => self.on_ack_epoch(from, current, log, out),
            Message::NewLeader(epoch, log) => self.on_new_leader(from, epoch, log, out),
            Message::AckLeader(epoch, last) => self.on_ack_leader(from, epoch, last, out),
            Message::CommitLeader(epoch, upto) if epoch == self.accepted && upto > 0 => {
                let at = self.log.iter().position(|&known| known == upto);
                self.committed = self.committed.max(at.map_or(0, |at| at + 1));
            }
            Message::CommitLeader(..) => {}
            Message::Propose(zxid) => self.on_propose(from, zxid, out),
            Message::Ack(zxid) => self.on_ack(from, zxid, out),
            Message::Commit(zxid) => self.on_commit(zxid, out),
        }
    }

    fn on_timer(&mut self, timer: Timer, out: &mut Outputs<Self>) {
        let servers = self.rules.servers;
        match (timer, &mut self.lead) {
            (Timer::Lead, _) => {
                let epochs = BTreeMap::from([(self.me, self.accepted)]);
                self.lead = Some(Lead { epochs, requests: self.rules.requests, ..Lead::default() });
                out.send_all(others(servers, self.me), &Message::Elect);
            }
            // Step 7 in two steps: between them a follower may come.
            (Timer::Append, Some(lead)) if self.current == lead.epoch => {
                let last = self.log.last().copied().filter(|&last| epoch(last) == lead.epoch);
                self.log.push(last.unwrap_or(lead.epoch << 32) + 1);
                out.set_timer(Timer::Send, 0);
            }
            (Timer::Send, Some(lead)) => {
                let to = match self.rules.hole {
                    Some(Hole::ProposesToSynchronised) => lead.synchronised.clone(),
                    _ => lead.logs.keys().copied().collect(),
                };
                let zxid = self.log[lead.sent];
                lead.sent += 1;
                lead.requests -= 1;
                if lead.requests > 0 {
                    out.set_timer(Timer::Append, 1);
                }
                out.send_all(to.into_iter().filter(|&id| id != self.me), &Message::Propose(zxid));
            }
            _ => {}
        }
    }
}
