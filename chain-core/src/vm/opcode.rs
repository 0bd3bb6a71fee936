//! The instruction table: opcode, static gas, and the numbers of words popped and pushed.

/// Static gas and stack effect of an instruction.
#[derive(Clone, Copy)]
pub(super) struct Info {
    pub gas: u64,
    pub takes: u16,
    pub leaves: u16,
    name: &'static str,
}

const UNKNOWN: Info = Info { gas: 0, takes: 0, leaves: 0, name: "" };

macro_rules! opcodes {
    ($($code:literal $name:ident $gas:literal $takes:literal $leaves:literal;)*) => {
        $(#[doc = concat!("The instruction ", stringify!($name), ".")]
        pub const $name: u8 = $code;)*

        /// Every instruction by its opcode.
        pub(super) const INFO: [Info; 256] = {
            let mut table = [UNKNOWN; 256];
            $(table[$code] = Info { gas: $gas, takes: $takes, leaves: $leaves, name: stringify!($name) };)*
            table
        };
    };
}

// If the gas depends on operands or state, the column holds the static part.
opcodes! {
    0x00 STOP 0 0 0;
    0x01 ADD 3 2 1;
    0x02 MUL 5 2 1;
    0x03 SUB 3 2 1;
    0x04 DIV 5 2 1;
    0x05 SDIV 5 2 1;
    0x06 MOD 5 2 1;
    0x07 SMOD 5 2 1;
    0x08 ADDMOD 8 3 1;
    0x09 MULMOD 8 3 1;
    0x0a EXP 10 2 1;
    0x0b SIGNEXTEND 5 2 1;
    0x10 LT 3 2 1;
    0x11 GT 3 2 1;
    0x12 SLT 3 2 1;
    0x13 SGT 3 2 1;
    0x14 EQ 3 2 1;
    0x15 ISZERO 3 1 1;
    0x16 AND 3 2 1;
    0x17 OR 3 2 1;
    0x18 XOR 3 2 1;
    0x19 NOT 3 1 1;
    0x1a BYTE 3 2 1;
    0x1b SHL 3 2 1;
    0x1c SHR 3 2 1;
    0x1d SAR 3 2 1;
    0x1e CLZ 5 1 1;
    0x20 KECCAK256 30 2 1;
    0x30 ADDRESS 2 0 1;
    0x31 BALANCE 0 1 1;
    0x32 ORIGIN 2 0 1;
    0x33 CALLER 2 0 1;
    0x34 CALLVALUE 2 0 1;
    0x35 CALLDATALOAD 3 1 1;
    0x36 CALLDATASIZE 2 0 1;
    0x37 CALLDATACOPY 3 3 0;
    0x38 CODESIZE 2 0 1;
    0x39 CODECOPY 3 3 0;
    0x3a GASPRICE 2 0 1;
    0x3b EXTCODESIZE 0 1 1;
    0x3c EXTCODECOPY 0 4 0;
    0x3d RETURNDATASIZE 2 0 1;
    0x3e RETURNDATACOPY 3 3 0;
    0x3f EXTCODEHASH 0 1 1;
    0x40 BLOCKHASH 20 1 1;
    0x41 COINBASE 2 0 1;
    0x42 TIMESTAMP 2 0 1;
    0x43 NUMBER 2 0 1;
    0x44 PREVRANDAO 2 0 1;
    0x45 GASLIMIT 2 0 1;
    0x46 CHAINID 2 0 1;
    0x47 SELFBALANCE 5 0 1;
    0x48 BASEFEE 2 0 1;
    0x49 BLOBHASH 3 1 1;
    0x4a BLOBBASEFEE 2 0 1;
    0x50 POP 2 1 0;
    0x51 MLOAD 3 1 1;
    0x52 MSTORE 3 2 0;
    0x53 MSTORE8 3 2 0;
    0x54 SLOAD 0 1 1;
    0x55 SSTORE 0 2 0;
    0x56 JUMP 8 1 0;
    0x57 JUMPI 10 2 0;
    0x58 PC 2 0 1;
    0x59 MSIZE 2 0 1;
    0x5a GAS 2 0 1;
    0x5b JUMPDEST 1 0 0;
    0x5c TLOAD 100 1 1;
    0x5d TSTORE 100 2 0;
    0x5e MCOPY 3 3 0;
    0x5f PUSH0 2 0 1;
    0x60 PUSH1 3 0 1; 0x61 PUSH2 3 0 1; 0x62 PUSH3 3 0 1; 0x63 PUSH4 3 0 1;
    0x64 PUSH5 3 0 1; 0x65 PUSH6 3 0 1; 0x66 PUSH7 3 0 1; 0x67 PUSH8 3 0 1;
    0x68 PUSH9 3 0 1; 0x69 PUSH10 3 0 1; 0x6a PUSH11 3 0 1; 0x6b PUSH12 3 0 1;
    0x6c PUSH13 3 0 1; 0x6d PUSH14 3 0 1; 0x6e PUSH15 3 0 1; 0x6f PUSH16 3 0 1;
    0x70 PUSH17 3 0 1; 0x71 PUSH18 3 0 1; 0x72 PUSH19 3 0 1; 0x73 PUSH20 3 0 1;
    0x74 PUSH21 3 0 1; 0x75 PUSH22 3 0 1; 0x76 PUSH23 3 0 1; 0x77 PUSH24 3 0 1;
    0x78 PUSH25 3 0 1; 0x79 PUSH26 3 0 1; 0x7a PUSH27 3 0 1; 0x7b PUSH28 3 0 1;
    0x7c PUSH29 3 0 1; 0x7d PUSH30 3 0 1; 0x7e PUSH31 3 0 1; 0x7f PUSH32 3 0 1;
    0x80 DUP1 3 1 2; 0x81 DUP2 3 2 3; 0x82 DUP3 3 3 4; 0x83 DUP4 3 4 5;
    0x84 DUP5 3 5 6; 0x85 DUP6 3 6 7; 0x86 DUP7 3 7 8; 0x87 DUP8 3 8 9;
    0x88 DUP9 3 9 10; 0x89 DUP10 3 10 11; 0x8a DUP11 3 11 12; 0x8b DUP12 3 12 13;
    0x8c DUP13 3 13 14; 0x8d DUP14 3 14 15; 0x8e DUP15 3 15 16; 0x8f DUP16 3 16 17;
    0x90 SWAP1 3 2 2; 0x91 SWAP2 3 3 3; 0x92 SWAP3 3 4 4; 0x93 SWAP4 3 5 5;
    0x94 SWAP5 3 6 6; 0x95 SWAP6 3 7 7; 0x96 SWAP7 3 8 8; 0x97 SWAP8 3 9 9;
    0x98 SWAP9 3 10 10; 0x99 SWAP10 3 11 11; 0x9a SWAP11 3 12 12; 0x9b SWAP12 3 13 13;
    0x9c SWAP13 3 14 14; 0x9d SWAP14 3 15 15; 0x9e SWAP15 3 16 16; 0x9f SWAP16 3 17 17;
    0xa0 LOG0 375 2 0; 0xa1 LOG1 750 3 0; 0xa2 LOG2 1125 4 0; 0xa3 LOG3 1500 5 0; 0xa4 LOG4 1875 6 0;
    0xf0 CREATE 32000 3 1;
    0xf1 CALL 0 7 1;
    0xf2 CALLCODE 0 7 1;
    0xf3 RETURN 0 2 0;
    0xf4 DELEGATECALL 0 6 1;
    0xf5 CREATE2 32000 4 1;
    0xfa STATICCALL 0 6 1;
    0xfd REVERT 0 2 0;
    0xfe INVALID 0 0 0;
    0xff SELFDESTRUCT 5000 1 0;
}

/// How many words an instruction takes off the stack, and leaves there.
pub fn stack_words(opcode: u8) -> (u16, u16) {
    let Info { takes, leaves, .. } = INFO[usize::from(opcode)];
    (takes, leaves)
}

/// Mnemonic of an instruction; `None` for an undefined opcode.
pub fn name(opcode: u8) -> Option<&'static str> {
    let name = INFO[usize::from(opcode)].name;
    (!name.is_empty()).then_some(name)
}
