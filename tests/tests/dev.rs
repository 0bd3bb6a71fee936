//! A development chain on the disk: what cheats change is of the chain, also after a restart and a reindex.

use cairn_tests::{Node, NodeOptions, binary};
use chain_core::spec::ChainSpec;
use serde_json::{Value, json};
use std::process::Command;

const SOMEBODY: &str = "0x5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b";
const CONTRACT: &str = "0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1";
const SENDER: &str = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";

fn start() -> Node {
    let spec = ChainSpec { chain_id: 4_411, ..ChainSpec::dev() };
    Node::with(NodeOptions { spec, ..NodeOptions::default() })
}

fn pay(node: &Node, from: &str) -> Value {
    node.rpc.call("eth_sendTransaction", json!([{"from": from, "to": SOMEBODY, "value": "0x5"}]))
}

/// All that must be the same on every node that executed the blocks.
fn state(node: &Node) -> Value {
    let call = |method, params| node.rpc.call(method, params);
    json!([
        call("eth_getBlockByNumber", json!(["latest", true])),
        call("eth_getBalance", json!([SOMEBODY, "latest"])),
        call("eth_getTransactionCount", json!([SOMEBODY, "latest"])),
        call("eth_getCode", json!([CONTRACT, "latest"])),
        call("eth_getStorageAt", json!([CONTRACT, "0x3", "latest"])),
        call("eth_getProof", json!([CONTRACT, ["0x3"], "latest"])),
        call("eth_getBlockReceipts", json!(["latest"])),
        call("chain_getSupply", json!([])),
    ])
}

// DEV-2, DEV-3, DEV-4
#[test]
fn a_restart_and_a_reindex_agree_with_all_that_cheats_did() {
    let mut node = start();
    let call = |node: &Node, method: &str, params| node.rpc.call(method, params);
    pay(&node, SENDER);
    call(&node, "anvil_setBalance", json!([SOMEBODY, "0xde0b6b3a7640000"]));
    call(&node, "anvil_setNonce", json!([SOMEBODY, 41]));
    call(&node, "anvil_setCode", json!([CONTRACT, "0x60035460005260206000f3"]));
    call(&node, "anvil_setStorageAt", json!([CONTRACT, 3, 9]));
    call(&node, "hardhat_setNextBlockBaseFeePerGas", json!(["0xba43b7400"]));
    call(&node, "evm_increaseTime", json!([86_400]));
    pay(&node, SENDER);
    call(&node, "anvil_impersonateAccount", json!([SOMEBODY]));
    pay(&node, SOMEBODY);
    // A branch that is left, and one that is reverted for good, longer than what follows it.
    call(&node, "dev_reorg", json!([1]));
    let snapshot = call(&node, "evm_snapshot", json!([]));
    call(&node, "dev_mine", json!([30]));
    let reverted = call(&node, "chain_getInfo", json!([]))["bestHash"].clone();
    call(&node, "anvil_setBalance", json!([SOMEBODY, 1]));
    assert_eq!(call(&node, "evm_revert", json!([snapshot])), true);
    call(&node, "anvil_setStorageAt", json!([CONTRACT, 4, 9]));
    pay(&node, SOMEBODY);

    let before = state(&node);
    assert_eq!(before[4], format!("0x{:064x}", 9));
    assert!(node.stop(), "{}", node.log());
    node.restart();
    assert_eq!(state(&node), before);
    assert!(node.stop(), "{}", node.log());
    let output = Command::new(binary("cairn-node"))
        .args(["reindex", "--chain"])
        .arg(node.chain_file())
        .arg("--datadir")
        .arg(node.datadir())
        .output()
        .expect("the node's binary can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    node.restart();
    assert_eq!(state(&node), before);
    let gone = node.rpc.try_call("chain_getBlock", json!([reverted]));
    assert_eq!(gone.map_err(|error| error.code), Err(-32001), "what was reverted is forgotten");
    pay(&node, SENDER);
}

#[test]
fn a_killed_node_stays_where_it_was_reverted_to() {
    let mut node = start();
    pay(&node, SENDER);
    let snapshot = node.rpc.call("evm_snapshot", json!([]));
    node.rpc.call("dev_mine", json!([20]));
    node.rpc.call("evm_revert", json!([snapshot]));
    let before = state(&node);
    node.kill();
    node.restart();
    assert_eq!(state(&node), before);
}
