//! What members sign while they agree on a block: the messages of [`pbft`](super::pbft), with signatures.

use secp256k1::Keypair;
use serde::{Deserialize, Serialize};

use super::{
    pbft::View,
    signing::{BadSigners, Electorate, Signed, check_signers, sign},
};
use crate::{codec::at_most, hash::BlockHash, spec::MOST_MEMBERS, units::Height};

/// Most signatures of a proof.
const MOST: usize = 2 * (MOST_MEMBERS / 3) + 1;

/// Greatest view: one a second makes it last for a century.
const MOST_VIEW: View = u32::MAX as View;

/// A block that was prepared, with the proof: 2f+1 members signed [`Statement::Prepare`] for it in one view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The view.
    pub view: View,
    /// The block.
    pub hash: BlockHash,
    /// Their signatures, in the order of members.
    #[serde(deserialize_with = "at_most::<MOST, _, _>")]
    pub signatures: Vec<Signed>,
}

/// With what a member left for a new view, as the new leader passes it on: without the proof of what it prepared, of which
/// only the newest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What the member prepared last.
    pub prepared: Option<(View, BlockHash)>,
    /// Its signature of [`Statement::ViewChange`].
    pub signed: Signed,
}

/// What a member says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Statement {
    /// It accepts a block in a view. By the leader of the view, this proposes the block.
    Prepare {
        /// The view.
        view: View,
        /// The block.
        hash: BlockHash,
    },
    /// It knows that 2f+1 members accepted the block in this view.
    Commit {
        /// The view.
        view: View,
        /// The block.
        hash: BlockHash,
    },
    /// It knows that 2f+1 members committed: the block is final. 2f+1 of these are a certificate.
    Finalize {
        /// The block.
        hash: BlockHash,
    },
    /// It left its view for this one.
    ViewChange {
        /// The new view.
        view: View,
        /// What it prepared last.
        prepared: Option<Lock>,
    },
    /// The leader of a view begins it.
    NewView {
        /// The view.
        view: View,
        /// With what 2f+1 members left for it, in the order of members.
        #[serde(deserialize_with = "at_most::<MOST, _, _>")]
        changes: Vec<Change>,
        /// The newest of what they prepared.
        prepared: Option<Lock>,
    },
}

/// What a vote's signature is of, beside genesis and height.
#[derive(Serialize)]
enum Content {
    Prepare(View, BlockHash),
    Commit(View, BlockHash),
    ViewChange(View, Option<(View, BlockHash)>),
    NewView(View, Option<(View, BlockHash)>),
}

/// Something that a member says of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Height of the checkpoint.
    pub height: Height,
    /// What is said.
    pub statement: Statement,
    /// By whom.
    pub signed: Signed,
}

/// Why a vote is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VoteError {
    /// Not a height of a checkpoint.
    #[error("height {got} is not a positive multiple of {interval}")]
    Height {
        /// Its height.
        got: Height,
        /// What it should be a multiple of.
        interval: u32,
    },
    /// By nobody.
    #[error("member {member}: there are {members} members, numbered from 0")]
    Foreign {
        /// The number that it names.
        member: u8,
        /// How many members there are.
        members: u8,
    },
    /// A view is begun by another than its leader.
    #[error("member {member} begins view {view}, which member {leader} leads")]
    NotLeader {
        /// Who begins it.
        member: u8,
        /// The view.
        view: View,
        /// Who leads it.
        leader: u8,
    },
    /// A view that no correct member reaches.
    #[error("view {0}, expected at most {MOST_VIEW}")]
    FarView(View),
    /// A view change to the first view.
    #[error("a change to view 0, in which all begin")]
    FirstView,
    /// Too few or too many signatures in a proof.
    #[error("a proof of {got} signatures, expected {expected}")]
    Count {
        /// How many it has.
        got: usize,
        /// How many it should have.
        expected: usize,
    },
    /// A member twice in a proof, or not in order.
    #[error("member {0} is twice or not in order in a proof")]
    Order(u8),
    /// What is said to be prepared earlier was prepared in this view or a later one.
    #[error("prepared in view {got}, expected one before {view}")]
    LateLock {
        /// When it was prepared.
        got: View,
        /// The new view.
        view: View,
    },
    /// A view is begun with another block than the one that was prepared last.
    #[error("the new view does not go on with the block that was prepared last")]
    WrongLock,
    /// A signature that does not verify.
    #[error("a signature of member {0} is not valid")]
    Signature(u8),
}

impl Statement {
    /// Its view; the last word needs none.
    pub fn view(&self) -> View {
        match self {
            Self::Prepare { view, .. }
            | Self::Commit { view, .. }
            | Self::ViewChange { view, .. }
            | Self::NewView { view, .. } => *view,
            Self::Finalize { .. } => 0,
        }
    }

    /// The block that it is for, if it is a plain vote.
    pub fn hash(&self) -> Option<BlockHash> {
        match self {
            Self::Prepare { hash, .. } | Self::Commit { hash, .. } | Self::Finalize { hash } => Some(*hash),
            Self::ViewChange { .. } | Self::NewView { .. } => None,
        }
    }

    /// Which of the five kinds it is, from 0.
    pub fn kind(&self) -> usize {
        match self {
            Self::Prepare { .. } => 0,
            Self::Commit { .. } => 1,
            Self::Finalize { .. } => 2,
            Self::ViewChange { .. } => 3,
            Self::NewView { .. } => 4,
        }
    }

    /// How many there are.
    pub const KINDS: usize = 5;

    fn message(&self, electorate: &Electorate, height: Height) -> [u8; 32] {
        let content = match self {
            Self::Finalize { hash } => return electorate.certificate_message(height, hash),
            Self::Prepare { view, hash } => Content::Prepare(*view, *hash),
            Self::Commit { view, hash } => Content::Commit(*view, *hash),
            Self::ViewChange { view, prepared } => Content::ViewChange(*view, prepared.as_ref().map(Lock::summary)),
            Self::NewView { view, prepared, .. } => Content::NewView(*view, prepared.as_ref().map(Lock::summary)),
        };
        electorate.vote_message(height, &content)
    }
}

impl Lock {
    /// What is locked, without the proof.
    pub fn summary(&self) -> (View, BlockHash) {
        (self.view, self.hash)
    }

    fn check(&self, electorate: &Electorate, height: Height, before: View) -> Result<(), VoteError> {
        if self.view >= before {
            return Err(VoteError::LateLock { got: self.view, view: before });
        }
        check_members(electorate, self.signatures.iter().map(|signed| signed.member))?;
        let prepare = Statement::Prepare { view: self.view, hash: self.hash };
        let message = prepare.message(electorate, height);
        self.signatures.iter().try_for_each(|signed| check_signature(electorate, *signed, message))
    }
}

impl Vote {
    /// A vote of the member who has this key.
    pub fn sign(electorate: &Electorate, height: Height, statement: Statement, member: u8, pair: &Keypair) -> Self {
        let signature = sign(&statement.message(electorate, height), pair);
        Self { height, statement, signed: Signed { member, signature } }
    }

    /// How many signatures [`Self::check`] verifies.
    pub fn cost(&self) -> usize {
        let proof = |lock: &Option<Lock>| lock.as_ref().map_or(0, |lock| lock.signatures.len());
        1 + match &self.statement {
            Statement::ViewChange { prepared, .. } => proof(prepared),
            Statement::NewView { changes, prepared, .. } => changes.len() + proof(prepared),
            Statement::Prepare { .. } | Statement::Commit { .. } | Statement::Finalize { .. } => 0,
        }
    }

    /// Checks all that needs no chain, from cheap to expensive.
    ///
    /// # Errors
    /// [`VoteError`] for the first rule that it breaks.
    pub fn check(&self, electorate: &Electorate) -> Result<(), VoteError> {
        let (rules, member) = (&electorate.rules, self.signed.member);
        if !rules.is_checkpoint(self.height) {
            return Err(VoteError::Height { got: self.height, interval: rules.interval });
        }
        if member >= rules.count() {
            return Err(VoteError::Foreign { member, members: rules.count() });
        }
        if self.statement.view() > MOST_VIEW {
            return Err(VoteError::FarView(self.statement.view()));
        }
        let message = self.statement.message(electorate, self.height);
        match &self.statement {
            Statement::Prepare { .. } | Statement::Commit { .. } | Statement::Finalize { .. } => {
                check_signature(electorate, self.signed, message)
            }
            Statement::ViewChange { view: 0, .. } | Statement::NewView { view: 0, .. } => Err(VoteError::FirstView),
            Statement::ViewChange { view, prepared } => {
                check_signature(electorate, self.signed, message)?;
                prepared.as_ref().map_or(Ok(()), |lock| lock.check(electorate, self.height, *view))
            }
            Statement::NewView { view, changes, prepared } => {
                let leader = electorate.leader(self.height, *view);
                if member != leader {
                    return Err(VoteError::NotLeader { member, view: *view, leader });
                }
                check_signature(electorate, self.signed, message)?;
                check_changes(electorate, self.height, *view, (changes, prepared.as_ref()))
            }
        }
    }
}

impl Electorate {
    /// Who leads a view of a checkpoint.
    pub fn leader(&self, height: Height, view: View) -> u8 {
        let count = u64::from(self.rules.count());
        let place = (u64::from(self.rules.first_leader(height)) + view % count) % count;
        u8::try_from(place).expect("below the number of members")
    }
}

fn check_members(electorate: &Electorate, members: impl ExactSizeIterator<Item = u8>) -> Result<(), VoteError> {
    let rules = &electorate.rules;
    check_signers(rules, members).map_err(|wrong| match wrong {
        BadSigners::Count(got) => VoteError::Count { got, expected: rules.quorum() },
        BadSigners::Foreign(member) => VoteError::Foreign { member, members: rules.count() },
        BadSigners::Order(member) => VoteError::Order(member),
    })
}

fn check_signature(electorate: &Electorate, signed: Signed, message: [u8; 32]) -> Result<(), VoteError> {
    let Signed { member, signature } = signed;
    if electorate.verify(member, message, signature) { Ok(()) } else { Err(VoteError::Signature(member)) }
}

/// Checks with what a view begins: the newest of what the members prepared is proven, and nothing is newer.
fn check_changes(
    electorate: &Electorate,
    height: Height,
    view: View,
    (changes, lock): (&[Change], Option<&Lock>),
) -> Result<(), VoteError> {
    check_members(electorate, changes.iter().map(|change| change.signed.member))?;
    let newest = lock.map(Lock::summary);
    let is_older =
        |prepared: (View, BlockHash)| newest.is_some_and(|newest| prepared == newest || prepared.0 < newest.0);
    let claims = || changes.iter().filter_map(|change| change.prepared);
    if !claims().all(is_older) || newest.is_some_and(|newest| !claims().any(|prepared| prepared == newest)) {
        return Err(VoteError::WrongLock);
    }
    for change in changes {
        let message = electorate.vote_message(height, &Content::ViewChange(view, change.prepared));
        check_signature(electorate, change.signed, message)?;
    }
    lock.map_or(Ok(()), |lock| lock.check(electorate, height, view))
}
