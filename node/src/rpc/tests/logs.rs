//! `eth_getLogs`, `chain_getLogs` and blocks of losing branches.

use alloy_primitives::{Bytes, hex};
use chain_core::{spec::ChainSpec, transaction::account::AccountTransaction};
use jsonrpsee::types::ErrorObject;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

use crate::{
    dev::ACCOUNTS,
    rpc::{
        Lanes,
        base::{Call, LogsOfBlock, candidates},
        chain::logs::{Cursor, Page},
        testing::{TestNode, contract, secret},
    },
    store::{
        LogFilter, Store, StoreConfig,
        tests::lab::{self, LOUD_ACCOUNT, Lab},
    },
};

/// Initcode that writes a log with one topic.
fn log_of(topic: u8) -> Bytes {
    vec![0x60, topic, 0x5f, 0x5f, 0xa1].into()
}

fn topic(number: u8) -> String {
    format!("0x{number:064x}")
}

fn send(node: &TestNode, tx: &AccountTransaction) -> Value {
    node.call("eth_sendRawTransaction", json!([format!("0x{}", hex::encode(tx.raw()))]))
}

/// Creates a contract with initcode in a block of its own; returns its receipt.
fn create(node: &TestNode, nonce: u64, initcode: Bytes) -> Value {
    let hash = send(node, &contract(ACCOUNTS[0].private_key, nonce, None, initcode));
    node.call("dev_mine", json!([1]));
    node.call("eth_getTransactionReceipt", json!([hash]))
}

/// A node whose blocks 1 to 3 have a log with topic 1, 2 and 1, and their receipts.
fn three_logs() -> (TestNode, Vec<Value>) {
    let node = TestNode::fresh();
    let receipts = (0..).zip([1, 2, 1]).map(|(nonce, topic)| create(&node, nonce, log_of(topic))).collect();
    (node, receipts)
}

fn logs(node: &TestNode, filter: Value) -> Vec<Value> {
    node.call("eth_getLogs", json!([filter])).as_array().unwrap().clone()
}

#[test]
fn logs_are_found_by_address_and_topics() {
    let (node, receipts) = three_logs();
    let all: Vec<_> = receipts.iter().map(|receipt| receipt["logs"][0].clone()).collect();
    assert_eq!(all[1]["blockNumber"], "0x2");
    let (first, second, third) = (&all[0], &all[1], &all[2]);
    let address = |log: &Value| log["address"].clone();
    let range = |rest: Value| {
        let mut filter = json!({ "fromBlock": "earliest", "toBlock": "latest" });
        filter.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        logs(&node, filter)
    };
    assert_eq!(range(json!({})), all);
    assert_eq!(range(json!({ "topics": [], "address": null, "limit": "ignored" })), all);
    assert_eq!(range(json!({ "topics": [topic(1)] })), [first.clone(), third.clone()]);
    assert_eq!(range(json!({ "topics": [[topic(1), topic(2)]] })), all);
    assert_eq!(range(json!({ "topics": [[topic(1), null]] })), all);
    assert_eq!(range(json!({ "topics": [null] })), all);
    assert!(range(json!({ "topics": [[], null] })).is_empty(), "none has two topics");
    assert!(range(json!({ "topics": [topic(3)] })).is_empty());
    assert_eq!(range(json!({ "address": address(second) })), std::slice::from_ref(second));
    assert_eq!(
        range(json!({ "address": [address(second), address(third)], "topics": [topic(1)] })),
        std::slice::from_ref(third)
    );
    assert!(range(json!({ "address": address(second), "topics": [topic(1)] })).is_empty());
    assert_eq!(logs(&node, json!({})), std::slice::from_ref(third), "the tip alone");
    assert_eq!(logs(&node, json!({ "fromBlock": "0x1", "toBlock": "0x2" })), all[..2]);
    assert_eq!(logs(&node, json!({ "fromBlock": { "blockNumber": "0x2" } })), all[1..]);
    assert_eq!(logs(&node, json!({ "blockHash": second["blockHash"] })), std::slice::from_ref(second));
    assert!(logs(&node, json!({ "blockHash": second["blockHash"], "topics": [topic(1)] })).is_empty());
    assert!(logs(&node, json!({ "fromBlock": "0x4" })).is_empty(), "a range that the next block begins");
    for empty in [json!({ "toBlock": "0x1" }), json!({ "fromBlock": "latest", "toBlock": "earliest" })] {
        assert!(logs(&node, empty).is_empty(), "as in geth");
    }
}

#[test]
fn odd_filters_are_refused() {
    let (node, receipts) = three_logs();
    let hash = &receipts[0]["blockHash"];
    let unknown = format!("0x{}", "77".repeat(32));
    let many = vec![topic(1); 1_001];
    for (filter, code, words) in [
        (json!({ "fromBlock": "0x3", "toBlock": "0x2" }), -32602, "invalid block range params"),
        (json!({ "fromBlock": "0x1", "toBlock": "0x4" }), -32602, "block range extends beyond current head block"),
        (
            json!({ "fromBlock": "0x1", "toBlock": "0xffffffffffffffff" }),
            -32602,
            "block range extends beyond current head block",
        ),
        (
            json!({ "blockHash": hash, "fromBlock": "0x1" }),
            -32602,
            "cannot specify both BlockHash and FromBlock/ToBlock",
        ),
        (json!({ "blockHash": unknown }), -32001, "unknown block 7777"),
        (json!({ "fromBlock": 1 }), -32602, "filter.fromBlock: expected a block number"),
        (json!({ "fromBlock": "pending" }), -32602, "pending logs are not supported"),
        (json!({ "toBlock": "pending" }), -32602, "pending logs are not supported"),
        (json!({ "toBlock": hash }), -32602, "filter.toBlock: expected a number or a tag"),
        (json!({ "address": "0x12" }), -32602, "filter.address: expected an account or an array of at most 1,000"),
        (json!({ "address": [7] }), -32602, "filter.address: expected"),
        (json!({ "topics": [1] }), -32602, "filter.topics: expected an array of at most 4 positions"),
        (json!({ "topics": topic(1) }), -32602, "filter.topics: expected"),
        (json!({ "topics": [[[]]] }), -32602, "filter.topics: expected"),
        (json!({ "topics": [null, null, null, null, null] }), -32602, "filter.topics: expected"),
        (json!({ "topics": [many] }), -32602, "filter.topics: expected"),
        (json!("latest"), -32602, "filter: expected an object"),
        (json!(null), -32602, "filter: missing"),
    ] {
        let (got, message) = node.try_call("eth_getLogs", json!([filter])).unwrap_err();
        assert!(got == code && message.contains(words), "{filter}: {got} {message}");
    }
}

#[test]
fn a_range_that_is_too_wide_names_the_one_that_fits() {
    let node = TestNode::fresh();
    node.call("dev_mine", json!([1_000]));
    node.call("dev_mine", json!([2]));
    let ask = |filter: Value| {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [filter] });
        node.raw(&request.to_string())
    };
    let refused = ask(json!({ "fromBlock": "0x2", "toBlock": "latest" }));
    assert_eq!(
        refused["error"],
        json!({
            "code": -32005,
            "message": "query exceeds max block range 1000 without address or topics. Try with this block range [0x2, 0x3e9].",
            "data": { "from": "0x2", "to": "0x3e9", "limit": 1_000 },
        })
    );
    assert_eq!(ask(json!({ "fromBlock": "0x2", "toBlock": "0x3e9" }))["result"], json!([]));
    assert_eq!(ask(json!({ "fromBlock": "0x0", "topics": [topic(1)] }))["result"], json!([]), "the index narrows it");
}

#[test]
fn without_the_log_index_a_narrow_range_is_read_block_by_block() {
    let settings = StoreConfig { tx_index: false, address_index: false, log_index: false, ..StoreConfig::default() };
    let node = TestNode::with(ChainSpec::dev(), Lanes::default(), &settings);
    send(&node, &contract(ACCOUNTS[0].private_key, 0, None, log_of(1)));
    node.call("dev_mine", json!([1]));
    assert_eq!(logs(&node, json!({ "fromBlock": "0x0", "topics": [topic(1)] })).len(), 1);
    node.call("dev_mine", json!([1_000]));
    let (code, message) =
        node.try_call("eth_getLogs", json!([{ "fromBlock": "0x0", "topics": [topic(1)] }])).unwrap_err();
    assert!(code == -32002 && message.contains("log index is switched off"), "{message}");
    let page = node.call("chain_getLogs", json!([{ "topics": [topic(1)] }]));
    assert_eq!((page["logs"].as_array().unwrap().len(), &page["more"]), (1, &json!(true)));
    let rest = node.call("chain_getLogs", json!([{ "topics": [topic(1)] }, { "cursor": page["next"] }]));
    assert_eq!((&rest["logs"], &rest["more"]), (&json!([]), &json!(false)));
}

/// Creates so many logs in one block.
fn many(node: &TestNode, nonce: u64, count: u16) {
    let [high, low] = count.to_be_bytes();
    // counter; loop: LOG0 of nothing; counter - 1; again unless it is zero.
    let code = [0x61, high, low, 0x5b, 0x5f, 0x5f, 0xa0, 0x60, 1, 0x90, 0x03, 0x80, 0x60, 3, 0x57, 0];
    let mut fields = contract(ACCOUNTS[0].private_key, nonce, None, code.to_vec().into()).fields().clone();
    fields.gas_limit = 12_000_000;
    send(node, &AccountTransaction::sign(fields, &secret(ACCOUNTS[0].private_key)).unwrap());
    node.call("dev_mine", json!([1]));
}

#[test]
fn more_logs_than_fit_name_the_range_that_does_and_come_in_pages() {
    let node = TestNode::fresh();
    many(&node, 0, 11_000);
    many(&node, 1, 22_000);
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [{ "fromBlock": "0x0" }] });
    assert_eq!(
        node.raw(&request.to_string())["error"],
        json!({
            "code": -32005,
            "message": "query returned more than 20000 results. Try with this block range [0x0, 0x1].",
            "data": { "from": "0x0", "to": "0x1", "limit": 20_000 },
        })
    );
    assert_eq!(logs(&node, json!({ "fromBlock": "0x0", "toBlock": "0x1" })).len(), 11_000);
    let of_one_block = logs(&node, json!({ "fromBlock": "0x2" }));
    assert_eq!(of_one_block.len(), 22_000, "a single block is never too much");
    let (mut cursor, mut sizes, mut last) = (Value::Null, Vec::new(), Value::Null);
    loop {
        let page = node.call("chain_getLogs", json!([null, { "cursor": cursor, "limit": 10_000 }]));
        let logs = page["logs"].as_array().unwrap();
        sizes.push(logs.len());
        last = logs.last().cloned().unwrap_or(last);
        cursor = page["next"].clone();
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(sizes, [10_000, 10_000, 10_000, 3_000]);
    assert_eq!(Some(&last), of_one_block.last());
}

/// ```text
/// genesis - a1 (two logs)
///         \- b1 - b2
/// ```
fn reorganised() -> (TestNode, Value, Value) {
    let (node, rival) = (TestNode::fresh(), TestNode::fresh());
    for (nonce, topic) in [(0, 1), (1, 2)] {
        send(&node, &contract(ACCOUNTS[0].private_key, nonce, None, log_of(topic)));
    }
    node.call("dev_mine", json!([1]));
    let before = node.call("eth_getBlockByNumber", json!(["0x1", true]));
    let page = node.call("chain_getLogs", json!([]));
    assert_eq!(page["logs"].as_array().unwrap().len(), 2);
    rival.call("dev_mine", json!([2]));
    for height in 1..=2 {
        node.call("chain_submitBlock", json!([rival.call("chain_getBlock", json!([height, 0]))]));
    }
    assert_eq!(node.call("chain_getBlockHash", json!([2])), rival.call("chain_getBlockHash", json!([2])));
    (node, before, page)
}

#[test]
fn a_block_that_lost_is_still_read_by_its_hash() {
    let (node, before, _) = reorganised();
    let hash = &before["hash"];
    assert_ne!(node.call("eth_getBlockByNumber", json!(["0x1", false]))["hash"], *hash);
    assert_eq!(node.call("eth_getBlockByHash", json!([hash, true])), before);
    assert_eq!(node.call("eth_getBlockTransactionCountByHash", json!([hash])), "0x2");
    let receipts = node.call("eth_getBlockReceipts", json!([hash]));
    assert_eq!(receipts.as_array().unwrap().len(), 2);
    let removed = logs(&node, json!({ "blockHash": hash }));
    assert_eq!((removed.len(), &removed[1]), (2, &receipts[1]["logs"][0]));
    assert!(removed.iter().all(|log| log["removed"] == true && log["blockHash"] == *hash));
    assert!(logs(&node, json!({ "fromBlock": "0x0" })).is_empty());
    let transaction = node.call("eth_getTransactionByHash", json!([before["transactions"][0]["hash"]]));
    assert_eq!(transaction["blockHash"], Value::Null, "it waits again");
}

#[test]
fn the_status_of_a_block_says_on_which_branch_it_is() {
    let (node, before, _) = reorganised();
    let genesis = node.call("chain_getBlockHash", json!([0]));
    let lost = before["hash"].as_str().unwrap().trim_start_matches("0x").to_owned();
    let fork = json!({ "hash": genesis, "height": 0 });
    assert_eq!(
        node.call("chain_getBlockStatus", json!([lost])),
        json!({ "hash": lost, "status": "side", "height": 1, "validated": true, "depth": 2, "confirmations": -1, "forkPoint": fork })
    );
    let active = node.call("chain_getBlockHash", json!([1]));
    let own = json!({ "hash": active, "height": 1 });
    assert_eq!(
        node.call("chain_getBlockStatus", json!([active])),
        json!({ "hash": active, "status": "active", "height": 1, "validated": true, "depth": 1, "confirmations": 2, "forkPoint": own })
    );
    let unknown = node.call("chain_getBlockStatus", json!(["77".repeat(32)]));
    assert_eq!((&unknown["status"], &unknown["height"]), (&json!("unknown"), &Value::Null));
}

#[test]
fn a_cursor_on_a_branch_that_lost_says_what_to_undo() {
    let (node, before, page) = reorganised();
    let genesis = node.call("chain_getBlockHash", json!([0]));
    let lost = before["hash"].as_str().unwrap().trim_start_matches("0x").to_owned();
    assert_eq!((&page["undo"], &page["next"]), (&Value::Null, &json!({ "blockHash": lost, "logIndex": null })));
    let undo = |cursor: &Value| node.call("chain_getLogs", json!([{}, { "cursor": cursor, "limit": 1 }]));
    // A page has one log, the newest first; the fields of a log are a cursor, too.
    let first = undo(&page["next"]);
    assert_eq!(first["undo"]["logs"][0]["logIndex"], "0x1");
    assert_eq!(first["undo"]["logs"][0]["removed"], true);
    assert_eq!(first["undo"]["blocks"], json!([]));
    assert_eq!((&first["next"], &first["more"]), (&json!({ "blockHash": lost, "logIndex": 0 }), &json!(true)));
    let log = &page["logs"][0];
    let second = undo(&json!({ "blockHash": log["blockHash"], "logIndex": log["logIndex"] }));
    assert_eq!(second, undo(&first["next"]));
    assert_eq!(second["undo"]["logs"][0]["logIndex"], "0x0");
    assert_eq!(second["undo"]["blocks"], json!([{ "hash": lost, "height": 1 }]));
    assert_eq!(second["undo"]["forkPoint"], json!({ "hash": genesis, "height": 0 }));
    assert_eq!(second["next"], json!({ "blockHash": genesis, "logIndex": null }));
    let rest = undo(&second["next"]);
    assert_eq!((&rest["logs"], &rest["undo"], &rest["more"]), (&json!([]), &Value::Null, &json!(false)));
    assert_eq!(rest["next"]["blockHash"], rest["tip"]["hash"]);
    for (params, code, words) in [
        (json!([{}, { "cursor": { "blockHash": "77".repeat(32) } }]), -32001, "of the cursor is unknown"),
        (json!([{}, { "cursor": { "logIndex": 1 } }]), -32602, "options.cursor.blockHash: missing"),
        (json!([{}, { "cursor": { "blockHash": lost, "logIndex": -1 } }]), -32602, "options.cursor.logIndex: expected"),
        (json!([{}, { "cursor": "7" }]), -32602, "options.cursor: expected an object"),
        (json!([{}, { "limit": 10_001 }]), -32602, "options.limit: expected 1 to 10000"),
        (json!([{ "fromBlock": "0x1" }]), -32602, "filter.fromBlock: unknown"),
    ] {
        let (got, message) = node.try_call("chain_getLogs", params.clone()).unwrap_err();
        assert!(got == code && message.contains(words), "{params}: {got} {message}");
    }
}

#[test]
fn confidence_grows_with_every_block() {
    let node = TestNode::fresh();
    let hash = send(&node, &contract(ACCOUNTS[0].private_key, 0, None, log_of(1)));
    let ask = |share: f64| node.call("chain_confidence", json!([hash, share]));
    assert_eq!((&ask(0.1)["confirmations"], &ask(0.1)["reversalProbability"]), (&json!(0), &json!(1.0)));
    node.call("dev_mine", json!([1]));
    let first = ask(0.1);
    assert_eq!((&first["depth"], &first["confirmations"], &first["height"]), (&json!(0), &json!(1), &json!(1)));
    assert!((first["reversalProbability"].as_f64().unwrap() - 0.2).abs() < 1e-12);
    assert_eq!(first["workOnTop"], "0".repeat(64));
    node.call("dev_mine", json!([5]));
    let later = ask(0.1);
    assert!((later["reversalProbability"].as_f64().unwrap() - 0.000_59).abs() < 0.000_01, "{later}");
    let work = |height: u32| {
        let header = node.call("chain_getHeader", json!([height]));
        u128::from_str_radix(header["chainWork"].as_str().unwrap(), 16).unwrap()
    };
    assert_eq!(u128::from_str_radix(later["workOnTop"].as_str().unwrap(), 16).unwrap(), work(6) - work(1));
    assert_eq!(ask(0.5)["reversalProbability"], 1.0);
    assert_eq!(node.call("chain_confidence", json!(["77".repeat(32), 0.1])), Value::Null);
    for share in [json!(-0.1), json!(1.5), json!("a"), json!(null)] {
        assert_eq!(node.try_call("chain_confidence", json!([hash, share])).unwrap_err().0, -32602, "{share}");
    }
}

/// Keeps the logs that it was given, as a client would.
#[derive(Default)]
struct Indexer {
    logs: Vec<Value>,
    cursor: Option<Cursor>,
}

impl Indexer {
    /// Takes one page; whether more follow.
    fn follow(&mut self, lab: &Lab, page: &Page) -> bool {
        let snapshot = lab.store.reader().snapshot().unwrap();
        let answer = page.after(&snapshot, self.cursor, &Call::start(Duration::from_secs(60))).unwrap();
        let answer: Value = serde_json::from_str(answer.get()).unwrap();
        let (new, undone) = (answer["logs"].as_array().unwrap(), answer["undo"]["logs"].as_array());
        assert!(new.len() + undone.map_or(0, Vec::len) <= page.limit);
        for log in undone.into_iter().flatten() {
            let mut expected = self.logs.pop().expect("what is undone was given");
            expected["removed"] = true.into();
            assert_eq!(*log, expected);
        }
        self.logs.extend(new.iter().cloned());
        let next = &answer["next"];
        self.cursor = Some(Cursor {
            hash: next["blockHash"].as_str().unwrap().parse().unwrap(),
            log: next["logIndex"].as_u64().map(|log| log as u32),
        });
        answer["more"].as_bool().unwrap()
    }
}

/// The logs of the active chain, read block by block.
fn canonical(lab: &Lab, page: &Page) -> Vec<Value> {
    let snapshot = lab.store.reader().snapshot().unwrap();
    let blocks = lab.chain.iter().filter(|known| known.at.height >= page.from);
    let read =
        |known: &std::sync::Arc<lab::Known>| LogsOfBlock::read(&snapshot, known.at, &page.filter, false).unwrap();
    blocks.flat_map(|known| read(known).views().map(|view| json!(view)).collect::<Vec<_>>()).collect()
}

fn pages() -> impl Strategy<Value = Page> {
    let addresses = prop_oneof![Just(Vec::new()), Just(vec![lab::account(LOUD_ACCOUNT)])];
    let topics = prop_oneof![
        Just(Vec::new()),
        Just(vec![vec![lab::topic(1), lab::topic(2)]]),
        Just(vec![vec![], vec![lab::topic(3)]])
    ];
    (addresses, topics, 0..4_u32, 1..9_usize).prop_map(|(addresses, topics, from, limit)| Page {
        filter: LogFilter { addresses, topics },
        from,
        limit,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_indexer_that_follows_the_cursor_has_exactly_the_logs_of_the_active_chain(
        page in pages(),
        steps in prop::collection::vec(
            (prop::collection::vec((0..15_u8).prop_map(|number| 134 + 8 * number), 0..6), 0..4_usize, any::<bool>(), 0..4_usize),
            1..16,
        ),
    ) {
        let store = Store::in_memory(&lab::spec(), &lab::config()).unwrap();
        let (mut lab, mut indexer) = (Lab::new(lab::spec(), store), Indexer::default());
        for (choices, back, flush, polls) in steps {
            lab.connect(&choices);
            (0..back.min(lab.chain.len() - 1)).for_each(|_| lab.disconnect());
            if flush {
                lab.store.flush().unwrap();
            }
            (0..polls).for_each(|_| _ = indexer.follow(&lab, &page));
        }
        lab.store.flush().unwrap();
        while indexer.follow(&lab, &page) {}
        prop_assert_eq!(indexer.logs, canonical(&lab, &page));
    }
}

#[test]
fn a_range_of_more_than_100_000_blocks_names_the_one_that_fits() {
    let node = TestNode::fresh();
    let snapshot = node.context.snapshot().unwrap();
    let filter = LogFilter { addresses: vec![ACCOUNTS[0].address], topics: Vec::new() };
    let call = Call::start(Duration::from_secs(60));
    assert!(candidates(&snapshot, &filter, 2, 100_001, &call).unwrap().is_empty());
    let refused = ErrorObject::from(candidates(&snapshot, &filter, 2, 100_002, &call).unwrap_err());
    let refused = serde_json::to_value(refused).unwrap();
    let expected = json!({
        "code": -32005,
        "message": "query exceeds max block range 100000. Try with this block range [0x2, 0x186a1].",
        "data": { "from": "0x2", "to": "0x186a1", "limit": 100_000 },
    });
    assert_eq!(refused, expected);
}

#[test]
fn logs_of_more_than_24_mb_name_the_range_that_fits() {
    let node = TestNode::fresh();
    // counter; loop: LOG0 of 16 KiB; counter - 1; again unless it is zero.
    let code = [0x60, 100, 0x5b, 0x61, 0x40, 0, 0x5f, 0xa0, 0x60, 1, 0x90, 0x03, 0x80, 0x60, 2, 0x57, 0];
    for nonce in 0..8 {
        let mut fields = contract(ACCOUNTS[0].private_key, nonce, None, code.to_vec().into()).fields().clone();
        fields.gas_limit = 15_000_000;
        send(&node, &AccountTransaction::sign(fields, &secret(ACCOUNTS[0].private_key)).unwrap());
        node.call("dev_mine", json!([1]));
    }
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [{ "fromBlock": "0x1" }] });
    let error = node.raw(&request.to_string())["error"].take();
    // A block has 100 logs of 32,768 digits and what stands around them.
    let expected = json!({
        "code": -32005,
        "message": "response size exceeds 24000000 bytes. Try with this block range [0x1, 0x7].",
        "data": { "from": "0x1", "to": "0x7", "limit": 20_000 },
    });
    assert_eq!(error, expected);
    assert_eq!(logs(&node, json!({ "fromBlock": "0x1", "toBlock": "0x7" })).len(), 700);
}
