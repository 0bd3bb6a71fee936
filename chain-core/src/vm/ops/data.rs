//! Memory instructions, and copies into memory.

use alloy_primitives::U256;

use super::Exit;
use crate::{
    gas,
    vm::{code::Code, halt::Halt, inspect::Inspector, machine::Vm, memory::range, word::small},
};

impl<I: Inspector> Vm<'_, '_, I> {
    /// MLOAD of a word beyond the memory's end.
    #[inline(never)]
    pub fn load_beyond(&mut self, offset: U256) -> Result<U256, Exit> {
        self.memory_range(offset, U256::from(32))?;
        Ok(self.machine.memory.load(offset).unwrap_or_default())
    }

    /// MSTORE of a word beyond the memory's end.
    #[inline(never)]
    pub fn store_beyond(&mut self, offset: U256, word: U256) -> Result<(), Exit> {
        self.memory_range(offset, U256::from(32))?;
        self.machine.memory.store(offset, word);
        Ok(())
    }

    /// MSTORE8 of a byte beyond the memory's end.
    #[inline(never)]
    pub fn store_byte_beyond(&mut self, offset: U256, value: u8) -> Result<(), Exit> {
        self.memory_range(offset, U256::ONE)?;
        self.machine.memory.store_byte(offset, value);
        Ok(())
    }

    #[inline(never)]
    pub fn mcopy(&mut self) -> Result<(), Exit> {
        let (to, from, len) = (self.pop(), self.pop(), self.pop());
        let source = range(from, len).ok_or(Halt::OutOfGas)?;
        self.charge(gas::words(source.len(), gas::COPY_WORD))?;
        let target = range(to, len).ok_or(Halt::OutOfGas)?;
        self.make_room(source.end.max(target.end))?;
        let source = self.machine.memory.to_absolute(&source);
        self.machine.memory.fill_within(&target, source);
        Ok(())
    }

    #[inline(never)]
    pub fn keccak256(&mut self) -> Result<(), Exit> {
        let (offset, len) = (self.pop(), self.pop());
        let range = self.memory_range(offset, len)?;
        self.charge(gas::words(range.len(), gas::KECCAK_WORD))?;
        let machine = &mut *self.machine;
        let hash = machine.hashes.keccak256(machine.memory.slice(&range));
        self.push(hash.into());
        Ok(())
    }

    /// The word of calldata at an offset, zeros beyond its end.
    #[inline(always)]
    pub fn calldata_word(&self, offset: U256) -> U256 {
        let input = self.machine.memory.absolute(&self.frame().input);
        let rest = small(&offset).and_then(|offset| input.get(usize::try_from(offset).ok()?..)).unwrap_or_default();
        match rest.first_chunk::<32>() {
            Some(word) => U256::from_be_bytes(*word),
            None if rest.is_empty() => U256::ZERO,
            None => short_word(rest),
        }
    }

    #[inline(never)]
    pub fn calldata_copy(&mut self) -> Result<(), Exit> {
        let (to, from, len) = (self.pop(), self.pop(), self.pop());
        let target = range(to, len).ok_or(Halt::OutOfGas)?;
        self.charge(gas::words(target.len(), gas::COPY_WORD))?;
        self.make_room(target.end)?;
        let input = self.frame().input.clone();
        let skipped = clamp(from, input.len());
        self.machine.memory.fill_within(&target, input.start + skipped..input.end);
        Ok(())
    }

    #[inline(never)]
    pub fn code_copy(&mut self) -> Result<(), Exit> {
        let (to, from, len) = (self.pop(), self.pop(), self.pop());
        let target = range(to, len).ok_or(Halt::OutOfGas)?;
        self.charge(gas::words(target.len(), gas::COPY_WORD))?;
        self.make_room(target.end)?;
        let machine = &mut *self.machine;
        let code = machine.frames.last().map(|frame| frame.code.bytes()).unwrap_or_default();
        machine.memory.fill(&target, &code[clamp(from, code.len())..]);
        Ok(())
    }

    #[inline(never)]
    pub fn return_data_copy(&mut self) -> Result<(), Exit> {
        let (to, from, len) = (self.pop(), self.pop(), self.pop());
        let end = from.saturating_add(len);
        // VM-7
        if end > U256::from(self.machine.return_data.len()) {
            return Err(Halt::ReturnDataOutOfBounds.into());
        }
        let target = range(to, len).ok_or(Halt::OutOfGas)?;
        self.charge(gas::words(target.len(), gas::COPY_WORD))?;
        self.make_room(target.end)?;
        let from = clamp(from, self.machine.return_data.len());
        let machine = &mut *self.machine;
        machine.memory.fill(&target, &machine.return_data[from..]);
        Ok(())
    }

    #[inline(never)]
    pub fn ext_code_copy(&mut self) -> Result<(), Exit> {
        let address = self.pop_address();
        let (to, from, len) = (self.pop(), self.pop(), self.pop());
        let target = range(to, len).ok_or(Halt::OutOfGas)?;
        self.charge(gas::words(target.len(), gas::COPY_WORD))?;
        self.make_room(target.end)?;
        let account = self.pay_for_account(&address)?;
        let code = self.state.code(account)?.map_or(&[][..], Code::bytes);
        self.machine.memory.fill(&target, &code[clamp(from, code.len())..]);
        Ok(())
    }
}

/// A word from up to 32 bytes, padded with zeros on the right.
#[cold]
fn short_word(bytes: &[u8]) -> U256 {
    let mut word = [0; 32];
    word[..bytes.len()].copy_from_slice(bytes);
    U256::from_be_bytes(word)
}

/// An offset, or `len` if it is beyond that.
fn clamp(offset: U256, len: usize) -> usize {
    small(&offset).and_then(|offset| usize::try_from(offset).ok()).map_or(len, |offset| offset.min(len))
}
