//! Whatever is odd is answered with an error of the right kind, and the node goes on.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{account, all_methods};
use crate::rpc::{base::Method, testing::TestNode};

/// JSON values as an attacker would choose them.
fn odd() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            "-1",
            "0x-1",
            "0x",
            "0x0",
            "1e400",
            "latest",
            "pending",
            "99999999999999999999999999999999",
            "\u{0}",
            "٣",
            "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "ﬀ",
            "0x00000000000000000000000000000000000000c0",
        ])
        .prop_map(Value::from),
        "[0-9a-f]{64}".prop_map(Value::from),
        "0x[0-9a-f]{0,200}".prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z]{1,12}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn odd_parameters_are_answered_and_never_end_the_node() {
    let node = TestNode::fresh();
    let skip = ["admin_stop", "miner_start"];
    let moves = ["anvil", "dev", "evm", "hardhat"];
    let (dev, methods): (Vec<_>, Vec<_>) = all_methods()
        .into_iter()
        .filter(|method| !skip.contains(&method.name))
        .partition(|method| moves.iter().any(|prefix| method.name.starts_with(prefix)));
    ask_odd_things(&node, methods);
    assert_eq!(node.call("chain_getInfo", json!([]))["height"], 0);
    ask_odd_things(&TestNode::fresh(), dev);
}

fn ask_odd_things(node: &TestNode, methods: Vec<&Method>) {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(40));
    for method in methods {
        let values = prop::collection::vec(odd(), 0..=method.params.len() + 1);
        runner
            .run(&values, |values| {
                let surplus = values.len() > method.params.len();
                if let Err((code, message)) = node.try_call(method.name, Value::from(values)) {
                    let allowed = [3, -32602, -32000, -32001, -32002, -32003];
                    prop_assert!(allowed.contains(&code), "{}: {code} {message}", method.name);
                } else {
                    prop_assert!(!surplus, "{} takes surplus parameters", method.name);
                }
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn malformed_values_of_each_kind_are_minus_32602() {
    let node = TestNode::fresh();
    let bad: &[(&str, Value)] = &[
        ("chain_getBlock", json!([-1])),
        ("chain_getBlock", json!([1.5])),
        ("chain_getBlock", json!(["xyz"])),
        ("chain_getBlock", json!([1, 3])),
        ("chain_getBlock", json!([99999999999u64])),
        ("chain_getHeader", json!([0, "yes"])),
        ("chain_getBlockHash", json!([])),
        ("chain_submitBlock", json!(["0xzz"])),
        ("coin_getCoins", json!([[]])),
        ("coin_getCoins", json!([5])),
        ("coin_getCoin", json!(["00", 0])),
        ("coin_getTransaction", json!(["é"])),
        ("coin_sendRawTransaction", json!([""])),
        ("coin_decodeTransaction", json!(["ff"])),
        ("coin_getHistory", json!(["nowhere"])),
        ("eth_getBalance", json!(["0x12", "latest"])),
        ("eth_getBalance", json!(["f39fd6e51aad88f6f4ce6ab8827279cffFb92266", "latest"])),
        ("eth_getBalance", json!([account(0), {"blockHash": "0x1"}])),
        (
            "eth_getBalance",
            json!([account(0), {"blockHash": format!("0x{}", "0".repeat(64)), "requireCanonical": "yes"}]),
        ),
        ("eth_getBalance", json!([account(0), {}])),
        ("eth_getBalance", json!([account(0), "latest", 1])),
        ("eth_getBalance", json!([account(0), "newest"])),
        ("eth_getBlockByNumber", json!([1, false])),
        ("eth_getBlockByNumber", json!(["0x01", false])),
        ("eth_getBlockByNumber", json!(["-0x1", false])),
        ("eth_getBlockByNumber", json!(["latest", 1])),
        ("eth_getTransactionByHash", json!(["0x1234"])),
        ("eth_getStorageAt", json!([account(0), "0x1g", "latest"])),
        ("eth_getProof", json!([account(0), "0x0", "latest"])),
        ("eth_sendRawTransaction", json!(["02"])),
        ("eth_feeHistory", json!(["-1", "latest"])),
        ("miner_setAddress", json!(["lcrn1wrong"])),
        ("miner_start", json!([0])),
        ("miner_getTemplate", json!([{"address": "x"}])),
        ("miner_getTemplate", json!([{"adress": "x"}])),
        ("eth_call", json!([])),
        ("eth_call", json!([{"to": "0x12"}])),
        ("eth_estimateGas", json!([{"value": -1}])),
        ("eth_estimateGas", json!([{"gas": "21000"}])),
        ("web3_sha3", json!(["abc"])),
        ("evm_mine", json!([[]])),
        ("dev_setAutomine", json!(["on"])),
    ];
    for (method, params) in bad {
        match node.try_call(method, params.clone()) {
            Err((code, _)) => assert_eq!(code, -32602, "{method} {params}"),
            Ok(answer) => panic!("{method} {params} answers {answer}"),
        }
    }
}

/// Methods of Ethereum with parameters, and such as they take.
fn taken() -> Vec<(&'static str, Value)> {
    let (address, hash) = (account(0), format!("0x{}", "0".repeat(64)));
    let mut taken = vec![
        ("eth_feeHistory", json!(["0x1", "latest", [50]])),
        ("eth_getStorageAt", json!([address, "0x0", "latest"])),
        ("eth_getStorageValues", json!([{ &hash[..42]: ["0x0"] }, "latest"])),
        ("eth_getProof", json!([address, ["0x0"], "latest"])),
        ("eth_call", json!([{ "to": address }, "latest"])),
        ("eth_estimateGas", json!([{ "to": address }, "latest"])),
        ("eth_fillTransaction", json!([{ "to": address }])),
        ("eth_sendRawTransaction", json!(["0x02c0"])),
        ("eth_sendRawTransactionSync", json!(["0x02c0", "0x1"])),
        ("txpool_contentFrom", json!([address])),
        ("web3_sha3", json!(["0x00"])),
    ];
    let accounts = ["eth_getBalance", "eth_getTransactionCount", "eth_getCode"];
    taken.extend(accounts.map(|method| (method, json!([address, "latest"]))));
    taken.extend([("eth_getBlockByNumber", json!(["latest", true])), ("eth_getBlockByHash", json!([hash, true]))]);
    let of_blocks = [
        "eth_getBlockReceipts",
        "eth_getBlockTransactionCountByNumber",
        "eth_getUncleCountByBlockNumber",
        "eth_getHeaderByNumber",
        "eth_getBlockAccessList",
        "debug_getRawBlock",
        "debug_getRawHeader",
        "debug_getRawReceipts",
    ];
    taken.extend(of_blocks.map(|method| (method, json!(["latest"]))));
    let of_hashes = [
        "eth_getBlockTransactionCountByHash",
        "eth_getUncleCountByBlockHash",
        "eth_getHeaderByHash",
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
        "eth_getRawTransactionByHash",
        "debug_getRawTransaction",
    ];
    taken.extend(of_hashes.map(|method| (method, json!([hash]))));
    let of_indexes = ["eth_getTransactionBy", "eth_getRawTransactionBy", "eth_getUncleBy"];
    for method in super::all_methods() {
        if of_indexes.iter().any(|start| method.name.starts_with(start)) && method.name.ends_with("AndIndex") {
            let block = if method.name.contains("Hash") { &hash } else { "latest" };
            taken.push((method.name, json!([block, "0x0"])));
        }
    }
    taken
}

#[test]
fn each_odd_parameter_of_ethereums_methods_is_minus_32602_by_its_name() {
    let node = TestNode::fresh();
    let long = format!("0x{}g", "f".repeat(1_000));
    let odd = [json!(-1), json!(1.5), json!("no such value"), json!("-0x1"), json!(long), json!([[[]]])];
    for (name, params) in taken() {
        let method = *super::all_methods().iter().find(|method| method.name == name).expect(name);
        let params = params.as_array().unwrap();
        let refusal = |params: &[Value]| match node.try_call(name, params.into()) {
            Err((-32602, message)) => message,
            other => panic!("{name} {params:?}: {other:?}"),
        };
        for (place, parameter) in method.params.iter().enumerate().take(params.len()) {
            for value in &odd {
                let mut params = params.clone();
                params[place] = value.clone();
                let message = refusal(&params);
                assert!(message.starts_with(parameter), "{name} {value}: {message}");
            }
        }
        let surplus = [params.clone(), vec![Value::Null; method.params.len() + 1 - params.len()]].concat();
        assert!(refusal(&surplus).starts_with("expected at most"), "{name}");
        let missing = refusal(&[]);
        assert!(missing.starts_with(&format!("{}: missing", method.params[0])), "{name}: {missing}");
    }
}
