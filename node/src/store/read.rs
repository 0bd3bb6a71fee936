//! Rows as they are on disk, by what they hold.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use chain_core::{
    hash::BlockHash,
    state::Account,
    transaction::coin::{Coin, OutPoint},
    trie::{Node, NodeKey},
    units::Height,
};
use std::{ops::ControlFlow, sync::Arc};

use super::{Column, HeaderRecord, KeyRange, KvRead, Order, StoreError, damaged, schema};

/// Reads every header of a database.
pub(super) fn read_headers(kv: &(impl KvRead + ?Sized)) -> Result<Vec<HeaderRecord>, StoreError> {
    read_rows(kv, Column::Headers, (&KeyRange::prefix(schema::HEADER), Order::Ascending), usize::MAX, header_row)
}

/// Reads at most so many rows of a range; the first that cannot be read is the error.
pub(super) fn read_rows<T>(
    kv: &(impl KvRead + ?Sized),
    column: Column,
    (range, order): (&KeyRange, Order),
    limit: usize,
    mut read: impl FnMut(&[u8], &[u8]) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let (mut rows, mut failed) = (Vec::new(), None);
    if limit == 0 {
        return Ok(rows);
    }
    kv.scan(column, range, order, &mut |key, value| {
        match read(key, value) {
            Ok(row) => rows.push(row),
            Err(error) => failed = Some(error),
        }
        if failed.is_none() && rows.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    failed.map_or(Ok(rows), Err)
}

/// Reads a header's row.
pub(super) fn header_row(key: &[u8], value: &[u8]) -> Result<HeaderRecord, StoreError> {
    let hash = key.last_chunk::<32>().ok_or_else(|| damaged(Column::Headers))?;
    schema::read_header(BlockHash(*hash), value).map_err(|_| damaged(Column::Headers))
}

/// The height up to which a database is pruned.
pub(super) fn read_pruned(kv: &(impl KvRead + ?Sized)) -> Result<Height, StoreError> {
    let Some(value) = kv.get(Column::Meta, schema::PRUNED)? else { return Ok(0) };
    value.try_into().map(Height::from_be_bytes).map_err(|_| damaged(Column::Meta))
}

/// Where the known states of a database begin, and whether rows below that are being dropped; `None` before there were any.
pub(super) fn read_history(kv: &(impl KvRead + ?Sized)) -> Result<Option<(Height, bool)>, StoreError> {
    let value = kv.get(Column::Meta, schema::HISTORY)?;
    let read = |value: Vec<u8>| {
        let (height, dropping) = value.split_first_chunk::<4>().ok_or_else(|| damaged(Column::Meta))?;
        Ok((Height::from_be_bytes(*height), !dropping.is_empty()))
    };
    value.map(read).transpose()
}

/// A coin as it is on disk.
pub(super) fn read_coin(kv: &(impl KvRead + ?Sized), outpoint: &OutPoint) -> Result<Option<Coin>, StoreError> {
    let value = kv.get(Column::Coins, &schema::coin_key(outpoint))?;
    value.map(|value| schema::read_coin(&value).map_err(|_| damaged(Column::Coins))).transpose()
}

/// An account as it is on disk.
pub(super) fn read_account(kv: &(impl KvRead + ?Sized), address: &Address) -> Result<Option<Account>, StoreError> {
    let value = kv.get(Column::Accounts, address.as_slice())?;
    value.map(|value| schema::read_account(&value).map_err(|_| damaged(Column::Accounts))).transpose()
}

/// A slot as it is on disk.
pub(super) fn read_slot(kv: &(impl KvRead + ?Sized), address: &Address, slot: &U256) -> Result<U256, StoreError> {
    let value = kv.get(Column::Storage, &schema::slot_key(address, slot))?;
    value.map_or(Ok(U256::ZERO), |value| schema::read_slot(&value).map_err(|_| damaged(Column::Storage)))
}

/// Code as it is on disk. It is missing only from a damaged database.
pub(super) fn read_code(kv: &(impl KvRead + ?Sized), hash: &B256) -> Result<Bytes, StoreError> {
    if *hash == KECCAK256_EMPTY {
        return Ok(Bytes::new());
    }
    let code = kv.get(Column::Code, hash.as_slice())?;
    code.map(Bytes::from).ok_or_else(|| StoreError::Corrupt(format!("the code with hash {hash} is missing")))
}

/// A trie node as it is on disk.
pub(super) fn read_node(kv: &(impl KvRead + ?Sized), key: &NodeKey) -> Result<Option<Arc<Node>>, StoreError> {
    let value = kv.get(Column::Trie, &key.to_bytes())?;
    let node = value.map(Node::from_bytes).transpose().map_err(|_| damaged(Column::Trie))?;
    Ok(node.map(Arc::new))
}
