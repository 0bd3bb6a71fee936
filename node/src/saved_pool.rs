//! The mempool over a restart: a file of transactions beside the database, `mempool.dat`.
//!
//! Nothing in it is trusted: what it holds comes in like what anybody sends. It is each transaction's length (4 bytes,
//! big-endian) and encoding.

use cairn_client::counted;
use chain_core::{codec, transaction::Transaction};
use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{engine_thread::EngineHandle, files};

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

/// Hands in what the file holds, and answers how many transactions were taken. What is damaged is left out, with a warning.
pub async fn load(engine: EngineHandle, file: &Path) -> usize {
    let bytes = match files::read(file, MOST_BYTES) {
        Ok(bytes) => bytes.unwrap_or_default(),
        Err(error) => {
            tracing::warn!("cannot read the mempool of the last run from {}: {error}", file.display());
            return 0;
        }
    };
    let SavedPool { transactions: mut left, damaged, cut } = transactions(&bytes);
    if damaged > 0 || cut > 0 {
        tracing::warn!(
            "{} is damaged: {} of it cannot be read, nor its last {cut} bytes; {} are kept. Their senders broadcast lost ones \
             again",
            file.display(),
            counted(damaged, "transaction"),
            left.len()
        );
    }
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

/// What a file holds.
#[derive(Debug, PartialEq, Eq)]
struct SavedPool {
    transactions: Vec<Transaction>,
    /// Those that cannot be read.
    damaged: u64,
    /// Bytes at the end that are of no whole transaction.
    cut: usize,
}

fn transactions(mut bytes: &[u8]) -> SavedPool {
    let mut found = SavedPool { transactions: Vec::new(), damaged: 0, cut: 0 };
    while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
        let len = u32::from_be_bytes(*len) as usize;
        let Some((encoded, rest)) = rest.split_at_checked(len) else { break };
        match codec::decode(encoded) {
            Ok(transaction) => found.transactions.push(transaction),
            Err(_) => found.damaged += 1,
        }
        bytes = rest;
    }
    found.cut = bytes.len();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain_core::transaction::coin::CoinTransaction;

    #[test]
    fn reads_what_is_not_damaged_and_counts_the_rest() {
        let transaction =
            Transaction::Coin(CoinTransaction { inputs: Vec::new(), outputs: Vec::new(), witnesses: Vec::new() });
        let encoded = codec::encode(&transaction);
        let row = [&(encoded.len() as u32).to_be_bytes()[..], &encoded].concat();
        let holds = |bytes: &[u8]| {
            let found = transactions(bytes);
            assert!(found.transactions.iter().all(|found| *found == transaction));
            (found.transactions.len(), found.damaged, found.cut)
        };
        assert_eq!(holds(&row.repeat(2)), (2, 0, 0));
        assert_eq!(holds(&row.repeat(2)[..2 * row.len() - 1]), (1, 0, row.len() - 1));
        assert_eq!(holds(&[row.as_slice(), &[0xff; 9]].concat()), (1, 0, 9));
        assert_eq!(holds(&[]), (0, 0, 0));
        let mut wrong = row.repeat(3);
        wrong[row.len() + 4] = 0xff;
        assert_eq!(holds(&wrong), (2, 1, 0), "one that cannot be read costs no other");
    }
}
