//! Nothing that a node says changes who is paid what, what comes back, or which chain is signed for: every field of its
//! answers is changed in turn. `build` needs no password, and writes what would be signed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use cairn_wallet::{file::Wallet, network::Network, own::Owner};
use chain_core::{spec::ChainSpec, transaction::coin::Lock};
use serde_json::{Value, json};
use support::{ACCOUNT, Home, MockNode, WORDS, places};

const TO: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

fn grains(value: &Value) -> u64 {
    cairn_wallet::money::parse_grains(value.as_str().unwrap()).unwrap().grains()
}

/// What was ordered.
enum Order<'a> {
    /// So much in coins to one address; nothing if all there is.
    Coins { to: &'a str, amount: Option<u64> },
    /// So much from the first account to another, or to the gateway and so to an own coin address; with this calldata.
    Account { to: &'a str, wei: &'static str, input: Option<&'static str> },
}

/// Judges a file that was built while the node lied.
fn judge(what: &str, file: &Value, wallet: &Wallet, order: &Order<'_>) {
    let network = Network::from(&ChainSpec::local());
    assert_eq!(file["network"], json!(network), "{what}");
    match order {
        Order::Account { to, wei, input } => {
            judge_account(what, &file["transaction"]["account"], wallet, (to, wei, *input))
        }
        Order::Coins { to, amount } => judge_coins(what, &file["transaction"]["coin"], wallet, to, *amount),
    }
}

fn judge_account(what: &str, account: &Value, wallet: &Wallet, (to, value, input): (&str, &str, Option<&str>)) {
    assert_eq!(account["from"], ACCOUNT, "{what}");
    assert_eq!((account["to"].as_str(), account["valueWei"].as_str()), (Some(to), Some(value)), "{what}");
    match (account.get("withdrawTo"), input) {
        (None, _) => assert_eq!(account["input"].as_str(), input, "{what}"),
        (Some(back), _) => {
            let lock = wallet.network.coin_address(back.as_str().unwrap()).unwrap();
            let own = wallet.key_table().unwrap();
            assert!(matches!(own.owner(&lock), Owner::Key(_)), "{what}: {back}");
            let data = hex::encode(chain_core::execute::withdraw_calldata(&lock));
            assert_eq!(account["input"].as_str(), Some(data.as_str()), "{what}");
        }
    }
    let wei = |field: &str| account[field].as_str().unwrap().parse::<u128>().unwrap();
    let fee = wei("maxFeePerGasWei") * u128::from(account["gasLimit"].as_u64().unwrap());
    assert!(fee <= 200_000_000_000_000_000, "{what}: a fee of {fee} wei");
}

fn judge_coins(what: &str, coin: &Value, wallet: &Wallet, to: &str, amount: Option<u64>) {
    let own = wallet.key_table().unwrap();
    let (mut paid, mut back, mut others) = (0, 0, 0);
    for line in coin["outputs"].as_array().unwrap() {
        let lock = wallet.network.destination(line["to"].as_str().unwrap()).unwrap();
        match own.owner(&lock) {
            _ if line["to"] == to => paid += grains(&line["amount"]),
            Owner::Key(_) => back += grains(&line["amount"]),
            _ => others += grains(&line["amount"]),
        }
    }
    assert_eq!(others, 0, "{what}");
    match amount {
        Some(amount) => assert_eq!(paid, amount, "{what}"),
        None => assert_eq!(back, 0, "{what}"),
    }
    assert!(grains(&coin["fee"]) <= 15_000_000, "{what}: {}", coin["fee"]);
    for input in coin["inputs"].as_array().unwrap() {
        let lock = wallet.network.coin_address(input["address"].as_str().unwrap()).unwrap();
        assert!(matches!((own.owner(&lock), lock), (Owner::Key(_), Lock::Key(_))), "{what}");
    }
}

/// Builds with every field of every answer changed in turn, and judges what is built.
fn lie_about(orders: &[(&[&str], Order<'_>)], node: &MockNode, home: &Home, stranger: &str) {
    let wallet = Wallet::read(&home.file()).unwrap();
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
    for (command, order) in orders {
        let (mut built, mut tried) = (0, 0);
        node.state().answers.clear();
        let honest = home.run(command);
        judge("the truth", &honest.json(), &wallet, order);
        let answers = node.state().answers.clone();
        for (method, answer) in answers {
            let mut paths = Vec::new();
            places(&answer, "", &mut paths);
            for (path, other) in paths.iter().flat_map(|path| strange.iter().map(move |other| (path, other))) {
                let mut changed = answer.clone();
                *changed.pointer_mut(path).unwrap() = other.clone();
                node.state().instead = Some((method.clone(), changed));
                let answer = home.run(command);
                tried += 1;
                let what = format!("{command:?}: {method}{path} = {other}");
                assert!(answer.code >= 0, "{what}: killed: {}", answer.err);
                assert!(!answer.err.contains("panicked"), "{what}: {}", answer.err);
                if answer.code == 0 {
                    built += 1;
                    judge(&what, &serde_json::from_str(&answer.out).unwrap(), &wallet, order);
                }
            }
            node.state().instead = None;
        }
        assert!(built > 20 && tried > built, "{command:?}: {built} files were built in {tried} tries");
    }
}

fn rich() -> (MockNode, Home, String, String) {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    let (friend, stranger) = (Home::numbered(&node, 2).address(), Home::numbered(&node, 9).address());
    node.pay(&home.address(), 300_000_000);
    node.pay(&home.address(), 500_000_000);
    node.state().balance_wei = "7000000000000000000".into();
    (node, home, friend, stranger)
}

#[test]
fn no_field_of_a_nodes_answer_changes_who_is_paid_in_coins_or_which_chain_is_signed_for() {
    let (node, home, friend, stranger) = rich();
    let payment = format!("{friend}=1.5");
    let orders: [(&[&str], Order<'_>); 3] = [
        (&["build", "send", &payment], Order::Coins { to: &friend, amount: Some(150_000_000) }),
        (&["build", "send", "--max", &friend], Order::Coins { to: &friend, amount: None }),
        (&["build", "deposit", "1.5"], Order::Coins { to: ACCOUNT, amount: Some(150_000_000) }),
    ];
    lie_about(&orders, &node, &home, &stranger);
}

#[test]
fn no_field_of_a_nodes_answer_changes_who_is_paid_by_an_account_or_which_chain_is_signed_for() {
    let (node, home, _, stranger) = rich();
    let gateway = chain_core::execute::GATEWAY.to_string();
    let orders: [(&[&str], Order<'_>); 3] = [
        (&["build", "transfer", TO, "0.5"], Order::Account { to: TO, wei: "500000000000000000", input: None }),
        (&["build", "withdraw", "0.5"], Order::Account { to: &gateway, wei: "500000000000000000", input: None }),
        (
            &["build", "call", TO, "set(uint256)", "7"],
            Order::Account {
                to: TO,
                wei: "0",
                input: Some("60fe47b10000000000000000000000000000000000000000000000000000000000000007"),
            },
        ),
    ];
    lie_about(&orders, &node, &home, &stranger);
}
