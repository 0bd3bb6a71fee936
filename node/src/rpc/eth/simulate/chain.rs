//! Runs simulated blocks, each on the state of the one before.

use alloy_primitives::{KECCAK256_EMPTY, U256};
use chain_core::{
    block::header::Header,
    execute::{HISTORY, HISTORY_WINDOW, IntrinsicGas, Trial, transition_with},
    fees::next_base_fee,
    state::{Diff, Overlay},
    transaction::account::{AccountTransaction, Fields},
    units::Gas,
};

use super::{
    block::Simulated,
    error::{block_gas_limit, client_limit, gas_cap, invalid_call},
    payload::BlockCalls,
    watch::{Ran, Watch},
};
use crate::rpc::base::{
    CallRequest, Context, Guard, MOST_GAS, RpcResult, Simulation, account, base_fee, header, not_found,
};

/// Most bytes of one answer, as JSON.
const MOST_BYTES: usize = 24 << 20;
/// Bytes of a call or a log as JSON, besides its data, and then some.
const ENTRY: usize = 1_000;

/// The chain of simulated blocks.
pub struct Chain<'a> {
    context: &'a Context,
    simulation: Simulation,
    trace_transfers: bool,
    validation: bool,
    /// PREVRANDAO where no block overrides it.
    difficulty: U256,
    parent: Parent,
    budget: Budget,
}

/// What the next block needs of the latest.
struct Parent {
    header: Header,
    base_fee: u64,
    gas_used: Gas,
}

/// What is left for all blocks.
struct Budget {
    gas: Gas,
    bytes: usize,
}

impl<'a> Chain<'a> {
    /// Starts on the block of a simulation.
    pub fn new(
        context: &'a Context,
        simulation: Simulation,
        trace_transfers: bool,
        validation: bool,
    ) -> RpcResult<Self> {
        let snapshot = simulation.state.snapshot();
        let at = snapshot.at_height(simulation.state.height())?.ok_or_else(|| not_found("no such block"))?;
        let record = header(snapshot, at)?;
        let gas_used = record.executed.map_or(0, |executed| executed.gas_used);
        let parent = Parent { header: record.header, base_fee: base_fee(context, &record), gas_used };
        let budget = Budget { gas: MOST_GAS, bytes: MOST_BYTES };
        let difficulty = simulation.environment.difficulty;
        Ok(Self { context, simulation, trace_transfers, validation, difficulty, parent, budget })
    }

    /// Runs the next block.
    pub fn run(&mut self, block: BlockCalls) -> RpcResult<Simulated> {
        let BlockCalls { overrides, calls } = block;
        let Simulation { state, environment, call } = &mut self.simulation;
        environment.base_fee = match self.validation {
            true => next_base_fee(&self.context.spec, self.parent.base_fee, self.parent.gas_used),
            false => 0,
        };
        // Precompiled contracts move for one block, and so does its randomness; the rest of a header is inherited.
        environment.difficulty = self.difficulty;
        overrides.block.apply(environment);
        let mut trial = Trial::default();
        overrides.state.apply(state, &mut trial, call)?;
        environment.trial = Some(trial);
        if account(&*state, &HISTORY)?.code_hash != KECCAK256_EMPTY {
            let place = environment.number.saturating_sub(1) % u64::from(HISTORY_WINDOW);
            let parent = U256::from_le_bytes(self.parent.header.hash().0);
            state.set_storage(HISTORY, [(U256::from(place), parent)]);
        }
        let (ran, diff) = self.run_calls(calls)?;
        let environment = &self.simulation.environment;
        let simulated = Simulated::new(environment, &self.parent.header, ran)?;
        let at = simulated.block.at;
        self.simulation.state.add_block(at.height, at.hash, diff);
        self.parent = Parent {
            header: simulated.block.record.header,
            base_fee: environment.base_fee,
            gas_used: simulated.gas_used(),
        };
        Ok(simulated)
    }

    fn run_calls(&mut self, calls: Vec<CallRequest>) -> RpcResult<(Vec<Ran>, Diff)> {
        let mut overlay = Overlay::new(&self.simulation.state);
        let (mut all, mut used) = (Vec::with_capacity(calls.len()), 0);
        for call in calls {
            let fields = self.fields(&mut overlay, &call, used)?;
            let ran = self.run_call(&mut overlay, &call, fields)?;
            used += ran.outcome.gas_used;
            self.budget.charge(&ran)?;
            all.push(ran);
        }
        Ok((all, overlay.into_diff()))
    }

    /// The transaction that a call is, after others that used so much gas.
    fn fields(&self, overlay: &mut Overlay<'_>, call: &CallRequest, used: Gas) -> RpcResult<Fields> {
        let limit = self.simulation.environment.gas_limit;
        let gas = call.gas.unwrap_or(limit.saturating_sub(used));
        if used.saturating_add(gas) > limit {
            return Err(block_gas_limit(used, limit));
        }
        let sender = overlay.account(&call.from)?;
        let nonce = match overlay.info(sender).nonce {
            nonce if self.validation => call.nonce.unwrap_or(nonce),
            u64::MAX => {
                // Nonces start again, as in geth.
                overlay.set_nonce(sender, 0);
                0
            }
            nonce => nonce,
        };
        Ok(Fields { nonce, gas_limit: gas.min(self.budget.gas), ..call.fields.clone() })
    }

    fn run_call(&self, overlay: &mut Overlay<'_>, call: &CallRequest, fields: Fields) -> RpcResult<Ran> {
        let mut environment = self.simulation.environment.clone();
        if !self.validation && !call.priced {
            environment.base_fee = 0;
        }
        let transaction = AccountTransaction::unsigned(fields);
        let (fields, hash) = (transaction.fields(), transaction.hash());
        let mut watch = Watch::new(Guard::new(&self.simulation.call), self.trace_transfers);
        let outcome = transition_with(&environment, overlay, hash, fields, call.from, Gas::MAX, &mut watch);
        self.simulation.call.check()?;
        let gas = IntrinsicGas::of(environment.revision, fields);
        let needed = gas.intrinsic.max(gas.floor);
        if outcome.is_err() && needed > self.budget.gas && self.budget.gas == fields.gas_limit {
            return Err(gas_cap(needed, self.budget.gas));
        }
        let outcome = outcome.map_err(|refused| invalid_call(refused, call.from, fields.gas_limit))?;
        let most_gas = (gas.intrinsic + watch.gas_used).max(gas.floor);
        Ok(Ran { from: call.from, most_gas, logs: watch.logs, outcome, transaction })
    }
}

impl Budget {
    /// Takes what a call used.
    fn charge(&mut self, ran: &Ran) -> RpcResult<()> {
        self.gas = self.gas.saturating_sub(ran.outcome.gas_used);
        let logs: usize = ran.logs.iter().map(|log| ENTRY + 2 * log.data.data.len()).sum();
        let size = ENTRY + 4 * ran.outcome.output.len() + 2 * ran.transaction.raw().len() + logs;
        self.bytes = self.bytes.checked_sub(size).ok_or_else(|| {
            client_limit(format!("the result is longer than {} MB: simulate less at a time", MOST_BYTES >> 20))
        })?;
        Ok(())
    }
}
