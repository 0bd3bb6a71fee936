//! What peers do wrong, and how much it is held against them.

use chain_core::{
    codec::CodecError,
    error::{Penalty, RuleError},
    finality::FinalityError,
    hash::BlockHash,
};

use crate::names::names;

/// What a peer did that honest peers do never, or seldom.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Offence {
    /// It sent bytes that are no message, or more than a message has.
    #[error("a malformed message: {0}")]
    Malformed(CodecError),
    /// It gossiped on a topic that this node has not subscribed to.
    #[error("gossip on another topic")]
    ForeignTopic,
    /// It did something before the handshake.
    #[error("{0} before the handshake")]
    OutOfTurn(&'static str),
    /// It repeated a request that is allowed once in a while.
    #[error("{0} twice")]
    Doubled(&'static str),
    /// It sends more than an honest node does.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// It does not read the responses that it asked for.
    #[error("does not read what it asked for")]
    TooSlow,
    /// It sent a response that does not match its request.
    #[error("a response that does not match a request for {0}")]
    WrongAnswer(&'static str),
    /// Its chain has less work than it claimed.
    #[error("its headers have less work than it claimed")]
    LessWork,
    /// It sent a header on a block that is known to be invalid.
    #[error("a header on the invalid block {0}")]
    OnInvalid(BlockHash),
    /// It sent a header that breaks a rule.
    #[error("an invalid header: {0}")]
    InvalidHeader(RuleError),
    /// It sent a whole block that breaks a rule.
    #[error("an invalid block: {0}")]
    InvalidBlock(RuleError),
    /// It sent a compact block that is not the form of the block with that header.
    #[error("a compact block that is not the block of its header")]
    BadCompact,
    /// It sent a transaction that breaks a rule.
    #[error("an invalid transaction: {0}")]
    InvalidTransaction(RuleError),
    /// It sent a vote that breaks a rule. Nodes check votes before they forward them.
    #[error("an invalid vote: {0}")]
    InvalidVote(FinalityError),
    /// It sent a certificate that breaks a rule.
    #[error("an invalid certificate: {0}")]
    InvalidCertificate(FinalityError),
    /// It sent evidence that proves nothing.
    #[error("forged evidence: {0}")]
    InvalidEvidence(FinalityError),
    /// It sent votes or certificates on a chain without finality.
    #[error("votes on a chain without finality")]
    NoFinality,
}

/// Points at which a peer is banned.
pub const BAN: u32 = 100;

impl Offence {
    /// Points against the peer; at [`BAN`] the network shell bans it. Exhaustive, so that a new offence forces the decision.
    pub fn points(&self) -> u32 {
        match self {
            // A compact block is forwarded only by nodes that have the whole block and know the form to be its own.
            Self::InvalidHeader(_) | Self::InvalidBlock(_) | Self::BadCompact => BAN,
            Self::InvalidVote(_) | Self::InvalidCertificate(_) | Self::InvalidEvidence(_) | Self::NoFinality => BAN,
            Self::InvalidTransaction(rule) => match rule.penalty() {
                Penalty::None => 0,
                Penalty::Ban => BAN,
            },
            Self::Malformed(_) | Self::ForeignTopic | Self::WrongAnswer(_) => 50,
            Self::TooSlow => 25,
            Self::LessWork => 20,
            Self::OutOfTurn(_) | Self::OnInvalid(_) => 10,
            Self::TooMany(_) => 5,
            // A request may arrive after the one that was sent later.
            Self::Doubled(_) => 2,
        }
    }

    names! { pub
        Self::Malformed(_) => "malformed",
        Self::ForeignTopic => "foreign_topic",
        Self::OutOfTurn(_) => "out_of_turn",
        Self::Doubled(_) => "doubled",
        Self::TooMany(_) => "too_many",
        Self::TooSlow => "too_slow",
        Self::WrongAnswer(_) => "wrong_answer",
        Self::LessWork => "less_work",
        Self::OnInvalid(_) => "on_invalid",
        Self::InvalidHeader(_) => "invalid_header",
        Self::InvalidBlock(_) => "invalid_block",
        Self::BadCompact => "bad_compact",
        Self::InvalidTransaction(_) => "invalid_transaction",
        Self::InvalidVote(_) => "invalid_vote",
        Self::InvalidCertificate(_) => "invalid_certificate",
        Self::InvalidEvidence(_) => "invalid_evidence",
        Self::NoFinality => "no_finality",
    }
}
