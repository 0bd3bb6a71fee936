//! What members sign while they agree on a block: the messages of [`pbft`](super::pbft), with signatures.

use secp256k1::Keypair;
use serde::{Deserialize, Serialize};

use super::{
    error::FinalityError,
    pbft::View,
    signing::{Digest32, Electorate, MOST_SIGNATURES, Signed, Verify, sign},
};
use crate::{codec::at_most, hash::BlockHash, units::Height};

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
    #[serde(deserialize_with = "at_most::<MOST_SIGNATURES, _, _>")]
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
        #[serde(deserialize_with = "at_most::<MOST_SIGNATURES, _, _>")]
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

/// What a statement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// [`Statement::Prepare`].
    Prepare,
    /// [`Statement::Commit`].
    Commit,
    /// [`Statement::Finalize`].
    Finalize,
    /// [`Statement::ViewChange`].
    ViewChange,
    /// [`Statement::NewView`].
    NewView,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Prepare, Self::Commit, Self::Finalize, Self::ViewChange, Self::NewView];

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Commit => "commit",
            Self::Finalize => "finalize",
            Self::ViewChange => "viewChange",
            Self::NewView => "newView",
        }
    }
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

    /// Which kind it is of.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Prepare { .. } => Kind::Prepare,
            Self::Commit { .. } => Kind::Commit,
            Self::Finalize { .. } => Kind::Finalize,
            Self::ViewChange { .. } => Kind::ViewChange,
            Self::NewView { .. } => Kind::NewView,
        }
    }

    fn message(&self, electorate: &Electorate, height: Height) -> Digest32 {
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

    /// Checks all but the signatures: what it locks was prepared before this view.
    fn check_form(&self, electorate: &Electorate, before: View) -> Result<(), FinalityError> {
        if self.view >= before {
            return Err(FinalityError::LateLock { got: self.view, view: before });
        }
        electorate.check_quorum(self.signatures.iter().map(|signed| signed.member))
    }

    /// Its signatures, and what they are of.
    fn signed(&self, electorate: &Electorate, height: Height) -> impl Iterator<Item = (Signed, Digest32)> {
        let message = Statement::Prepare { view: self.view, hash: self.hash }.message(electorate, height);
        self.signatures.iter().map(move |signed| (*signed, message))
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

    /// Checks all that needs no chain, from cheap to expensive: its own signature comes before those of a proof, so that only its
    /// member can have others verify a hundred.
    ///
    /// # Errors
    /// [`FinalityError`] for the first rule that it breaks.
    pub fn check(&self, electorate: &Electorate, verify: &mut Verify) -> Result<(), FinalityError> {
        self.check_form(electorate)?;
        let message = self.statement.message(electorate, self.height);
        electorate.verify(&[(self.signed, message)], verify)?;
        electorate.verify(&self.proof(electorate), verify)
    }

    /// Checks all but signatures.
    fn check_form(&self, electorate: &Electorate) -> Result<(), FinalityError> {
        let (member, view) = (self.signed.member, self.statement.view());
        electorate.check_height(self.height)?;
        electorate.check_member(member)?;
        if view > MOST_VIEW {
            return Err(FinalityError::FarView { got: view, most: MOST_VIEW });
        }
        match &self.statement {
            Statement::Prepare { .. } | Statement::Commit { .. } | Statement::Finalize { .. } => Ok(()),
            Statement::ViewChange { view: 0, .. } | Statement::NewView { view: 0, .. } => Err(FinalityError::FirstView),
            Statement::ViewChange { prepared, .. } => {
                prepared.iter().try_for_each(|lock| lock.check_form(electorate, view))
            }
            Statement::NewView { changes, prepared, .. } => {
                let leader = electorate.rules.leader(self.height, view);
                if member != leader {
                    return Err(FinalityError::NotLeader { member, view, leader });
                }
                electorate.check_quorum(changes.iter().map(|change| change.signed.member))?;
                check_newest(changes, prepared.as_ref().map(Lock::summary))?;
                prepared.iter().try_for_each(|lock| lock.check_form(electorate, view))
            }
        }
    }

    /// Signatures of others in it, and what they are of.
    fn proof(&self, electorate: &Electorate) -> Vec<(Signed, Digest32)> {
        let height = self.height;
        let of_lock =
            |lock: &Option<Lock>| -> Vec<_> { lock.iter().flat_map(|lock| lock.signed(electorate, height)).collect() };
        match &self.statement {
            Statement::Prepare { .. } | Statement::Commit { .. } | Statement::Finalize { .. } => Vec::new(),
            Statement::ViewChange { prepared, .. } => of_lock(prepared),
            Statement::NewView { view, changes, prepared } => {
                let message =
                    |change: &Change| electorate.vote_message(height, &Content::ViewChange(*view, change.prepared));
                let of_changes = changes.iter().map(|change| (change.signed, message(change)));
                of_changes.chain(of_lock(prepared)).collect()
            }
        }
    }
}

/// Checks with what a view begins: the newest of what the members prepared, and nothing is newer.
fn check_newest(changes: &[Change], newest: Option<(View, BlockHash)>) -> Result<(), FinalityError> {
    let is_older =
        |prepared: (View, BlockHash)| newest.is_some_and(|newest| prepared == newest || prepared.0 < newest.0);
    let mut claims = changes.iter().filter_map(|change| change.prepared);
    let is_claimed = newest.is_none_or(|newest| claims.clone().any(|prepared| prepared == newest));
    if is_claimed && claims.all(is_older) { Ok(()) } else { Err(FinalityError::WrongLock) }
}
