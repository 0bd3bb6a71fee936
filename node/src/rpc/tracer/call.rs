//! A call that is tried on a state, and recorded.

use alloy_primitives::B256;
use chain_core::{
    execute::{Outcome, transition_with},
    state::Overlay,
    units::Gas,
};

use super::{touched::Subject, watch::Watch};
use crate::rpc::base::{CallRequest, RpcResult, Simulation, failed};

/// Runs a call in the block of a simulation, on this state.
///
/// # Errors
/// -32005 beyond the limit or the time of the call; what the call breaks.
pub fn run_call(
    simulation: &Simulation,
    state: &mut Overlay<'_>,
    request: &CallRequest,
    watch: &mut Watch<'_>,
) -> RpcResult<Outcome> {
    let (environment, from) = (&simulation.environment, request.from);
    let sender = state.account(&from)?;
    let mut fields = request.fields.clone();
    fields.nonce = state.info(sender).nonce;
    watch.begin(state, &Subject { fields: &fields, sender: from, beneficiary: environment.beneficiary })?;
    let ran = transition_with(environment, state, B256::ZERO, &fields, from, Gas::MAX, watch);
    watch.end(state, ran.map_err(failed))
}
