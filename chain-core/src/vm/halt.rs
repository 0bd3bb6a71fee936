//! How a frame ends.

use std::fmt;

/// How a call or a creation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It ran to its end.
    Success,
    /// It reverted what it did and returned the gas that was left.
    Revert,
    /// It broke off: what it did is reverted and all its gas is gone.
    Halt(Halt),
}

/// Why a frame broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// The gas does not pay for the next instruction.
    OutOfGas,
    /// An instruction takes more words than the stack has.
    StackUnderflow,
    /// An instruction would leave more than 1,024 words.
    StackOverflow,
    /// A jump to what is no JUMPDEST.
    InvalidJump,
    /// A byte that is no instruction, or INVALID itself.
    InvalidOpcode(u8),
    /// A write inside STATICCALL.
    StaticViolation,
    /// RETURNDATACOPY beyond the data (EIP-211).
    ReturnDataOutOfBounds,
    /// A precompiled contract refused its input.
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
    /// A call below 1,024 others. It has not begun: the caller keeps its gas.
    CallTooDeep,
    /// A call that sends more than the caller has. It has not begun: the caller keeps its gas.
    InsufficientBalance,
    /// A creation by an account of the highest nonce (EIP-2681). It has not begun: the creator keeps its gas.
    NonceOverflow,
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::OutOfGas => "out of gas",
            Self::StackUnderflow => "stack underflow",
            Self::StackOverflow => "stack limit reached",
            Self::InvalidJump => "invalid jump destination",
            Self::InvalidOpcode(opcode) => return write!(f, "invalid opcode: 0x{opcode:02x}"),
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
            Self::NonceOverflow => "nonce too high",
        };
        f.write_str(text)
    }
}
