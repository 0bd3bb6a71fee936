//! What cannot be mined beside what was sent before is named, so that no payment vanishes in silence.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::json;
use support::{forget, rich};

const TO: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

#[test]
fn a_file_that_spends_what_was_sent_says_so() {
    let (node, home, friend) = rich();
    for (file, order) in [
        ("one.json", vec!["send", "--max", &friend]),
        ("two.json", vec!["deposit", "--max"]),
        ("three.json", vec!["transfer", TO, "1"]),
        ("four.json", vec!["transfer", TO, "2"]),
    ] {
        home.json(&[&["build", "--out", file], &order[..]].concat());
        home.json(&["sign", file]);
    }
    for [first, second] in [["one.json", "two.json"], ["three.json", "four.json"]] {
        let sent = home.json(&["broadcast", first]);
        assert!(sent.get("competing").is_none(), "{sent}");
        forget(&node);
        let shown = home.run(&["broadcast", second, "--dry-run"]);
        let txid = sent["txid"].as_str().unwrap();
        for part in
            [&format!("{txid}, which this wallet sent"), "competes with this: only one of the two can be mined."]
        {
            assert!(shown.out.contains(part), "{}", shown.out);
        }
        assert_eq!(home.json(&["broadcast", second, "--dry-run"])["competing"], json!([txid]));
        forget(&node);
    }
}

#[test]
fn what_is_sent_in_place_of_what_a_node_refused_names_it() {
    let (node, home, friend) = rich();
    let refusal = json!({ "code": -32003, "message": "no", "data": { "reason": "fee" } });
    for order in [["send", &friend], ["transfer", TO]] {
        node.state().refuse = Some(refusal.clone());
        home.run(&[&order[..], &["1", "--yes"]].concat()).fails(9, "no");
        node.state().refuse = None;
        // Another amount: the very same transaction would not compete with itself.
        let order = [order[0], order[1], "2"];
        let dry = home.run(&[&order[..], &["--dry-run"]].concat());
        assert!(dry.out.contains("which the node refused") && dry.out.contains("competes with this"), "{}", dry.out);
        let sent = home.json(&order);
        assert_eq!(sent["competing"].as_array().unwrap().len(), 1, "{sent}");
    }
}

#[test]
fn what_the_node_has_lost_is_named_where_its_coins_are_missed() {
    let (node, home, friend) = rich();
    let coin = format!("{}:0", "07".repeat(32));
    let sent = home.json(&["send", &format!("{friend}=4.5"), "--coin", &coin]);
    let txid = sent["txid"].as_str().unwrap();
    home.run(&["send", &friend, "1", "--coin", &coin, "--yes"])
        .fails(2, &format!("is spent by the pending transaction {txid}"));
    forget(&node);
    home.run(&["send", &friend, "7", "--yes"]).fails(
        7,
        &format!("5.00000000 CRN are spent by {txid}, which was sent and the node does not know: rebroadcast it with `cairn-wallet resend`"),
    );
    home.run(&["send", &friend, "1", "--coin", &coin, "--yes"])
        .fails(2, &format!("is spent by {txid}, which the node has lost: `cairn-wallet resend` rebroadcasts it"));
}

// The second replaces the first, and the third the second; the third spends no coin of the first.
#[test]
fn what_replaced_a_replacement_does_not_settle_the_first_payment() {
    let (node, home, friend) = rich();
    node.pay(&home.address(), 500_000_000);
    let coins: Vec<String> =
        node.state().coins.iter().map(|coin| format!("{}:{}", coin.outpoint.txid, coin.outpoint.index)).collect();
    let [first, second, third] = &coins[..] else { panic!("{coins:?}") };
    for (file, amount, inputs) in
        [("a.json", "1", vec![first]), ("b.json", "6", vec![first, second]), ("c.json", "7", vec![second, third])]
    {
        let mut build = vec!["build", "--out", file, "send", &friend, amount];
        inputs.into_iter().for_each(|coin| build.extend(["--coin", coin]));
        home.json(&build);
        home.json(&["sign", file]);
    }
    home.json(&["broadcast", "a.json"]);
    forget(&node);
    home.json(&["broadcast", "b.json"]);
    forget(&node);
    let last = home.json(&["broadcast", "c.json"])["txid"].as_str().unwrap().to_owned();
    let own = home.address();
    let coins = node.state().coins.clone();
    let change = coins.iter().find(|coin| coin.outpoint.txid.to_string() == last && coin.address != friend).unwrap();
    let (index, address) = (change.outpoint.index, &change.address);
    assert_ne!(*address, own, "it is change");
    node.state().mined = true;
    home.run(&["send", &friend, "1", "--coin", &format!("{last}:{index}"), "--yes"]).fails(8, "may still be mined");
}
