//! The error codes of `eth_simulateV1` in execution-apis.

use alloy_primitives::Address;
use chain_core::{
    error::{ExecuteError, RuleError},
    units::Gas,
};

use crate::rpc::base::{RpcError, error, failed};

/// -38015.
pub fn block_gas_limit(used: Gas, limit: Gas) -> RpcError {
    error(-38015, format!("block gas limit reached: {used} >= {limit}"))
}

/// -38020.
pub fn number_order(number: u64, before: u64) -> RpcError {
    error(-38020, format!("block numbers must be in order: {number} <= {before}"))
}

/// -38021.
pub fn time_order(time: u64, before: u64) -> RpcError {
    error(-38021, format!("block timestamps must be in order: {time} <= {before}"))
}

/// -38026.
pub fn too_many_blocks() -> RpcError {
    client_limit("too many blocks")
}

/// -38026.
pub fn client_limit(message: impl Into<String>) -> RpcError {
    error(-38026, message)
}

/// -38026: what all calls may use is used up. The words are geth's.
pub fn gas_cap(needed: Gas, left: Gas) -> RpcError {
    client_limit(format!("RPC gas cap exhausted: need {needed}, remaining {left}; simulate less at a time"))
}

/// A call that no block could hold, with its sender and the gas that it was given. The words are geth's.
pub fn invalid_call(refused: ExecuteError, from: Address, gas: Gas) -> RpcError {
    use RuleError as E;
    let ExecuteError::Rule(rule) = &refused else { return failed(refused) };
    let (code, words) = match rule {
        E::Nonce { got, expected } if got < expected => {
            (-38010, format!("nonce too low: address {from}, tx: {got} state: {expected}"))
        }
        E::Nonce { got, expected } => (-38011, format!("nonce too high: address {from}, tx: {got} state: {expected}")),
        E::FeeCapTooLow { got, base_fee } => (
            -38012,
            format!(
                "max fee per gas less than block base fee: address {from}, maxFeePerGas: {got}, baseFee: {base_fee}"
            ),
        ),
        E::TipAboveFeeCap { got, fee_cap } => (
            -32602,
            format!(
                "max priority fee per gas higher than max fee per gas: address {from}, maxPriorityFeePerGas: {got}, \
                 maxFeePerGas: {fee_cap}"
            ),
        ),
        E::IntrinsicGas { got, needed } => (-38013, format!("intrinsic gas too low: have {got}, want {needed}")),
        E::InsufficientBalance { got, needed } => {
            (-38014, format!("insufficient funds for gas * price + value: address {from} have {got} want {needed}"))
        }
        E::InitcodeTooLong { got, limit } => {
            (-38025, format!("max initcode size exceeded: code size {got}, limit {limit}"))
        }
        _ => return failed(refused),
    };
    error(code, format!("err: {words} (supplied gas {gas})"))
}
