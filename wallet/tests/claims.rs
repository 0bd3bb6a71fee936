//! What a file claims of its outputs changes neither whom a replacement pays nor what counts as the same payment: what is one's
//! own follows from the wallet's keys, and the coins of others are not moved.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;

use serde_json::{Value, json};
use support::{Home, MockNode, rich, text, txid};

/// The outputs of a file in a wallet's folder.
fn change_coin(home: &Home, name: &str, change: impl FnOnce(&mut Value)) {
    let mut file: Value = serde_json::from_str(&text(&home.path(name))).unwrap();
    change(&mut file["transaction"]["coin"]);
    fs::write(home.path(name), file.to_string()).unwrap();
}

/// A wallet of another with a policy that holds 1 CRN: the wallet, the address and the coin as a file has it.
fn other_with_policy(node: &MockNode) -> (Home, String, Value) {
    let other = Home::numbered(node, 9);
    let policy = other.json(&["policy", "multisig", "1", "me", "--name", "p"]);
    let address = policy["address"].as_str().unwrap().to_owned();
    let coin = node.pay(&address, 100_000_000);
    let input = json!({
        "txid": coin.txid.to_string(), "index": coin.index, "amount": "1.00000000", "address": address, "height": 50,
        "policy": policy["policy"],
    });
    (other, address, input)
}

/// Has the other sign a file of the first, and the first broadcast it.
fn signed_by_both(home: &Home, other: &Home, name: &str) -> Value {
    home.run(&["sign", name, "--yes", "--json"]);
    fs::copy(home.path(name), other.path(name)).unwrap();
    other.json(&["sign", name]);
    fs::copy(other.path(name), home.path(name)).unwrap();
    home.json(&["broadcast", name])
}

#[test]
fn coins_are_not_handed_to_the_policy_of_a_stranger_who_spends_along() {
    let (node, home, friend) = rich();
    let (other, policy, input) = other_with_policy(&node);
    let own = home.address();
    home.json(&["build", "--out", "both.json", "send", &format!("{friend}=1")]);
    change_coin(&home, "both.json", |coin| {
        coin["inputs"].as_array_mut().unwrap().push(input);
        coin["outputs"] = json!([{ "to": own, "amount": "5.05000000" }, { "to": policy, "amount": "0.94900000" }]);
        coin["fee"] = json!("0.00100000");
    });
    let sent = signed_by_both(&home, &other, "both.json");
    let says = format!(
        "it spends a coin of {policy}, which is neither under a key of this wallet nor under a policy that it keeps"
    );
    for command in ["cancel", "bump"] {
        home.run(&[command, txid(&sent), "--fee-rate", "20", "--yes"]).fails(8, &says);
    }
    // Nor if the wallet keeps the policy as well: the coins have two owners.
    let text = other.json(&["policy", "show", "p"])["policy"].as_str().unwrap().to_owned();
    home.json(&["policy", "create", &text, "--name", "theirs"]);
    for command in ["cancel", "bump"] {
        home.run(&[command, txid(&sent), "--fee-rate", "20", "--yes"]).fails(8, "it spends coins of several owners");
    }
    assert_eq!(node.state().sent.len(), 1);
}

#[test]
fn a_file_cannot_call_a_payment_the_rest_or_the_change() {
    let (node, home, friend) = rich();
    home.json(&["build", "--out", "good.json", "send", &format!("{friend}=1")]);
    home.json(&["sign", "good.json"]);
    let flags = [
        ("rest", json!(true), "is to take all that is left, but there are others"),
        ("change", json!("m/4411982'/0'/1/0"), "is called change, but its key is not this wallet's"),
    ];
    for (flag, value, says) in flags {
        fs::copy(home.path("good.json"), home.path("bad.json")).unwrap();
        // No signature commits to it.
        change_coin(&home, "bad.json", |coin| {
            let line = coin["outputs"].as_array_mut().unwrap().iter_mut().find(|line| line["to"] == friend.as_str());
            line.unwrap()[flag] = value;
        });
        for command in ["sign", "broadcast"] {
            home.run(&[command, "bad.json", "--yes"]).fails(8, says);
        }
    }
    assert!(node.state().sent.is_empty());
    // Without them the change pays for the higher fee, and the payment stays.
    let sent = home.json(&["broadcast", "good.json"]);
    let bumped = home.json(&["bump", txid(&sent), "--fee-rate", "20"]);
    let outputs = bumped["outputs"].as_array().unwrap();
    assert!(outputs.iter().any(|line| line["to"] == friend.as_str() && line["amount"] == 100_000_000), "{bumped}");
    assert!(outputs.iter().any(|line| line["own"] == true && line["amount"].as_u64() > Some(390_000_000)), "{bumped}");
}
