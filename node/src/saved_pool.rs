//! The mempool over a restart: a file of transactions beside the database, `mempool.dat`.
//!
//! Nothing in it is trusted: what it holds comes in like what anybody sends. It is each transaction's length (4 bytes,
//! big-endian) and encoding.

use cairn_client::counted;
use chain_core::{codec, transaction::Transaction};
use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::task::JoinHandle;

use crate::{engine_thread::EngineHandle, files};

/// A larger file is no pool: `--mempool.size` counts more than the encodings.
const MOST_BYTES: u64 = 4 << 30;

/// The file while the node runs.
pub struct PoolFile {
    engine: EngineHandle,
    file: PathBuf,
    stop: Arc<AtomicBool>,
    loading: JoinHandle<Vec<Transaction>>,
}

impl PoolFile {
    /// Begins to submit what the last run left in this data directory.
    pub fn load(engine: EngineHandle, datadir: &Path) -> Self {
        let (file, stop) = (datadir.join("mempool.dat"), Arc::new(AtomicBool::new(false)));
        let loading = tokio::spawn(load(engine.clone(), file.clone(), stop.clone()));
        Self { engine, file, stop, loading }
    }

    /// Writes what the pool holds, and what was not loaded yet. The engine still runs.
    pub async fn save(self) {
        let file = self.file.display();
        self.stop.store(true, Ordering::Relaxed);
        let Ok(left) = self.loading.await else {
            return tracing::warn!("{file} could not be loaded by a bug: it stays as it is");
        };
        match save(&self.engine, &self.file, &left).await {
            Ok(transactions) => tracing::debug!(transactions, "saved the mempool"),
            Err(error) => tracing::warn!("cannot save the mempool to {file}: {error}"),
        }
    }
}

/// Writes what the pool holds and what is left of the last run, and returns how many transactions that is.
///
/// # Errors
/// If the file cannot be written; the one before stays then.
async fn save(engine: &EngineHandle, file: &Path, left: &[Transaction]) -> io::Result<usize> {
    let entries = engine.query(|engine| engine.mempool().best(usize::MAX)).await.map_err(io::Error::other)?;
    let (mut names, mut all) = (HashSet::new(), Vec::new());
    // What came in again meanwhile stands in both.
    for transaction in entries.iter().map(|entry| &*entry.transaction).chain(left) {
        if names.insert(transaction.txid()) {
            all.push(transaction);
        }
    }
    files::replace(file, &rows(all.iter().copied()))?;
    Ok(all.len())
}

fn rows<'a>(transactions: impl Iterator<Item = &'a Transaction>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for transaction in transactions {
        let encoded = codec::encode(transaction);
        bytes.extend_from_slice(&(encoded.len() as u32).to_be_bytes()); // a transaction fits in a block
        bytes.extend_from_slice(&encoded);
    }
    bytes
}

/// Submits what the file holds until `stop` is set; returns what was not submitted by then. What is damaged is left out, with a
/// warning.
async fn load(engine: EngineHandle, file: PathBuf, stop: Arc<AtomicBool>) -> Vec<Transaction> {
    let bytes = match files::read(&file, MOST_BYTES) {
        Ok(bytes) => bytes.unwrap_or_default(),
        Err(error) => {
            tracing::warn!("cannot read the mempool of the last run from {}: {error}", file.display());
            return Vec::new();
        }
    };
    let SavedPool { transactions, damaged, cut } = transactions(&bytes);
    if damaged > 0 || cut > 0 {
        tracing::warn!(
            "{} is damaged: {} of it cannot be read, nor its last {cut} bytes; {} are kept. Their senders broadcast lost ones \
             again",
            file.display(),
            counted(damaged, "transaction"),
            transactions.len()
        );
    }
    let submit = |transaction| {
        let engine = engine.clone();
        async move { engine.submit_transaction(transaction).await.is_ok() }
    };
    let (taken, left) = submit_all(transactions, &stop, submit).await;
    if taken > 0 {
        tracing::info!(transactions = taken, "took back the mempool of the last run");
    }
    left
}

/// Submits transactions until none of the rest is taken, or `stop` is set. Returns how many were taken, and those that may
/// still be when it was stopped.
async fn submit_all<F: Future<Output = bool>>(
    mut left: Vec<Transaction>,
    stop: &AtomicBool,
    submit: impl Fn(Transaction) -> F,
) -> (usize, Vec<Transaction>) {
    let mut taken = 0;
    // What spends from others that stand further behind finds them in the next round.
    loop {
        let (before, mut refused, mut rest) = (taken, Vec::new(), left.into_iter());
        while !stop.load(Ordering::Relaxed)
            && let Some(transaction) = rest.next()
        {
            match submit(transaction.clone()).await {
                true => taken += 1,
                false => refused.push(transaction),
            }
        }
        if stop.load(Ordering::Relaxed) {
            return (taken, refused.into_iter().chain(rest).collect());
        }
        if refused.is_empty() || taken == before {
            return (taken, Vec::new());
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
    use chain_core::{
        transaction::coin::{CoinTransaction, KeyBytes, Lock, Output},
        units::Amount,
    };
    use std::cell::RefCell;

    fn numbered(number: u64) -> Transaction {
        let output = Output { amount: Amount::from_grains(number), lock: Lock::Key(KeyBytes([0; 32])) };
        Transaction::Coin(CoinTransaction { inputs: Vec::new(), outputs: vec![output], witnesses: Vec::new() })
    }

    /// Submits transactions to a pool that takes the first once it has the last, and is stopped after so many submissions; the
    /// numbers of those that were taken, how many that is, and what is left.
    async fn submitted(stop_after: usize) -> (usize, usize, Vec<Transaction>) {
        let (stop, pool, calls) = (AtomicBool::new(stop_after == 0), RefCell::new(Vec::new()), RefCell::new(0));
        let submit = |transaction| {
            *calls.borrow_mut() += 1;
            stop.store(*calls.borrow() == stop_after, Ordering::Relaxed);
            let taken = transaction != numbered(0) || pool.borrow().contains(&numbered(4));
            pool.borrow_mut().extend(taken.then_some(transaction));
            std::future::ready(taken)
        };
        let (taken, left) = submit_all((0..5).map(numbered).collect(), &stop, submit).await;
        let pool = pool.borrow().len();
        (pool, taken, left)
    }

    #[tokio::test]
    async fn a_stop_while_loading_loses_nothing() {
        assert_eq!(submitted(0).await, (0, 0, (0..5).map(numbered).collect()));
        assert_eq!(submitted(3).await, (2, 2, [0, 3, 4].map(numbered).to_vec()));
        assert_eq!(submitted(5).await, (4, 4, vec![numbered(0)]));
        assert_eq!(submitted(100).await, (5, 5, Vec::new()), "the first is taken in the second round");
        let saved = [0, 3, 4].map(numbered);
        assert_eq!(transactions(&rows(saved.iter())).transactions, saved);
    }

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
