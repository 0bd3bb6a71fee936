//! Reading from other threads.

use alloy_primitives::{Address, B256, Bytes, U256};
use chain_core::{
    block::Block,
    hash::{BlockHash, TxId},
    state::{Account, StateView, ViewError, lthash::LtHash},
    transaction::{
        Transaction,
        coin::{Coin, Lock, OutPoint},
    },
    trie::{Node, NodeKey, NodeReader},
    units::Height,
};
use std::{ops::ControlFlow, sync::Arc};

use super::{
    BlockRef, CoinPlace, CoinsPage, Column, HeaderRecord, HistoryPlace, KeyRange, Kv, KvRead, LockEvent, Malformed,
    Order, PlacedCoin, Spend, StoreConfig, StoreError, StoredReceipt, Totals, TxPlace, Unreadable, Usage, Visitor,
    blockdata, damaged,
    read::{
        header_row, read_account, read_code, read_coin, read_history, read_node, read_pruned, read_rows, read_slot,
    },
    schema,
};

/// Opens snapshots of a store from any thread. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    kv: Arc<dyn Kv>,
    indexes: Indexes,
    history: Option<Height>,
    unreadable: Arc<Unreadable>,
}

/// Which indexes are kept.
#[derive(Clone, Copy)]
struct Indexes {
    transactions: bool,
    addresses: bool,
    logs: bool,
}

/// Places of a lock's coins, and where the next page begins.
type PlacesPage = (Vec<(CoinPlace, OutPoint)>, Option<CoinPlace>);

impl Reader {
    pub(super) fn new(kv: Arc<dyn Kv>, config: &StoreConfig, unreadable: Arc<Unreadable>) -> Self {
        let indexes =
            Indexes { transactions: config.tx_index, addresses: config.address_index, logs: config.log_index };
        Self { kv, indexes, history: config.history, unreadable }
    }

    /// What the database takes, and what it is busy with.
    pub fn usage(&self) -> Usage {
        self.kv.usage()
    }

    /// The state of the last flush. Cheap enough for every request, but not to be kept for long: it keeps the database
    /// from dropping what is overwritten.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read; so for all methods of [`Snapshot`].
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let kv = self.kv.snapshot();
        let missing = || StoreError::Corrupt("the tip is missing".into());
        let tip = kv.get(Column::Meta, schema::TIP)?.ok_or_else(missing)?;
        let (at, totals, digest) = schema::read_tip(&tip).map_err(|_| damaged(Column::Meta))?;
        let digest = digest.into();
        let pruned = read_pruned(&*kv)?;
        let (indexes, history, unreadable) = (self.indexes, self.history, self.unreadable.clone());
        Ok(Snapshot { kv, at, totals, digest, pruned, indexes, history, unreadable })
    }
}

/// Coins that are looked up together, and some: those of a transaction are not taken apart.
const READ_AT_ONCE: usize = 1_024;

/// Everything as it was at one flush. Cheap to clone.
#[derive(Clone)]
pub struct Snapshot {
    kv: Arc<dyn KvRead>,
    at: BlockRef,
    totals: Totals,
    digest: Arc<[u8]>,
    pruned: Height,
    indexes: Indexes,
    history: Option<Height>,
    unreadable: Arc<Unreadable>,
}

impl Snapshot {
    pub(super) fn kv(&self) -> &dyn KvRead {
        &*self.kv
    }

    /// The block that this is the state of.
    pub fn tip(&self) -> BlockRef {
        self.at
    }

    /// Sums over the state.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The highest block that was pruned; 0 if none was.
    pub fn pruned(&self) -> Height {
        self.pruned
    }

    /// The lowest block whose state is known; that of each later one is, too.
    ///
    /// # Errors
    /// See [`Reader::snapshot`].
    pub fn oldest_state(&self) -> Result<Height, StoreError> {
        Ok(read_history(&*self.kv)?.map_or(self.at.height, |(floor, _)| floor.min(self.at.height)))
    }

    /// States below the tip's that this node keeps; `None` for all.
    pub fn history(&self) -> Option<Height> {
        self.history
    }

    /// A header by its hash, on any branch.
    ///
    /// # Errors
    /// See [`Reader::snapshot`].
    pub fn header(&self, hash: &BlockHash) -> Result<Option<HeaderRecord>, StoreError> {
        let key = schema::header_key(hash);
        self.kv.get(Column::Headers, &key)?.map(|value| header_row(&key, &value)).transpose()
    }

    /// The block at a height of the active chain.
    ///
    /// # Errors
    /// See [`Reader::snapshot`].
    pub fn at_height(&self, height: Height) -> Result<Option<BlockRef>, StoreError> {
        let hash = self.read(Column::Headers, &schema::height_key(height), |value| {
            value.try_into().map(BlockHash).map_err(|_| Malformed)
        })?;
        Ok(hash.map(|hash| BlockRef { height, hash }))
    }

    /// A block on any branch.
    ///
    /// # Errors
    /// [`StoreError::Pruned`], [`StoreError::NoBody`] if it is not kept, [`StoreError::Unreadable`]; see
    /// [`Reader::snapshot`].
    pub fn body(&self, at: BlockRef) -> Result<Block, StoreError> {
        self.sized_body(at).map(|(block, _)| block)
    }

    /// As [`Snapshot::body`], and how many bytes it has.
    ///
    /// # Errors
    /// As [`Snapshot::body`].
    pub fn sized_body(&self, at: BlockRef) -> Result<(Block, usize), StoreError> {
        let bytes = self.body_bytes(at)?;
        let block = schema::read_block(&bytes).map_err(|_| self.unreadable(at, damaged(Column::Bodies)))?;
        Ok((block, bytes.len()))
    }

    /// Notes that a stored block cannot be read, so that it is fetched again.
    fn unreadable(&self, at: BlockRef, error: StoreError) -> StoreError {
        let reason = error.cause();
        self.unreadable.note(at, &reason);
        StoreError::Unreadable { at, reason }
    }

    /// The encoded block.
    ///
    /// # Errors
    /// As [`Snapshot::body`].
    pub fn body_bytes(&self, at: BlockRef) -> Result<Vec<u8>, StoreError> {
        let value = match at.is_pruned(self.pruned) {
            true => None,
            false => {
                let value = self.kv.get(Column::Bodies, &schema::block_key(at));
                value.map_err(|error| self.unreadable(at, error))?
            }
        };
        value.ok_or_else(|| StoreError::no_body(at, self.pruned))
    }

    /// Receipts of the account transactions of a block on any branch; `None` if it was never on the active chain since the
    /// state was made, so that nobody knows them.
    ///
    /// # Errors
    /// [`StoreError::Pruned`]; see [`Reader::snapshot`].
    pub fn receipts(&self, at: BlockRef) -> Result<Option<Vec<StoredReceipt>>, StoreError> {
        self.receipts_row(at, blockdata::read_receipts)
    }

    /// Whether the receipts of a block are known: see [`Snapshot::receipts`].
    ///
    /// # Errors
    /// [`StoreError::Pruned`]; see [`Reader::snapshot`].
    pub fn has_receipts(&self, at: BlockRef) -> Result<bool, StoreError> {
        let stored = || self.kv.get(Column::Receipts, &schema::block_key(at)).map(|row| row.is_some());
        Ok(self.at_height(at.height)? == Some(at) || stored()? || self.has_no_receipts(at)?)
    }

    /// Reads something of all receipts of a block: see [`Snapshot::receipts`].
    pub(super) fn receipts_row<T>(
        &self,
        at: BlockRef,
        read: impl FnOnce(&[u8]) -> Result<Vec<T>, Malformed>,
    ) -> Result<Option<Vec<T>>, StoreError> {
        if at.is_pruned(self.pruned) {
            return Err(StoreError::no_body(at, self.pruned));
        }
        match self.read(Column::Receipts, &schema::block_key(at), read)? {
            None if self.has_no_receipts(at)? => Ok(Some(Vec::new())),
            rows => Ok(rows),
        }
    }

    /// Whether a block without a row of receipts was connected and has none. A crash may have lost the row of a block that is
    /// off the active chain; the block itself is stored before it is executed.
    fn has_no_receipts(&self, at: BlockRef) -> Result<bool, StoreError> {
        if self.at_height(at.height)? == Some(at) {
            return Ok(true);
        }
        let record = self.header(&at.hash)?.filter(|record| record.at() == at);
        if record.and_then(|record| record.executed).is_none() {
            return Ok(false);
        }
        Ok(!self.body(at)?.transactions.iter().any(|transaction| matches!(transaction, Transaction::Account(_))))
    }

    /// What the inputs of a block that was connected spent, in their order; `None` if that is not kept.
    ///
    /// # Errors
    /// See [`Reader::snapshot`].
    pub fn spends(&self, at: BlockRef, block: &Block) -> Result<Option<Vec<Spend>>, StoreError> {
        self.read(Column::Undo, &schema::block_key(at), |value| blockdata::read_spends(value, block))
    }

    /// The undo data of a block, as it is stored; `None` if it is not kept.
    pub(super) fn undo_bytes(&self, at: BlockRef) -> Result<Option<Vec<u8>>, StoreError> {
        self.kv.get(Column::Undo, &schema::block_key(at))
    }

    /// Where a transaction stands on the active chain.
    ///
    /// # Errors
    /// [`StoreError::IndexOff`] without the transaction index; see [`Reader::snapshot`].
    pub fn transaction(&self, txid: &TxId) -> Result<Option<TxPlace>, StoreError> {
        required(self.indexes.transactions, "transaction")?;
        let Some(place) = self.read(Column::TxIndex, &txid.0, schema::read_place)? else { return Ok(None) };
        let block = self.at_height(place.height)?.ok_or_else(|| damaged(Column::TxIndex))?;
        Ok(Some(TxPlace { block, position: place.position }))
    }

    /// Unspent coins of a lock in the order of their transactions, those after `after` only: at most `limit`, and those of a
    /// bounded part of the lock's history, so that there may be none although more follow.
    ///
    /// # Errors
    /// [`StoreError::IndexOff`] without the address index; see [`Reader::snapshot`].
    pub fn coins_of(&self, lock: &Lock, after: Option<CoinPlace>, limit: usize) -> Result<CoinsPage, StoreError> {
        required(self.indexes.addresses, "address")?;
        let (received, more) = self.received(lock, after)?;
        let keys: Vec<_> = received.iter().map(|(_, outpoint)| schema::coin_key(outpoint)).collect();
        let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        let mut page = CoinsPage { coins: Vec::new(), next: more, read: received.len() };
        for ((place, outpoint), value) in received.iter().zip(self.kv.get_many(Column::Coins, &keys)?) {
            let Some(value) = value else { continue };
            let coin = schema::read_coin(&value).map_err(|_| damaged(Column::Coins))?;
            // Two locks with one id are made by nobody but who wants to see coins of both.
            if coin.output.lock != *lock {
                continue;
            }
            if page.coins.len() == limit {
                page.next = page.coins.last().map(|coin| coin.place).or(after);
                break;
            }
            page.coins.push(PlacedCoin { place: *place, outpoint: *outpoint, coin });
        }
        Ok(page)
    }

    /// Coins that a lock ever received, spent or not, some of those after `after`; and where the rest begins.
    fn received(&self, lock: &Lock, after: Option<CoinPlace>) -> Result<PlacesPage, StoreError> {
        let id = schema::lock_id(lock);
        let mut range = KeyRange::prefix(&schema::lock_prefix(&id));
        if let Some(after) = after {
            range.from = schema::lock_event_key(&id, after.transaction).to_vec();
        }
        let (mut received, mut next, mut failed) = (Vec::new(), None, false);
        self.kv.scan(Column::AddressIndex, &range, Order::Ascending, &mut |key, value| {
            let row = schema::read_place(key).and_then(|place| Ok((place, schema::read_lock_coins(key, value)?)));
            let Ok((transaction, outpoints)) = row else {
                failed = true;
                return ControlFlow::Break(());
            };
            if received.len() >= READ_AT_ONCE {
                next = received.last().map(|(place, _)| *place);
                return ControlFlow::Break(());
            }
            let placed =
                outpoints.into_iter().map(|outpoint| (CoinPlace { transaction, index: outpoint.index }, outpoint));
            received.extend(placed.filter(|(place, _)| Some(*place) > after));
            ControlFlow::Continue(())
        })?;
        if failed { Err(damaged(Column::AddressIndex)) } else { Ok((received, next)) }
    }

    /// What transactions did to a lock, newest first, at most `limit`, those before `before` only.
    ///
    /// # Errors
    /// [`StoreError::IndexOff`] without the address index; see [`Reader::snapshot`].
    pub fn lock_history(
        &self,
        lock: &Lock,
        before: Option<HistoryPlace>,
        limit: usize,
    ) -> Result<Vec<LockEvent>, StoreError> {
        required(self.indexes.addresses, "address")?;
        let id = schema::lock_id(lock);
        let mut range = KeyRange::prefix(&schema::lock_prefix(&id));
        if let Some(before) = before {
            range.to = Some(schema::lock_event_key(&id, before).to_vec());
        }
        self.rows(&range, Order::Descending, limit, schema::read_lock_event)
    }

    /// Transactions that concern an account, newest first, at most `limit`, those before `before` only.
    ///
    /// # Errors
    /// [`StoreError::IndexOff`] without the address index; see [`Reader::snapshot`].
    pub fn account_history(
        &self,
        address: &Address,
        before: Option<HistoryPlace>,
        limit: usize,
    ) -> Result<Vec<HistoryPlace>, StoreError> {
        self.account_events(address, Order::Descending, before, limit)
    }

    /// The same in either order, those beyond `beyond` in it only.
    ///
    /// # Errors
    /// As [`Snapshot::account_history`].
    pub fn account_events(
        &self,
        address: &Address,
        order: Order,
        beyond: Option<HistoryPlace>,
        limit: usize,
    ) -> Result<Vec<HistoryPlace>, StoreError> {
        required(self.indexes.addresses, "address")?;
        let mut range = KeyRange::prefix(&schema::account_prefix(address));
        if let Some(beyond) = beyond {
            let key = schema::account_event_key(address, beyond);
            match order {
                Order::Descending => range.to = Some(key.to_vec()),
                // The first key behind it.
                Order::Ascending => range.from = [&key[..], &[0]].concat(),
            }
        }
        self.rows(&range, order, limit, |key, _| schema::read_place(key))
    }

    /// # Errors
    /// [`StoreError::IndexOff`] without the log index.
    pub(super) fn required_logs(&self) -> Result<(), StoreError> {
        required(self.indexes.logs, "log")
    }

    /// Whether logs are found by address and topic.
    pub fn has_log_index(&self) -> bool {
        self.indexes.logs
    }

    pub(super) fn scan(
        &self,
        column: Column,
        range: &KeyRange,
        order: Order,
        visit: Visitor<'_>,
    ) -> Result<(), StoreError> {
        self.kv.scan(column, range, order, visit)
    }

    fn read<T>(
        &self,
        column: Column,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, Malformed>,
    ) -> Result<Option<T>, StoreError> {
        let value = self.kv.get(column, key)?;
        value.map(|value| read(&value).map_err(|_| damaged(column))).transpose()
    }

    /// Reads at most `limit` rows of a range of the address index.
    fn rows<T>(
        &self,
        range: &KeyRange,
        order: Order,
        limit: usize,
        read: impl Fn(&[u8], &[u8]) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, StoreError> {
        let column = Column::AddressIndex;
        read_rows(&*self.kv, column, (range, order), limit, |key, value| read(key, value).map_err(|_| damaged(column)))
    }
}

fn required(on: bool, index: &'static str) -> Result<(), StoreError> {
    if on { Ok(()) } else { Err(StoreError::IndexOff { index }) }
}

impl StateView for Snapshot {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, ViewError> {
        Ok(read_coin(&*self.kv, outpoint)?)
    }

    fn account(&self, address: &Address) -> Result<Option<Account>, ViewError> {
        Ok(read_account(&*self.kv, address)?)
    }

    fn storage(&self, address: &Address, slot: &U256) -> Result<U256, ViewError> {
        Ok(read_slot(&*self.kv, address, slot)?)
    }

    fn code(&self, hash: &B256) -> Result<Bytes, ViewError> {
        Ok(read_code(&*self.kv, hash)?)
    }

    fn block_hash(&self, height: Height) -> Result<Option<BlockHash>, ViewError> {
        Ok(self.at_height(height)?.map(|at| at.hash))
    }

    fn trie_node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        Ok(read_node(&*self.kv, key)?)
    }

    fn coins_digest(&self) -> Result<LtHash, ViewError> {
        Ok(LtHash::from_bytes(&self.digest).ok_or_else(|| damaged(Column::Meta))?)
    }
}

impl NodeReader for Snapshot {
    fn node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        self.trie_node(key)
    }
}
