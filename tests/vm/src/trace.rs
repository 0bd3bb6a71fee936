//! Traces in the form of EIP-3155: a line of json for every instruction, one for the end.

use chain_core::{
    execute::Outcome,
    state::Overlay,
    units::Gas,
    vm::{Halt, Inspector, Status, Step, opcode},
};
use serde_json::{Map, Value, json};
use std::io::Write;

/// Writes each instruction as it is done.
pub struct Tracer<W: Write> {
    out: W,
    /// The instruction that runs.
    line: Map<String, Value>,
    gas: Gas,
}

impl<W: Write> Tracer<W> {
    /// Starts a trace.
    pub fn new(out: W) -> Self {
        Self { out, line: Map::new(), gas: 0 }
    }

    /// Ends it: what the transaction gave, as far as it ran.
    ///
    /// # Errors
    /// [`std::io::Error`] if it cannot be written.
    pub fn end(mut self, outcome: Option<&Outcome>, root: alloy_primitives::B256) -> std::io::Result<()> {
        if let Some(outcome) = outcome {
            let error = match outcome.status {
                Status::Success => None,
                Status::Revert => Some("execution reverted".to_owned()),
                Status::Halt(halt) => Some(halt.to_string()),
            };
            let mut line =
                json!({ "output": hex::encode(&outcome.output), "gasUsed": format!("{:#x}", outcome.gas_used) });
            line["pass"] = json!(error.is_none());
            if let Some(error) = error {
                line["error"] = json!(error);
            }
            writeln!(self.out, "{line}")?;
        }
        writeln!(self.out, "{}", json!({ "stateRoot": root }))?;
        self.out.flush()
    }
}

impl<W: Write> Inspector for Tracer<W> {
    fn step(&mut self, step: &Step<'_>, _state: &mut Overlay<'_>) {
        self.gas = step.gas;
        let line = json!({
            "pc": step.pc,
            "op": step.opcode,
            "gas": format!("{:#x}", step.gas),
            "gasCost": "0x0",
            "memory": format!("0x{}", hex::encode(step.memory)),
            "memSize": step.memory.len(),
            "stack": step.stack.iter().map(|word| format!("{word:#x}")).collect::<Vec<_>>(),
            "returnData": format!("0x{}", hex::encode(step.return_data)),
            "depth": step.depth,
            "refund": step.refund,
            "opName": opcode::name(step.opcode).unwrap_or("INVALID"),
        });
        if let Value::Object(line) = line {
            self.line = line;
        }
    }

    fn step_end(&mut self, cost: Gas, halt: Option<Halt>) {
        self.line.insert("gasCost".to_owned(), json!(format!("{cost:#x}")));
        if let Some(halt) = halt {
            self.line.insert("error".to_owned(), json!(halt.to_string()));
        }
        // A reader that is gone has no use for the rest.
        let _ = writeln!(self.out, "{}", Value::Object(std::mem::take(&mut self.line)));
    }
}
