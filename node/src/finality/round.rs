//! The votes for one checkpoint, as every node keeps and forwards them: of each member the newest of each kind.

use chain_core::{
    finality::{Certificate, Electorate, Evidence, FinalityError, Kind, Signed, Statement, Verify, Vote, pbft::View},
    hash::BlockHash,
    units::Height,
};
use std::collections::BTreeMap;

use crate::engine::event::Time;

/// Signatures that are verified for one member: in store, and gained each second. A member that lies about views could
/// have all nodes verify and forward without end. Only what it signed is charged, so that nobody else can spend this; who sends
/// forged votes pays for them (`engine/relay/finality.rs`). A view of a hundred members is three votes with 135 signatures at most.
const BUDGET: u64 = 1_024;
const BUDGET_PER_SECOND: u64 = 32;

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
    /// Whether so many signatures may be verified now.
    fn has(&mut self, cost: usize, now: Time) -> bool {
        let gained = now.since(self.at).saturating_mul(BUDGET_PER_SECOND) / 1_000;
        if gained > 0 {
            self.left = self.left.saturating_add(gained).min(BUDGET);
            self.at = now;
        }
        self.left >= cost as u64
    }

    fn spend(&mut self, cost: usize) {
        self.left = self.left.saturating_sub(cost as u64);
    }
}

/// What one member said.
#[derive(Clone, Debug)]
struct Member {
    votes: [Option<Vote>; Kind::ALL.len()],
    budget: Budget,
}

impl Member {
    fn vote(&self, kind: Kind) -> Option<&Vote> {
        self.votes.get(kind as usize)?.as_ref()
    }

    /// What a vote is beside the one of its kind that is known.
    fn compare(&self, vote: &Vote) -> Heard {
        let (view, known) = (vote.statement.view(), self.vote(vote.statement.kind()));
        match known {
            Some(known) if known.statement.view() > view => Heard::Old,
            Some(known) if known.statement.view() == view => match Evidence::of(known, vote) {
                Some(evidence) => Heard::Contradicts(Box::new(evidence)),
                None => Heard::Old,
            },
            _ => Heard::New,
        }
    }

    fn keep(&mut self, vote: &Vote) {
        if let Some(known) = self.votes.get_mut(vote.statement.kind() as usize) {
            *known = Some(vote.clone());
        }
    }
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
    /// [`FinalityError`] if it is invalid: its sender did not check it.
    pub fn hear(
        &mut self,
        vote: &Vote,
        electorate: &Electorate,
        verify: &mut Verify,
        now: Time,
    ) -> Result<Heard, FinalityError> {
        let (number, members) = (vote.signed.member, electorate.rules.count());
        let foreign = FinalityError::Foreign { member: number, members };
        let member = self.members.get_mut(usize::from(number)).ok_or(foreign)?;
        let heard = member.compare(vote);
        if heard == Heard::Old {
            return Ok(Heard::Old);
        }
        if !member.budget.has(vote.cost(), now) {
            return Ok(Heard::Busy);
        }
        vote.check(electorate, verify)?;
        member.budget.spend(vote.cost());
        if heard == Heard::New {
            member.keep(vote);
        }
        Ok(heard)
    }

    /// Takes a vote that this node signed itself.
    pub fn keep(&mut self, vote: &Vote) -> Heard {
        let Some(member) = self.members.get_mut(usize::from(vote.signed.member)) else { return Heard::Old };
        let heard = member.compare(vote);
        if heard == Heard::New {
            member.keep(vote);
        }
        heard
    }

    /// All votes, those that lead a view first.
    pub fn votes(&self) -> impl Iterator<Item = &Vote> {
        Kind::ALL.into_iter().rev().flat_map(|kind| self.of_kind(kind))
    }

    /// Votes of one kind, by member.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Vote> {
        self.members.iter().filter_map(move |member| member.vote(kind))
    }

    /// The newest vote of one kind of one member.
    pub fn vote(&self, member: u8, kind: Kind) -> Option<&Vote> {
        self.members.get(usize::from(member))?.vote(kind)
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
        for vote in self.of_kind(Kind::Finalize) {
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
