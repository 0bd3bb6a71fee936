//! Instructions that read accounts and blocks, and LOG.

use alloy_primitives::{B256, Bytes, Log, LogData, U256};

use super::Exit;
use crate::{
    gas,
    units::Height,
    vm::{inspect::Inspector, machine::Vm},
};

impl<I: Inspector> Vm<'_, '_, I> {
    #[inline(never)]
    pub fn balance(&mut self) -> Result<(), Exit> {
        let account = self.pop_account()?;
        self.push(self.state.info(account).balance);
        Ok(())
    }

    #[inline(never)]
    pub fn ext_code_size(&mut self) -> Result<(), Exit> {
        let account = self.pop_account()?;
        let size = self.state.code(account)?.map_or(0, |code| code.bytes().len());
        self.push(U256::from(size));
        Ok(())
    }

    #[inline(never)]
    pub fn ext_code_hash(&mut self) -> Result<(), Exit> {
        let account = self.pop_account()?;
        let info = self.state.info(account);
        // EIP-1052: an account that does not exist has the hash 0.
        let hash = if info.is_empty() { U256::ZERO } else { info.code_hash.into() };
        self.push(hash);
        Ok(())
    }

    /// The hash of one of the 256 blocks before this one, in the byte order of `eth_*`; 0 for others.
    #[inline(never)]
    pub fn block_hash(&mut self) -> Result<(), Exit> {
        let asked = u64::try_from(self.pop()).unwrap_or(u64::MAX);
        let now = self.environment.number;
        // VM-8
        let in_window = asked < now && now - asked <= 256;
        let height = Height::try_from(asked).ok().filter(|_| in_window);
        let hash = match height {
            Some(height) => self.state.view().block_hash(height)?,
            None => None,
        };
        self.push(hash.map_or(U256::ZERO, |hash| U256::from_le_bytes(hash.0)));
        Ok(())
    }

    /// ADDRESS.
    pub fn address(&self) -> U256 {
        self.state.address(self.frame().address).into_word().into()
    }

    /// CALLER.
    pub fn caller(&self) -> U256 {
        self.state.address(self.frame().caller).into_word().into()
    }

    /// SELFBALANCE.
    pub fn self_balance(&self) -> U256 {
        self.state.info(self.frame().address).balance
    }

    #[inline(never)]
    pub fn log(&mut self, topics: usize) -> Result<(), Exit> {
        self.deny_static()?;
        let (offset, len) = (self.pop(), self.pop());
        let range = self.memory_range(offset, len)?;
        self.charge(gas::LOG_BYTE * range.len() as u64)?;
        // Without data, no part is written and read back.
        let data = match self.machine.memory.slice(&range) {
            [] => Bytes::new(),
            bytes => Bytes::copy_from_slice(bytes),
        };
        let topics = (0..topics).map(|_| B256::from(self.pop())).collect();
        let address = self.state.address(self.frame().address);
        let log = Log { address, data: LogData::new_unchecked(topics, data) };
        if I::ACTIVE {
            self.inspector.log(&log);
        }
        self.state.log(log);
        Ok(())
    }
}
