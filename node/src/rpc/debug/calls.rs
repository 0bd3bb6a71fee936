//! The call tracer: the tree of calls, as geth's `callTracer` gives it.

use alloy_primitives::{Log, U256};
use chain_core::{
    execute::{Outcome, Status},
    units::Gas,
    vm::{FrameEnd, FrameKind, FrameStart, Inspector},
};
use serde_json::{Map, Value, json};

use crate::rpc::{
    eth::{data, quantity},
    eth_call::reason,
};

/// Calls that are written down at most below each other: JSON deeper than that is read by nobody.
const MOST_DEPTH: usize = 1_026;

/// Writes down every call.
pub struct Calls {
    only_top: bool,
    logs: bool,
    /// Calls that run, outermost first; `None` for those that are left out.
    open: Vec<Option<Map<String, Value>>>,
    done: Option<Map<String, Value>>,
    bytes_left: Option<usize>,
}

impl Calls {
    /// A tracer that writes down about so many bytes.
    pub fn new(only_top: bool, logs: bool, most_bytes: usize) -> Self {
        Self { only_top, logs, open: Vec::new(), done: None, bytes_left: Some(most_bytes) }
    }

    /// The whole answer; `None` if it was too long.
    pub fn finish(self, gas_limit: Gas, outcome: &Outcome) -> Option<Value> {
        self.bytes_left?;
        let mut top = self.done?;
        // Of the transaction itself all gas is told, not only that of its code.
        top.insert("gas".into(), quantity(U256::from(gas_limit)));
        top.insert("gasUsed".into(), quantity(U256::from(outcome.gas_used)));
        if outcome.status != Status::Success {
            drop_logs(&mut top);
        }
        Some(Value::Object(top))
    }

    fn charge(&mut self, bytes: usize) -> bool {
        self.bytes_left = self.bytes_left.and_then(|left| left.checked_sub(bytes));
        self.bytes_left.is_some()
    }
}

/// What a call logged that did not succeed was never logged.
fn drop_logs(call: &mut Map<String, Value>) {
    call.remove("logs");
    for inner in call.get_mut("calls").and_then(Value::as_array_mut).into_iter().flatten() {
        inner.as_object_mut().map(drop_logs);
    }
}

fn kind(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Call => "CALL",
        FrameKind::CallCode => "CALLCODE",
        FrameKind::DelegateCall => "DELEGATECALL",
        FrameKind::StaticCall => "STATICCALL",
        FrameKind::Create => "CREATE",
        FrameKind::Create2 => "CREATE2",
        FrameKind::SelfDestruct => "SELFDESTRUCT",
    }
}

impl Inspector for Calls {
    fn enter(&mut self, frame: &FrameStart<'_>) {
        let left_out = self.only_top && !self.open.is_empty() || self.open.len() >= MOST_DEPTH;
        if left_out || !self.charge(500 + 2 * frame.input.len()) {
            self.open.push(None);
            return;
        }
        let mut call = Map::new();
        call.insert("type".into(), kind(frame.kind).into());
        call.insert("from".into(), data(frame.from.as_slice()));
        call.insert("to".into(), data(frame.to.as_slice()));
        if frame.kind != FrameKind::StaticCall {
            call.insert("value".into(), quantity(frame.value));
        }
        call.insert("gas".into(), quantity(U256::from(frame.gas)));
        call.insert("input".into(), data(frame.input));
        self.open.push(Some(call));
    }

    fn exit(&mut self, frame: &FrameEnd<'_>) {
        let Some(Some(mut call)) = self.open.pop() else { return };
        self.charge(2 * frame.output.len());
        call.insert("gasUsed".into(), quantity(U256::from(frame.gas_used)));
        if !frame.output.is_empty() && self.bytes_left.is_some() {
            call.insert("output".into(), data(frame.output));
        }
        match frame.status {
            Status::Success => {}
            Status::Revert => {
                call.insert("error".into(), "execution reverted".into());
                if let Some(reason) = reason(frame.output) {
                    call.insert("revertReason".into(), reason.into());
                }
                drop_logs(&mut call);
            }
            Status::Halt(halt) => {
                call.insert("error".into(), halt.to_string().into());
                drop_logs(&mut call);
            }
        }
        match self.open.last_mut() {
            Some(Some(outer)) => push(outer, "calls", Value::Object(call)),
            Some(None) => {}
            None => self.done = Some(call),
        }
    }

    fn log(&mut self, log: &Log) {
        if !self.logs || !self.charge(400 + 2 * log.data.data.len()) {
            return;
        }
        let Some(Some(call)) = self.open.last_mut() else { return };
        let calls = call.get("calls").and_then(Value::as_array).map_or(0, Vec::len);
        let topics: Vec<Value> = log.topics().iter().map(|topic| data(topic.as_slice())).collect();
        let entry = json!({
            "address": data(log.address.as_slice()),
            "topics": topics,
            "data": data(&log.data.data),
            "position": quantity(U256::from(calls)),
        });
        push(call, "logs", entry);
    }
}

fn push(call: &mut Map<String, Value>, list: &str, item: Value) {
    let list = call.entry(list).or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(items) = list {
        items.push(item);
    }
}
