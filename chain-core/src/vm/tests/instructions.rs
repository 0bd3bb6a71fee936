//! Stack, jumps, words, blocks.

use alloy_primitives::U256;

use super::{assembler::program, kit::*};
use crate::{
    execute::Revision,
    hash::BlockHash,
    vm::{Halt, Status, opcode, opcode::*},
};

// VM-1
#[test]
fn a_stack_has_at_most_1024_words() {
    let mut kit = Kit::new();
    let pushes = |count: usize| program().ops(&vec![PUSH0; count]);
    assert_eq!(kit.status(pushes(1_024)), Status::Success);
    assert_eq!(kit.status(pushes(1_025)), Status::Halt(Halt::StackOverflow));
    assert_eq!(kit.status(pushes(1_024).ops(&[POP, DUP1])), Status::Success);
    assert_eq!(kit.status(pushes(1_024).ops(&[DUP1])), Status::Halt(Halt::StackOverflow));
    assert_eq!(kit.status(pushes(1_024).ops(&[ADD])), Status::Success);
}

// VM-1
#[test]
fn every_instruction_halts_with_one_word_too_few() {
    let mut kit = Kit::new();
    for opcode in 0..=u8::MAX {
        let takes = usize::from(INFO[usize::from(opcode)].takes);
        if takes > 0 {
            let short = program().ops(&vec![PUSH0; takes - 1]).ops(&[opcode]);
            assert_eq!(kit.status(short), Status::Halt(Halt::StackUnderflow), "{:?}", opcode::name(opcode));
            let enough = program().ops(&vec![PUSH0; takes]).ops(&[opcode]);
            assert_ne!(kit.status(enough), Status::Halt(Halt::StackUnderflow), "{:?}", opcode::name(opcode));
        }
    }
}

// VM-1
#[test]
fn jumps_with_too_few_words_halt_also_right_after_a_push() {
    let mut kit = Kit::new();
    for code in [&[JUMP][..], &[PUSH1, 0, JUMPI], &[PUSH2, 0, 0, JUMPI], &[JUMPI]] {
        assert_eq!(kit.status(program().ops(code)), Status::Halt(Halt::StackUnderflow));
    }
    let full = program().ops(&vec![PUSH0; 1_024]);
    assert_eq!(kit.status(full.clone().ops(&[PUSH1, 3, JUMP])), Status::Halt(Halt::StackOverflow));
    assert_eq!(kit.status(full.ops(&[POP, PUSH2, 4, 5, JUMP, JUMPDEST])), Status::Success);
}

// VM-1
#[test]
fn a_jump_goes_to_a_jumpdest_outside_of_push_data() {
    let mut kit = Kit::new();
    let bad = Status::Halt(Halt::InvalidJump);
    for jump in [&[PUSH1, 4, JUMP][..], &[PUSH2, 0, 5, JUMP], &[PUSH3, 0, 0, 6, JUMP]] {
        let code = |rest: &[u8]| program().ops(jump).ops(rest);
        assert_eq!(kit.status(code(&[INVALID, JUMPDEST])), Status::Success);
        assert_eq!(kit.status(code(&[PUSH1, JUMPDEST])), bad, "push data");
        assert_eq!(kit.status(code(&[INVALID, STOP])), bad, "another instruction");
        assert_eq!(kit.status(code(&[])), bad, "beyond the end");
    }
    let far = program().word(U256::from(1) << 64).ops(&[JUMP, JUMPDEST]);
    assert_eq!(kit.status(far), bad, "no offset is that high");
    let taken = |condition| program().push(condition).ops(&[PUSH1, 6, JUMPI, INVALID]);
    assert_eq!(kit.status(taken(1).ops(&[INVALID, JUMPDEST])), bad, "one byte off");
    assert_eq!(kit.status(taken(1).ops(&[JUMPDEST])), Status::Success);
    assert_eq!(kit.status(program().ops(&[PUSH0, PUSH1, 99, JUMPI])), Status::Success, "not taken, not checked");
}

// VM-1
#[test]
fn a_byte_that_is_no_instruction_halts_and_takes_all_gas() {
    let mut kit = Kit::new();
    for opcode in 0..=u8::MAX {
        let is_known = opcode::name(opcode).is_some() && opcode != INVALID;
        let ran = kit.run(program().ops(&[PUSH0; 8]).ops(&[opcode]));
        let is_invalid = ran.outcome.status == Status::Halt(Halt::InvalidOpcode(opcode));
        assert_eq!(is_invalid, !is_known, "0x{opcode:02x}");
        assert!(!is_invalid || ran.outcome.gas_used == kit.gas_limit, "0x{opcode:02x}");
    }
}

// VM-1
#[test]
fn clz_comes_with_osaka() {
    let mut kit = Kit::new();
    assert_eq!(kit.word(program().push(1).ops(&[CLZ])), U256::from(255));
    assert_eq!(kit.word(program().push(0).ops(&[CLZ])), U256::from(256));
    kit.environment.revision = Revision::Cancun;
    assert_eq!(kit.status(program().push(1).ops(&[CLZ])), Status::Halt(Halt::InvalidOpcode(CLZ)));
}

// VM-1
#[test]
fn a_push_at_the_end_of_the_code_reads_zeros() {
    let mut kit = Kit::new();
    for push in PUSH1..=PUSH32 {
        for len in 0..usize::from(push - PUSH1) + 1 {
            assert_eq!(kit.status(program().ops(&[push]).ops(&vec![0xff; len])), Status::Success);
        }
    }
}

// VM-1
#[test]
fn memory_costs_by_the_word_and_its_square_and_never_more_than_the_gas() {
    let mut kit = Kit::new();
    let touch = |offset: u64| program().push(offset).ops(&[MLOAD]);
    // PUSH0 costs one less.
    assert_eq!(kit.gas(touch(0)), 2 + 3 + 3);
    assert_eq!(kit.gas(touch(1)), 3 + 3 + 6);
    assert_eq!(kit.gas(touch(32 * 1_023)), 3 + 3 + 3 * 1_024 + 1_024 * 1_024 / 512);
    for word in [U256::from(1) << 30, U256::from(1) << 40, U256::from(1) << 64, U256::MAX] {
        for code in [program().word(word).ops(&[MLOAD]), program().push(1).word(word).ops(&[MSTORE8])] {
            assert_eq!(kit.status(code), Status::Halt(Halt::OutOfGas));
        }
        assert_eq!(kit.status(program().word(word).push(0).ops(&[RETURN])), Status::Halt(Halt::OutOfGas));
        assert_eq!(kit.status(program().push(0).word(word).ops(&[RETURN])), Status::Success, "an empty range");
    }
}

// VM-4
#[test]
fn there_are_no_blobs_and_prevrandao_is_the_difficulty() {
    let mut kit = Kit::new();
    assert_eq!(kit.word(program().push(0).ops(&[BLOBHASH])), U256::ZERO);
    assert_eq!(kit.word(program().ops(&[BLOBBASEFEE])), U256::ONE);
    assert_eq!(kit.word(program().ops(&[PREVRANDAO])), U256::from(0xd1ff));
}

// VM-7
#[test]
fn return_data_is_not_read_beyond_its_end() {
    let mut kit = Kit::new();
    kit.contract(1, program().push(7).return_top());
    let copy = |offset: u64, len: u64| {
        program().call(CALL, at(1), U256::ZERO, 0).push(len).push(offset).push(0).ops(&[RETURNDATACOPY])
    };
    for (offset, len) in [(0, 32), (32, 0), (31, 1)] {
        assert_eq!(kit.status(copy(offset, len)), Status::Success);
    }
    for (offset, len) in [(0, 33), (33, 0), (32, 1), (u64::MAX, 1)] {
        assert_eq!(kit.status(copy(offset, len)), Status::Halt(Halt::ReturnDataOutOfBounds));
    }
    assert_eq!(kit.word(copy(0, 32).push(0).ops(&[MLOAD])), U256::from(7));
}

// VM-8
#[test]
fn blockhash_knows_256_blocks_and_shows_hashes_reversed() {
    let mut kit = Kit::new();
    let hash = BlockHash(std::array::from_fn(|index| index as u8));
    for height in [HEIGHT - 257, HEIGHT - 256, HEIGHT - 1, HEIGHT] {
        kit.state.block_hashes.insert(height as u32, hash);
    }
    let shown: U256 = format!("0x{hash}").parse().unwrap();
    let ask = |height: u64| program().push(height).ops(&[BLOCKHASH]);
    for (height, expected) in [
        (HEIGHT - 257, U256::ZERO),
        (HEIGHT - 256, shown),
        (HEIGHT - 1, shown),
        (HEIGHT, U256::ZERO),
        (HEIGHT + 1, U256::ZERO),
        (u64::MAX, U256::ZERO),
    ] {
        assert_eq!(kit.word(ask(height)), expected, "{height}");
    }
}
