//! Memory, hashing, copying and logging.

use super::{
    Code, Program,
    assembler::op::{ADD, DUP1, GAS, MCOPY, MSTORE, MSTORE8, POP, PUSH0, STATICCALL},
    looped,
};

const SIZES: [u64; 6] = [0, 1, 32, 136, 1_024, 32_768];
const LARGE: u64 = 32_768;

/// All programs of this kind.
pub fn all() -> Vec<Program> {
    let mut programs = words();
    programs.extend(copies());
    for size in SIZES {
        let hash = Code::default().push(size).op(&[PUSH0, 0x20, POP]);
        programs.push(Program::new("KECCAK256", bytes(size), looped(Code::default().fill(0xa5, LARGE), hash, &[])));
        for (name, topics) in [("LOG0", 0), ("LOG1", 1), ("LOG2", 2), ("LOG3", 3), ("LOG4", 4)] {
            let log = Code::default().op(&vec![GAS; topics]).push(size).op(&[PUSH0, 0xa0 + topics as u8]); // at most 4
            programs.push(Program::new(name, bytes(size), looped(Code::default().fill(0xa5, LARGE), log, &[])));
        }
    }
    programs
}

fn bytes(size: u64) -> String {
    format!("{size} bytes")
}

fn words() -> Vec<Program> {
    let load = |offset| Code::default().push(offset).op(&[0x51, POP]);
    let store = |offset, opcode| Code::default().op(&[GAS]).push(offset).op(&[opcode]);
    let grown = || Code::default().fill(0, LARGE);
    let mut programs = vec![
        Program::new("MSIZE", "", looped(grown(), Code::default().op(&[0x59, POP]), &[])),
        Program::new("MLOAD", "grows", looped(Code::default(), Code::default().op(&[0x59, 0x51, POP]), &[])),
        Program::new("MSTORE", "grows", looped(Code::default(), Code::default().op(&[GAS, 0x59, MSTORE]), &[])),
        Program::new("MSTORE8", "grows", looped(Code::default(), Code::default().op(&[GAS, 0x59, MSTORE8]), &[])),
    ];
    for offset in [0, 31, LARGE - 33] {
        programs.push(Program::new("MLOAD", format!("at {offset}"), looped(grown(), load(offset), &[])));
        programs.push(Program::new("MSTORE", format!("at {offset}"), looped(grown(), store(offset, MSTORE), &[])));
        programs.push(Program::new("MSTORE8", format!("at {offset}"), looped(grown(), store(offset, MSTORE8), &[])));
    }
    programs
}

fn copies() -> Vec<Program> {
    let mut programs = Vec::new();
    let grown = || Code::default().fill(0xa5, 2 * LARGE);
    // What the identity contract returns.
    let returned = || grown().op(&[PUSH0, PUSH0]).push(LARGE).op(&[PUSH0]).push(4).op(&[GAS, STATICCALL, POP]);
    for size in SIZES {
        for (name, opcode) in [("CALLDATACOPY", 0x37), ("CODECOPY", 0x39)] {
            for (place, offset) in [("", 0), (", beyond the end", u64::MAX)] {
                let copy = Code::default().push(size).push(offset).op(&[PUSH0, opcode]);
                programs.push(Program::new(name, format!("{}{place}", bytes(size)), looped(grown(), copy, &[])));
            }
        }
        let copy = Code::default().push(size).op(&[PUSH0, PUSH0, 0x3e]);
        programs.push(Program::new("RETURNDATACOPY", bytes(size), looped(returned(), copy, &[])));
        for (place, from, to) in [("", 0, LARGE), (", one up", 0, 1), (", one down", 1, 0)] {
            let copy = Code::default().push(size).push(from).push(to).op(&[MCOPY]);
            programs.push(Program::new("MCOPY", format!("{}{place}", bytes(size)), looped(grown(), copy, &[])));
        }
        let own = Code::default().push(size).op(&[PUSH0, PUSH0, 0x30, 0x3c]);
        programs.push(Program::new("EXTCODECOPY", format!("{}, warm", bytes(size)), looped(grown(), own, &[])));
        let next = Code::default().push(1).op(&[ADD]).push(size).op(&[PUSH0, PUSH0, DUP1 + 3, 0x3c]);
        let cold = looped(grown().push(0x10_0000), next, &[]);
        programs.push(Program::new("EXTCODECOPY", format!("{}, cold", bytes(size)), cold));
    }
    programs
}
