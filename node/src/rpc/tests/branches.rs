//! Blocks of branches that were never connected.

use alloy_primitives::Address;
use serde_json::{Value, json};

use crate::rpc::testing::TestNode;

const SOMEBODY: Address = Address::repeat_byte(0x77);

//       /- 1 - 2 - 3      the node's own
//  genesis
//       \- 1 - 2          of another, with a transaction that no key signed
fn beside() -> (TestNode, TestNode, Vec<Value>) {
    let (node, other) = (TestNode::fresh(), TestNode::fresh());
    node.call("dev_mine", json!([3]));
    other.call("anvil_impersonateAccount", json!([SOMEBODY]));
    other.call("anvil_setBalance", json!([SOMEBODY, "0xde0b6b3a7640000"]));
    other.call("eth_sendTransaction", json!([{ "from": SOMEBODY, "to": SOMEBODY }]));
    other.call("dev_mine", json!([1]));
    let hash = |height: u32| other.call("chain_getBlockHash", json!([height]));
    let hashes: Vec<_> = (1..=2).map(hash).collect();
    for hash in &hashes {
        let stored = node.call("chain_submitBlock", json!([other.call("chain_getBlock", json!([hash, 0]))]));
        assert_eq!(stored, json!({ "hash": hash, "status": "stored" }));
    }
    (node, other, hashes)
}

#[test]
fn a_block_that_was_never_connected_is_shown_by_its_hash() {
    let (node, other, hashes) = beside();
    for hash in hashes {
        let hash = format!("0x{}", hash.as_str().unwrap());
        for full in [false, true] {
            let block = node.call("eth_getBlockByHash", json!([hash, full]));
            assert_eq!(block, other.call("eth_getBlockByHash", json!([hash, full])));
        }
        assert_eq!(node.call("eth_getHeaderByHash", json!([hash])), other.call("eth_getHeaderByHash", json!([hash])));
        // Nobody knows what it does before it is connected.
        assert_eq!(node.call("eth_getBlockReceipts", json!([hash])), Value::Null);
        assert!(node.try_call("eth_getBalance", json!([SOMEBODY, { "blockHash": hash }])).is_err());
    }
}

#[test]
fn a_transaction_that_no_key_signed_has_its_sender_also_without_a_receipt() {
    let (node, other, hashes) = beside();
    let block = node.call("chain_getBlock", json!([hashes[1], 2]));
    assert_eq!(block["transactions"][1]["from"], SOMEBODY.to_string());
    let bytes = other.call("coin_getTransaction", json!([block["transactions"][1]["txid"]]))["hex"].clone();
    assert_eq!(node.call("coin_decodeTransaction", json!([bytes]))["from"], SOMEBODY.to_string());
}
