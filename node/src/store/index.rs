//! Index rows of a block: where its transactions stand, whom they concern, and what its logs are found by.
//!
//! The same function finds the rows to write when a block is connected and those to delete when it is disconnected, so
//! it reads only what both have.

use alloy_primitives::{Address, B256, map::HashSet};
use chain_core::{
    block::Block,
    execute::withdrawals,
    hash::TxId,
    transaction::{
        Transaction,
        account::{AccountTransaction, Receipt},
        coin::{Lock, OutPoint, Output},
    },
    units::{Amount, Height},
};

use super::{
    Batch, Column, HistoryPlace, LockEvent, LogTerm, schema,
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
    /// Coins both made and spent within it.
    pub transient: &'a Coins,
    /// Coins that its account transactions withdrew.
    pub withdrawn: &'a [Withdrawn],
    /// What its logs are found by.
    pub logged: &'a [LogTerm],
}

/// A coin that an account transaction withdrew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// Position of the transaction in the block.
    pub position: u32,
    /// What names the coin.
    pub outpoint: OutPoint,
    /// The coin.
    pub output: Output,
}

/// The coins that a block's account transactions withdrew, by their receipts and positions.
pub fn withdrawn<'a>(txids: &[TxId], receipts: impl Iterator<Item = (u32, &'a Receipt)>) -> Vec<Withdrawn> {
    let of_one = |(position, receipt): (u32, &Receipt)| {
        let txid = txids.get(position as usize).copied().unwrap_or_default();
        let coins = withdrawals(txid, &receipt.logs).into_iter();
        coins.map(move |(outpoint, output)| Withdrawn { position, outpoint, output })
    };
    receipts.flat_map(of_one).collect()
}

/// What the logs of a block are found by, each once.
pub fn logged<'a>(receipts: impl Iterator<Item = &'a Receipt>) -> Vec<LogTerm> {
    // Most logs of a block are of few contracts and events, and hashing costs more than this.
    let (mut addresses, mut topics) = (HashSet::<&Address>::default(), HashSet::<(u8, &B256)>::default());
    for log in receipts.flat_map(|receipt| &receipt.logs) {
        addresses.insert(&log.address);
        topics.extend((0..).zip(log.topics()));
    }
    let topics = topics.into_iter().map(|(position, topic)| LogTerm::topic(position, topic));
    let mut terms: Vec<_> = addresses.into_iter().map(LogTerm::address).chain(topics).collect();
    terms.sort_unstable();
    terms.dedup();
    terms
}

/// What is done with the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
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
    /// What names the coin, if it comes.
    made: Option<OutPoint>,
}

impl Movement {
    fn received(position: u32, outpoint: OutPoint, output: &Output) -> Self {
        Self { position, lock: output.lock, amount: output.amount.grains(), made: Some(outpoint) }
    }

    fn sent(spend: &Spend) -> Self {
        let Output { amount, lock } = spend.coin.output;
        Self { position: spend.position, lock, amount: amount.grains(), made: None }
    }
}

impl Indexed<'_> {
    /// Rows of the transaction index.
    pub fn transactions(&self, action: Edit, rows: &mut Batch) {
        for (position, txid) in (0..).zip(self.txids) {
            let value = schema::write_place(HistoryPlace { height: self.height, position });
            rows.push(Column::TxIndex, &txid.0, (action == Edit::Put).then_some(&value[..]));
        }
    }

    /// Rows of the histories of locks and accounts.
    pub fn histories(&self, action: Edit, rows: &mut Batch) {
        let mut movements = self.movements();
        // What comes and what leaves is each in order already: the first sort merges, the others are of a few.
        movements.sort_by_key(|movement| movement.position);
        for movements in movements.chunk_by_mut(|a, b| a.position == b.position) {
            movements.sort_by_key(|movement| movement.lock);
        }
        for same in movements.chunk_by(|a, b| (a.position, a.lock) == (b.position, b.lock)) {
            let (event, lock) = (self.event(same), schema::lock_id(&same[0].lock));
            let coins = same.iter().filter_map(|movement| movement.made);
            let value = (action == Edit::Put).then(|| schema::write_lock_event(&event, coins));
            rows.push(Column::AddressIndex, &schema::lock_event_key(&lock, event.place), value.as_deref());
        }
        for (address, position) in self.concerned() {
            let key = schema::account_event_key(&address, self.place(position));
            rows.push(Column::AddressIndex, &key, (action == Edit::Put).then_some(&[][..]));
        }
    }

    /// Rows of the log index.
    pub fn logs(&self, action: Edit, rows: &mut Batch) {
        for term in self.logged {
            let key = schema::log_key(*term, self.height);
            rows.push(Column::LogIndex, &key, (action == Edit::Put).then_some(&[][..]));
        }
    }

    /// What movements of one lock in one transaction come to.
    fn event(&self, same: &[Movement]) -> LockEvent {
        let position = same[0].position as usize;
        let sum = |comes: bool| {
            let amounts =
                same.iter().filter(|movement| movement.made.is_some() == comes).map(|movement| movement.amount);
            Amount::from_grains(amounts.fold(0, u64::saturating_add))
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
        let mut movements = Vec::with_capacity(2 * (self.spent.len() + self.transient.len()));
        let is_coin = |(_, output): &(u32, &Output)| !matches!(output.lock, Lock::Account(_));
        for ((position, transaction), txid) in (0..).zip(&self.block.transactions).zip(self.txids) {
            let coins = transaction.outputs().filter(is_coin);
            let received = |(index, output)| Movement::received(position, OutPoint { txid: *txid, index }, output);
            movements.extend(coins.map(received));
        }
        let withdrawn = self.withdrawn.iter();
        movements.extend(withdrawn.map(|coin| Movement::received(coin.position, coin.outpoint, &coin.output)));
        let sent = spends(self.block, self.spent.iter().map(|(_, coin)| *coin), self.transient);
        movements.extend(sent.map(|spend| Movement::sent(&spend)));
        movements
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
        if let (false, Some(coinbase)) = (concerned.is_empty(), self.block.coinbase()) {
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
