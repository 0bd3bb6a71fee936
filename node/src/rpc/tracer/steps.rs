//! Struct logs: one entry an instruction, as geth's default tracer gives them.
//!
//! Each entry becomes text as soon as its instruction has ended, so that what is counted is what is held.

use alloy_primitives::{Address, Bytes, U256, map::HashMap};
use chain_core::{
    execute::{Outcome, Status},
    state::Overlay,
    units::Gas,
    vm::{Halt, Step, opcode},
};
use serde::Serialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

use super::limit::Limit;

/// Most words of a stack.
const STACK_LIMIT: u16 = 1_024;

const SLOAD: u8 = 0x54;
const SSTORE: u8 = 0x55;

/// What each entry holds.
#[derive(Clone, Copy)]
pub struct StepsConfig {
    /// The frame's memory.
    pub memory: bool,
    /// The frame's stack.
    pub stack: bool,
    /// Slots of the account that were accessed, at SLOAD and SSTORE.
    pub storage: bool,
    /// What the latest call returned.
    pub return_data: bool,
    /// Most entries.
    pub limit: Option<u64>,
}

/// Slots of an account that were accessed, in hex.
type Slots = BTreeMap<String, String>;

/// One instruction.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    pc: usize,
    op: Cow<'static, str>,
    gas: Gas,
    gas_cost: Gas,
    depth: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<Vec<U256>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_data: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<Slots>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The whole answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Trace {
    gas: Gas,
    failed: bool,
    return_value: Bytes,
    struct_logs: Box<RawValue>,
}

/// Writes down every instruction.
pub struct Steps {
    config: StepsConfig,
    /// The entries so far, separated by commas.
    text: String,
    entries: u64,
    /// Slots accessed so far.
    storage: HashMap<Address, Slots>,
    /// The running instruction's.
    open: Option<Open>,
}

/// The entry of an instruction that has not ended.
struct Open {
    entry: Entry,
    opcode: u8,
    /// Words on the stack.
    words: usize,
}

impl Open {
    /// Why the instruction halted. Here alone geth knows the stack.
    fn error(&self, halt: Halt) -> String {
        let (takes, leaves) = opcode::stack_words(self.opcode);
        match halt {
            Halt::StackUnderflow => format!("{halt} ({} <=> {takes})", self.words),
            Halt::StackOverflow => format!("{halt} {} ({})", self.words, STACK_LIMIT + takes - leaves),
            _ => halt.to_string(),
        }
    }
}

impl Steps {
    /// Writes down every instruction of a transaction.
    pub fn new(config: StepsConfig) -> Self {
        Self { config, text: "[".to_owned(), entries: 0, storage: HashMap::default(), open: None }
    }

    /// The whole answer.
    ///
    /// # Errors
    /// If it cannot be written as JSON: never.
    pub fn finish(mut self, outcome: &Outcome) -> serde_json::Result<Box<RawValue>> {
        self.text.push(']');
        serde_json::value::to_raw_value(&Trace {
            gas: outcome.gas_used,
            failed: outcome.status != Status::Success,
            return_value: outcome.output.clone(),
            struct_logs: RawValue::from_string(self.text)?,
        })
    }

    fn accessed(&mut self, step: &Step<'_>, state: &mut Overlay<'_>) -> Option<Slots> {
        let [.., below, top] = step.stack else { return self.loaded(step, state) };
        match step.opcode {
            SSTORE => Some(self.note(step.address, *top, *below)),
            _ => self.loaded(step, state),
        }
    }

    fn loaded(&mut self, step: &Step<'_>, state: &mut Overlay<'_>) -> Option<Slots> {
        let key = *step.stack.last().filter(|_| step.opcode == SLOAD)?;
        // A slot that cannot be read is not shown; the instruction itself will say so.
        let account = state.account(&step.address).ok()?;
        let slot = state.slot(account, key).ok()?;
        let value = state.storage(slot);
        Some(self.note(step.address, key, value))
    }

    fn note(&mut self, address: Address, key: U256, value: U256) -> Slots {
        let slots = self.storage.entry(address).or_default();
        slots.insert(word(key), word(value));
        slots.clone()
    }

    /// Bytes that an entry will have at most.
    fn size(&self, step: &Step<'_>) -> usize {
        let config = self.config;
        let stack = if config.stack { 70 * step.stack.len() } else { 0 };
        let memory = if config.memory { 2 * step.memory.len() + step.memory.len() / 4 } else { 0 };
        let slots = self.storage.get(&step.address).map_or(0, Slots::len);
        let storage = if matches!(step.opcode, SLOAD | SSTORE) && config.storage { 140 * (slots + 1) } else { 0 };
        let returned = if config.return_data { 2 * step.return_data.len() } else { 0 };
        200 + stack + memory + storage + returned
    }
}

fn word(word: U256) -> String {
    format!("0x{word:064x}")
}

fn name(code: u8) -> Cow<'static, str> {
    opcode::name(code).map_or_else(|| format!("opcode 0x{code:x} not defined").into(), Cow::Borrowed)
}

impl Steps {
    pub(super) fn step(&mut self, step: &Step<'_>, state: &mut Overlay<'_>, limit: &mut Limit<'_>) {
        let config = self.config;
        self.open = None;
        if config.limit.is_some_and(|limit| self.entries >= limit) || !limit.has_room(self.size(step)) {
            return;
        }
        let storage = if config.storage { self.accessed(step, state) } else { None };
        let entry = Entry {
            pc: step.pc,
            op: name(step.opcode),
            gas: step.gas,
            gas_cost: 0,
            depth: step.depth,
            refund: Some(step.refund).filter(|refund| *refund > 0),
            stack: config.stack.then(|| step.stack.to_vec()),
            memory: config
                .memory
                .then(|| step.memory.chunks(32).map(|word| format!("0x{}", hex::encode(word))).collect()),
            return_data: (config.return_data && !step.return_data.is_empty())
                .then(|| Bytes::copy_from_slice(step.return_data)),
            storage,
            error: None,
        };
        self.open = Some(Open { entry, opcode: step.opcode, words: step.stack.len() });
    }

    pub(super) fn step_end(&mut self, cost: Gas, halt: Option<Halt>, limit: &mut Limit<'_>) {
        let Some(open) = self.open.take() else { return };
        let error = halt.map(|halt| open.error(halt));
        let entry = Entry { gas_cost: cost, error, ..open.entry };
        // Numbers and texts are always JSON.
        let Ok(text) = serde_json::to_string(&entry) else { return };
        if !limit.charge(text.len() + 1) {
            return;
        }
        if self.entries > 0 {
            self.text.push(',');
        }
        self.text.push_str(&text);
        self.entries += 1;
    }
}
