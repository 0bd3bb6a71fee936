//! Error codes of the RPC (EIP-1474 and JSON-RPC 2.0), and how refusals become them.

use chain_core::{error::RuleError, state::ViewError};
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

use crate::{
    engine::{Stopped, SubmitBlockError, SubmitError, TemplateError},
    mempool::MempoolError,
    store::StoreError,
};

/// The error of a method.
#[derive(Clone, Debug, PartialEq)]
pub struct RpcError(ErrorObjectOwned);

impl RpcError {
    /// One of the codes below.
    pub fn code(&self) -> i32 {
        self.0.code()
    }

    /// The same with something for programs.
    pub fn with_data(&self, data: Value) -> Self {
        Self(ErrorObjectOwned::owned(self.code(), self.message(), Some(data)))
    }

    /// What failed.
    pub fn message(&self) -> &str {
        self.0.message()
    }
}

impl From<RpcError> for ErrorObject<'_> {
    fn from(error: RpcError) -> Self {
        error.0
    }
}

/// The result of a method.
pub type RpcResult<T> = Result<T, RpcError>;

/// Malformed, missing or surplus parameters.
pub const INVALID_PARAMS: i32 = -32602;
/// The node failed.
pub const INTERNAL: i32 = -32603;
/// The node cannot do it in its present mode.
pub const SERVER: i32 = -32000;
/// A call reverted.
pub const REVERTED: i32 = 3;
/// A transaction that was accepted is not mined in the time that its sender waits (EIP-7966).
pub const NOT_MINED: i32 = 4;
/// There is no such block, transaction or coin.
pub const NOT_FOUND: i32 = -32001;
/// It exists, but this node does not keep it.
pub const UNAVAILABLE: i32 = -32002;
/// A transaction or block is refused.
pub const REJECTED: i32 = -32003;
/// Over a limit of this node.
pub const LIMIT: i32 = -32005;
/// The caller has to show the node's cookie (EIP-1193: unauthorized).
pub const UNAUTHORIZED: i32 = 4100;

/// An error with this code.
pub fn error(code: i32, message: impl Into<String>) -> RpcError {
    RpcError(ErrorObjectOwned::owned(code, message, None::<()>))
}

/// -32602.
pub fn invalid(message: impl Into<String>) -> RpcError {
    error(INVALID_PARAMS, message)
}

/// -32603.
pub fn internal(message: impl std::fmt::Display) -> RpcError {
    error(INTERNAL, message.to_string())
}

/// -32000.
pub fn cannot(message: impl Into<String>) -> RpcError {
    error(SERVER, message)
}

/// 3, as in geth: the call reverted, with what it returned.
pub fn reverted(reason: Option<&str>, output: Value) -> RpcError {
    let message = match reason {
        Some(reason) => format!("execution reverted: {reason}"),
        None => "execution reverted".to_owned(),
    };
    RpcError(ErrorObjectOwned::owned(REVERTED, message, Some(output)))
}

/// 4, with the transaction's hash.
pub fn not_mined(message: impl Into<String>, hash: Value) -> RpcError {
    RpcError(ErrorObjectOwned::owned(NOT_MINED, message, Some(hash)))
}

/// -32001.
pub fn not_found(message: impl Into<String>) -> RpcError {
    error(NOT_FOUND, message)
}

/// -32002.
pub fn unavailable(message: impl Into<String>) -> RpcError {
    error(UNAVAILABLE, message)
}

/// 4100.
pub fn unauthorized(message: impl Into<String>) -> RpcError {
    error(UNAUTHORIZED, message)
}

/// -32005.
pub fn over_limit(message: impl Into<String>) -> RpcError {
    error(LIMIT, message)
}

/// -32003 with a reason for programs.
pub fn rejected(reason: &str, message: impl std::fmt::Display) -> RpcError {
    RpcError(ErrorObjectOwned::owned(REJECTED, message.to_string(), Some(json!({ "reason": reason }))))
}

/// A rule that an account transaction breaks. Where Ethereum's tools look for geth's words, the message starts with them.
pub fn in_geths_words(rule: &RuleError) -> String {
    use RuleError as E;
    let words = match rule {
        E::Nonce { got, expected } if got < expected => "nonce too low",
        E::Nonce { .. } => "nonce too high",
        E::NonceTooHigh(_) => "nonce has max value",
        E::IntrinsicGas { .. } => "intrinsic gas too low",
        E::FeeCapTooLow { .. } => "max fee per gas less than block base fee",
        E::TipAboveFeeCap { .. } => "max priority fee per gas higher than max fee per gas",
        E::InsufficientBalance { .. } => "insufficient funds for gas * price + value",
        E::InitcodeTooLong { .. } => "max initcode size exceeded",
        E::SenderHasCode(_) => "sender not an eoa",
        E::ChainId { .. } => "invalid chain id for signer",
        E::NoChainId => "only replay-protected (EIP-155) transactions allowed over RPC",
        E::UnsupportedType(_) => "transaction type not supported",
        E::BadAccountSignature => "invalid sender",
        E::GasLimitTooHigh { .. } => "transaction gas limit too high",
        E::GasLeft { .. } => "exceeds block gas limit",
        E::EmptySetCode => "EIP-7702 transaction with empty auth list",
        _ => return rule.to_string(),
    };
    format!("{words}: {rule}")
}

/// Where Ethereum's tools look for geth's words, the message starts with them.
impl From<SubmitError> for RpcError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Rule(rule) => rejected("invalid", in_geths_words(&rule)),
            SubmitError::Mempool(refusal) => mempool_error(&refusal),
            SubmitError::Local(message) => internal(message),
            SubmitError::Stopped => Stopped.into(),
        }
    }
}

fn mempool_error(refusal: &MempoolError) -> RpcError {
    use MempoolError as E;
    let (reason, words) = match refusal {
        E::AlreadyKnown(_) => ("known", "already known"),
        E::TooLarge { .. } => ("policy", "oversized data"),
        E::GasOverBlock { .. } => ("policy", "exceeds block gas limit"),
        E::Coinbase | E::Dust { .. } => ("policy", ""),
        E::MissingCoin(_) => ("missing", ""),
        E::TipTooLow { .. } => ("fee", "transaction underpriced"),
        E::ReplacementPrice { .. } | E::ReplacementFee { .. } => ("fee", "replacement transaction underpriced"),
        E::TooManyReplaced { .. } | E::SpendsReplaced(_) | E::ReplacementAddsUnconfirmed(_) => ("conflict", ""),
        E::TooManyAncestors { .. }
        | E::AncestorsTooLarge { .. }
        | E::TooManyDescendants { .. }
        | E::DescendantsTooLarge { .. }
        | E::SenderLimit { .. } => ("policy", ""),
        E::NonceTooLow { .. } => ("nonce", "nonce too low"),
        // It may be taken later.
        E::NonceGap { .. } => ("policy", "nonce too high"),
        E::DelegatedSender { .. } => ("policy", "in-flight transaction limit reached for delegated accounts"),
        E::InsufficientFunds { .. } => ("funds", "insufficient funds for gas * price + value"),
        E::Full { .. } => ("full", "txpool is full"),
    };
    match words {
        "" => rejected(reason, refusal),
        _ => rejected(reason, format_args!("{words}: {refusal}")),
    }
}

impl From<SubmitBlockError> for RpcError {
    fn from(error: SubmitBlockError) -> Self {
        match error {
            SubmitBlockError::Rule(rule) => rejected("invalid", rule),
            SubmitBlockError::KnownInvalid(_) => rejected("invalid", error),
            SubmitBlockError::UnknownParent(_) => rejected("missing", error),
            SubmitBlockError::Local(message) => internal(message),
            SubmitBlockError::Stopped => Stopped.into(),
        }
    }
}

impl From<TemplateError> for RpcError {
    fn from(error: TemplateError) -> Self {
        match error {
            TemplateError::Rule(rule) => invalid(format!("request: {rule}")),
            TemplateError::TooHard | TemplateError::ClockBehind { .. } => cannot(error.to_string()),
            TemplateError::Time { .. } | TemplateError::EndOfTime => invalid(error.to_string()),
            TemplateError::UnknownBlock(_) => not_found(error.to_string()),
            TemplateError::Transaction { .. } => rejected("invalid", error),
            TemplateError::Local(message) => internal(message),
            TemplateError::Stopped => Stopped.into(),
        }
    }
}

impl From<Stopped> for RpcError {
    fn from(stopped: Stopped) -> Self {
        cannot(stopped.to_string())
    }
}

impl From<StoreError> for RpcError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::IndexOff { .. }
            | StoreError::IndexMissing { .. }
            | StoreError::Pruned { .. }
            | StoreError::NoBody(_)
            | StoreError::Unreadable { .. } => unavailable(error.to_string()),
            other => unreadable(&other),
        }
    }
}

impl From<ViewError> for RpcError {
    fn from(error: ViewError) -> Self {
        unreadable(&error)
    }
}

/// Between two lines of the log on reads that failed: each call could make one.
const QUIET: Duration = Duration::from_secs(60);

/// The disk did not give back what is stored: the operator has to hear of it, not only the caller.
fn unreadable(error: &dyn std::error::Error) -> RpcError {
    static SAID: Mutex<Option<Instant>> = Mutex::new(None);
    let mut said = SAID.lock();
    if said.is_none_or(|at| at.elapsed() >= QUIET) {
        *said = Some(Instant::now());
        tracing::error!("a call of the RPC failed: {error}");
    }
    internal(error)
}
