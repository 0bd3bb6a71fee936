//! Otterscan's calls, with the values that it reads.

use alloy_primitives::{Address, Bytes, U256, hex};
use chain_core::{spec::ChainSpec, transaction::account::AccountTransaction};
use serde_json::{Value, json};

use super::{
    account,
    programs::{Chain, DEPLOYER, HEIR, REVERT, WRITER, call, create, destroyer, texts},
    raw,
};
use crate::{
    dev::ACCOUNTS,
    rpc::{
        Lanes,
        testing::{TestNode, contract, secret, transfer},
    },
    store::StoreConfig,
};

#[test]
fn a_page_of_otterscan_finds_its_node() {
    let chain = Chain::new();
    chain.mine();
    assert_eq!(chain.node.call("ots_getApiLevel", json!([])), 8);
    let block = chain.node.call("eth_getBlockByNumber", json!(["0x1", false]));
    for tag in [json!(1), json!("0x1"), json!("latest")] {
        let header = chain.node.call("erigon_getHeaderByNumber", json!([tag]));
        assert_eq!((&header["hash"], &header["number"]), (&block["hash"], &json!("0x1")));
        assert_eq!(header.get("transactions"), None);
        assert_eq!(chain.node.call("ots_getHeaderByNumber", json!([tag])), header);
    }
    assert_eq!(chain.node.call("erigon_getHeaderByNumber", json!([7])), Value::Null);
    assert_eq!(chain.node.try_call("erigon_getHeaderByNumber", json!([-1])).unwrap_err().0, -32602);
}

#[test]
fn accounts_with_code_and_who_created_them() {
    let mut chain = Chain::new();
    // A contract of a transaction, and one that a contract creates when it is called.
    let factory = chain.deploy(&create(DEPLOYER, None));
    let hash = chain.send(Some(factory), Bytes::new());
    let child = factory.create(1);
    let has_code = |address: Address, block: &str| chain.node.call("ots_hasCode", json!([address, block]));
    assert_eq!((has_code(factory, "latest"), has_code(child, "latest")), (json!(true), json!(true)));
    assert_eq!((has_code(child, "0x1"), has_code(account(0), "latest")), (json!(false), json!(false)));
    let creator = |address: Address| chain.node.call("ots_getContractCreator", json!([address]));
    assert_eq!(creator(child), json!({ "hash": hash, "creator": factory }));
    let first = chain.node.call("ots_getTransactionBySenderAndNonce", json!([account(0), 0]));
    assert_eq!(creator(factory), json!({ "hash": first, "creator": account(0) }));
    assert_eq!((creator(account(0)), creator(Address::repeat_byte(5))), (Value::Null, Value::Null));
    let by_nonce = |nonce: u64| chain.node.call("ots_getTransactionBySenderAndNonce", json!([account(0), nonce]));
    assert_eq!((by_nonce(1), by_nonce(2)), (hash, Value::Null));
}

#[test]
fn blocks_have_their_fees_and_come_in_pages() {
    let mut chain = Chain::new();
    let hashes: Vec<Value> = (0..5).map(|_| chain.submit(Some(HEIR), Bytes::from_static(b"abcdefgh"))).collect();
    chain.mine();
    let details = chain.node.call("ots_getBlockDetails", json!([1]));
    let block = chain.node.call("eth_getBlockByNumber", json!(["0x1", true]));
    assert_eq!(details, chain.node.call("ots_getBlockDetailsByHash", json!([block["hash"]])));
    assert_eq!((&details["block"]["hash"], &details["block"]["transactionCount"]), (&block["hash"], &json!(5)));
    assert_eq!((details["block"].get("transactions"), &details["block"]["logsBloom"]), (None, &Value::Null));
    let receipts = chain.node.call("eth_getBlockReceipts", json!(["0x1"]));
    let number = |value: &Value| value.as_str().unwrap().parse::<U256>().unwrap();
    let fees: U256 = receipts
        .as_array()
        .unwrap()
        .iter()
        .map(|receipt| number(&receipt["gasUsed"]) * number(&receipt["effectiveGasPrice"]))
        .sum();
    assert_eq!(number(&details["totalFees"]), fees);
    let subsidy = chain.node.context.spec.subsidy_at(1).to_wei();
    assert_eq!(number(&details["issuance"]["blockReward"]), subsidy);

    let page = |page: u64, size: u64| {
        let answer = chain.node.call("ots_getBlockTransactions", json!([1, page, size]));
        assert_eq!(answer["fullblock"]["transactionCount"], 5);
        let shown = answer["fullblock"]["transactions"].as_array().unwrap().clone();
        let receipts = answer["receipts"].as_array().unwrap();
        assert!(shown.iter().zip(receipts).all(|(tx, receipt)| tx["hash"] == receipt["transactionHash"]));
        assert!(shown.iter().all(|tx| tx["input"] == "0x61626364"), "the selector only");
        assert!(receipts.iter().all(|receipt| receipt["logs"].is_null()));
        shown.into_iter().map(|tx| tx["hash"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(page(0, 2), hashes[3..]);
    assert_eq!(page(1, 2), hashes[1..3]);
    assert_eq!(page(2, 2), hashes[..1]);
    assert_eq!((page(3, 2), page(u64::MAX, u64::MAX)), (Vec::new(), Vec::new()));
    assert_eq!(chain.node.call("ots_getBlockDetails", json!([9])), Value::Null);
    assert_eq!(chain.node.call("ots_getBlockTransactions", json!([9, 0, 25])), Value::Null);
}

#[test]
fn runs_are_listed_with_what_they_moved() {
    let mut chain = Chain::new();
    let payer = chain.deploy(&call(0xf1, HEIR, 50_000, 0));
    let reverter = chain.deploy(&[call(0xf1, payer, 60_000, 0), REVERT.to_vec()].concat());
    let code = [
        call(0xf1, HEIR, 50_000, 3),
        call(0xf4, payer, 60_000, 0),
        call(0xfa, Address::with_last_byte(4), 5_000, 0),
        create(&destroyer(), None),
        call(0xf1, reverter, 90_000, 0),
    ];
    let main = chain.deploy(&code.concat());
    let mut fields = transfer(ACCOUNTS[0].private_key, chain.nonce, main, 5).fields().clone();
    fields.gas_limit = 1_000_000;
    let key = secret(ACCOUNTS[0].private_key);
    let signed = AccountTransaction::sign(fields, &key).unwrap();
    let hash = chain.node.call("eth_sendRawTransaction", json!([raw(&signed)]));
    chain.mine();
    let entries = chain.node.call("ots_traceTransaction", json!([hash]));
    let entries: Vec<&Value> = entries.as_array().unwrap().iter().collect();
    assert_eq!(
        texts(&entries, "type"),
        ["CALL", "CALL", "DELEGATECALL", "CALL", "CREATE", "SELFDESTRUCT", "CALL", "CALL", "CALL"]
    );
    let depths: Vec<u64> = entries.iter().map(|entry| entry["depth"].as_u64().unwrap()).collect();
    assert_eq!(depths, [0, 1, 1, 2, 1, 2, 1, 2, 3]);
    assert_eq!((&entries[0]["value"], &entries[2]["value"]), (&json!("0x5"), &Value::Null));
    let operations = chain.node.call("ots_getInternalOperations", json!([hash]));
    let created = main.create(1);
    assert_eq!(
        operations,
        json!([
            { "type": 0, "from": main, "to": HEIR, "value": "0x3" },
            { "type": 2, "from": main, "to": created, "value": "0x0" },
            { "type": 1, "from": created, "to": HEIR, "value": "0x0" },
        ])
    );
    let unknown = json!(["00".repeat(32)]);
    assert_eq!(chain.node.call("ots_traceTransaction", unknown.clone()), Value::Null);
    assert_eq!(chain.node.call("ots_getInternalOperations", unknown), json!([]));
}

#[test]
fn the_reason_of_a_failure_is_what_was_returned() {
    let mut chain = Chain::new();
    // PUSH1 7 PUSH0 MSTORE8 PUSH1 1 PUSH0 REVERT
    let failing = chain.deploy(&hex!("60075f5360015ffd"));
    let writer = chain.deploy(WRITER);
    let (failed, fine) = (chain.send(Some(failing), Bytes::new()), chain.send(Some(writer), Bytes::new()));
    let error = |hash: &Value| chain.node.call("ots_getTransactionError", json!([hash]));
    assert_eq!((error(&failed), error(&fine)), (json!("0x07"), json!("0x")));
    assert_eq!(error(&json!("00".repeat(32))), Value::Null);
}

#[test]
fn transactions_of_an_account_come_in_pages_of_whole_blocks() {
    let mut chain = Chain::new();
    let mut blocks = Vec::new();
    for _ in 0..4 {
        let hashes: Vec<Value> = (0..3).map(|_| chain.submit(Some(HEIR), Bytes::new())).collect();
        chain.mine();
        blocks.push(hashes);
    }
    let newest_first: Vec<Value> = blocks.iter().rev().flat_map(|hashes| hashes.iter().rev().cloned()).collect();
    let search = |method: &str, block: u64, size: u64| {
        let answer = chain.node.call(method, json!([HEIR, block, size]));
        let (txs, receipts) = (answer["txs"].as_array().unwrap(), answer["receipts"].as_array().unwrap());
        for (tx, receipt) in txs.iter().zip(receipts) {
            assert_eq!((&tx["hash"], &tx["blockTimestamp"]), (&receipt["transactionHash"], &receipt["timestamp"]));
        }
        let hashes: Vec<Value> = txs.iter().map(|tx| tx["hash"].clone()).collect();
        (hashes, answer["firstPage"].as_bool().unwrap(), answer["lastPage"].as_bool().unwrap())
    };
    let (before, after) = ("ots_searchTransactionsBefore", "ots_searchTransactionsAfter");
    assert_eq!(search(before, 0, 4), (newest_first[..6].to_vec(), true, false));
    assert_eq!(search(before, 3, 4), (newest_first[6..].to_vec(), false, true));
    assert_eq!(search(before, 1, 4), (Vec::new(), false, true));
    assert_eq!(search(after, 0, 4), (newest_first[6..].to_vec(), false, true));
    assert_eq!(search(after, 2, 4), (newest_first[..6].to_vec(), true, false));
    assert_eq!(search(after, 2, 3), (newest_first[3..6].to_vec(), false, false));
    assert_eq!(search(after, u64::MAX, 4), (Vec::new(), true, false));
    assert_eq!(search(before, u64::MAX, 1_000), (newest_first, true, true));
    for size in [0, 1_001] {
        assert_eq!(chain.node.try_call(before, json!([HEIR, 0, size])).unwrap_err().0, -32602);
    }
    // Deposits and rewards are no transactions of Ethereum.
    let miner = chain.node.call("eth_getBlockByNumber", json!(["latest", false]))["miner"].clone();
    let rewards = chain.node.call(before, json!([miner, 0, 25]));
    assert_eq!((&rewards["txs"], &rewards["lastPage"]), (&json!([]), &json!(true)));
}

#[test]
fn what_needs_the_index_says_so_without_it() {
    let settings = StoreConfig { tx_index: false, address_index: false, ..StoreConfig::default() };
    let node = TestNode::with(ChainSpec::dev(), Lanes::default(), &settings);
    let hash = node
        .call("eth_sendRawTransaction", json!([raw(&contract(ACCOUNTS[0].private_key, 0, Some(HEIR), Bytes::new()))]));
    node.call("dev_mine", json!([1]));
    for (method, params) in [
        ("ots_searchTransactionsBefore", json!([HEIR, 0, 25])),
        ("ots_searchTransactionsAfter", json!([HEIR, 0, 25])),
        ("ots_traceTransaction", json!([hash])),
        ("trace_transaction", json!([hash])),
    ] {
        let (code, message) = node.try_call(method, params).unwrap_err();
        assert_eq!((code, message.contains("index")), (-32002, true), "{method}: {message}");
    }
    // A nonce is found by the states after the blocks.
    assert_eq!(node.call("ots_getTransactionBySenderAndNonce", json!([account(0), 0])), hash);
}
