//! Finality in a node: the newest certificate, the votes for the next checkpoint, evidence, and the vote of this node's own
//! member, if it has one.
//!
//! Knows no chain, disk or network: the engine's chain says which block may be voted for and takes over certificates
//! (`engine/chain/finality.rs`), the relay carries messages (`engine/relay/finality.rs`). What is kept is bounded by the number
//! of members.

mod key;
mod promise;
mod record;
mod round;
#[cfg(test)]
mod tests;
mod voter;

pub use key::{KeyError, MemberKey};
pub use promise::Promise;
pub use record::{Record, RecordError};
pub use round::{Heard, Round};

use chain_core::{
    finality::{Certificate, Electorate, Evidence, FinalityError, Kind, Verify, Vote},
    hash::BlockHash,
    spec::ChainSpec,
    units::Height,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use self::voter::{DOUBLINGS, Voter};
use crate::{
    engine::event::{PeerId, Time},
    program,
};

/// What is to be told to all peers but the one that it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A vote.
    Vote(Vote),
    /// The newest certificate.
    Certificate(Certificate),
    /// A member signed two blocks.
    Evidence(Evidence),
}

/// Why a certificate was not followed: something that should never happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Alarm {
    /// FIN-4.
    #[error(
        "the certificate for block {hash} at height {height} would disconnect {depth} blocks, more than the chain allows \
        ({window}): it is not followed. If the members confirm it, run `{} accept-certificate {hash}`",
        program::named("cairn-node")
    )]
    TooDeep {
        /// Height of its block.
        height: Height,
        /// Its block.
        hash: BlockHash,
        /// Blocks to disconnect.
        depth: Height,
        /// The most that the chain spec allows.
        window: u32,
    },
    /// It contradicts an earlier certificate: more than f members are faulty.
    #[error(
        "two certificates contradict each other: block {hash} at height {height}, and block {finalized} at height {at}"
    )]
    Conflict {
        /// Height of its block.
        height: Height,
        /// Its block.
        hash: BlockHash,
        /// Height of the block that is final.
        at: Height,
        /// The block that is final.
        finalized: BlockHash,
    },
    /// Its block breaks a rule: more than f members are faulty, or this node is.
    #[error("the certificate for height {height} is for block {hash}, which is invalid")]
    Invalid {
        /// Height of its block.
        height: Height,
        /// Its block.
        hash: BlockHash,
    },
}

impl Alarm {
    /// That a certificate contradicts what is final.
    pub fn conflict(certificate: &Certificate, newest: &Certificate) -> Self {
        let Certificate { height, hash, .. } = *certificate;
        Self::Conflict { height, hash, at: newest.height, finalized: newest.hash }
    }

    /// The block of a certificate that is not followed for its depth alone, which can change.
    fn too_deep(&self) -> Option<BlockHash> {
        match self {
            Self::TooDeep { hash, .. } => Some(*hash),
            Self::Conflict { .. } | Self::Invalid { .. } => None,
        }
    }
}

/// What the votes, certificates and evidence of a chain amount to.
#[derive(Debug)]
pub struct Finality {
    electorate: Arc<Electorate>,
    newest: Option<Certificate>,
    /// A newer certificate whose block is not known yet.
    wanted: Option<Certificate>,
    /// The newest certificate that would disconnect too much.
    refused: Option<Certificate>,
    alarm: Option<Alarm>,
    round: Round,
    /// The round after this one, of which others may know before this node has the certificate.
    next: Round,
    key: Option<(u8, MemberKey)>,
    voter: Option<Voter>,
    /// How often a member doubles its first patience at this checkpoint.
    patience: u32,
    /// What is stored of this node's member.
    promise: Option<Promise>,
    evidence: BTreeMap<u8, Evidence>,
    /// Evidence that is not stored yet.
    fresh: Vec<Evidence>,
    news: VecDeque<(Option<PeerId>, News)>,
    /// The block that may be voted for, as the last step saw it, and whether anything was heard since.
    eligible: Option<BlockHash>,
    stirred: bool,
    /// Whether a block was called final since the votes were counted.
    decisive: bool,
}

/// A member says nothing of checkpoints below a height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abstention {
    /// That height.
    pub below: Height,
    /// Whether it has signed for it, so that the certificate before it exists or did; else the operator has chosen it.
    pub signed: bool,
}

/// What the disk holds of it.
#[derive(Debug, Default)]
pub struct Stored {
    /// The newest certificate.
    pub newest: Option<Certificate>,
    /// Evidence.
    pub evidence: Vec<Evidence>,
    /// What this node's member promised.
    pub promise: Option<Promise>,
}

impl Finality {
    /// That of a chain, if it has any; with the key of this node's member.
    pub fn new(spec: &ChainSpec, genesis: BlockHash, key: Option<MemberKey>, stored: Stored) -> Option<Self> {
        let electorate = Arc::new(Electorate { genesis, rules: spec.finality.clone()? });
        let key = key.and_then(|key| Some((electorate.member(key.pair())?, key)));
        let Stored { newest, evidence, promise } = stored;
        let evidence = evidence.into_iter().map(|evidence| (evidence.member(), evidence)).collect();
        let (round, next) = (Round::new(0, 0, Time(0)), Round::new(0, 0, Time(0)));
        let mut finality = Self {
            electorate,
            newest: None,
            wanted: None,
            refused: None,
            alarm: None,
            round,
            next,
            key,
            voter: None,
            patience: 0,
            promise,
            evidence,
            fresh: Vec::new(),
            news: VecDeque::new(),
            eligible: None,
            stirred: true,
            decisive: true,
        };
        finality.begin(newest, Time(0));
        if let (Some(member), Some(abstention)) = (finality.member(), finality.abstention()) {
            let height = abstention.below;
            tracing::warn!(member, height, "this member is silent until the checkpoint before this height is final");
        }
        Some(finality)
    }

    /// Who votes.
    pub fn electorate(&self) -> &Electorate {
        &self.electorate
    }

    /// The newest certificate that is followed.
    pub fn newest(&self) -> Option<&Certificate> {
        self.newest.as_ref()
    }

    /// Height of the block that it finalizes; 0 before there is one.
    pub fn height(&self) -> Height {
        self.newest.as_ref().map_or(0, |newest| newest.height)
    }

    /// A newer certificate whose block is not known yet.
    pub fn wanted(&self) -> Option<&Certificate> {
        self.wanted.as_ref()
    }

    /// Why the last certificate that was not followed was not.
    pub fn alarm(&self) -> Option<&Alarm> {
        self.alarm.as_ref()
    }

    /// The votes for the next checkpoint.
    pub fn round(&self) -> &Round {
        &self.round
    }

    /// All votes that are kept, those for the next checkpoint first.
    pub fn votes(&self) -> impl Iterator<Item = &Vote> {
        self.round.votes().chain(self.next.votes())
    }

    /// Evidence, by member.
    pub fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        self.evidence.values()
    }

    /// The member that this node votes for.
    pub fn member(&self) -> Option<u8> {
        self.key.as_ref().map(|(member, _)| *member)
    }

    /// The checkpoints on which this node's member does not vote, until the checkpoint before is known to be final.
    pub fn abstention(&self) -> Option<Abstention> {
        self.member()?;
        let promise = self.promise.as_ref().filter(|promise| promise.height > self.round.height())?;
        Some(Abstention { below: promise.height, signed: !promise.is_empty() })
    }

    /// When [`Self::step`] is due at the latest.
    pub fn wake_at(&self) -> Option<Time> {
        self.voter.as_ref().and_then(Voter::deadline)
    }

    /// Takes a vote.
    ///
    /// # Errors
    /// [`FinalityError`] if it is invalid: its sender did not check it.
    pub fn hear_vote(
        &mut self,
        vote: &Vote,
        verify: &mut Verify,
        from: Option<PeerId>,
        now: Time,
    ) -> Result<Heard, FinalityError> {
        let round = match vote.height {
            height if height == self.round.height() => &mut self.round,
            height if height == self.next.height() => &mut self.next,
            _ => return Ok(Heard::Old),
        };
        let heard = round.hear(vote, &self.electorate, verify, now)?;
        self.note_heard(vote, &heard, from);
        Ok(heard)
    }

    fn note_heard(&mut self, vote: &Vote, heard: &Heard, from: Option<PeerId>) {
        match heard {
            Heard::New => {
                self.stirred = true;
                self.decisive |= vote.statement.kind() == Kind::Finalize;
                self.news.push_back((from, News::Vote(vote.clone())));
            }
            Heard::Contradicts(evidence) => self.note_evidence((**evidence).clone(), from),
            Heard::Old | Heard::Busy => {}
        }
    }

    /// Takes evidence that was checked. One piece against each member is enough.
    pub fn note_evidence(&mut self, evidence: Evidence, from: Option<PeerId>) {
        let member = evidence.member();
        if self.evidence.contains_key(&member) {
            return;
        }
        tracing::error!(
            member,
            height = evidence.first.height,
            first = ?evidence.first.statement,
            second = ?evidence.second.statement,
            "a member of finality signed two blocks: it is faulty"
        );
        self.evidence.insert(member, evidence.clone());
        self.fresh.push(evidence.clone());
        self.news.push_back((from, News::Evidence(evidence)));
    }

    /// Two checked certificates that contradict each other: raises the alarm, and names those who signed both if they are for one
    /// height.
    pub fn contradict(&mut self, one: &Certificate, followed: &Certificate) {
        // FIN-4
        for evidence in Evidence::of_certificates(followed, one) {
            self.note_evidence(evidence, None);
        }
        self.raise(Alarm::conflict(one, followed));
    }

    /// Whether evidence against a member is known.
    pub fn is_accused(&self, member: u8) -> bool {
        self.evidence.contains_key(&member)
    }

    /// A certificate that is checked: its block is not known yet.
    pub fn want(&mut self, certificate: Certificate) {
        if self.wanted.as_ref().is_none_or(|wanted| wanted.height < certificate.height) {
            self.wanted = Some(certificate);
        }
    }

    /// Takes out the certificate whose block was not known.
    pub fn take_wanted(&mut self) -> Option<Certificate> {
        self.wanted.take()
    }

    /// A certificate would disconnect too much: only the operator can have it followed. It stands for all below it; an older one
    /// changes nothing, else peers could have it change again and again.
    pub fn refuse(&mut self, certificate: Certificate, alarm: Alarm) {
        if self.refused.as_ref().is_none_or(|refused| refused.height < certificate.height) {
            self.refused = Some(certificate);
            self.raise(alarm);
        }
    }

    /// The chain has come by work to what was refused or to a block above it, or follows a certificate that contradicts it.
    pub fn take_refused(&mut self) -> Option<Certificate> {
        self.alarm.take_if(|alarm| alarm.too_deep().is_some());
        self.refused.take()
    }

    /// The newest certificate that would disconnect too much.
    pub fn refused(&self) -> Option<&Certificate> {
        self.refused.as_ref()
    }

    /// A certificate is not followed. That too many members are faulty stays true, and is said once: peers could tell two
    /// certificates in turn without end.
    pub fn raise(&mut self, alarm: Alarm) {
        let is_news = match &self.alarm {
            None => true,
            // A deep one grows deeper with each block.
            Some(known) => known.too_deep().is_some_and(|known| alarm.too_deep() != Some(known)),
        };
        if is_news {
            tracing::error!("finality: {alarm}");
            self.alarm = Some(alarm);
        }
    }

    /// Follows a certificate, which is stored: the next checkpoint is voted on.
    pub fn follow(&mut self, certificate: Certificate, from: Option<PeerId>, now: Time) {
        // Without peers nobody takes the news.
        self.news.retain(|(_, news)| match news {
            News::Vote(vote) => vote.height > certificate.height,
            News::Certificate(_) => false,
            News::Evidence(_) => true,
        });
        self.news.push_back((from, News::Certificate(certificate.clone())));
        if self.wanted.as_ref().is_some_and(|wanted| wanted.height <= certificate.height) {
            self.wanted = None;
        }
        // The operator decided, or the chain has come to this block by work.
        self.alarm.take_if(|alarm| alarm.too_deep() == Some(certificate.hash));
        self.learn_patience();
        self.begin(Some(certificate), now);
    }

    /// Where messages take longer than members wait, each checkpoint would begin with views that cannot succeed: what this one
    /// needed is the next one's beginning, and becomes less with each checkpoint that needed no other view. A member that is
    /// down costs one view of a few checkpoints, which does not add up.
    fn learn_patience(&mut self) {
        let view = self.round.view(self.electorate.rules.quorum());
        let views = u32::try_from(view).unwrap_or(u32::MAX);
        self.patience = if views == 0 {
            self.patience.saturating_sub(1)
        } else {
            self.patience.saturating_add(views).min(DOUBLINGS)
        };
    }

    fn begin(&mut self, newest: Option<Certificate>, now: Time) {
        self.newest = newest;
        let (rules, count) = (&self.electorate.rules, self.electorate.rules.count());
        // At the last height there is, the votes of height 0 are for nothing.
        let height = rules.next_after(self.height()).unwrap_or(0);
        let after = rules.next_after(height).filter(|_| height > 0).unwrap_or(0);
        let next = std::mem::replace(&mut self.next, Round::new(after, count, now));
        self.round = if next.height() == height { next } else { Round::new(height, count, now) };
        self.voter = None;
        (self.stirred, self.decisive) = (true, true);
    }

    /// The certificate that the votes amount to, if they have changed since they were counted last.
    pub fn take_decided(&mut self) -> Option<Certificate> {
        if !std::mem::take(&mut self.decisive) {
            return None;
        }
        let quorum = self.electorate.rules.quorum();
        self.next.certificate(quorum).or_else(|| self.round.certificate(quorum))
    }

    /// Lets the member vote. `eligible` is the block of the next checkpoint that it may vote for, if it is deep enough. Returns
    /// what must be on disk before [`Self::say`] is called.
    pub fn step(&mut self, eligible: Option<BlockHash>, now: Time) -> Option<(Promise, Vec<Vote>)> {
        let is_due = self.wake_at().is_some_and(|at| at <= now);
        if std::mem::take(&mut self.stirred) || is_due || eligible != self.eligible {
            self.eligible = eligible;
            self.vote(now)
        } else {
            None
        }
    }

    fn vote(&mut self, now: Time) -> Option<(Promise, Vec<Vote>)> {
        let (height, silent) = (self.round.height(), self.abstention().is_some());
        let (member, key) = self.key.as_ref().filter(|_| height > 0 && !silent)?;
        if self.voter.is_none() {
            let promise = self.promise.clone().filter(|promise| promise.height == height);
            let promise = promise.unwrap_or_else(|| Promise::new(height));
            self.voter = Some(Voter::new(self.electorate.clone(), (*key.pair(), *member), promise, self.patience, now));
        }
        let voter = self.voter.as_mut()?;
        voter.step(&self.round, self.eligible, now);
        voter.take().map(|(promise, said)| (promise.clone(), said))
    }

    /// What the member said is on disk, and may be told.
    pub fn say(&mut self, promise: Promise, said: Vec<Vote>) {
        self.promise = Some(promise);
        for vote in said {
            let heard = self.round.keep(&vote);
            self.note_heard(&vote, &heard, None);
        }
    }

    /// Evidence that is to be stored.
    pub fn take_fresh(&mut self) -> Vec<Evidence> {
        std::mem::take(&mut self.fresh)
    }

    /// What is to be told to peers, and who told it.
    pub fn take_news(&mut self) -> VecDeque<(Option<PeerId>, News)> {
        std::mem::take(&mut self.news)
    }
}
