//! The interpreter loop.
//!
//! Position, stack and gas live in local variables, which the compiler keeps in registers; they are written back to the
//! machine before a method that needs them (`heavy!`), and read again after it. Each arm checks its stack and charges its
//! static gas by constants of the table.

use alloy_primitives::U256;
use std::sync::Arc;

use super::{
    environment::Revision,
    frame::FrameKind,
    halt::{Halt, Status},
    inspect::{Inspector, Interrupted, Step},
    machine::Vm,
    opcode::*,
    ops::Exit,
    position::{Position, push_word},
    stack::Cursor,
    word,
};
use crate::{error::ViewError, gas, units::Gas};

/// Why the loop over the instructions of a frame ends.
enum Left {
    /// The frame ends, its output in this range of its memory.
    End(Status, std::ops::Range<usize>),
    /// Another frame is now the current one.
    Switched,
}

impl<I: Inspector> Vm<'_, '_, I> {
    /// Runs the last frame until it ends or another begins: one match, so that its variables stay in registers from one
    /// instruction to the next. The one function that is longer than the limit of this repository.
    #[inline(never)]
    fn interpret(&mut self) -> Result<Left, Exit> {
        let depth = self.machine.frames.len();
        let code = self.frame().code.clone();
        let destinations = code.destinations();
        let mut pc = Position::new(&code, self.frame().pc);
        let (mut stack, mut gas) = (self.stack, self.gas);

        macro_rules! halt {
            ($halt:expr) => {
                return self.halt(gas, $halt)
            };
        }
        // Checks the stack and charges the static gas.
        macro_rules! enter {
            ($name:ident) => {{
                const NEEDS: Info = INFO[$name as usize];
                // VM-1
                if NEEDS.takes > 0 && !stack.has(NEEDS.takes as usize) {
                    halt!(Halt::StackUnderflow);
                }
                if NEEDS.leaves > NEEDS.takes && !stack.has_room() {
                    halt!(Halt::StackOverflow);
                }
                if NEEDS.gas > 0 {
                    charge!(NEEDS.gas);
                }
            }};
        }
        macro_rules! charge {
            ($gas:expr) => {
                match gas.checked_sub($gas) {
                    Some(left) => gas = left,
                    None => {
                        let halt = self.lack($gas);
                        halt!(halt)
                    }
                }
            };
        }
        // SAFETY of the `unsafe` blocks below: each arm begins with `enter!`, which checks by the table of instructions that
        // the stack has the words popped, and room for those pushed.
        macro_rules! pop {
            () => {
                unsafe { stack.pop() }
            };
        }
        macro_rules! top {
            () => {
                unsafe { stack.top() }
            };
            ($word:expr) => {{
                let word = $word;
                unsafe { stack.set_top(word) };
            }};
        }
        macro_rules! value {
            ($name:ident, $value:expr) => {{
                enter!($name);
                let value = $value;
                unsafe { stack.push(value) };
            }};
        }
        macro_rules! unary {
            ($name:ident, $function:expr) => {{
                enter!($name);
                top!($function(top!()));
            }};
        }
        macro_rules! binary {
            ($name:ident, $function:expr) => {{
                enter!($name);
                let a = pop!();
                top!($function(a, top!()));
            }};
        }
        macro_rules! ternary {
            ($name:ident, $function:expr) => {{
                enter!($name);
                let (a, b) = (pop!(), pop!());
                top!($function(a, b, top!()));
            }};
        }
        // A method that uses the machine's stack and gas.
        macro_rules! heavy {
            ($name:ident, $call:expr) => {{
                enter!($name);
                (self.stack, self.gas) = (stack, gas);
                self.go_on()?;
                $call?;
                (stack, gas) = (self.stack, self.gas);
            }};
        }
        // A method after which another frame may be the current one.
        macro_rules! switch {
            ($name:ident, $call:expr) => {{
                self.machine.save_position(pc.index(&code));
                heavy!($name, $call);
                if self.machine.frames.len() != depth {
                    return Ok(Left::Switched);
                }
            }};
        }
        macro_rules! jump {
            ($target:expr) => {
                self.go_on()?;
                match word::small(&$target).filter(|target| destinations.contains(*target)) {
                    // An inspector sees the JUMPDEST as a step of its own.
                    Some(target) if I::ACTIVE => pc = Position::new(&code, target as usize),
                    Some(target) => {
                        charge!(INFO[JUMPDEST as usize].gas);
                        pc = Position::new(&code, target as usize + 1);
                    }
                    None => halt!(Halt::InvalidJump),
                }
            };
        }
        macro_rules! push {
            ($name:ident, $len:literal) => {{
                value!($name, push_word::<$len>(pc));
                pc.skip($len);
            }};
        }
        // Most pushes precede a jump: both at once, unless an inspector observes.
        macro_rules! push_or_jump {
            ($name:ident, $len:literal) => {
                match pc.after($len) {
                    JUMP if !I::ACTIVE => {
                        enter!($name);
                        charge!(INFO[JUMP as usize].gas);
                        jump!(push_word::<$len>(pc));
                    }
                    JUMPI if !I::ACTIVE => {
                        enter!($name);
                        if !stack.has(1) {
                            halt!(Halt::StackUnderflow);
                        }
                        charge!(INFO[JUMPI as usize].gas);
                        if word::is_zero(pop!()) {
                            pc.skip($len + 1);
                        } else {
                            jump!(push_word::<$len>(pc));
                        }
                    }
                    _ => push!($name, $len),
                }
            };
        }
        macro_rules! dup {
            ($name:ident) => {{
                enter!($name);
                unsafe { stack.dup(INFO[$name as usize].takes as usize) };
            }};
        }
        macro_rules! swap {
            ($name:ident) => {{
                enter!($name);
                unsafe { stack.swap(INFO[$name as usize].takes as usize - 1) };
            }};
        }
        macro_rules! output {
            ($name:ident, $status:ident) => {{
                enter!($name);
                (self.stack, self.gas) = (stack, gas);
                return Ok(Left::End(Status::$status, self.pop_output()?));
            }};
        }

        loop {
            if I::ACTIVE {
                self.observe_step(pc.index(&code), pc.opcode(), stack, gas);
            }
            let opcode = pc.next();
            match opcode {
                STOP => {
                    self.gas = gas;
                    return Ok(Left::End(Status::Success, 0..0));
                }
                ADD => binary!(ADD, word::add),
                MUL => binary!(MUL, word::mul),
                SUB => binary!(SUB, word::sub),
                DIV => binary!(DIV, word::div),
                SDIV => binary!(SDIV, word::div_signed),
                MOD => binary!(MOD, word::rem),
                SMOD => binary!(SMOD, word::rem_signed),
                ADDMOD => ternary!(ADDMOD, word::add_mod),
                MULMOD => ternary!(MULMOD, |a: U256, b, m| a.mul_mod(b, m)),
                EXP => {
                    enter!(EXP);
                    let (base, exponent) = (pop!(), top!());
                    charge!(gas::EXP_BYTE * exponent.byte_len() as Gas);
                    top!(word::exp(base, exponent));
                }
                SIGNEXTEND => binary!(SIGNEXTEND, word::sign_extend),
                LT => binary!(LT, |a, b| word::flag(word::less(a, b))),
                GT => binary!(GT, |a, b| word::flag(word::less(b, a))),
                SLT => binary!(SLT, |a, b| word::flag(word::less_signed(a, b))),
                SGT => binary!(SGT, |a, b| word::flag(word::less_signed(b, a))),
                EQ => binary!(EQ, |a, b| word::flag(word::equal(a, b))),
                ISZERO => unary!(ISZERO, |a| word::flag(word::is_zero(a))),
                AND => binary!(AND, |a, b| a & b),
                OR => binary!(OR, |a, b| a | b),
                XOR => binary!(XOR, |a, b| a ^ b),
                NOT => unary!(NOT, |a: U256| !a),
                BYTE => binary!(BYTE, word::byte),
                SHL => binary!(SHL, word::shl),
                SHR => binary!(SHR, word::shr),
                SAR => binary!(SAR, word::sar),
                CLZ => {
                    if self.environment.revision < Revision::Osaka {
                        return self.invalid(gas, CLZ);
                    }
                    unary!(CLZ, word::clz);
                }
                KECCAK256 => heavy!(KECCAK256, self.keccak256()),

                ADDRESS => value!(ADDRESS, self.address()),
                BALANCE => heavy!(BALANCE, self.balance()),
                ORIGIN => value!(ORIGIN, self.origin.sender.into_word().into()),
                CALLER => value!(CALLER, self.caller()),
                CALLVALUE => value!(CALLVALUE, self.frame().value),
                CALLDATALOAD => unary!(CALLDATALOAD, |offset| self.calldata_word(offset)),
                CALLDATASIZE => value!(CALLDATASIZE, U256::from(self.frame().input.len())),
                CALLDATACOPY => heavy!(CALLDATACOPY, self.calldata_copy()),
                CODESIZE => value!(CODESIZE, U256::from(code.bytes().len())),
                CODECOPY => heavy!(CODECOPY, self.code_copy()),
                GASPRICE => value!(GASPRICE, self.origin.gas_price),
                EXTCODESIZE => heavy!(EXTCODESIZE, self.ext_code_size()),
                EXTCODECOPY => heavy!(EXTCODECOPY, self.ext_code_copy()),
                RETURNDATASIZE => value!(RETURNDATASIZE, U256::from(self.machine.return_data.len())),
                RETURNDATACOPY => heavy!(RETURNDATACOPY, self.return_data_copy()),
                EXTCODEHASH => heavy!(EXTCODEHASH, self.ext_code_hash()),

                BLOCKHASH => heavy!(BLOCKHASH, self.block_hash()),
                COINBASE => value!(COINBASE, self.environment.beneficiary.into_word().into()),
                TIMESTAMP => value!(TIMESTAMP, U256::from(self.environment.time)),
                NUMBER => value!(NUMBER, U256::from(self.environment.number)),
                PREVRANDAO => value!(PREVRANDAO, self.environment.difficulty),
                GASLIMIT => value!(GASLIMIT, U256::from(self.environment.gas_limit)),
                CHAINID => value!(CHAINID, U256::from(self.environment.chain_id)),
                SELFBALANCE => value!(SELFBALANCE, self.self_balance()),
                BASEFEE => value!(BASEFEE, U256::from(self.environment.base_fee)),
                // VM-4
                BLOBHASH => unary!(BLOBHASH, |_| U256::ZERO),
                // VM-4
                BLOBBASEFEE => value!(BLOBBASEFEE, U256::ONE),

                POP => {
                    enter!(POP);
                    unsafe { stack.shrink(1) };
                }
                MLOAD => {
                    enter!(MLOAD);
                    match self.machine.memory.load(top!()) {
                        Some(word) => top!(word),
                        None => {
                            self.gas = gas;
                            top!(self.load_beyond(top!())?);
                            gas = self.gas;
                        }
                    }
                }
                MSTORE => {
                    enter!(MSTORE);
                    let (offset, word) = (pop!(), pop!());
                    if !self.machine.memory.store(offset, word) {
                        self.gas = gas;
                        self.store_beyond(offset, word)?;
                        gas = self.gas;
                    }
                }
                MSTORE8 => {
                    enter!(MSTORE8);
                    let (offset, byte) = (pop!(), pop!().byte(0));
                    if !self.machine.memory.store_byte(offset, byte) {
                        self.gas = gas;
                        self.store_byte_beyond(offset, byte)?;
                        gas = self.gas;
                    }
                }
                SLOAD => heavy!(SLOAD, self.sload()),
                SSTORE => heavy!(SSTORE, self.sstore()),
                JUMP => {
                    enter!(JUMP);
                    jump!(pop!());
                }
                JUMPI => {
                    enter!(JUMPI);
                    let (target, condition) = (pop!(), pop!());
                    if !word::is_zero(condition) {
                        jump!(target);
                    }
                }
                PC => value!(PC, U256::from(pc.index(&code) - 1)),
                MSIZE => value!(MSIZE, U256::from(self.machine.memory.len())),
                GAS => value!(GAS, U256::from(gas)),
                JUMPDEST => charge!(1),
                TLOAD => heavy!(TLOAD, self.tload()),
                TSTORE => heavy!(TSTORE, self.tstore()),
                MCOPY => heavy!(MCOPY, self.mcopy()),
                PUSH0 => value!(PUSH0, U256::ZERO),
                PUSH1 => push_or_jump!(PUSH1, 1),
                PUSH2 => push_or_jump!(PUSH2, 2),
                PUSH3 => push!(PUSH3, 3),
                PUSH4 => push!(PUSH4, 4),
                PUSH5 => push!(PUSH5, 5),
                PUSH6 => push!(PUSH6, 6),
                PUSH7 => push!(PUSH7, 7),
                PUSH8 => push!(PUSH8, 8),
                PUSH9 => push!(PUSH9, 9),
                PUSH10 => push!(PUSH10, 10),
                PUSH11 => push!(PUSH11, 11),
                PUSH12 => push!(PUSH12, 12),
                PUSH13 => push!(PUSH13, 13),
                PUSH14 => push!(PUSH14, 14),
                PUSH15 => push!(PUSH15, 15),
                PUSH16 => push!(PUSH16, 16),
                PUSH17 => push!(PUSH17, 17),
                PUSH18 => push!(PUSH18, 18),
                PUSH19 => push!(PUSH19, 19),
                PUSH20 => push!(PUSH20, 20),
                PUSH21 => push!(PUSH21, 21),
                PUSH22 => push!(PUSH22, 22),
                PUSH23 => push!(PUSH23, 23),
                PUSH24 => push!(PUSH24, 24),
                PUSH25 => push!(PUSH25, 25),
                PUSH26 => push!(PUSH26, 26),
                PUSH27 => push!(PUSH27, 27),
                PUSH28 => push!(PUSH28, 28),
                PUSH29 => push!(PUSH29, 29),
                PUSH30 => push!(PUSH30, 30),
                PUSH31 => push!(PUSH31, 31),
                PUSH32 => push!(PUSH32, 32),
                DUP1 => dup!(DUP1),
                DUP2 => dup!(DUP2),
                DUP3 => dup!(DUP3),
                DUP4 => dup!(DUP4),
                DUP5 => dup!(DUP5),
                DUP6 => dup!(DUP6),
                DUP7 => dup!(DUP7),
                DUP8 => dup!(DUP8),
                DUP9 => dup!(DUP9),
                DUP10 => dup!(DUP10),
                DUP11 => dup!(DUP11),
                DUP12 => dup!(DUP12),
                DUP13 => dup!(DUP13),
                DUP14 => dup!(DUP14),
                DUP15 => dup!(DUP15),
                DUP16 => dup!(DUP16),
                SWAP1 => swap!(SWAP1),
                SWAP2 => swap!(SWAP2),
                SWAP3 => swap!(SWAP3),
                SWAP4 => swap!(SWAP4),
                SWAP5 => swap!(SWAP5),
                SWAP6 => swap!(SWAP6),
                SWAP7 => swap!(SWAP7),
                SWAP8 => swap!(SWAP8),
                SWAP9 => swap!(SWAP9),
                SWAP10 => swap!(SWAP10),
                SWAP11 => swap!(SWAP11),
                SWAP12 => swap!(SWAP12),
                SWAP13 => swap!(SWAP13),
                SWAP14 => swap!(SWAP14),
                SWAP15 => swap!(SWAP15),
                SWAP16 => swap!(SWAP16),
                LOG0 => heavy!(LOG0, self.log(0)),
                LOG1 => heavy!(LOG1, self.log(1)),
                LOG2 => heavy!(LOG2, self.log(2)),
                LOG3 => heavy!(LOG3, self.log(3)),
                LOG4 => heavy!(LOG4, self.log(4)),
                CREATE => switch!(CREATE, self.create(FrameKind::Create)),
                CALL => switch!(CALL, self.call(FrameKind::Call)),
                CALLCODE => switch!(CALLCODE, self.call(FrameKind::CallCode)),
                RETURN => output!(RETURN, Success),
                DELEGATECALL => switch!(DELEGATECALL, self.call(FrameKind::DelegateCall)),
                CREATE2 => switch!(CREATE2, self.create(FrameKind::Create2)),
                STATICCALL => switch!(STATICCALL, self.call(FrameKind::StaticCall)),
                REVERT => output!(REVERT, Revert),
                SELFDESTRUCT => {
                    enter!(SELFDESTRUCT);
                    (self.stack, self.gas) = (stack, gas);
                    self.self_destruct()?;
                    return Ok(Left::End(Status::Success, 0..0));
                }
                _ => return self.invalid(gas, opcode),
            }
        }
    }

    /// Runs frames until the first has ended; returns its outcome and the gas left.
    pub fn run(&mut self) -> Result<(Status, Gas), ViewError> {
        loop {
            let left = match self.interpret() {
                Ok(left) => left,
                Err(Exit::Halt(halt)) => Left::End(Status::Halt(halt), 0..0),
                Err(Exit::View(error)) => return Err(error),
            };
            if let Left::End(status, output) = left
                && let Some(ended) = self.end_frame(status, &output)
            {
                return Ok(ended);
            }
        }
    }

    /// Halts the current frame. A function of its own, so that the loop has only one exit.
    #[cold]
    #[inline(never)]
    fn halt(&mut self, gas: Gas, halt: Halt) -> Result<Left, Exit> {
        self.gas = gas;
        Err(Exit::Halt(halt))
    }

    /// Halts the current frame at an undefined opcode.
    #[cold]
    #[inline(never)]
    fn invalid(&mut self, gas: Gas, opcode: u8) -> Result<Left, Exit> {
        self.halt(gas, Halt::InvalidOpcode(opcode))
    }

    /// Ends the run if its inspector says so.
    #[inline(always)]
    fn go_on(&mut self) -> Result<(), Exit> {
        if I::STOPPABLE && self.inspector.stopped() {
            return Err(Exit::View(ViewError(Arc::new(Interrupted))));
        }
        Ok(())
    }

    fn observe_step(&mut self, pc: usize, opcode: u8, stack: Cursor, gas: Gas) {
        self.gas = gas;
        self.observe_step_end(None);
        self.stepping = Some(gas);
        let frame = self.frame();
        let step = Step {
            pc,
            opcode,
            gas,
            depth: self.machine.frames.len(),
            // SAFETY: the slice is dropped before this returns.
            stack: unsafe { stack.words() },
            memory: self.machine.memory.all(),
            return_data: &self.machine.return_data,
            refund: u64::try_from(self.refund).unwrap_or(0),
            address: self.state.address(frame.address),
            code_address: self.state.address(frame.code_address),
        };
        self.inspector.step(&step, self.state);
    }
}
