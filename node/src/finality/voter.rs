//! A member's vote: drives the replica of [`pbft`] with the votes of a [`Round`], and signs what it says.
//!
//! Knows no clock, disk or network. [`Voter::step`] looks at all votes of the round and takes what it did not take before, so
//! that votes may come in any order, twice, or after a restart. What it says is handed out together with the [`Promise`] that
//! must be on disk first.

use chain_core::{
    finality::{
        Change, Electorate, Kind, Lock, Signed, Statement, Vote,
        pbft::{self, Effect, Id, Message, Number, Prepared, Replica, View},
    },
    hash::BlockHash,
};
use secp256k1::Keypair;
use std::{collections::BTreeMap, sync::Arc};

use super::{promise::Promise, round::Round};
use crate::engine::event::Time;

/// Milliseconds that a member waits for a checkpoint in the first view: a proposal, two rounds of votes.
const PATIENCE: u64 = 3_000;
/// How often that doubles: at most 48 s.
pub(super) const DOUBLINGS: u32 = 4;

/// The only number that a replica agrees on: there is a replica for each checkpoint.
const NUMBER: Number = 1;

/// With what a member left for a view.
#[derive(Clone, Debug)]
struct Left {
    view: View,
    change: Change,
    lock: Option<Lock>,
}

/// A member that votes on one checkpoint.
#[derive(Debug)]
pub struct Voter {
    electorate: Arc<Electorate>,
    pair: Keypair,
    member: Id,
    replica: Replica<BlockHash>,
    promise: Promise,
    /// The block that it may vote for.
    eligible: Option<BlockHash>,
    /// Signatures of what members accepted in its view.
    accepted: BTreeMap<Id, (BlockHash, Signed)>,
    /// The view that `accepted` is of.
    view: View,
    left: BTreeMap<Id, Left>,
    /// How often the first patience doubles in view 0.
    patience: u32,
    deadline: Option<Time>,
    said: Vec<Vote>,
}

impl Voter {
    /// A member that begins, or goes on after a restart, with what it has promised. Its patience doubles so often in view 0.
    pub fn new(
        electorate: Arc<Electorate>,
        (pair, member): (Keypair, Id),
        promise: Promise,
        patience: u32,
        now: Time,
    ) -> Self {
        let rules = pbft::Rules { window: NUMBER, ..electorate.rules.agreement(promise.height) };
        let replica = Replica::new(member, rules);
        let mut voter = Self {
            electorate,
            pair,
            member,
            replica,
            promise,
            eligible: None,
            accepted: BTreeMap::new(),
            view: 0,
            left: BTreeMap::new(),
            patience,
            deadline: None,
            said: Vec::new(),
        };
        voter.resume(now);
        voter
    }

    /// Says again what it has said, and keeps to it.
    fn resume(&mut self, now: Time) {
        let Promise { view, changing, accepted, prepared, finalized, .. } = self.promise.clone();
        if let Some((_, hash)) = accepted.filter(|(accepted, _)| *accepted == view && !changing) {
            self.accept(view, hash);
        }
        if let Some(lock) = prepared.as_ref().filter(|lock| lock.view == view && !changing) {
            self.say(Statement::Commit { view, hash: lock.hash });
        }
        if let Some(hash) = finalized {
            self.say(Statement::Finalize { hash });
        }
        let prepared = prepared.as_ref().map(prepared_by);
        let mut effects = Vec::new();
        self.replica.resume(pbft::Promise { view, changing, number: NUMBER, accepted, prepared }, &mut effects);
        self.apply(effects, now);
    }

    /// When it loses patience, if nothing happens.
    pub fn deadline(&self) -> Option<Time> {
        self.deadline
    }

    /// What it wants said, and what must be on disk before.
    pub fn take(&mut self) -> Option<(&Promise, Vec<Vote>)> {
        let said = std::mem::take(&mut self.said);
        (!said.is_empty()).then_some((&self.promise, said))
    }

    /// Looks at the votes of the round, at the block that it may vote for now, and at the time.
    pub fn step(&mut self, round: &Round, eligible: Option<BlockHash>, now: Time) {
        self.propose(eligible, now);
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            let mut effects = Vec::new();
            self.replica.on_timeout(&mut effects);
            self.apply(effects, now);
        }
        // Votes that lead to another view make others count.
        loop {
            let before = (self.replica.view(), self.replica.is_changing());
            self.hear_changes(round, now);
            self.hear_new_views(round, now);
            self.hear_accepted(round, now);
            self.hear_commits(round, now);
            self.hear_final(round, now);
            if before == (self.replica.view(), self.replica.is_changing()) {
                return;
            }
        }
    }

    /// FIN-3: only this block may be voted for, unless a quorum has prepared another one already.
    fn propose(&mut self, eligible: Option<BlockHash>, now: Time) {
        if self.eligible == eligible {
            return;
        }
        self.eligible = eligible;
        self.replica.withdraw();
        let mut effects = Vec::new();
        eligible.into_iter().for_each(|hash| self.replica.on_request(hash, &mut effects));
        self.apply(effects, now);
    }

    fn hear(&mut self, from: Id, message: Message<BlockHash>, now: Time) {
        let mut effects = Vec::new();
        self.replica.on_message(from, message, &mut effects);
        self.apply(effects, now);
    }

    fn hear_changes(&mut self, round: &Round, now: Time) {
        let me = self.member;
        for vote in round.of_kind(Kind::ViewChange).filter(|vote| vote.signed.member != me) {
            let Statement::ViewChange { view, prepared } = &vote.statement else { continue };
            let is_known = self.left.get(&vote.signed.member).is_some_and(|left| left.view >= *view);
            if is_known || *view < self.replica.view() {
                continue;
            }
            self.note_left(*view, vote.signed, prepared.clone());
            let change = change(prepared.as_ref());
            self.hear(vote.signed.member, Message::ViewChange(*view, change), now);
        }
    }

    fn note_left(&mut self, view: View, signed: Signed, lock: Option<Lock>) {
        let change = Change { prepared: lock.as_ref().map(Lock::summary), signed };
        self.left.insert(signed.member, Left { view, change, lock });
    }

    fn hear_new_views(&mut self, round: &Round, now: Time) {
        let me = self.member;
        for vote in round.of_kind(Kind::NewView).filter(|vote| vote.signed.member != me) {
            let Statement::NewView { view, changes, prepared } = &vote.statement else { continue };
            let is_late = *view < self.replica.view() || (*view == self.replica.view() && !self.replica.is_changing());
            // The leader's signature of the block that the view begins with belongs into a proof.
            let leader = round.vote(vote.signed.member, Kind::Prepare).map(|vote| &vote.statement);
            let carried = prepared.as_ref().map(|lock| Statement::Prepare { view: *view, hash: lock.hash });
            if is_late || carried.as_ref().is_some_and(|carried| leader != Some(carried)) {
                continue;
            }
            let of = |left: &Change| {
                (left.signed.member, change(prepared.as_ref().filter(|lock| left.prepared == Some(lock.summary()))))
            };
            let requests = prepared.iter().map(|lock| (NUMBER, Some(lock.hash))).collect();
            // What was prepared earlier than the newest does not count, so that its proof may be left out.
            self.enter(*view);
            if let Some(carried) = carried.and_then(|carried| carried.hash()) {
                let signed = round.vote(vote.signed.member, Kind::Prepare).map(|vote| vote.signed);
                self.accepted.extend(signed.map(|signed| (signed.member, (carried, signed))));
            }
            self.hear(vote.signed.member, Message::NewView(*view, changes.iter().map(of).collect(), requests), now);
        }
    }

    fn hear_accepted(&mut self, round: &Round, now: Time) {
        let view = self.replica.view();
        if self.replica.is_changing() {
            return;
        }
        self.enter(view);
        let leader = self.replica.rules().leader(view);
        self.hear_leader(round, leader, now);
        // After a restart in the middle: a proof needs the leader's signature.
        let has_accepted = self.promise.accepted.is_some_and(|(accepted, _)| accepted == view);
        if has_accepted && !self.accepted.contains_key(&leader) {
            return;
        }
        let me = self.member;
        for vote in round.of_kind(Kind::Prepare).filter(|vote| ![leader, me].contains(&vote.signed.member)) {
            if let Some(hash) = self.takes(vote, view) {
                self.accepted.insert(vote.signed.member, (hash, vote.signed));
                self.hear(vote.signed.member, Message::Prepare(view, NUMBER, Some(hash)), now);
            }
        }
    }

    /// What the leader of the view proposes.
    fn hear_leader(&mut self, round: &Round, leader: Id, now: Time) {
        let view = self.replica.view();
        let vote = round.vote(leader, Kind::Prepare).filter(|_| leader != self.member);
        let Some((vote, hash)) = vote.and_then(|vote| Some((vote, self.takes(vote, view)?))) else { return };
        // FIN-3
        if self.eligible == Some(hash) || self.promise.accepted == Some((view, hash)) {
            self.accepted.insert(leader, (hash, vote.signed));
            self.hear(leader, Message::PrePrepare(view, NUMBER, Some(hash)), now);
        }
    }

    /// The block that a vote accepts in this view, if that was not heard yet.
    fn takes(&self, vote: &Vote, view: View) -> Option<BlockHash> {
        let is_new = vote.statement.view() == view && !self.accepted.contains_key(&vote.signed.member);
        vote.statement.hash().filter(|_| is_new)
    }

    fn hear_commits(&mut self, round: &Round, now: Time) {
        let (view, me) = (self.replica.view(), self.member);
        for vote in round.of_kind(Kind::Commit).filter(|vote| vote.signed.member != me) {
            let Some(hash) = vote.statement.hash().filter(|_| vote.statement.view() == view) else { continue };
            self.hear(vote.signed.member, Message::Commit(view, NUMBER, Some(hash)), now);
        }
    }

    /// Of f+1 that call a block final one is correct, and knows that it is decided. Without this, a member that lost patience just
    /// before the last commits came would wait alone for a new view, for the others have decided.
    fn hear_final(&mut self, round: &Round, now: Time) {
        let me = self.member;
        for vote in round.of_kind(Kind::Finalize).filter(|vote| vote.signed.member != me) {
            self.hear(vote.signed.member, Message::Executed(NUMBER, vote.statement.hash()), now);
        }
    }

    /// Signatures of other views prove nothing in this one.
    fn enter(&mut self, view: View) {
        if self.view != view {
            self.view = view;
            self.accepted.clear();
        }
    }

    fn apply(&mut self, effects: Vec<Effect<BlockHash>>, now: Time) {
        for effect in effects {
            match effect {
                Effect::Broadcast(message) => self.broadcast(message),
                Effect::SetTimer(doubled) => {
                    let doublings = doubled.saturating_add(self.patience).min(DOUBLINGS);
                    self.deadline = Some(now.after(PATIENCE << doublings));
                }
                Effect::StopTimer => self.deadline = None,
                Effect::Execute(_, Some(hash)) => self.finalize(hash),
                // There is one number: nothing is missed, and nothing fills a gap.
                Effect::Execute(_, None) | Effect::Send(..) => {}
            }
        }
        self.promise.view = self.replica.view();
        self.promise.changing = self.replica.is_changing();
    }

    fn broadcast(&mut self, message: Message<BlockHash>) {
        match message {
            Message::PrePrepare(view, NUMBER, Some(hash)) | Message::Prepare(view, NUMBER, Some(hash)) => {
                self.accept(view, hash);
            }
            Message::Commit(view, NUMBER, Some(hash)) => {
                // Without the proof it could not keep to what it commits.
                if let Some(proof) = self.proof(view, hash) {
                    self.promise.prepared = Some(proof);
                    self.say(Statement::Commit { view, hash });
                }
            }
            Message::ViewChange(view, _) => {
                let prepared = self.promise.prepared.clone();
                let signed = self.say(Statement::ViewChange { view, prepared: prepared.clone() });
                self.note_left(view, signed, prepared);
            }
            Message::NewView(view, changes, requests) => self.begin(view, changes.into_keys(), &requests),
            // The checkpoint is a certificate, and who missed it gets that.
            Message::Checkpoint(..) | Message::Fetch(_) | Message::Executed(..) => {}
            Message::PrePrepare(..) | Message::Prepare(..) | Message::Commit(..) => {}
        }
    }

    fn accept(&mut self, view: View, hash: BlockHash) {
        self.promise.accepted = Some((view, hash));
        let signed = self.say(Statement::Prepare { view, hash });
        self.enter(view);
        self.accepted.insert(self.member, (hash, signed));
    }

    /// The signatures of a quorum that accepted a block in this view.
    fn proof(&self, view: View, hash: BlockHash) -> Option<Lock> {
        let of_block = self.accepted.values().filter(|(accepted, _)| *accepted == hash).map(|(_, signed)| *signed);
        let signatures: Vec<Signed> = of_block.take(self.electorate.rules.quorum()).collect();
        (self.view == view && signatures.len() == self.electorate.rules.quorum()).then_some(Lock {
            view,
            hash,
            signatures,
        })
    }

    /// Leads a new view, with what a quorum left for it.
    fn begin(&mut self, view: View, members: impl Iterator<Item = Id>, requests: &BTreeMap<Number, Option<BlockHash>>) {
        let carried = requests.get(&NUMBER).copied().flatten();
        let left: Vec<&Left> =
            members.filter_map(|member| self.left.get(&member)).filter(|left| left.view == view).collect();
        let newest = left.iter().filter_map(|left| left.lock.as_ref()).max_by_key(|lock| lock.view).cloned();
        let quorum = self.electorate.rules.quorum();
        let newest_first = |left: &&Left| {
            newest.is_some() && left.lock.as_ref().map(Lock::summary) == newest.as_ref().map(Lock::summary)
        };
        // Exactly a quorum, and one of those who prepared the newest among them.
        let (with, without): (Vec<&Left>, Vec<&Left>) = left.into_iter().partition(newest_first);
        let mut changes: Vec<Change> = with.into_iter().chain(without).take(quorum).map(|left| left.change).collect();
        changes.sort_by_key(|change| change.signed.member);
        self.say(Statement::NewView { view, changes, prepared: newest });
        if let Some(hash) = carried {
            self.accept(view, hash);
        }
    }

    fn finalize(&mut self, hash: BlockHash) {
        // What it called final before a restart stands.
        if self.promise.finalized.is_none() {
            self.promise.finalized = Some(hash);
            self.say(Statement::Finalize { hash });
        }
    }

    fn say(&mut self, statement: Statement) -> Signed {
        let vote = Vote::sign(&self.electorate, self.promise.height, statement, self.member, &self.pair);
        let signed = vote.signed;
        self.said.push(vote);
        signed
    }
}

fn prepared_by(lock: &Lock) -> Prepared<BlockHash> {
    let signers = lock.signatures.iter().map(|signed| signed.member).collect();
    Prepared { view: lock.view, request: Some(lock.hash), signers }
}

fn change(lock: Option<&Lock>) -> pbft::Change<BlockHash> {
    let prepared = lock.iter().map(|lock| (NUMBER, prepared_by(lock))).collect();
    pbft::Change { stable: 0, prepared }
}
