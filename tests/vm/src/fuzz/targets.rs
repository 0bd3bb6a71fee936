//! What must hold for any bytes: the bodies of the targets in `fuzz`, and of ordinary tests that run them on bytes from
//! seeds. They panic where something does not hold.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use chain_core::{
    block::{Block, header::Header},
    codec,
    error::ExecuteError,
    execute::{Environment, Revision, transition},
    gas::MAX_TRANSACTION_GAS,
    state::{BlockUndo, Overlay, ViewError},
    transaction::{
        Transaction,
        account::{AccountTransaction, Receipt},
        coin::{Coin, CoinTransaction, Lock},
        policy::Policy,
    },
    trie::{EMPTY_ROOT, LeafChange, Node, NodeKey, NodeReader, prove, update, verify_proof},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use super::{
    transaction::{CHAIN_ID, plain_call, sender},
    world::{Holding, View, World},
};

const CONTRACT: Address = Address::repeat_byte(0xc0);
const MOST_GAS: u64 = 2_000_000;

/// Any bytes as code: the first chooses the rules and the gas, the next says how much of the rest is calldata. Ends, pays
/// for no more gas than it may, makes no money and does the same again.
///
/// # Panics
/// If one of these does not hold.
pub fn interpreter(bytes: &[u8]) {
    let Some((&[first, second], rest)) = bytes.split_first_chunk() else { return };
    let (calldata, code) = rest.split_at(usize::from(second).min(rest.len() / 2));
    let revision = if first & 1 == 0 { Revision::Osaka } else { Revision::Cancun };
    let gas_limit = 60_000 + MOST_GAS * u64::from(first >> 1) / 128;
    let rich = Holding { balance: U256::from(u64::MAX), ..Holding::default() };
    let contract =
        Holding { nonce: 1, balance: U256::from(1_000), code: Bytes::copy_from_slice(code), ..Holding::default() };
    let world = World(BTreeMap::from([(sender(0), rich), (CONTRACT, contract)]));
    let environment = Environment {
        revision,
        chain_id: CHAIN_ID,
        number: 1_000,
        time: 1_800_000_000,
        gas_limit: MAX_TRANSACTION_GAS,
        base_fee: 7,
        difficulty: U256::ONE,
        beneficiary: Address::repeat_byte(0xbe),
        transaction_gas: MAX_TRANSACTION_GAS,
        gateway: first & 2 == 0,
        trial: None,
    };
    let fields = plain_call(CONTRACT, gas_limit, calldata);
    let run = || {
        let view = View::new(&world, environment.number);
        let mut overlay = Overlay::new(&view);
        let outcome = transition(&environment, &mut overlay, B256::ZERO, &fields, sender(0), gas_limit);
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(ExecuteError::Rule(_)) => return None,
            Err(ExecuteError::View(error)) => panic!("{error}"),
        };
        assert!(outcome.gas_used <= gas_limit, "{} gas of {gas_limit}", outcome.gas_used);
        let burned = outcome.burned + overlay.burned();
        let diff = overlay.into_diff();
        let coins: U256 = diff.created.iter().map(|(_, coin)| coin.output.amount.to_wei()).sum();
        let after = world.after(&diff);
        assert_eq!(supply(&after) + burned + coins, supply(&world), "money is kept");
        Some((outcome.gas_used, outcome.output, outcome.logs, after))
    };
    assert_eq!(run(), run(), "the same again");
}

fn supply(world: &World) -> U256 {
    world.0.values().map(|holding| holding.balance).sum()
}

/// Any bytes as an encoding: what decodes encodes to the same bytes.
///
/// # Panics
/// If it does not.
pub fn encodings(bytes: &[u8]) {
    canonical::<Header>(bytes);
    canonical::<Transaction>(bytes);
    canonical::<CoinTransaction>(bytes);
    canonical::<Coin>(bytes);
    canonical::<Lock>(bytes);
    canonical::<Policy>(bytes);
    canonical::<Block>(bytes);
    canonical::<BlockUndo>(bytes);
    if let Ok(transaction) = AccountTransaction::decode(Bytes::copy_from_slice(bytes)) {
        assert_eq!(transaction.raw(), bytes);
        // An answer is all that is asked for.
        _ = transaction.recover_sender();
    }
    if let Ok(receipt) = Receipt::decode(bytes) {
        assert_eq!(receipt.encode(), bytes);
    }
}

fn canonical<T: Serialize + DeserializeOwned + Debug>(bytes: &[u8]) {
    if let Ok(value) = codec::decode::<T>(bytes) {
        assert_eq!(codec::encode(&value), bytes, "{value:?}");
    }
}

#[derive(Default)]
struct Nodes(BTreeMap<NodeKey, Arc<Node>>);

impl NodeReader for Nodes {
    fn node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        Ok(self.0.get(key).cloned())
    }
}

impl Nodes {
    fn update(&mut self, changes: &[LeafChange]) -> B256 {
        let (root, nodes) = update(self, None, changes).expect("memory can be read");
        for change in nodes {
            match change.node {
                Some(node) => self.0.insert(change.key, node),
                None => self.0.remove(&change.key),
            };
        }
        root
    }
}

/// Any bytes as changes of a trie, two bytes each: the trie that grew is the trie made at once, and proves what it holds.
/// Any bytes as a proof: it proves nothing of another root.
///
/// # Panics
/// If one of these does not hold.
pub fn trie(bytes: &[u8]) {
    let (mut leaves, mut grown) = (BTreeMap::new(), Nodes::default());
    let mut root = EMPTY_ROOT;
    for batch in bytes.chunks(24).take(40) {
        let changes: Vec<LeafChange> = batch.chunks_exact(2).map(|change| leaf(change[0], change[1])).collect();
        changes.iter().for_each(|(key, value)| match value {
            Some(value) => _ = leaves.insert(*key, value.clone()),
            None => _ = leaves.remove(key),
        });
        root = grown.update(&changes);
    }
    let all: Vec<LeafChange> = leaves.iter().map(|(key, value)| (*key, Some(value.clone()))).collect();
    let mut made = Nodes::default();
    assert_eq!(made.update(&all), root, "the root does not depend on the way");
    assert!(made.0 == grown.0, "nor do the nodes");
    for number in 0..4 {
        let (key, _) = leaf(number, 1);
        let proof = prove(&grown, None, key).expect("memory can be read");
        assert_eq!(verify_proof(root, key, &proof), Ok(leaves.get(&key).cloned()));
    }
    let parts: Vec<Bytes> = bytes.chunks(33).map(Bytes::copy_from_slice).collect();
    if let Ok(value) = verify_proof(keccak256(b"another"), B256::ZERO, &parts) {
        panic!("proves {value:?}");
    }
    if let Some(key) = NodeKey::from_bytes(bytes) {
        assert_eq!(key.to_bytes(), bytes);
    }
}

/// Few keys, some of which share long beginnings; short and long values, and none.
fn leaf(key: u8, value: u8) -> LeafChange {
    let mut path = if key < 0x80 { B256::ZERO } else { keccak256([key & 0x1f]) };
    path.0[usize::from(key >> 5 & 3) * 8 + 7] ^= key & 0x1f;
    (path, (!value.is_multiple_of(4)).then(|| vec![value; usize::from(value % 50) + 1]))
}
