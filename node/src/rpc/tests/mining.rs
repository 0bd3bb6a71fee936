//! Templates, the node's own miner, blocks on demand.

use alloy_primitives::U256;
use chain_core::{
    block::{Block, header::Header},
    codec,
    spec::ChainSpec,
};
use serde_json::{Value, json};
use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{account, raw};
use crate::{
    dev::ACCOUNTS,
    rpc::testing::{TestNode, dev_coin_key, transfer},
};

/// The header that wins a template, and its coinbase.
pub fn solution(template: &Value) -> (Value, Value) {
    let bytes = hex::decode(template["header"].as_str().unwrap()).unwrap();
    let target = U256::from_str_radix(template["target"].as_str().unwrap(), 16).unwrap();
    let mut header = Header::from_bytes(&bytes.try_into().unwrap());
    while U256::from_le_bytes(header.hash().0) > target {
        header.nonce += 1;
    }
    (hex::encode(header.to_bytes()).into(), template["coinbase"].clone())
}

#[test]
fn the_miner_is_asked_for_its_status_while_blocks_are_mined_on_demand() {
    let node = TestNode::fresh();
    let (asked, mining, runtime) =
        (node.context.mining.clone(), node.context.mining.clone(), node.context.runtime.clone());
    let (end, ended) = mpsc::channel::<()>();
    // Threads of their own, which hold nothing up if they wait for each other.
    thread::spawn(move || {
        while matches!(ended.try_recv(), Err(mpsc::TryRecvError::Empty)) {
            asked.status();
        }
    });
    let (done, mined) = mpsc::channel();
    thread::spawn(move || done.send(runtime.block_on(mining.mine_now(4_000, None)).map(|blocks| blocks.len())));
    let blocks = mined.recv_timeout(Duration::from_secs(60)).expect("neither waits for what the other holds");
    assert_eq!(blocks.expect("blocks are mined"), 4_000);
    drop(end);
}

#[test]
fn a_miner_takes_a_template_and_hands_in_a_solution() {
    let node = TestNode::fresh();
    let address = node.address(&dev_coin_key());
    let template = node.call("miner_getTemplate", json!([{"address": address, "extra": "abcd", "full": true}]));
    assert_eq!(template["height"], 1);
    assert_eq!(template["extranonceSize"], 8);
    assert_eq!(template["coinbaseValue"], 500_000_000u64);
    let block: Block = codec::decode(&hex::decode(template["block"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(hex::encode(block.header.to_bytes()), template["header"]);
    assert_eq!(hex::encode(block.transactions[0].leaf_bytes()), template["coinbase"]);
    let coinbase = template["coinbase"].as_str().unwrap();
    let free = 2 * template["extranonceOffset"].as_u64().unwrap() as usize;
    // Between what the node counts, whose last byte is not 0, and the sequence of the input.
    assert_eq!(coinbase[free..free + 24], ["00".repeat(8), "ff".repeat(4)].concat());
    let (header, _) = solution(&template);
    let solution = json!([template["id"], header, coinbase]);
    let answer = node.call("miner_submit", solution.clone());
    let hash = node.call("chain_getBlockHash", json!([1]));
    assert_eq!(answer, json!({"hash": hash, "status": "connected"}));
    assert_eq!(node.call("miner_submit", solution)["status"], "known");
    let found = node.call("miner_status", json!([]));
    assert_eq!(found["found"], json!({"own": 0, "rpc": 1, "getblocktemplate": 0}));
    assert_eq!(
        (&found["lastBlocks"][0]["by"], &found["lastBlocks"][0]["height"]),
        (&json!("rpc"), &template["height"])
    );
    assert_eq!(node.call("chain_getInfo", json!([]))["height"], 1);
    let stale = node.try_call("miner_submit", json!(["999", header, coinbase]));
    assert_eq!(stale, Err((-32003, "template 999 is unknown or too old; ask for a new one".into())));
    let odd = node.try_call("miner_submit", json!([template["id"], "00", coinbase]));
    assert_eq!(odd, Err((-32602, "header: expected 80 bytes, got 1".into())));
}

#[test]
fn who_asks_for_templates_again_and_again_takes_nobody_elses() {
    let node = TestNode::fresh();
    let address = node.address(&dev_coin_key());
    let ask = || node.call("miner_getTemplate", json!([{ "address": address }]));
    let first = ask();
    (0..200).for_each(|_| drop(ask()));
    let (header, coinbase) = (first["header"].clone(), first["coinbase"].clone());
    let answer = node.try_call("miner_submit", json!([first["id"], header, coinbase]));
    // It is known still: it lacks work alone.
    assert!(!format!("{answer:?}").contains("unknown or too old"), "{answer:?}");
}

// Were they alike, both would search the same headers, nonce by nonce.
#[test]
fn nodes_that_pay_one_address_never_search_the_same_headers() {
    let nodes = [TestNode::fresh(), TestNode::fresh()];
    let address = nodes[0].address(&dev_coin_key());
    let ask = |node: &TestNode| node.call("miner_getTemplate", json!([{"address": address}]))["coinbase"].clone();
    let templates = [&nodes[0], &nodes[0], &nodes[1], &nodes[1]].map(ask);
    let distinct: std::collections::HashSet<_> = templates.iter().map(|coinbase| coinbase.as_str().unwrap()).collect();
    assert_eq!(distinct.len(), 4, "{templates:?}");
    // The node's own blocks, which a payout of nobody makes alike in everything else.
    let extras = nodes.each_ref().map(|node| {
        node.call("dev_mine", json!([1]));
        node.call("chain_getBlock", json!([1, 2]))["transactions"][0]["extra"].clone()
    });
    assert_ne!(extras[0], extras[1]);
    assert!(extras.iter().all(|extra| extra.as_str().unwrap().len() == 32), "{extras:?}");
}

#[test]
fn a_caller_has_the_room_that_the_tag_the_id_and_the_extranonce_leave() {
    let node = TestNode::fresh();
    let address = node.address(&dev_coin_key());
    let ask =
        |bytes: usize| node.try_call("miner_getTemplate", json!([{"address": address, "extra": "ab".repeat(bytes)}]));
    assert!(ask(70).unwrap()["coinbase"].as_str().unwrap().contains(&"ab".repeat(70)));
    assert_eq!(ask(71), Err((-32602, "request.extra: expected at most 70 bytes, got 71".into())));
}

// HDR-5
#[test]
fn the_miner_pauses_while_the_clock_is_behind_the_tip_and_resumes() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as u32;
    let node = TestNode::of(ChainSpec { genesis_time: now + 63, max_future: 60, ..ChainSpec::dev() });
    let address = node.address(&dev_coin_key());
    let (code, message) = node.try_call("miner_getTemplate", json!([{"address": address}])).unwrap_err();
    assert_eq!(code, -32000);
    assert!(
        message.starts_with("the clock of this machine is 6") && message.contains("set the clock right"),
        "{message}"
    );
    node.call("miner_setAddress", json!([address, account(4)]));
    let driver = node.context.runtime.spawn(node.context.mining.clone().drive());
    node.call("miner_start", json!([1]));
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut reasons = Vec::new();
    loop {
        let status = node.call("miner_status", json!([]));
        reasons.extend(status["waiting"].as_str().map(str::to_owned));
        if status["blocks"] != 0 {
            break;
        }
        assert!(Instant::now() < deadline, "no block was mined: {reasons:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(reasons.iter().any(|reason| reason.ends_with("s behind the newest block")), "{reasons:?}");
    node.call("miner_stop", json!([]));
    driver.abort();
}

#[test]
fn a_long_poll_ends_with_a_new_tip() {
    let node = TestNode::fresh();
    let address = node.address(&dev_coin_key());
    let first = node.call("miner_getTemplate", json!([{"address": address}]));
    let started = Instant::now();
    let next = std::thread::scope(|scope| {
        let waiting = scope
            .spawn(|| node.call("miner_getTemplate", json!([{"address": address, "longpollId": first["longpollId"]}])));
        std::thread::sleep(Duration::from_millis(100));
        assert!(!waiting.is_finished(), "nothing changed yet");
        node.call("evm_mine", json!([]));
        waiting.join().unwrap()
    });
    assert_eq!(next["height"], 2);
    assert!(started.elapsed().as_secs() < 10);
}

#[test]
fn a_node_may_mine_for_nobody_but_no_miner_does_so_unasked() {
    let node = TestNode::of(ChainSpec::local());
    let (code, message) = node.try_call("miner_getTemplate", json!([])).unwrap_err();
    assert_eq!((code, message.contains("the node pays nobody: name an address")), (-32602, true), "{message}");
    assert_eq!(node.call("miner_start", json!([1])), true);
    node.call("miner_stop", json!([]));
}

#[test]
fn what_the_miner_is_told_holds_after_the_node_has_looked_for_blocks() {
    let node = TestNode::of(ChainSpec::local());
    let mining = &node.context.mining;
    let is_mining = || node.call("miner_status", json!([]))["mining"].clone();
    mining.start_later();
    assert_eq!(is_mining(), false);
    node.call("miner_stop", json!([]));
    assert!(!mining.start_now());
    assert_eq!(is_mining(), false);
    mining.start_later();
    node.call("miner_start", json!([3]));
    assert!(!mining.start_now(), "it runs");
    mining.start_later();
    assert!(mining.start_now());
    assert_eq!(is_mining(), true);
}

#[test]
fn the_node_mines_for_whom_it_is_told() {
    let node = TestNode::fresh();
    let address = node.address(&dev_coin_key());
    assert_eq!(node.call("miner_status", json!([]))["mining"], false);
    let (code, message) = node.try_call("miner_start", json!([])).unwrap_err();
    assert_eq!(code, -32000);
    assert!(message.starts_with("nobody to pay"), "{message}");
    let missing = node.try_call("miner_getTemplate", json!([]));
    assert_eq!(missing.unwrap_err().0, -32602);
    node.call("miner_setAddress", json!([address, account(4)]));
    let driver = node.context.runtime.spawn(node.context.mining.clone().drive());
    node.call("miner_start", json!([1]));
    let deadline = Instant::now() + Duration::from_secs(20);
    while node.call("miner_status", json!([]))["blocks"].as_u64().unwrap() < 2 {
        assert!(Instant::now() < deadline, "no block was mined");
        std::thread::sleep(Duration::from_millis(20));
    }
    let status = node.call("miner_status", json!([]));
    assert_eq!(status["mining"], true);
    assert_eq!(status["address"], address);
    let (count, last) = (status["found"]["own"].as_u64().unwrap(), status["lastBlocks"].as_array().unwrap());
    assert_eq!((Some(count), last.len()), (status["blocks"].as_u64(), count.min(20) as usize));
    let newest = &last[0];
    assert_eq!((&newest["by"], &newest["address"], &newest["height"]), (&json!("own"), &json!(address), &json!(count)));
    assert_eq!(newest["hash"], node.call("chain_getBlockHash", json!([count])));
    assert_eq!(status["account"], json!(account(4).to_checksum(None)));
    assert_eq!(node.call("eth_coinbase", json!([])), json!(format!("{:#x}", account(4))));
    node.call("miner_stop", json!([]));
    assert_eq!(node.call("eth_mining", json!([])), false);
    let block = node.call("chain_getBlock", json!([1, 2]));
    assert_eq!(block["transactions"][0]["outputs"][0]["address"], address);
    driver.abort();
}

#[test]
fn automine_mines_each_transaction() {
    let node = TestNode::fresh();
    let automine = node.context.runtime.spawn(node.context.mining.clone().automine());
    node.call("evm_setAutomine", json!([true]));
    let hash = node.call("eth_sendRawTransaction", json!([raw(&transfer(ACCOUNTS[5].private_key, 0, account(0), 1))]));
    let deadline = Instant::now() + Duration::from_secs(10);
    while node.call("eth_getTransactionReceipt", json!([hash])).is_null() {
        assert!(Instant::now() < deadline, "no block was mined");
        std::thread::sleep(Duration::from_millis(10));
    }
    automine.abort();
}

#[test]
fn what_waits_when_automine_begins_is_mined() {
    let node = TestNode::fresh();
    let hash = node.call("eth_sendRawTransaction", json!([raw(&transfer(ACCOUNTS[5].private_key, 0, account(0), 1))]));
    node.context.mining.set_automine(true);
    let automine = node.context.runtime.spawn(node.context.mining.clone().automine());
    let deadline = Instant::now() + Duration::from_secs(10);
    while node.call("eth_getTransactionReceipt", json!([hash])).is_null() {
        assert!(Instant::now() < deadline, "no block was mined");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(node.call("chain_getInfo", json!([]))["height"], 1);
    automine.abort();
}

#[test]
fn a_block_can_be_handed_in_as_a_whole() {
    let node = TestNode::fresh();
    let other = TestNode::fresh();
    other.call("dev_mine", json!([2]));
    let blocks: Vec<_> = (1..=2).map(|height| other.call("chain_getBlock", json!([height, 0]))).collect();
    assert_eq!(node.call("chain_submitBlock", json!([blocks[1]]))["status"], "held");
    assert_eq!(node.call("chain_submitBlock", json!([blocks[0]]))["status"], "connected");
    assert_eq!(node.call("chain_submitBlock", json!([blocks[0]]))["status"], "known");
    assert_eq!(node.call("chain_getInfo", json!([]))["height"], 2, "what was held is connected");
    let mut broken = hex::decode(blocks[0].as_str().unwrap()).unwrap();
    broken[40] ^= 1;
    let (code, _) = node.try_call("chain_submitBlock", json!([hex::encode(&broken)])).unwrap_err();
    assert_eq!(code, -32003);
    let (code, message) = node.try_call("chain_submitBlock", json!(["00"])).unwrap_err();
    assert_eq!((code, message.starts_with("block: malformed encoding")), (-32602, true), "{message}");
}

#[test]
fn development_methods_move_time_and_count() {
    let node = TestNode::fresh();
    assert_eq!(node.call("evm_mine", json!([{"blocks": 2}])), "0x0");
    let time = node.call("chain_getInfo", json!([]))["time"].as_u64().unwrap();
    node.call("evm_mine", json!([time + 1_000]));
    assert_eq!(node.call("chain_getInfo", json!([]))["time"], time + 1_000);
    assert_eq!(node.call("chain_getInfo", json!([]))["height"], 3);
    assert_eq!(node.call("dev_accounts", json!([])).as_array().unwrap().len(), 10);
    let (code, message) = node.try_call("dev_mine", json!([0])).unwrap_err();
    assert_eq!((code, message.as_str()), (-32602, "blocks: expected 1 to 100000, got 0"));
}
