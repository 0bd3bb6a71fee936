//! Instructions on words, the stack, jumps, the block, and the state by key.

use super::{
    Code, Program,
    assembler::{looped_at, op::*},
    looped,
};

const MAX: [u8; 32] = [0xff; 32];
const MIXED: [u8; 32] = *b"\xf1\x3a\x7bPseudorandom word, odd, 256b\xd3";
const HALF: [u8; 17] = *b"\x81of 136 bits, odd";
const LIMB: [u8; 9] = *b"\x93 72 bits";

/// Instructions that take words and leave one.
const WORDS: [(&str, u8, usize); 25] = [
    ("ADD", 0x01, 2),
    ("MUL", 0x02, 2),
    ("SUB", 0x03, 2),
    ("DIV", 0x04, 2),
    ("SDIV", 0x05, 2),
    ("MOD", 0x06, 2),
    ("SMOD", 0x07, 2),
    ("ADDMOD", 0x08, 3),
    ("MULMOD", 0x09, 3),
    ("EXP", 0x0a, 2),
    ("SIGNEXTEND", 0x0b, 2),
    ("LT", 0x10, 2),
    ("GT", 0x11, 2),
    ("SLT", 0x12, 2),
    ("SGT", 0x13, 2),
    ("EQ", 0x14, 2),
    ("ISZERO", 0x15, 1),
    ("AND", 0x16, 2),
    ("OR", 0x17, 2),
    ("XOR", 0x18, 2),
    ("NOT", 0x19, 1),
    ("BYTE", 0x1a, 2),
    ("SHL", 0x1b, 2),
    ("SHR", 0x1c, 2),
    ("SAR", 0x1d, 2),
];

/// Instructions that take nothing and leave a word.
const SOURCES: [(&str, u8); 19] = [
    ("ADDRESS", 0x30),
    ("ORIGIN", 0x32),
    ("CALLER", 0x33),
    ("CALLVALUE", 0x34),
    ("CALLDATASIZE", 0x36),
    ("CODESIZE", 0x38),
    ("GASPRICE", 0x3a),
    ("RETURNDATASIZE", 0x3d),
    ("COINBASE", 0x41),
    ("TIMESTAMP", 0x42),
    ("NUMBER", 0x43),
    ("PREVRANDAO", 0x44),
    ("GASLIMIT", 0x45),
    ("CHAINID", 0x46),
    ("SELFBALANCE", 0x47),
    ("BASEFEE", 0x48),
    ("BLOBBASEFEE", 0x4a),
    ("PC", 0x58),
    ("GAS", 0x5a),
];

/// All programs of this kind.
pub fn all() -> Vec<Program> {
    let mut programs = arithmetic();
    for (name, opcode) in SOURCES {
        programs.push(Program::new(name, "", looped(Code::default(), Code::default().op(&[opcode, POP]), &[])));
    }
    programs.extend(stack());
    programs.extend(jumps());
    programs.extend(state());
    programs
}

fn arithmetic() -> Vec<Program> {
    let mut programs = Vec::new();
    // The first is on top of the stack.
    let arguments: [(&str, [&[u8]; 3]); 10] = [
        ("full words", [&MAX, &MIXED, &MIXED]),
        ("modulus of 256 bits", [&MIXED, &MAX, &MIXED]),
        ("by 136 bits", [&MAX, &HALF, &HALF]),
        ("by 72 bits", [&MIXED, &LIMB, &LIMB]),
        ("by 200 bits", [&MAX, &MIXED[..25], &MIXED[..25]]),
        ("by 8 bits", [&MAX, &[0xfb], &[0xfb]]),
        ("modulus of 136 bits", [&MIXED, &MAX, &HALF]),
        ("modulus of 72 bits", [&MIXED, &MAX, &LIMB]),
        ("8 bits first", [&[0x7f], &MIXED, &MAX]),
        ("zero", [&MIXED, &[0], &[0]]),
    ];
    for (name, opcode, count) in WORDS {
        for (variant, words) in &arguments {
            let before = words[..count].iter().rev().fold(Code::default(), |code, word| code.push_bytes(word));
            let copy = DUP1 + count as u8 - 1; // at most 3 words
            let repeated = Code::default().op(&[&vec![copy; count][..], &[opcode, POP]].concat());
            programs.push(Program::new(name, *variant, looped(before, repeated, &[])));
        }
    }
    for (variant, word) in [("of one", &[1_u8][..]), ("of zero", &[0]), ("of a full word", &MAX)] {
        let before = Code::default().push_bytes(word);
        programs.push(Program::new("CLZ", variant, looped(before, Code::default().op(&[DUP1, 0x1e, POP]), &[])));
    }
    programs
}

fn stack() -> Vec<Program> {
    let mut programs = Vec::new();
    for size in [0, 1, 2, 3, 4, 8, 9, 16, 20, 24, 31, 32] {
        let repeated = Code::default().push_bytes(&MIXED[..size]).op(&[POP]);
        programs.push(Program::new("PUSH", format!("{size} bytes"), looped(Code::default(), repeated, &[])));
    }
    let full = || (0..17).fold(Code::default(), |code, number| code.push(number));
    for depth in [1, 2, 8, 16] {
        let duplicate = Code::default().op(&[DUP1 + depth - 1, POP]);
        programs.push(Program::new("DUP", format!("{depth}"), looped(full(), duplicate, &[])));
        let swap = Code::default().op(&[SWAP1 + depth - 1]);
        programs.push(Program::new("SWAP", format!("{depth}"), looped(full(), swap, &[])));
    }
    programs
}

fn jumps() -> Vec<Program> {
    // PUSH2 with where the jump ends: right after it.
    let forward = |at: usize, condition: &[u8], jump: u8| {
        let target = (at + condition.len() + 4) as u16; // less than a contract
        Code::default().op(condition).push_bytes(&target.to_be_bytes()).op(&[jump])
    };
    let jump = looped_at(Code::default(), |at| forward(at, &[], JUMP).op(&[JUMPDEST]), &[]);
    let taken = looped_at(Code::default(), |at| forward(at, &[GAS], JUMPI).op(&[JUMPDEST]), &[]);
    let not_taken = looped_at(Code::default(), |at| forward(at, &[PUSH0], JUMPI), &[]);
    vec![
        Program::new("JUMPDEST", "", looped(Code::default(), Code::default().op(&[JUMPDEST]), &[])),
        Program::new("JUMP", "", jump),
        Program::new("JUMPI", "taken", taken),
        Program::new("JUMPI", "not taken", not_taken),
    ]
}

/// A counter on the stack goes up; its copy is the key.
fn counted(opcodes: &[u8]) -> Vec<u8> {
    looped(Code::default().push(0x10_0000), Code::default().push(1).op(&[ADD, DUP1]).op(opcodes), &[])
}

fn state() -> Vec<Program> {
    let same = |opcodes: &[u8]| looped(Code::default(), Code::default().op(&[PUSH0]).op(opcodes), &[]);
    let own = |opcode| looped(Code::default(), Code::default().op(&[0x30, opcode, POP]), &[]);
    let mut programs = vec![
        Program::new(
            "BLOCKHASH",
            "parent",
            looped(Code::default().push(999), Code::default().op(&[DUP1, 0x40, POP]), &[]),
        ),
        Program::new("BLOCKHASH", "too old", same(&[0x40, POP])),
        Program::new("BLOBHASH", "", same(&[0x49, POP])),
        Program::new("CALLDATALOAD", "beyond", same(&[0x35, POP])),
        Program::new("SLOAD", "warm", same(&[0x54, POP])),
        Program::new("SLOAD", "cold", counted(&[0x54, POP])),
        Program::new("SSTORE", "cold, new", counted(&[DUP1, 0x55])),
        Program::new("SSTORE", "cold, zero to zero", counted(&[PUSH0, SWAP1, 0x55])),
        Program::new("SSTORE", "warm, the same", same(&[PUSH0, 0x55])),
        Program::new(
            "SSTORE",
            "warm, another each time",
            looped(Code::default(), Code::default().op(&[GAS, PUSH0, 0x55]), &[]),
        ),
        Program::new("TLOAD", "the same", same(&[0x5c, POP])),
        Program::new("TLOAD", "another each time", counted(&[0x5c, POP])),
        Program::new("TSTORE", "the same", same(&[PUSH0, 0x5d])),
        Program::new("TSTORE", "another each time", counted(&[DUP1, 0x5d])),
    ];
    for (name, opcode) in [("BALANCE", 0x31), ("EXTCODESIZE", 0x3b), ("EXTCODEHASH", 0x3f)] {
        programs.push(Program::new(name, "warm", own(opcode)));
        programs.push(Program::new(name, "cold", counted(&[opcode, POP])));
    }
    programs
}
