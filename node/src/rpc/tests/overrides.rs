//! State and block overrides of `eth_call` and `eth_estimateGas`.

use alloy_primitives::{Address, hex, keccak256};
use serde_json::{Map, Value, json};

use super::{account, raw};
use crate::{
    dev::ACCOUNTS,
    rpc::testing::{TestNode, contract},
};

/// Returns the word that an instruction pushes.
fn code_of(opcode: &str) -> String {
    format!("0x{opcode}5f5260205ff3")
}

/// A word as a call returns it.
fn word(number: u64) -> Value {
    format!("0x{number:064x}").into()
}

/// Returns the slot that the calldata names.
const READ_SLOT: &str = "0x5f35545f5260205ff3";

/// A node with a contract of [`READ_SLOT`], in whose slots 1 and 2 are 5 and 6.
fn with_storage() -> (TestNode, Address) {
    let node = TestNode::fresh();
    let initcode = hex!("60056001556006600255685f35545f5260205ff35f5260096017f3");
    let tx = contract(ACCOUNTS[0].private_key, 0, None, initcode.into());
    node.call("eth_sendRawTransaction", json!([raw(&tx)]));
    node.call("evm_mine", json!([]));
    (node, account(0).create(0))
}

#[test]
fn a_call_sees_the_state_that_it_overrides_and_leaves_none_of_it() {
    let (node, stored) = with_storage();
    let slot = |number: u64, overrides: Value| {
        node.call("eth_call", json!([{ "to": stored, "data": word(number) }, "latest", overrides]))
    };
    let at = |fields: Value| json!({ stored.to_string(): fields });
    assert_eq!(slot(1, json!({})), word(5));
    assert_eq!(slot(1, at(json!({ "stateDiff": { word(1).as_str().unwrap(): word(9) } }))), word(9));
    assert_eq!(slot(2, at(json!({ "stateDiff": { word(1).as_str().unwrap(): word(9) } }))), word(6));
    assert_eq!(slot(1, at(json!({ "state": { word(1).as_str().unwrap(): word(9) } }))), word(9));
    assert_eq!(slot(2, at(json!({ "state": { word(1).as_str().unwrap(): word(9) } }))), word(0));
    assert_eq!(slot(2, at(json!({ "state": {} }))), word(0));
    assert_eq!(slot(2, at(json!({ "code": code_of("43") }))), word(1));
    // An account that does not exist has what it is given: viem's deployless calls.
    let nobody = Address::repeat_byte(0x55);
    let fields = json!({ "code": READ_SLOT, "stateDiff": { word(3).as_str().unwrap(): word(4) } });
    let request = json!([{ "to": nobody, "data": word(3) }, "latest", { nobody.to_string(): fields }]);
    assert_eq!(node.call("eth_call", request), word(4));
    // Nothing of it stays.
    assert_eq!((slot(1, json!({})), slot(2, Value::Null)), (word(5), word(6)));
    assert_eq!(node.call("eth_getCode", json!([nobody])), "0x");
    assert_eq!(node.call("eth_getStorageAt", json!([stored, "0x1"])), word(5));
}

#[test]
fn a_call_and_an_estimate_see_the_balance_and_nonce_that_they_override() {
    let node = TestNode::fresh();
    let poor = Address::repeat_byte(0x55);
    let rich = json!({ poor.to_string(): { "balance": "0x100" } });
    let pay = json!({ "from": poor, "to": account(1), "value": "0x100" });
    for method in ["eth_call", "eth_estimateGas"] {
        let (code, message) = node.try_call(method, json!([pay])).unwrap_err();
        assert!(code == -32000 && message.starts_with("insufficient funds for gas * price + value"), "{message}");
    }
    assert_eq!(node.call("eth_call", json!([pay, "latest", rich])), "0x");
    assert_eq!(node.call("eth_estimateGas", json!([pay, "latest", rich])), "0x5208");
    // Where code of an account stands follows from its nonce: a creation that returns ADDRESS.
    let created =
        |overrides: Value| node.call("eth_call", json!([{ "from": poor, "data": code_of("30") }, "latest", overrides]));
    assert_eq!(created(json!({})), json!(poor.create(0).into_word()));
    assert_eq!(created(json!({ poor.to_string(): { "nonce": "0x5" } })), json!(poor.create(5).into_word()));
    // To run the code of an account costs more than to pay one that has none.
    let loud = json!({ account(1).to_string(): { "code": code_of("43") } });
    assert_ne!(node.call("eth_estimateGas", json!([{ "to": account(1) }, "latest", loud])), "0x5208");
}

#[test]
fn a_call_sees_the_block_that_it_overrides() {
    let node = TestNode::fresh();
    let ask = |opcode: &str, block: Value| {
        let request = json!({ "from": account(0), "gasPrice": "0x77359400", "data": code_of(opcode) });
        node.call("eth_call", json!([request, "latest", null, block]))
    };
    let (miner, random) = (Address::repeat_byte(0x44), keccak256("random"));
    assert_eq!(ask("43", json!({ "number": "0x99" })), word(0x99));
    assert_eq!(ask("42", json!({ "time": "0x99" })), word(0x99));
    assert_eq!(ask("42", json!({ "timestamp": "0x98" })), word(0x98));
    assert_eq!(ask("45", json!({ "gasLimit": "0x99" })), word(0x99));
    assert_eq!(ask("48", json!({ "baseFeePerGas": "0x99" })), word(0x99));
    assert_eq!(ask("48", json!({ "baseFee": "0x98" })), word(0x98));
    for name in ["feeRecipient", "coinbase"] {
        assert_eq!(ask("41", json!({ name: miner })), json!(miner.into_word()));
    }
    for name in ["prevRandao", "random"] {
        assert_eq!(ask("44", json!({ name: random })), json!(random));
    }
    // What means nothing here is ignored.
    assert_eq!(ask("43", json!({ "blobBaseFee": "0x1", "withdrawals": [], "number": "0x2" })), word(2));
    let estimate = json!([{ "to": account(1) }, "latest", {}, { "gasLimit": "0x5207" }]);
    assert_eq!(
        node.try_call("eth_estimateGas", estimate),
        Err((-32000, "gas required exceeds allowance (20999)".into()))
    );
}

#[test]
fn a_call_sees_the_beneficiary_of_the_block_that_it_names() {
    let node = TestNode::fresh();
    node.call("dev_mine", json!([2]));
    for block in ["0x0", "0x1", "latest"] {
        let miner = node.call("eth_getBlockByNumber", json!([block, false]))["miner"].clone();
        let answer = node.call("eth_call", json!([{ "data": code_of("41") }, block]));
        assert_eq!(answer.as_str().unwrap()[26..], miner.as_str().unwrap()[2..].to_lowercase());
    }
}

#[test]
fn a_precompiled_contract_moves_or_gives_way_to_code() {
    let node = TestNode::fresh();
    let (sha256, ripemd160, target) =
        (Address::with_last_byte(2), Address::with_last_byte(3), Address::repeat_byte(0x66));
    let call = |to: Address, overrides: Value| {
        node.try_call("eth_call", json!([{ "to": to, "data": "0x00" }, "latest", overrides]))
    };
    let digest = call(sha256, json!({})).unwrap();
    assert_eq!(digest.as_str().unwrap().len(), 66);
    let moved = json!({ sha256.to_string(): { "movePrecompileToAddress": target } });
    assert_eq!(call(target, json!({})), Ok(json!("0x")));
    assert_eq!(call(target, moved.clone()), Ok(digest.clone()));
    assert_eq!(call(sha256, moved), Ok(json!("0x")));
    let replaced = json!({ sha256.to_string(): { "code": code_of("43"), "movePrecompileToAddress": target } });
    assert_eq!(call(sha256, replaced.clone()), Ok(word(0)));
    assert_eq!(call(target, replaced), Ok(digest.clone()));
    // Wei alone replace nothing.
    assert_eq!(call(sha256, json!({ sha256.to_string(): { "balance": "0x1" } })), Ok(digest));
    for (overrides, end) in [
        (
            json!({ sha256.to_string(): { "movePrecompileToAddress": target }, target.to_string(): {} }),
            "is already overridden",
        ),
        (
            json!({
                sha256.to_string(): { "movePrecompileToAddress": target },
                ripemd160.to_string(): { "movePrecompileToAddress": target },
            }),
            "is already overridden",
        ),
    ] {
        let (code, message) = call(sha256, overrides).unwrap_err();
        assert!(code == -32000 && message.starts_with("account 0x") && message.ends_with(end), "{message}");
    }
    let (code, message) =
        call(sha256, json!({ target.to_string(): { "movePrecompileToAddress": sha256 } })).unwrap_err();
    assert!(code == -32000 && message.ends_with("is not a precompile"), "geth's code and words: {message}");
}

#[test]
fn a_malformed_override_is_named() {
    let node = TestNode::fresh();
    let (at, slot) = (Address::repeat_byte(0x55).to_string(), word(1));
    let slot = slot.as_str().unwrap();
    let refuse = |overrides: Value, block: Value| {
        for method in ["eth_call", "eth_estimateGas"] {
            let (code, message) = node
                .try_call(method, json!([{ "to": account(1) }, "latest", overrides, block]))
                .expect_err("it is malformed");
            let name = message.split(':').next().unwrap().to_owned();
            assert_eq!(code, -32602, "{message}");
            assert!(message.len() < 400, "{message}");
            if method == "eth_estimateGas" {
                return name;
            }
        }
        unreachable!()
    };
    let state = |fields: Value| refuse(json!({ at.clone(): fields }), Value::Null);
    assert_eq!(refuse(json!([]), Value::Null), "overrides");
    assert_eq!(refuse(json!("0x"), Value::Null), "overrides");
    assert_eq!(refuse(json!({ "0x12": {} }), Value::Null), "overrides.0x12");
    assert_eq!(refuse(json!({ "x".repeat(10_000): {} }), Value::Null), format!("overrides.{}", "x".repeat(44)));
    assert_eq!(state(json!(7)), format!("overrides.{at}"));
    assert_eq!(state(json!({ "balance": 7 })), format!("overrides.{at}.balance"));
    assert_eq!(state(json!({ "balance": "-1" })), format!("overrides.{at}.balance"));
    assert_eq!(state(json!({ "balance": format!("0x1{}", "0".repeat(64)) })), format!("overrides.{at}.balance"));
    assert_eq!(state(json!({ "nonce": "0x10000000000000000" })), format!("overrides.{at}.nonce"));
    assert_eq!(state(json!({ "code": "0x123" })), format!("overrides.{at}.code"));
    assert_eq!(state(json!({ "code": {} })), format!("overrides.{at}.code"));
    assert_eq!(state(json!({ "state": [] })), format!("overrides.{at}.state"));
    assert_eq!(state(json!({ "state": { "0x1": slot } })), format!("overrides.{at}.state.0x1"));
    assert_eq!(state(json!({ "stateDiff": { slot: "0x1" } })), format!("overrides.{at}.stateDiff.{slot}"));
    assert_eq!(state(json!({ "state": {}, "stateDiff": {} })), format!("overrides.{at}"));
    assert_eq!(state(json!({ "movePrecompileToAddress": 1 })), format!("overrides.{at}.movePrecompileToAddress"));
    assert_eq!(refuse(Value::Null, json!([])), "blockOverrides");
    assert_eq!(refuse(Value::Null, json!({ "number": -1 })), "blockOverrides.number");
    assert_eq!(refuse(Value::Null, json!({ "time": "0x10000000000000000" })), "blockOverrides.time");
    assert_eq!(refuse(Value::Null, json!({ "baseFee": "9" })), "blockOverrides.baseFee");
    assert_eq!(refuse(Value::Null, json!({ "feeRecipient": "0x1" })), "blockOverrides.feeRecipient");
    assert_eq!(refuse(Value::Null, json!({ "prevRandao": "0x1" })), "blockOverrides.prevRandao");
}

#[test]
fn overrides_are_bounded() {
    let node = TestNode::fresh();
    let accounts = |count: u64| -> Map<String, Value> {
        (1..=count).map(|number| (format!("0x{number:040x}"), json!({ "balance": "0x1" }))).collect()
    };
    let call = |overrides: Value| node.try_call("eth_call", json!([{ "to": account(1) }, "latest", overrides]));
    assert_eq!(call(accounts(10_000).into()), Ok(json!("0x")));
    let (code, message) = call(accounts(100_000).into()).unwrap_err();
    assert_eq!((code, message.as_str()), (-32602, "overrides: expected at most 10000 accounts, got 100000"));
}

// It takes seconds to search megabytes for jump destinations, and no gas pays for it.
#[test]
fn code_is_as_long_as_a_contract_may_be() {
    let node = TestNode::fresh();
    let of = |bytes: usize| json!({ account(1).to_string(): { "code": format!("0x00{}", "5b".repeat(bytes - 1)) } });
    let request = json!({ "to": account(1) });
    for (method, params) in [
        ("eth_call", json!([request, "latest", of(24_577)])),
        ("eth_estimateGas", json!([request, "latest", of(24_577)])),
        ("eth_createAccessList", json!([request, "latest", of(24_577)])),
        ("debug_traceCall", json!([request, "latest", { "stateOverrides": of(24_577) }])),
        ("eth_simulateV1", json!([{ "blockStateCalls": [{ "stateOverrides": of(24_577) }] }])),
    ] {
        let (code, message) = node.try_call(method, params).unwrap_err();
        let expected = ".code: expected at most 24576 bytes (EIP-170), got 24577";
        assert_eq!((code, message.ends_with(expected)), (-32602, true), "{method}: {message}");
    }
    assert_eq!(node.call("eth_call", json!([request, "latest", of(24_576)])), "0x");
}

#[test]
fn a_receiver_with_all_the_wei_of_a_word_is_named_as_such() {
    let node = TestNode::fresh();
    let rich = json!({ account(1).to_string(): { "balance": format!("0x{}", "f".repeat(64)) } });
    let request = json!({ "from": account(0), "to": account(1), "value": "0x1" });
    let (code, message) = node.try_call("eth_call", json!([request, "latest", rich])).unwrap_err();
    assert_eq!((code, message.as_str()), (-32000, "balance of the receiver would exceed 2^256 - 1"));
}
