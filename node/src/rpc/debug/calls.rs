//! The call tracer: the tree of calls, as geth's `callTracer` gives it.

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use chain_core::{
    execute::{Outcome, Status},
    units::Gas,
    vm::{FrameEnd, FrameKind, FrameStart, Inspector},
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::limit::Limit;
use crate::rpc::base::reason;

/// Calls that are written down at most below each other: JSON deeper than that is read by nobody.
const MOST_DEPTH: usize = 1_026;

/// One call, its own calls within it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Frame {
    r#type: &'static str,
    from: Address,
    to: Address,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<U256>,
    gas: U64,
    gas_used: U64,
    input: Bytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revert_reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    calls: Vec<Frame>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logs: Vec<Log>,
}

/// Something logged.
#[derive(Serialize)]
struct Log {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
    position: U64,
}

/// Writes down every call.
pub struct Calls<'a> {
    only_top: bool,
    logs: bool,
    /// Calls that run, outermost first; `None` for those that are left out.
    open: Vec<Option<Frame>>,
    done: Option<Frame>,
    limit: Limit<'a>,
}

impl<'a> Calls<'a> {
    /// A tracer that writes down no more than the limit allows.
    pub fn new(only_top: bool, logs: bool, limit: Limit<'a>) -> Self {
        Self { only_top, logs, open: Vec::new(), done: None, limit }
    }

    /// What it had to keep to.
    pub fn limit(&self) -> &Limit<'a> {
        &self.limit
    }

    /// The whole answer; `None` if nothing ran.
    ///
    /// # Errors
    /// If it cannot be written as JSON: never.
    pub fn finish(self, gas_limit: Gas, outcome: &Outcome) -> serde_json::Result<Option<Box<RawValue>>> {
        let Some(mut top) = self.done else { return Ok(None) };
        // Of the transaction itself all gas is told, not only that of its code.
        (top.gas, top.gas_used) = (U64::from(gas_limit), U64::from(outcome.gas_used));
        if outcome.status != Status::Success {
            drop_logs(&mut top);
        }
        serde_json::value::to_raw_value(&top).map(Some)
    }
}

/// What a call logged that did not succeed was never logged.
fn drop_logs(call: &mut Frame) {
    call.logs = Vec::new();
    call.calls.iter_mut().for_each(drop_logs);
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

impl Inspector for Calls<'_> {
    fn stopped(&mut self) -> bool {
        self.limit.is_over()
    }

    fn enter(&mut self, frame: &FrameStart<'_>) {
        let left_out = self.only_top && !self.open.is_empty() || self.open.len() >= MOST_DEPTH;
        if left_out || !self.limit.charge(size_of::<Frame>().max(500) + 2 * frame.input.len()) {
            self.open.push(None);
            return;
        }
        self.open.push(Some(Frame {
            r#type: kind(frame.kind),
            from: frame.from,
            to: frame.to,
            value: Some(frame.value).filter(|_| frame.kind != FrameKind::StaticCall),
            gas: U64::from(frame.gas),
            gas_used: U64::ZERO,
            input: Bytes::copy_from_slice(frame.input),
            output: None,
            error: None,
            revert_reason: None,
            calls: Vec::new(),
            logs: Vec::new(),
        }));
    }

    fn exit(&mut self, frame: &FrameEnd<'_>) {
        let Some(Some(mut call)) = self.open.pop() else { return };
        call.gas_used = U64::from(frame.gas_used);
        if self.limit.charge(2 * frame.output.len()) && !frame.output.is_empty() {
            call.output = Some(Bytes::copy_from_slice(frame.output));
        }
        match frame.status {
            Status::Success => {}
            Status::Revert => {
                call.error = Some("execution reverted".to_owned());
                call.revert_reason = reason(frame.output);
                drop_logs(&mut call);
            }
            Status::Halt(halt) => {
                call.error = Some(halt.to_string());
                drop_logs(&mut call);
            }
        }
        match self.open.last_mut() {
            Some(Some(outer)) => outer.calls.push(call),
            Some(None) => {}
            None => self.done = Some(call),
        }
    }

    fn log(&mut self, log: &alloy_primitives::Log) {
        if !self.logs || !self.limit.charge(400 + 2 * log.data.data.len()) {
            return;
        }
        let Some(Some(call)) = self.open.last_mut() else { return };
        call.logs.push(Log {
            address: log.address,
            topics: log.topics().to_vec(),
            data: log.data.data.clone(),
            position: U64::from(call.calls.len()),
        });
    }
}
