//! Fast Paxos (Lamport, 2006): proposers send their values to the acceptors themselves, which saves a message delay, unless
//! two of them do so at the same time.
//!
//! Of n acceptors any n-f make a classic quorum, and any n-e a fast one. Round 1 is fast: every acceptor may accept in it
//! whatever comes first.
//!
//! 1. A proposer sends its value to all acceptors.
//! 2. Upon receiving a value in a fast round in which it accepted nothing, an acceptor accepts it and tells the learners.
//! 3. Upon receiving Accepted of the same value from a fast quorum, a learner knows it to be chosen.
//! 4. If a classic quorum accepted different values, there is a collision. *Coordinated* recovery: the coordinator picks a
//!    value and sends Accept for the classic round 2. *Uncoordinated* recovery: every acceptor does so on its own, and
//!    accepts it in round 2, which is fast, too.
//! 5. If nothing happens, acceptor 1 asks all with Prepare for round 3, and sends Accept with its pick upon receiving
//!    Promise of a classic quorum.
//!
//! *What to pick* from the last votes of a classic quorum Q: the value of the highest round k among them, if k is classic.
//! If k is fast, a value may have been chosen in it if all but e of Q voted for it there. Two values may not both be such:
//! any two fast quorums and a classic one have an acceptor in common if n >= 2e+f+1. Two classic quorums need n >= 2f+1.

mod instance;

pub use instance::FastPaxos;

use crate::process::{Id, Outputs, Process, everyone, others};
use std::collections::{BTreeMap, BTreeSet};

/// A value: the id of its proposer.
pub type Value = Id;

/// Messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// A proposer's value.
    Propose(Value),
    /// An acceptor accepted this in a round.
    Accepted(u8, Value),
    /// Take part in no lower round.
    Prepare(u8),
    /// I shall not, and this was my last vote.
    Promise(u8, Option<(u8, Value)>),
    /// Accept this in a classic round.
    Accept(u8, Value),
}

/// Nothing was chosen for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recover;

/// A proposer or an acceptor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// A proposer. It is a learner, too.
    Proposer(Learner),
    /// An acceptor.
    Acceptor(Acceptor),
}

/// What was heard of votes, by round.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Learner {
    me: Id,
    rules: FastPaxos,
    heard: BTreeMap<u8, BTreeMap<Id, Value>>,
    decided: Option<Value>,
}

/// An acceptor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Acceptor {
    learner: Learner,
    round: u8,
    votes: BTreeMap<u8, Value>,
    promises: BTreeMap<Id, Option<(u8, Value)>>,
}

impl Learner {
    /// Step 3.
    fn on_accepted(&mut self, from: Id, round: u8, value: Value, out: &mut Outputs<Part>) {
        let heard = self.heard.entry(round).or_default();
        heard.insert(from, value);
        let count = heard.values().filter(|&&other| other == value).count();
        if count >= self.rules.quorum(round) && self.decided.is_none() {
            self.decided = Some(value);
            out.emit((round, value));
        }
    }
}

impl Acceptor {
    /// Accepts, and tells the learners, itself among them.
    fn vote(&mut self, round: u8, value: Value, out: &mut Outputs<Part>) {
        if round < self.round || self.votes.contains_key(&round) {
            return;
        }
        self.round = round;
        self.votes.insert(round, value);
        let (me, rules) = (self.learner.me, self.learner.rules);
        out.send_all(rules.learners().filter(|&id| id != me), &Message::Accepted(round, value));
        self.on_accepted(me, round, value, out);
    }

    /// Steps 3 and 4.
    fn on_accepted(&mut self, from: Id, round: u8, value: Value, out: &mut Outputs<Part>) {
        let (me, rules) = (self.learner.me, self.learner.rules);
        if me != 0 && rules.coordinated {
            return;
        }
        self.learner.on_accepted(from, round, value, out);
        let heard = &self.learner.heard[&round];
        let different = heard.values().collect::<BTreeSet<_>>().len() > 1;
        let collided = round == 1 && different && heard.len() >= rules.classic();
        if !collided || self.votes.contains_key(&2) {
            return;
        }
        let votes: Vec<_> = heard.values().map(|&value| Some((1, value))).collect();
        if let Some(pick) = rules.pick(&votes) {
            if rules.coordinated {
                out.send_all(others(rules.acceptors, me), &Message::Accept(2, pick));
            }
            self.vote(2, pick, out);
        }
    }

    fn on_promise(&mut self, from: Id, vote: Option<(u8, Value)>, out: &mut Outputs<Part>) {
        self.promises.insert(from, vote);
        let rules = self.learner.rules;
        let votes: Vec<_> = self.promises.values().copied().collect();
        if votes.len() == rules.classic()
            && let Some(pick) = rules.pick(&votes)
        {
            out.send_all(others(rules.acceptors, self.learner.me), &Message::Accept(3, pick));
            self.vote(3, pick, out);
        }
    }
}

impl Process for Part {
    type Message = Message;
    type Timer = Recover;
    type Event = (u8, Value);

    fn on_start(&mut self, out: &mut Outputs<Self>) {
        match self {
            Self::Proposer(Learner { me, rules, .. }) => {
                out.send_all(everyone(rules.acceptors), &Message::Propose(*me))
            }
            Self::Acceptor(acceptor) if acceptor.learner.me == 1 && acceptor.learner.rules.recovers => {
                out.set_timer(Recover, 20);
            }
            Self::Acceptor(_) => {}
        }
    }

    fn on_message(&mut self, from: Id, message: Message, out: &mut Outputs<Self>) {
        match (self, message) {
            (Self::Proposer(learner), Message::Accepted(round, value)) => learner.on_accepted(from, round, value, out),
            (Self::Acceptor(acceptor), message) => match message {
                Message::Propose(value) => acceptor.vote(1, value, out),
                Message::Accepted(round, value) => acceptor.on_accepted(from, round, value, out),
                Message::Accept(round, value) => acceptor.vote(round, value, out),
                // Upon receiving Prepare of a round higher than any before.
                Message::Prepare(round) if round > acceptor.round => {
                    acceptor.round = round;
                    let last = acceptor.votes.last_key_value().map(|(&round, &value)| (round, value));
                    out.send(from, Message::Promise(round, last));
                }
                Message::Promise(round, vote) if round == acceptor.round => acceptor.on_promise(from, vote, out),
                _ => {}
            },
            (Self::Proposer(_), _) => {}
        }
    }

    /// Step 5.
    fn on_timer(&mut self, Recover: Recover, out: &mut Outputs<Self>) {
        let Self::Acceptor(acceptor) = self else { return };
        acceptor.round = 3;
        let last = acceptor.votes.last_key_value().map(|(&round, &value)| (round, value));
        let (me, acceptors) = (acceptor.learner.me, acceptor.learner.rules.acceptors);
        out.send_all(others(acceptors, me), &Message::Prepare(3));
        acceptor.on_promise(me, last, out);
    }
}
