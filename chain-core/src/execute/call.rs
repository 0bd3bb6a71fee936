//! Message calls: the one entry for every call, of a transaction as of (later) a contract.

use alloy_primitives::{Address, B256, Bytes, U256, address};

use super::gateway;
use crate::{
    state::{AccountId, Overlay},
    units::{Gas, Height},
    vm::Status,
};

/// The built-in contract that turns wei into coins.
pub const GATEWAY: Address = address!("00000000000000000000000000000000000000c0");

/// What every call of one transaction shares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// Hash of the transaction: it names the coins of withdrawals.
    pub transaction: B256,
    /// Height of the block.
    pub height: Height,
}

/// A call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    /// Who calls.
    pub caller: AccountId,
    /// Whose balance and storage it acts on.
    pub target: AccountId,
    /// Whose code runs; not the target's in DELEGATECALL and CALLCODE.
    pub code: AccountId,
    /// Wei that move from caller to target.
    pub value: U256,
    /// Calldata.
    pub input: &'a [u8],
    /// Gas it may use.
    pub gas: Gas,
    /// Whether it must not change anything (STATICCALL).
    pub is_static: bool,
}

/// What a call leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CallResult {
    /// How it ended.
    pub status: Status,
    /// Gas that was not used.
    pub gas_left: Gas,
    /// What it returned, or why it reverted.
    pub output: Bytes,
}

/// Runs a call. Unless it succeeds, nothing of it stays.
pub(super) fn call(state: &mut Overlay<'_>, origin: &Origin, call: &Call<'_>) -> CallResult {
    let checkpoint = state.checkpoint();
    let result = if !state.transfer(call.caller, call.target, call.value) {
        CallResult { status: Status::Revert, gas_left: call.gas, output: Bytes::new() }
    } else if state.address(call.code) == GATEWAY {
        gateway::run(state, origin, call)
    } else {
        CallResult { status: Status::Success, gas_left: call.gas, output: Bytes::new() }
    };
    if result.status != Status::Success {
        state.revert(checkpoint);
    }
    result
}
