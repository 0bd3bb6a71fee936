//! Why a call failed, in the words of other clients.

use chain_core::{execute::Status, vm::Halt};

/// As geth says it; `None` for success.
pub fn failure(status: Status) -> Option<String> {
    match status {
        Status::Success => None,
        Status::Revert => Some("execution reverted".to_owned()),
        Status::Halt(halt) => Some(halt.to_string()),
    }
}

/// As Parity says it; what it has no word for as geth does.
pub fn parity_failure(status: Status) -> Option<String> {
    let word = match status {
        Status::Revert => "Reverted",
        Status::Halt(Halt::OutOfGas | Halt::CodeTooLong | Halt::Gateway) => "Out of gas",
        Status::Halt(Halt::InvalidJump) => "Bad jump destination",
        Status::Halt(Halt::InvalidOpcode(_)) => "Bad instruction",
        Status::Halt(Halt::ReturnDataOutOfBounds) => "Out of bounds",
        Status::Halt(Halt::StackUnderflow) => "Stack underflow",
        Status::Halt(Halt::StackOverflow) => "Out of stack",
        Status::Halt(Halt::Precompile) => "Built-in failed",
        other => return failure(other),
    };
    Some(word.to_owned())
}
