//! Contracts that fail, and what they see of the chain.

use serde_json::json;

use crate::lab::{Lab, complaint, text};

const NOTHING_SENT: &str = "it would revert, so nothing was sent: ";

#[test]
fn reverts_are_told_in_words_and_cost_nothing() {
    let Some(lab) = Lab::start() else { return };
    let probe = lab.deploy("Probe", &[]);
    let before = lab.wei(&lab.account);
    let call = |arguments: &[&str]| lab.refused("call", "Probe", &[&[probe.as_str()], arguments].concat());
    let view = |arguments: &[&str]| lab.refused("view", "Probe", &[&[probe.as_str()], arguments].concat());
    assert_eq!(call(&["failWith", "not \"today\""]), format!("{NOTHING_SENT}\"not \\\"today\\\"\""));
    assert_eq!(view(&["failWith", ""]), "the call reverts: \"\"");
    let point = r#"(-3, [1, 2], "here")"#;
    assert_eq!(
        call(&["failCustom", "7", point]),
        format!("{NOTHING_SENT}Wrong(code: 7, point: (-3, [1, 2], \"here\"))")
    );
    assert_eq!(call(&["failSilently"]), format!("{NOTHING_SENT}it gave no reason"));
    assert_eq!(view(&["divide", "1", "0"]), "the call reverts: panic 0x12: division by zero");
    let overflow = "the call reverts: panic 0x11: a sum, difference or product does not fit its type";
    assert_eq!(view(&["subtract", "1", "2"]), overflow);
    assert_eq!(view(&["item", "0"]), "the call reverts: panic 0x32: an index is out of bounds");
    assert_eq!(call(&["spin"]), format!("{NOTHING_SENT}gas required exceeds allowance (16777216)"));
    assert_eq!((lab.pending(), lab.wei(&lab.account)), (0, before));
}

#[test]
fn what_is_sent_although_it_fails_takes_its_fee_and_nothing_else() {
    let Some(lab) = Lab::start() else { return };
    let probe = lab.deploy("Probe", &[]);
    let file = lab.file();
    let typed = ["--abi", file.as_str(), "--contract", "Probe"];
    let forced = |arguments: &[&str]| {
        let outcome = lab.run(&[&["call", probe.as_str()], arguments, &typed, &["--gas-limit", "100000"]].concat());
        assert_eq!(outcome.code, 9, "{outcome:?}");
        complaint(&outcome)
    };
    let told = forced(&["failWith", "no"]);
    assert!(told.ends_with("nothing else happened: \"no\""), "{told}");
    let before = lab.wei(&lab.account);
    assert!(forced(&["spin"]).ends_with("nothing else happened: out of gas"));
    assert_eq!(lab.number("Probe", &[&probe, "spins"]), 0);
    let receipt = lab.node.rpc.call("eth_getBlockReceipts", json!(["latest"]))[0].clone();
    assert_eq!(receipt["gasUsed"], "0x186a0", "all that it was given");
    assert!(lab.wei(&lab.account) < before);
}

#[test]
fn structs_arrays_and_events_come_back_as_they_went_in() {
    let Some(lab) = Lab::start() else { return };
    let probe = lab.deploy("Probe", &[]);
    let points = r#"[(-1, [0, 255], "a, \"b\""), (1e18, [1, 2], "")]"#;
    let echoed = lab.view("Probe", &[&probe, "echo", points, "true"]);
    let expected = json!([["-1", ["0", "255"], "a, \"b\""], ["1000000000000000000", ["1", "2"], ""]]);
    assert_eq!(echoed, [expected, json!(false)]);
    let said = lab.call("Probe", &[&probe, "say", "topic", "(-7, [3, 4], \"name\")", "0xc0ffee"]);
    let log = &said["logs"][0];
    assert_eq!(log["signature"], "Said(string,(int256,uint8[2],string),bytes)");
    let hash = format!("{:#x}", alloy_primitives::keccak256("topic"));
    assert_eq!(log["arguments"][0]["value"], hash.as_str(), "indexed text is kept as its hash");
    assert_eq!(log["arguments"][1]["value"], json!(["-7", ["3", "4"], "name"]));
    assert_eq!(log["arguments"][2]["value"], "0xc0ffee");
    assert!(said["gasUsed"].as_u64() < said["gasLimit"].as_u64(), "the estimate has a margin");
}

#[test]
fn contracts_see_the_chain() {
    let Some(lab) = Lab::start() else { return };
    let probe = lab.deploy("Probe", &[]);
    let tip = lab.node.rpc.call("eth_getBlockByNumber", json!(["latest", false]));
    let seen = lab.view("Probe", &[&probe, "chain"]);
    assert_eq!(seen[0], "1337001");
    assert_eq!(seen[1], lab.node.height().to_string(), "a view runs in the block that it asks about");
    assert_eq!(seen[3], "60000000");
    let fees = lab.view("Probe", &[&probe, "fees"]);
    assert_eq!(fees[3], tip["parentHash"], "the hash of the block before");
    let work = lab.call("Probe", &[&probe, "work", "50"]);
    assert_eq!(lab.view("Probe", &[&probe, "item", "49"]).len(), 1);
    assert!(work["gasUsed"].as_u64() > Some(1_000_000), "50 new slots");
    assert_eq!(text(&work["function"]), "work(uint256)");
}
