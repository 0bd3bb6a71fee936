//! Subscriptions over real sockets, on chains that are really reorganised.

use alloy_primitives::{Address, Bytes};
use chain_core::spec::ChainSpec;
use serde_json::{Value, json};

use super::{COIN, account, encoded, raw, socket::Socket};
use crate::{
    dev::ACCOUNTS,
    rpc::lanes::Lanes,
    rpc::testing::{TestNode, contract, dev_coin_key, eventually, listen, lock, transfer},
    store::StoreConfig,
};

/// Hands all blocks of a chain above a height to a node.
fn replay(from: &TestNode, above: u64, to: &TestNode) {
    let height = from.call("chain_getInfo", json!([]))["height"].as_u64().unwrap();
    for height in above + 1..=height {
        to.call("chain_submitBlock", json!([from.call("chain_getBlock", json!([height, 0]))]));
    }
}

fn manual() -> TestNode {
    let node = TestNode::fresh();
    node.call("dev_setAutomine", json!([false]));
    node
}

fn mine(node: &TestNode, blocks: u32) {
    node.call("dev_mine", json!([blocks]));
}

//       /- a1 - a2
//  genesis
//       \- b1 - b2 - b3
#[test]
fn every_block_of_the_new_branch_is_a_new_head_in_order() {
    let (node, other) = (manual(), manual());
    let mut socket = Socket::open(listen(&node));
    let id = socket.call("eth_subscribe", json!(["newHeads"]));
    mine(&node, 2);
    mine(&other, 3);
    let own: Vec<_> = (0..2).map(|_| socket.notified(&id)).collect();
    replay(&other, 0, &node);
    let rival: Vec<_> = (0..3).map(|_| socket.notified(&id)).collect();
    let numbers = |heads: &[Value]| heads.iter().map(|head| head["number"].clone()).collect::<Vec<_>>();
    assert_eq!(numbers(&own), ["0x1", "0x2"]);
    assert_eq!(numbers(&rival), ["0x1", "0x2", "0x3"]);
    assert_eq!(own[1]["parentHash"], own[0]["hash"]);
    assert_ne!(own[0]["hash"], rival[0]["hash"]);
    let mut block = node.call("eth_getBlockByNumber", json!(["0x3", false]));
    for field in ["size", "transactions", "uncles"] {
        block.as_object_mut().unwrap().remove(field).unwrap();
    }
    assert_eq!(rival[2], block);
    assert!(socket.is_quiet());
}

#[test]
fn pending_transactions_come_as_hashes_or_whole_once_they_can_be_mined() {
    let node = manual();
    let mut socket = Socket::open(listen(&node));
    let hashes = socket.call("eth_subscribe", json!(["newPendingTransactions"]));
    let send = |nonce: u64| {
        let tx = transfer(ACCOUNTS[0].private_key, nonce, account(1), 1);
        node.call("eth_sendRawTransaction", json!([raw(&tx)]))
    };
    // It waits for the nonce before it.
    let second = send(1);
    let first = send(0);
    assert_eq!([socket.notified(&hashes), socket.notified(&hashes)], [first, second]);
    assert_eq!(socket.call("eth_unsubscribe", json!([hashes])), true);
    for options in [json!(true), json!({"includeTransactions": true})] {
        let whole = socket.call("eth_subscribe", json!(["newPendingTransactions", options]));
        let nonce = node.call("eth_getTransactionCount", json!([account(0), "pending"]));
        let sent = send(u64::from_str_radix(&nonce.as_str().unwrap()[2..], 16).unwrap());
        assert_eq!(socket.notified(&whole), node.call("eth_getTransactionByHash", json!([sent])));
        socket.call("eth_unsubscribe", json!([whole]));
    }
    // With automine the transaction is mined before anybody can look.
    node.call("dev_setAutomine", json!([true]));
    mine(&node, 1);
    let automine = node.context.runtime.spawn(node.context.mining.clone().automine());
    let whole = socket.call("eth_subscribe", json!(["newPendingTransactions", true]));
    for nonce in 4..54 {
        let (sent, told) = (send(nonce), socket.notified(&whole));
        assert_eq!((&told["hash"], &told["from"]), (&sent, &json!(account(0))));
    }
    automine.abort();
}

#[test]
fn a_reorganisation_says_what_became_of_its_transactions() {
    for tx_index in [true, false] {
        let settings = StoreConfig { tx_index, address_index: tx_index, ..StoreConfig::default() };
        let node = TestNode::with(ChainSpec::dev(), Lanes::default(), &settings);
        node.call("dev_setAutomine", json!([false]));
        says_what_became_of_transactions(&node);
    }
}

fn says_what_became_of_transactions(node: &TestNode) {
    let other = manual();
    let mut socket = Socket::open(listen(node));
    let id = socket.call("chain_subscribeReorgs", json!([]));
    let send = |to: &TestNode, key: usize, wei: u64| {
        let tx = transfer(ACCOUNTS[key].private_key, 0, Address::repeat_byte(1), wei);
        let hash = to.call("eth_sendRawTransaction", json!([raw(&tx)]));
        hash.as_str().unwrap()[2..].to_owned()
    };
    let (both, returned) = (send(node, 0, 1), send(node, 1, 1));
    let (conflicting, by) = (send(node, 2, 1), send(&other, 2, 2));
    send(&other, 0, 1);
    mine(node, 2);
    mine(&other, 3);
    let dropped: Vec<_> = (1..=2).map(|height| node.call("chain_getBlockHash", json!([height]))).collect();
    replay(&other, 0, node);
    let reorg = socket.notified(&id);
    let genesis = node.call("chain_getBlockHash", json!([0]));
    assert_eq!(reorg["fork"], json!({ "height": 0, "hash": genesis }));
    assert_eq!(reorg["dropped"], json!([{ "height": 2, "hash": dropped[1] }, { "height": 1, "hash": dropped[0] }]));
    let added = |height: u32| json!({ "height": height, "hash": node.call("chain_getBlockHash", json!([height])) });
    assert_eq!(reorg["added"], json!([added(1), added(2), added(3)]));
    let expected = json!({
        "mined": [both], "returned": [returned], "conflicting": [{ "txid": conflicting, "by": by }], "gone": [],
        "omitted": 0,
    });
    assert_eq!(reorg["transactions"], expected);
}

#[test]
fn coins_of_an_address_are_followed_through_mempool_block_and_reorganisation() {
    let (node, other) = (manual(), manual());
    let key = dev_coin_key();
    let address = node.address(&key);
    let mut socket = Socket::open(listen(&node));
    let id = socket.call("coin_subscribe", json!([address]));
    let (coin, _) = node.coin_of(&address);
    let tx = node.spend(&key, coin, &[(lock(&key), COIN - 50_000)]);
    let txid = tx.txid().to_string();
    node.call("coin_sendRawTransaction", json!([encoded(&tx)]));
    let spent = json!({ "txid": coin.txid.to_string(), "index": coin.index, "amount": COIN });
    let made = json!({ "txid": txid, "index": 0, "amount": COIN - 50_000 });
    let mut expect = |changes: [(&str, &Value); 2], state: &str, height: Value| {
        for (change, coin) in changes {
            let told = socket.notified(&id);
            assert_eq!(
                [&told["change"], &told["coin"], &told["state"], &told["height"], &told["txid"], &told["address"]],
                [&json!(change), coin, &json!(state), &height, &json!(txid), &json!(address)]
            );
        }
    };
    let forward = [("spent", &spent), ("received", &made)];
    expect(forward, "pending", Value::Null);
    mine(&node, 1);
    expect(forward, "confirmed", json!(1));
    mine(&other, 2);
    replay(&other, 0, &node);
    expect([("received", &made), ("spent", &spent)], "undone", json!(1));
    // It is in the mempool again, until one that pays more takes its place.
    expect(forward, "pending", Value::Null);
    let rival = node.spend(&key, coin, &[(lock(&key), COIN - 500_000)]);
    node.call("coin_sendRawTransaction", json!([encoded(&rival)]));
    let mut told = Vec::new();
    while told.len() < 4 {
        told.push(socket.notified(&id));
    }
    let dropped: Vec<_> = told.iter().filter(|one| one["state"] == "dropped").collect();
    assert_eq!(dropped.len(), 2);
    assert!(dropped.iter().all(|one| one["reason"] == "replaced" && one["txid"] == txid));
}

#[test]
fn a_subscription_in_a_batch_is_answered_there_and_notified_afterwards() {
    let node = manual();
    let mut socket = Socket::open(listen(&node));
    let request =
        |id: u32, method: &str, params: Value| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    let batch = json!([
        request(1, "eth_subscribe", json!(["newHeads"])),
        request(2, "dev_mine", json!([1])),
        request(3, "eth_subscribe", json!(["nonsense"])),
    ]);
    socket.send(&batch.to_string());
    let answers = socket.receive().unwrap();
    assert_eq!(answers.as_array().unwrap().len(), 3, "{answers}");
    assert_eq!(answers[2]["error"]["code"], -32602);
    assert_eq!(socket.notified(&answers[0]["result"])["number"], "0x1");
    assert!(socket.is_quiet());
}

#[test]
fn a_subscription_ends_at_the_word_of_its_own_connection_alone() {
    let node = manual();
    let address = listen(&node);
    let (mut socket, mut stranger) = (Socket::open(address), Socket::open(address));
    let id = socket.call("eth_subscribe", json!(["newHeads"]));
    let not_found = json!({ "code": -32000, "message": "subscription not found" });
    assert_eq!(stranger.ask("eth_unsubscribe", json!([id]))["error"], not_found);
    mine(&node, 1);
    assert_eq!(socket.notified(&id)["number"], "0x1");
    assert_eq!(socket.call("eth_unsubscribe", json!([id])), true);
    assert_eq!(socket.ask("eth_unsubscribe", json!([id]))["error"], not_found);
    mine(&node, 1);
    assert!(socket.is_quiet());
    assert!(node.context.subscribers.is_empty());
    socket.call("eth_subscribe", json!(["newHeads"]));
    drop(socket);
    eventually(|| node.context.subscribers.is_empty());
}

#[test]
fn what_is_no_subscription_is_refused_by_name() {
    let node = manual();
    let mut socket = Socket::open(listen(&node));
    for (method, params, message) in [
        ("eth_subscribe", json!([]), "subscription: missing, expected a string"),
        ("eth_subscribe", json!([7]), "subscription: expected a string, got 7"),
        ("eth_subscribe", json!(["newHeads", {}]), "options: newHeads takes none"),
        ("eth_subscribe", json!(["newPendingTransactions", 7]), "options: expected true, false or an object"),
        ("eth_unsubscribe", json!([1]), "subscription: expected an id"),
        ("eth_unsubscribe", json!(["0x"]), "subscription: expected an id"),
        ("chain_subscribeReorgs", json!([1]), "expected at most 0 parameters, got 1"),
        ("coin_subscribe", json!(["nowhere"]), "address: "),
    ] {
        let error = &socket.ask(method, params)["error"];
        assert_eq!(error["code"], -32602, "{method}: {error}");
        assert!(error["message"].as_str().unwrap().starts_with(message), "{method}: {error}");
    }
    let error = node.try_call("eth_unsubscribe", json!(["0x00000000000000000000000000000001"]));
    assert_eq!(error, Err((-32000, "subscription not found".into())));
}

#[test]
fn subscriptions_of_a_connection_are_bounded_in_number_and_in_what_they_hold() {
    let node = manual();
    let address = listen(&node);
    let mut socket = Socket::open(address);
    for _ in 0..1_000 {
        socket.call("eth_subscribe", json!(["newHeads"]));
    }
    assert_eq!(socket.ask("eth_subscribe", json!(["newHeads"]))["error"]["code"], -32006);
    let addresses: Vec<_> = (0..999)
        .map(|number: u64| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_le_bytes());
            chain_core::address::encode(&node.context.spec.hrp, &chain_core::transaction::coin::Lock::Policy(hash))
        })
        .collect();
    let mut large = Socket::open(address);
    let refused = (0..20).position(|_| large.ask("coin_subscribe", json!([addresses]))["error"]["code"] == -32005);
    assert_eq!(refused, Some(10));
}

#[test]
fn a_client_that_does_not_read_is_told_that_it_lagged_and_is_disconnected() {
    let node = manual();
    let address = listen(&node);
    let (mut slow, mut reads) = (Socket::open(address), Socket::open(address));
    for _ in 0..1_000 {
        slow.call("eth_subscribe", json!(["newHeads"]));
    }
    let id = reads.call("eth_subscribe", json!(["newHeads"]));
    for number in 1..=200 {
        mine(&node, 1);
        assert_eq!(reads.notified(&id)["number"], format!("0x{number:x}"));
    }
    eventually(|| node.context.subscribers.len() == 1);
    let (mut last, mut count) = (Value::Null, 0);
    while let Some(message) = slow.receive() {
        (last, count) = (message, count + 1);
    }
    assert_eq!(last["method"], "lagged", "{last}");
    assert_eq!(last["params"]["subscriptions"].as_array().unwrap().len(), 1_000);
    assert!(last["params"]["reason"].as_str().unwrap().starts_with("lagged: "));
    assert!(count < 200_000, "{count}");
    assert!(reads.is_quiet());
}

//       /- a1 - a2
//  genesis
//       \- b1 - b2 - b3
#[test]
fn a_block_filter_returns_each_block_once_and_those_of_a_new_branch() {
    let (node, other) = (manual(), manual());
    let filter = node.call("eth_newBlockFilter", json!([]));
    let hash = |number: u32| node.call("eth_getBlockByNumber", json!([format!("0x{number:x}"), false]))["hash"].clone();
    assert_eq!(node.call("eth_getFilterChanges", json!([filter])), json!([]));
    mine(&node, 2);
    assert_eq!(node.call("eth_getFilterChanges", json!([filter])), json!([hash(1), hash(2)]));
    mine(&other, 3);
    replay(&other, 0, &node);
    assert_eq!(node.call("eth_getFilterChanges", json!([filter])), json!([hash(1), hash(2), hash(3)]));
    assert_eq!(node.call("eth_getFilterChanges", json!([filter])), json!([]));
    assert_eq!(node.call("eth_uninstallFilter", json!([filter])), true);
    assert_eq!(node.call("eth_uninstallFilter", json!([filter])), false);
    let gone = node.try_call("eth_getFilterChanges", json!([filter]));
    assert_eq!(gone, Err((-32000, "filter not found".into())));
    for params in [json!([]), json!([1]), json!(["0x"]), json!(["latest"]), json!([filter, 1])] {
        assert_eq!(node.try_call("eth_getFilterChanges", params).unwrap_err().0, -32602);
    }
}

#[test]
fn a_filter_of_pending_transactions_returns_each_hash_once() {
    let node = manual();
    let filter = node.call("eth_newPendingTransactionFilter", json!([]));
    let send = |nonce: u64| {
        let tx = transfer(ACCOUNTS[0].private_key, nonce, account(1), 1);
        node.call("eth_sendRawTransaction", json!([raw(&tx)]))
    };
    let changes = || node.call("eth_getFilterChanges", json!([filter]));
    let sent = [send(0), send(1)];
    let mut found = Vec::new();
    eventually(|| {
        found.extend(changes().as_array().unwrap().clone());
        found.len() == 2
    });
    assert_eq!(found, sent);
    assert_eq!(changes(), json!([]));
}

/// Code that writes a log with this topic when it is deployed.
fn writes(topic: u8) -> Bytes {
    vec![0x60, topic, 0x60, 0, 0x60, 0, 0xa1, 0].into()
}

/// Deploys it; the hash of the transaction.
fn write(node: &TestNode, key: usize, topic: u8) -> Value {
    let tx = contract(ACCOUNTS[key].private_key, 0, None, writes(topic));
    node.call("eth_sendRawTransaction", json!([raw(&tx)]))
}

fn topic(number: u8) -> String {
    format!("0x{number:064x}")
}

//       /- a1 (1) - a2 (2, 3)
//  genesis
//       \- b1 - b2 (4) - b3
#[test]
fn logs_of_the_old_branch_are_removed_newest_first_before_those_of_the_new_one() {
    let (node, other) = (manual(), manual());
    let mut socket = Socket::open(listen(&node));
    let filter = json!({ "topics": [[topic(1), topic(2), topic(3), topic(4)]] });
    let all = socket.call("eth_subscribe", json!(["logs", filter]));
    let polled = node.call("eth_newFilter", json!([filter]));
    let whole = node.call("eth_newFilter", json!([{ "fromBlock": "earliest", "topics": filter["topics"] }]));
    let blind = node.call("eth_newFilter", json!([{ "topics": [topic(9)] }]));
    let changes = |filter: &Value| node.call("eth_getFilterChanges", json!([filter]));
    write(&node, 0, 1);
    mine(&node, 1);
    write(&node, 1, 2);
    write(&node, 2, 3);
    mine(&node, 1);
    let written: Vec<_> = (0..3).map(|_| socket.notified(&all)).collect();
    assert_eq!(json!(written), changes(&polled));
    assert_eq!(json!(written), node.call("eth_getLogs", json!([{ "fromBlock": "0x0" }])));
    assert_eq!(json!(written), node.call("eth_getFilterLogs", json!([whole])));
    mine(&other, 1);
    write(&other, 3, 4);
    mine(&other, 2);
    replay(&other, 0, &node);
    let told: Vec<_> = (0..4).map(|_| socket.notified(&all)).collect();
    let removed = |log: &Value| {
        let mut log = log.clone();
        log["removed"] = true.into();
        log
    };
    assert_eq!(told[..3], [removed(&written[2]), removed(&written[1]), removed(&written[0])]);
    assert_eq!(json!(told[3..]), node.call("eth_getLogs", json!([{ "fromBlock": "0x0" }])));
    assert_eq!(json!(told), changes(&polled));
    assert_eq!(changes(&polled), json!([]));
    assert_eq!(changes(&blind), json!([]));
    assert!(socket.is_quiet());
}

#[test]
fn logs_are_told_to_those_who_asked_for_their_address_topic_or_height() {
    let node = manual();
    let mut socket = Socket::open(listen(&node));
    let made = ACCOUNTS[0].address.create(0);
    let mut expected = Vec::new();
    for (filter, wanted) in [
        (json!({}), true),
        (json!({ "address": made }), true),
        (json!({ "address": [account(1), made], "topics": [topic(7)] }), true),
        (json!({ "topics": [null] }), true),
        (json!({ "topics": [[topic(6), topic(7)]], "fromBlock": "0x1", "toBlock": "0x1" }), true),
        (json!({ "address": made, "topics": [topic(6)] }), false),
        (json!({ "topics": [topic(7), null] }), false),
        (json!({ "topics": [topic(7)], "fromBlock": "0x2" }), false),
        (json!({ "address": account(1) }), false),
    ] {
        let id = socket.call("eth_subscribe", json!(["logs", filter]));
        expected.extend(wanted.then_some(id.as_str().unwrap().to_owned()));
    }
    write(&node, 0, 7);
    mine(&node, 1);
    let mut told: Vec<_> = (0..expected.len()).map(|_| socket.receive().unwrap()["params"].take()).collect();
    assert!(told.iter().all(|told| told["result"]["topics"] == json!([topic(7)])));
    told.sort_by_key(|told| told["subscription"].to_string());
    expected.sort();
    let ids: Vec<_> = told.iter().map(|told| told["subscription"].as_str().unwrap()).collect();
    assert_eq!(ids, expected);
    assert!(socket.is_quiet());
}

#[test]
fn odd_filters_of_logs_are_refused_by_name() {
    let node = manual();
    let mut socket = Socket::open(listen(&node));
    let block = node.call("eth_getBlockByNumber", json!(["0x0", false]))["hash"].clone();
    for filter in [
        json!(7),
        json!({ "blockHash": block }),
        json!({ "fromBlock": "0x2", "toBlock": "0x1" }),
        json!({ "topics": "x" }),
        json!({ "address": ["0x12"] }),
        json!({ "toBlock": "pending" }),
    ] {
        assert_eq!(socket.ask("eth_subscribe", json!(["logs", filter]))["error"]["code"], -32602, "{filter}");
        assert_eq!(node.try_call("eth_newFilter", json!([filter])).unwrap_err().0, -32602, "{filter}");
    }
    let one = json!({ "blockHash": block });
    let subscribed = socket.ask("eth_subscribe", json!(["logs", one]));
    let message = subscribed["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("options.blockHash: expected"), "{message}");
    let message = node.try_call("eth_newFilter", json!([one])).unwrap_err().1;
    assert!(message.starts_with("filter.blockHash: expected"), "{message}");
    let blocks = node.call("eth_newBlockFilter", json!([]));
    assert_eq!(node.try_call("eth_getFilterLogs", json!([blocks])), Err((-32000, "filter not found".into())));
}
