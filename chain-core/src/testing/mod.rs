//! For tests: a state in memory, and strategies for values of the ledger's types, legal as encodings but not always by
//! the rules.

mod state;

pub use state::MemoryState;

use alloy_primitives::{Address, B256, Bytes, U256};
use proptest::{collection::vec, option, prelude::*};

use crate::{
    block::{Block, header::Header},
    hash::{BlockHash, TxId},
    transaction::{
        Transaction,
        account::{AccountTransaction, Authorization, Fees, Fields},
        coin::{Coin, CoinTransaction, KeyBytes, Lock, OutPoint, Output, Signature, Witness},
        coinbase::Coinbase,
        policy::{Policy, PolicyNode, Proof, ProofItem},
    },
    units::Amount,
};

/// Numbers that are often at the edges of the variable-length encoding.
pub fn number64() -> impl Strategy<Value = u64> {
    let edges = [0, 1, 250, 251, 252, 255, 256, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, u64::MAX];
    prop_oneof![prop::sample::select(edges.to_vec()), any::<u64>(), 0..1_000_u64]
}

/// [`number64`] cut to 32 bits.
pub fn number32() -> impl Strategy<Value = u32> {
    number64().prop_map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// Any x coordinate, mostly of no use.
pub fn key() -> impl Strategy<Value = KeyBytes> {
    any::<[u8; 32]>().prop_map(KeyBytes)
}

/// Any 64 bytes.
pub fn signature() -> impl Strategy<Value = Signature> {
    (any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|halves| {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&halves.0);
        bytes[32..].copy_from_slice(&halves.1);
        bytes.into()
    })
}

/// Any account.
pub fn account() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address::from)
}

/// Any outpoint.
pub fn outpoint() -> impl Strategy<Value = OutPoint> {
    (any::<[u8; 32]>(), number32()).prop_map(|(txid, index)| OutPoint { txid: TxId(txid), index })
}

/// A lock of any kind.
pub fn lock() -> impl Strategy<Value = Lock> {
    prop_oneof![key().prop_map(Lock::Key), account().prop_map(Lock::Account), any::<[u8; 32]>().prop_map(Lock::Policy)]
}

/// Any amount, zero and the largest included, under any lock.
pub fn output() -> impl Strategy<Value = Output> {
    (number64(), lock()).prop_map(|(amount, lock)| Output { amount: Amount::from_grains(amount), lock })
}

/// Any coin.
pub fn coin() -> impl Strategy<Value = Coin> {
    (output(), number32(), any::<bool>()).prop_map(|(output, height, coinbase)| Coin { output, height, coinbase })
}

/// A leaf of a policy.
pub fn policy_leaf() -> impl Strategy<Value = PolicyNode> {
    prop_oneof![
        key().prop_map(PolicyNode::Key),
        number32().prop_map(PolicyNode::After),
        number32().prop_map(PolicyNode::Older),
        any::<[u8; 32]>().prop_map(PolicyNode::Sha256),
    ]
}

/// A policy that keeps POL-1.
pub fn policy() -> impl Strategy<Value = Policy> {
    policy_leaf().prop_map(|leaf| Policy(vec![leaf].into())).prop_recursive(6, 40, 5, |inner| {
        (0..3, any::<prop::sample::Index>(), vec(inner, 1..5)).prop_map(|(kind, needed, policies)| match kind {
            0 => Policy::and(policies),
            1 => Policy::or(policies),
            _ => Policy::threshold(1 + needed.index(policies.len()) as u8, policies),
        })
    })
}

/// Any list of nodes, mostly no policy.
pub fn policy_nodes() -> impl Strategy<Value = Policy> {
    let inner = prop_oneof![
        any::<u8>().prop_map(PolicyNode::And),
        (0..4_u8).prop_map(PolicyNode::Or),
        (0..4_u8, 0..4_u8).prop_map(|(k, n)| PolicyNode::Threshold(k, n)),
    ];
    vec(prop_oneof![2 => policy_leaf(), 1 => inner], 0..12).prop_map(|nodes| Policy(nodes.into()))
}

/// An item of a proof.
pub fn proof_item() -> impl Strategy<Value = ProofItem> {
    prop_oneof![
        Just(ProofItem::Skip),
        Just(ProofItem::Reached),
        signature().prop_map(|signature| ProofItem::Signature(Box::new(signature))),
        any::<[u8; 32]>().prop_map(|preimage| ProofItem::Preimage(Box::new(preimage))),
    ]
}

/// An arbitrary witness of either kind.
pub fn witness() -> impl Strategy<Value = Witness> {
    let proof = vec(proof_item(), 0..6).prop_map(|items| Proof(items.into()));
    prop_oneof![
        signature().prop_map(Witness::Key),
        (prop_oneof![policy(), policy_nodes()], proof).prop_map(|(policy, proof)| Witness::Policy(policy, proof)),
    ]
}

/// Any coin transaction that can be decoded, also without inputs or outputs.
pub fn coin_transaction() -> impl Strategy<Value = CoinTransaction> {
    (vec((outpoint(), witness()), 0..5), vec(output(), 0..5)).prop_map(|(spends, outputs)| {
        let (inputs, witnesses) = spends.into_iter().unzip();
        CoinTransaction { inputs, outputs, witnesses }
    })
}

/// Any coinbase, also with too long an `extra`.
pub fn coinbase() -> impl Strategy<Value = Coinbase> {
    let roots = any::<[[u8; 32]; 3]>();
    let head = (number32(), account(), vec(output(), 0..4));
    (head, roots, number64(), vec(any::<u8>(), 0..110)).prop_map(|(head, roots, gas_used, extra)| Coinbase {
        height: head.0,
        beneficiary: head.1,
        outputs: head.2,
        state_root: B256::from(roots[0]),
        receipts_root: B256::from(roots[1]),
        coins_root: B256::from(roots[2]),
        gas_used,
        extra,
    })
}

/// A well-formed account transaction of any type, with a random sender.
pub fn account_transaction() -> impl Strategy<Value = AccountTransaction> {
    let head = (prop::sample::select(vec![0_u8, 1, 2, 4]), 1..u64::MAX / 4, number64(), number64());
    let call = (option::of(account()), number64(), vec(any::<u8>(), 0..80), number64(), number64());
    let lists = (vec((account(), vec(any::<[u8; 32]>(), 0..3)), 0..3), vec(authorization(), 1..3));
    (head, call, lists, 1..=u8::MAX, any::<bool>()).prop_map(|(head, call, lists, fill, parity)| {
        let (tx_type, chain_id, nonce, gas_limit) = head;
        let (to, value, input, fee, tip) = call;
        let gas_price = U256::from(fee);
        let dynamic = Fees::Dynamic { max_fee: gas_price, max_priority_fee: U256::from(tip) };
        let slots = |slots: Vec<[u8; 32]>| slots.into_iter().map(B256::from).collect();
        let fields = Fields {
            tx_type,
            chain_id,
            nonce,
            fees: if tx_type < 2 { Fees::Legacy { gas_price } } else { dynamic },
            gas_limit,
            to: if tx_type == 4 { Some(to.unwrap_or_default()) } else { to },
            value: U256::from(value),
            input: Bytes::from(input),
            access_list: if tx_type == 0 {
                Vec::new()
            } else {
                lists.0.into_iter().map(|(address, keys)| (address, slots(keys))).collect()
            },
            authorizations: if tx_type == 4 { lists.1 } else { Vec::new() },
        };
        // Bytes up to 0x7f keep r below the order and s low.
        AccountTransaction::from_parts(fields, [fill.min(0x7e); 64], parity).expect("these fields are well-formed")
    })
}

fn authorization() -> impl Strategy<Value = Authorization> {
    (number64(), account(), number64(), 0..2_u8, number64()).prop_map(|(chain_id, address, nonce, y_parity, r)| {
        Authorization { chain_id: U256::from(chain_id), address, nonce, y_parity, r: U256::from(r), s: U256::from(r) }
    })
}

/// A transaction of any kind.
pub fn transaction() -> impl Strategy<Value = Transaction> {
    prop_oneof![
        1 => coinbase().prop_map(Transaction::Coinbase),
        4 => coin_transaction().prop_map(Transaction::Coin),
        2 => account_transaction().prop_map(Transaction::Account),
    ]
}

/// Any header.
pub fn header() -> impl Strategy<Value = Header> {
    (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<(i32, u32, u32, u32)>()).prop_map(|(prev, merkle_root, rest)| Header {
        version: rest.0,
        prev: BlockHash(prev),
        merkle_root,
        time: rest.1,
        bits: rest.2,
        nonce: rest.3,
    })
}

/// A header and transactions that mostly keep no rule.
pub fn block() -> impl Strategy<Value = Block> {
    (header(), vec(transaction(), 0..8)).prop_map(|(header, transactions)| Block { header, transactions })
}
