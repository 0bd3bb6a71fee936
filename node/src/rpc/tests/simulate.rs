//! `eth_simulateV1`.

use alloy_primitives::{Address, keccak256};
use serde_json::{Value, json};

use super::account;
use crate::rpc::testing::TestNode;

fn one() -> Address {
    Address::repeat_byte(0xc1)
}

fn two() -> Address {
    Address::repeat_byte(0xc2)
}

/// Simulates blocks on the tip.
fn try_simulate(node: &TestNode, blocks: Value) -> Result<Value, (i64, String)> {
    node.try_call("eth_simulateV1", json!([{ "blockStateCalls": blocks }, "latest"]))
}

fn simulate(node: &TestNode, blocks: Value) -> Value {
    try_simulate(node, blocks).unwrap()
}

/// Code that returns the word which an instruction pushes.
fn code_of(opcode: &str) -> String {
    format!("0x{opcode}5f5260205ff3")
}

fn word(number: u64) -> String {
    format!("0x{number:064x}")
}

#[test]
fn calls_and_blocks_follow_each_other() {
    let node = TestNode::fresh();
    node.call("dev_mine", json!([2]));
    let tip = node.call("eth_getBlockByNumber", json!(["latest", false]));
    let pay = |from: Address, to: Address| json!({ "from": from, "to": to, "value": "0x3e8" });
    let blocks = simulate(
        &node,
        json!([
            { "stateOverrides": { one().to_string(): { "balance": "0x3e8" } }, "calls": [pay(one(), two())] },
            { "calls": [pay(two(), one()), { "data": code_of("43") }] },
            { "blockOverrides": { "number": "0x6" }, "calls": [{ "data": code_of("600440") }] },
        ]),
    );
    let numbers: Vec<&Value> = blocks.as_array().unwrap().iter().map(|block| &block["number"]).collect();
    assert_eq!(numbers, ["0x3", "0x4", "0x5", "0x6"]);
    assert_eq!(blocks[0]["parentHash"], tip["hash"]);
    for (block, next) in [(0, 1), (1, 2), (2, 3)] {
        assert_eq!(blocks[next]["parentHash"], blocks[block]["hash"]);
    }
    let paid = &blocks[0]["calls"][0];
    assert_eq!(
        paid,
        &json!({ "returnData": "0x", "logs": [], "gasUsed": "0x5208", "maxUsedGas": "0x5208", "status": "0x1" })
    );
    assert_eq!(blocks[0]["gasUsed"], "0x5208");
    assert_eq!(blocks[0]["baseFeePerGas"], "0x0");
    assert_eq!(blocks[0]["transactions"].as_array().unwrap().len(), 1);
    assert_eq!(blocks[1]["calls"][0]["status"], "0x1");
    assert_eq!(blocks[1]["calls"][1]["returnData"], word(4));
    assert_eq!(blocks[2]["calls"], json!([]));
    // BLOCKHASH(4) is the hash of a simulated block.
    assert_eq!(blocks[3]["calls"][0]["returnData"], blocks[1]["hash"]);
    // Nothing of it stays.
    assert_eq!(node.call("eth_getBalance", json!([one()])), "0x0");
    assert_eq!(node.call("eth_blockNumber", json!([])), "0x2");
}

#[test]
fn transactions_are_shown_whole_on_request() {
    let node = TestNode::fresh();
    let call = json!({ "from": account(0), "to": one(), "value": "0x1" });
    let payload = json!({ "blockStateCalls": [{ "calls": [call, call] }], "returnFullTransactions": true });
    let blocks = node.call("eth_simulateV1", json!([payload]));
    let transactions = &blocks[0]["transactions"];
    assert_eq!(transactions[0]["from"], json!(account(0)));
    assert_eq!(transactions[1]["nonce"], "0x1");
    assert_eq!(transactions[1]["blockHash"], blocks[0]["hash"]);
    assert_ne!(transactions[0]["hash"], transactions[1]["hash"]);
}

#[test]
fn transfers_are_logged_on_request_and_vanish_with_a_revert() {
    let node = TestNode::fresh();
    // LOG0, then a call that pays 1 wei to 0x66..66; and one that reverts after it.
    let paid = Address::repeat_byte(0x66);
    let code = format!("0x5f5fa05f5f5f5f600173{}5af15000", hex::encode(paid));
    let reverting = format!("0x5f5f5f5f600173{}5af1505f5ffd", hex::encode(paid));
    let run = |transfers: bool, code: &str| {
        let overrides = json!({ two().to_string(): { "code": code, "balance": "0x1" } });
        let calls = json!([{ "from": account(0), "to": two(), "value": "0x5" }]);
        let payload = json!({
            "blockStateCalls": [{ "stateOverrides": overrides, "calls": calls }], "traceTransfers": transfers,
        });
        node.call("eth_simulateV1", json!([payload]))[0].clone()
    };
    let silent = run(false, &code);
    assert_eq!(silent["calls"][0]["logs"].as_array().unwrap().len(), 1);
    let block = run(true, &code);
    let logs = block["calls"][0]["logs"].as_array().unwrap();
    let ether = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";
    let addresses: Vec<Value> = logs.iter().map(|log| log["address"].clone()).collect();
    assert_eq!(addresses, [json!(ether), json!(two()), json!(ether)]);
    assert_eq!(
        logs[2]["topics"],
        json!([keccak256("Transfer(address,address,uint256)"), two().into_word(), paid.into_word()])
    );
    assert_eq!(logs[0]["data"], word(5));
    assert_eq!((&logs[2]["logIndex"], &logs[2]["blockHash"]), (&json!("0x2"), &block["hash"]));
    assert_eq!(logs[0]["transactionHash"], block["transactions"][0]);
    let failed = run(true, &reverting);
    assert_eq!(failed["calls"][0]["logs"], json!([]));
}

#[test]
fn a_failed_call_has_an_error_and_the_others_go_on() {
    let node = TestNode::fresh();
    // Panic(0x11).
    let panics = "0x634e487b7160e01b5f52601160045260245ffd";
    let codes = json!({ one().to_string(): { "code": panics }, two().to_string(): { "code": "0xfe" } });
    let calls = json!([
        { "to": one() }, { "to": two(), "gas": "0x186a0" }, { "from": account(0), "to": account(1), "value": "0x1" },
    ]);
    let block = simulate(&node, json!([{ "stateOverrides": codes, "calls": calls }]))[0].clone();
    let reverted = &block["calls"][0];
    assert_eq!((&reverted["status"], &reverted["returnData"]), (&json!("0x0"), &json!("0x")));
    assert_eq!(reverted["error"]["message"], "execution reverted: arithmetic underflow or overflow");
    assert_eq!(reverted["error"]["code"], 3);
    assert_eq!(reverted["error"]["data"].as_str().unwrap().len(), 2 + 2 * 36);
    assert_eq!(block["calls"][1]["error"]["code"], -32015);
    assert_eq!(block["calls"][1]["gasUsed"], "0x186a0");
    assert_eq!(block["calls"][2]["status"], "0x1");
}

#[test]
fn overrides_of_later_blocks_replace_what_earlier_ones_did() {
    let node = TestNode::fresh();
    // Returns slot 0 and writes slot 0 := 7.
    let code = "0x5f545f5260075f5560205ff3";
    let slot = word(0);
    let at = |fields: Value| json!({ one().to_string(): fields });
    let call = json!([{ "to": one() }]);
    let blocks = simulate(
        &node,
        json!([
            { "stateOverrides": at(json!({ "code": code, "stateDiff": { slot.clone(): word(5) } })), "calls": call },
            { "calls": call },
            { "stateOverrides": at(json!({ "state": {} })), "calls": call },
            { "stateOverrides": at(json!({ "code": code_of("41") })),
              "blockOverrides": { "feeRecipient": two() }, "calls": call },
            // What a block overrides of itself holds for those after it too.
            { "calls": call },
        ]),
    );
    let returned: Vec<&Value> = blocks.as_array().unwrap().iter().map(|b| &b["calls"][0]["returnData"]).collect();
    let miner = json!(two().into_word());
    assert_eq!(returned, [&json!(word(5)), &json!(word(7)), &json!(word(0)), &miner, &miner]);
    assert_eq!(blocks[4]["miner"], json!(two()));
    // Not so its randomness, nor a precompiled contract that moved.
    let random = keccak256("random");
    let (identity, call) =
        (Address::with_last_byte(4), json!([{ "data": code_of("44") }, { "to": two(), "data": "0x12" }]));
    let blocks = simulate(
        &node,
        json!([
            { "blockOverrides": { "prevRandao": random }, "calls": call,
              "stateOverrides": { identity.to_string(): { "movePrecompileToAddress": two() } } },
            { "calls": call },
        ]),
    );
    let returned = |block: usize, call: usize| blocks[block]["calls"][call]["returnData"].clone();
    assert_eq!((returned(0, 0), returned(0, 1)), (json!(random), json!("0x12")));
    assert_eq!((returned(1, 0), returned(1, 1)), (blocks[1]["mixHash"].clone(), json!("0x")));
    assert_eq!(blocks[0]["mixHash"], json!(random));
    assert_ne!(returned(1, 0), json!(random));
}

#[test]
fn validation_holds_calls_to_the_rules() {
    let node = TestNode::fresh();
    let validate = |validation: bool, call: Value| {
        let payload = json!({ "blockStateCalls": [{ "calls": [call] }], "validation": validation });
        node.try_call("eth_simulateV1", json!([payload]))
    };
    let refused = |validation: bool, call: Value| {
        let (code, message) = validate(validation, call).unwrap_err();
        assert!(message.starts_with("err: ") && message.contains("(supplied gas "), "{message}");
        code
    };
    let priced = |fields: Value| {
        let mut call = json!({ "from": account(0), "to": one(), "maxFeePerGas": "0x77359400", "gas": "0x5208" });
        call.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        call
    };
    assert_eq!(validate(true, priced(json!({}))).unwrap()[0]["calls"][0]["status"], "0x1");
    node.call("dev_mine", json!([1]));
    assert_eq!(refused(true, priced(json!({ "nonce": "0x1" }))), -38011);
    assert_eq!(refused(true, priced(json!({ "maxFeePerGas": "0x1" }))), -38012);
    assert_eq!(refused(true, json!({ "from": account(0), "to": one() })), -38012);
    assert_eq!(refused(true, priced(json!({ "maxPriorityFeePerGas": "0xfffffffffffffff" }))), -32602);
    assert_eq!(refused(true, priced(json!({ "gas": "0x5207" }))), -38013);
    assert_eq!(refused(false, json!({ "to": one(), "gas": "0x0" })), -38013);
    assert_eq!(refused(false, json!({ "from": one(), "to": two(), "value": "0x1" })), -38014);
    assert_eq!(refused(true, priced(json!({ "from": one() }))), -38014);
    assert_eq!(refused(false, json!({ "from": account(0), "data": format!("0x{}", "00".repeat(49_153)) })), -38025);
    // The last nonce is followed by the first.
    let last = json!({ account(0).to_string(): { "nonce": "0xffffffffffffffff" } });
    let call = json!({ "from": account(0), "to": one() });
    let block = simulate(&node, json!([{ "stateOverrides": last, "calls": [call, call] }]))[0].clone();
    assert_eq!(block["gasUsed"], "0xa410");
    // Without it a nonce does not matter.
    assert!(validate(false, priced(json!({ "nonce": "0x9" }))).is_ok());
    let used =
        json!({ "from": account(0), "to": one(), "nonce": "0x0", "maxFeePerGas": "0x77359400", "gas": "0x5208" });
    let payload = json!({ "blockStateCalls": [{ "calls": [used, used] }], "validation": true });
    assert_eq!(node.try_call("eth_simulateV1", json!([payload])).unwrap_err().0, -38010);
}

#[test]
fn simulations_are_bounded_and_in_order() {
    let node = TestNode::fresh();
    node.call("dev_mine", json!([2]));
    let code = |blocks: Value| try_simulate(&node, blocks).map(|_| 0).unwrap_or_else(|(code, _)| code);
    let (_, message) = try_simulate(&node, json!([{ "blockOverrides": { "number": "0x2" } }])).unwrap_err();
    assert_eq!(message, "block numbers must be in order: 2 <= 2");
    assert_eq!(code(json!([{ "blockOverrides": { "number": "0x2" } }])), -38020);
    assert_eq!(code(json!([{ "blockOverrides": { "time": "0x1" } }])), -38021);
    assert_eq!(code(json!([{ "blockOverrides": { "number": "0x103" } }])), -38026);
    assert_eq!(code(json!([{ "blockOverrides": { "number": "0xffffffffffffffff" } }])), -38026);
    assert_eq!(code(json!([{ "blockOverrides": { "time": "0xffffffffffffffff" } }, {}])), -38021);
    assert_eq!(code(vec![json!({}); 257].into()), -38026);
    assert_eq!(simulate(&node, vec![json!({}); 256].into()).as_array().unwrap().len(), 256);
    assert_eq!(code(json!([])), -32602);
    assert_eq!(
        code(json!([{ "blockOverrides": { "gasLimit": "0x5208" }, "calls": [{}, { "gas": "0x5208" }] }])),
        -38013
    );
    let two_of = json!([{ "to": one(), "gas": "0x5208" }, { "to": one(), "gas": "0x5208" }]);
    assert_eq!(code(json!([{ "blockOverrides": { "gasLimit": "0x5208" }, "calls": two_of }])), -38015);
    // INVALID takes all gas of its block; the next one gets what is left of the simulation's.
    let greedy = json!({ one().to_string(): { "code": "0xfe" } });
    let call = json!([{ "to": one() }]);
    let limit = json!({ "gasLimit": format!("{:#x}", 30_000_000) });
    let blocks = json!([
        { "blockOverrides": limit, "stateOverrides": greedy, "calls": call },
        { "blockOverrides": limit, "calls": call },
    ]);
    let blocks = try_simulate(&node, blocks).unwrap();
    assert_eq!(blocks[0]["gasUsed"], json!(format!("{:#x}", 30_000_000)));
    assert_eq!(blocks[1]["gasUsed"], json!(format!("{:#x}", 20_000_000)));
    // Answers of 128 KiB each.
    let long = json!({ one().to_string(): { "code": "0x620200005ff3" } });
    let call = json!({ "to": one(), "gas": "0x186a0" });
    let message = try_simulate(&node, json!([{ "stateOverrides": long, "calls": vec![call; 100] }])).unwrap_err();
    assert_eq!(message, (-38026, "the result is longer than 24 MB: simulate less at a time".into()));
}

#[test]
fn a_malformed_part_of_a_payload_is_named() {
    let node = TestNode::fresh();
    let name = |payload: Value| {
        let (code, message) = node.try_call("eth_simulateV1", json!([payload])).expect_err("it is malformed");
        assert_eq!(code, -32602, "{message}");
        message.split(':').next().unwrap().to_owned()
    };
    let block = |block: Value| name(json!({ "blockStateCalls": [{}, block] }));
    assert_eq!(name(json!([])), "payload");
    assert_eq!(name(json!({})), "payload.blockStateCalls");
    assert_eq!(name(json!({ "blockStateCalls": {} })), "payload.blockStateCalls");
    assert_eq!(name(json!({ "blockStateCalls": [{}], "validation": 1 })), "payload.validation");
    assert_eq!(block(json!(7)), "payload.blockStateCalls[1]");
    assert_eq!(block(json!({ "calls": {} })), "payload.blockStateCalls[1].calls");
    assert_eq!(block(json!({ "calls": ["0x"] })), "payload.blockStateCalls[1].calls[0]");
    assert_eq!(block(json!({ "calls": [{ "to": 1 }] })), "payload.blockStateCalls[1].calls[0].to");
    assert_eq!(block(json!({ "stateOverrides": [] })), "payload.blockStateCalls[1].stateOverrides");
    assert_eq!(block(json!({ "blockOverrides": { "time": 1 } })), "payload.blockStateCalls[1].blockOverrides.time");
    assert_eq!(
        block(json!({ "blockOverrides": { "withdrawals": [{}] } })),
        "payload.blockStateCalls[1].blockOverrides.withdrawals"
    );
}

#[test]
fn calls_that_have_used_all_gas_of_the_node_are_told_so() {
    let node = TestNode::fresh();
    // INVALID takes all gas.
    let burn = json!({ "to": one(), "gas": "0x1c9c380" });
    let overrides = json!({ one().to_string(): { "code": "0xfe" } });
    let blocks = json!([
        { "stateOverrides": overrides, "calls": [burn] },
        { "calls": [burn, { "to": two() }] },
    ]);
    let (code, message) = try_simulate(&node, blocks).unwrap_err();
    let expected = "RPC gas cap exhausted: need 21000, remaining 0; simulate less at a time";
    assert_eq!((code, message.as_str()), (-38026, expected));
    // What the call itself asks for is its own mistake.
    let poor = json!([{ "calls": [{ "to": two(), "gas": "0x5207" }] }]);
    assert_eq!(try_simulate(&node, poor).unwrap_err().0, -38013);
}
