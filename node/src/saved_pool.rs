//! The mempool over a restart: a file of transactions beside the database, `mempool.dat`.
//!
//! Nothing in it is trusted: what it holds comes in like what anybody sends. It is each transaction's length (4 bytes,
//! big-endian) and encoding.

use chain_core::{codec, transaction::Transaction};
use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{engine::EngineHandle, files};

/// A larger file is no pool: `--mempool.size` counts more than the encodings.
const MOST_BYTES: u64 = 4 << 30;

/// Where a node keeps it.
pub fn file(datadir: &Path) -> PathBuf {
    datadir.join("mempool.dat")
}

/// Writes what the pool holds, and answers how many transactions that is.
///
/// # Errors
/// If the file cannot be written; the one before stays then.
pub async fn save(engine: &EngineHandle, file: &Path) -> io::Result<usize> {
    let entries = engine.mempool_content(usize::MAX).await.map_err(io::Error::other)?;
    let mut bytes = Vec::new();
    for entry in &entries {
        let encoded = codec::encode(&*entry.transaction);
        bytes.extend_from_slice(&(encoded.len() as u32).to_be_bytes()); // a transaction fits in a block
        bytes.extend_from_slice(&encoded);
    }
    files::replace(file, &bytes)?;
    Ok(entries.len())
}

/// Hands in what the file holds, and answers how many transactions were taken. A damaged end is left out.
pub async fn load(engine: EngineHandle, file: &Path) -> usize {
    let bytes = match files::read(file, MOST_BYTES) {
        Ok(bytes) => bytes.unwrap_or_default(),
        Err(error) => {
            tracing::warn!("cannot read the mempool of the last run from {}: {error}", file.display());
            return 0;
        }
    };
    let mut left = transactions(&bytes);
    let mut taken = 0;
    // What spends from others that stand further behind finds them in the next round.
    loop {
        let before = taken;
        let mut refused = Vec::new();
        for transaction in left {
            match engine.submit_transaction(transaction.clone()).await {
                Ok(_) => taken += 1,
                Err(_) => refused.push(transaction),
            }
        }
        if refused.is_empty() || taken == before {
            return taken;
        }
        left = refused;
    }
}

fn transactions(mut bytes: &[u8]) -> Vec<Transaction> {
    let mut found = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
        let len = u32::from_be_bytes(*len) as usize;
        let Some((encoded, rest)) = rest.split_at_checked(len) else { break };
        let Ok(transaction) = codec::decode(encoded) else { break };
        found.push(transaction);
        bytes = rest;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain_core::coin::CoinTransaction;

    #[test]
    fn reads_what_stands_before_the_damage() {
        let transaction =
            Transaction::Coin(CoinTransaction { inputs: Vec::new(), outputs: Vec::new(), witnesses: Vec::new() });
        let encoded = codec::encode(&transaction);
        let row = [&(encoded.len() as u32).to_be_bytes()[..], &encoded].concat();
        assert_eq!(transactions(&row.repeat(2)), [transaction.clone(), transaction.clone()]);
        assert_eq!(transactions(&row.repeat(2)[..2 * row.len() - 1]).len(), 1);
        assert_eq!(transactions(&[row.as_slice(), &[0xff; 9]].concat()), [transaction]);
        assert_eq!(transactions(&[]), []);
    }
}
