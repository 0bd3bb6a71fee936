//! Whether a broken rule is held against the peer that sent it.

use super::RuleError;

/// How bad it is to have sent something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Penalty {
    /// Nothing: honest peers send such things.
    None,
    /// No honest node sends it.
    Ban,
}

impl RuleError {
    /// What the sender of a *transaction* deserves; no honest node sends a block that breaks any rule. Exhaustive, so that a
    /// new rule forces the decision.
    ///
    /// Honest nodes on two branches differ in what costs nothing: an outpoint commits to amount and lock of its coin (GW-6), so
    /// only whether a coin is there, heights, prices and accounts depend on the branch. All else follows from the transaction.
    pub fn penalty(&self) -> Penalty {
        match self {
            Self::MissingCoin(_)
            | Self::ImmatureCoin { .. }
            | Self::TooEarly { .. }
            | Self::TooYoung { .. }
            | Self::FeeTooLow { .. }
            | Self::Nonce { .. }
            | Self::FeeCapTooLow { .. }
            | Self::InsufficientBalance { .. }
            | Self::GasLeft { .. }
            | Self::SenderHasCode(_)
            | Self::DepositOverflow(_) => Penalty::None,
            Self::Encoding(_)
            | Self::AmountOverflow(_)
            | Self::NoCoinbase
            | Self::MisplacedCoinbase { .. }
            | Self::MerkleRoot { .. }
            | Self::SixtyFourBytes { .. }
            | Self::BlockTooLarge { .. }
            | Self::ExtraTooLong { .. }
            | Self::CoinbasePaysAccount { .. }
            | Self::ZeroCoinbaseOutput { .. }
            | Self::BlockGas { .. }
            | Self::CoinbaseHeight { .. }
            | Self::CoinbaseTooGreedy { .. }
            | Self::StateRoot { .. }
            | Self::ReceiptsRoot { .. }
            | Self::CoinsRoot { .. }
            | Self::GasUsed { .. }
            | Self::Overspent { .. }
            | Self::BadCoinSignature { .. }
            | Self::NoInputs
            | Self::NoOutputs
            | Self::WitnessCount { .. }
            | Self::DuplicateInput { .. }
            | Self::ZeroOutput { .. }
            | Self::WitnessKind { .. }
            | Self::PolicyCut { .. }
            | Self::PolicyTrailing { .. }
            | Self::PolicyDepth { .. }
            | Self::PolicyCounts { .. }
            | Self::PolicyHash { .. }
            | Self::ProofLength { .. }
            | Self::ProofBranches { .. }
            | Self::ProofEmpty
            | Self::ProofKind { .. }
            | Self::WrongPreimage { .. }
            | Self::MalformedAccountTransaction(_)
            | Self::UnsupportedType(_)
            | Self::NoChainId
            | Self::ChainId { .. }
            | Self::BadAccountSignature
            | Self::NonceTooHigh(_)
            | Self::IntrinsicGas { .. }
            | Self::GasLimitTooHigh { .. }
            | Self::TipAboveFeeCap { .. }
            | Self::InitcodeTooLong { .. }
            | Self::EmptySetCode
            | Self::BitsNegative { .. }
            | Self::BitsZero { .. }
            | Self::BitsOverflow { .. }
            | Self::BitsNotCanonical { .. }
            | Self::BitsAboveLimit { .. }
            | Self::HashAboveTarget { .. }
            | Self::WrongBits { .. }
            | Self::TimeBeforeParent { .. } => Penalty::Ban,
        }
    }

    /// Whether the fault lies in this body alone, so that another body may still be right for the same header. The
    /// header's hash must not be marked invalid then (CVE-2012-2459, CVE-2017-12842).
    ///
    /// [`crate::block::check::check_block`] looks at these first: any other error that it returns condemns the header too.
    pub fn blames_body_only(&self) -> bool {
        matches!(self, Self::Encoding(_) | Self::MerkleRoot { .. } | Self::SixtyFourBytes { .. })
    }
}
