//! Set-code authorizations (EIP-7702).

use alloy_primitives::{Address, Bytes, KECCAK256_EMPTY, U256};

use super::Environment;
use crate::{
    state::{Overlay, ViewError},
    transaction::account::Authorization,
    vm::{Code, delegation},
};

/// Refund for an authority that exists already: the intrinsic gas charged for a new account.
const EXISTING_AUTHORITY_REFUND: i64 = 25_000 - 12_500;

/// Applies a transaction's authorizations in turn, skipping invalid ones. Returns the refund.
pub(super) fn authorize(
    environment: &Environment,
    state: &mut Overlay<'_>,
    authorizations: &[Authorization],
) -> Result<i64, ViewError> {
    let mut refund = 0;
    for authorization in authorizations {
        refund += apply(environment, state, authorization)?;
    }
    Ok(refund)
}

fn apply(environment: &Environment, state: &mut Overlay<'_>, authorization: &Authorization) -> Result<i64, ViewError> {
    // VM-14
    let is_ours = authorization.chain_id.is_zero() || authorization.chain_id == U256::from(environment.chain_id);
    if !is_ours || authorization.nonce == u64::MAX {
        return Ok(0);
    }
    let Some(authority) = authorization.recover() else { return Ok(0) };
    let authority = state.account(&authority)?;
    state.warm_account(authority);
    let info = *state.info(authority);
    if info.code_hash != KECCAK256_EMPTY && state.code(authority)?.and_then(Code::delegate).is_none() {
        return Ok(0);
    }
    if info.nonce != authorization.nonce {
        return Ok(0);
    }
    let to = &authorization.address;
    let code = if *to == Address::ZERO { Bytes::new() } else { delegation(to) };
    state.set_code(authority, &code);
    state.set_nonce(authority, info.nonce + 1);
    Ok(if info.is_empty() { 0 } else { EXISTING_AUTHORITY_REFUND })
}
