//! Building, signing and sending apart, and policies.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;

use chain_core::transaction::Transaction;
use serde_json::Value;
use support::{Home, MockNode, WORDS, nobody, text};

fn copy(from: &Home, name: &str, to: &Home) {
    fs::copy(from.path(name), to.path(name)).unwrap();
}

fn string(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap().to_owned()
}

#[test]
fn a_machine_without_a_network_signs_what_a_watching_one_built() {
    let node = MockNode::start();
    // The mnemonic is on a machine that reaches no node.
    let mut vault = Home::empty(&nobody());
    vault.restore(WORDS, &["--no-scan"]).json();
    fs::write(vault.path("public.json"), vault.run(&["public-keys"]).out).unwrap();
    // Another one watches.
    let watcher = Home::empty(&node.url);
    copy(&vault, "public.json", &watcher);
    watcher.run(&["watch", "public.json"]);
    assert_eq!(watcher.address(), vault.address());
    node.pay(&watcher.address(), 500_000_000);
    let friend = Home::numbered(&node, 2).address();
    let payment = format!("{friend}=1.5");
    watcher.run(&["send", &payment, "--yes"]).fails(8, "this wallet is watch-only");
    watcher.run(&["show-mnemonic", "--yes"]).fails(8, "this wallet is watch-only");
    let built = watcher.run(&["build", "--out", "pay.json", "send", &payment]);
    assert!(built.out.ends_with("Written to pay.json\n"), "{}", built.out);
    assert_eq!(built.err, "Give it to the signers: `cairn-wallet sign pay.json`.\n");
    watcher.run(&["broadcast", "pay.json", "--yes"]).fails(8, "is not signed");
    // Over to the vault and back.
    copy(&watcher, "pay.json", &vault);
    let shown = vault.run(&["show", "pay.json"]);
    for part in [friend.as_str(), "1.50000000", "change ", "is not signed"] {
        assert!(shown.out.contains(part), "{part} in {}", shown.out);
    }
    vault.run(&["sign", "pay.json"]).fails(2, "add --yes if you agree");
    let signed = vault.json(&["sign", "pay.json", "--out", "signed.json"]);
    assert_eq!((signed["newSignatures"].as_u64(), signed["complete"].as_bool()), (Some(1), Some(true)));
    vault.run(&["broadcast", "signed.json", "--yes"]).fails(5, "no node answers at");
    copy(&vault, "signed.json", &watcher);
    let sent = watcher.json(&["broadcast", "signed.json", "--wait"]);
    assert_eq!(sent["txid"], signed["txid"]);
    assert_eq!(node.state().sent.len(), 1);
    // Once more does no harm while it waits.
    watcher.run(&["broadcast", "signed.json", "--yes"]).fails(9, "is mined already, in block 121");
    node.state().mined = false;
    let again = watcher.run(&["broadcast", "signed.json", "--yes"]);
    assert_eq!((again.code, again.out), (0, format!("Already known: {}\n", sent["txid"].as_str().unwrap())));
    assert_eq!(node.state().sent.len(), 1);
    node.state().mined = true;
    vault.rpc.clone_from(&node.url);
    vault.json(&["rescan"]);
}

#[test]
fn all_kinds_are_built_signed_and_sent_apart() {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    node.pay(&home.address(), 500_000_000);
    node.state().balance_wei = "2000000000000000000".into();
    for kind in
        [&["transfer", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8=0.5"][..], &["withdraw", "0.5"], &["deposit", "0.5"]]
    {
        let built = home.run(&[&["build"], kind].concat());
        fs::write(home.path("tx.json"), &built.out).unwrap();
        assert_eq!(home.json(&["sign", "tx.json"])["complete"], true, "{kind:?}");
        home.json(&["broadcast", "tx.json"]);
    }
    assert_eq!(node.state().sent.len(), 3);
}

#[test]
fn hostile_files_are_refused() {
    let node = MockNode::start();
    let (home, thief) = (Home::with(&node, WORDS), Home::numbered(&node, 9));
    node.pay(&home.address(), 500_000_000);
    let friend = Home::numbered(&node, 2).address();
    home.run(&["build", "--out", "pay.json", "send", &format!("{friend}=1.5")]);
    let good = text(&home.path("pay.json"));
    let with = |from: &str, to: &str, code: i32, says: &str| {
        assert!(good.contains(from), "{from}");
        fs::write(home.path("bad.json"), good.replace(from, to)).unwrap();
        home.run(&["sign", "bad.json", "--yes"]).fails(code, says);
    };
    with("\"5.00000000\"", "\"6.00000000\"", 8, "are not a fee of");
    with("\"1.50000000\"", "\"1.60000000\"", 8, "are not a fee of");
    with("\"local\"", "\"main\"", 6, "it is for main");
    with("\"chainId\": 133702", "\"chainId\": 1", 6, "but this wallet is for local");
    with("cairn-transaction", "keystore", 3, "it is a 'keystore'");
    with("\"5.00000000\"", "\"1e9\"", 3, "is not an amount");
    fs::write(home.path("bad.json"), &good[..good.len() / 2]).unwrap();
    home.run(&["sign", "bad.json", "--yes"]).fails(3, "bad.json: cannot be read: EOF while parsing");
    home.run(&["sign", "none.json", "--yes"]).fails(3, "none.json: cannot be read: No such file");
    // A stranger's wallet has nothing to add.
    copy(&home, "pay.json", &thief);
    thief.run(&["sign", "pay.json", "--yes"]).fails(8, "this wallet has no key that it still needs");
    // What is changed after signing is not sent.
    home.json(&["sign", "pay.json"]);
    let signed = text(&home.path("pay.json"));
    fs::write(home.path("pay.json"), signed.replace(&friend, &thief.address())).unwrap();
    home.run(&["broadcast", "pay.json", "--yes"]).fails(8, "does not verify");
    assert!(node.state().sent.is_empty());
}

#[test]
fn two_of_three_spend_together() {
    let node = MockNode::start();
    let people: Vec<Home> = (1..=3).map(|number| Home::numbered(&node, number)).collect();
    let keys: Vec<String> = people.iter().map(|home| string(&home.json(&["policy", "key"]), "key")).collect();
    let made: Vec<Value> = people
        .iter()
        .map(|home| {
            let mut args = vec!["policy", "multisig", "2", "--name", "safe"];
            args.extend(keys.iter().map(String::as_str));
            home.json(&args)
        })
        .collect();
    assert!(made.iter().all(|policy| policy["address"] == made[0]["address"]));
    assert_eq!(string(&made[0], "policy"), format!("threshold(2,key({}),key({}),key({}))", keys[0], keys[1], keys[2]));
    // The first pays into it from its own coins,
    node.pay(&people[0].address(), 500_000_000);
    people[0].json(&["policy", "fund", "safe", "3"]);
    node.state().coins.iter_mut().for_each(|coin| coin.height = Some(100));
    let shown = people[1].json(&["policy", "show", "safe"]);
    assert_eq!(shown["spendable"], 300_000_000);
    assert_eq!(people[2].json(&["balance"])["policies"][0]["confirmed"], 300_000_000);
    // the second begins to spend, the third adds its signature.
    let to = people[1].address();
    let begun = people[1].json(&["policy", "spend", "safe", &format!("{to}=1")]);
    assert_eq!((begun["complete"].as_bool(), begun["file"].as_str()), (Some(false), Some("safe-spend.json")));
    people[1].run(&["broadcast", "safe-spend.json", "--yes"]).fails(8, "has 1 of 3 signatures");
    for other in [0, 2] {
        copy(&people[1], "safe-spend.json", &people[other]);
        people[other].json(&["sign", "safe-spend.json", "--out", "mine.json", "--force"]);
        copy(&people[other], "mine.json", &people[1]);
        let joined = people[1].run(&["combine", "safe-spend.json", "mine.json", "--out", "all.json", "--force"]);
        assert!(joined.err.contains("It is complete"), "{}{}", joined.out, joined.err);
    }
    people[1].json(&["broadcast", "all.json", "--wait"]);
    let state = node.state();
    let Some(Transaction::Coin(tx)) = state.sent.last() else { panic!("no coins were sent") };
    let change = tx.outputs.iter().find(|output| state.network.address(&output.lock) == string(&made[0], "address"));
    assert!(
        (199_980_000..200_000_000).contains(&change.unwrap().amount.grains()),
        "what is left returns to the policy"
    );
}

#[test]
fn an_htlc_pays_the_receiver_for_the_secret_or_the_sender_after_the_time() {
    let node = MockNode::start();
    let (sender, receiver) = (Home::numbered(&node, 1), Home::numbered(&node, 2));
    let secret = receiver.json(&["policy", "secret"]);
    let (secret, hash) = (string(&secret, "secret"), string(&secret, "hash"));
    let receiver_key = string(&receiver.json(&["policy", "key"]), "key");
    let args = [
        "policy",
        "htlc",
        "--hash",
        &hash,
        "--receiver",
        &receiver_key,
        "--sender",
        "me",
        "--after",
        "150",
        "--name",
        "swap",
    ];
    let made = sender.json(&args);
    // The other side makes the same address from the text.
    let same = receiver.json(&["policy", "create", &string(&made, "policy"), "--name", "swap"]);
    assert_eq!(same["address"], made["address"]);
    for _ in 0..2 {
        node.pay(&string(&made, "address"), 100_000_000);
    }
    let to = receiver.address();
    let claim = format!("{to}=0.5");
    // Too early for the sender, and impossible for the receiver without the secret.
    let early = sender.run(&["policy", "spend", "swap", "--yes"]);
    early.fails(8, "cannot be spent yet: this wallet can spend them from height 150 on, 29 blocks from now");
    receiver
        .run(&["policy", "spend", "swap", "--yes"])
        .fails(8, "the next block has height 121, and no preimage (--preimage) is given");
    receiver
        .run(&["policy", "spend", "swap", "--preimage", &"00".repeat(32), "--yes"])
        .fails(2, "is not one that the policy asks for");
    receiver.run(&["policy", "spend", "swap", "--preimage", "xyz", "--yes"]).fails(2, "is not 64 hexadecimal digits");
    // With it the receiver takes a part and leaves the rest,
    let claimed = receiver.json(&["policy", "spend", "swap", &claim, "--preimage", &secret]);
    assert!(claimed["txid"].is_string());
    node.state().coins.iter_mut().for_each(|coin| coin.height = Some(121));
    // which the sender takes back in time.
    node.state().height = 149;
    let own = sender.address();
    let refunded = sender.json(&["policy", "spend", "swap"]);
    assert_eq!(refunded["outputs"][0]["to"], own.as_str());
    assert_eq!(refunded["outputs"][0]["own"], true);
}

#[test]
fn a_timelock_opens_after_its_blocks() {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    let made = home.json(&["policy", "timelock", "--older", "100", "--name", "later"]);
    node.pay(&string(&made, "address"), 100_000_000);
    home.run(&["policy", "spend", "later", "--yes"]).fails(8, "from height 150 on, 29 blocks from now");
    node.state().height = 149;
    home.json(&["policy", "spend", "later"]);
    assert_eq!(node.state().sent.len(), 1);
    home.run(&["policy", "spend", "later", "--yes"]).fails(7, "you have 0.00000000");
}

#[test]
fn policies_that_make_no_sense_are_refused() {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    let create = |policy: &str| home.run(&["policy", "create", policy]);
    create("and(key(me)").fails(2, "is not a policy: at character");
    create("banana").fails(2, "is not a policy");
    create(&format!("key({})", "ff".repeat(32))).fails(2, "no one could sign with it");
    let deep = format!("{}key(me){}", "and(".repeat(17), ")".repeat(17));
    create(&deep).fails(2, "");
    home.run(&["policy", "multisig", "3", "me", "me"]).fails(2, "3 of 2 keys is impossible");
    home.run(&["policy", "multisig", "0", "me"]).fails(2, "0 of 1 keys is impossible");
    let key = string(&home.json(&["policy", "key"]), "key");
    home.run(&["policy", "multisig", "1", &key, &key]).fails(2, "is named twice");
    home.run(&["policy", "show", "nothing"]).fails(2, "there is no policy 'nothing'");
    home.json(&["policy", "create", &format!("key({key})"), "--name", "one"]);
    create(&format!("key({key})")).fails(2, "is known already, as 'one'");
    home.run(&["policy", "timelock", "--after", "5", "--name", "one"]).fails(2, "there is a policy 'one' already");
    home.run(&["policy", "timelock", "--after", "5", "--name", "../x"]).fails(2, "a name has 1 to 40 letters");
    // An address of a key serves as the key.
    let mixed = home.json(&["policy", "create", &format!("or(key({}), and(key(me), older(5)))", home.address())]);
    assert!(string(&mixed, "policy").starts_with("or(key("));
    assert_eq!(home.json(&["policy", "list"]).as_array().unwrap().len(), 2);
}

#[test]
fn a_file_that_pays_what_was_paid_already_is_sent_only_if_that_is_meant() {
    let node = MockNode::start();
    let owner = Home::with(&node, WORDS);
    let watcher = Home::empty(&node.url);
    fs::write(watcher.path("public.json"), owner.run(&["public-keys", "--json"]).out).unwrap();
    watcher.json(&["watch", "public.json"]);
    for _ in 0..3 {
        node.pay(&owner.address(), 500_000_000);
    }
    node.state().balance_wei = "9000000000000000000".into();
    node.state().mined = false;
    let payment = format!("{}=1", Home::numbered(&node, 2).address());
    let to = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    for order in [&["send", &payment][..], &["transfer", to, "1"]] {
        let signed = |file: &str| {
            let built = watcher.run(&[&["build", "--force", "--out", file], order, &["--json", "--yes"]].concat());
            assert_eq!(built.code, 0, "{}", built.err);
            copy(&watcher, file, &owner);
            owner.json(&["sign", file]);
            copy(&owner, file, &watcher);
            built.err
        };
        assert!(!signed("one.json").contains("the same was paid"));
        node.state().lose_answers = true;
        assert_eq!(watcher.run(&["broadcast", "one.json", "--yes"]).code, 11);
        node.state().lose_answers = false;
        let warned = signed("two.json");
        assert!(warned.contains("the same was paid") && warned.contains("refuses this without --again"), "{warned}");
        watcher
            .run(&["broadcast", "two.json", "--yes"])
            .fails(8, "which no block holds yet: to pay once more, add --again");
        watcher.run(&["broadcast", "two.json", "--dry-run"]).fails(8, "add --again");
        // The very same transaction pays nothing twice.
        assert!(watcher.run(&["broadcast", "one.json", "--yes"]).out.starts_with("Already known: "));
        watcher.json(&["broadcast", "two.json", "--again"]);
    }
    assert_eq!(node.state().sent.len(), 4);
}

#[test]
fn watching_says_that_no_node_told_what_was_used() {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    let public = home.run(&["public-keys"]).out;
    let watcher = Home::empty(&nobody());
    fs::write(watcher.path("public.json"), &public).unwrap();
    let made = watcher.run(&["watch", "public.json"]);
    assert_eq!(made.code, 0, "{}", made.err);
    assert!(
        made.err.contains("so used addresses were not looked for: run `cairn-wallet rescan` later"),
        "{}",
        made.err
    );
    // Nor can a node of another chain tell, and the wallet is made all the same.
    let other = MockNode::start();
    other.state().network.genesis.0 = [9; 32];
    let watcher = Home::empty(&other.url);
    fs::write(watcher.path("public.json"), &public).unwrap();
    let made = watcher.run(&["watch", "public.json", "--chain", "local"]);
    assert_eq!(made.code, 0, "{}", made.err);
    assert!(made.err.contains("but this wallet is for") && watcher.file().exists(), "{}", made.err);
    assert!(made.err.contains("rescan` later"), "{}", made.err);
    // One that knows what was used tells it.
    node.state().balance_wei = "0".into();
    node.pay(&home.address(), 100_000_000);
    let watcher = Home::empty(&node.url);
    fs::write(watcher.path("public.json"), &public).unwrap();
    assert_eq!(watcher.json(&["watch", "public.json"])["used"]["receive"], 2, "the one that was paid, and the next");
}
