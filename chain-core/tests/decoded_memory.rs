//! What blocks take in memory while they are decoded and after: peers send them, so that the factor is the attacker's gain.

#![allow(unsafe_code, reason = "an allocator that counts")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use alloy_rlp::{Encodable, Header};
use chain_core::block::check::decode_block;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// Counts the bytes of the running thread.
struct Counting;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // The thread may be ending.
    let _ = NOW.try_with(|now| {
        now.set(now.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(now.get())));
    });
}

// SAFETY: the system's allocator does all the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: passed on as it came.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: passed on as it came.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes of each case.
const BYTES: usize = 2 << 20;

/// How often `item` goes into a case.
fn times(item: &[u8]) -> usize {
    BYTES / item.len()
}

fn varint(number: usize) -> Vec<u8> {
    match number {
        0..251 => vec![number as u8],
        251..65_536 => [&[251][..], &(number as u16).to_le_bytes()].concat(),
        _ => [&[252][..], &(number as u32).to_le_bytes()].concat(),
    }
}

fn list(count: usize, item: &[u8]) -> Vec<u8> {
    [varint(count), item.repeat(count)].concat()
}

fn coin_transaction(inputs: &[u8], outputs: &[u8], witnesses: &[u8]) -> Vec<u8> {
    [&[1], inputs, outputs, witnesses].concat()
}

const NONE: [u8; 1] = [0];
/// An outpoint.
const INPUT: [u8; 33] = [0; 33];

/// As many pairs of an input and this witness as fit.
fn pairs(witness: &[u8]) -> Vec<u8> {
    let count = BYTES / (INPUT.len() + witness.len());
    coin_transaction(&list(count, &INPUT), &NONE, &list(count, witness))
}

/// A transaction of one input with a policy of these nodes, and these items of a proof.
fn policy(node: &[u8], item: &[u8]) -> Vec<u8> {
    let count = BYTES / (node.len() + item.len());
    let items = if item.is_empty() { NONE.to_vec() } else { list(count, item) };
    let witness = [&[1], &list(count, node)[..], &items].concat();
    coin_transaction(&list(1, &INPUT), &NONE, &list(1, &witness))
}

fn rlp_list(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Header { list: true, payload_length: payload.len() }.encode(&mut out);
    [&out[..], payload].concat()
}

/// A signed transaction of a type that ends with such lists.
fn account_transaction(tx_type: u8, lists: &[Vec<u8>]) -> Vec<u8> {
    let zeros = if tx_type == 1 { 4 } else { 5 };
    let mut fields = vec![0x80; zeros];
    [0x11_u8; 20].encode(&mut fields);
    fields.extend([0x80, 0x80]);
    lists.iter().for_each(|list| fields.extend(rlp_list(list)));
    fields.extend([0x80, 1, 1]);
    let raw = [&[tx_type], &rlp_list(&fields)[..]].concat();
    [&[2], &varint(raw.len())[..], &raw].concat()
}

fn access_list() -> Vec<u8> {
    let mut address = Vec::new();
    [0x22_u8; 20].encode(&mut address);
    let entry = rlp_list(&[&address[..], &[0xc0]].concat());
    account_transaction(1, &[entry.repeat(times(&entry))])
}

fn authorizations() -> Vec<u8> {
    let mut fields = vec![0x80];
    [0x22_u8; 20].encode(&mut fields);
    fields.extend([0x80, 0x80, 1, 1]);
    let entry = rlp_list(&fields);
    account_transaction(4, &[Vec::new(), entry.repeat(times(&entry))])
}

/// A list with items of a single byte, which are refused one by one.
fn short_items(tx_type: u8) -> Vec<u8> {
    let items = vec![0xc0; BYTES];
    let lists = if tx_type == 1 { vec![items] } else { vec![Vec::new(), items] };
    account_transaction(tx_type, &lists)
}

/// Peak and rest of the memory while a block of these transactions is decoded, and its size; whether it is one.
fn decoded(transactions: &[Vec<u8>]) -> (usize, usize, usize, bool) {
    let bytes = [vec![0; 80], varint(transactions.len()), transactions.concat()].concat();
    let before = NOW.get();
    PEAK.set(before);
    let block = decode_block(&bytes);
    let (peak, rest) = (PEAK.get() - before, NOW.get() - before);
    (peak.cast_unsigned(), rest.cast_unsigned(), bytes.len(), block.is_ok())
}

/// Most bytes of memory for a byte that was sent, and for a transaction beside.
const FACTOR: usize = 8;
const EACH: usize = 1_000;

// COD-2, COIN-3
#[test]
fn decoding_takes_no_more_than_eight_times_the_bytes() {
    let empty_policy = [1, 0, 0];
    // After(0), skipped.
    let small_policy = [1, 1, 1, 0, 1, 0];
    let key = [&[0][..], &[7; 64]].concat();
    let to_account = [&[1, 1][..], &[5; 20]].concat();
    let outputs = coin_transaction(&NONE, &list(times(&to_account), &to_account), &NONE);
    let empty_witnesses = coin_transaction(&NONE, &NONE, &list(times(&empty_policy), &empty_policy));
    let honest = coin_transaction(&list(1, &INPUT), &list(2, &[&[200, 0][..], &[5; 32]].concat()), &list(1, &key));
    let cases = [
        ("witnesses without inputs", vec![empty_witnesses]),
        ("inputs with empty policies", vec![pairs(&empty_policy)]),
        ("inputs with small policies", vec![pairs(&small_policy)]),
        ("inputs with signatures", vec![pairs(&key)]),
        ("a policy of inner nodes", vec![policy(&[4, 1], &[])]),
        ("a policy of leaves, a proof of skips", vec![policy(&[1, 0], &[0])]),
        ("outputs to accounts", vec![outputs]),
        ("an access list", vec![access_list()]),
        ("authorizations", vec![authorizations()]),
        ("an access list of empty items", vec![short_items(1)]),
        ("authorizations that are empty", vec![short_items(4)]),
        ("empty transactions", vec![coin_transaction(&NONE, &NONE, &NONE); 1 << 16]),
        ("payments", vec![honest; 12_000]),
    ];
    let mut wrong = Vec::new();
    for (name, transactions) in cases {
        let (peak, rest, bytes, is_block) = decoded(&transactions);
        let factor = |memory: usize| memory as f64 / bytes as f64;
        let told = format!("{name}: {bytes} bytes, peak {:.1}, kept {:.1}, {is_block}", factor(peak), factor(rest));
        println!("{told}");
        if peak > FACTOR * bytes + EACH * transactions.len() {
            wrong.push(told);
        }
        let is_sound =
            !name.contains("empty items") && !name.contains("are empty") && name != "witnesses without inputs";
        assert_eq!(is_block, is_sound, "{name}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
