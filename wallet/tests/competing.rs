//! What cannot be mined beside what was sent before is named, so that no payment vanishes in silence.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::json;
use support::{MockNode, rich};

const TO: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// The node starts again without its mempool.
fn forget(node: &MockNode) {
    let mut state = node.state();
    state.sent.clear();
    state.coins.retain(|coin| coin.height.is_some());
    state.coins.iter_mut().for_each(|coin| coin.spent_by = None);
}

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
