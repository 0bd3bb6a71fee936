//! Index rows of a block: where its transactions stand, and whom they concern.
//!
//! The same function finds the rows to write when a block is connected and those to delete when it is taken back, so
//! it reads only what both have.

use alloy_primitives::{Address, map::HashMap};
use chain_core::{
    account::AccountTransaction,
    block::Block,
    coin::{Lock, Output},
    hash::TxId,
    transaction::Transaction,
    units::{Amount, Height},
};

use super::{
    HistoryPlace,
    kv::{Batch, Column},
    schema,
    spends::{Coins, Spend, coin_transactions, spends},
};

/// A block with what index rows are made of.
#[derive(Clone, Copy)]
pub struct Indexed<'a> {
    /// The block.
    pub block: &'a Block,
    /// Its height.
    pub height: Height,
    /// Identifiers of its transactions.
    pub txids: &'a [TxId],
    /// Senders of its account transactions.
    pub senders: &'a [Address],
    /// Coins of earlier blocks that it spends, in order of spending.
    pub spent: &'a Coins,
    /// Coins that it leaves behind.
    pub created: &'a Coins,
    /// Coins both made and spent within it.
    pub transient: &'a Coins,
}

/// What is done with the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// They are written.
    Put,
    /// They are deleted.
    Delete,
}

/// What happens to a lock: position of the transaction, lock, grains received, grains sent.
type Movement = (u32, Lock, u64, u64);

impl Indexed<'_> {
    /// Rows of the transaction index.
    pub fn transactions(&self, action: Action, rows: &mut Batch) {
        for (position, txid) in (0..).zip(self.txids) {
            let value = schema::write_place(HistoryPlace { height: self.height, position });
            rows.push(Column::TxIndex, &txid.0, (action == Action::Put).then_some(&value[..]));
        }
    }

    /// Rows of the histories of locks and accounts.
    pub fn histories(&self, action: Action, rows: &mut Batch) {
        let mut movements = self.movements();
        movements.sort_by_key(|(position, lock, ..)| (*position, *lock));
        for same in movements.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let (position, lock, ..) = same[0];
            let sum = |field: fn(&Movement) -> u64| Amount(same.iter().map(field).fold(0, u64::saturating_add));
            let key = schema::lock_event_key(&schema::lock_id(&lock), self.place(position));
            let value = schema::write_lock_event(sum(|movement| movement.2), sum(|movement| movement.3));
            rows.push(Column::AddressIndex, &key, (action == Action::Put).then_some(&value[..]));
        }
        for (address, position) in self.concerned() {
            let key = schema::account_event_key(&address, self.place(position));
            rows.push(Column::AddressIndex, &key, (action == Action::Put).then_some(&[][..]));
        }
    }

    fn place(&self, position: u32) -> HistoryPlace {
        HistoryPlace { height: self.height, position }
    }

    /// Every coin that comes under a lock or leaves it.
    fn movements(&self) -> Vec<Movement> {
        let mut movements = Vec::with_capacity(self.spent.len() + self.created.len() + 2 * self.transient.len());
        let received = |position, output: &Output| (position, output.lock, output.amount.0, 0);
        if let Some(Transaction::Coinbase(coinbase)) = self.block.transactions.first() {
            movements.extend(coinbase.outputs.iter().map(|output| received(0, output)));
        }
        for (position, tx) in coin_transactions(self.block) {
            let coins = tx.outputs.iter().filter(|output| !matches!(output.lock, Lock::Account(_)));
            movements.extend(coins.map(|output| received(position, output)));
        }
        let sent = spends(self.block, self.spent.iter().map(|(_, coin)| *coin), self.transient);
        movements
            .extend(sent.map(|Spend { position, coin, .. }| (position, coin.output.lock, 0, coin.output.amount.0)));
        movements.extend(self.withdrawals().map(|(position, output)| received(position, &output)));
        movements
    }

    /// Coins that account transactions made.
    fn withdrawals(&self) -> impl Iterator<Item = (u32, Output)> {
        let positions: HashMap<TxId, u32> =
            self.accounts().map(|(position, transaction, _)| (TxId(transaction.hash().0), position)).collect();
        let made = if positions.is_empty() { [&[][..]; 2] } else { [self.created, self.transient] };
        made.into_iter()
            .flatten()
            .filter_map(move |(outpoint, coin)| positions.get(&outpoint.txid).map(|position| (*position, coin.output)))
    }

    /// The account transactions with their positions and senders.
    fn accounts(&self) -> impl Iterator<Item = (u32, &AccountTransaction, Address)> {
        let accounts = (0..).zip(&self.block.transactions).filter_map(|(position, transaction)| match transaction {
            Transaction::Account(account) => Some((position, account)),
            _ => None,
        });
        accounts.zip(self.senders).map(|((position, account), sender)| (position, account, *sender))
    }

    /// Whom transactions concern as accounts: senders, those called or created, those that receive a deposit, and at
    /// position 0 the beneficiary if there are tips.
    fn concerned(&self) -> Vec<(Address, u32)> {
        let mut concerned = Vec::new();
        for (position, transaction, sender) in self.accounts() {
            let fields = transaction.fields();
            concerned.push((sender, position));
            concerned.push((fields.to.unwrap_or_else(|| sender.create(fields.nonce)), position));
        }
        if let (false, Some(Transaction::Coinbase(coinbase))) = (concerned.is_empty(), self.block.transactions.first())
        {
            concerned.push((coinbase.beneficiary, 0));
        }
        for (position, tx) in coin_transactions(self.block) {
            concerned.extend(tx.outputs.iter().filter_map(|output| match output.lock {
                Lock::Account(address) => Some((address, position)),
                _ => None,
            }));
        }
        concerned.sort_unstable();
        concerned.dedup();
        concerned
    }
}
