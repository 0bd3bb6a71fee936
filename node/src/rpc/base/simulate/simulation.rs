//! A state and a block in which a transaction is tried.

use alloy_primitives::{Address, B256};
use chain_core::{
    execute::{Environment, Outcome, Revision, Trial, transition_with},
    state::{Overlay, StateView},
    transaction::account::Fields,
    units::Gas,
    vm::Inspector,
};

use super::{overrides::Overrides, request::CallRequest, revert::failed, state::SimulatedState};
use crate::rpc::base::{
    block_name::BlockTag,
    call::{Call, Guard},
    context::Context,
    error::{RpcResult, not_found},
    fees::{base_fee, fee_after},
    read::header,
    render,
    state::{account, state_at},
};

/// Gas for a call at most, whatever the chain allows a block, as in geth: it bounds what a call holds in memory, some 90 MB.
pub const MOST_GAS: Gas = 50_000_000;

/// A state and the block that it is of, or that would come next for `pending`.
pub struct Simulation {
    /// The state.
    pub state: SimulatedState,
    /// The block.
    pub environment: Environment,
    /// When runs end.
    pub call: Call,
}

impl Simulation {
    /// Takes the state and the block of a tag, but for what is overridden. The request gets its sender's nonce and a gas
    /// limit that this node allows.
    pub fn new(
        context: &Context,
        tag: Option<BlockTag>,
        overrides: &Overrides,
        request: &mut CallRequest,
        call: Call,
    ) -> RpcResult<Self> {
        let mut simulation = Self::at(context, tag, call)?;
        let environment = &mut simulation.environment;
        overrides.block.apply(environment);
        if !request.priced {
            // Without a price nothing is paid, as in other clients.
            environment.base_fee = 0;
        }
        let trial = environment.trial.get_or_insert_default();
        overrides.state.apply(&mut simulation.state, trial, &simulation.call)?;
        request.fields.nonce = account(&simulation.state, &request.from)?.nonce;
        request.fields.gas_limit = request.fields.gas_limit.min(context.spec.gas_limit).min(MOST_GAS);
        Ok(simulation)
    }

    /// The state and the block of a tag as they are.
    pub fn at(context: &Context, tag: Option<BlockTag>, call: Call) -> RpcResult<Self> {
        let is_pending = tag == Some(BlockTag::Pending);
        let state = state_at(context, tag)?;
        let snapshot = state.snapshot();
        let at = snapshot.at_height(state.height())?.ok_or_else(|| not_found("no such block"))?;
        let record = header(snapshot, at)?;
        let time = u64::from(record.header.time);
        let mut environment = Environment {
            revision: Revision::Osaka,
            chain_id: context.spec.chain_id,
            number: u64::from(at.height),
            time,
            gas_limit: context.spec.gas_limit,
            base_fee: base_fee(context, &record),
            difficulty: render::difficulty(record.header.bits),
            beneficiary: Address::ZERO,
            transaction_gas: Gas::MAX,
            gateway: true,
            trial: Some(Trial::default()),
        };
        if is_pending {
            environment.number += 1;
            environment.time = context.mining.next_time(record.header.time).into();
            environment.base_fee = fee_after(context, snapshot, at)?;
            environment.beneficiary = context.mining.status().beneficiary;
        } else {
            environment.beneficiary = context.beneficiaries.of(snapshot, at)?;
        }
        Ok(Self { state: SimulatedState::new(state), environment, call })
    }

    /// Runs a request until its call is over.
    pub fn run(&self, request: &CallRequest, gas_limit: Gas) -> RpcResult<Outcome> {
        let outcome = self.watch(request, gas_limit, &mut Guard::new(&self.call));
        self.call.check()?;
        outcome
    }

    /// Runs it, watched.
    pub fn watch(&self, request: &CallRequest, gas_limit: Gas, inspector: &mut impl Inspector) -> RpcResult<Outcome> {
        let view: &dyn StateView = &self.state;
        let fields = Fields { gas_limit, ..request.fields.clone() };
        let mut overlay = Overlay::new(view);
        transition_with(&self.environment, &mut overlay, B256::ZERO, &fields, request.from, Gas::MAX, inspector)
            .map_err(failed)
    }
}
