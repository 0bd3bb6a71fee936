//! The calls that an inspector gets.

use alloy_primitives::{B256, Log, U256};

use super::{
    assembler::{deployer, program},
    kit::*,
};
use crate::{
    execute::transition_with,
    state::Overlay,
    units::Gas,
    vm::{FrameEnd, FrameStart, Halt, Inspector, Step, opcode, opcode::*},
};

/// Records all calls, and adds up the gas.
#[derive(Default)]
struct Scribe {
    lines: Vec<String>,
    /// The line of the instruction that runs.
    stepping: Option<usize>,
    depth: usize,
    /// Gas that the first frame used.
    used: Gas,
}

impl Inspector for Scribe {
    fn step(&mut self, step: &Step<'_>, _: &mut Overlay<'_>) {
        assert_eq!(self.stepping, None, "a step ends before the next");
        assert_eq!(step.depth, self.depth);
        self.stepping = Some(self.lines.len());
        let name = opcode::name(step.opcode).unwrap_or("?");
        self.lines.push(format!("{}:{name} {:?}", step.pc, step.stack.len()));
    }

    fn step_end(&mut self, cost: Gas, halt: Option<Halt>) {
        let line = &mut self.lines[self.stepping.take().unwrap()];
        line.push_str(&format!(" {cost}"));
        line.extend(halt.map(|halt| format!(" {halt}")));
    }

    fn enter(&mut self, frame: &FrameStart<'_>) {
        assert_eq!(self.stepping, None, "a call's step has ended when its frame begins");
        self.depth += 1;
        assert_eq!(frame.depth, self.depth);
        let FrameStart { kind, value, input, .. } = frame;
        self.lines.push(format!("{kind:?} {} {value} {}", frame.to.0[0], input.len()));
    }

    fn exit(&mut self, frame: &FrameEnd<'_>) {
        assert_eq!(self.stepping, None);
        self.depth -= 1;
        self.used = frame.gas_used;
        self.lines.push(format!("{:?} {}", frame.status, frame.output.len()));
    }

    fn log(&mut self, log: &Log) {
        self.lines.push(format!("log {}", log.data.data.len()));
    }
}

fn watch(kit: &Kit) -> Scribe {
    let mut scribe = Scribe::default();
    let mut overlay = Overlay::new(&kit.state);
    let fields = kit.fields(Some(at(1)));
    let outcome =
        transition_with(&kit.environment, &mut overlay, B256::ZERO, &fields, SENDER, GAS_LIMIT, &mut scribe).unwrap();
    assert_eq!((scribe.depth, scribe.stepping), (0, None));
    assert_eq!(outcome.gas_used, kit.call(at(1)).outcome.gas_used, "watching changes nothing");
    assert_eq!(outcome.gas_used, 21_000 + scribe.used);
    scribe
}

#[test]
fn each_instruction_is_told_with_its_cost() {
    let mut kit = Kit::new();
    kit.contract(1, program().push(1).push(5).ops(&[JUMPI, JUMPDEST]).word(U256::MAX).ops(&[MLOAD, ADD]));
    let expected = [
        "Call 1 0 0",
        "0:PUSH1 0 3",
        "2:PUSH1 1 3",
        "4:JUMPI 2 10",
        "5:JUMPDEST 0 1",
        "6:PUSH32 0 3",
        "39:MLOAD 1 3 out of gas",
        "Halt(OutOfGas) 0",
    ];
    assert_eq!(watch(&kit).lines, expected);
}

#[test]
fn calls_and_creations_are_told_after_their_instruction() {
    let mut kit = Kit::new();
    kit.contract(2, program().push(0).push(0).ops(&[LOG0]).push(4).push(0).ops(&[REVERT]));
    let initcode = deployer(&[STOP]);
    let calls = program().call(CALL, at(2), U256::from(3), 0).ops(&[POP]).call(CALL, at(2), U256::from(2_000), 0);
    kit.contract(1, calls.ops(&[POP]).create(&initcode, 1).ops(&[POP]).address(at(9)).ops(&[SELFDESTRUCT]));
    let lines = watch(&kit).lines;
    let told: Vec<&str> =
        lines.iter().map(String::as_str).filter(|line| !line.as_bytes()[0].is_ascii_digit()).collect();
    let created = at(1).create(1).0[0];
    let create = format!("Create {created} 1 {}", initcode.len());
    let expected = [
        "Call 1 0 0",
        "Call 2 3 0",
        "log 0",
        "Revert 4",
        "Call 2 2000 0",
        "Halt(InsufficientBalance) 0",
        &create,
        "Success 1",
        "SelfDestruct 9 999 0",
        "Success 0",
        "Success 0",
    ];
    assert_eq!(told, expected);
}
