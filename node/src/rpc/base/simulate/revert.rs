//! What a call answers that did not succeed, in geth's words.

use alloy_primitives::U256;
use chain_core::{
    error::ExecuteError,
    execute::{Outcome, Status},
};

use crate::rpc::base::{
    error::{RpcError, cannot, in_geths_words, internal, reverted},
    render::data,
};

/// The answer where a transaction cannot be run at all.
pub fn failed(error: ExecuteError) -> RpcError {
    match error {
        ExecuteError::Rule(rule) => cannot(in_geths_words(&rule)),
        ExecuteError::View(error) => internal(error),
    }
}

/// The answer to a call that did not succeed.
pub fn failure(outcome: &Outcome) -> Option<RpcError> {
    match outcome.status {
        Status::Success => None,
        Status::Revert => Some(reverted(reason(&outcome.output).as_deref(), data(&outcome.output))),
        Status::Halt(halt) => Some(cannot(halt.to_string())),
    }
}

/// What Solidity's `Error(string)` says, at most 200 characters of it, or what its `Panic(uint256)` means.
pub fn reason(output: &[u8]) -> Option<String> {
    match output.split_first_chunk::<4>()? {
        ([0x08, 0xc3, 0x79, 0xa0], arguments) => {
            let length = usize::try_from(U256::from_be_slice(arguments.get(32..64)?)).ok()?;
            let text = arguments.get(64..64usize.checked_add(length)?)?;
            Some(String::from_utf8_lossy(text).chars().take(200).collect())
        }
        ([0x4e, 0x48, 0x7b, 0x71], arguments) => Some(panic(U256::from_be_slice(arguments.get(..32)?))),
        _ => None,
    }
}

/// What the codes of `Panic` mean, in the words that geth has for them.
fn panic(code: U256) -> String {
    let words = match u64::try_from(code) {
        Ok(0x00) => "generic panic",
        Ok(0x01) => "assert(false)",
        Ok(0x11) => "arithmetic underflow or overflow",
        Ok(0x12) => "division or modulo by zero",
        Ok(0x21) => "enum overflow",
        Ok(0x22) => "invalid encoded storage byte array accessed",
        Ok(0x31) => "out-of-bounds array access; popping on an empty array",
        Ok(0x32) => "out-of-bounds access of an array or bytesN",
        Ok(0x41) => "out of memory",
        Ok(0x51) => "uninitialized function",
        _ => return format!("unknown panic code: {code:#x}"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panicked(code: U256) -> Option<String> {
        reason(&[&[0x4e, 0x48, 0x7b, 0x71][..], &code.to_be_bytes::<32>()].concat())
    }

    #[test]
    fn a_panic_says_what_its_code_means() {
        assert_eq!(panicked(U256::from(0x11)).unwrap(), "arithmetic underflow or overflow");
        assert_eq!(panicked(U256::from(0x12)).unwrap(), "division or modulo by zero");
        assert_eq!(panicked(U256::from(0x99)).unwrap(), "unknown panic code: 0x99");
        assert_eq!(panicked(U256::MAX).unwrap(), format!("unknown panic code: {:#x}", U256::MAX));
        assert_eq!(reason(&[0x4e, 0x48, 0x7b, 0x71, 0]), None);
    }

    #[test]
    fn an_error_that_lies_about_its_length_says_nothing() {
        let mut output = vec![0x08, 0xc3, 0x79, 0xa0];
        output.extend(U256::from(32).to_be_bytes::<32>());
        output.extend(U256::MAX.to_be_bytes::<32>());
        assert_eq!(reason(&output), None);
        let end = output.len() - 32;
        output.splice(end.., U256::from(3).to_be_bytes::<32>());
        output.extend(b"why");
        assert_eq!(reason(&output).unwrap(), "why");
        assert_eq!(reason(&[]), None);
    }
}
