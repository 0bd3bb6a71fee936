//! Traces by every tracer, against what small contracts are known to do.

use alloy_primitives::{Address, Bytes, U256, hex};
use chain_core::transaction::account::AccountTransaction;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{cell::RefCell, collections::BTreeSet};

use super::{
    account,
    programs::{Chain, DEPLOYER, HEIR, IDENTITY, LOOP, REVERT, WRITER, call, create, destroyer, texts},
    raw,
};
use crate::{
    dev::ACCOUNTS,
    rpc::testing::{TestNode, secret, transfer},
};

/// A transaction that does all that a tracer shows, and where.
struct Case {
    chain: Chain,
    hash: Value,
    main: Address,
    writer: Address,
    reverter: Address,
    endless: Address,
}

fn case() -> Case {
    let mut chain = Chain::new();
    let writer = chain.deploy(WRITER);
    let reverter = chain.deploy(&[call(0xf1, writer, 30_000, 0), REVERT.to_vec()].concat());
    let endless = chain.deploy(LOOP);
    let code = [
        call(0xf1, reverter, 60_000, 0),
        call(0xf4, writer, 60_000, 0),
        call(0xfa, IDENTITY, 5_000, 0),
        create(DEPLOYER, None),
        create(&destroyer(), Some(7)),
        call(0xf1, endless, 5_000, 0),
    ];
    let main = chain.deploy(&code.concat());
    let hash = chain.send(Some(main), Bytes::new());
    Case { chain, hash, main, writer, reverter, endless }
}

/// The call and all below it, each before its own calls.
fn preorder<'a>(call: &'a Value, all: &mut Vec<&'a Value>) {
    all.push(call);
    call["calls"].as_array().into_iter().flatten().for_each(|call| preorder(call, all));
}

#[test]
fn the_tree_of_calls_is_what_the_contracts_do() {
    let Case { chain, hash, main, writer, reverter, endless } = case();
    let tree = chain.trace(&hash, "callTracer", json!({ "withLog": true }));
    let receipt = chain.node.call("eth_getTransactionReceipt", json!([hash]));
    assert_eq!((&tree["gas"], &tree["gasUsed"]), (&json!("0xf4240"), &receipt["gasUsed"]));
    let mut calls = Vec::new();
    preorder(&tree, &mut calls);
    assert_eq!(
        texts(&calls, "type"),
        ["CALL", "CALL", "CALL", "DELEGATECALL", "STATICCALL", "CREATE", "CREATE2", "SELFDESTRUCT", "CALL"]
    );
    let created = main.create(1);
    let destroyed = main.create2_from_code(U256::from(7).to_be_bytes(), destroyer());
    let to = [main, reverter, writer, writer, IDENTITY, created, destroyed, HEIR, endless];
    assert_eq!(calls.iter().map(|call| call["to"].clone()).collect::<Vec<_>>(), to.map(|to| json!(to)));
    assert_eq!(texts(&calls, "error"), ["", "execution reverted", "", "", "", "", "", "", "out of gas"]);
    assert_eq!((&calls[4].get("value"), &calls[5]["output"]), (&None, &json!("0x00")));
    assert_eq!(calls[8]["gasUsed"], "0x1388");
    // What was logged below the call that reverted was never logged.
    assert_eq!(calls[2].get("logs"), None);
    let log = &calls[3]["logs"][0];
    assert_eq!((&log["address"], &log["index"], &log["position"]), (&json!(main), &json!("0x0"), &json!("0x0")));

    let top = chain.trace(&hash, "callTracer", json!({ "onlyTopCall": true, "withLog": true }));
    assert_eq!((top.get("calls"), top.get("logs"), &top["gasUsed"]), (None, None, &receipt["gasUsed"]));
}

#[test]
fn a_contract_that_is_not_created_has_no_address() {
    let mut chain = Chain::new();
    let main = chain.deploy(&create(REVERT, None));
    let hash = chain.send(Some(main), Bytes::new());
    let tree = chain.trace(&hash, "callTracer", json!({}));
    assert_eq!((&tree["calls"][0]["error"], tree["calls"][0].get("to")), (&json!("execution reverted"), None));
    let rows = chain.trace(&hash, "flatCallTracer", json!({ "convertParityErrors": true }));
    assert_eq!((&rows[1]["error"], rows[1]["result"].get("address")), (&json!("Reverted"), None));
}

#[test]
fn the_list_of_calls_is_the_tree() {
    let Case { chain, hash, .. } = case();
    let tree = chain.trace(&hash, "callTracer", json!({}));
    let mut calls = Vec::new();
    preorder(&tree, &mut calls);
    let rows = chain.trace(&hash, "flatCallTracer", json!({ "includePrecompiles": true }));
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), calls.len());
    for (row, call) in rows.iter().zip(&calls) {
        let (action, kind) = (&row["action"], call["type"].as_str().unwrap());
        let expected = match kind {
            "CREATE" | "CREATE2" => ("create", &action["creationMethod"]),
            "SELFDESTRUCT" => ("suicide", &Value::Null),
            _ => ("call", &action["callType"]),
        };
        assert_eq!(row["type"], expected.0);
        assert!(kind == "SELFDESTRUCT" || *expected.1 == kind.to_lowercase(), "{row}");
        assert_eq!(row["error"], call["error"]);
        assert_eq!(row["subtraces"], call["calls"].as_array().map_or(0, Vec::len));
        let from = if kind == "SELFDESTRUCT" { &action["address"] } else { &action["from"] };
        assert_eq!(*from, call["from"]);
        if row.get("result").is_some() {
            assert_eq!(row["result"]["gasUsed"], call["gasUsed"]);
        }
    }
    // The address of a row leads to its call.
    for (row, call) in rows.iter().zip(&calls) {
        let address = row["traceAddress"].as_array().unwrap();
        let found = address.iter().fold(&tree, |at, number| &at["calls"][number.as_u64().unwrap() as usize]);
        assert_eq!(found, *call);
    }
    let receipt = chain.node.call("eth_getTransactionReceipt", json!([hash]));
    assert_eq!((&rows[0]["blockHash"], &rows[0]["transactionHash"]), (&receipt["blockHash"], &hash));
    assert_eq!(format!("0x{:x}", rows[0]["blockNumber"].as_u64().unwrap()), receipt["blockNumber"]);
    assert_eq!(rows[0]["transactionPosition"], 0);
}

#[test]
fn other_tracers_answer_as_geth_does() {
    let mut chain = Chain::new();
    let writer = chain.deploy(WRITER);
    let hash = chain.send(Some(writer), hex!("11223344aabb").into());
    assert_eq!(chain.trace(&hash, "4byteTracer", json!({})), json!({ "0x11223344-2": 1 }));
    assert_eq!(chain.trace(&hash, "noopTracer", json!({})), json!({}));
    let config = json!({ "callTracer": { "withLog": true }, "4byteTracer": null, "noopTracer": {} });
    let mux = chain.trace(&hash, "muxTracer", config);
    assert_eq!(mux["callTracer"], chain.trace(&hash, "callTracer", json!({ "withLog": true })));
    assert_eq!((&mux["4byteTracer"], &mux["noopTracer"]), (&json!({ "0x11223344-2": 1 }), &json!({})));
    let refusal = |tracer: &str, config: Value| {
        let options = json!({ "tracer": tracer, "tracerConfig": config });
        let (code, message) = chain.node.try_call("debug_traceTransaction", json!([hash, options])).unwrap_err();
        assert_eq!(code, -32602, "{message}");
        message
    };
    let script = refusal("{data: [], step: function() {}, result: function() {}}", json!({}));
    assert!(script.starts_with("options.tracer: tracers in JavaScript are not supported; there are "), "{script}");
    assert!(refusal("opcountTracer", json!({})).starts_with("options.tracer: \"opcountTracer\" is not known; "));
    assert!(refusal("muxTracer", json!({ "muxTracer": {} })).ends_with("a muxTracer cannot hold another one"));
    assert!(refusal("prestateTracer", json!({ "diffMode": true, "includeEmpty": true })).contains("diffMode"));
    let unknown =
        json!({ "tracer": "noopTracer", "tracerConfig": { "unknown": 1 }, "fullStorage": false, "timeout": "1m0s" });
    assert_eq!(chain.node.call("debug_traceTransaction", json!([hash, unknown])), json!({}));
}

#[test]
fn a_call_is_traced_before_a_transaction_of_a_block() {
    let mut chain = Chain::new();
    let writer = chain.deploy(WRITER);
    chain.send(Some(writer), Bytes::new());
    let cost = |options: Value| {
        let trace = chain.node.call("debug_traceCall", json!([{ "to": writer }, "latest", options]));
        let steps = trace["structLogs"].as_array().unwrap();
        steps.iter().find(|step| step["op"] == "SSTORE").unwrap()["gasCost"].as_u64().unwrap()
    };
    // The slot is set by the block's only transaction: before it, setting it costs more.
    assert_eq!((cost(json!({})), cost(json!({ "txIndex": "0x0" }))), (2_200, 22_100));
    let beyond = json!([{ "to": writer }, "latest", { "txIndex": "0x1" }]);
    let (code, message) = chain.node.try_call("debug_traceCall", beyond).unwrap_err();
    assert_eq!(
        (code, message.starts_with("options.txIndex: 1 is out of range for block ")),
        (-32602, true),
        "{message}"
    );
}

#[test]
fn a_call_is_traced_with_other_code_in_another_block() {
    let chain = Chain::new();
    let somewhere = Address::repeat_byte(0x66);
    // NUMBER PUSH0 MSTORE PUSH1 32 PUSH0 RETURN
    let options = json!({
        "stateOverrides": { somewhere.to_string(): { "code": "0x435f5260205ff3" } },
        "blockOverrides": { "number": "0x63" },
    });
    let trace = chain.node.call("debug_traceCall", json!([{ "to": somewhere }, "latest", options]));
    assert_eq!(trace["returnValue"], format!("0x{:064x}", 0x63));
    let both = json!({ "stateOverrides": {}, "txIndex": "0x0" });
    let (code, message) =
        chain.node.try_call("debug_traceCall", json!([{ "to": somewhere }, "latest", both])).unwrap_err();
    assert_eq!((code, message.as_str()), (-32602, "options: stateOverrides and txIndex exclude each other"));
}

/// What an account has, by the methods that ask for it.
fn held(node: &TestNode, address: &str, block: &str) -> Value {
    let ask = |method: &str| node.call(method, json!([address, block]));
    json!([ask("eth_getBalance"), ask("eth_getTransactionCount"), ask("eth_getCode")])
}

/// The same, from what a tracer shows; what it leaves out is as in `before`.
fn shown(account: &Value, before: &Value) -> Value {
    let nonce = account["nonce"].as_u64().map(|nonce| json!(format!("0x{nonce:x}")));
    let or = |value: Option<Value>, index: usize| value.unwrap_or_else(|| before[index].clone());
    json!([or(account.get("balance").cloned(), 0), or(nonce, 1), or(account.get("code").cloned(), 2)])
}

/// That the difference applied to what was before gives what is after, account by account and slot by slot.
fn check_diff(chain: &Chain, hash: &Value) {
    let height = chain.node.call("eth_blockNumber", json!([]));
    let number = u64::from_str_radix(&height.as_str().unwrap()[2..], 16).unwrap();
    let parent = format!("0x{:x}", number - 1);
    let nothing = json!(["0x0", "0x0", "0x"]);
    let all = chain.trace(hash, "prestateTracer", json!({}));
    let diff = chain.trace(hash, "prestateTracer", json!({ "diffMode": true }));
    let (pre, post) = (&diff["pre"], &diff["post"]);
    for (address, account) in all.as_object().unwrap() {
        let before = held(&chain.node, address, &parent);
        assert_eq!(shown(account, &nothing), before, "{address}");
        let slot = |key: &str, block: &str| chain.node.call("eth_getStorageAt", json!([address, key, block]));
        for (key, value) in account["storage"].as_object().into_iter().flatten() {
            assert_eq!(*value, slot(key, &parent), "{address} {key}");
            let changed = post[address]["storage"].get(key).cloned();
            // A slot that was cleared is before and not after.
            let cleared = pre[address]["storage"].get(key).map(|_| json!(format!("0x{}", "00".repeat(32))));
            assert_eq!(changed.or(cleared).unwrap_or_else(|| value.clone()), slot(key, "latest"), "{address} {key}");
        }
    }
    for (address, account) in post.as_object().unwrap() {
        let before = pre.get(address).map_or(nothing.clone(), |account| shown(account, &nothing));
        assert_eq!(shown(account, &before), held(&chain.node, address, "latest"), "{address}");
    }
    // What is not in the difference is as it was.
    for address in all.as_object().unwrap().keys().filter(|address| post.get(address).is_none()) {
        assert_eq!(held(&chain.node, address, &parent), held(&chain.node, address, "latest"), "{address}");
    }
    check_parity_diff(chain, hash, &diff);
}

/// That Parity's difference says the same.
fn check_parity_diff(chain: &Chain, hash: &Value, diff: &Value) {
    let replayed = chain.node.call("trace_replayTransaction", json!([hash, ["stateDiff", "trace"]]));
    let changes = replayed["stateDiff"].as_object().unwrap();
    let (pre, post) = (&diff["pre"], &diff["post"]);
    let addresses: BTreeSet<&String> =
        pre.as_object().unwrap().keys().chain(post.as_object().unwrap().keys()).collect();
    assert_eq!(changes.keys().collect::<BTreeSet<_>>(), addresses);
    for (address, change) in changes {
        let balance = &change["balance"];
        let (from, to) = (pre[address].get("balance"), post[address].get("balance"));
        match (balance.get("*"), balance.get("+")) {
            (Some(changed), _) => assert_eq!((changed.get("from"), changed.get("to")), (from, to)),
            (_, Some(born)) => assert_eq!(*born, to.cloned().unwrap_or(json!("0x0"))),
            _ => assert_eq!((balance, to), (&json!("="), None)),
        }
        let slots = change["storage"].as_object().unwrap().len();
        let changed = |map: &Value| map[address]["storage"].as_object().map_or(0, serde_json::Map::len);
        assert!(slots >= changed(post) && slots >= changed(pre), "{address}");
    }
    assert_eq!(replayed["trace"], strip(&chain.node.call("trace_transaction", json!([hash]))));
}

/// Rows without their place in the chain.
fn strip(rows: &Value) -> Value {
    let mut rows = rows.clone();
    for row in rows.as_array_mut().unwrap() {
        let row = row.as_object_mut().unwrap();
        for key in ["blockHash", "blockNumber", "transactionHash", "transactionPosition"] {
            assert!(row.remove(key).is_some(), "{key}");
        }
    }
    rows
}

#[test]
fn the_difference_is_from_the_state_before_to_the_state_after() {
    let Case { chain, hash, main, .. } = case();
    check_diff(&chain, &hash);
    let diff = chain.trace(&hash, "prestateTracer", json!({ "diffMode": true }));
    let (slot, one) = (format!("0x{}", "00".repeat(32)), format!("0x{}01", "00".repeat(31)));
    let post = &diff["post"][format!("{main:?}")];
    assert_eq!((&post["storage"][&slot], &post["nonce"]), (&json!(one), &json!(3)));
    let created = &diff["post"][format!("{:?}", main.create(1))];
    assert_eq!((&created["nonce"], &created["code"]), (&json!(1), &json!("0x00")));
    assert_eq!(diff["pre"].get(format!("{:?}", main.create(1))), None);
    let less = chain.trace(&hash, "prestateTracer", json!({ "disableCode": true, "disableStorage": true }));
    assert!(less.as_object().unwrap().values().all(|account| account.get("code").or(account.get("storage")).is_none()));
    let empty = chain.trace(&hash, "prestateTracer", json!({ "includeEmpty": true }));
    assert_eq!(empty[format!("{HEIR:?}")], json!({ "balance": "0x0" }));
}

#[test]
fn random_programs_change_what_the_difference_says() {
    let mut chain = Chain::new();
    let writer = chain.deploy(WRITER);
    let reverter = chain.deploy(&[call(0xf1, writer, 30_000, 0), REVERT.to_vec()].concat());
    let piece = prop_oneof![
        prop::sample::select(vec![0xf1u8, 0xf2, 0xf4, 0xfa]).prop_map(move |opcode| call(opcode, writer, 60_000, 0)),
        (0u8..3).prop_map(move |wei| call(0xf1, HEIR, 60_000, wei)),
        Just(call(0xf1, reverter, 60_000, 0)),
        Just(create(DEPLOYER, None)),
        (0u8..2).prop_map(|salt| create(&destroyer(), Some(salt))),
        (0u8..3, 0u8..3).prop_map(|(key, value)| vec![0x60, value, 0x60, key, 0x55]),
        // BALANCE, EXTCODESIZE and SLOAD of what nothing else names.
        Just(
            [&[0x73][..], Address::repeat_byte(0x42).as_slice(), &hex!("315073"), writer.as_slice(), &hex!("3b50")]
                .concat()
        ),
        Just(hex!("60095450").to_vec()),
    ];
    let programs = prop::collection::vec(piece, 0..5);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(12));
    let chain = RefCell::new(chain);
    runner
        .run(&programs, |pieces| {
            let mut chain = chain.borrow_mut();
            let program = chain.deploy(&pieces.concat());
            for _ in 0..2 {
                let nonce = chain.nonce;
                chain.nonce += 1;
                let mut fields = transfer(ACCOUNTS[0].private_key, nonce, program, 2).fields().clone();
                fields.gas_limit = 1_000_000;
                let key = secret(ACCOUNTS[0].private_key);
                let signed = AccountTransaction::sign(fields, &key).unwrap();
                let hash = chain.node.call("eth_sendRawTransaction", json!([raw(&signed)]));
                chain.node.call("dev_mine", json!([1]));
                check_diff(&chain, &hash);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn rows_are_in_the_shape_of_parity() {
    let Case { chain, hash, main, writer, reverter, .. } = case();
    let rows = chain.node.call("trace_transaction", json!([hash]));
    let rows: Vec<&Value> = rows.as_array().unwrap().iter().collect();
    let addresses: Vec<&Value> = rows.iter().map(|row| &row["traceAddress"]).collect();
    let expected =
        [json!([]), json!([0]), json!([0, 0]), json!([1]), json!([2]), json!([3]), json!([3, 0]), json!([4])];
    assert_eq!(addresses, expected.iter().collect::<Vec<_>>(), "calls of precompiled contracts are left out");
    assert_eq!(texts(&rows, "type"), ["call", "call", "call", "call", "create", "create", "suicide", "call"]);
    assert_eq!(texts(&rows, "error"), ["", "Reverted", "", "", "", "", "", "Out of gas"]);
    assert_eq!((&rows[0]["subtraces"], &rows[7]["result"]), (&json!(5), &Value::Null));
    // Without what the transaction itself costs.
    assert_eq!(rows[0]["action"]["gas"], format!("0x{:x}", 1_000_000 - 21_000));
    let suicide = json!({
        "address": main.create2_from_code(U256::from(7).to_be_bytes(), destroyer()), "balance": "0x0", "refundAddress": HEIR,
    });
    assert_eq!((&rows[6]["action"], rows[6].get("result")), (&suicide, Some(&Value::Null)));
    let get = |indices: Value| chain.node.call("trace_get", json!([hash, indices]));
    assert_eq!((&get(json!(["0x3", "0x0"])), get(json!(["0x9"]))), (rows[6], Value::Null));

    let block = chain.node.call("trace_block", json!(["latest"]));
    let block = block.as_array().unwrap();
    assert_eq!(block[..8].iter().collect::<Vec<_>>(), rows);
    let reward = &block[8];
    assert_eq!((&reward["type"], &reward["action"]["rewardType"]), (&json!("reward"), &json!("block")));
    assert_eq!((&reward["transactionHash"], &reward["result"]), (&Value::Null, &Value::Null));

    let filter = |filter: Value| chain.node.call("trace_filter", json!([filter])).as_array().unwrap().clone();
    let all = filter(json!({ "fromBlock": "0x1" }));
    let deployed: usize = 4;
    // Each deployment is one creation and a reward.
    assert_eq!(all.len(), 2 * deployed + 9);
    let to_writer = filter(json!({ "fromBlock": "0x1", "toAddress": [writer] }));
    assert_eq!(texts(&to_writer.iter().collect::<Vec<_>>(), "type"), ["create", "call", "call"]);
    let both = filter(json!({ "toAddress": [writer], "fromAddress": [reverter], "mode": "intersection" }));
    assert_eq!(both.iter().collect::<Vec<_>>(), [rows[2]]);
    let page = filter(json!({ "fromBlock": "0x1", "after": 2, "count": 3 }));
    assert_eq!(page, all[2..5]);
    assert_eq!(filter(json!({ "count": 0 })), Vec::<Value>::new());
    let (code, message) =
        chain.node.try_call("trace_filter", json!([{ "fromBlock": "0x3", "toBlock": "0x2" }])).unwrap_err();
    assert_eq!((code, message.as_str()), (-32602, "filter: fromBlock 3 is above toBlock 2"));
}

#[test]
fn runs_are_replayed_for_what_is_asked_of_them() {
    let Case { chain, hash, main, .. } = case();
    let node = &chain.node;
    let block = node.call("trace_replayBlockTransactions", json!(["latest", ["trace"]]));
    let one = node.call("trace_replayTransaction", json!([hash, ["trace"]]));
    assert_eq!((&block[0]["transactionHash"], &block[0]["trace"]), (&hash, &one["trace"]));
    assert_eq!((&one["stateDiff"], &one["vmTrace"], &one["output"]), (&Value::Null, &Value::Null, &json!("0x")));
    let request = json!({ "from": account(1), "to": main });
    let called = node.call("trace_call", json!([request, ["trace", "stateDiff"], "latest"]));
    assert_eq!(called["trace"].as_array().unwrap().len(), 8);
    assert_eq!(called["trace"][0].get("blockHash"), None);
    assert!(called["stateDiff"].as_object().unwrap().contains_key(&format!("{main:?}")));
    let (code, message) = node.try_call("trace_call", json!([request, ["vmTrace"]])).unwrap_err();
    assert_eq!((code, message.starts_with("types: vmTrace is not supported")), (-32602, true), "{message}");
    assert_eq!(node.try_call("trace_call", json!([request, ["x"]])).unwrap_err().0, -32602);
    assert_eq!(node.call("trace_block", json!(["earliest"])), json!([]));
    assert_eq!(node.call("trace_block", json!(["0x99"])), Value::Null);
    assert_eq!(node.call("trace_transaction", json!(["00".repeat(32)])), Value::Null);
}

#[test]
fn calls_that_are_traced_together_see_what_those_before_them_left() {
    let node = TestNode::fresh();
    let poor = Address::repeat_byte(0x61);
    let pay = |from: Address, to: Address, wei: &str| json!([{ "from": from, "to": to, "value": wei }, ["trace", "stateDiff"]]);
    let calls = json!([pay(account(0), poor, "0x5"), pay(poor, account(1), "0x3")]);
    let all = node.call("trace_callMany", json!([calls, "latest"]));
    assert_eq!(all[1]["trace"][0]["action"]["value"], "0x3");
    assert_eq!(
        all[1]["stateDiff"][poor.to_string().to_lowercase()]["balance"],
        json!({ "*": { "from": "0x5", "to": "0x2" } })
    );
    assert_eq!(node.call("eth_getBalance", json!([poor])), "0x0", "nothing of it stays");
    let refusal = |calls: Value| node.try_call("trace_callMany", json!([calls])).unwrap_err();
    let (code, message) = refusal(json!([pay(poor, account(1), "0x3")]));
    assert_eq!((code, message.starts_with("insufficient funds")), (-32000, true), "{message}");
    let burn = json!([{ "data": "0xfe", "gas": "0x2faf080" }, []]);
    let (code, message) = refusal(json!([burn, burn]));
    assert_eq!((code, message.as_str()), (-32005, "calls: all together may use 50000000 gas; trace fewer at a time"));
    for (odd, words) in [
        (json!([[{}]]), "calls: expected an array of at most 1000 [transaction, types]"),
        (json!(vec![json!([{}, []]); 1_001]), "calls: expected an array of at most 1000 [transaction, types]"),
        (json!([[{ "gas": -1 }, []]]), "calls[0].gas: expected a quantity"),
        (json!([[{}, ["vmTrace"]]]), "calls[0]: vmTrace is not supported"),
    ] {
        let (code, message) = refusal(odd);
        assert_eq!((code, message.starts_with(words)), (-32602, true), "{message}");
    }
}
