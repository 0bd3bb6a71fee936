//! Arguments in text: transaction ids, coins, amounts, accounts, labels.

use chain_core::{hash::TxId, transaction::coin::OutPoint};

use crate::{
    error::{WalletError, usage},
    file::Wallet,
    input::disguises,
    money,
    own::GAP,
};

/// Letters of a label.
const LONGEST_LABEL: usize = 100;

/// Reads the identifier of a transaction, with or without `0x`.
pub fn read_txid(text: &str) -> Result<TxId, WalletError> {
    let digits = text.trim();
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    digits.parse().map_err(|error| usage!("'{text}' is not a transaction id: {error}"))
}

/// Reads `TXID:N`.
pub fn read_coin(text: &str) -> Result<OutPoint, WalletError> {
    let wrong = || usage!("'{text}' does not name a coin: write TXID:N, as `cairn-wallet coins` does");
    let (txid, index) = text.trim().rsplit_once(':').ok_or_else(wrong)?;
    Ok(OutPoint { txid: read_txid(txid)?, index: index.parse().map_err(|_| wrong())? })
}

/// Reads payments: each as `ADDRESS=AMOUNT`, or one as `ADDRESS AMOUNT`.
pub fn split_payments(texts: &[String]) -> Result<Vec<(&str, &str)>, WalletError> {
    match texts {
        [amount, address] if money::parse_wei(amount).is_ok() && !address.contains('=') => {
            Err(usage!("'{amount}' is not an address: write the address first, as in {address} {amount}"))
        }
        [address, amount] if !address.contains('=') && !amount.contains('=') => Ok(vec![(address, amount)]),
        _ => texts
            .iter()
            .map(|text| {
                text.split_once('=')
                    .ok_or_else(|| usage!("'{text}' does not say how much: write ADDRESS=AMOUNT, as in {text}=1.5"))
            })
            .collect(),
    }
}

/// The number of one of the wallet's accounts, given by number or address.
pub fn own_account(wallet: &Wallet, text: &str) -> Result<u32, WalletError> {
    if let Ok(index) = text.parse::<u32>() {
        return handed_out(wallet, index);
    }
    if !text.starts_with("0x") && !text.starts_with("0X") {
        return Err(usage!("'{text}' is not an account: write its number, such as 0, or its address (0x...)"));
    }
    let account = wallet.network.account(text)?;
    if let Some((_, index)) = wallet.imported().find(|(imported, _)| *imported == account) {
        return Ok(index);
    }
    for index in 0..wallet.used.accounts.saturating_add(GAP) {
        if wallet.keys.account(index)? == account {
            return handed_out(wallet, index);
        }
    }
    Err(usage!("{account} is not an account of this wallet"))
}

/// Refuses an account that was never handed out: `balance` does not list it, and no restore finds it.
pub fn handed_out(wallet: &Wallet, index: u32) -> Result<u32, WalletError> {
    match wallet.used.accounts {
        count if index < count => Ok(index),
        count => Err(usage!(
            "account {index} was never handed out (the newest is {}): make accounts with `cairn-wallet address account --new`",
            count.saturating_sub(1)
        )),
    }
}

/// A label that can be shown on a line.
pub fn label(name: &str) -> Result<String, WalletError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_LABEL || name.chars().any(disguises) {
        return Err(usage!("a label has 1 to {LONGEST_LABEL} letters on one line, all of them visible"));
    }
    Ok(name.to_owned())
}

/// The 32 bytes that a text is, in hex with or without `0x`.
pub fn hex32(text: &str) -> Option<[u8; 32]> {
    let digits = text.trim();
    hex::decode(digits.strip_prefix("0x").unwrap_or(digits)).ok()?.try_into().ok()
}

/// Reads 32 bytes in hex.
pub fn read_hash(text: &str, what: &str) -> Result<[u8; 32], WalletError> {
    hex32(text).ok_or_else(|| usage!("the {what} '{text}' is not 64 hexadecimal digits"))
}
