//! How a frame ends.

use std::fmt;

/// How a call or a creation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It succeeded.
    Success,
    /// It reverted its changes and returned the remaining gas.
    Revert,
    /// It halted: its changes are reverted and its gas is consumed.
    Halt(Halt),
}

/// Why a frame halted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// Out of gas.
    OutOfGas,
    /// Stack underflow.
    StackUnderflow,
    /// Stack overflow: more than 1,024 words.
    StackOverflow,
    /// A jump to a position that is not a JUMPDEST.
    InvalidJump,
    /// An undefined instruction, or INVALID.
    InvalidOpcode(u8),
    /// A write inside STATICCALL.
    StaticViolation,
    /// RETURNDATACOPY beyond the data (EIP-211).
    ReturnDataOutOfBounds,
    /// A precompiled contract rejected its input.
    Precompile,
    /// The gateway was called with less gas than it costs (GW-4).
    Gateway,
    /// The new contract's address is taken (EIP-684, EIP-7610).
    CreateCollision,
    /// Initcode above 49,152 bytes (EIP-3860).
    InitcodeTooLong,
    /// Code above 24,576 bytes (EIP-170).
    CodeTooLong,
    /// New code that begins with 0xEF (EIP-3541).
    CodeBeginsWithEf,
    /// A call from a frame at depth 1,024. It does not begin: the caller keeps its gas.
    CallTooDeep,
    /// A call with more value than the caller has. It does not begin: the caller keeps its gas.
    InsufficientBalance,
    /// A transfer that the receiver's balance has no room for. No chain has so much: only a simulation gets here.
    BalanceOverflow,
    /// A creation by an account with the highest nonce (EIP-2681). It does not begin: the creator keeps its gas.
    NonceOverflow,
}

/// In geth's words.
impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::OutOfGas => "out of gas",
            Self::StackUnderflow => "stack underflow",
            Self::StackOverflow => "stack limit reached",
            Self::InvalidJump => "invalid jump destination",
            Self::InvalidOpcode(0xfe) => "invalid opcode: INVALID",
            Self::InvalidOpcode(opcode) => return write!(f, "invalid opcode: opcode 0x{opcode:x} not defined"),
            Self::StaticViolation => "write protection",
            Self::ReturnDataOutOfBounds => "return data out of bounds",
            Self::Precompile => "invalid input of a precompiled contract",
            Self::Gateway => "out of gas in the gateway",
            Self::CreateCollision => "contract address collision",
            Self::InitcodeTooLong => "max initcode size exceeded",
            Self::CodeTooLong => "max code size exceeded",
            Self::CodeBeginsWithEf => "invalid code: must not begin with 0xef",
            Self::CallTooDeep => "max call depth exceeded",
            Self::InsufficientBalance => "insufficient balance for transfer",
            Self::BalanceOverflow => "balance of the receiver would exceed 2^256 - 1",
            Self::NonceOverflow => "nonce uint64 overflow",
        };
        f.write_str(text)
    }
}
