//! What a simulated call does: its logs, and how much gas it needs.

use alloy_primitives::{Address, B256, Log, U256, address, b256};
use chain_core::{
    execute::{Outcome, Status},
    transaction::account::AccountTransaction,
    units::Gas,
    vm::{FrameEnd, FrameKind, FrameStart, Inspector},
};

use crate::rpc::base::Guard;

/// Where logs of transfers of wei come from.
const ETHER: Address = address!("eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee");
/// keccak-256 of `Transfer(address,address,uint256)`.
const TRANSFER: B256 = b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

/// A call that ran.
pub struct Ran {
    /// The transaction that it was.
    pub transaction: AccountTransaction,
    /// The sender.
    pub from: Address,
    /// What it did.
    pub outcome: Outcome,
    /// Its logs, those of transfers included.
    pub logs: Vec<Log>,
    /// Gas that it needed before anything was refunded.
    pub most_gas: Gas,
}

/// Watches a call.
pub struct Watch<'a> {
    guard: Guard<'a>,
    transfers: bool,
    /// How many logs there were when each running frame began.
    open: Vec<usize>,
    /// The logs, those of transfers included.
    pub logs: Vec<Log>,
    /// Gas of the transaction's own frame, nothing refunded.
    pub gas_used: Gas,
}

impl<'a> Watch<'a> {
    /// Watches one call.
    pub fn new(guard: Guard<'a>, transfers: bool) -> Self {
        Self { guard, transfers, open: Vec::new(), logs: Vec::new(), gas_used: 0 }
    }
}

impl Inspector for Watch<'_> {
    fn stopped(&mut self) -> bool {
        self.guard.stopped()
    }

    fn enter(&mut self, frame: &FrameStart<'_>) {
        self.open.push(self.logs.len());
        // CALLCODE and DELEGATECALL leave the wei where they are.
        let moves = !matches!(frame.kind, FrameKind::DelegateCall | FrameKind::CallCode);
        if self.transfers && moves && frame.value != U256::ZERO {
            let topics = vec![TRANSFER, frame.from.into_word(), frame.to.into_word()];
            self.logs.push(Log::new_unchecked(ETHER, topics, frame.value.to_be_bytes_vec().into()));
        }
    }

    fn exit(&mut self, frame: &FrameEnd<'_>) {
        let Some(before) = self.open.pop() else { return };
        if frame.status != Status::Success {
            self.logs.truncate(before);
        }
        if self.open.is_empty() {
            self.gas_used = frame.gas_used;
        }
    }

    fn log(&mut self, log: &Log) {
        self.logs.push(log.clone());
    }
}
