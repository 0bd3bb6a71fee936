//! Ethereum's methods.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use chain_core::{
    execute::{GATEWAY, withdraw_calldata},
    spec::ChainSpec,
    transaction::{
        account::{AccountTransaction, Fees, Fields},
        coin::Lock,
    },
    trie::verify_proof,
};
use serde_json::{Value, json};

use super::{GWEI, account, raw};
use crate::{
    dev::ACCOUNTS,
    rpc::testing::{TestNode, secret, transfer},
};

#[test]
fn an_account_transaction_goes_through_ethereums_methods() {
    let node = TestNode::fresh();
    let (from, to) = (account(0), Address::repeat_byte(0x77));
    assert_eq!(node.call("eth_chainId", json!([])), "0x539");
    assert_eq!(node.call("net_version", json!([])), "1337");
    assert_eq!(node.call("eth_getBalance", json!([from, "latest"])), "0x21e19e0c9bab2400000");
    let tx = transfer(ACCOUNTS[0].private_key, 0, to, 5);
    let hash = node.call("eth_sendRawTransaction", json!([raw(&tx)]));
    assert_eq!(hash, json!(tx.hash()));
    assert_eq!(node.call("eth_getTransactionReceipt", json!([hash])), Value::Null);
    let pending = node.call("eth_getTransactionByHash", json!([hash]));
    assert_eq!(pending["blockNumber"], Value::Null);
    assert_eq!(pending["from"], json!(from));
    assert_eq!(node.call("eth_getTransactionCount", json!([from, "latest"])), "0x0");
    assert_eq!(node.call("eth_getTransactionCount", json!([from, "pending"])), "0x1");
    assert_eq!(node.call("txpool_status", json!([])), json!({"pending": "0x1", "queued": "0x0", "coins": "0x0"}));
    let content = node.call("txpool_content", json!([]));
    assert_eq!(content["pending"][from.to_checksum(None)]["0"]["hash"], hash);
    assert_eq!(node.call("txpool_contentFrom", json!([from]))["pending"]["0"]["hash"], hash);
    assert!(node.call("txpool_inspect", json!([]))["pending"][from.to_checksum(None)]["0"].is_string());

    node.call("evm_mine", json!([]));
    let receipt = node.call("eth_getTransactionReceipt", json!([hash]));
    assert_eq!(receipt["status"], "0x1");
    assert_eq!(receipt["gasUsed"], "0x5208");
    assert_eq!(receipt["blockNumber"], "0x1");
    assert_eq!(receipt["transactionIndex"], "0x0");
    assert_eq!(receipt["from"], json!(from));
    assert_eq!(receipt["logs"], json!([]));
    assert_eq!(node.call("eth_getBlockReceipts", json!(["latest"])), json!([receipt]));
    let mined = node.call("eth_getTransactionByHash", json!([hash]));
    assert_eq!(mined["blockHash"], receipt["blockHash"]);
    assert_eq!(mined["type"], "0x2");
    assert_eq!(node.call("eth_getTransactionByBlockNumberAndIndex", json!(["0x1", "0x0"])), mined);
    assert_eq!(node.call("eth_getTransactionByBlockHashAndIndex", json!([receipt["blockHash"], "0x0"])), mined);
    assert_eq!(node.call("eth_getTransactionByBlockNumberAndIndex", json!(["0x1", "0x1"])), Value::Null);
    assert_eq!(node.call("eth_getBalance", json!([to, "latest"])), "0x5");
    assert_eq!(node.call("eth_getTransactionCount", json!([from, "latest"])), "0x1");

    let block = node.call("eth_getBlockByNumber", json!(["latest", true]));
    assert_eq!(block["transactions"], json!([mined]));
    assert_eq!(block["hash"], format!("0x{}", node.call("chain_getBlockHash", json!([1])).as_str().unwrap()));
    assert_eq!(block["gasLimit"], "0x3938700");
    assert_eq!(node.call("eth_getBlockByHash", json!([block["hash"], true])), block);
    assert_eq!(node.call("eth_getBlockTransactionCountByNumber", json!(["0x1"])), "0x1");
    assert_eq!(node.call("eth_getBlockTransactionCountByHash", json!([block["hash"]])), "0x1");
    assert_eq!(node.call("eth_getUncleCountByBlockNumber", json!(["0x1"])), "0x0");
    let side = node.call("coin_getTransaction", json!([hash]));
    assert_eq!((&side["kind"], &side["success"]), (&json!("account"), &json!(true)));

    let history = node.call("chain_getAccountHistory", json!([from]));
    let entry = &history["entries"][0];
    assert_eq!(
        (&entry["kind"], &entry["direction"], &entry["valueWei"]),
        (&json!("transfer"), &json!("out"), &json!("5"))
    );
    assert_eq!(node.call("chain_getAccountHistory", json!([to]))["entries"][0]["direction"], "in");
}

#[test]
fn refusals_speak_geths_words() {
    let node = TestNode::fresh();
    let send = |tx| node.try_call("eth_sendRawTransaction", json!([raw(&tx)])).unwrap_err();
    let first = transfer(ACCOUNTS[1].private_key, 0, account(2), 1);
    node.call("eth_sendRawTransaction", json!([raw(&first)]));
    let (code, message) = send(first);
    assert_eq!((code, message.starts_with("already known")), (-32003, true), "{message}");
    node.call("evm_mine", json!([]));
    let (code, message) = send(transfer(ACCOUNTS[1].private_key, 0, account(2), 2));
    assert_eq!((code, message.starts_with("nonce too low")), (-32003, true), "{message}");
    let poor = "0x00000000000000000000000000000000000000000000000000000000000000ff";
    let (code, message) = send(transfer(poor, 0, account(2), 2));
    assert_eq!((code, message.starts_with("insufficient funds for gas * price + value")), (-32003, true), "{message}");
    let (code, _) = node.try_call("eth_sendRawTransaction", json!(["0x02c0"])).unwrap_err();
    assert_eq!(code, -32003);
    let signed = |change: fn(&mut Fields)| {
        let mut fields = transfer(ACCOUNTS[3].private_key, 0, account(2), 1).fields().clone();
        change(&mut fields);
        AccountTransaction::sign(fields, &secret(ACCOUNTS[3].private_key)).unwrap()
    };
    let (code, message) = send(signed(|fields| fields.gas_limit = 20_000));
    assert_eq!((code, message.starts_with("intrinsic gas too low")), (-32003, true), "{message}");
    let (code, message) =
        send(signed(|fields| fields.fees = Fees::Dynamic { max_fee: U256::ONE, max_priority_fee: U256::ZERO }));
    assert_eq!((code, message.starts_with("max fee per gas less than block base fee")), (-32003, true), "{message}");
    let (code, message) = send(signed(|fields| fields.chain_id = 1));
    assert_eq!((code, message.starts_with("invalid chain id for signer")), (-32003, true), "{message}");
}

#[test]
fn tells_what_gas_costs() {
    let node = TestNode::fresh();
    let estimate = node.call("coin_estimateFee", json!([]));
    assert_eq!(estimate["baseFee"], GWEI);
    assert!(node.call("eth_gasPrice", json!([])).as_str().unwrap().starts_with("0x3b"));
    assert!(node.call("eth_maxPriorityFeePerGas", json!([])).is_string());
    node.call("eth_sendRawTransaction", json!([raw(&transfer(ACCOUNTS[3].private_key, 0, account(0), 1))]));
    node.call("evm_mine", json!([]));
    let history = node.call("eth_feeHistory", json!(["0x5", "latest", [0, 50.0, 100]]));
    assert_eq!(history["oldestBlock"], "0x0");
    assert_eq!(history["baseFeePerGas"].as_array().unwrap().len(), 3);
    assert_eq!(history["gasUsedRatio"].as_array().unwrap().len(), 2);
    assert_eq!(history["reward"][0], json!(["0x0", "0x0", "0x0"]));
    assert_eq!(history["reward"][1], json!(["0xf4240", "0xf4240", "0xf4240"]));
    assert_eq!(node.call("eth_feeHistory", json!([1, "latest"]))["reward"], Value::Null);
    let (code, _) = node.try_call("eth_feeHistory", json!(["0x1", "latest", [50, 10]])).unwrap_err();
    assert_eq!(code, -32602);
}

#[test]
fn proofs_lead_from_the_state_root() {
    let node = TestNode::fresh();
    node.call("evm_mine", json!([]));
    let root: B256 =
        node.call("eth_getBlockByNumber", json!(["latest", false]))["stateRoot"].as_str().unwrap().parse().unwrap();
    for address in [account(0), Address::repeat_byte(0x55)] {
        let proof = node.call("eth_getProof", json!([address, ["0x0"], "latest"]));
        let nodes: Vec<Bytes> = serde_json::from_value(proof["accountProof"].clone()).unwrap();
        let value = verify_proof(root, keccak256(address), &nodes).unwrap();
        assert_eq!(value.is_some(), address == account(0));
        assert_eq!(proof["storageProof"][0]["value"], "0x0");
    }
    assert_eq!(node.call("eth_getCode", json!([account(0), "latest"])), "0x");
    assert_eq!(node.call("eth_getStorageAt", json!([account(0), "0x0", "latest"])), format!("0x{}", "00".repeat(32)));
}

#[test]
fn tells_of_states_down_to_128_blocks_below_the_tip() {
    let node = TestNode::of(ChainSpec { name: "window".into(), ..ChainSpec::dev() });
    let first = transfer(ACCOUNTS[0].private_key, 0, account(9), 1_000);
    node.call("eth_sendRawTransaction", json!([raw(&first)]));
    node.call("dev_mine", json!([128]));
    let balance = |block: &str| node.call("eth_getBalance", json!([account(9), block]));
    assert_eq!([balance("0x0"), balance("0x1")], ["0x21e19e0c9bab2400000", "0x21e19e0c9bab24003e8"]);
    assert_eq!(node.call("eth_getTransactionCount", json!([account(0), "0x0"])), "0x0");
    assert_eq!(node.call("eth_getTransactionCount", json!([account(0), "0x1"])), "0x1");
    assert_eq!(balance("latest"), balance("0x80"));

    node.call("dev_mine", json!([1]));
    let (code, message) = node.try_call("eth_getBalance", json!([account(0), "0x0"])).unwrap_err();
    assert_eq!(code, -32000);
    assert!(message.starts_with("missing trie node: historical state of block 0 is not available: "), "{message}");

    let dev = TestNode::fresh();
    dev.call("dev_mine", json!([200]));
    assert_eq!(dev.call("eth_getBalance", json!([account(9), "0x0"])), "0x21e19e0c9bab2400000");
}

#[test]
fn calls_and_estimates_run_on_the_state_of_the_tip() {
    let node = TestNode::fresh();
    let call = |value: &str, input: &str| json!([{"from": account(0), "to": GATEWAY, "value": value, "input": input}]);
    let transfer = json!([{"from": account(0), "to": account(1), "value": "0x1"}]);
    assert_eq!(node.call("eth_estimateGas", transfer.clone()), "0x5208");
    assert_eq!(node.call("eth_call", transfer), "0x");
    let withdraw = format!("0x{}", hex::encode(withdraw_calldata(&Lock::Policy([9; 32]))));
    let gas = node.call("eth_estimateGas", call("0x2540be400", &withdraw));
    let gas = u64::from_str_radix(gas.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    assert!((31_000..40_000).contains(&gas), "{gas}");
    let less = json!([{"from": account(0), "to": GATEWAY, "value": "0x2540be400", "input": withdraw, "gas": format!("{:#x}", gas - 1)}]);
    assert_eq!(node.try_call("eth_estimateGas", less).unwrap_err().0, -32000);
    let (code, message) = node.try_call("eth_estimateGas", call("0x1", &withdraw)).unwrap_err();
    let reason = "execution reverted: the value is not a positive whole number of grains";
    assert_eq!((code, message.as_str()), (3, reason));
    assert_eq!(node.try_call("eth_call", call("0x1", "0x12345678")).unwrap_err().0, 3);
    let rich = json!([{"from": Address::ZERO, "to": account(1), "value": "0xffffffffffffffffffffffff"}]);
    assert_eq!(node.try_call("eth_estimateGas", rich).unwrap_err().0, -32000);
    let both = json!([{"to": account(1), "input": "0x01", "data": "0x02"}]);
    assert_eq!(
        node.try_call("eth_call", both),
        Err((-32602, "transaction: input and data differ; give one of them".into()))
    );
}
