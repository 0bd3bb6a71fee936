//! Nothing that a node says changes who is paid what, what comes back, or which chain is signed for: every field of its
//! answers is changed in turn. `build` needs no password, and writes what would be signed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use cairn_wallet::{
    file::Wallet,
    network::Network,
    request::{OwnKeys, Owner},
};
use chain_core::{coin::Lock, spec::ChainSpec};
use serde_json::{Value, json};
use support::{Home, MockNode, WORDS};

const TO: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, inner)| places(inner, &format!("{path}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, inner)| places(inner, &format!("{path}/{index}"), found));
        }
        _ => {}
    }
}

fn grains(value: &Value) -> u64 {
    cairn_wallet::money::parse_grains(value.as_str().unwrap()).unwrap().0
}

/// Judges a file that was built while the node lied.
fn judge(what: &str, file: &Value, wallet: &Wallet, friend: &str) {
    let network = Network::from(&ChainSpec::local());
    assert_eq!(file["network"], json!(network), "{what}");
    let own = OwnKeys::new(wallet).table().unwrap();
    if let Some(account) = file["transaction"].get("account") {
        assert_eq!(
            (account["to"].as_str(), account["valueWei"].as_str()),
            (Some(TO), Some("500000000000000000")),
            "{what}"
        );
        let wei = |field: &str| account[field].as_str().unwrap().parse::<u128>().unwrap();
        let fee = wei("maxFeePerGasWei") * u128::from(account["gasLimit"].as_u64().unwrap());
        assert!(fee <= 200_000_000_000_000_000, "{what}: a fee of {fee} wei");
        return;
    }
    let coin = &file["transaction"]["coin"];
    let (mut paid, mut others) = (0, 0);
    for line in coin["outputs"].as_array().unwrap() {
        let lock = network.destination(line["to"].as_str().unwrap()).unwrap();
        match own.owner(&lock) {
            Owner::Key(_) => {}
            _ if line["to"] == friend => paid += grains(&line["amount"]),
            _ => others += grains(&line["amount"]),
        }
    }
    assert_eq!((paid, others), (150_000_000, 0), "{what}");
    assert!(grains(&coin["fee"]) <= 15_000_000, "{what}: {}", coin["fee"]);
    for input in coin["inputs"].as_array().unwrap() {
        let lock = network.coin_address(input["address"].as_str().unwrap()).unwrap();
        assert!(matches!((own.owner(&lock), lock), (Owner::Key(_), Lock::Key(_))), "{what}");
    }
}

#[test]
fn no_field_of_a_nodes_answer_changes_who_is_paid_what_comes_back_or_which_chain_is_signed_for() {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    let friend = Home::numbered(&node, 2).address();
    let stranger = Home::numbered(&node, 9).address();
    node.state().pay(&home.address(), 300_000_000);
    node.state().pay(&home.address(), 500_000_000);
    node.state().balance_wei = "7000000000000000000".into();
    let wallet = Wallet::read(&home.file()).unwrap();
    let payment = format!("{friend}=1.5");
    let strange = [
        json!(1),
        json!(0),
        json!(u64::MAX),
        json!("0xffffffffffffffff"),
        json!("main"),
        json!(stranger),
        json!("ee".repeat(32)),
        json!(true),
        json!(null),
    ];
    let (mut built, mut tried) = (0, 0);
    for command in [&["build", "send", payment.as_str()][..], &["build", "transfer", TO, "0.5"]] {
        node.state().answers.clear();
        home.run(command);
        let answers = node.state().answers.clone();
        for (method, answer) in answers {
            let mut paths = Vec::new();
            places(&answer, "", &mut paths);
            for path in paths {
                for other in &strange {
                    let mut changed = answer.clone();
                    *changed.pointer_mut(&path).unwrap() = other.clone();
                    node.state().instead = Some((method.clone(), changed));
                    let answer = home.run(command);
                    tried += 1;
                    let what = format!("{method}{path} = {other}");
                    assert!(answer.code >= 0, "{what}: killed: {}", answer.err);
                    assert!(!answer.err.contains("panicked"), "{what}: {}", answer.err);
                    if answer.code == 0 {
                        built += 1;
                        judge(&what, &serde_json::from_str(&answer.out).unwrap(), &wallet, &friend);
                    }
                }
            }
            node.state().instead = None;
        }
    }
    assert!(built > 50 && tried > built, "{built} files were built in {tried} tries");
}
