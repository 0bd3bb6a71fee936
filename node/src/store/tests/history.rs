//! States of older blocks: each answer is what the model had then, whatever reorgs, restarts and settings came since.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use chain_core::{
    execute::{HISTORY, encode_account},
    spec::{ChainSpec, GenesisAccount},
    state::StateView,
    transaction::Transaction,
    trie::{prove, verify_proof},
    units::Height,
};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::lab::{Known, Lab, account, config, rows, spec};
use crate::store::{
    HistoricalState, Snapshot, Store, StoreConfig,
    batch::Batch,
    column::Column,
    kv::{Durability, Kv},
    memory::{Faults, MemoryKv},
    schema,
};

/// Stores the call's second word in the slot of its first.
const STORAGE: Address = Address::repeat_byte(0xe0);
const STORAGE_CODE: &[u8] = &[0x60, 0x20, 0x35, 0x5f, 0x35, 0x55, 0x00];

/// Creates [`child`] by CREATE2 with the call's value.
const FACTORY: Address = Address::repeat_byte(0xe1);
const FACTORY_CODE: &[u8] = &[
    0x60, 19, 0x60, 13, 0x5f, 0x39, // CODECOPY(0, 13, 19)
    0x5f, 0x60, 19, 0x5f, 0x34, 0xf5, 0x00, // CREATE2(CALLVALUE, 0, 19, 0)
    0x34, 0x60, 0x06, 0x57, 0x33, 0xff, // without a value: SELFDESTRUCT(CALLER)
    0x5b, 0x34, 0x60, 0x07, 0x55, // slot 7 holds the value
    0x60, 0xfe, 0x5f, 0x53, 0x60, 0x01, 0x5f, 0xf3, // code of one byte
];

fn child() -> Address {
    FACTORY.create2_from_code(B256::ZERO, &FACTORY_CODE[13..])
}

/// The laboratory's chain with two contracts, and not a development chain, which keeps all states.
fn window_spec() -> ChainSpec {
    let contract = |address, code| GenesisAccount {
        address,
        balance: U256::ZERO,
        nonce: 1,
        code: Bytes::from_static(code),
        storage: Vec::new(),
    };
    let mut spec = ChainSpec { name: "window".into(), ..spec() };
    spec.alloc_accounts.extend([contract(STORAGE, STORAGE_CODE), contract(FACTORY, FACTORY_CODE)]);
    spec.alloc_accounts.sort_by_key(|account| account.address);
    spec
}

fn keeping(history: Option<Height>) -> StoreConfig {
    StoreConfig { history, ..config() }
}

fn open(kv: &MemoryKv, config: &StoreConfig) -> Store {
    Store::with_kv(Arc::new(kv.clone()), &window_spec(), config).unwrap()
}

fn snapshot(lab: &Lab) -> Snapshot {
    lab.store.reader().snapshot().unwrap()
}

fn write(slot: u8, word: u8) -> (Address, u64, Bytes) {
    let words = [U256::from(slot), U256::from(word)].map(|word| word.to_be_bytes::<32>());
    (STORAGE, 0, words.concat().into())
}

fn root(known: &Known) -> B256 {
    match &known.block.transactions[0] {
        Transaction::Coinbase(coinbase) => coinbase.state_root,
        _ => panic!("a block begins with its coinbase"),
    }
}

/// Proofs of an account and its slots in an old state lead from the root that the block committed to.
fn check_proofs(old: &HistoricalState, known: &Known, address: Address, slots: &BTreeSet<(Address, U256)>) {
    let mut rewind = old.rewind(address);
    while rewind.next_block().unwrap() {}
    let tries = rewind.tries().unwrap();
    let owner = keccak256(address);
    let proof = prove(&tries, None, owner).unwrap();
    let expected = known.state.accounts.get(&address);
    assert_eq!(verify_proof(root(known), owner, &proof), Ok(expected.map(encode_account)));
    let storage_root = expected.copied().unwrap_or_default().storage_root;
    for (_, slot) in slots.iter().filter(|(account, _)| *account == address) {
        let key = keccak256(slot.to_be_bytes::<32>());
        let word = known.state.storage.get(&(address, *slot)).map(alloy_rlp::encode);
        let proof = prove(&tries, Some(owner), key).unwrap();
        assert_eq!(verify_proof(storage_root, key, &proof), Ok(word), "slot {slot} of {address}");
    }
}

/// Every state from `floor` on is what the model had, none below is answered, and no row is kept for nothing.
fn check(lab: &Lab, floor: Height) {
    let snapshot = snapshot(lab);
    assert_eq!(snapshot.oldest_state(), Ok(floor));
    let addresses: Vec<Address> = (0..=255).map(account).chain([child(), HISTORY]).collect();
    let slots: BTreeSet<(Address, U256)> =
        lab.chain.iter().flat_map(|known| known.state.storage.keys().copied()).collect();
    for known in &lab.chain {
        let old = snapshot.clone().after(known.at.height).unwrap();
        assert_eq!(old.is_some(), known.at.height >= floor);
        let Some(old) = old else { continue };
        for address in &addresses {
            assert_eq!(old.account(address).unwrap(), known.state.accounts.get(address).copied());
        }
        for (address, slot) in &slots {
            let word = known.state.storage.get(&(*address, *slot)).copied().unwrap_or_default();
            assert_eq!(old.storage(address, slot).unwrap(), word);
        }
        for address in [account(1), account(0x99), STORAGE, child(), HISTORY] {
            check_proofs(&old, known, address, &slots);
        }
    }
    assert!(snapshot.clone().after(lab.tip().at.height + 1).unwrap().is_none());
    assert_eq!(
        rows(&*lab.store.kv, Column::History).into_iter().collect::<BTreeMap<_, _>>(),
        expected_rows(lab, floor)
    );
}

fn expected_rows(lab: &Lab, floor: Height) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut expected = BTreeMap::new();
    for known in lab.chain.iter().filter(|known| known.at.height > floor) {
        let height = known.at.height.to_be_bytes();
        for change in &known.effects.accounts {
            let key = [b"a", change.address.as_slice(), &height].concat();
            expected.insert(key, change.before.as_ref().map_or_else(Vec::new, schema::write_account));
        }
        for change in &known.effects.storage {
            let key = [b"s", change.address.as_slice(), &change.slot.to_be_bytes::<32>(), &height].concat();
            expected.insert(key, schema::write_slot(&change.before));
        }
    }
    expected
}

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    /// A block of the laboratory's choices.
    Any(Vec<u8>),
    /// A block that calls the contracts.
    Calls(Vec<u8>),
    /// So many blocks are disconnected.
    Disconnect(u8),
    Flush,
    /// Stops without a flush and starts with so many states to keep.
    Restart(Option<Height>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let window = prop_oneof![1 => Just(None), 2 => (0..6_u32).prop_map(Some)];
    let step = prop_oneof![
        2 => prop::collection::vec(any::<u8>(), 0..6).prop_map(Step::Any),
        6 => prop::collection::vec(any::<u8>(), 0..5).prop_map(Step::Calls),
        2 => (1..6_u8).prop_map(Step::Disconnect),
        4 => Just(Step::Flush),
        1 => window.prop_map(Step::Restart),
    ];
    prop::collection::vec(step, 1..32)
}

/// A write that may clear the slot, a payment to the child, or one of its two creations.
fn call(choice: u8) -> (Address, u64, Bytes) {
    match choice % 8 {
        0..=3 => write(choice / 8 % 4, choice / 32 % 3),
        4 | 5 => (child(), 1, Bytes::new()),
        6 => (FACTORY, 0, Bytes::new()),
        _ => (FACTORY, u64::from(choice), Bytes::new()),
    }
}

/// Runs a history; `open` opens the database that outlives its stores.
fn run(open: impl Fn(&StoreConfig) -> Store, mut most: Option<Height>, steps: Vec<Step>) {
    let lowest = |most: Option<Height>, tip: Height| most.map_or(0, |most| tip.saturating_sub(most));
    let mut lab = Lab::new(window_spec(), open(&keeping(most)));
    let (mut flushed, mut floor) = (lab.chain.clone(), 0);
    for (salt, step) in (0..).zip(steps) {
        match step {
            Step::Any(choices) => _ = lab.connect(&choices),
            Step::Calls(choices) => {
                let calls: Vec<_> = choices.into_iter().map(call).collect();
                lab.connect_calls(&calls, salt);
            }
            Step::Disconnect(count) => {
                for _ in 0..usize::from(count).min(lab.chain.len() - 1) {
                    lab.disconnect();
                    floor = floor.min(lab.tip().at.height);
                }
            }
            Step::Flush => {
                lab.store.flush().unwrap();
                flushed = lab.chain.clone();
                check(&lab, floor);
            }
            Step::Restart(other) => {
                let Lab { spec, store, .. } = lab;
                drop(store);
                most = other;
                lab = Lab { spec, store: open(&keeping(most)), chain: flushed.clone() };
                floor = lowest(most, lab.tip().at.height);
                check(&lab, floor);
            }
        }
        floor = floor.max(lowest(most, lab.tip().at.height));
    }
    lab.store.flush().unwrap();
    check(&lab, floor);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_state_in_the_window_is_what_it_was(most in prop::option::of(0..6_u32), steps in steps()) {
        let kv = MemoryKv::default();
        run(|config| super::history::open(&kv, config), most, steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn every_state_in_the_window_is_what_it_was_on_disk(most in prop::option::of(0..6_u32), steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        run(|config| Store::open(folder.path(), &window_spec(), config).unwrap(), most, steps);
    }
}

fn grow(lab: &mut Lab, blocks: u8) {
    for number in 0..blocks {
        lab.connect_calls(&[write(number % 4, number % 3), call(number)], number);
        lab.store.flush().unwrap();
    }
}

/// ```text
/// 0 - 1 - ... - 20           the first branch: states from 15 on are kept
///      \ 2' - ... - 22'      wins, and with it the states from 17' on
/// ```
#[test]
fn a_reorg_below_the_window_keeps_what_is_known_of_the_new_branch() {
    let kv = MemoryKv::default();
    let mut lab = Lab::new(window_spec(), open(&kv, &keeping(Some(5))));
    grow(&mut lab, 20);
    check(&lab, 15);
    for _ in 0..19 {
        lab.disconnect();
    }
    lab.store.flush().unwrap();
    check(&lab, 1);
    lab.connect_calls(&[write(1, 9)], 101);
    lab.store.flush().unwrap();
    check(&lab, 1);
    grow(&mut lab, 20);
    check(&lab, 17);
}

#[test]
fn a_database_of_an_older_release_gets_its_rows_from_undo_data() {
    let kv = MemoryKv::default();
    let mut lab = Lab::new(window_spec(), open(&kv, &keeping(None)));
    grow(&mut lab, 20);
    let Lab { spec, store, chain } = lab;
    drop(store);
    for (config, floor) in [(keeping(Some(8)), 12), (keeping(None), 0)] {
        kv.clear(&[Column::History]).unwrap();
        let mut batch = Batch::default();
        batch.delete(Column::Meta, schema::HISTORY);
        kv.write(&batch, Durability::Disk).unwrap();
        let lab = Lab { spec: spec.clone(), store: open(&kv, &config), chain: chain.clone() };
        check(&lab, floor);
    }
}

#[test]
fn rows_that_are_being_dropped_are_never_read_and_a_crash_meanwhile_is_found() {
    let kv = MemoryKv::default();
    let mut lab = Lab::new(window_spec(), open(&kv, &keeping(None)));
    grow(&mut lab, 20);
    let Lab { spec, store, chain } = lab;
    drop(store);
    for writes in 0..3 {
        kv.set_faults(Faults { writes_left: Some(writes), unreadable: false });
        assert!(Store::with_kv(Arc::new(kv.clone()), &spec, &keeping(Some(4))).is_err(), "{writes} writes");
        kv.set_faults(Faults::default());
        let floor = crate::store::read::read_history(&kv).unwrap();
        assert!(writes == 0 || floor.is_some_and(|(floor, _)| floor == 20), "{writes} writes: {floor:?}");
    }
    let lab = Lab { spec, store: open(&kv, &keeping(Some(4))), chain };
    check(&lab, 16);
}

#[test]
fn pruned_blocks_bound_what_can_be_made_and_an_archive_outlives_them() {
    let kv = MemoryKv::default();
    let pruning = |history| StoreConfig { prune: Some(10), ..keeping(history) };
    let mut lab = Lab::new(window_spec(), open(&kv, &pruning(Some(70))));
    grow(&mut lab, 74);
    // The undo data of blocks 1 to 64 is gone, without which their rows could not be deleted later.
    assert_eq!(snapshot(&lab).oldest_state(), Ok(64));
    check(&lab, 64);
    let Lab { spec, store, chain } = lab;
    drop(store);
    let mut lab = Lab { spec, store: open(&kv, &pruning(None)), chain };
    check(&lab, 64);
    grow(&mut lab, 80);
    // An archive keeps its rows; only proofs need undo data.
    assert_eq!((snapshot(&lab).oldest_state(), lab.store.pruned()), (Ok(64), 128));
    for known in &lab.chain[64..] {
        let old = snapshot(&lab).after(known.at.height).unwrap().unwrap();
        for address in (0..=255).map(account) {
            assert_eq!(old.account(&address).unwrap(), known.state.accounts.get(&address).copied());
        }
    }
    let old = snapshot(&lab).after(100).unwrap().unwrap();
    assert!(old.rewind(STORAGE).next_block().unwrap_err().to_string().contains("was pruned"));
}
