//! What is stored of a block besides its body: undo data and receipts.

use alloy_primitives::{Address, B256, Bloom, Bytes, Log, map::HashSet};
use chain_core::{
    block::Block,
    hash::TxId,
    state::{Account, AccountChange, BlockEffects, BlockUndo, StorageChange},
    transaction::{
        Transaction,
        account::Receipt,
        coin::{Coin, Lock, OutPoint, Output},
    },
};

use super::{
    BlockLog, LogFilter, StoredReceipt,
    encoding::{Decoder, Encoder, Malformed},
    index::Withdrawn,
    spends::{Coins, Spend, spends},
};

/// What takes a block back, its index rows included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredUndo {
    /// The ledger's part.
    pub undo: BlockUndo,
    /// Coins both made and spent within the block.
    pub transient: Vec<(OutPoint, Coin)>,
}

/// Value of a block's undo data. It leaves out what the body tells: which coins are spent, in order, and what outputs of
/// coin transactions hold.
pub fn write_undo(withdrawn: &[Withdrawn], effects: &BlockEffects) -> Vec<u8> {
    let coins = effects.spent.len() + effects.transient.len();
    let changes = 128 * effects.accounts.len() + 96 * effects.storage.len();
    let mut encoder = Encoder::with_capacity(48 * coins + changes + 16);
    encoder.list(&effects.transient, put_coin);
    encoder.list(&effects.spent, |encoder, (_, coin)| encoder.coin(coin));
    encoder.list(&left_of(withdrawn, &effects.created), put_coin);
    encoder.list(&effects.accounts, |encoder, change| {
        encoder.raw(change.address.as_slice());
        put_account(encoder, change.before.as_ref());
        put_account(encoder, change.after.as_ref());
    });
    encoder.list(&effects.storage, |encoder, change| {
        encoder.raw(change.address.as_slice());
        encoder.word(&change.slot);
        encoder.word(&change.before);
        encoder.word(&change.after);
    });
    encoder.0
}

/// Reads [`write_undo`] of the block with these transaction identifiers.
pub fn read_undo(value: &[u8], block: &Block, txids: &[TxId]) -> Result<StoredUndo, Malformed> {
    Decoder::whole(value, |decoder| {
        let transient = decoder.list(get_coin)?;
        let spent = decoder.list(Decoder::coin)?;
        let mut created = decoder.list(get_coin)?;
        let accounts = decoder.list(get_account_change)?;
        let storage = decoder.list(get_storage_change)?;
        created.extend(left_behind(block, txids, &transient));
        let spent = earlier_spends(block, spent, &transient)?;
        Ok(StoredUndo { undo: BlockUndo { spent, created, accounts, storage }, transient })
    })
}

fn get_account_change(decoder: &mut Decoder<'_>) -> Result<AccountChange, Malformed> {
    let address = Address::from(decoder.array::<20>()?);
    Ok(AccountChange { address, before: get_account(decoder)?, after: get_account(decoder)? })
}

fn get_storage_change(decoder: &mut Decoder<'_>) -> Result<StorageChange, Malformed> {
    Ok(StorageChange {
        address: Address::from(decoder.array::<20>()?),
        slot: decoder.word()?,
        before: decoder.word()?,
        after: decoder.word()?,
    })
}

/// What a block changed of accounts and slots, from [`write_undo`].
pub fn read_changes(value: &[u8]) -> Result<(Vec<AccountChange>, Vec<StorageChange>), Malformed> {
    let mut decoder = Decoder::new(value);
    decoder.list(get_coin)?;
    decoder.list(Decoder::coin)?;
    decoder.list(get_coin)?;
    let accounts = decoder.list(get_account_change)?;
    let storage = decoder.list(get_storage_change)?;
    decoder.end()?;
    Ok((accounts, storage))
}

/// Reads the coins that a block spends from [`write_undo`].
pub fn read_spends(value: &[u8], block: &Block) -> Result<Vec<Spend>, Malformed> {
    let mut decoder = Decoder::new(value);
    let transient = decoder.list(get_coin)?;
    let spent = decoder.list(Decoder::coin)?;
    Ok(spends(block, spent.into_iter(), &transient).collect())
}

/// The coins of earlier blocks that a block spends, with what names them.
fn earlier_spends(block: &Block, spent: Vec<Coin>, transient: &Coins) -> Result<Vec<(OutPoint, Coin)>, Malformed> {
    let (count, own) = (spent.len(), transient.iter().map(|(outpoint, _)| *outpoint).collect::<HashSet<_>>());
    let all = spends(block, spent.into_iter(), transient);
    let earlier: Vec<_> =
        all.filter(|spend| !own.contains(&spend.outpoint)).map(|spend| (spend.outpoint, spend.coin)).collect();
    if earlier.len() == count { Ok(earlier) } else { Err(Malformed) }
}

/// Coins of account transactions, of which the body does not tell.
fn left_of(withdrawn: &[Withdrawn], created: &Coins) -> Vec<(OutPoint, Coin)> {
    let own: HashSet<OutPoint> = withdrawn.iter().map(|coin| coin.outpoint).collect();
    let made = if own.is_empty() { &[] } else { created };
    made.iter().filter(|(outpoint, _)| own.contains(outpoint)).copied().collect()
}

/// Coins of the coinbase and of coin transactions that the block leaves behind.
fn left_behind<'a>(
    block: &'a Block,
    txids: &'a [TxId],
    transient: &'a Coins,
) -> impl Iterator<Item = (OutPoint, Coin)> + 'a {
    let own: HashSet<OutPoint> = transient.iter().map(|(outpoint, _)| *outpoint).collect();
    let height = block.coinbase().map_or(0, |coinbase| coinbase.height);
    let made = block.transactions.iter().zip(txids).flat_map(move |(transaction, txid)| {
        let coinbase = matches!(transaction, Transaction::Coinbase(_));
        let coin = move |output: &Output| Coin { output: *output, height, coinbase };
        transaction.outputs().map(move |(index, output)| (OutPoint { txid: *txid, index }, coin(output)))
    });
    made.filter(move |(outpoint, coin)| {
        !matches!(coin.output.lock, Lock::Account(_)) && (own.is_empty() || !own.contains(outpoint))
    })
}

fn put_coin(encoder: &mut Encoder, (outpoint, coin): &(OutPoint, Coin)) {
    encoder.raw(&outpoint.txid.0);
    encoder.varint(u64::from(outpoint.index));
    encoder.coin(coin);
}

fn get_coin(decoder: &mut Decoder<'_>) -> Result<(OutPoint, Coin), Malformed> {
    let txid = TxId(decoder.array()?);
    let index = u32::try_from(decoder.varint()?).map_err(|_| Malformed)?;
    Ok((OutPoint { txid, index }, decoder.coin()?))
}

fn put_account(encoder: &mut Encoder, account: Option<&Account>) {
    encoder.byte(u8::from(account.is_some()));
    if let Some(account) = account {
        encoder.account(account);
    }
}

fn get_account(decoder: &mut Decoder<'_>) -> Result<Option<Account>, Malformed> {
    match decoder.byte()? {
        0 => Ok(None),
        1 => decoder.account().map(Some),
        _ => Err(Malformed),
    }
}

/// Value of a block's receipts: those of its account transactions, which stand at `positions` and were sent by `senders`. After
/// logs stands the transaction's id, so that a search needs no body.
pub fn write_receipts(positions: &[u32], txids: &[TxId], senders: &[Address], effects: &BlockEffects) -> Vec<u8> {
    let mut encoder = Encoder::default();
    let rows: Vec<_> = positions.iter().zip(senders).zip(&effects.receipts).collect();
    encoder.list(&rows, |encoder, ((position, sender), receipt)| {
        encoder.varint(u64::from(**position));
        encoder.raw(sender.as_slice());
        encoder.varint(effects.tx_gas.get(**position as usize).copied().unwrap_or_default());
        encoder.byte(receipt.tx_type);
        encoder.byte(u8::from(receipt.success));
        encoder.varint(receipt.cumulative_gas_used);
        encoder.list(&receipt.logs, put_log);
        if !receipt.logs.is_empty() {
            encoder.raw(&txids.get(**position as usize).copied().unwrap_or_default().0);
        }
    });
    encoder.0
}

/// Reads [`write_receipts`]. Blooms are computed from the logs.
pub fn read_receipts(value: &[u8]) -> Result<Vec<StoredReceipt>, Malformed> {
    Decoder::whole(value, |decoder| decoder.list(get_receipt))
}

fn get_receipt(decoder: &mut Decoder<'_>) -> Result<StoredReceipt, Malformed> {
    let position = u32::try_from(decoder.varint()?).map_err(|_| Malformed)?;
    let sender = Address::from(decoder.array::<20>()?);
    let gas_used = decoder.varint()?;
    let tx_type = decoder.byte()?;
    let success = decoder.byte()? == 1;
    let cumulative_gas_used = decoder.varint()?;
    let logs = decoder.list(get_log)?;
    if !logs.is_empty() {
        decoder.array::<32>()?;
    }
    let bloom: Bloom = logs.iter().collect();
    let receipt = Receipt { tx_type, success, cumulative_gas_used, bloom, logs };
    Ok(StoredReceipt { position, sender, gas_used, receipt })
}

fn put_log(encoder: &mut Encoder, log: &Log) {
    encoder.raw(log.address.as_slice());
    encoder.list(log.topics(), |encoder, topic| encoder.raw(topic.as_slice()));
    encoder.bytes(&log.data.data);
}

fn get_log(decoder: &mut Decoder<'_>) -> Result<Log, Malformed> {
    let address = Address::from(decoder.array::<20>()?);
    let topics = decoder.list(|decoder| decoder.array().map(B256::from))?;
    let data = Bytes::copy_from_slice(decoder.bytes()?);
    Log::new(address, topics, data).ok_or(Malformed)
}

/// Reads of [`write_receipts`] the logs that are asked for, and keeps nothing of the others.
pub fn read_logs(value: &[u8], filter: &LogFilter) -> Result<Vec<BlockLog>, Malformed> {
    let mut decoder = Decoder::new(value);
    let (mut found, mut index) = (Vec::new(), 0);
    for transaction in 0..u32::try_from(decoder.varint()?).map_err(|_| Malformed)? {
        skip_receipt(&mut decoder)?;
        let (first, count) = (found.len(), decoder.varint()?);
        for _ in 0..count {
            if let Some(log) = find_log(&mut decoder, filter)? {
                found.push(BlockLog { index, transaction, txid: TxId::default(), log });
            }
            index += 1;
        }
        if count > 0 {
            let txid = TxId(decoder.array()?);
            for log in &mut found[first..] {
                log.txid = txid;
            }
        }
    }
    decoder.end()?;
    Ok(found)
}

/// Skips what stands before the logs.
fn skip_receipt(decoder: &mut Decoder<'_>) -> Result<(), Malformed> {
    decoder.varint()?;
    decoder.array::<20>()?;
    decoder.varint()?;
    decoder.array::<2>()?;
    decoder.varint().map(drop)
}

fn find_log(decoder: &mut Decoder<'_>, filter: &LogFilter) -> Result<Option<Log>, Malformed> {
    let address = Address::from(decoder.array::<20>()?);
    let count = decoder.varint()?;
    if count > 4 {
        return Err(Malformed);
    }
    let mut topics = [B256::ZERO; 4];
    let topics = &mut topics[..count as usize]; // at most 4
    for topic in topics.iter_mut() {
        *topic = decoder.array()?.into();
    }
    let data = decoder.bytes()?;
    let wanted = filter.wants_address(&address) && filter.wants_topics(topics);
    Ok(wanted.then(|| Log::new_unchecked(address, topics.to_vec(), Bytes::copy_from_slice(data))))
}
