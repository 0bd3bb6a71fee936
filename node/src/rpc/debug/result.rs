//! From a tracer's kind to its recorders, and from what they recorded to the answer.

use chain_core::{execute::Outcome, units::Gas};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;

use super::config::Kind;
use crate::rpc::{
    base::{RpcResult, internal},
    tracer::{CallConfig, Calls, Flattener, Limit, Place, Recorder, Selectors, Steps, Touched, Watch, prestate},
};

/// How a traced transaction ran.
pub struct Ran {
    pub outcome: Outcome,
    pub gas_limit: Gas,
    /// Where it stands in the chain, if it does.
    pub place: Place,
}

/// What records for a tracer, for a transaction after so many logs of its block.
pub fn recorders(kind: &Kind, logs_before: usize) -> Vec<Recorder> {
    let calls = |config| vec![Recorder::Calls(Calls::new(config, logs_before))];
    match kind {
        Kind::Steps(config) => vec![Recorder::Steps(Steps::new(*config))],
        Kind::Calls(config) => calls(*config),
        Kind::Flat(_) => calls(CallConfig::default()),
        Kind::Prestate(config, _) => vec![Recorder::Touched(Touched::new(*config))],
        Kind::Selectors => vec![Recorder::Selectors(Selectors::default())],
        Kind::Noop => Vec::new(),
        Kind::Mux(tracers) => tracers.values().flat_map(|kind| recorders(kind, logs_before)).collect(),
    }
}

/// The answer of a tracer, from what its recorders hold.
///
/// # Errors
/// -32005 beyond the limit.
pub fn result(kind: &Kind, watch: Watch<'_>, ran: &Ran) -> RpcResult<Box<RawValue>> {
    let Watch { recorders, mut limit } = watch;
    let mut recorders = recorders.into_iter();
    let result = match kind {
        Kind::Mux(tracers) => {
            let mut results = BTreeMap::new();
            for (name, kind) in tracers {
                results.insert(name, one(kind, &mut recorders, &mut limit, ran)?);
            }
            raw(&results)
        }
        kind => one(kind, &mut recorders, &mut limit, ran),
    };
    limit.check()?;
    result
}

fn one(
    kind: &Kind,
    recorders: &mut impl Iterator<Item = Recorder>,
    limit: &mut Limit<'_>,
    ran: &Ran,
) -> RpcResult<Box<RawValue>> {
    // Each kind but these has one recorder.
    let recorder = match kind {
        Kind::Noop | Kind::Mux(_) => return raw(&BTreeMap::<String, ()>::new()),
        _ => recorders.next(),
    };
    match (kind, recorder) {
        (Kind::Steps(_), Some(Recorder::Steps(steps))) => steps.finish(&ran.outcome).map_err(internal),
        (Kind::Prestate(_, config), Some(Recorder::Touched(touched))) => raw(&prestate(&touched, *config)),
        (Kind::Selectors, Some(Recorder::Selectors(selectors))) => raw(&selectors),
        (_, Some(Recorder::Calls(calls))) => {
            let top = calls.whole(ran.gas_limit, &ran.outcome).ok_or_else(|| internal("a transaction has a call"))?;
            match kind {
                Kind::Flat(config) => raw(&Flattener { config: *config, place: Some(ran.place), limit }.rows(&top)),
                _ => raw(&top),
            }
        }
        _ => Err(internal("a tracer has a recorder of another kind")),
    }
}

fn raw(value: &impl Serialize) -> RpcResult<Box<RawValue>> {
    to_raw_value(value).map_err(internal)
}
