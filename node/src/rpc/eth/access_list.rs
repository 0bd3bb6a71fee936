//! `eth_createAccessList`: the accounts and slots that a transaction reads.

use alloy_primitives::{Address, B256, U256};
use chain_core::{
    execute::{Environment, Outcome, Status},
    state::Overlay,
    vm::{
        Inspector, Step,
        opcode::{
            BALANCE, CALL, CALLCODE, DELEGATECALL, EXTCODECOPY, EXTCODEHASH, EXTCODESIZE, SELFDESTRUCT, SLOAD, SSTORE,
            STATICCALL,
        },
        precompiles::is_precompile,
    },
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

use super::call::{SECONDS, allowance};
use crate::rpc::base::{Args, CallRequest, Context, Guard, Method, Overrides, RpcResult, Simulation, quantity};

pub const METHODS: &[Method] =
    &[Method::new("eth_createAccessList", &["transaction", "block", "overrides"], create_access_list)
        .code()
        .within(SECONDS)];

/// Accounts with their slots.
type Touched = BTreeMap<Address, BTreeSet<B256>>;

/// Notes what instructions touch, as geth does.
struct Notes<'a> {
    guard: Guard<'a>,
    /// Accounts that are warm anyway: they are listed only with slots.
    warm: &'a BTreeSet<Address>,
    environment: &'a Environment,
    touched: Touched,
}

impl Notes<'_> {
    fn account(&mut self, word: U256) {
        let address = Address::from_word(word.into());
        if !self.warm.contains(&address) && !is_precompile(self.environment.revision, &address) {
            self.touched.entry(address).or_default();
        }
    }
}

impl Inspector for Notes<'_> {
    fn stopped(&mut self) -> bool {
        self.guard.stopped()
    }

    fn step(&mut self, step: &Step<'_>, _: &mut Overlay<'_>) {
        let from_top = |place: usize| step.stack.len().checked_sub(place).map(|index| step.stack[index]);
        match step.opcode {
            SLOAD | SSTORE => {
                if let Some(slot) = from_top(1) {
                    self.touched.entry(step.address).or_default().insert(slot.into());
                }
            }
            BALANCE | EXTCODECOPY | EXTCODEHASH | EXTCODESIZE | SELFDESTRUCT => {
                from_top(1).into_iter().for_each(|word| self.account(word));
            }
            CALL | CALLCODE | DELEGATECALL | STATICCALL => {
                from_top(2).into_iter().for_each(|word| self.account(word));
            }
            _ => {}
        }
    }
}

fn create_access_list(context: &Context, mut args: Args) -> RpcResult<Value> {
    let mut request = CallRequest::read(context, &mut args)?;
    let (tag, call) = (args.optional()?, args.call());
    let overrides = Overrides { state: Overrides::state(&mut args)?, ..Overrides::default() };
    let simulation = Simulation::new(context, tag, &overrides, &mut request, call)?;
    let (list, outcome) = settle(&simulation, &mut request)?;
    let entries: Vec<Value> =
        list.iter().map(|(address, slots)| json!({ "address": address, "storageKeys": slots })).collect();
    let mut answer = json!({ "accessList": entries, "gasUsed": quantity(outcome.gas_used) });
    match outcome.status {
        Status::Success => {}
        Status::Revert => answer["error"] = "execution reverted".into(),
        Status::Halt(halt) => answer["error"] = halt.to_string().into(),
    }
    Ok(answer)
}

/// Runs the request with what the run before touched, until that is all. The list only grows, so this ends.
fn settle(simulation: &Simulation, request: &mut CallRequest) -> RpcResult<(Touched, Outcome)> {
    let created = || request.from.create(request.fields.nonce);
    let mut warm = BTreeSet::from([request.from, request.fields.to.unwrap_or_else(created)]);
    warm.extend(request.fields.authorizations.iter().filter_map(|authorization| authorization.recover()));
    let gas_limit = request.fields.gas_limit.min(allowance(simulation, request)?);
    let mut list = Touched::new();
    for (address, slots) in &request.fields.access_list {
        if !warm.contains(address) || !slots.is_empty() {
            list.entry(*address).or_default().extend(slots);
        }
    }
    loop {
        let given = |(address, slots): (&Address, &BTreeSet<B256>)| (*address, slots.iter().copied().collect());
        request.fields.access_list = list.iter().map(given).collect();
        let mut notes = Notes {
            guard: Guard::new(&simulation.call),
            warm: &warm,
            environment: &simulation.environment,
            touched: list.clone(),
        };
        let outcome = simulation.watch(request, gas_limit, &mut notes);
        simulation.call.check()?;
        let (touched, outcome) = (notes.touched, outcome?);
        if touched == list {
            return Ok((list, outcome));
        }
        list = touched;
    }
}
