//! Traces.

use alloy_primitives::{Address, Bytes, hex};
use chain_core::transaction::account::AccountTransaction;
use serde_json::{Value, json};

use super::{
    account,
    programs::{Chain, DEPLOYER, create},
    raw,
};
use crate::{
    dev::ACCOUNTS,
    rpc::testing::{TestNode, contract, transfer},
};

/// Counts its calls in slot 0 and logs; reverts if it is sent calldata.
///
/// `CALLDATASIZE PUSH1 17 JUMPI | PUSH1 1 PUSH0 SLOAD ADD DUP1 PUSH0 SSTORE PUSH0 PUSH0 LOG1 STOP | JUMPDEST PUSH0 PUSH0 REVERT`
const COUNTER: [u8; 21] = hex!("36601157 60015f540180 5f55 5f5f a1 00 00 5b5f5ffd");

/// Calls the account in its calldata.
///
/// `PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 CALLDATALOAD GAS CALL STOP`
const CALLER: [u8; 10] = hex!("5f5f5f5f5f5f355af100");

/// Initcode that leaves such code.
fn initcode(code: &[u8]) -> Bytes {
    let len = u8::try_from(code.len()).unwrap();
    [&[0x60, len, 0x80, 0x60, 0x09, 0x5f, 0x39, 0x5f, 0xf3], code].concat().into()
}

/// Hands a transaction in and mines it.
fn mined(node: &TestNode, transaction: &AccountTransaction) -> Value {
    let hash = node.call("eth_sendRawTransaction", json!([raw(transaction)]));
    node.call("dev_mine", json!([1]));
    hash
}

fn send(node: &TestNode, nonce: u64, to: Option<Address>, input: Bytes) -> Value {
    mined(node, &contract(ACCOUNTS[0].private_key, nonce, to, input))
}

fn ops(trace: &Value) -> Vec<&str> {
    trace["structLogs"].as_array().unwrap().iter().map(|step| step["op"].as_str().unwrap()).collect()
}

#[test]
fn traces_instructions_on_the_state_that_they_ran_on() {
    let node = TestNode::fresh();
    send(&node, 0, None, initcode(&COUNTER));
    let counter = account(0).create(0);
    let runs: Vec<Value> = (1..=3).map(|nonce| send(&node, nonce, Some(counter), Bytes::new())).collect();
    let options = json!({"enableMemory": true, "enableReturnData": true});
    for (count, hash) in (1..).zip(&runs) {
        let receipt = node.call("eth_getTransactionReceipt", json!([hash]));
        let trace = node.call("debug_traceTransaction", json!([hash, options]));
        assert_eq!(trace["failed"], false);
        assert_eq!(format!("0x{:x}", trace["gas"].as_u64().unwrap()), receipt["gasUsed"]);
        let expected = [
            "CALLDATASIZE",
            "PUSH1",
            "JUMPI",
            "PUSH1",
            "PUSH0",
            "SLOAD",
            "ADD",
            "DUP1",
            "PUSH0",
            "SSTORE",
            "PUSH0",
            "PUSH0",
            "LOG1",
            "STOP",
        ];
        assert_eq!(ops(&trace), expected);
        let sload = &trace["structLogs"][5];
        let zero = format!("0x{}", "0".repeat(64));
        assert_eq!(sload["storage"][&zero], format!("0x{:064x}", count - 1));
        assert_eq!(
            (&sload["gasCost"], &sload["depth"], &sload["stack"]),
            (&json!(2_100), &json!(1), &json!(["0x1", "0x0"]))
        );
        assert_eq!(trace["structLogs"][9]["storage"][&zero], format!("0x{count:064x}"));
    }
    let empty = node.call("debug_traceTransaction", json!([runs[0], {"debug": true, "overrides": {}, "limit": 1}]));
    assert_eq!(ops(&empty), ["CALLDATASIZE"], "what means nothing here is ignored");
    let few = node.call("debug_traceTransaction", json!([runs[0], {"limit": 3, "disableStack": true}]));
    assert_eq!(few["structLogs"].as_array().unwrap().len(), 3);
    assert_eq!(few["structLogs"][0].get("stack"), None);
}

#[test]
fn traces_the_tree_of_calls() {
    let node = TestNode::fresh();
    send(&node, 0, None, initcode(&COUNTER));
    send(&node, 1, None, initcode(&CALLER));
    let (counter, caller) = (account(0).create(0), account(0).create(1));
    let hash = send(&node, 2, Some(caller), counter.into_word().to_vec().into());
    let options = json!({"tracer": "callTracer", "tracerConfig": {"withLog": true}});
    let trace = node.call("debug_traceTransaction", json!([hash, options]));
    let receipt = node.call("eth_getTransactionReceipt", json!([hash]));
    assert_eq!(trace["type"], "CALL");
    assert_eq!((&trace["gas"], &trace["gasUsed"]), (&json!("0xf4240"), &receipt["gasUsed"]));
    let inner = &trace["calls"][0];
    assert_eq!((&inner["type"], &inner["from"], &inner["to"]), (&json!("CALL"), &json!(caller), &json!(counter)));
    assert_eq!(inner["logs"][0]["address"], json!(counter));
    assert_eq!(inner.get("error"), None);

    let top = json!({"tracer": "callTracer", "tracerConfig": {"onlyTopCall": true}});
    assert_eq!(node.call("debug_traceTransaction", json!([hash, top])).get("calls"), None);

    // A creation, and a call that reverts and so is never mined.
    let block = node.call("debug_traceBlockByNumber", json!(["0x1", {"tracer": "callTracer"}]));
    assert_eq!((&block[0]["result"]["type"], &block[0]["result"]["to"]), (&json!("CREATE"), &json!(counter)));
    let request = json!({"from": caller, "to": counter, "input": "0x01"});
    let trace = node.call("debug_traceCall", json!([request, "latest", {"tracer": "callTracer"}]));
    assert_eq!((&trace["error"], &trace["from"]), (&json!("execution reverted"), &json!(caller)));
    let steps = node.call("debug_traceCall", json!([request, "latest"]));
    assert_eq!((&steps["failed"], ops(&steps).last()), (&json!(true), Some(&"REVERT")));
}

#[test]
fn costs_and_halts_of_instructions_are_those_of_geth() {
    let mut chain = Chain::new();
    // CREATE of eight bytes of initcode.
    let creator = chain.deploy(&create(DEPLOYER, None));
    let hash = chain.send(Some(creator), Bytes::new());
    let step = |trace: &Value, name: &str| {
        let steps = trace["structLogs"].as_array().unwrap();
        steps.iter().find(|step| step["op"] == name).unwrap().clone()
    };
    let trace = chain.node.call("debug_traceTransaction", json!([hash]));
    assert_eq!(step(&trace, "CREATE")["gasCost"], 32_002, "without the gas that it passes on");
    // What a creation returns is the deployed code.
    let hash = chain.send(None, initcode(&COUNTER));
    let trace = chain.node.call("debug_traceTransaction", json!([hash]));
    assert_eq!(trace["returnValue"], format!("0x{}", hex::encode(COUNTER)));

    let run = |code: &[u8], gas: u64| {
        let to = Address::repeat_byte(0x77);
        let call = json!({"from": account(0), "to": to, "gas": format!("0x{:x}", 21_000 + gas)});
        let options = json!({ "stateOverrides": { to.to_string(): { "code": format!("0x{}", hex::encode(code)) } } });
        let trace = chain.node.call("debug_traceCall", json!([call, "latest", options]));
        let last = trace["structLogs"].as_array().unwrap().last().unwrap().clone();
        (last["gasCost"].as_u64().unwrap(), last["error"].as_str().unwrap().to_owned())
    };
    let out_of_gas = |cost: u64| (cost, "out of gas".to_owned());
    // PUSH1 3 JUMP JUMPDEST; PUSH1 1 PUSH0 SSTORE.
    assert_eq!(run(&hex!("6003565b"), 10), out_of_gas(8));
    assert_eq!(run(&hex!("60015f55"), 10_000), out_of_gas(22_100));
    assert_eq!(run(&hex!("01"), 100), (0, "stack underflow (0 <=> 2)".into()));
    assert_eq!(run(&hex!("5b6001600056"), 100_000).1, "stack limit reached 1024 (1023)");
    assert_eq!(run(&hex!("fe"), 100).1, "invalid opcode: INVALID");
    assert_eq!(run(&hex!("0c"), 100).1, "invalid opcode: opcode 0xc not defined");
}

#[test]
fn an_edit_of_the_state_is_in_the_difference_that_its_block_made() {
    let node = TestNode::fresh();
    let rich = Address::repeat_byte(0x66);
    node.call("anvil_setBalance", json!([rich, "0x309"]));
    let diff = |node: &TestNode| {
        let options = json!({"tracer": "prestateTracer", "tracerConfig": {"diffMode": true}});
        node.call("debug_traceBlockByNumber", json!(["latest", options]))[0]["result"].clone()
    };
    let key = format!("{rich:#x}");
    assert_eq!(diff(&node)["post"][&key], json!({"balance": "0x309"}));
    node.call("anvil_setStorageAt", json!([rich, "0x3", "0x9"]));
    let slot = format!("0x{:064x}", 3);
    assert_eq!(diff(&node)["post"][&key]["storage"][&slot], format!("0x{:064x}", 9));
    let hash = node.call("eth_getBlockByNumber", json!(["latest", false]))["transactions"][0].clone();
    let replayed = node.call("trace_replayTransaction", json!([hash, ["stateDiff"]]));
    assert!(replayed["stateDiff"][&key]["storage"][&slot].is_object(), "{replayed}");
}

#[test]
fn says_what_cannot_be_traced() {
    let node = TestNode::fresh();
    let hash = mined(&node, &transfer(ACCOUNTS[0].private_key, 0, account(1), 1));
    let trace = node.call("debug_traceTransaction", json!([hash]));
    assert_eq!((&trace["gas"], &trace["structLogs"]), (&json!(21_000), &json!([])));
    let refusal = |params: Value| node.try_call("debug_traceTransaction", params).unwrap_err();
    assert_eq!(refusal(json!(["00".repeat(32)])).0, -32001);
    assert_eq!(refusal(json!([hash, {"tracer": "stateTracer"}])).0, -32602);
    assert_eq!(refusal(json!([hash, {"tracerConfig": 1, "tracer": "callTracer"}])).0, -32602);
    let (code, message) = node.try_call("debug_traceBlockByNumber", json!(["0x0"])).unwrap_err();
    assert_eq!((code, message.as_str()), (-32000, "genesis is not traceable: the genesis block has no transactions"));
}
