//! What is known of the next block before it is mined: its time and its base fee.

use serde_json::{Value, json};

use super::*;

const SOMEBODY: &str = "0x5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b";
/// Returns TIMESTAMP and BASEFEE.
const CLOCK: &str = "0x4260005248602052";

fn node() -> TestNode {
    let node = TestNode::fresh();
    node.call("evm_setAutomine", json!([true]));
    node.call("evm_mine", json!([]));
    node.call("anvil_setCode", json!([SOMEBODY, format!("{CLOCK}60406000f3")]));
    node
}

fn tip(node: &TestNode, field: &str) -> u64 {
    number(&node.call("eth_getBlockByNumber", json!(["latest", false]))[field])
}

fn number(quantity: &Value) -> u64 {
    u64::from_str_radix(&quantity.as_str().unwrap()[2..], 16).unwrap()
}

/// What a call sees of its block: time and base fee.
fn seen(node: &TestNode, tag: &str) -> (u64, u64) {
    let priced = json!([{"from": account(0), "to": SOMEBODY, "gasPrice": "0x174876e800"}, tag]);
    let words = node.call("eth_call", priced).as_str().unwrap().to_owned();
    let word = |at: usize| u64::from_str_radix(&words[2 + 64 * at..66 + 64 * at], 16).unwrap();
    (word(0), word(1))
}

#[test]
fn the_pending_block_follows_the_chains_clock() {
    let node = node();
    let start = tip(&node, "timestamp");
    node.call("evm_increaseTime", json!([86_400]));
    let day = start + 86_400..start + 86_500;
    assert!(day.contains(&seen(&node, "pending").0));
    assert!(day.contains(&number(&node.call("eth_getBlockByNumber", json!(["pending", false]))["timestamp"])));
    assert_eq!(seen(&node, "latest").0, start, "the tip is where it was");
    node.call("evm_setNextBlockTimestamp", json!([start + 200_000]));
    assert_eq!(seen(&node, "pending").0, start + 200_000);
    assert_eq!(number(&node.call("eth_getHeaderByNumber", json!(["pending"]))["timestamp"]), start + 200_000);
    node.call("evm_mine", json!([]));
    assert_eq!(tip(&node, "timestamp"), start + 200_000);
    node.call("evm_setTime", json!([start]));
    assert_eq!(seen(&node, "pending").0, start + 200_001, "a block is a second after its parent at least");
}

#[test]
fn gas_is_estimated_for_the_time_of_the_next_block() {
    let node = node();
    let unlock = tip(&node, "timestamp") + 1_000;
    // Reverts before that time.
    let lock = format!("0x63{unlock:08x}4211600f5760006000fd5b00");
    node.call("anvil_setCode", json!([SOMEBODY, lock]));
    let call = json!({"from": account(0), "to": SOMEBODY});
    assert_eq!(node.try_call("eth_estimateGas", json!([call])).unwrap_err().0, 3);
    node.call("evm_increaseTime", json!([2_000]));
    assert!(number(&node.call("eth_estimateGas", json!([call]))) > 21_000);
    assert_eq!(node.try_call("eth_estimateGas", json!([call, "latest"])).unwrap_err().0, 3);
    assert!(node.call("eth_fillTransaction", json!([call]))["tx"]["gas"].is_string());
    let traced = node.call("debug_traceCall", json!([call, "pending", {"tracer": "callTracer"}]));
    assert_eq!(traced["error"], Value::Null);
    let hash = node.call("eth_sendTransaction", json!([call]));
    assert_eq!(node.call("eth_getTransactionReceipt", json!([hash]))["status"], "0x1");
}

// DEV-4
#[test]
fn the_next_base_fee_is_seen_before_its_block_is_mined() {
    let node = node();
    let fee = 50 * GWEI;
    node.call("hardhat_setNextBlockBaseFeePerGas", json!([format!("{fee:#x}")]));
    node.call("anvil_setBalance", json!([account(9), "0xde0b6b3a7640000"]));
    let history = |newest: &str| node.call("eth_feeHistory", json!([1, newest, []]))["baseFeePerGas"].clone();
    for known in [
        node.call("eth_baseFee", json!([])),
        node.call("eth_getBlockByNumber", json!(["pending", false]))["baseFeePerGas"].clone(),
        node.call("anvil_nodeInfo", json!([]))["environment"]["baseFee"].clone(),
        history("latest")[1].clone(),
    ] {
        assert_eq!(number(&known), fee);
    }
    assert_eq!(seen(&node, "pending").1, fee);
    assert_eq!(seen(&node, "latest").1, GWEI);
    assert!(number(&node.call("eth_gasPrice", json!([]))) >= fee);
    assert_eq!(node.call("chain_getInfo", json!([]))["baseFee"], fee);
    let tx = node.call("eth_fillTransaction", json!([{"from": account(0), "to": SOMEBODY}]))["tx"].clone();
    assert!(number(&tx["maxFeePerGas"]) >= fee);
    let before = tip(&node, "number");
    let hash = node.call("eth_sendTransaction", json!([{"from": account(0), "to": account(1)}]));
    let receipt = node.call("eth_getTransactionReceipt", json!([hash]));
    assert_eq!(number(&receipt["blockNumber"]), before + 1);
    assert_eq!(tip(&node, "baseFeePerGas"), fee);
    assert_eq!(number(&history(&format!("{before:#x}"))[1]), fee, "the block that followed has it");
    assert!((fee - fee / 8..fee).contains(&number(&node.call("eth_baseFee", json!([])))), "one block alone had it");
}

// DEV-4
#[test]
fn a_transaction_may_offer_the_next_base_fee_below_the_floor() {
    let node = node();
    let cheap = json!([{"from": account(0), "to": account(1), "gas": "0x5208", "gasPrice": "0x7"}]);
    assert_eq!(node.try_call("eth_sendTransaction", cheap.clone()).unwrap_err().0, -32003);
    node.call("anvil_setNextBlockBaseFeePerGas", json!(["0x7"]));
    let hash = node.call("eth_sendTransaction", cheap.clone());
    assert_eq!(node.call("eth_getTransactionReceipt", json!([hash]))["effectiveGasPrice"], "0x7");
    assert_eq!(node.try_call("eth_sendTransaction", cheap.clone()).unwrap_err().0, -32003, "one block alone had it");
    node.call("anvil_setNextBlockBaseFeePerGas", json!(["0x7"]));
    let snapshot = node.call("evm_snapshot", json!([]));
    node.call("evm_revert", json!([snapshot]));
    assert_eq!(number(&node.call("eth_baseFee", json!([]))), GWEI, "who goes back forgets it");
    assert_eq!(node.try_call("eth_sendTransaction", cheap).unwrap_err().0, -32003);
}

#[test]
fn a_transaction_below_the_base_fee_causes_no_empty_blocks() {
    let node = node();
    node.call("hardhat_setNextBlockBaseFeePerGas", json!([format!("{:#x}", 100 * GWEI)]));
    node.call("evm_mine", json!([]));
    let before = tip(&node, "number");
    let low = json!([{"from": account(0), "to": account(1), "gas": "0x5208", "gasPrice": "0x77359400"}]);
    let hash = node.call("eth_sendTransaction", low);
    assert_eq!(tip(&node, "number"), before);
    node.call("eth_sendTransaction", json!([{"from": account(1), "to": account(2)}]));
    assert_eq!(tip(&node, "number"), before + 1);
    assert_eq!(node.call("eth_getTransactionReceipt", json!([hash])), Value::Null);
    node.call("hardhat_setNextBlockBaseFeePerGas", json!([format!("{GWEI:#x}")]));
    node.call("eth_sendTransaction", json!([{"from": account(1), "to": account(2)}]));
    assert_eq!(tip(&node, "number"), before + 2);
    assert_eq!(node.call("eth_getTransactionReceipt", json!([hash]))["status"], "0x1");
}

#[test]
fn blocks_are_mined_apart_as_in_anvil_and_in_hardhat() {
    let node = node();
    let times = |method: &str| {
        node.call("evm_setTime", json!([tip(&node, "timestamp")]));
        let (start, first) = (tip(&node, "timestamp"), tip(&node, "number") + 1);
        assert_eq!(node.call(method, json!(["0x3", "0x3c"])), true);
        [0, 1, 2].map(|block| {
            number(&node.call("eth_getBlockByNumber", json!([format!("{:#x}", first + block), false]))["timestamp"])
                - start
        })
    };
    let [first, second, third] = times("anvil_mine");
    assert!((60..70).contains(&first) && second == first + 60 && third == first + 120, "{first} {second} {third}");
    let [first, second, third] = times("hardhat_mine");
    assert!((1..10).contains(&first) && second == first + 60 && third == first + 120, "{first} {second} {third}");
    let before = tip(&node, "number");
    for method in ["anvil_mine", "hardhat_mine"] {
        assert_eq!(node.call(method, json!(["0x0"])), true);
        assert_eq!(node.call(method, json!([0, 60])), true);
    }
    assert_eq!(tip(&node, "number"), before);
}

#[test]
fn blocks_may_be_the_same_time_apart() {
    let node = node();
    node.call("evm_setNextBlockTimestamp", json!([tip(&node, "timestamp") + 1_000]));
    node.call("evm_mine", json!([]));
    let start = tip(&node, "timestamp");
    assert_eq!(node.call("anvil_setBlockTimestampInterval", json!([12])), true);
    assert_eq!(seen(&node, "pending").0, start + 12);
    node.call("anvil_mine", json!([2]));
    assert_eq!(tip(&node, "timestamp"), start + 24);
    assert_eq!(node.call("anvil_removeBlockTimestampInterval", json!([])), true);
    assert_eq!(node.call("anvil_removeBlockTimestampInterval", json!([])), false);
    node.call("evm_mine", json!([]));
    assert!((start + 25..start + 40).contains(&tip(&node, "timestamp")));
}
