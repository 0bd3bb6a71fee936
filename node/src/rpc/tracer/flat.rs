//! A tree of calls as a list, in the shape of Parity: what `trace_*` and geth's `flatCallTracer` return.

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use chain_core::{execute::Status, vm::FrameKind};
use serde::Serialize;

use super::{
    calls::Frame,
    limit::Limit,
    words::{failure, parity_failure},
};

/// What a row costs besides its data and its address, in memory and as text.
const ROW: usize = 700;
/// What a number of its address costs.
const STEP: usize = 12;

/// How rows look.
#[derive(Clone, Copy)]
pub struct FlatConfig {
    /// Errors in Parity's words rather than geth's.
    pub parity_errors: bool,
    /// Calls of precompiled contracts, too.
    pub precompiles: bool,
    /// A call without a result says so, as in Parity.
    pub null_results: bool,
}

/// Where a row's transaction stands.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The block.
    pub block_hash: Option<B256>,
    /// Its height.
    pub block_number: u64,
    /// The transaction; `None` for the reward of a block.
    pub transaction_hash: Option<B256>,
    /// Which of the block's account transactions it is.
    pub transaction_position: Option<u64>,
}

/// Where nothing stands, as geth shows it.
impl Default for Place {
    fn default() -> Self {
        Self { block_hash: None, block_number: 0, transaction_hash: None, transaction_position: Some(0) }
    }
}

impl Place {
    /// That of a transaction in this block.
    pub fn of(self, transaction: B256, position: u64) -> Self {
        Self { transaction_hash: Some(transaction), transaction_position: Some(position), ..self }
    }
}

/// One call, creation, SELFDESTRUCT or reward.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    action: Action,
    #[serde(flatten)]
    place: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Option<Done>>,
    subtraces: usize,
    trace_address: Vec<usize>,
    r#type: &'static str,
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Action {
    Call { call_type: &'static str, from: Address, gas: U64, input: Bytes, to: Address, value: U256 },
    Create { creation_method: &'static str, from: Address, gas: U64, init: Bytes, value: U256 },
    Suicide { address: Address, balance: U256, refund_address: Address },
    Reward { author: Address, reward_type: &'static str, value: U256 },
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Done {
    Call {
        gas_used: U64,
        output: Bytes,
    },
    Create {
        #[serde(skip_serializing_if = "Option::is_none")]
        address: Option<Address>,
        code: Bytes,
        gas_used: U64,
    },
}

impl Row {
    /// Who acts; nobody for a reward.
    pub fn from(&self) -> Option<Address> {
        match self.action {
            Action::Call { from, .. } | Action::Create { from, .. } | Action::Suicide { address: from, .. } => {
                Some(from)
            }
            Action::Reward { .. } => None,
        }
    }

    /// Whom it concerns: who is called, created or paid.
    pub fn to(&self) -> Option<Address> {
        match (&self.action, &self.result) {
            (Action::Call { to, .. }, _) => Some(*to),
            (Action::Create { .. }, Some(Some(Done::Create { address, .. }))) => *address,
            (Action::Create { .. }, _) => None,
            (Action::Suicide { refund_address, .. }, _) => Some(*refund_address),
            (Action::Reward { author, .. }, _) => Some(*author),
        }
    }

    /// The numbers of the calls that lead to it.
    pub fn address(&self) -> &[usize] {
        &self.trace_address
    }
}

/// What a block mints, which its coinbase pays in coins.
pub fn reward(author: Address, value: U256, place: Place) -> Row {
    Row {
        action: Action::Reward { author, reward_type: "block", value },
        place: Some(place),
        error: None,
        result: Some(None),
        subtraces: 0,
        trace_address: Vec::new(),
        r#type: "reward",
    }
}

/// Lists the calls of one transaction.
pub struct Flattener<'a, 'c> {
    /// How rows look.
    pub config: FlatConfig,
    /// Where the transaction stands; left out of rows that are not of a block.
    pub place: Option<Place>,
    /// What the rows may hold.
    pub limit: &'a mut Limit<'c>,
}

impl Flattener<'_, '_> {
    /// The call and all below it, each before its own calls, until the limit is reached.
    pub fn rows(&mut self, top: &Frame) -> Vec<Row> {
        let mut rows = Vec::new();
        self.add(top, &mut Vec::new(), &mut rows);
        rows
    }

    fn add(&mut self, frame: &Frame, address: &mut Vec<usize>, rows: &mut Vec<Row>) {
        if !self.limit.charge(ROW + STEP * address.len()) {
            return;
        }
        let shown = |call: &&Frame| self.config.precompiles || !call.is_precompile();
        let calls: Vec<&Frame> = frame.calls.iter().filter(shown).collect();
        rows.push(self.row(frame, calls.len(), address.clone()));
        for (number, call) in calls.into_iter().enumerate() {
            address.push(number);
            self.add(call, address, rows);
            address.pop();
        }
    }

    fn row(&self, frame: &Frame, subtraces: usize, trace_address: Vec<usize>) -> Row {
        let words = if self.config.parity_errors { parity_failure } else { failure };
        // What a revert returned says why; what else has failed returned nothing.
        let has_result = matches!(frame.status, Status::Success | Status::Revert);
        let done = done(frame).filter(|_| has_result);
        Row {
            action: action(frame),
            place: self.place,
            error: words(frame.status),
            result: if self.config.null_results { Some(done) } else { done.map(Some) },
            subtraces,
            trace_address,
            r#type: match frame.kind {
                FrameKind::Create | FrameKind::Create2 => "create",
                FrameKind::SelfDestruct => "suicide",
                _ => "call",
            },
        }
    }
}

fn action(frame: &Frame) -> Action {
    let (from, gas, value) = (frame.from, U64::from(frame.gas), frame.value);
    let call = |call_type| Action::Call { call_type, from, gas, input: frame.input.clone(), to: frame.to, value };
    let create = |creation_method| Action::Create { creation_method, from, gas, init: frame.input.clone(), value };
    match frame.kind {
        FrameKind::Call => call("call"),
        FrameKind::CallCode => call("callcode"),
        FrameKind::DelegateCall => call("delegatecall"),
        FrameKind::StaticCall => call("staticcall"),
        FrameKind::Create => create("create"),
        FrameKind::Create2 => create("create2"),
        FrameKind::SelfDestruct => Action::Suicide { address: from, balance: value, refund_address: frame.to },
    }
}

fn done(frame: &Frame) -> Option<Done> {
    let (gas_used, output) = (U64::from(frame.gas_used), frame.output.clone());
    match frame.kind {
        FrameKind::SelfDestruct => None,
        FrameKind::Create | FrameKind::Create2 => {
            // A contract that was not created has no address.
            let address = (frame.status == Status::Success).then_some(frame.to);
            Some(Done::Create { address, code: output, gas_used })
        }
        _ => Some(Done::Call { gas_used, output }),
    }
}
