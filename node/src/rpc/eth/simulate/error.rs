//! The error codes of `eth_simulateV1` in execution-apis.

use chain_core::{
    error::{ExecuteError, RuleError},
    units::Gas,
};

use crate::rpc::base::{RpcError, error, failed, in_geths_words};

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

/// A call that no block could hold, with the gas that it was given.
pub fn invalid_call(refused: ExecuteError, gas: Gas) -> RpcError {
    use RuleError as E;
    let ExecuteError::Rule(rule) = &refused else { return failed(refused) };
    let code = match rule {
        E::Nonce { got, expected } if got < expected => -38010,
        E::Nonce { .. } | E::NonceTooHigh(_) => -38011,
        E::FeeCapTooLow { .. } => -38012,
        E::IntrinsicGas { .. } => -38013,
        E::InsufficientBalance { .. } => -38014,
        E::GasLeft { .. } => -38015,
        E::InitcodeTooLong { .. } => -38025,
        _ => return failed(refused),
    };
    error(code, format!("err: {} (supplied gas {gas})", in_geths_words(rule)))
}
