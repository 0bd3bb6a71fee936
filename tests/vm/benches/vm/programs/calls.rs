//! Calls, creations and what ends frames.

use alloy_primitives::{Address, B256, U256};

use super::{
    Code, Program,
    assembler::op::{ADD, CALL, CREATE, CREATE2, DUP1, GAS, JUMP, JUMPDEST, MSTORE, POP, PUSH0, RETURN, REVERT},
    looped,
};

const CALLEE: Address = Address::with_last_byte(0xca);
const CALLS: [(&str, u8, bool); 4] =
    [("CALL", 0xf1, true), ("CALLCODE", 0xf2, true), ("DELEGATECALL", 0xf4, false), ("STATICCALL", 0xfa, false)];
const MOST_CODE: usize = 24_576;
const MOST_INITCODE: u64 = 49_152;
/// Contracts of the largest size, each with code of its own.
const CROWD: u64 = 1_400;
/// Gas of a block.
const BLOCK: u64 = 60_000_000;
const CROWD_START: u64 = 0x10_0000;

/// All programs of this kind.
pub fn all() -> Vec<Program> {
    let mut programs = calls();
    programs.extend(ends());
    programs.extend(creations());
    programs.extend(crowd());
    programs
}

/// A call with all gas, no data; the address comes from `address`.
fn call(opcode: u8, has_value: bool, address: &Code) -> Code {
    let code = Code::default().op(&[PUSH0; 4]);
    let code = if has_value { code.op(&[PUSH0]) } else { code };
    code.op(&address.0).op(&[GAS, opcode, POP])
}

fn to_callee() -> Code {
    Code::default().push_bytes(CALLEE.as_slice())
}

fn calls() -> Vec<Program> {
    let mut programs = Vec::new();
    for (name, opcode, has_value) in CALLS {
        let warm = |variant: &str, code: Vec<u8>| {
            let repeated = call(opcode, has_value, &to_callee());
            Program::new(name, variant, looped(Code::default(), repeated, &[])).meeting(CALLEE, code)
        };
        programs.push(warm("of nothing, warm", Vec::new()));
        programs.push(warm("of a STOP, warm", vec![0]));
        programs.push(warm("of a large contract, warm", large(0)));
        let depth = if has_value { 5 } else { 4 };
        let counted =
            Code::default().push(1).op(&[ADD]).op(&call(opcode, has_value, &Code::default().op(&[DUP1 + depth])).0);
        let cold = looped(Code::default().push(CROWD_START), counted, &[]);
        programs.push(Program::new(name, "of nothing, cold", cold));
        let itself = call(opcode, has_value, &Code::default().op(&[0x30]));
        programs.push(Program::new(name, "of itself, to the depth", looped(Code::default(), itself, &[])));
    }
    let paying = Code::default().op(&[PUSH0; 4]).push(1).push_bytes(CALLEE.as_slice()).op(&[GAS, CALL, POP]);
    programs.push(Program::new("CALL", "with value", looped(Code::default(), paying, &[])).meeting(CALLEE, vec![0]));
    programs
}

/// How a callee ends: with memory of some size, returned or not.
fn ends() -> Vec<Program> {
    let mut programs = Vec::new();
    let calling = |subject, variant: String, callee: Code| {
        let repeated = call(0xfa, false, &to_callee());
        Program::new(subject, variant, looped(Code::default(), repeated, &[])).meeting(CALLEE, callee.0)
    };
    for size in [0, 32, 1_024, 32_768, 262_144] {
        for (name, opcode) in [("RETURN", RETURN), ("REVERT", REVERT)] {
            programs.push(calling(name, format!("{size} bytes"), Code::default().push(size).op(&[PUSH0, opcode])));
        }
        let grown = Code::default().op(&[PUSH0]).push(size).op(&[MSTORE, 0]);
        programs.push(calling("STOP", format!("with {size} bytes of memory"), grown));
    }
    let little = Code::default().op(&[PUSH0; 4]).push_bytes(CALLEE.as_slice()).push(10).op(&[0xfa, POP]);
    programs.push(Program::new("INVALID", "", looped(Code::default(), little, &[])).meeting(CALLEE, vec![0xfe]));
    programs
}

/// Code of the largest size that jumps at once, so that its destinations have to be known; a number makes it unlike others.
fn large(number: u64) -> Vec<u8> {
    let mut code = Code::default().push_bytes(&number.to_be_bytes()).op(&[POP]).push(13).op(&[JUMP, JUMPDEST, 0]).0;
    code.resize(MOST_CODE, JUMPDEST);
    code
}

fn creations() -> Vec<Program> {
    let mut programs = Vec::new();
    let cases = [
        ("of nothing", 0, Code::default()),
        ("initcode of the largest size", MOST_INITCODE, Code::default().push(4).op(&[JUMP, 0, JUMPDEST, 0])),
        ("SELFDESTRUCT", 2, Code::default().op(&[0x33, 0xff])),
        ("code of 1,024 bytes", 5, Code::default().push(1_024).op(&[PUSH0, RETURN])),
    ];
    for (variant, size, initcode) in cases {
        let mut word = initcode.0;
        word.resize(32, JUMPDEST);
        let before = || Code::default().fill(JUMPDEST, 65_536).push_bytes(&word).op(&[PUSH0, MSTORE]);
        let create = Code::default().push(size).op(&[PUSH0, PUSH0, CREATE, POP]);
        programs.push(Program::new("CREATE", variant, looped(before(), create, &[])));
        let create2 = Code::default().op(&[GAS]).push(size).op(&[PUSH0, PUSH0, CREATE2, POP]);
        programs.push(Program::new("CREATE2", variant, looped(before(), create2, &[])));
        // Another initcode each time, so that none is known already.
        let changing = Code::default().op(&[GAS]).push(MOST_INITCODE - 32).op(&[MSTORE]);
        if size == MOST_INITCODE {
            let create = changing.push(size).op(&[PUSH0, PUSH0, CREATE, POP]);
            programs.push(Program::new(
                "CREATE",
                "another initcode of the largest size",
                looped(before(), create, &[]),
            ));
        }
    }
    let destroyed = Code::default().push(2).op(&[PUSH0, PUSH0, CREATE, POP]);
    let before = Code::default().push_bytes(&[&[0x33, 0xff][..], &[0; 30]].concat()).op(&[PUSH0, MSTORE]);
    programs.push(Program::new("SELFDESTRUCT", "in creations", looped(before, destroyed, &[])));
    let calling = looped(Code::default(), call(CALL, true, &to_callee()), &[]);
    programs.push(Program::new("SELFDESTRUCT", "of an old contract", calling).meeting(CALLEE, vec![0x33, 0xff]));
    programs
}

/// Cold contracts of the largest size, another each time: each has to be read and analysed.
fn crowd() -> Vec<Program> {
    let others = |programs: &mut Program| {
        for number in 1..=CROWD {
            let address = Address::from_word(B256::from(U256::from(CROWD_START + number)));
            let code = large(number).into();
            programs
                .others
                .push((address, cairn_vm_tests::state_test::Genesis { nonce: 1, code, ..Default::default() }));
        }
    };
    let next = |opcodes: &[u8]| Code::default().push(1).op(&[ADD]).op(opcodes);
    let call = next(&call(0xfa, false, &Code::default().op(&[DUP1 + 4])).0);
    let copy = next(&[PUSH0, PUSH0, PUSH0, DUP1 + 3, 0x3c]);
    let mut programs = Vec::new();
    for (subject, repeated) in [("STATICCALL", call), ("EXTCODECOPY", copy), ("EXTCODESIZE", next(&[DUP1, 0x3b, POP]))]
    {
        let code = looped(Code::default().push(CROWD_START), repeated, &[]);
        let mut program = Program::new(subject, "of large contracts, cold", code);
        program.gas = CROWD * 2_600;
        others(&mut program);
        programs.push(program);
    }
    for hostile in cairn_vm_tests::hostile::all().into_iter().filter(|hostile| hostile.slots + hostile.accounts == 0) {
        let subject = if hostile.name.starts_with("STATICCALL") { "STATICCALL" } else { "EXTCODESIZE" };
        let mut program = Program::new(subject, "of large contracts in turn", hostile.code.to_vec());
        program.others = hostile.others;
        program.gas = BLOCK;
        programs.push(program);
    }
    programs
}
