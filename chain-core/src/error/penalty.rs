//! Whether the sender of a broken rule is punished.

use super::RuleError;

/// The penalty for sending something invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Penalty {
    /// None: honest peers send it.
    None,
    /// No honest node sends it.
    Ban,
}

impl RuleError {
    /// The penalty for the sender of a *transaction*; no honest node sends a block that breaks any rule. The match is
    /// exhaustive, so that a new rule forces the decision.
    ///
    /// What honest nodes on two branches may judge differently costs nothing. An outpoint commits to amount and lock of
    /// its coin (GW-6), so only the existence of a coin, heights, prices and accounts depend on the branch. All else
    /// follows from the transaction.
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
            | Self::BadEdit(_)
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

    /// Whether only this body is wrong, so that the same header may have a valid one. The header's hash must then not
    /// be marked invalid (CVE-2012-2459, CVE-2017-12842).
    ///
    /// [`crate::block::check::check_block`] checks these first: any other error that it returns makes the header
    /// invalid too.
    pub fn blames_body_only(&self) -> bool {
        matches!(self, Self::Encoding(_) | Self::MerkleRoot { .. } | Self::SixtyFourBytes { .. })
    }
}
