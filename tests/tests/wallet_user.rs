//! What users do with one key, one coin or one transaction, on real nodes: keys in and out, choosing and freezing coins,
//! labels, backups, waiting for several blocks, looking things up.

use cairn_tests::{Node, TestKey, Wallet};
use serde_json::{Value, json};

const CRN: u64 = 100_000_000;
const NOBODY: &str = "0x0000000000000000000000000000000000000000";

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
}

/// Mines blocks that pay nobody in these tests.
fn mine(node: &Node, blocks: u32) {
    node.mine(blocks, &TestKey::new(77, "ecrn").address(), NOBODY);
}

/// A node, and a wallet with so many coins of 5 CRN that have matured.
fn rich(coins: u32) -> (Node, Wallet) {
    let node = Node::start();
    let wallet = Wallet::create(&node);
    node.mine(coins, &wallet.addresses().0, NOBODY);
    mine(&node, 100);
    (node, wallet)
}

/// A file beside the wallet's.
fn path(wallet: &Wallet, name: &str) -> String {
    wallet.file().with_file_name(name).display().to_string()
}

fn list(wallet: &Wallet, arguments: &[&str]) -> Vec<Value> {
    wallet.ok(arguments).as_array().expect("a list").clone()
}

#[test]
fn an_account_moves_to_another_wallet_by_its_keystore_and_pays_there() {
    let (node, wallet) = rich(1);
    wallet.ok(&["deposit", "2"]);
    mine(&node, 1);
    let account = wallet.addresses().1;
    let other = Wallet::create(&node);
    let (file, password) = (path(&other, "key.json"), path(&other, "password"));
    std::fs::write(&password, "of the keystore\n").expect("a folder of its own");
    wallet.ok(&["export-key", "0", "--out", &file, "--keystore-password-file", &password]);
    assert_eq!(text(&other.ok(&["import-key", &file, "--keystore-password-file", &password]), "account"), account);
    let paid = other.ok(&["transfer", NOBODY, "0.5", "--from", &account]);
    mine(&node, 1);
    let shown = other.ok(&["tx", &text(&paid, "txid")]);
    assert_eq!((text(&shown, "from").to_lowercase(), &shown["success"]), (account.to_lowercase(), &json!(true)));
    // Both wallets see the same account, and the words of neither bring it to the other.
    let of = |wallet: &Wallet, place: usize| text(&wallet.ok(&["balance"])["accounts"][place], "balanceWei");
    assert_eq!(of(&wallet, 0), of(&other, 1));
    let signed = other.ok(&["sign-message", "it is me", "--by", &account]);
    let checked = wallet.ok(&["verify-message", &account, &text(&signed, "signature"), "it is me"]);
    assert_eq!(checked["valid"], true);
}

#[test]
fn coins_are_chosen_frozen_and_named_and_a_backup_brings_all_of_it_back() {
    let (node, wallet) = rich(3);
    let coins = list(&wallet, &["coins"]);
    assert_eq!(coins.len(), 3);
    let (frozen, chosen) = (text(&coins[0], "coin"), text(&coins[2], "coin"));
    wallet.ok(&["freeze", &frozen]);
    let friend = Wallet::create(&node);
    let to = friend.addresses().0;
    let paid = wallet.ok(&["send", &format!("{to}=1"), "--coin", &chosen, "--label", "rent"]);
    assert_eq!(paid["inputs"].as_array().map(Vec::len), Some(1));
    assert_eq!(format!("{}:{}", text(&paid["inputs"][0], "txid"), paid["inputs"][0]["index"]), chosen);
    wallet.ok(&["policy", "timelock", "--after", "300", "--name", "later"]);
    mine(&node, 1);
    // Everything but the frozen coin.
    wallet.ok(&["send", "--max", &to]);
    mine(&node, 1);
    let left = list(&wallet, &["coins"]);
    assert_eq!((left.len(), text(&left[0], "coin"), text(&left[0], "state")), (1, frozen, "frozen".into()));
    let backup = path(&wallet, "backup");
    wallet.ok(&["backup", &backup]);
    let questions = [&["coins"][..], &["policy", "list"], &["label"], &["history"], &["balance"]];
    let before = questions.map(|arguments| wallet.ok(arguments));
    std::fs::remove_file(wallet.file()).expect("the wallet has a file");
    wallet.ok(&["restore", "--backup", &backup]);
    assert_eq!(questions.map(|arguments| wallet.ok(arguments)), before);
    assert_eq!(text(&wallet.ok(&["label", &text(&paid, "txid")]), "label"), "rent");
}

#[test]
fn a_transaction_is_waited_for_until_it_is_deep_enough() {
    let (node, wallet) = rich(1);
    let to = TestKey::new(5, "ecrn").address();
    let done = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wallet.ok(&["send", &format!("{to}=1"), "--confirmations", "3"]));
        cairn_tests::wait_for("the payment", 60, || {
            (node.rpc.call("chain_getInfo", json!([]))["mempool"]["transactions"] == 1).then_some(())
        });
        mine(&node, 3);
        waiting.join().expect("the command ends")
    });
    assert_eq!((done["confirmations"].as_u64(), done["height"].as_u64()), (Some(3), Some(102)));
}

#[test]
fn what_leaves_a_policy_and_what_is_mined_is_told_apart_in_the_history() {
    let (node, wallet) = rich(2);
    wallet.ok(&["policy", "timelock", "--after", "10", "--name", "safe"]);
    wallet.ok(&["policy", "fund", "safe", "3"]);
    mine(&node, 1);
    let to = TestKey::new(5, "ecrn").address();
    let dry = wallet.ok(&["policy", "spend", "safe", &format!("{to}=1"), "--dry-run"]);
    assert_eq!(dry["dryRun"], true);
    let spent = wallet.ok(&["policy", "spend", "safe", &format!("{to}=1")]);
    mine(&node, 1);
    let entries = list(&wallet, &["history"]);
    let safe: Vec<&Value> = entries.iter().filter(|entry| entry["side"] == "safe").collect();
    assert_eq!(safe.len(), 2, "{entries:?}");
    assert_eq!((text(safe[0], "kind"), text(safe[0], "txid")), ("sent".into(), text(&spent, "txid")));
    let lost = safe[0]["out"].as_u64().zip(safe[0]["in"].as_u64()).map(|(out, back)| out - back);
    assert!(lost > Some(CRN) && lost < Some(CRN + CRN / 100), "{safe:?}");
    let kinds = |arguments: &[&str]| {
        let entries = list(&wallet, arguments);
        entries.iter().filter(|entry| entry["kind"] == "mined").count()
    };
    assert_eq!((kinds(&["history"]), kinds(&["history", "--no-mined"])), (2, 0));
}

#[test]
fn fees_are_told_before_they_are_paid() {
    let (node, wallet) = rich(1);
    let said = wallet.ok(&["fees"])["normal"]["payment"].as_u64();
    let to = TestKey::new(5, "ecrn").address();
    assert_eq!(wallet.ok(&["send", &format!("{to}=1")])["fee"].as_u64(), said);
    assert_eq!(node.rpc.call("chain_getInfo", json!([]))["mempool"]["transactions"], 1);
}
