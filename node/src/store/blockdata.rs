//! Values of a block beside its body: what takes it back, and its receipts.

use alloy_primitives::{Address, B256, Bloom, Bytes, Log};
use chain_core::{
    account::Receipt,
    coin::{Coin, OutPoint},
    hash::TxId,
    state::{Account, AccountChange, BlockEffects, BlockUndo, StorageChange},
};

use super::{
    StoredReceipt,
    bytes::{Decoder, Encoder, Malformed},
};

/// What takes a block back, its index rows included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredUndo {
    /// The ledger's part.
    pub undo: BlockUndo,
    /// Coins both made and spent within the block.
    pub transient: Vec<(OutPoint, Coin)>,
}

/// Value of a block's undo data.
pub fn write_undo(effects: &BlockEffects) -> Vec<u8> {
    let coins = effects.spent.len() + effects.created.len() + effects.transient.len();
    let changes = 128 * effects.accounts.len() + 96 * effects.storage.len();
    let mut encoder = Encoder::with_capacity(84 * coins + changes + 16);
    encoder.list(&effects.spent, put_coin);
    encoder.list(&effects.created, put_coin);
    encoder.list(&effects.transient, put_coin);
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

/// Reads [`write_undo`].
pub fn read_undo(value: &[u8]) -> Result<StoredUndo, Malformed> {
    Decoder::whole(value, |decoder| {
        let spent = decoder.list(get_coin)?;
        let created = decoder.list(get_coin)?;
        let transient = decoder.list(get_coin)?;
        let accounts = decoder.list(|decoder| {
            let address = Address::from(decoder.array::<20>()?);
            Ok(AccountChange { address, before: get_account(decoder)?, after: get_account(decoder)? })
        })?;
        let storage = decoder.list(|decoder| {
            Ok(StorageChange {
                address: Address::from(decoder.array::<20>()?),
                slot: decoder.word()?,
                before: decoder.word()?,
                after: decoder.word()?,
            })
        })?;
        Ok(StoredUndo { undo: BlockUndo { spent, created, accounts, storage }, transient })
    })
}

/// Reads the coins that a block spent from [`write_undo`], and nothing else.
pub fn read_spent(value: &[u8]) -> Result<Vec<(OutPoint, Coin)>, Malformed> {
    Decoder::new(value).list(get_coin)
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

/// Value of a block's receipts: those of its account transactions, which stand at `positions` and were sent by `senders`.
pub fn write_receipts(positions: &[u32], senders: &[Address], effects: &BlockEffects) -> Vec<u8> {
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
