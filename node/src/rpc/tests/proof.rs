//! `coin_getProof`: what it returns proves that a header commits to a transaction.

use chain_core::{block::header::Header, block::merkle, hash::sha256d, spec::ChainSpec};
use serde_json::{Value, json};

use super::{COIN, account, encoded, raw};
use crate::{
    dev::ACCOUNTS,
    rpc::{
        Lanes,
        testing::{TestNode, dev_coin_key, lock, transfer},
    },
    store::StoreConfig,
};

/// A node whose first block holds coinbase, an account transaction and a coin transaction, with their ids.
fn mined(settings: &StoreConfig) -> (TestNode, Vec<String>) {
    let node = TestNode::with(ChainSpec::dev(), Lanes::default(), settings);
    let key = dev_coin_key();
    let (coin, _) = node.coin_of(&node.address(&key));
    let spend = node.spend(&key, coin, &[(lock(&key), COIN - 50_000)]);
    node.call("coin_sendRawTransaction", json!([encoded(&spend)]));
    node.call("eth_sendRawTransaction", json!([raw(&transfer(ACCOUNTS[0].private_key, 0, account(1), 1))]));
    node.call("dev_mine", json!([1]));
    let block = node.call("chain_getBlock", json!([1]));
    let ids = block["transactions"].as_array().unwrap().iter().map(|txid| txid.as_str().unwrap().to_owned());
    (node, ids.collect())
}

fn bytes32(text: &Value) -> [u8; 32] {
    hex::decode(text.as_str().unwrap()).unwrap().try_into().unwrap()
}

fn proves(proof: &Value) -> bool {
    let bytes = hex::decode(proof["header"].as_str().unwrap()).unwrap();
    let header = Header::from_bytes(&bytes.try_into().unwrap());
    assert_eq!(proof["blockHash"], header.hash().to_string());
    let leaf = sha256d(&hex::decode(proof["transaction"].as_str().unwrap()).unwrap());
    let branch: Vec<_> = proof["branch"].as_array().unwrap().iter().map(bytes32).collect();
    let place = |key: &str| proof[key].as_u64().unwrap() as usize;
    merkle::root_from_branch(leaf, place("index"), place("count"), &branch) == Some(header.merkle_root)
}

#[test]
fn each_transaction_of_a_block_is_proven_to_its_header() {
    let (node, ids) = mined(&StoreConfig::default());
    assert_eq!(ids.len(), 3);
    for (index, txid) in ids.iter().enumerate() {
        let mut proof = node.call("coin_getProof", json!([txid]));
        assert_eq!((&proof["txid"], &proof["index"], &proof["height"]), (&json!(txid), &json!(index), &json!(1)));
        assert_eq!(proof["confirmations"], 1);
        assert!(proves(&proof), "{proof}");
        proof["index"] = json!((index + 1) % 3);
        assert!(!proves(&proof), "at another place: {proof}");
    }
    let genesis = node.call("chain_getBlock", json!([0]));
    let proof = node.call("coin_getProof", json!([genesis["transactions"][0], genesis["hash"]]));
    assert!(proves(&proof) && proof["branch"] == json!([]), "{proof}");
}

#[test]
fn a_block_that_lost_still_proves_what_it_holds_if_it_is_named() {
    let (node, ids) = mined(&StoreConfig::default());
    let lost = node.call("chain_getBlockHash", json!([1]));
    node.call("dev_reorg", json!([1]));
    let proof = node.call("coin_getProof", json!([ids[0], lost]));
    assert_eq!(proof["confirmations"], -1);
    assert!(proves(&proof), "{proof}");
    let (code, message) = node.try_call("coin_getProof", json!([ids[0]])).unwrap_err();
    assert_eq!(code, -32001);
    assert_eq!(
        message,
        format!("no block of the active chain has transaction {}; name the block if it is on another branch", ids[0])
    );
}

#[test]
fn what_cannot_be_proven_says_why() {
    let (node, ids) = mined(&StoreConfig { tx_index: false, ..StoreConfig::default() });
    let refusal = |params: Value| node.try_call("coin_getProof", params).unwrap_err();
    let (code, message) = refusal(json!([ids[0]]));
    assert_eq!((code, message.contains("index")), (-32002, true), "{message}");
    let block = node.call("chain_getBlockHash", json!([1]));
    assert!(proves(&node.call("coin_getProof", json!([ids[2], block]))), "a block that is named needs no index");
    let (other, unknown) = (node.call("chain_getBlockHash", json!([0])), "ab".repeat(32));
    assert_eq!(
        refusal(json!([ids[0], other])),
        (-32001, format!("block {} has no transaction {}", other.as_str().unwrap(), ids[0]))
    );
    assert_eq!(refusal(json!([ids[0], unknown])), (-32001, format!("block {unknown} is unknown")));
    let (node, _) = mined(&StoreConfig::default());
    let waits = transfer(ACCOUNTS[1].private_key, 0, account(2), 1);
    let hash = node.call("eth_sendRawTransaction", json!([raw(&waits)]));
    let (code, message) = node.try_call("coin_getProof", json!([hash])).unwrap_err();
    assert_eq!((code, message.ends_with("is in the mempool, and in no block yet")), (-32001, true), "{message}");
}
