//! What readers on other threads are told: everything of one flush.

use alloy_primitives::{Address, U256};
use chain_core::{
    execute::withdrawal_outpoint,
    hash::{BlockHash, TxId},
    state::StateView,
    transaction::{
        Transaction,
        coin::{Coin, Lock, OutPoint},
    },
    units::Amount,
};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

use super::lab::{Known, Lab, account, config, lock, nowhere, rows, spec};
use crate::store::{
    BlockRef, HistoryPlace, LockEvent, Snapshot, Store, StoreConfig, StoreError, TxPlace,
    batch::Batch,
    column::Column,
    kv::{Durability, Kv},
    memory::MemoryKv,
    schema,
};

fn lab() -> (MemoryKv, Lab) {
    let kv = MemoryKv::default();
    let store = Store::with_kv(Arc::new(kv.clone()), &spec(), &config()).unwrap();
    (kv, Lab::new(spec(), store))
}

fn snapshot(lab: &Lab) -> Snapshot {
    lab.store.reader().snapshot().unwrap()
}

/// Transaction, received and sent by place, of each lock.
type Histories = BTreeMap<Lock, BTreeMap<HistoryPlace, LockEvent>>;

/// The history of every lock, the slow way: all coins that ever were are kept.
fn lock_histories(chain: &[Arc<Known>]) -> Histories {
    let mut coins: BTreeMap<OutPoint, Coin> = BTreeMap::new();
    let mut histories = Histories::new();
    for known in chain {
        let made = known.effects.created.iter().chain(&known.effects.transient);
        coins.extend(made.clone().copied());
        for (position, transaction) in (0..).zip(&known.block.transactions) {
            let place = HistoryPlace { height: known.at.height, position };
            let txid = transaction.txid();
            let withdrawal = matches!(transaction, Transaction::Account(_));
            let none = LockEvent { place, txid, withdrawal, received: Amount::ZERO, sent: Amount::ZERO };
            // Withdrawals of these tests are the first of their transaction.
            let is_own =
                |(at, coin): &&(OutPoint, Coin)| at.txid == txid || *at == withdrawal_outpoint(txid, 0, &coin.output);
            for (_, coin) in made.clone().filter(is_own) {
                let event = histories.entry(coin.output.lock).or_default().entry(place).or_insert(none);
                event.received = Amount::from_grains(event.received.grains() + coin.output.amount.grains());
            }
            let Transaction::Coin(tx) = transaction else { continue };
            for coin in tx.inputs.iter().map(|input| coins[input]) {
                let event = histories.entry(coin.output.lock).or_default().entry(place).or_insert(none);
                event.sent = Amount::from_grains(event.sent.grains() + coin.output.amount.grains());
            }
        }
    }
    histories
}

/// Whom each transaction concerns, the slow way.
fn account_histories(chain: &[Arc<Known>]) -> BTreeMap<Address, Vec<HistoryPlace>> {
    let mut histories: BTreeMap<Address, Vec<HistoryPlace>> = BTreeMap::new();
    for known in chain {
        let mut senders = known.senders.iter();
        let mut concerned = Vec::new();
        for (position, transaction) in (0..).zip(&known.block.transactions) {
            match transaction {
                Transaction::Coinbase(coinbase) if !known.senders.is_empty() => {
                    concerned.push((coinbase.beneficiary, 0))
                }
                Transaction::Coinbase(_) => {}
                Transaction::Account(tx) => {
                    concerned.push((*senders.next().unwrap(), position));
                    concerned.push((tx.fields().to.unwrap(), position));
                }
                Transaction::Coin(tx) => concerned.extend(tx.outputs.iter().filter_map(|output| match output.lock {
                    Lock::Account(address) => Some((address, position)),
                    _ => None,
                })),
            }
        }
        concerned.sort_unstable();
        concerned.dedup();
        for (address, position) in concerned {
            histories.entry(address).or_default().push(HistoryPlace { height: known.at.height, position });
        }
    }
    histories
}

/// All coins of a lock, by pages.
fn all_coins(snapshot: &Snapshot, lock: &Lock, limit: usize) -> Vec<(OutPoint, Coin)> {
    let (mut coins, mut after) = (Vec::new(), None);
    loop {
        let page = snapshot.coins_of(lock, after, limit).unwrap();
        assert!(page.coins.len() <= limit && page.coins.is_sorted_by_key(|coin| coin.place));
        coins.extend(page.coins.iter().map(|coin| (coin.outpoint, coin.coin)));
        match page.next {
            Some(next) => after = Some(next),
            None => return coins,
        }
    }
}

/// A snapshot of the last flush answers every question as the model does.
fn check(lab: &Lab, kv: &MemoryKv) {
    let (snapshot, tip) = (snapshot(lab), lab.tip());
    assert_eq!((snapshot.tip(), snapshot.totals()), (tip.at, tip.totals));
    let histories = lock_histories(&lab.chain);
    for lock in (0..=255).map(lock) {
        let coins = tip.state.coins.iter().filter(|(_, coin)| coin.output.lock == lock);
        let coins: Vec<_> = coins.map(|(outpoint, coin)| (*outpoint, *coin)).collect();
        let mut found = all_coins(&snapshot, &lock, usize::MAX);
        found.sort_unstable_by_key(|(outpoint, _)| *outpoint);
        assert_eq!(found, coins);
        let history: Vec<_> = histories.get(&lock).into_iter().flat_map(BTreeMap::values).rev().copied().collect();
        assert_eq!(snapshot.lock_history(&lock, None, usize::MAX).unwrap(), history);
    }
    let histories = account_histories(&lab.chain);
    for address in (0..=255).map(account) {
        let history = histories.get(&address).into_iter().flatten().rev();
        let history: Vec<_> = history.copied().collect();
        assert_eq!(snapshot.account_history(&address, None, usize::MAX).unwrap(), history);
        assert_eq!(snapshot.account(&address).unwrap(), tip.state.accounts.get(&address).copied());
    }
    for known in &lab.chain {
        check_block(&snapshot, known);
    }
    // Nothing is left of blocks that were disconnected.
    let count: usize = lab.chain.iter().map(|known| known.block.transactions.len()).sum();
    assert_eq!(super::lab::rows(kv, Column::TxIndex).len(), count);
}

/// Receipts and undo data of every block that was ever connected are there, whatever branch it is on.
fn check_all(lab: &Lab, kv: &MemoryKv, all: &BTreeMap<BlockRef, Arc<Known>>) {
    let snapshot = snapshot(lab);
    for known in all.values() {
        assert_eq!(snapshot.body(known.at).as_ref(), Ok(&known.block));
        check_receipts(&snapshot, known);
    }
    let with_receipts = all.values().filter(|known| !known.effects.receipts.is_empty());
    assert_eq!(rows(kv, Column::Receipts).len(), with_receipts.count());
    assert_eq!(rows(kv, Column::Undo).len(), all.len());
}

fn check_block(snapshot: &Snapshot, known: &Known) {
    assert_eq!(snapshot.at_height(known.at.height).unwrap(), Some(known.at));
    assert_eq!(snapshot.body(known.at).as_ref(), Ok(&known.block));
    for (position, transaction) in (0..).zip(&known.block.transactions) {
        let place = TxPlace { block: known.at, position };
        assert_eq!(snapshot.transaction(&transaction.txid()).unwrap(), Some(place));
    }
    check_receipts(snapshot, known);
}

fn check_receipts(snapshot: &Snapshot, known: &Known) {
    let receipts = snapshot.receipts(known.at).unwrap().unwrap();
    let told: Vec<_> = receipts.iter().map(|stored| (stored.sender, stored.receipt.clone())).collect();
    let expected: Vec<_> = known.senders.iter().copied().zip(known.effects.receipts.iter().cloned()).collect();
    assert_eq!(told, expected);
    for stored in receipts {
        assert_eq!(stored.gas_used, known.effects.tx_gas[stored.position as usize]);
        assert!(matches!(known.block.transactions[stored.position as usize], Transaction::Account(_)));
    }
    if known.at.height > 0 {
        let spends = snapshot.spends(known.at, &known.block).unwrap().unwrap();
        let all: BTreeMap<_, _> = known.effects.spent.iter().chain(&known.effects.transient).copied().collect();
        assert_eq!(spends.len(), all.len());
        assert!(spends.iter().all(|spend| all[&spend.outpoint] == spend.coin));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn indexes_equal_a_search_through_all_blocks(
        blocks in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..14), 0..3_usize, any::<bool>()), 1..12),
    ) {
        let ((kv, mut lab), mut all) = (lab(), BTreeMap::new());
        for (choices, back, flush) in blocks {
            let at = lab.connect(&choices);
            all.insert(at, lab.chain.last().unwrap().clone());
            (0..back.min(lab.chain.len() - 1)).for_each(|_| lab.disconnect());
            if flush {
                lab.store.flush().unwrap();
                check(&lab, &kv);
                check_all(&lab, &kv, &all);
            }
        }
        lab.store.flush().unwrap();
        check(&lab, &kv);
        check_all(&lab, &kv, &all);
    }
}

/// What an older block left is told key by key, and is what the model had then.
#[test]
fn old_states_are_what_they_were() {
    let (_, mut lab) = lab();
    for block in 0..12_u8 {
        lab.connect(&[block, block.wrapping_mul(7), 3, 6, 9, block / 2]);
    }
    lab.store.flush().unwrap();
    for known in &lab.chain {
        let old = snapshot(&lab).after(known.at.height).unwrap().unwrap();
        for address in (0..=255).map(account) {
            assert_eq!(old.account(&address).unwrap(), known.state.accounts.get(&address).copied());
        }
        for later in &lab.chain {
            for change in &later.effects.storage {
                let key = (change.address, change.slot);
                let expected = known.state.storage.get(&key).copied().unwrap_or_default();
                assert_eq!(old.storage(&change.address, &change.slot).unwrap(), expected);
            }
        }
    }
    assert!(snapshot(&lab).after(lab.tip().at.height + 1).unwrap().is_none());
}

#[test]
fn pages_follow_each_other_without_gap_or_overlap() {
    let (_, mut lab) = lab();
    (0..12).for_each(|_| _ = lab.connect(&[0, 3, 6, 6, 3]));
    lab.store.flush().unwrap();
    let snapshot = snapshot(&lab);
    let whole = snapshot.lock_history(&lock(0), None, usize::MAX).unwrap();
    assert!(whole.len() > 5);
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let page = snapshot.lock_history(&lock(0), before, 2).unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.place);
        pages.extend(page);
    }
    assert_eq!(pages, whole);

    let whole = all_coins(&snapshot, &lock(0), usize::MAX);
    assert!(whole.len() > 5);
    for limit in 1..=whole.len() + 1 {
        assert_eq!(all_coins(&snapshot, &lock(0), limit), whole, "pages of {limit}");
    }

    let whole = snapshot.account_history(&account(1), None, usize::MAX).unwrap();
    let rest = snapshot.account_history(&account(1), Some(whole[1]), 3).unwrap();
    assert_eq!(rest, whole[2..5]);
}

#[test]
fn a_snapshot_stays_what_it_was() {
    for directory in [None, Some(tempfile::tempdir().unwrap())] {
        let store = match &directory {
            None => Store::in_memory(&spec(), &config()),
            Some(directory) => Store::open(directory.path(), &spec(), &config()),
        };
        let mut lab = Lab::new(spec(), store.unwrap());
        lab.connect(&[1, 3, 5, 7]);
        let reader = lab.store.reader();
        assert_eq!(reader.snapshot().unwrap().tip().height, 0, "only what was flushed is seen");
        lab.store.flush().unwrap();
        let old = reader.snapshot().unwrap();
        let known = lab.chain.last().unwrap().clone();
        lab.disconnect();
        (0..3).for_each(|_| _ = lab.connect(&[2, 4, 6, 8]));
        lab.store.flush().unwrap();
        let thread = std::thread::spawn(move || {
            assert_eq!(old.tip(), known.at);
            assert_eq!(old.totals(), known.totals);
            for (outpoint, coin) in &known.state.coins {
                assert_eq!(old.coin(outpoint).unwrap(), Some(*coin));
            }
            assert_eq!(old.coin(&nowhere(1)).unwrap(), None);
            assert_eq!(old.account(&account(1)).unwrap(), known.state.accounts.get(&account(1)).copied());
            assert_eq!(old.storage(&account(0xcc), &U256::from(1)).unwrap(), U256::from(2));
            assert_eq!(old.coins_digest().unwrap(), known.state.coins_digest().unwrap());
            check_block(&old, &known);
        });
        thread.join().unwrap();
        assert_eq!(reader.snapshot().unwrap().tip(), lab.tip().at);
    }
}

/// genesis - away
///         \- here
#[test]
fn receipts_of_a_losing_branch_stay_and_those_of_a_block_that_was_never_connected_are_unknown() {
    let (_, mut lab) = lab();
    let away = lab.connect(&[5, 6]);
    let lost = lab.chain.last().unwrap().clone();
    lab.store.flush().unwrap();
    lab.disconnect();
    let stored = lab.block(&[5]);
    let never = BlockRef { height: 1, hash: stored.block().hash() };
    lab.store.put_body(1, stored.block()).unwrap();
    let here = lab.connect(&[6]);
    lab.store.flush().unwrap();
    let snapshot = snapshot(&lab);
    assert_eq!(snapshot.receipts(here).unwrap().unwrap().len(), 1);
    assert_eq!(snapshot.receipts(away).unwrap().unwrap().len(), 2);
    check_receipts(&snapshot, &lost);
    assert_eq!(snapshot.body(away), Ok(lost.block.clone()));
    assert_eq!(snapshot.receipts(never), Ok(None));
    assert_eq!(snapshot.receipts(BlockRef { height: 1, hash: BlockHash([9; 32]) }), Ok(None));
    let gone = lost.block.transactions[1].txid();
    assert_eq!(snapshot.transaction(&gone).unwrap(), None, "the index is of the active chain");
}

/// The row of a block that a crash took is not taken for a block without account transactions.
#[test]
fn receipts_that_a_crash_took_are_unknown() {
    let (kv, mut lab) = lab();
    let (away, empty) = (lab.connect(&[5, 6]), lab.connect(&[]));
    lab.store.flush().unwrap();
    (0..2).for_each(|_| lab.disconnect());
    lab.connect(&[6]);
    lab.store.flush().unwrap();
    let mut batch = Batch::default();
    batch.delete(Column::Receipts, &schema::block_key(away));
    kv.write(&batch, Durability::Disk).unwrap();
    let snapshot = snapshot(&lab);
    assert_eq!(snapshot.receipts(away), Ok(None));
    assert_eq!(snapshot.receipts(empty), Ok(Some(Vec::new())));
}

#[test]
fn an_index_that_is_off_says_so() {
    let off = StoreConfig { tx_index: false, address_index: false, log_index: false, ..config() };
    let mut lab = Lab::new(spec(), Store::in_memory(&spec(), &off).unwrap());
    lab.connect(&[1, 3, 5, 7]);
    lab.store.flush().unwrap();
    let snapshot = snapshot(&lab);
    let error = |index| Some(StoreError::IndexOff { index });
    assert_eq!(snapshot.transaction(&TxId([0; 32])).err(), error("transaction"));
    assert_eq!(snapshot.coins_of(&lock(0), None, 1).err(), error("address"));
    assert_eq!(snapshot.lock_history(&lock(0), None, 1).err(), error("address"));
    assert_eq!(snapshot.account_history(&account(0), None, 1).err(), error("address"));
    for index in [Column::TxIndex, Column::AddressIndex, Column::LogIndex] {
        assert!(rows(&*lab.store.kv, index).is_empty(), "{index:?}");
    }
}
