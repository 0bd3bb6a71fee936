//! Struct logs: one entry an instruction, as geth's default tracer gives them.

use alloy_primitives::{Address, U256, map::HashMap};
use chain_core::{
    execute::{Outcome, Status},
    state::Overlay,
    units::Gas,
    vm::{Halt, Inspector, Step, opcode},
};
use serde_json::{Map, Value, json};

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

/// Writes down every instruction.
pub struct Steps {
    config: StepsConfig,
    entries: Vec<Value>,
    /// Slots accessed so far.
    storage: HashMap<Address, Map<String, Value>>,
    bytes_left: Option<usize>,
    /// Whether the running instruction has an entry.
    open: bool,
}

impl Steps {
    /// A tracer that writes down about so many bytes.
    pub fn new(config: StepsConfig, most_bytes: usize) -> Self {
        Self { config, entries: Vec::new(), storage: HashMap::default(), bytes_left: Some(most_bytes), open: false }
    }

    /// The whole answer; `None` if it was too long.
    pub fn finish(self, outcome: &Outcome) -> Option<Value> {
        self.bytes_left?;
        let output = if outcome.created.is_some() { &[][..] } else { &outcome.output };
        Some(json!({
            "gas": outcome.gas_used,
            "failed": outcome.status != Status::Success,
            "returnValue": format!("0x{}", hex::encode(output)),
            "structLogs": self.entries,
        }))
    }

    /// Notes that bytes are written; whether there is room.
    fn charge(&mut self, bytes: usize) -> bool {
        self.bytes_left = self.bytes_left.and_then(|left| left.checked_sub(bytes));
        self.bytes_left.is_some()
    }

    fn accessed(&mut self, step: &Step<'_>, state: &mut Overlay<'_>) -> Option<Value> {
        let [.., below, top] = step.stack else { return self.loaded(step, state) };
        match step.opcode {
            SSTORE => Some(self.note(step.address, *top, *below)),
            _ => self.loaded(step, state),
        }
    }

    fn loaded(&mut self, step: &Step<'_>, state: &mut Overlay<'_>) -> Option<Value> {
        let key = *step.stack.last().filter(|_| step.opcode == SLOAD)?;
        // A slot that cannot be read is not shown; the instruction itself will say so.
        let account = state.account(&step.address).ok()?;
        let slot = state.slot(account, key).ok()?;
        let value = state.storage(slot);
        Some(self.note(step.address, key, value))
    }

    fn note(&mut self, address: Address, key: U256, value: U256) -> Value {
        let slots = self.storage.entry(address).or_default();
        slots.insert(word(key), word(value).into());
        Value::Object(slots.clone())
    }
}

fn word(word: U256) -> String {
    format!("{word:064x}")
}

fn name(code: u8) -> String {
    opcode::name(code).map_or_else(|| format!("opcode 0x{code:x} not defined"), str::to_owned)
}

impl Inspector for Steps {
    fn step(&mut self, step: &Step<'_>, state: &mut Overlay<'_>) {
        self.open = self.config.limit.is_none_or(|limit| (self.entries.len() as u64) < limit);
        let config = self.config;
        let stack = if config.stack { 70 * step.stack.len() } else { 0 };
        let memory = if config.memory { 2 * step.memory.len() + step.memory.len() / 8 } else { 0 };
        let slots = self.storage.get(&step.address).map_or(0, Map::len);
        let storage = if matches!(step.opcode, SLOAD | SSTORE) && config.storage { 136 * (slots + 1) } else { 0 };
        let returned = if config.return_data { 2 * step.return_data.len() } else { 0 };
        if !self.open || !self.charge(100 + stack + memory + storage + returned) {
            self.open = false;
            return;
        }
        let mut entry = Map::new();
        entry.insert("pc".into(), step.pc.into());
        entry.insert("op".into(), name(step.opcode).into());
        entry.insert("gas".into(), step.gas.into());
        entry.insert("gasCost".into(), 0.into());
        entry.insert("depth".into(), step.depth.into());
        if step.refund > 0 {
            entry.insert("refund".into(), step.refund.into());
        }
        if config.stack {
            let words = step.stack.iter().map(|word| Value::from(format!("0x{word:x}"))).collect();
            entry.insert("stack".into(), Value::Array(words));
        }
        if config.memory {
            let words = step.memory.chunks(32).map(|word| Value::from(hex::encode(word))).collect();
            entry.insert("memory".into(), Value::Array(words));
        }
        if config.return_data && !step.return_data.is_empty() {
            entry.insert("returnData".into(), format!("0x{}", hex::encode(step.return_data)).into());
        }
        if let Some(slots) = config.storage.then(|| self.accessed(step, state)).flatten() {
            entry.insert("storage".into(), slots);
        }
        self.entries.push(Value::Object(entry));
    }

    fn step_end(&mut self, cost: Gas, halt: Option<Halt>) {
        let Some(Value::Object(entry)) = self.entries.last_mut().filter(|_| self.open) else { return };
        entry.insert("gasCost".into(), cost.into());
        if let Some(halt) = halt {
            entry.insert("error".into(), halt.to_string().into());
        }
    }
}
