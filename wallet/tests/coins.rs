//! Coins one by one, names, single transactions, what things cost, and policies as a list.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;

use chain_core::transaction::Transaction;
use serde_json::{Value, json};
use support::{ACCOUNT, Home, MockNode, WORDS, nobody};

/// A wallet with coins of 5, 2 and 1 CRN, and the address of somebody else.
fn rich() -> (MockNode, Home, String) {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    let address = home.address();
    for crn in [5, 2, 1] {
        node.pay(&address, crn * 100_000_000);
    }
    let friend = Home::numbered(&node, 2).address();
    (node, home, friend)
}

fn coin(index: usize) -> String {
    format!("{}:{index}", "07".repeat(32))
}

fn spent(node: &MockNode) -> Vec<String> {
    let Some(Transaction::Coin(tx)) = node.state().sent.last().cloned() else { panic!("nothing of coins was sent") };
    let mut names: Vec<String> = tx.inputs.iter().map(|input| format!("{}:{}", input.txid, input.index)).collect();
    names.sort();
    names
}

#[test]
fn lists_coins_with_what_can_be_done_with_them() {
    let (node, home, friend) = rich();
    node.state().coins[2].mature = false;
    home.json(&["send", &format!("{friend}=4"), "--coin", &coin(0)]);
    let states = |list: &Value| {
        let of = |entry: &Value| (entry["amount"].as_u64().unwrap(), entry["state"].as_str().unwrap().to_owned());
        list.as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    let listed = home.json(&["coins"]);
    assert_eq!(listed[0]["coin"], coin(1));
    let mut listed = states(&listed);
    let change = listed.remove(1);
    assert!(change.0 < 100_000_000 || change.1 == "immature", "{change:?}");
    assert_eq!(listed[0], (200_000_000, "spendable".into()));
    assert_eq!(states(&home.json(&["coins", "--all"]))[0], (500_000_000, "spent".into()));
    let poor = Home::numbered(&node, 3);
    assert!(poor.run(&["coins"]).err.contains("There are no coins; `cairn-wallet address` shows where to be paid."));
    poor.run(&["coins", "--rpc", &nobody()]).fails(5, "no node answers");
}

#[test]
fn spends_the_coins_that_are_named_and_no_others() {
    let (node, home, friend) = rich();
    let payment = format!("{friend}=0.5");
    home.json(&["send", &payment, "--coin", &coin(2), "--coin", &coin(1)]);
    assert_eq!(spent(&node), [coin(1), coin(2)], "all that were named, though one would do");
    home.run(&["send", &payment, "--coin", &coin(2), "--yes"]).fails(2, "is spent by the pending transaction");
    home.run(&["send", &payment, "--coin", &coin(9), "--yes"]).fails(2, "is not an unspent coin of this wallet");
    home.run(&["send", &payment, "--coin", "x", "--yes"]).fails(2, "write TXID:N");
    home.run(&["send", &format!("{friend}=6"), "--coin", &coin(0), "--yes"]).fails(7, " short");
    home.json(&["deposit", "--max", "--coin", &format!("0x{}", coin(0))]);
    assert_eq!(spent(&node), [coin(0)]);
}

#[test]
fn frozen_coins_stay_where_they_are() {
    let (node, home, friend) = rich();
    assert_eq!(home.json(&["freeze", &coin(0)])["frozen"], json!([coin(0)]));
    home.run(&["freeze", &coin(9)]).fails(2, "is not an unspent coin of this wallet");
    assert_eq!(home.json(&["coins"])[0]["state"], "frozen");
    home.run(&["send", &format!("{friend}=4"), "--yes"]).fails(7, "you have 3.00000000");
    home.run(&["send", &format!("{friend}=4"), "--coin", &coin(0), "--yes"])
        .fails(2, "is frozen: `cairn-wallet unfreeze`");
    home.json(&["send", "--max", &friend]);
    assert_eq!(spent(&node), [coin(1), coin(2)]);
    home.run(&["unfreeze", &coin(1)]).fails(2, "is not frozen");
    assert_eq!(home.json(&["unfreeze", &coin(0)])["frozen"], json!([]));
    home.json(&["send", &format!("{friend}=4")]);
    assert_eq!(spent(&node), [coin(0)]);
}

#[test]
fn names_are_given_shown_and_taken_away() {
    let (_node, home, friend) = rich();
    home.json(&["label", &friend, "bob"]);
    home.json(&["label", &ACCOUNT.to_lowercase(), "savings"]);
    assert_eq!(home.run(&["label", &friend]).out, "bob\n");
    assert_eq!(home.json(&["label"]).as_array().unwrap().len(), 2);
    assert_eq!(home.json(&["label", ACCOUNT])["label"], "savings", "however it is written");
    let sent = home.json(&["send", &format!("{friend}=1"), "--label", "rent of May"]);
    let named = home.json(&["label", sent["txid"].as_str().unwrap()]);
    assert_eq!(named["label"], "rent of May");
    let new = home.json(&["address", "--new", "--label", "shop"]);
    let listed = home.json(&["address", "--list"]);
    assert_eq!((&listed[1]["address"], &listed[1]["label"]), (&new["address"], &json!("shop")));
    home.json(&["label", &friend, "--remove"]);
    home.run(&["label", &friend, "--remove"]).fails(2, "has no label");
    for bad in ["", "a\nb", "a\u{200b}b", &"x".repeat(101)] {
        home.run(&["label", &friend, bad]).fails(2, "a label has 1 to 100 letters");
    }
    home.run(&["label", "bob", "x"]).fails(2, "'bob' is not an address on local");
    // A bad label stops a payment before it is signed.
    home.run(&["send", &format!("{friend}=1"), "--label", "a\tb", "--yes"]).fails(2, "a label has 1 to 100 letters");
}

#[test]
fn a_dry_run_signs_and_sends_nothing() {
    let (node, home, friend) = rich();
    let before = support::text(&home.file());
    let mut command = home.command(&["send", &format!("{friend}=1"), "--dry-run", "--json"]);
    let shown = support::answered(command.env_remove("CAIRN_WALLET_PASSWORD").output().unwrap()).json();
    assert_eq!((shown["dryRun"].as_bool(), shown["txid"].as_str()), (Some(true), None));
    assert!(shown["fee"].as_u64().unwrap() > 0);
    let text = home.run(&["send", &format!("{friend}=1"), "--dry-run"]);
    assert!(text.out.contains("leaves the wallet") && text.err.contains("Nothing was signed or sent."), "{}", text.err);
    node.state().balance_wei = "2000000000000000000".into();
    assert_eq!(home.json(&["transfer", ACCOUNT, "1", "--dry-run"])["dryRun"], true);
    assert_eq!(home.json(&["deposit", "1", "--dry-run"])["dryRun"], true);
    home.json(&["policy", "timelock", "--after", "100", "--name", "t"]);
    let safe = home.json(&["policy", "list"])[0]["address"].as_str().unwrap().to_owned();
    node.pay(&safe, 100_000_000);
    assert_eq!(home.json(&["policy", "spend", "t", "--dry-run"])["dryRun"], true);
    assert!(node.state().sent.is_empty());
    let after: Value = serde_json::from_str(&support::text(&home.file())).unwrap();
    let before: Value = serde_json::from_str(&before).unwrap();
    assert_eq!(before["wallet"]["sent"], after["wallet"]["sent"]);
    home.run(&["send", &friend, "1", "--dry-run", "--wait"]).fails(2, "cannot be used with");
}

#[test]
fn waits_for_as_many_blocks_as_it_is_told() {
    let (node, home, friend) = rich();
    node.state().confirmations = 3;
    let sent = home.json(&["send", &format!("{friend}=1"), "--confirmations", "3"]);
    assert_eq!((sent["confirmations"].as_u64(), sent["height"].as_u64()), (Some(3), Some(121)));
}

#[test]
fn shows_one_transaction_and_what_is_known_of_it() {
    let (node, home, friend) = rich();
    let sent = home.json(&["send", &format!("{friend}=1"), "--label", "rent"]);
    let txid = sent["txid"].as_str().unwrap();
    let shown = home.json(&["tx", &format!("0x{txid}")]);
    assert_eq!((shown["own"].as_bool(), shown["label"].as_str()), (Some(true), Some("rent")));
    assert_eq!(shown["height"], 121);
    let text = home.run(&["tx", txid]).out;
    assert!(text.contains("in block 121") && text.contains("1.00000000 to ") && text.contains("rent"), "{text}");
    node.state().sent.clear();
    home.run(&["tx", txid]).fails(9, "`cairn-wallet resend` rebroadcasts it");
    let unknown = home.run(&["tx", &"0".repeat(64)]);
    unknown.fails(9, "000 is unknown to the node: it is neither on its chain nor waits for a block");
    assert!(!unknown.err.contains("refused"), "nothing was sent: {}", unknown.err);
    home.run(&["tx", "zz"]).fails(2, "'zz' is not a transaction id");
}

#[test]
fn what_a_node_says_of_a_transaction_beside_its_bytes_is_not_shown_as_signed() {
    let (node, home, friend) = rich();
    node.state().balance_wei = "2000000000000000000".into();
    let own = home.address();
    let paid = home.json(&["send", &format!("{friend}=1")]);
    let transferred = home.json(&["transfer", ACCOUNT, "1"]);
    let withdrawn = home.json(&["withdraw", "0.5", "--to", &friend]);
    for (sent, kind) in [(&paid, "coin"), (&transferred, "account"), (&withdrawn, "account")] {
        let txid = sent["txid"].as_str().unwrap();
        let hex = home.json(&["tx", txid])["hex"].clone();
        let lies = json!({
            "txid": txid, "hex": hex, "kind": "coinbase", "outputs": [{ "amount": 99_900_000_000_u64, "address": own }],
            "inputs": [], "from": TO_NOBODY, "to": TO_NOBODY, "sender": TO_NOBODY, "nonce": 7_777, "valueWei": "1",
            "fee": 123_456_789, "withdrawals": [{ "address": own }], "blockHash": null, "height": 5, "time": 1_760_000_000,
            "confirmations": 1, "success": false,
        });
        node.state().instead = Some(("coin_getTransaction".into(), lies.clone()));
        let (text, shown) = (home.run(&["tx", txid]).out, home.json(&["tx", txid]));
        for lie in ["999.0", TO_NOBODY, "7777", "coinbase"] {
            assert!(!text.contains(lie) && !shown.to_string().contains(lie), "{kind}: {lie} in {text} {shown}");
        }
        assert_eq!(shown["kind"], kind);
        assert_eq!(text.contains("1.23456789 CRN"), kind == "coin", "{text}");
        assert_eq!(text.contains(", failed"), kind == "account", "a payment cannot fail: {text}");
        assert!(!text.contains("pays") || kind == "coin", "what failed pays nobody: {text}");
        for (field, value) in [
            ("success", json!("false")),
            ("confirmations", json!(0)),
            ("height", json!(1_u64 << 40)),
            ("time", json!(u64::MAX)),
        ] {
            let mut odd = lies.clone();
            odd[field] = value;
            node.state().instead = Some(("coin_getTransaction".into(), odd));
            home.run(&["tx", txid]).fails(5, "no block can have its height");
        }
        node.state().instead = None;
    }
    let text = home.run(&["tx", withdrawn["txid"].as_str().unwrap()]).out;
    assert!(text.contains(&format!("pays   {friend}")) && text.contains("0.5"), "{text}");
    let text = home.run(&["tx", paid["txid"].as_str().unwrap()]).out;
    assert!(text.contains("spends "), "{text}");
}

const TO_NOBODY: &str = "0x000000000000000000000000000000000000dEaD";

#[test]
fn says_what_transactions_cost_now() {
    let (_node, home, friend) = rich();
    let fees = home.json(&["fees"]);
    assert_eq!(
        (&fees["baseFeeWei"], &fees["fast"]["tipWei"], &fees["slow"]["transferWei"]),
        (&json!("1000000000"), &json!("100000000"), &json!("21000000000000"))
    );
    let said = fees["normal"]["payment"].as_u64().unwrap();
    let paid = home.json(&["send", &format!("{friend}=1")])["fee"].as_u64().unwrap();
    assert_eq!(said, paid, "one coin in, payment and change out");
    let table = home.run(&["fees"]);
    assert!(
        table.out.contains("Base fee 1 gwei per gas") && table.out.contains("transfer (21000 gas)"),
        "{}",
        table.out
    );
    assert_eq!(table.out.lines().count(), 5, "{}", table.out);
    // Where no tip is needed all speeds are one row.
    let quiet = json!({
        "baseFee": 7, "nextBaseFeeMax": 7, "tipPerGas": { "slow": 0, "normal": 0, "fast": 0 }, "minReplacementPercent": 10,
    });
    _node.state().instead = Some(("coin_estimateFee".into(), quiet));
    let table = home.run(&["fees"]);
    assert!(table.out.lines().count() == 3 && table.out.contains("slow, normal, fast"), "{}", table.out);
    assert!(table.err.contains("rounded up to 0.00000001"), "{}", table.err);
    _node.state().instead = None;
    assert!(Home::empty(&_node.url).json(&["fees"])["slow"].is_object(), "needs no wallet");
}

#[test]
fn an_address_is_drawn_for_cameras() {
    let (_node, home, _) = rich();
    let drawn = home.run(&["address", "coin", "--qr"]).out;
    assert_eq!(drawn.lines().next().unwrap(), home.address());
    assert!(drawn.lines().count() > 15 && drawn.contains('█'), "{drawn}");
}

#[test]
fn policies_are_renamed_exported_imported_and_removed() {
    let (node, home, _) = rich();
    let made = home.json(&["policy", "timelock", "--after", "500", "--name", "later"]);
    home.json(&["policy", "multisig", "1", "me", "--name", "mine"]);
    home.run(&["policy", "rename", "later", "mine"]).fails(2, "there is a policy 'mine' already");
    assert_eq!(home.json(&["policy", "rename", "later", "pension"])["name"], "pension");
    let exported = home.run(&["policy", "export"]).out;
    fs::write(home.path("policies.json"), &exported).unwrap();
    assert_eq!(home.json(&["policy", "export", "mine"])["policies"].as_array().unwrap().len(), 1);
    let other = Home::numbered(&node, 4);
    fs::write(other.path("policies.json"), &exported).unwrap();
    assert_eq!(other.json(&["policy", "import", "policies.json"]).as_array().unwrap().len(), 2);
    assert_eq!(other.json(&["policy", "import", "policies.json"]), json!([]), "known already");
    assert_eq!(other.json(&["policy", "list"]), home.json(&["policy", "list"]));
    fs::write(other.path("bad"), exported.replace("\"local\"", "\"main\"")).unwrap();
    other.run(&["policy", "import", "bad"]).fails(2, "is for main, but this wallet is for local");
    node.pay(made["address"].as_str().unwrap(), 100_000_000);
    home.run(&["policy", "remove", "pension"]).fails(2, "'pension' holds 1.00000000 CRN");
    home.run(&["policy", "remove", "mine", "--rpc", &nobody()]).fails(2, "add --force to remove it");
    let removed = home.run(&["policy", "remove", "mine"]);
    assert!(removed.code == 0 && removed.out.contains("threshold(1,key("), "{}", removed.err);
    home.json(&["policy", "remove", "pension", "--force"]);
    assert_eq!(home.json(&["policy", "list"]), json!([]));
    home.run(&["policy", "remove", "pension"]).fails(2, "there is no policy 'pension'");
}

#[test]
fn an_imported_policy_is_judged_as_a_new_one() {
    let node = MockNode::start();
    let (home, other) = (Home::with(&node, WORDS), Home::numbered(&node, 4));
    home.json(&["policy", "create", "or(key(me),after(10))", "--name", "open", "--yes-really"]);
    fs::write(other.path("policies.json"), home.run(&["policy", "export"]).out).unwrap();
    other.run(&["policy", "import", "policies.json"]).fails(2, "it can be satisfied without any signature");
    assert_eq!(other.json(&["policy", "list"]), json!([]));
    other.json(&["policy", "import", "policies.json", "--yes-really"]);
    assert_eq!(other.json(&["policy", "list"])[0]["name"], "open");
}

#[test]
fn chosen_coins_include_one_of_what_a_node_refused() {
    let (node, home, friend) = rich();
    let payment = format!("{friend}=0.5");
    let refusal = json!({ "code": -32003, "message": "no", "data": { "reason": "fee" } });
    node.state().refuse = Some(refusal);
    home.run(&["send", &payment, "--coin", &coin(0), "--yes"]).fails(9, "no");
    node.state().refuse = None;
    home.run(&["send", &payment, "--coin", &coin(1), "--yes"])
        .fails(8, &format!("so that only one of the two can be mined, spend one of its coins: --coin {}.", coin(0)));
    // What pays others has nothing to do with it.
    home.json(&["send", &format!("{friend}=0.4"), "--coin", &coin(1), "--dry-run"]);
    home.json(&["send", &payment, "--coin", &coin(1), "--again", "--dry-run"]);
    home.json(&["send", &payment, "--coin", &coin(1), "--coin", &coin(0)]);
    assert_eq!(spent(&node), [coin(0), coin(1)]);
}

#[test]
fn files_are_not_replaced_unless_that_is_meant() {
    let (_node, home, friend) = rich();
    let payment = format!("{friend}=1");
    assert_eq!(home.run(&["build", "send", &payment, "--out", "pay.json"]).code, 0, "--out may stand behind the kind");
    home.run(&["build", "send", &payment, "--out", "pay.json"])
        .fails(3, "pay.json exists already; it is left as it is");
    home.run(&["build", "--out", "pay.json", "send", &payment]).fails(3, "add --force to replace it");
    assert_eq!(home.run(&["build", "send", &payment, "--out", "pay.json", "--force"]).code, 0);
    fs::write(home.path("other.json"), "precious").unwrap();
    home.run(&["sign", "pay.json", "--out", "other.json", "--yes"]).fails(3, "other.json exists already");
    assert_eq!(fs::read_to_string(home.path("other.json")).unwrap(), "precious");
    home.json(&["sign", "pay.json"]);
    fs::copy(home.path("pay.json"), home.path("copy.json")).unwrap();
    home.run(&["combine", "pay.json", "copy.json", "--out", "other.json"]).fails(3, "other.json exists already");
    assert_eq!(fs::read_to_string(home.path("other.json")).unwrap(), "precious");
}

#[test]
fn history_is_paged_filtered_and_always_in_one_order() {
    let (node, home, _) = rich();
    let address = home.address();
    {
        // 2,500 blocks mined, and three payments of one block among them.
        let mut state = node.state();
        state.coins.clear();
        for number in 0..2_500_u32 {
            let coin = state.pay(&address, 1_000);
            let last = state.coins.last_mut().unwrap();
            last.outpoint.txid.0[..4].copy_from_slice(&number.to_be_bytes());
            assert_eq!(coin.index, number);
            last.height = Some(number + 1);
        }
        for number in 0..3_u8 {
            let mut txid = [9; 32];
            txid[0] = number;
            state.received.push((address.clone(), chain_core::hash::TxId(txid), 1_000, 77));
        }
    }
    let all = home.json(&["history", "-n", "10000"]);
    assert_eq!(all.as_array().unwrap().len(), 2_503);
    let heights: Vec<u64> = all.as_array().unwrap().iter().map(|entry| entry["height"].as_u64().unwrap()).collect();
    assert!(heights.is_sorted_by(|one, two| one >= two));
    let page = home.json(&["history", "-n", "2", "--skip", "2400"]);
    assert_eq!(page.as_array().unwrap()[..], all.as_array().unwrap()[2_400..2_402]);
    // Deep behind what was mined, and in the same order each time.
    let paid = home.json(&["history", "--no-mined"]);
    assert_eq!(paid.as_array().unwrap().len(), 3);
    assert_eq!((paid[0]["kind"].as_str(), paid[0]["in"].as_u64()), (Some("received"), Some(1_000)));
    for _ in 0..5 {
        assert_eq!(home.json(&["history", "--no-mined"]), paid);
    }
    let count = |args: &[&str]| home.json(&[&["history", "-n", "10000"], args].concat()).as_array().unwrap().len();
    assert_eq!(count(&["--since", "2025-10-09"]), 2_503, "all of the mock's blocks are of that day");
    assert_eq!(count(&["--since", "2025-10-10"]), 0);
    assert_eq!(count(&["--until", "2025-10-09"]), 0);
    assert_eq!(count(&["--until", "1760000001"]), 2_503);
    home.run(&["history", "--since", "yesterday"]).fails(2, "is not a date: write it as 2026-11-28");
    let shown = home.run(&["history", "--no-mined"]);
    assert!(shown.out.contains("2025-10-09 08:53") && shown.err.is_empty(), "{}", shown.err);
    let drowned = home.run(&["history"]).err;
    assert_eq!(
        drowned,
        "There are older ones: `cairn-wallet history --skip 20`, or a larger --limit.\n20 of these 20 are rewards of mined \
         blocks: `cairn-wallet history --no-mined` leaves them out.\n"
    );
    assert!(home.run(&["history", "-n", "2503"]).err.starts_with("2500 of these"), "nothing is older");
    let next = home.run(&["history", "-n", "2", "--skip", "2400", "--no-mined"]).err;
    assert_eq!(next, "Nothing else has come or gone.\n");
    assert!(home.run(&["history", "-n", "2", "--no-mined"]).err.contains("history --skip 2`"));
}

#[test]
fn what_leaves_a_policy_is_in_the_history() {
    let (node, home, friend) = rich();
    let made = home.json(&["policy", "timelock", "--after", "100", "--name", "safe"]);
    let address = made["address"].as_str().unwrap().to_owned();
    node.pay(&address, 500_000_000);
    home.json(&["policy", "spend", "safe", &format!("{friend}=2")]);
    let listed = home.json(&["history"]);
    let safe: Vec<&Value> = listed.as_array().unwrap().iter().filter(|entry| entry["side"] == "safe").collect();
    assert!(!safe.is_empty(), "{listed}");
    assert_eq!(safe[0]["in"].as_u64().map(|grains| grains > 0), Some(true));
}
