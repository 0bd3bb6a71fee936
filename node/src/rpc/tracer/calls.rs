//! The tree of calls, and how geth's `callTracer` shows it.

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use chain_core::{
    execute::{Outcome, Revision, Status},
    units::Gas,
    vm::{FrameEnd, FrameKind, FrameStart, precompiles::is_precompile},
};
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{limit::Limit, words::failure};
use crate::rpc::base::reason;

/// Calls that are written down at most below each other: JSON deeper than that is read by nobody.
const MOST_DEPTH: usize = 1_026;
/// What a call costs besides its data, in memory and as text.
const FRAME: usize = 500;

/// What is recorded.
#[derive(Clone, Copy, Default)]
pub struct CallConfig {
    /// The transaction's own call only.
    pub only_top: bool,
    /// What is logged, too.
    pub logs: bool,
}

/// One call, its own calls within it.
pub struct Frame {
    /// The instruction that began it.
    pub kind: FrameKind,
    /// The caller.
    pub from: Address,
    /// The account called or created; who receives the balance of a SELFDESTRUCT.
    pub to: Address,
    /// Wei.
    pub value: U256,
    /// Gas that it was given.
    pub gas: Gas,
    /// Gas that it used.
    pub gas_used: Gas,
    /// Calldata or initcode.
    pub input: Bytes,
    /// What it returned; the code of a new contract.
    pub output: Bytes,
    /// How it ended.
    pub status: Status,
    /// Its calls.
    pub calls: Vec<Frame>,
    logs: Vec<Log>,
}

/// Something logged.
#[derive(Serialize)]
struct Log {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
    index: U64,
    position: U64,
}

/// Records every call.
pub struct Calls {
    config: CallConfig,
    /// Calls that run, outermost first.
    open: Vec<Open>,
    top: Option<Frame>,
    /// Logs of the block so far, without those of calls that failed.
    logged: usize,
}

struct Open {
    /// `None` if it is left out.
    frame: Option<Frame>,
    logged_before: usize,
}

impl Frame {
    /// Whether it creates a contract.
    pub fn is_creation(&self) -> bool {
        matches!(self.kind, FrameKind::Create | FrameKind::Create2)
    }

    /// Whether it is a call of a precompiled contract, which most tracers leave out.
    pub fn is_precompile(&self) -> bool {
        matches!(self.kind, FrameKind::Call | FrameKind::StaticCall) && is_precompile(Revision::Osaka, &self.to)
    }

    /// The instruction's name.
    pub fn name(&self) -> &'static str {
        match self.kind {
            FrameKind::Call => "CALL",
            FrameKind::CallCode => "CALLCODE",
            FrameKind::DelegateCall => "DELEGATECALL",
            FrameKind::StaticCall => "STATICCALL",
            FrameKind::Create => "CREATE",
            FrameKind::Create2 => "CREATE2",
            FrameKind::SelfDestruct => "SELFDESTRUCT",
        }
    }

    /// What a call logged that did not succeed was never logged.
    fn drop_logs(&mut self) {
        self.logs = Vec::new();
        for call in &mut self.calls {
            call.drop_logs();
        }
    }
}

impl Calls {
    /// Records a transaction that comes after so many logs of its block.
    pub fn new(config: CallConfig, logs_before: usize) -> Self {
        Self { config, open: Vec::new(), top: None, logged: logs_before }
    }

    /// The transaction's own call, with the gas of its code only; `None` if nothing ran.
    pub fn top(self) -> Option<Frame> {
        self.top
    }

    /// The transaction's own call, with all gas of the transaction.
    pub fn whole(self, gas_limit: Gas, outcome: &Outcome) -> Option<Frame> {
        let mut top = self.top?;
        (top.gas, top.gas_used) = (gas_limit, outcome.gas_used);
        Some(top)
    }

    pub(super) fn enter(&mut self, frame: &FrameStart<'_>, limit: &mut Limit<'_>) {
        let left_out = self.config.only_top && !self.open.is_empty() || self.open.len() >= MOST_DEPTH;
        let recorded = !left_out && limit.charge(FRAME + 2 * frame.input.len());
        let frame = recorded.then(|| Frame {
            kind: frame.kind,
            from: frame.from,
            to: frame.to,
            value: frame.value,
            gas: frame.gas,
            gas_used: 0,
            input: Bytes::copy_from_slice(frame.input),
            output: Bytes::new(),
            status: Status::Success,
            calls: Vec::new(),
            logs: Vec::new(),
        });
        self.open.push(Open { frame, logged_before: self.logged });
    }

    pub(super) fn exit(&mut self, frame: &FrameEnd<'_>, limit: &mut Limit<'_>) {
        let Some(Open { frame: call, logged_before }) = self.open.pop() else { return };
        if frame.status != Status::Success {
            self.logged = logged_before;
        }
        let Some(mut call) = call else { return };
        (call.gas_used, call.status) = (frame.gas_used, frame.status);
        if frame.status != Status::Success {
            call.drop_logs();
        }
        if limit.charge(2 * frame.output.len()) {
            call.output = Bytes::copy_from_slice(frame.output);
        }
        match self.open.last_mut() {
            Some(Open { frame: Some(outer), .. }) => outer.calls.push(call),
            Some(_) => {}
            None => self.top = Some(call),
        }
    }

    pub(super) fn log(&mut self, log: &alloy_primitives::Log, limit: &mut Limit<'_>) {
        let index = U64::from(self.logged);
        self.logged += 1;
        let Some(Open { frame: Some(call), .. }) = self.open.last_mut() else { return };
        if self.config.logs && limit.charge(FRAME + 2 * log.data.data.len()) {
            call.logs.push(Log {
                address: log.address,
                topics: log.topics().to_vec(),
                data: log.data.data.clone(),
                index,
                position: U64::from(call.calls.len()),
            });
        }
    }
}

impl Serialize for Frame {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let error = failure(self.status);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.name())?;
        map.serialize_entry("from", &self.from)?;
        map.serialize_entry("gas", &U64::from(self.gas))?;
        map.serialize_entry("gasUsed", &U64::from(self.gas_used))?;
        // A contract that was not created has no address.
        if !self.is_creation() || error.is_none() {
            map.serialize_entry("to", &self.to)?;
        }
        map.serialize_entry("input", &self.input)?;
        if !self.output.is_empty() {
            map.serialize_entry("output", &self.output)?;
        }
        if let Some(error) = error {
            map.serialize_entry("error", &error)?;
        }
        if let Some(reason) = reason(&self.output).filter(|_| self.status == Status::Revert) {
            map.serialize_entry("revertReason", &reason)?;
        }
        if !self.calls.is_empty() {
            map.serialize_entry("calls", &self.calls)?;
        }
        if !self.logs.is_empty() {
            map.serialize_entry("logs", &self.logs)?;
        }
        if self.kind != FrameKind::StaticCall {
            map.serialize_entry("value", &self.value)?;
        }
        map.end()
    }
}
