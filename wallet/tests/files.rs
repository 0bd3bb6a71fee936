//! What a hostile file, or a policy that nobody can mean, must not do to money.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;

use chain_core::transaction::{Transaction, coin::Lock};
use serde_json::{Value, json};
use support::{Home, MockNode, WORDS, text};

const TO: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// A wallet with so many coins of 5 CRN, and a friend's address.
fn rich(coins: usize) -> (MockNode, Home, String) {
    let node = MockNode::start();
    let (home, friend) = (Home::with(&node, WORDS), Home::numbered(&node, 2));
    let address = home.address();
    for _ in 0..coins {
        node.pay(&address, 500_000_000);
    }
    (node, home, friend.address())
}

fn string(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}")).to_owned()
}

/// The wallet's file.
fn stored(home: &Home) -> Value {
    serde_json::from_str::<Value>(&text(&home.file())).unwrap()["wallet"].clone()
}

#[test]
fn a_strangers_output_is_never_called_change() {
    let (node, home, friend) = rich(1);
    home.run(&["build", "--out", "pay.json", "send", &format!("{friend}=0.5")]);
    let thief = Home::numbered(&node, 9).address();
    // The machine that is online adds a coin of its own, and pays almost all to its address.
    let mut file: Value = serde_json::from_str(&text(&home.path("pay.json"))).unwrap();
    let coin = &mut file["transaction"]["coin"];
    let mut input = coin["inputs"][0].clone();
    input["txid"] = json!("11".repeat(32));
    input["amount"] = json!("0.00100000");
    input["address"] = json!(thief);
    coin["inputs"].as_array_mut().unwrap().push(input);
    let change = coin["outputs"].as_array_mut().unwrap().iter_mut().find(|line| line["to"] != friend.as_str()).unwrap();
    change["to"] = json!(thief);
    let left: f64 = change["amount"].as_str().unwrap().parse().unwrap();
    change["amount"] = json!(format!("{:.8}", left + 0.001));
    fs::write(home.path("bad.json"), file.to_string()).unwrap();
    let shown = home.run(&["show", "bad.json"]).out;
    assert!(!shown.contains("change"), "{shown}");
    for part in ["not yours", "1 not of this wallet", "leaves the wallet"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let json = home.json(&["show", "bad.json"]);
    assert_eq!(json["leaves"], 500_000_000, "all that is spent leaves");
    assert!(json["outputs"].as_array().unwrap().iter().all(|output| output["own"] == false));
    assert_eq!((json["inputs"][0]["own"].as_bool(), json["inputs"][1]["own"].as_bool()), (Some(true), Some(false)));
}

#[test]
fn change_so_far_down_that_no_restore_finds_it_is_not_called_own() {
    let (node, home, friend) = rich(1);
    home.run(&["build", "--out", "pay.json", "send", &format!("{friend}=0.5")]);
    let mut file: Value = serde_json::from_str(&text(&home.path("pay.json"))).unwrap();
    let keys = chain_core::spec::ChainSpec::local();
    let words = cairn_wallet::keys::parse_mnemonic(WORDS).unwrap();
    let signer = cairn_wallet::keys::Signer::new(&words).unwrap();
    let far = signer.public().lock(cairn_wallet::keys::Branch::Change, 2_000_000_000).unwrap();
    let path = cairn_wallet::keys::KeyPath::Coin(cairn_wallet::keys::Branch::Change, 2_000_000_000).to_string();
    let lines = file["transaction"]["coin"]["outputs"].as_array_mut().unwrap();
    let change = lines.iter_mut().find(|line| line["to"] != friend.as_str()).unwrap();
    change["to"] = json!(chain_core::address::encode(&keys.hrp, &far));
    change["change"] = json!(path);
    fs::write(home.path("far.json"), file.to_string()).unwrap();
    let shown = home.run(&["show", "far.json"]).out;
    assert!(shown.contains("a key of yours so far down the tree that no restore finds it"), "{shown}");
    assert!(!shown.contains("change "), "{shown}");
    assert_eq!(home.json(&["show", "far.json"])["leaves"], 500_000_000);
    home.json(&["sign", "far.json", "--allow-high-fee"]);
    assert_eq!(stored(&home)["used"]["change"], 0, "nor does signing make the wallet look there");
    drop(node);
}

#[test]
fn keys_of_policies_are_found_after_a_restore() {
    let (node, home, _) = rich(0);
    let mut key = String::new();
    for _ in 0..25 {
        key = string(&home.json(&["policy", "key"]), "key");
    }
    let text = format!("and(key({key}),older(2))");
    node.state().height = 200;
    let restored = Home::with(&node, WORDS);
    let made = restored.run(&["policy", "create", &text, "--name", "old"]);
    assert!(
        made.code == 0 && !made.err.contains("None of its keys") && !made.out.contains("None of its keys"),
        "{}",
        made.out
    );
    assert_eq!(stored(&restored)["used"]["policy"], 25);
    let address = string(&restored.json(&["policy", "show", "old"]), "address");
    node.pay(&address, 100_000_000);
    restored.json(&["policy", "spend", "old"]);
    assert_eq!(node.state().sent.len(), 1);
    assert!(![key].contains(&string(&restored.json(&["policy", "key"]), "key")), "no key is given out twice");
}

#[test]
fn spending_a_policy_without_a_key_of_it_writes_nothing() {
    let (node, home, _) = rich(0);
    let keys: Vec<String> =
        (3..5).map(|number| string(&Home::numbered(&node, number).json(&["policy", "key"]), "key")).collect();
    let made = home.json(&["policy", "multisig", "2", &keys[0], &keys[1], "--name", "theirs"]);
    node.pay(&string(&made, "address"), 100_000_000);
    home.run(&["policy", "spend", "theirs", "--yes"]).fails(8, "this wallet has no key that it still needs");
    assert!(!home.path("theirs-spend.json").exists());
}

#[test]
fn a_claim_of_an_htlc_is_replaced_at_a_higher_fee() {
    let node = MockNode::start();
    let (sender, receiver) = (Home::numbered(&node, 1), Home::numbered(&node, 2));
    let secret = receiver.json(&["policy", "secret"]);
    let key = string(&receiver.json(&["policy", "key"]), "key");
    let hash = string(&secret, "hash");
    let made = sender.json(&[
        "policy",
        "htlc",
        "--hash",
        &hash,
        "--receiver",
        &key,
        "--sender",
        "me",
        "--after",
        "150",
        "--name",
        "s",
    ]);
    receiver.json(&["policy", "create", &string(&made, "policy"), "--name", "s"]);
    node.pay(&string(&made, "address"), 100_000_000);
    node.state().mined = false;
    let first = receiver.json(&["policy", "spend", "s", "--preimage", &string(&secret, "secret")]);
    let second = receiver.json(&["bump", &string(&first, "txid"), "--fee-rate", "5"]);
    assert!(second["fee"].as_u64() > first["fee"].as_u64());
    let state = node.state();
    let [Transaction::Coin(one), Transaction::Coin(two)] = &state.sent[..] else { panic!("not two of coins") };
    assert_eq!((&one.inputs, one.outputs[0].lock), (&two.inputs, two.outputs[0].lock));
    assert!(two.outputs[0].amount < one.outputs[0].amount);
}

#[test]
fn a_secret_is_not_shown_once_the_sender_can_take_the_coin_back() {
    let node = MockNode::start();
    let (sender, receiver) = (Home::numbered(&node, 1), Home::numbered(&node, 2));
    let secret = receiver.json(&["policy", "secret"]);
    let key = string(&receiver.json(&["policy", "key"]), "key");
    let hash = string(&secret, "hash");
    let htlc =
        ["policy", "htlc", "--hash", &hash, "--receiver", &key, "--sender", "me", "--name", "s", "--after", "127"];
    let made = sender.json(&htlc);
    receiver.json(&["policy", "create", &string(&made, "policy"), "--name", "s"]);
    node.pay(&string(&made, "address"), 100_000_000);
    let (right, wrong) = (string(&secret, "secret"), "00".repeat(32));
    let claim = ["policy", "spend", "s", "--yes", "--preimage"];
    receiver.run(&[&claim[..], &[&wrong]].concat()).fails(2, "is not one that the policy asks for");
    // The tip is 120: the sender's time comes six blocks after the next.
    receiver
        .run(&[&claim[..], &[&right]].concat())
        .fails(2, "others can take this coin in 6 blocks without the secret");
    node.state().height = 126;
    receiver.run(&[&claim[..], &[&right]].concat()).fails(2, "others can take this coin already without the secret");
    receiver.run(&[&claim[..], &[&wrong]].concat()).fails(2, "is not one that the policy asks for");
    assert!(node.state().sent.is_empty() && !receiver.path("s-spend.json").exists());
    node.state().height = 119;
    receiver.json(&["policy", "spend", "s", "--dry-run", "--preimage", &right]);
    node.state().height = 126;
    receiver.json(&["policy", "spend", "s", "--yes-really", "--preimage", &right]);
    assert_eq!(node.state().sent.len(), 1);
}

#[test]
fn a_spend_of_several_signers_is_replaced_through_a_file() {
    let node = MockNode::start();
    let people: Vec<Home> = (1..=2).map(|number| Home::numbered(&node, number)).collect();
    let keys: Vec<String> = people.iter().map(|home| string(&home.json(&["policy", "key"]), "key")).collect();
    let mut safe = String::new();
    for home in &people {
        safe = string(&home.json(&["policy", "multisig", "2", &keys[0], &keys[1], "--name", "safe"]), "address");
    }
    node.pay(&safe, 500_000_000);
    node.state().mined = false;
    let friend = Home::numbered(&node, 7).address();
    let both = |file: &str| {
        fs::copy(people[0].path(file), people[1].path(file)).unwrap();
        people[1].json(&["sign", file]);
        fs::copy(people[1].path(file), people[0].path(file)).unwrap();
        people[0].json(&["broadcast", file])
    };
    people[0].json(&["policy", "spend", "safe", &format!("{friend}=1")]);
    let first = both("safe-spend.json");
    let begun = people[0].json(&["bump", &string(&first, "txid"), "--fee-rate", "5"]);
    assert_eq!(begun["complete"], false);
    let second = both(&string(&begun, "file"));
    assert!(second["fee"].as_u64() > first["fee"].as_u64());
    let pays = |sent: &Transaction, address: &str| {
        let Transaction::Coin(tx) = sent else { panic!("not of coins") };
        let network = &node.state().network;
        tx.outputs.iter().find(|output| network.address(&output.lock) == address).map(|output| output.amount.grains())
    };
    let sent = node.state().sent.clone();
    assert_eq!(pays(&sent[1], &friend), Some(100_000_000));
    assert!(pays(&sent[1], &safe) < pays(&sent[0], &safe), "what is left returns to the policy");
    people[0].run(&["bump", &string(&first, "txid"), "--yes"]).fails(8, "it was replaced already, by");
}

#[test]
fn files_with_fees_that_nobody_means_are_neither_signed_nor_sent() {
    let (node, home, friend) = rich(1);
    home.run(&["build", "--out", "pay.json", "send", &format!("{friend}=1")]);
    let mut file: Value = serde_json::from_str(&text(&home.path("pay.json"))).unwrap();
    let coin = &mut file["transaction"]["coin"];
    coin["outputs"].as_array_mut().unwrap().retain(|line| line["to"] == friend.as_str());
    coin["fee"] = json!("4.00000000");
    fs::write(home.path("bad.json"), file.to_string()).unwrap();
    let absurd = "a fee of 4.00000000 CRN is absurd (more than 0.10000000 CRN); add --allow-high-fee if it is meant";
    home.run(&["sign", "bad.json", "--yes"]).fails(8, absurd);
    home.json(&["sign", "bad.json", "--allow-high-fee"]);
    home.run(&["broadcast", "bad.json", "--yes"]).fails(8, absurd);
    assert!(node.state().sent.is_empty());
    home.json(&["broadcast", "bad.json", "--allow-high-fee"]);
    // The same for an account.
    node.state().balance_wei = "9000000000000000000".into();
    home.run(&["build", "--out", "tx.json", "transfer", TO, "1"]);
    let text = text(&home.path("tx.json")).replace("\"gasLimit\": 21000", "\"gasLimit\": 16000000000");
    fs::write(home.path("tx.json"), text).unwrap();
    home.run(&["sign", "tx.json", "--yes"]).fails(8, "is absurd");
}

#[test]
fn a_bogus_signature_in_a_file_blocks_nobody() {
    let (node, home, friend) = rich(1);
    home.run(&["build", "--out", "pay.json", "send", &format!("{friend}=1")]);
    let mut file: Value = serde_json::from_str(&text(&home.path("pay.json"))).unwrap();
    let input = &mut file["transaction"]["coin"]["inputs"][0];
    let network = node.state().network.clone();
    let Ok(Lock::Key(key)) = network.coin_address(input["address"].as_str().unwrap()) else { panic!("not a key") };
    input["signatures"] = json!([{ "key": hex::encode(key.0), "signature": "11".repeat(64) }]);
    fs::write(home.path("pay.json"), file.to_string()).unwrap();
    let signed = home.json(&["sign", "pay.json", "--out", "signed.json"]);
    assert_eq!((signed["newSignatures"].as_u64(), signed["complete"].as_bool()), (Some(1), Some(true)));
    // Joined with the bogus copy it stays good, whichever comes first.
    for pair in [["pay.json", "signed.json"], ["signed.json", "pay.json"]] {
        let joined = home.run(&["combine", pair[0], pair[1], "--out", &format!("{}-all.json", pair[0])]);
        assert!(joined.err.contains("It is complete"), "{}{}", joined.out, joined.err);
    }
    // The same for an account.
    node.state().balance_wei = "9000000000000000000".into();
    home.run(&["build", "--out", "tx.json", "transfer", TO, "1"]);
    let mut file: Value = serde_json::from_str(&text(&home.path("tx.json"))).unwrap();
    file["transaction"]["account"]["signed"] = json!("c0ffee");
    fs::write(home.path("tx.json"), file.to_string()).unwrap();
    assert_eq!(home.json(&["show", "tx.json"])["signed"], false);
    assert_eq!(home.json(&["sign", "tx.json"])["newSignatures"], 1);
    assert_eq!(home.json(&["show", "tx.json"])["signed"], true);
    home.json(&["broadcast", "tx.json"]);
}

#[test]
fn times_that_nobody_can_mean_are_refused_when_a_policy_is_made_and_when_it_is_funded() {
    let (node, home, _) = rich(1);
    let date = "is 1759999880 blocks away";
    home.run(&["policy", "timelock", "--after", "1760000000"]).fails(2, date);
    home.run(&["policy", "create", "and(key(me),after(1760000000))"]).fails(2, date);
    home.run(&["policy", "timelock", "--older", "4294967295"]).fails(2, "years from the payment on");
    home.run(&["policy", "timelock", "--after", "2027-01-01"]).fails(
        2,
        "invalid value '2027-01-01' for '--after <HEIGHT>': write the height of a block, as in 250000, not a date",
    );
    home.run(&["policy", "timelock", "--older", "30d"])
        .fails(2, "invalid value '30d' for '--older <BLOCKS>': write a number of blocks, as in 1000");
    let hash = "aa".repeat(32);
    let htlc = ["policy", "htlc", "--hash", &hash, "--receiver", "me", "--sender", "me", "--after"];
    home.run(&[&htlc[..], &["1"]].concat()).fails(2, "the sender could spend it at once");
    for policy in ["after(5)", &format!("sha256({hash})")] {
        home.run(&["policy", "create", policy]).fails(2, "without any signature");
    }
    let key = string(&home.json(&["policy", "key"]), "key");
    home.run(&["policy", "create", &format!("threshold(2,key({key}),key({key}))")]).fails(2, "counts twice");
    assert_eq!(home.json(&["policy", "list"]), json!([]));
    let made = home.run(&["policy", "timelock", "--after", "240", "--name", "later"]);
    assert!(
        made.out.contains("after(240) holds in 120 blocks, about 10 minutes; the tip has height 120"),
        "{}",
        made.out
    );
    home.run(&["policy", "timelock", "--after", "1760000000", "--yes-really", "--name", "never"]);
    home.run(&["policy", "fund", "never", "1", "--yes"]).fails(2, date);
    assert!(node.state().sent.is_empty());
    home.json(&["policy", "fund", "never", "1", "--yes-really"]);
    assert_eq!(node.state().sent.len(), 1);
}
