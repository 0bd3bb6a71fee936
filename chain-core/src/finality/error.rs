//! What is wrong with a certificate, a vote or evidence.

use super::pbft::View;
use crate::units::Height;

/// The rule that a certificate, a vote or evidence breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FinalityError {
    /// Not a height of a checkpoint.
    #[error("height {got} is not a positive multiple of {interval}")]
    Height {
        /// Its height.
        got: Height,
        /// What it should be a multiple of.
        interval: u32,
    },
    /// A number that no member has.
    #[error("member {member}: there are {members} members, numbered from 0")]
    Foreign {
        /// The number that it names.
        member: u8,
        /// How many members there are.
        members: u8,
    },
    /// Too few or too many signatures in a certificate or proof.
    #[error("{got} signatures, expected {expected}")]
    Count {
        /// How many it has.
        got: usize,
        /// How many it should have.
        expected: usize,
    },
    /// A member signed twice in a certificate or proof, or is not in order.
    #[error("member {0} is there twice or not in order")]
    Order(u8),
    /// A signature that does not verify.
    #[error("the signature of member {0} is not valid")]
    Signature(u8),
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
    #[error("view {got}, expected at most {most}")]
    FarView {
        /// The view.
        got: View,
        /// The greatest.
        most: View,
    },
    /// A view change to the first view.
    #[error("a change to view 0, in which all begin")]
    FirstView,
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
    /// Evidence of votes of two members.
    #[error("votes of members {0} and {1}")]
    Members(u8, u8),
    /// Evidence of votes for two checkpoints or views, or of two kinds.
    #[error("votes at different heights, in different views or of different kinds")]
    Places,
    /// Evidence of votes that name no block, or the same one: correct members send such.
    #[error("votes that do not contradict each other")]
    Agree,
}
