//! What a lost answer, a lying node, another chain or a restore must not do to money.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;

use chain_core::{hash::TxId, transaction::Transaction};
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

fn refusal(node: &MockNode, code: i64, reason: &str) {
    node.state().refuse = Some(json!({ "code": code, "message": "no", "data": { "reason": reason } }));
}

/// The error that a command prints with `--json`.
fn error(home: &Home, args: &[&str]) -> Value {
    let answer = home.run(&[args, &["--json", "--yes"]].concat());
    let error: Value = serde_json::from_str(&answer.err).unwrap_or_else(|error| panic!("{error} in {}", answer.err));
    assert_eq!(error["error"]["code"], answer.code);
    error["error"].clone()
}

#[test]
fn a_payment_whose_answer_is_lost_is_resent_and_not_paid_again() {
    let (node, home, friend) = rich(3);
    node.state().mined = false;
    node.state().lose_answers = true;
    let payment = format!("{friend}=1");
    let unclear = error(&home, &["send", &payment]);
    assert_eq!((unclear["code"].as_i64(), unclear["kind"].as_str()), (Some(11), Some("unclear")));
    assert!(string(&unclear, "hint").contains("do not pay again: run `cairn-wallet resend`"), "{unclear}");
    let txid = string(&unclear, "txid");
    assert_eq!(node.state().sent[0].txid().to_string(), txid);
    assert!(home.run(&["send", &payment, "--yes"]).err.contains(&txid), "the text names it too");
    node.state().lose_answers = false;
    // Trying the same again is refused, with the node knowing of it and without.
    let twice = error(&home, &["send", &payment]);
    assert_eq!((twice["code"].as_i64(), twice["kind"].as_str()), (Some(8), Some("refused")));
    assert!(string(&twice, "message").contains(&txid) && string(&twice, "message").contains("add --again"), "{twice}");
    let taken = std::mem::take(&mut node.state().sent);
    node.state().coins.truncate(3);
    node.state().coins.iter_mut().for_each(|coin| coin.spent_by = None);
    assert_eq!(error(&home, &["send", &payment])["code"], 8);
    // Another payment leaves its coin alone, and resending pays once.
    let other = home.json(&["send", &format!("{friend}=2")]);
    let spends = |sent: &Transaction| match sent {
        Transaction::Coin(tx) => tx.inputs.clone(),
        _ => panic!("not of coins"),
    };
    assert_eq!(home.json(&["resend"])["resent"], json!([txid]));
    {
        let state = node.state();
        assert_eq!(state.sent.len(), 2);
        assert_eq!(state.sent[0].txid().to_string(), string(&other, "txid"));
        assert_eq!(state.sent[1], taken[0]);
        assert!(spends(&state.sent[0]).iter().all(|input| !spends(&state.sent[1]).contains(input)));
    }
    // Who means it, pays twice.
    home.json(&["send", &payment, "--again"]);
    assert_eq!(node.state().sent.len(), 3);
}

#[test]
fn only_a_definite_refusal_is_a_refusal() {
    let (node, home, friend) = rich(5);
    for code in [-32603, -32005, -32000, -32601] {
        refusal(&node, code, "invalid");
        let unclear = error(&home, &["send", &format!("{friend}=1"), "--again"]);
        assert_eq!(unclear["code"], 11, "{code}: {unclear}");
        assert!(stored(&home)["sent"].as_array().unwrap().iter().any(|sent| sent["txid"] == unclear["txid"]));
    }
    node.state().refuse = Some(json!({ "code": -32003, "message": "no reason at all" }));
    assert_eq!(error(&home, &["send", &format!("{friend}=1"), "--again"])["code"], 11);
}

#[test]
fn resending_gives_up_only_what_can_never_be_mined() {
    let (node, home, friend) = rich(1);
    node.state().mined = false;
    let txid = string(&home.json(&["send", &format!("{friend}=1")]), "txid");
    node.state().sent.clear();
    for (code, reason) in
        [(-32003, "full"), (-32003, "fee"), (-32003, "policy"), (-32003, "funds"), (-32603, "invalid")]
    {
        refusal(&node, code, reason);
        let report = home.json(&["resend"]);
        assert_eq!(report["kept"][0]["txid"], txid.as_str(), "{reason}");
        assert_eq!(stored(&home)["sent"][0]["txid"], txid.as_str());
    }
    // A node that lags behind does not know what is missing.
    node.state().syncing = true;
    refusal(&node, -32003, "missing");
    assert_eq!(home.json(&["resend"])["kept"][0]["txid"], txid.as_str());
    node.state().syncing = false;
    assert_eq!(home.json(&["resend"])["refused"][0]["txid"], txid.as_str());
    assert_eq!(stored(&home)["sent"][0]["state"], "refused");
}

#[test]
fn what_was_sent_on_a_chain_that_began_anew_is_left_alone() {
    let (node, home, friend) = rich(1);
    node.state().mined = false;
    let txid = string(&home.json(&["send", &format!("{friend}=1")]), "txid");
    node.state().sent.clear();
    node.state().first_block = [2; 32];
    assert!(!home.run(&["history"]).err.contains("has lost"));
    let report = home.json(&["resend"]);
    assert_eq!((&report["resent"], &report["otherChain"]), (&json!([]), &json!([txid])));
    assert!(node.state().sent.is_empty());
    assert!(
        home.run(&["resend"]).out.contains("1 transaction was sent on another chain that began from the same genesis")
    );
    node.state().first_block = [1; 32];
    assert!(home.run(&["history"]).err.contains("has lost"));
}

#[test]
fn what_is_buried_is_forgotten_with_what_it_replaced() {
    let (node, home, friend) = rich(4);
    node.state().mined = false;
    let first = string(&home.json(&["send", &format!("{friend}=1")]), "txid");
    home.json(&["bump", &first]);
    assert_eq!(stored(&home)["sent"].as_array().unwrap().len(), 2);
    node.state().mined = true;
    node.state().confirmations = 99;
    home.json(&["send", &format!("{friend}=2")]);
    assert_eq!(stored(&home)["sent"].as_array().unwrap().len(), 3);
    node.state().confirmations = 100;
    home.json(&["send", &format!("{friend}=2.5")]);
    assert_eq!(stored(&home)["sent"].as_array().unwrap().len(), 4, "that they are buried is a node's word");
    let lock = cairn_wallet::file::WalletLock::take(&home.file()).unwrap();
    let mut wallet = lock.read().unwrap();
    wallet.sent.iter_mut().for_each(|sent| sent.time -= 24 * 3_600 + 60);
    lock.write(&wallet).unwrap();
    drop(lock);
    let last = string(&home.json(&["send", &format!("{friend}=3")]), "txid");
    let sent = stored(&home)["sent"].clone();
    assert_eq!(sent.as_array().unwrap().iter().map(|sent| string(sent, "txid")).collect::<Vec<_>>(), [last]);
}

#[test]
fn the_wallets_file_stays_small_however_many_coins_are_swept() {
    let (node, home, friend) = rich(1_000);
    home.json(&["send", "--max", &friend]);
    assert!(fs::metadata(home.file()).unwrap().len() < 320_000, "{}", fs::metadata(home.file()).unwrap().len());
    drop(node);
}

#[test]
fn a_wallet_with_many_coins_pays_and_gathers_what_fits_into_a_transaction() {
    let (node, home, friend) = rich(1_300);
    let size = || node.state().sent.last().unwrap().encode().len();
    let refused = home.run(&["send", &format!("{friend}=5200"), "--yes"]);
    refused.fails(8, "1041 coins would have to be spent, but the 100000 bytes that nodes relay hold 1004");
    refused.fails(8, "gather your coins first with `send --max` to an address of yours");
    let own = home.address();
    let swept = home.run(&["send", "--max", &own, "--yes"]);
    assert!(
        swept.err.contains("coins of 1") && swept.err.contains("are left: repeat it for them, with --again"),
        "{}",
        swept.err
    );
    assert!((99_000..=100_000).contains(&size()), "{}", size());
    node.state().mined = false;
    home.run(&["send", "--max", &own, "--dry-run", "--yes"]).fails(8, "to pay once more, add --again");
    home.json(&["send", "--max", &own, "--dry-run", "--again"]);
    node.state().mined = true;
    node.state().coins.iter_mut().for_each(|coin| coin.height = Some(130));
    node.state().coins.retain(|coin| coin.spent_by.is_none());
    home.json(&["deposit", "--max"]);
    assert!(size() < 100_000);
}

#[test]
fn restoring_finds_accounts_as_far_apart_as_the_gap_says() {
    let (node, home, _) = rich(0);
    for _ in 0..15 {
        home.json(&["address", "account", "--new"]);
    }
    let far = string(&home.json(&["address", "account"]), "account");
    node.state().balances.push((far.clone(), "5000000000000000000".into()));
    let restored = Home::empty(&node.url);
    assert_eq!(restored.restore(WORDS, &[]).json()["used"]["accounts"], 16);
    assert_eq!(string(&restored.json(&["address", "account"]), "account"), far);
    let near = Home::empty(&node.url);
    assert_eq!(
        near.restore(WORDS, &["--gap", "10"]).json()["used"]["accounts"],
        16,
        "keys are asked for by the twenty"
    );
}

#[test]
fn accounts_that_were_never_handed_out_take_and_send_nothing() {
    let (node, home, _) = rich(1);
    node.state().balance_wei = "2000000000000000000".into();
    let says = "account 50 was never handed out (the newest is 0)";
    home.run(&["deposit", "1", "--to", "50", "--yes"]).fails(2, says);
    home.run(&["transfer", TO, "1", "--from", "50", "--yes"]).fails(2, says);
    home.run(&["withdraw", "1", "--from", "50", "--yes"]).fails(2, says);
    assert!(node.state().sent.is_empty());
}

#[test]
fn a_node_that_calls_every_key_used_is_found_out() {
    let (node, home, _) = rich(0);
    node.state().all_used = true;
    home.run(&["rescan"]).fails(5, "were used: ask another node");
}

#[test]
fn coins_that_a_node_invents_use_up_no_addresses() {
    let (node, home, friend) = rich(1);
    for _ in 0..10 {
        home.json(&["address", "--new"]);
    }
    let gap = home.address();
    let fresh = Home::with(&node, WORDS);
    node.pay(&gap, 500_000_000);
    fresh.json(&["send", &format!("{friend}=7")]);
    assert_eq!(stored(&fresh)["used"]["receive"], 1, "the coin was spent, and nothing else changed");
}

#[test]
fn a_transaction_that_the_node_has_lost_is_replaced_with_each_coin_once() {
    let (node, home, friend) = rich(2);
    node.state().mined = false;
    let first = string(&home.json(&["send", &format!("{friend}=1")]), "txid");
    node.state().sent.clear();
    node.state().coins.truncate(2);
    node.state().coins.iter_mut().for_each(|coin| coin.spent_by = None);
    home.json(&["bump", &first, "--fee-rate", "10"]);
    assert_eq!(node.state().sent.len(), 1);
}

#[test]
fn a_bump_names_and_pays_for_what_depends_on_it() {
    let (node, home, friend) = rich(1);
    node.state().mined = false;
    let first = home.json(&["send", &format!("{friend}=1")]);
    let deposit = home.json(&["deposit", "2"]);
    let txid = string(&first, "txid");
    let shown = home.run(&["bump", &txid]).err;
    assert!(shown.contains("the mempool drops them with it") && shown.contains(&string(&deposit, "txid")), "{shown}");
    let bumped = home.json(&["bump", &txid]);
    assert_eq!(bumped["drops"], json!([deposit["txid"]]));
    let fees = [&first, &deposit, &bumped].map(|sent| sent["fee"].as_u64().unwrap());
    assert!(fees[2] * 10 >= (fees[0] + fees[1]) * 11, "{fees:?}");
    // The dropped payment is not called lost.
    node.state().sent.retain(|sent| sent.txid().to_string() != string(&deposit, "txid"));
    assert!(!home.run(&["history"]).err.contains("has lost"));
}

#[test]
fn two_transfers_never_have_one_nonce() {
    let (node, home, _) = rich(0);
    node.state().balance_wei = "5000000000000000000".into();
    node.state().mined = false;
    assert_eq!(home.json(&["transfer", TO, "1"])["nonce"], 0);
    // The node restarts without its mempool.
    node.state().sent.clear();
    let second = home.json(&["transfer", TO, "2"]);
    assert_eq!(second["nonce"], 1);
    // What a node refused is another matter: the next transaction takes its place.
    refusal(&node, -32003, "fee");
    home.run(&["transfer", TO, "0.5", "--yes"]).fails(9, "the node refused");
    node.state().refuse = None;
    node.state().nonce = 2;
    node.state().lies_about_nonce = Some(3);
    assert_eq!(home.json(&["transfer", TO, "0.25"])["nonce"], 2, "the nonce of the one that was refused");
}

#[test]
fn everything_of_an_account_is_what_its_waiting_transactions_leave() {
    let (node, home, _) = rich(0);
    node.state().balance_wei = "5000000000000000000".into();
    node.state().mined = false;
    let first = home.json(&["transfer", TO, "1"]);
    let all = home.json(&["withdraw", "--max"]);
    let wei = |sent: &Value, field: &str| string(sent, field).parse::<u128>().unwrap();
    let cost = |sent: &Value| wei(sent, "valueWei") + wei(sent, "maxFeeWei");
    assert!(cost(&first) + cost(&all) <= 5_000_000_000_000_000_000);
    assert!(cost(&first) + cost(&all) > 4_999_999_000_000_000_000);
    let short = home.run(&["transfer", TO, "1", "--again", "--yes"]);
    short.fails(7, "CRN more are promised to transactions that wait for a block");
}

#[test]
fn a_deposit_on_its_way_is_in_the_balance_and_in_what_is_said_when_it_is_needed() {
    let (node, home, _) = rich(0);
    node.state().account_history = json!([{
        "txid": TxId([5; 32]).to_string(), "height": null, "time": null, "confirmations": 0, "kind": "deposit",
        "direction": "in", "valueWei": "2000000000000000000", "success": null,
    }]);
    let balance = home.json(&["balance"]);
    assert_eq!(balance["accounts"][0]["pendingInWei"], "2000000000000000000");
    assert_eq!(balance["totalWei"], "2000000000000000000");
    let shown = home.run(&["balance"]).out;
    assert!(shown.contains("+2.00000000 not mined yet") && shown.contains("Total 2.00000000"), "{shown}");
    home.run(&["transfer", TO, "0.25", "--yes"])
        .fails(7, "2.00000000 CRN are on their way to it and can be spent once a block holds them");
}

#[test]
fn a_node_cannot_choose_the_chain_that_is_signed_for() {
    let node = MockNode::start();
    let home = Home::empty(&node.url);
    node.state().network.name = "testnet".into();
    node.state().network.chain_id = 1;
    let says = "its chain id is 1, that of a public Ethereum network";
    home.run(&["create", "--json"]).fails(6, says);
    home.run(&["create", "--yes"]).fails(6, says);
    node.state().network.chain_id = 4_711;
    home.run(&["create", "--json"]).fails(2, "which is not built in: give the file of its spec with --chain FILE");
    home.run(&["create", "--yes"]).fails(2, "chain id 4711");
    assert!(!home.path(".cairn/wallet/testnet.json").exists());
    // What an account signs says for which chain.
    let (node, home, _) = rich(0);
    node.state().balance_wei = "5000000000000000000".into();
    let asked = home.run(&["transfer", TO, "1"]).err;
    assert!(asked.contains("chain id 133702, nonce 0"), "{asked}");
    assert_eq!(home.json(&["transfer", TO, "1"])["chainId"], 133_702);
}

#[test]
fn a_strangers_payment_to_a_change_address_is_not_spent_before_it_is_mined() {
    let (node, home, friend) = rich(1);
    let sent = home.json(&["send", &format!("{friend}=1")]);
    let network = node.state().network.clone();
    let change = {
        let state = node.state();
        let Some(Transaction::Coin(tx)) = state.sent.last() else { panic!("no coins were sent") };
        tx.outputs.iter().map(|output| network.address(&output.lock)).find(|address| *address != friend).unwrap()
    };
    // Somebody pays to the change address, which everybody can see by now.
    node.pay(&change, 900_000_000);
    node.state().coins.last_mut().unwrap().height = None;
    let answer = home.run(&["send", &format!("{friend}=8"), "--yes"]);
    answer.fails(7, "9.00000000 CRN are on their way");
    drop(sent);
}
