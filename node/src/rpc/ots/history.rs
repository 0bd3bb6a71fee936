//! The transactions of an account, by the address index, block by block in either direction.

use alloy_primitives::Address;
use chain_core::{
    transaction::{Transaction, account::AccountTransaction},
    units::Height,
};
use std::collections::VecDeque;

use crate::{
    rpc::base::{Call, RpcResult},
    store::{HistoryPlace, Snapshot, kv::Order},
};

/// Rows of the index that are read at once.
const PAGE: usize = 1_000;

/// The blocks in which an account sent or received a transaction, was created or got a deposit.
pub struct Blocks<'a> {
    snapshot: &'a Snapshot,
    address: Address,
    order: Order,
    call: &'a Call,
    rows: VecDeque<HistoryPlace>,
    /// The last row that was read.
    last: Option<HistoryPlace>,
    ended: bool,
}

impl<'a> Blocks<'a> {
    /// The blocks beyond a place; all of them without one.
    pub fn new(
        snapshot: &'a Snapshot,
        address: Address,
        order: Order,
        beyond: Option<HistoryPlace>,
        call: &'a Call,
    ) -> Self {
        Self { snapshot, address, order, call, rows: VecDeque::new(), last: beyond, ended: false }
    }

    fn peek(&mut self) -> RpcResult<Option<HistoryPlace>> {
        if self.rows.is_empty() && !self.ended {
            self.call.check()?;
            let rows = self.snapshot.account_events(&self.address, self.order, self.last, PAGE)?;
            self.ended = rows.len() < PAGE;
            self.last = rows.last().copied().or(self.last);
            self.rows = rows.into();
        }
        Ok(self.rows.front().copied())
    }

    /// The next block that may have account transactions of the account, and their positions.
    ///
    /// # Errors
    /// -32002 without the address index; -32005 at the end of the call.
    pub fn next_block(&mut self) -> RpcResult<Option<(Height, Vec<u32>)>> {
        while let Some(HistoryPlace { height, .. }) = self.peek()? {
            let mut positions = Vec::new();
            while let Some(place) = self.peek()?.filter(|place| place.height == height) {
                self.rows.pop_front();
                // A coinbase is no account transaction.
                positions.extend((place.position > 0).then_some(place.position));
            }
            if !positions.is_empty() {
                return Ok(Some((height, positions)));
            }
        }
        Ok(None)
    }
}

/// The account transaction at a position of a block.
pub fn account_transaction(transactions: &[Transaction], position: u32) -> Option<&AccountTransaction> {
    match transactions.get(position as usize) {
        Some(Transaction::Account(account)) => Some(account),
        _ => None,
    }
}
