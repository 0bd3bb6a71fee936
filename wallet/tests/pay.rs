//! Paying, on both sides of the ledger, through a node that answers from memory.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use chain_core::transaction::{Transaction, coin::Lock};
use serde_json::json;
use support::{ACCOUNT, Home, MockNode, WORDS, nobody, text};

const FRIEND: u8 = 2;

/// A wallet with so many coins of 5 CRN, and a friend's address.
fn rich(coins: usize) -> (MockNode, Home, String) {
    let node = MockNode::start();
    let (home, friend) = (Home::with(&node, WORDS), Home::numbered(&node, FRIEND));
    let address = home.address();
    for _ in 0..coins {
        node.pay(&address, 500_000_000);
    }
    (node, home, friend.address())
}

fn last_coin_outputs(node: &MockNode) -> Vec<(String, u64)> {
    let state = node.state();
    let Some(Transaction::Coin(tx)) = state.sent.last() else { panic!("no coins were sent") };
    let mut outputs: Vec<_> =
        tx.outputs.iter().map(|output| (state.network.address(&output.lock), output.amount.grains())).collect();
    outputs.sort();
    outputs
}

#[test]
fn pays_several_people_and_keeps_the_change() {
    let (node, home, friend) = rich(2);
    let other = Home::numbered(&node, 3).address();
    let sent = home.json(&["send", &format!("{friend}=1.5"), &format!("{other}=25000000grains"), "--wait"]);
    assert_eq!((sent["kind"].as_str(), sent["height"].as_u64()), (Some("coin"), Some(121)));
    assert_eq!(node.state().sent[0].txid().to_string(), sent["txid"].as_str().unwrap());
    let outputs = last_coin_outputs(&node);
    assert_eq!(outputs.len(), 3);
    assert!(outputs.contains(&(friend, 150_000_000)) && outputs.contains(&(other, 25_000_000)));
    let fee = sent["fee"].as_u64().unwrap();
    assert_eq!(outputs.iter().map(|output| output.1).sum::<u64>() + fee, 500_000_000);
    assert!((3_000..9_000).contains(&fee), "{fee}");
    // The change has an address of its own, which is not used twice, and can be spent at once.
    let used = serde_json::from_str::<serde_json::Value>(&text(&home.file())).unwrap()["wallet"]["used"].clone();
    assert_eq!(used, json!({ "receive": 1, "change": 1, "policy": 0, "accounts": 1 }));
    let again = home.json(&["send", &format!("{}=8", Home::numbered(&node, 4).address())]);
    assert_eq!(again["inputs"].as_array().unwrap().len(), 2);
}

#[test]
fn shows_what_it_does_and_asks() {
    let (node, home, friend) = rich(1);
    let answer = home.run(&["send", &format!("{friend}=1.5")]);
    answer.fails(2, "add --yes if you agree");
    for part in ["Spend 1 coin on local", &friend, "1.50000000", "change", "fee", "leaves the wallet"] {
        assert!(answer.err.contains(part), "{part} in {}", answer.err);
    }
    // Wherever the change stands in the transaction, it is shown last: nobody has named its address.
    for _ in 0..8 {
        let shown = home.run(&["send", &format!("{friend}=1.5"), "--dry-run"]).out;
        assert!(shown.find(&friend).unwrap() < shown.find("\n  change ").unwrap(), "{shown}");
    }
    assert!(node.state().sent.is_empty());
    let done = home.run(&["send", &format!("{friend}=1.5"), "--yes"]);
    assert!(done.code == 0 && done.out.contains("Sent: "), "{}", done.err);
    assert!(!done.out.contains('\u{1b}'), "no colours where no terminal is");
}

#[test]
fn sends_everything() {
    let (node, home, friend) = rich(3);
    let sent = home.json(&["send", "--max", &friend]);
    let fee = sent["fee"].as_u64().unwrap();
    assert_eq!(last_coin_outputs(&node), [(friend.clone(), 1_500_000_000 - fee)]);
    home.run(&["send", "--max", &format!("{friend}=1"), "--yes"]).fails(2, "--max goes with one bare ADDRESS");
}

#[test]
fn says_how_much_is_missing_and_what_comes_later() {
    let (node, home, friend) = rich(1);
    {
        let mut state = node.state();
        let address = state.coins[0].address.clone();
        state.pay(&address, 700_000_000);
        state.coins[1].mature = false;
        state.pay(&address, 200_000_000);
        state.coins[2].height = None;
    }
    node.state().coins[1].height = Some(114);
    let answer = home.run(&["send", &format!("{friend}=6"), "--yes"]);
    answer.fails(7, "not mature yet (the first in 3 blocks)");
    let listed = home.run(&["coins"]).out;
    assert!(listed.contains("immature   mature in 3 blocks") && listed.contains("71 blocks"), "{listed}");
    answer.fails(7, "you have 5.00000000");
    answer.fails(7, " short");
    answer.fails(7, "7.00000000 CRN were mined and are not mature yet");
    answer.fails(7, "2.00000000 CRN are on their way");
    node.state().coins.clear();
    home.run(&["send", &format!("{friend}=6"), "--yes"]).fails(7, "you have 0.00000000");
    home.run(&["send", "--max", &friend, "--yes"]).fails(7, "you have 0.00000000");
    assert!(node.state().sent.is_empty());
}

#[test]
fn refuses_what_can_only_be_a_mistake() {
    let (node, home, friend) = rich(1);
    let send = |payment: &str, more: &[&str]| home.run(&[&["send", payment, "--yes"], more].concat());
    send(&format!("{friend}=0"), &[]).fails(2, "an amount of zero sends nothing");
    send(&format!("{friend}=-1"), &[]).fails(2, "is negative");
    send(&format!("{friend}=0.000000001"), &[]).fails(2, "CRN has at most 8 here");
    send(&friend, &[]).fails(2, "does not say how much");
    send(&format!("{friend}=0.00000100"), &[]).fails(8, "0.00000100 CRN is dust: spending it would cost");
    send(&format!("{friend}=1"), &["--fee-rate", "100000"]).fails(8, "add --allow-high-fee");
    send(&format!("{friend}=0.01"), &["--fee-rate", "1000"]).fails(8, "more than a tenth of the");
    // Each coin would cost more to spend than it holds: what is wrong is the fee, and there are coins.
    let absurd = send(&format!("{friend}=1"), &["--fee-rate", "1000000"]);
    absurd.fails(
        8,
        "a tip of 1000000 gwei per gas (--fee-rate) makes a transfer alone cost 21.00000000 CRN, which is absurd",
    );
    assert!(!absurd.err.contains("not enough"), "{}", absurd.err);
    let meant = send(&format!("{friend}=1"), &["--fee-rate", "1000000", "--allow-high-fee"]);
    meant.fails(7, " gwei per gas 1 coin costs more to spend than it holds: lower --fee-rate");
    send(&format!("{friend}=1"), &["--fee-rate", "lots"]).fails(2, "unknown fee rate 'lots'");
    home.run(&["send", &format!("{friend}=1"), &format!("{friend}=2"), "--yes"]).fails(2, "is named twice");
    assert!(node.state().sent.is_empty());
    assert_eq!(send(&format!("{friend}=1"), &["--fee-rate", "100000", "--allow-high-fee"]).code, 0);
}

#[test]
fn send_refuses_an_account_and_names_the_commands_that_pay_it() {
    let (node, home, friend) = rich(1);
    let said = format!(
        "pay it from an account with `transfer {ACCOUNT} 1.50000000`, or out of coins with `deposit 1.50000000 --to {ACCOUNT}`"
    );
    home.run(&["send", &format!("{ACCOUNT}=1.5"), "--yes"]).fails(2, &said);
    home.run(&["send", &format!("{friend}=1"), &format!("{ACCOUNT}=1.5"), "--yes"]).fails(2, &said);
    home.run(&["build", "--out", "pay.json", "send", &format!("{ACCOUNT}=1.5")]).fails(2, &said);
    let all = home.run(&["send", "--max", &ACCOUNT.to_lowercase(), "--yes"]);
    all.fails(2, &format!("`transfer {ACCOUNT} --max`"));
    assert!(node.state().sent.is_empty());
}

#[test]
fn refuses_addresses_of_other_networks_and_mistyped_ones() {
    let (node, home, friend) = rich(1);
    let lock = node.state().network.coin_address(&friend).unwrap();
    for (prefix, name) in [("crn", "main"), ("tcrn", "test")] {
        let foreign = chain_core::address::encode(prefix, &lock);
        home.run(&["send", &format!("{foreign}=1"), "--yes"]).fails(
            6,
            &format!("it starts with {prefix}1, here they start with lcrn1 (that is the prefix of '{name}')"),
        );
    }
    let last = if friend.ends_with('q') { "p" } else { "q" };
    let mistyped = format!("{}{last}", &friend[..friend.len() - 1]);
    home.run(&["send", &format!("{mistyped}=1"), "--yes"]).fails(2, "the checksum is wrong");
    home.run(&["send", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4=1", "--yes"]).fails(6, "another network");
    home.run(&["send", "bob=1", "--yes"]).fails(2, "'bob' is not an address on local");
    let eip55 = ACCOUNT.replace("f39F", "F39F");
    home.run(&["transfer", &format!("{eip55}=1"), "--yes"]).fails(2, "EIP-55");
    home.run(&["transfer", &format!("{friend}=1"), "--yes"]).fails(2, "is a coin address: pay it with `send`");
    home.run(&["withdraw", "1", "--to", ACCOUNT, "--yes"]).fails(2, "expected");
}

#[test]
fn says_when_no_node_or_another_answers() {
    let (node, home, friend) = rich(1);
    let payment = format!("{friend}=1");
    let gone = nobody();
    home.run(&["send", &payment, "--rpc", &gone]).fails(5, "no node answers at");
    home.run(&["send", &payment, "--rpc", &gone]).fails(5, "start one, such as `cairn-node --chain local --mine`");
    home.run(&["balance", "--rpc", "https://example.org"]).fails(5, "`ssh -N -L 8545:127.0.0.1:8545 HOST`");
    home.run(&["balance", "--rpc", "localhost:8545"]).fails(5, "is not the address of a node");
    for (status, body, says) in [
        (404, "not here", "HTTP status 404"),
        (403, "host not allowed", "HTTP 403: host not allowed"),
        (200, "<html>", "its answer is not JSON"),
        (200, "[]", "does not speak JSON-RPC 2.0"),
        (200, r#"{"id":77,"result":{}}"#, "it answers another request"),
        (200, r#"{"id":1,"result":{"chain":"x"}}"#, "its answer to chain_getInfo makes no sense: missing field"),
        (200, r#"{"id":1,"error":{"code":-32601,"message":"x"}}"#, "is it an Ethereum node?"),
    ] {
        node.state().raw_answer = Some((status, body.into()));
        home.run(&["balance"]).fails(5, says);
    }
    node.state().raw_answer = None;
    node.state().network.genesis.0[0] ^= 1;
    home.run(&["balance"]).fails(6, "the node is on local (chain id 133702, genesis");
}

#[test]
fn a_hostile_node_gets_no_path_and_no_prefix() {
    let node = MockNode::start();
    let home = Home::empty(&node.url);
    node.state().network.name = "../../../tmp/x".into();
    home.run(&["create", "--json"]).fails(5, "it is not the name of a chain");
    node.state().network.name = "mine".into();
    node.state().network.hrp = "A B".into();
    home.run(&["create", "--json"]).fails(5, "it is not a prefix of addresses");
    node.state().network.hrp = "lcrn".into();
    node.state().network.name = "main".into();
    home.run(&["create", "--json"]).fails(6, "the node says that it is on main");
}

#[test]
fn warns_while_the_node_is_catching_up() {
    let (node, home, _) = rich(1);
    node.state().syncing = true;
    let answer = home.run(&["balance"]);
    assert!(answer.code == 0 && answer.err.contains("still syncing (block 120 of 120)"), "{}", answer.err);
}

#[test]
fn after_a_refusal_the_next_payment_spends_the_same_coin_so_that_both_can_never_be_mined() {
    let (node, home, friend) = rich(3);
    let sent = || serde_json::from_str::<serde_json::Value>(&text(&home.file())).unwrap()["wallet"]["sent"].clone();
    let coins: Vec<_> = node.state().coins.iter().map(|coin| coin.outpoint).collect();
    let refuse = |reason: &str| {
        let message = "the \u{1b}[31mfee is too low";
        node.state().refuse = Some(json!({ "code": -32003, "message": message, "data": { "reason": reason } }));
    };
    refuse("fee");
    for _ in 0..2 {
        let answer = home.run(&["send", &format!("{friend}=1"), "--yes"]);
        answer.fails(9, "the node refused the transaction: the [31mfee is too low");
    }
    let refused: Vec<_> = sent().as_array().unwrap().iter().map(|sent| sent["state"].clone()).collect();
    assert!(refused.iter().all(|state| state == "refused") && !refused.is_empty(), "{refused:?}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text(&home.file())).unwrap()["wallet"]["used"]["change"], 0);
    node.state().refuse = None;
    // Another amount to somebody else, from another coin as far as the amount is concerned.
    let paid = home.json(&["send", &format!("{}=2", Home::numbered(&node, 5).address())]);
    let again: Vec<_> = sent().as_array().unwrap().clone();
    assert_eq!(again.len(), refused.len() + 1, "that it was taken is a node's word, so what was refused is remembered");
    assert_eq!((&again.last().unwrap()["txid"], again.last().unwrap().get("state")), (&paid["txid"], None));
    let state = node.state();
    let Some(Transaction::Coin(tx)) = state.sent.last() else { panic!("no coins were sent") };
    assert_eq!(tx.inputs.len(), 1);
    assert!(coins.contains(&tx.inputs[0]));
}

#[test]
fn balance_shows_both_sides() {
    let (node, home, friend) = rich(2);
    node.state().balance_wei = "2500000000000000000".into();
    node.state().coins[1].mature = false;
    home.json(&["send", &format!("{friend}=1")]);
    let balance = home.json(&["balance"]);
    let coins = &balance["coins"];
    assert_eq!((coins["confirmed"].as_u64(), coins["immature"].as_u64()), (Some(500_000_000), Some(500_000_000)));
    assert_eq!(coins["pendingOut"], 500_000_000);
    assert!((399_990_000..400_000_000).contains(&coins["pendingIn"].as_u64().unwrap()));
    assert_eq!(balance["accounts"][0]["balanceWei"], "2500000000000000000");
    assert_eq!(balance["accounts"][0]["account"], ACCOUNT);
    let shown = home.run(&["balance"]).out;
    for part in ["confirmed", "immature", "pending in", "pending out", "2.50000000", ACCOUNT, "Total 11.4999"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn transfers_deposits_and_withdraws() {
    let (node, home, _) = rich(1);
    node.state().balance_wei = "2000000000000000000".into();
    let to = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    let sent = home.json(&["transfer", &format!("{to}=0.000000000000000007"), "--wait"]);
    assert_eq!(sent["valueWei"], "7");
    home.json(&["withdraw", "1.5"]);
    home.json(&["deposit", "2"]);
    let state = node.state();
    let Transaction::Account(transfer) = &state.sent[0] else { panic!("no transfer") };
    assert_eq!(transfer.recover_sender().unwrap().to_string(), ACCOUNT);
    assert_eq!(transfer.fields().to.unwrap().to_string(), to);
    let Transaction::Account(withdrawal) = &state.sent[1] else { panic!("no withdrawal") };
    assert_eq!(withdrawal.fields().to, Some(chain_core::execute::GATEWAY));
    assert_eq!(withdrawal.fields().value.to_string(), "1500000000000000000");
    let lock = state.network.coin_address(&state.coins[0].address).unwrap();
    assert_eq!(withdrawal.fields().input, chain_core::execute::withdraw_calldata(&lock));
    let Transaction::Coin(deposit) = &state.sent[2] else { panic!("no deposit") };
    let credited = deposit.outputs.iter().find(|output| matches!(output.lock, Lock::Account(_))).unwrap();
    assert_eq!((credited.amount.grains(), state.network.address(&credited.lock).as_str()), (200_000_000, ACCOUNT));
}

#[test]
fn an_account_sends_no_more_than_it_has() {
    let (node, home, _) = rich(0);
    let to = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    home.run(&["transfer", &format!("{to}=1"), "--yes"]).fails(7, "you have 0.00000000");
    node.state().balance_wei = "1000000000000000000".into();
    let answer = home.run(&["transfer", &format!("{to}=1"), "--yes"]);
    answer.fails(7, "1.000042021 CRN are needed");
    answer.fails(7, "0.000042021 short");
    home.run(&["withdraw", "1", "--yes"]).fails(7, " short");
    home.run(&["withdraw", "0.000000001", "--yes"]).fails(2, "at most 8 here");
    let stranger = "0x000000000000000000000000000000000000dEaD";
    home.run(&["transfer", &format!("{to}=1"), "--from", stranger, "--yes"])
        .fails(2, "is not an account of this wallet");
    let sent = home.json(&["transfer", "--max", to]);
    let value: u128 = sent["valueWei"].as_str().unwrap().parse().unwrap();
    let fee: u128 = sent["maxFeeWei"].as_str().unwrap().parse().unwrap();
    assert_eq!(value + fee, 1_000_000_000_000_000_000);
    let sent = home.json(&["withdraw", "--max"]);
    assert_eq!(sent["valueWei"].as_str().unwrap().parse::<u128>().unwrap() % 10_000_000_000, 0);
}

#[test]
fn a_transaction_that_fails_in_its_block_is_a_failure() {
    let (node, home, _) = rich(0);
    node.state().balance_wei = "1000000000000000000".into();
    node.state().reverted = true;
    home.run(&["withdraw", "0.5", "--wait", "--yes"]).fails(9, "was mined, but failed");
}

#[test]
fn bumps_coins_with_the_same_payment_at_a_higher_price() {
    let (node, home, friend) = rich(2);
    node.state().mined = false;
    let first = home.json(&["send", &format!("{friend}=1.5")]);
    let txid = first["txid"].as_str().unwrap();
    let second = home.json(&["bump", txid]);
    let fees = [first["fee"].as_u64().unwrap(), second["fee"].as_u64().unwrap()];
    assert!(fees[1] * 10 >= fees[0] * 11, "{fees:?}");
    {
        let state = node.state();
        let [Transaction::Coin(one), Transaction::Coin(two)] = &state.sent[..] else { panic!("not two of coins") };
        assert_eq!(one.inputs, two.inputs);
    }
    assert!(last_coin_outputs(&node).contains(&(friend.clone(), 150_000_000)));
    home.run(&["bump", txid, "--yes"]).fails(8, "it was replaced already, by");
    home.run(&["bump", &"0".repeat(64), "--yes"]).fails(8, "this wallet's file does not know it");
    home.run(&["bump", "xyz", "--yes"]).fails(2, "'xyz' is not a transaction id");
    let fast = home.json(&["bump", second["txid"].as_str().unwrap(), "--fee-rate", "50"]);
    assert!(fast["fee"].as_u64().unwrap() > 10 * fees[1]);
    node.state().mined = true;
    home.run(&["bump", fast["txid"].as_str().unwrap(), "--yes"]).fails(8, "it is mined already, in block 121");
}

#[test]
fn bumps_a_payment_of_everything_by_paying_less() {
    let (node, home, friend) = rich(2);
    node.state().mined = false;
    let first = home.json(&["send", "--max", &friend]);
    let second = home.json(&["bump", first["txid"].as_str().unwrap(), "--fee-rate", "20"]);
    let fee = second["fee"].as_u64().unwrap();
    assert_eq!(last_coin_outputs(&node), [(friend, 1_000_000_000 - fee)]);
}

#[test]
fn bumps_an_account_at_the_same_nonce() {
    let (node, home, _) = rich(0);
    {
        let mut state = node.state();
        (state.balance_wei, state.mined, state.nonce) = ("1000000000000000000".into(), false, 3);
    }
    let first = home.json(&["transfer", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8=0.5"]);
    let second = home.json(&["bump", first["txid"].as_str().unwrap()]);
    assert_eq!((first["nonce"].as_u64(), second["nonce"].as_u64()), (Some(3), Some(3)));
    let fee = |sent: &serde_json::Value| sent["maxFeeWei"].as_str().unwrap().parse::<u128>().unwrap();
    assert!(fee(&second) * 10 >= fee(&first) * 11);
    node.state().nonce = 4;
    home.run(&["bump", second["txid"].as_str().unwrap(), "--yes"]).fails(8, "another transaction of the account");
}

#[test]
fn what_a_node_has_lost_is_handed_in_again() {
    let (node, home, friend) = rich(2);
    node.state().mined = false;
    let first = home.json(&["send", &format!("{friend}=1")]);
    let txid = first["txid"].as_str().unwrap();
    let second = home.json(&["bump", txid]);
    assert_eq!(home.run(&["resend"]).out, "The node knows everything that was sent.\n");
    // The node restarts without its mempool.
    let forget = || {
        let mut state = node.state();
        state.sent.clear();
        state.coins.truncate(2);
        state.coins.iter_mut().for_each(|coin| coin.spent_by = None);
    };
    forget();
    let warned = home.run(&["history"]).err;
    assert!(warned.contains(second["txid"].as_str().unwrap()) && !warned.contains(txid), "{warned}");
    assert_eq!(home.json(&["resend"])["resent"], json!([second["txid"]]));
    assert_eq!(node.state().sent.len(), 1);
    // What cannot be mined any more is given up, and in the same run what it replaced.
    forget();
    node.state().coins.clear();
    let report = home.json(&["resend"]);
    assert_eq!(report["refused"][0]["txid"], second["txid"]);
    assert!(report["refused"][0]["reason"].as_str().unwrap().contains("unknown coin"));
    assert_eq!(report["refused"][1]["txid"], txid);
    assert_eq!(
        home.json(&["resend"]),
        json!({ "arrived": [], "resent": [], "refused": [], "kept": [], "otherChain": [] })
    );
}

#[test]
fn waiting_survives_a_node_that_forgets() {
    let (node, home, friend) = rich(1);
    node.state().mined = false;
    let mut waiting = home.command(&["send", &format!("{friend}=1"), "--wait", "--yes", "--json"]);
    waiting.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = waiting.spawn().unwrap();
    while node.state().sent.is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // While it waits, the wallet is free for others.
    assert_eq!(home.run(&["address", "--new"]).code, 0);
    {
        let mut state = node.state();
        state.sent.clear();
        state.coins.truncate(1);
        state.coins[0].spent_by = None;
    }
    while node.state().sent.is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    node.state().mined = true;
    let answer = support::answered(child.wait_with_output().unwrap());
    assert_eq!(answer.json()["height"], 121);
}

#[test]
fn has_the_node_mine_for_it() {
    let (node, home, _) = rich(0);
    let mine = home.json(&["mine"]);
    assert_eq!((mine["address"].as_str(), mine["mining"].as_bool()), (Some(home.address().as_str()), Some(true)));
    let own = home.address();
    assert_eq!(node.state().miner, Some(own));
    assert!(home.run(&["mine"]).out.contains("The node mines for lcrn1"));
    assert_eq!(home.json(&["mine", "--stop"])["mining"], false);
    assert!(!node.state().mining);
}

#[test]
fn one_payment_may_be_written_in_two_words() {
    let (node, home, friend) = rich(1);
    node.state().balance_wei = "2000000000000000000".into();
    home.json(&["send", &friend, "1.5"]);
    assert!(last_coin_outputs(&node).contains(&(friend.clone(), 150_000_000)));
    let to = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    assert_eq!(home.json(&["transfer", to, "0.25"])["valueWei"], "250000000000000000");
    home.run(&["transfer", to, "--yes"]).fails(2, "does not say how much");
    home.run(&["transfer", &format!("{to}=1"), &format!("{to}=2"), "--yes"]).fails(2, "one account at a time");
    home.run(&["transfer", to, "1", "--max", "--yes"]).fails(2, "--max goes with a bare ACCOUNT");
    home.run(&["send", &friend, &friend, "--yes"]).fails(2, "is not an amount");
}

#[test]
fn history_is_listed_and_empty_history_is_said() {
    let (_node, home, _) = rich(2);
    let entries = home.json(&["history"]);
    assert_eq!(entries.as_array().unwrap().len(), 1, "one transaction made both coins");
    assert_eq!((entries[0]["kind"].as_str(), entries[0]["in"].as_u64()), (Some("mined"), Some(1_000_000_000)));
    assert!(home.run(&["history"]).out.contains("+10.00000000"));
    let (_node, poor, _) = rich(0);
    let empty = poor.run(&["history"]);
    assert_eq!((empty.out.as_str(), empty.err.as_str()), ("", "Nothing has come or gone yet.\n"));
}
