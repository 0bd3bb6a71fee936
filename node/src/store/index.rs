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
    HistoryPlace, LockEvent,
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

/// A coin that comes under a lock or leaves it.
#[derive(Clone, Copy)]
struct Movement {
    position: u32,
    lock: Lock,
    amount: u64,
    /// Which output of the transaction it is, if it comes.
    output: Option<u32>,
}

impl Movement {
    fn received(position: u32, index: u32, output: &Output) -> Self {
        Self { position, lock: output.lock, amount: output.amount.0, output: Some(index) }
    }

    fn sent(spend: &Spend) -> Self {
        let Output { amount, lock } = spend.coin.output;
        Self { position: spend.position, lock, amount: amount.0, output: None }
    }
}

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
        // What comes and what leaves is each in order already: the first sort merges, the others are of a few.
        movements.sort_by_key(|movement| movement.position);
        for movements in movements.chunk_by_mut(|a, b| a.position == b.position) {
            movements.sort_by_key(|movement| movement.lock);
        }
        for same in movements.chunk_by(|a, b| (a.position, a.lock) == (b.position, b.lock)) {
            let (event, lock) = (self.event(same), schema::lock_id(&same[0].lock));
            let outputs = same.iter().filter_map(|movement| movement.output);
            let value = (action == Action::Put).then(|| schema::write_lock_event(&event, outputs));
            rows.push(Column::AddressIndex, &schema::lock_event_key(&lock, event.place), value.as_deref());
        }
        for (address, position) in self.concerned() {
            let key = schema::account_event_key(&address, self.place(position));
            rows.push(Column::AddressIndex, &key, (action == Action::Put).then_some(&[][..]));
        }
    }

    /// What movements of one lock in one transaction come to.
    fn event(&self, same: &[Movement]) -> LockEvent {
        let position = same[0].position as usize;
        let sum = |comes: bool| {
            let amounts =
                same.iter().filter(|movement| movement.output.is_some() == comes).map(|movement| movement.amount);
            Amount(amounts.fold(0, u64::saturating_add))
        };
        LockEvent {
            place: self.place(same[0].position),
            txid: self.txids[position],
            withdrawal: matches!(self.block.transactions[position], Transaction::Account(_)),
            received: sum(true),
            sent: sum(false),
        }
    }

    fn place(&self, position: u32) -> HistoryPlace {
        HistoryPlace { height: self.height, position }
    }

    /// Every coin that comes under a lock or leaves it.
    fn movements(&self) -> Vec<Movement> {
        let mut movements = Vec::with_capacity(self.spent.len() + self.created.len() + 2 * self.transient.len());
        let is_coin = |(_, output): &(u32, &Output)| !matches!(output.lock, Lock::Account(_));
        let mut receive = |position, outputs: &[Output]| {
            let coins = (0..).zip(outputs).filter(is_coin);
            movements.extend(coins.map(|(index, output)| Movement::received(position, index, output)));
        };
        if let Some(Transaction::Coinbase(coinbase)) = self.block.transactions.first() {
            receive(0, &coinbase.outputs);
        }
        coin_transactions(self.block).for_each(|(position, tx)| receive(position, &tx.outputs));
        movements.extend(self.withdrawals());
        let sent = spends(self.block, self.spent.iter().map(|(_, coin)| *coin), self.transient);
        movements.extend(sent.map(|spend| Movement::sent(&spend)));
        movements
    }

    /// Coins that account transactions made.
    fn withdrawals(&self) -> impl Iterator<Item = Movement> {
        let positions: HashMap<TxId, u32> =
            self.accounts().map(|(position, transaction, _)| (TxId(transaction.hash().0), position)).collect();
        let made = if positions.is_empty() { [&[][..]; 2] } else { [self.created, self.transient] };
        made.into_iter().flatten().filter_map(move |(outpoint, coin)| {
            let position = *positions.get(&outpoint.txid)?;
            Some(Movement::received(position, outpoint.index, &coin.output))
        })
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
