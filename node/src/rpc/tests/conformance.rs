//! Where Ethereum's tools depend on the letter: blocks, errors and small methods as in geth.

use alloy_primitives::{B256, Bytes, U256};
use chain_core::{
    block::header::Header,
    codec,
    spec::ChainSpec,
    transaction::account::{AccountTransaction, Fees, Fields, Receipt},
};
use serde_json::{Value, json};
use std::time::Duration;

use super::{account, raw};
use crate::{
    dev::ACCOUNTS,
    rpc::testing::{TestNode, contract, secret, transfer},
};

/// A node whose first block was reorganised away by two others, and that block's hash.
fn reorganised() -> (TestNode, Value) {
    let (node, other) = (TestNode::fresh(), TestNode::fresh());
    node.call("evm_mine", json!([]));
    let lost = node.call("eth_getBlockByNumber", json!(["0x1", false]))["hash"].clone();
    other.call("dev_mine", json!([2]));
    for height in 1..=2 {
        node.call("chain_submitBlock", json!([other.call("chain_getBlock", json!([height, 0]))]));
    }
    assert_ne!(node.call("eth_getBlockByNumber", json!(["0x1", false]))["hash"], lost);
    (node, lost)
}

#[test]
fn a_state_of_a_block_that_must_be_canonical_and_is_not_is_refused_in_geths_words() {
    let (node, lost) = reorganised();
    let balance = |block: Value| node.try_call("eth_getBalance", json!([account(0), block]));
    let refusal = |block: Value, words: &str| {
        let (code, message) = balance(block).unwrap_err();
        assert_eq!((code, message.starts_with(words)), (-32000, true), "{message}");
    };
    refusal(json!({ "blockHash": lost, "requireCanonical": true }), "hash is not currently canonical");
    refusal(json!({ "blockHash": lost, "requireCanonical": false }), "header for hash not found");
    refusal(json!({ "blockHash": B256::repeat_byte(7), "requireCanonical": true }), "header for hash not found");
    refusal(json!("0x3"), "header not found");
    refusal(json!({ "blockNumber": "0x99" }), "header not found");
    let active = node.call("eth_getBlockByNumber", json!(["0x1", false]))["hash"].clone();
    for block in
        [json!({ "blockHash": active, "requireCanonical": true, "more": 1 }), json!({ "blockNumber": "latest" })]
    {
        assert_eq!(balance(block), Ok(json!("0x21e19e0c9bab2400000")));
    }
}

#[test]
fn the_pending_block_is_the_one_after_the_tip_without_what_mining_adds() {
    let node = TestNode::fresh();
    node.call("evm_mine", json!([]));
    node.call("eth_sendRawTransaction", json!([raw(&transfer(ACCOUNTS[0].private_key, 0, account(1), 1))]));
    let tip = node.call("eth_getBlockByNumber", json!(["latest", false]));
    let pending = node.call("eth_getBlockByNumber", json!(["pending", true]));
    for absent in ["hash", "nonce", "miner"] {
        assert_eq!(pending[absent], Value::Null, "{absent}");
    }
    assert_eq!((&pending["number"], &pending["parentHash"]), (&json!("0x2"), &tip["hash"]));
    assert_eq!((&pending["transactions"], &pending["gasUsed"]), (&json!([]), &json!("0x0")));
    assert_eq!(pending["stateRoot"], tip["stateRoot"]);
    assert_eq!(pending["baseFeePerGas"], node.call("eth_baseFee", json!([])));
    assert!(pending.as_object().unwrap().keys().eq(tip.as_object().unwrap().keys()));
    assert_eq!(node.call("eth_getBlockTransactionCountByNumber", json!(["pending"])), "0x0");
    assert_eq!(node.call("eth_getBlockReceipts", json!(["pending"])), json!([]));
    assert_eq!(node.call("eth_getUncleCountByBlockNumber", json!(["pending"])), "0x0");
    assert_eq!(node.call("eth_getTransactionByBlockNumberAndIndex", json!(["pending", "0x0"])), Value::Null);
    assert_eq!(node.call("eth_getHeaderByNumber", json!(["pending"]))["number"], "0x2");
}

#[test]
fn blocks_have_the_chains_work_and_at_most_32_bytes_of_extra_data() {
    let node = TestNode::fresh();
    node.call("evm_mine", json!([]));
    let block = node.call("eth_getBlockByNumber", json!(["0x1", false]));
    let work =
        node.call("chain_getHeader", json!([1]))["chainWork"].as_str().unwrap().trim_start_matches('0').to_owned();
    assert_eq!(block["totalDifficulty"], format!("0x{work}"));
    // The genesis block carries the commitment to the spec, and a miner may write 72 bytes.
    assert_eq!(node.call("eth_getBlockByNumber", json!(["0x0", false]))["extraData"].as_str().unwrap().len(), 66);
    assert!(block["extraData"].as_str().unwrap().len() <= 66);
}

#[test]
fn headers_are_blocks_without_their_bodies() {
    let node = TestNode::fresh();
    node.call("evm_mine", json!([]));
    let mut block = node.call("eth_getBlockByNumber", json!(["0x1", false]));
    let header = node.call("eth_getHeaderByNumber", json!(["0x1"]));
    assert_eq!(node.call("eth_getHeaderByHash", json!([block["hash"]])), header);
    ["size", "transactions", "uncles"].iter().for_each(|key| drop(block.as_object_mut().unwrap().remove(*key)));
    assert_eq!(header, block);
    assert_eq!(node.call("eth_getHeaderByNumber", json!(["0x2"])), Value::Null);
    assert_eq!(node.call("eth_getHeaderByHash", json!([B256::ZERO])), Value::Null);
}

#[test]
fn no_block_has_an_uncle() {
    let node = TestNode::fresh();
    let hash = node.call("eth_getBlockByNumber", json!(["0x0", false]))["hash"].clone();
    assert_eq!(node.call("eth_getUncleByBlockNumberAndIndex", json!(["0x0", "0x0"])), Value::Null);
    assert_eq!(node.call("eth_getUncleByBlockHashAndIndex", json!([hash, "0x0"])), Value::Null);
    assert_eq!(node.call("eth_getUncleCountByBlockHash", json!([hash])), "0x0");
    assert_eq!(node.call("eth_getUncleCountByBlockNumber", json!(["0x9"])), Value::Null);
}

#[test]
fn raw_bytes_are_those_that_are_hashed() {
    let node = TestNode::fresh();
    let tx = transfer(ACCOUNTS[0].private_key, 0, account(1), 1);
    let hash = node.call("eth_sendRawTransaction", json!([raw(&tx)]));
    assert_eq!(node.call("eth_getRawTransactionByHash", json!([hash])), raw(&tx), "in the mempool");
    node.call("evm_mine", json!([]));
    let block = node.call("eth_getBlockByNumber", json!(["0x1", false]))["hash"].clone();
    for (method, params) in [
        ("eth_getRawTransactionByHash", json!([hash])),
        ("debug_getRawTransaction", json!([hash])),
        ("eth_getRawTransactionByBlockNumberAndIndex", json!(["0x1", "0x0"])),
        ("eth_getRawTransactionByBlockHashAndIndex", json!([block, "0x0"])),
    ] {
        assert_eq!(node.call(method, params), raw(&tx), "{method}");
    }
    assert_eq!(node.call("eth_getRawTransactionByBlockNumberAndIndex", json!(["0x1", "0x1"])), Value::Null);
    assert_eq!(node.call("eth_getRawTransactionByHash", json!([B256::ZERO])), Value::Null);
    let bytes = |method: &str| {
        let answer = node.call(method, json!([block]));
        answer.as_str().unwrap().parse::<Bytes>().unwrap()
    };
    let header: Header = codec::decode(&bytes("debug_getRawHeader")).unwrap();
    assert_eq!(format!("0x{}", header.hash()), block);
    assert_eq!(bytes("debug_getRawBlock")[..Header::SIZE], header.to_bytes());
    let receipts = node.call("debug_getRawReceipts", json!(["0x1"]));
    let receipt: Bytes = receipts[0].as_str().unwrap().parse().unwrap();
    assert_eq!(Receipt::decode(&receipt).unwrap().cumulative_gas_used, 21_000);
    assert_eq!(node.call("debug_getBadBlocks", json!([])), json!([]));
    assert_eq!(node.try_call("debug_getRawHeader", json!(["0x9"])).unwrap_err().0, -32000);
}

#[test]
fn fee_histories_without_percentiles_have_no_rewards() {
    let node = TestNode::fresh();
    node.call("dev_mine", json!([2]));
    for params in [json!(["0x2", "latest"]), json!(["0x2", "latest", []]), json!(["0x2", "latest", null])] {
        let history = node.call("eth_feeHistory", params);
        assert_eq!((history.get("reward"), &history["oldestBlock"]), (None, &json!("0x1")));
    }
    let none = json!({ "oldestBlock": "0x0", "baseFeePerGas": [], "gasUsedRatio": [] });
    assert_eq!(node.call("eth_feeHistory", json!(["0x0", "latest", [50]])), none);
    let beyond = node.try_call("eth_feeHistory", json!(["0x1", "0x9", []]));
    assert_eq!(beyond, Err((-32000, "request beyond head block: requested 9, head 2".into())));
    assert_eq!(node.call("eth_blobBaseFee", json!([])), "0x1");
}

#[test]
fn the_configuration_names_the_precompiled_contracts() {
    let node = TestNode::fresh();
    let config = node.call("eth_config", json!([]));
    assert_eq!((&config["next"], &config["last"]), (&Value::Null, &Value::Null));
    let current = &config["current"];
    assert_eq!(current["chainId"], node.call("eth_chainId", json!([])));
    assert_eq!(current["forkId"].as_str().unwrap().len(), 10);
    assert_eq!(current["precompiles"]["P256VERIFY"], format!("0x{}0100", "0".repeat(36)));
    assert_eq!(current["precompiles"].as_object().unwrap().len(), 17);
    assert!(current["precompiles"].get("KZG_POINT_EVALUATION").is_none(), "there are no blobs");
}

#[test]
fn the_capabilities_say_which_states_are_served() {
    let node = TestNode::of(ChainSpec { name: "window".into(), ..ChainSpec::dev() });
    node.call("dev_mine", json!([130]));
    let capabilities = node.call("eth_capabilities", json!([]));
    let latest = node.call("eth_getBlockByNumber", json!(["latest", false]));
    assert_eq!(capabilities["head"], json!({ "number": "0x82", "hash": latest["hash"] }));
    assert_eq!(
        (&capabilities["state"]["oldestBlock"], &capabilities["blocks"]["oldestBlock"]),
        (&json!("0x2"), &json!("0x0"))
    );
    let balance = |block: &str| node.try_call("eth_getBalance", json!([account(0), block]));
    assert!(balance("0x2").is_ok() && balance("0x1").is_err());
    assert_eq!(capabilities["stateproofs"], capabilities["state"]);
    let proof = |block: &Value| node.try_call("eth_getProof", json!([account(0), [], block]));
    assert!(proof(&capabilities["stateproofs"]["oldestBlock"]).is_ok() && proof(&json!("0x1")).is_err());

    let dev = TestNode::fresh();
    dev.call("dev_mine", json!([130]));
    assert_eq!(dev.call("eth_capabilities", json!([]))["state"], json!({ "disabled": false, "oldestBlock": "0x0" }));
    assert!(dev.try_call("eth_getBalance", json!([account(0), "0x0"])).is_ok());
}

#[test]
fn many_slots_of_many_accounts_are_read_at_once() {
    let node = TestNode::fresh();
    // Stores 42 in slot 0.
    let deploy = contract(ACCOUNTS[0].private_key, 0, None, Bytes::from_static(&[0x60, 0x2a, 0x5f, 0x55]));
    node.call("eth_sendRawTransaction", json!([raw(&deploy)]));
    node.call("evm_mine", json!([]));
    let (made, empty) = (account(0).create(0).to_string().to_lowercase(), format!("0x{}", "11".repeat(20)));
    let (zero, word) = (format!("0x{}", "00".repeat(32)), format!("0x{}2a", "00".repeat(31)));
    let values = node.call("eth_getStorageValues", json!([{ &made: ["0x0", "0x1"], &empty: [zero] }, "latest"]));
    assert_eq!(values, json!({ &made: [word, zero], &empty: [zero] }));
    for odd in [
        json!({}),
        json!({ &empty: [] }),
        json!({ &empty: 1 }),
        json!({ &empty: ["0xzz"] }),
        json!({ "0x1": ["0x0"] }),
        json!([]),
    ] {
        let (code, message) = node.try_call("eth_getStorageValues", json!([odd])).unwrap_err();
        assert_eq!((code, message.starts_with("requests: ")), (-32602, true), "{message}");
    }
    assert_eq!(node.try_call("eth_getStorageValues", json!([{ &empty: vec!["0x0"; 1_025] }])).unwrap_err().0, -32005);
}

#[test]
fn a_transaction_is_sent_and_waited_for() {
    let node = TestNode::fresh();
    let tx = transfer(ACCOUNTS[0].private_key, 0, account(1), 1);
    let request = json!({
        "jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransactionSync", "params": [raw(&tx), "0x1f4"],
    });
    let error = node.raw(&request.to_string())["error"].take();
    assert_eq!((&error["code"], &error["data"]), (&json!(4), &json!(tx.hash())), "{error}");
    let mined = transfer(ACCOUNTS[1].private_key, 0, account(2), 1);
    let receipt = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| node.call("eth_sendRawTransactionSync", json!([raw(&mined), 60_000])));
        // Not before it waits, so that a block of its own has to wake it.
        std::thread::sleep(Duration::from_millis(500));
        node.call("evm_mine", json!([]));
        waiting.join().unwrap()
    });
    assert_eq!((&receipt["transactionHash"], &receipt["status"]), (&json!(mined.hash()), &json!("0x1")));
    assert_eq!(receipt, node.call("eth_getTransactionReceipt", json!([mined.hash()])));
    for odd in [json!(["02"]), json!([raw(&tx), -1]), json!([raw(&tx), "1s"]), json!([])] {
        assert_eq!(node.try_call("eth_sendRawTransactionSync", odd).unwrap_err().0, -32602);
    }
    let (code, message) = node.try_call("eth_sendRawTransactionSync", json!([raw(&mined)])).unwrap_err();
    assert_eq!((code, message.starts_with("nonce too low")), (-32003, true), "{message}");
}

#[test]
fn accounts_are_taken_in_any_letter_case() {
    let node = TestNode::fresh();
    let right = account(0).to_string();
    for text in [right.to_lowercase(), right.to_uppercase().replace('X', "x"), right.replace('F', "f")] {
        assert_eq!(node.call("eth_getBalance", json!([text, "latest"])), "0x21e19e0c9bab2400000", "{text}");
    }
}

#[test]
fn refusals_name_what_tools_look_for() {
    let node = TestNode::fresh();
    let signed = |change: &dyn Fn(&mut Fields)| {
        let mut fields = transfer(ACCOUNTS[3].private_key, 0, account(2), 1).fields().clone();
        change(&mut fields);
        AccountTransaction::sign(fields, &secret(ACCOUNTS[3].private_key)).unwrap()
    };
    let refusal = |tx: &AccountTransaction| node.try_call("eth_sendRawTransaction", json!([raw(tx)])).unwrap_err().1;
    node.call("eth_sendRawTransaction", json!([raw(&signed(&|_| {}))]));
    let same = refusal(&signed(&|fields| fields.value = U256::from(2)));
    assert!(same.starts_with("replacement transaction underpriced"), "{same}");
    let greedy = refusal(&signed(&|fields| fields.gas_limit = 20_000_000));
    assert!(greedy.starts_with("transaction gas limit too high"), "{greedy}");
    let tip = refusal(&signed(&|fields| {
        fields.fees = Fees::Dynamic { max_fee: U256::ONE, max_priority_fee: U256::from(2) };
    }));
    assert!(tip.starts_with("max priority fee per gas higher than max fee per gas"), "{tip}");
    // An r that is on no curve point.
    let mut bytes = signed(&|_| {}).raw().to_vec();
    let r = bytes.len() - 65;
    bytes[r..r + 32].fill(0xff);
    let (code, message) =
        node.try_call("eth_sendRawTransaction", json!([format!("0x{}", hex::encode(&bytes))])).unwrap_err();
    assert_eq!((code, message.starts_with("invalid sender")), (-32003, true), "{message}");
}

#[test]
fn a_transaction_is_filled_so_that_it_can_be_signed_and_sent() {
    let node = TestNode::fresh();
    node.call("eth_sendRawTransaction", json!([raw(&transfer(ACCOUNTS[0].private_key, 0, account(1), 1))]));
    let request = json!({ "from": account(0), "to": account(1), "value": "0x1" });
    let tx = node.call("eth_fillTransaction", json!([request]))["tx"].clone();
    assert_eq!((&tx["type"], &tx["nonce"], &tx["gas"]), (&json!("0x2"), &json!("0x1"), &json!("0x5208")));
    assert_eq!((&tx["gasPrice"], &tx["accessList"]), (&tx["maxFeePerGas"], &json!([])));
    let number = |key: &str| U256::from_str_radix(&tx[key].as_str().unwrap()[2..], 16).unwrap();
    let mut fields = transfer(ACCOUNTS[0].private_key, 1, account(1), 1).fields().clone();
    fields.fees = Fees::Dynamic { max_fee: number("maxFeePerGas"), max_priority_fee: number("maxPriorityFeePerGas") };
    let signed = AccountTransaction::sign(fields, &secret(ACCOUNTS[0].private_key)).unwrap();
    node.call("eth_sendRawTransaction", json!([raw(&signed)]));
    node.call("evm_mine", json!([]));
    assert_eq!(node.call("eth_getTransactionReceipt", json!([signed.hash()]))["status"], "0x1");
    // What is given stays.
    let given =
        json!({ "from": account(0), "to": account(1), "nonce": "0x9", "gas": "0x7530", "gasPrice": "0x77359400" });
    let tx = node.call("eth_fillTransaction", json!([given]))["tx"].clone();
    for key in ["nonce", "gas", "gasPrice"] {
        assert_eq!(tx[key], given[key], "{key}");
    }
    assert_eq!(tx["type"], "0x0");
    assert_eq!(node.try_call("eth_fillTransaction", json!([{ "nonce": -1 }])).unwrap_err().0, -32602);
}
