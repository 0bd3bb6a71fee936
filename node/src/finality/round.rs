//! The votes for one checkpoint, as every node keeps and forwards them: of each member the newest of each kind.

use chain_core::{
    finality::{Certificate, Electorate, Evidence, Signed, Statement, Vote, VoteError, pbft::View},
    hash::BlockHash,
    units::Height,
};
use std::collections::BTreeMap;

use crate::engine::event::Time;

/// Signatures that are verified for one member: in store, and gained each second. A member that lies about views could
/// have all nodes verify and forward without end.
const BUDGET: u64 = 1_024;
const BUDGET_PER_SECOND: u64 = 256;

/// What became of a vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is new and worth forwarding.
    New,
    /// It says nothing new: known, overtaken by a later one, or of a checkpoint that is not voted on now.
    Old,
    /// Its member votes more than it should: not looked at.
    Busy,
    /// It contradicts another one.
    Contradicts(Box<Evidence>),
}

/// How much of a member's votes is verified.
#[derive(Clone, Debug)]
struct Budget {
    left: u64,
    at: Time,
}

impl Budget {
    fn take(&mut self, cost: usize, now: Time) -> bool {
        let gained = now.since(self.at).saturating_mul(BUDGET_PER_SECOND) / 1_000;
        if gained > 0 {
            self.left = self.left.saturating_add(gained).min(BUDGET);
            self.at = now;
        }
        let Some(left) = self.left.checked_sub(cost as u64) else { return false };
        self.left = left;
        true
    }
}

/// What one member said.
#[derive(Clone, Debug)]
struct Member {
    votes: [Option<Vote>; Statement::KINDS],
    budget: Budget,
}

/// The votes for one checkpoint.
#[derive(Clone, Debug)]
pub struct Round {
    height: Height,
    members: Vec<Member>,
}

impl Round {
    /// Nobody has voted yet.
    pub fn new(height: Height, count: u8, now: Time) -> Self {
        let member = Member { votes: Default::default(), budget: Budget { left: BUDGET, at: now } };
        Self { height, members: vec![member; usize::from(count)] }
    }

    /// Height of the checkpoint.
    pub fn height(&self) -> Height {
        self.height
    }

    /// Takes a vote for this checkpoint, after checks from cheap to expensive.
    ///
    /// # Errors
    /// [`VoteError`] if it is invalid: its sender did not check it.
    pub fn hear(&mut self, vote: &Vote, electorate: &Electorate, now: Time) -> Result<Heard, VoteError> {
        let (number, members) = (vote.signed.member, electorate.rules.count());
        let foreign = VoteError::Foreign { member: number, members };
        let member = self.members.get_mut(usize::from(number)).ok_or(foreign)?;
        let known = &mut member.votes[vote.statement.kind()];
        let evidence = match known {
            Some(known) if known.statement.view() > vote.statement.view() => return Ok(Heard::Old),
            Some(known) if known.statement.view() == vote.statement.view() => match Evidence::of(known, vote) {
                Some(evidence) => Some(evidence),
                None => return Ok(Heard::Old),
            },
            _ => None,
        };
        if !member.budget.take(vote.cost(), now) {
            return Ok(Heard::Busy);
        }
        vote.check(electorate)?;
        if let Some(evidence) = evidence {
            return Ok(Heard::Contradicts(Box::new(evidence)));
        }
        *known = Some(vote.clone());
        Ok(Heard::New)
    }

    /// All votes, those that lead a view first.
    pub fn votes(&self) -> impl Iterator<Item = &Vote> {
        (0..Statement::KINDS).rev().flat_map(|kind| self.of_kind(kind))
    }

    /// Votes of one kind, by member.
    pub fn of_kind(&self, kind: usize) -> impl Iterator<Item = &Vote> {
        self.members.iter().filter_map(move |member| member.votes.get(kind)?.as_ref())
    }

    /// The newest vote of one kind of one member.
    pub fn vote(&self, member: u8, kind: usize) -> Option<&Vote> {
        self.members.get(usize::from(member))?.votes.get(kind)?.as_ref()
    }

    /// The latest view that a quorum of members has reached, as their votes tell.
    pub fn view(&self, quorum: usize) -> View {
        let latest = |member: &Member| member.votes.iter().flatten().map(|vote| vote.statement.view()).max();
        let mut views: Vec<View> = self.members.iter().map(|member| latest(member).unwrap_or(0)).collect();
        views.sort_unstable();
        views.into_iter().rev().nth(quorum.saturating_sub(1)).unwrap_or(0)
    }

    /// The certificate, once enough members call one block final.
    pub fn certificate(&self, quorum: usize) -> Option<Certificate> {
        let mut signatures: BTreeMap<BlockHash, Vec<Signed>> = BTreeMap::new();
        for vote in self.members.iter().flat_map(|member| member.votes.iter().flatten()) {
            if let Statement::Finalize { hash } = vote.statement {
                signatures.entry(hash).or_default().push(vote.signed);
            }
        }
        let (hash, mut signatures) = signatures.into_iter().find(|(_, signatures)| signatures.len() >= quorum)?;
        // FIN-2: exactly so many.
        signatures.truncate(quorum);
        Some(Certificate { height: self.height, hash, signatures })
    }
}
