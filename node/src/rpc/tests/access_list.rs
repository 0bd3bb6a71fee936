//! `eth_createAccessList`.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::account;
use crate::rpc::testing::TestNode;

/// Calls with code at the address that is called.
fn list(node: &TestNode, code: &str, fields: Value) -> Value {
    let mut request = json!({ "from": account(0), "to": target(), "gas": "0x186a0" });
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let overrides = json!({ target().to_string(): { "code": code } });
    node.call("eth_createAccessList", json!([request, "latest", overrides]))
}

fn target() -> Address {
    Address::repeat_byte(0x55)
}

fn slot(number: u8) -> String {
    format!("0x{number:064x}")
}

#[test]
fn a_transfer_touches_nothing_else() {
    let node = TestNode::fresh();
    let answer = node.call("eth_createAccessList", json!([{ "from": account(0), "to": account(1), "value": "0xa" }]));
    assert_eq!(answer, json!({ "accessList": [], "gasUsed": "0x5208" }));
}

#[test]
fn slots_and_other_accounts_are_listed_and_paid_for() {
    let node = TestNode::fresh();
    // SLOAD(1); SLOAD(0); BALANCE(0x77..77); a call of a precompiled contract, which is warm anyway.
    let other = Address::repeat_byte(0x77);
    let code = format!("0x600154505f545073{}31505f5f5f5f5f60045af100", hex::encode(other));
    let answer = list(&node, &code, json!({}));
    assert_eq!(
        answer["accessList"],
        json!([
            { "address": target(), "storageKeys": [slot(0), slot(1)] },
            { "address": other, "storageKeys": [] },
        ])
    );
    assert_eq!(answer.get("error"), None);
    // With the list, a call needs the gas that was answered, no more.
    let call = |gas: &Value| {
        let overrides = json!({ target().to_string(): { "code": code } });
        let request = json!({ "from": account(0), "to": target(), "gas": gas, "accessList": answer["accessList"] });
        node.try_call("eth_estimateGas", json!([request, "latest", overrides]))
    };
    assert_eq!(call(&answer["gasUsed"]), Ok(answer["gasUsed"].clone()));
    // What was given stays in it.
    let given = json!({ "accessList": [{ "address": target(), "storageKeys": [slot(7)] }] });
    let keys = list(&node, "0x5f5400", given)["accessList"][0]["storageKeys"].clone();
    assert_eq!(keys, json!([slot(0), slot(7)]));
}

#[test]
fn a_slot_that_depends_on_gas_is_found_in_the_end() {
    let node = TestNode::fresh();
    // SLOAD(GAS / 4096): a list makes other gas, and so may need another list.
    let answer = list(&node, "0x6110005a0454", json!({}));
    assert!(!answer["accessList"][0]["storageKeys"].as_array().unwrap().is_empty(), "{answer}");
}

#[test]
fn a_call_that_fails_still_answers_what_it_touched() {
    let node = TestNode::fresh();
    let reverts = list(&node, "0x6042545f5ffd", json!({}));
    assert_eq!(reverts["accessList"], json!([{ "address": target(), "storageKeys": [slot(0x42)] }]));
    assert_eq!(reverts["error"], "execution reverted");
    let halts = list(&node, "0x604254fe", json!({}));
    assert_eq!(halts["accessList"], reverts["accessList"]);
    assert_eq!(halts["gasUsed"], "0x186a0");
    assert!(halts["error"].as_str().unwrap().starts_with("invalid opcode"), "{halts}");
    let (code, message) =
        node.try_call("eth_createAccessList", json!([{ "to": target(), "gas": "0x5207" }])).unwrap_err();
    assert!(code == -32000 && message.starts_with("intrinsic gas too low"), "{message}");
}
