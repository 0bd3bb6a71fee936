//! `cancel`: what was sent pays nobody any more.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use chain_core::transaction::{
    Transaction,
    coin::{CoinTransaction, Lock},
};
use serde_json::{Value, json};
use support::{ACCOUNT, MockNode, rich, txid};

const TO: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

fn coins(node: &MockNode, number: usize) -> CoinTransaction {
    let Transaction::Coin(tx) = node.state().sent[number].clone() else { panic!("not of coins") };
    tx
}

#[test]
fn coins_of_a_payment_come_back_at_a_higher_fee() {
    let (node, home, friend) = rich();
    let paid = home.json(&["send", &format!("{friend}=7")]);
    let cancelled = home.json(&["cancel", txid(&paid)]);
    let (one, two) = (coins(&node, 0), coins(&node, 1));
    assert_eq!(one.inputs, two.inputs);
    assert_eq!(two.outputs.len(), 1, "all comes back in one coin");
    assert_eq!((&cancelled["replaces"], &cancelled["outputs"][0]["own"]), (&paid["txid"], &json!(true)));
    let fee = cancelled["fee"].as_u64().unwrap();
    assert!(fee * 10 >= paid["fee"].as_u64().unwrap() * 11);
    assert_eq!((cancelled["leaves"].as_u64(), two.outputs[0].amount.grains()), (Some(fee), 1_000_000_000 - fee));
    home.run(&["cancel", txid(&paid), "--yes"]).fails(8, "it was replaced already, by");
    // What cancels can be hurried, and still pays nobody else.
    let hurried = home.json(&["bump", txid(&cancelled), "--fee-rate", "20"]);
    assert_eq!((hurried["outputs"].as_array().unwrap().len(), &hurried["outputs"][0]["own"]), (1, &json!(true)));
    // The same may be paid again, since nobody was paid.
    home.json(&["send", &format!("{friend}=0.1")]);
}

#[test]
fn a_transfer_a_withdrawal_and_a_call_are_replaced_by_nothing_at_the_same_nonce() {
    let orders: [&[&str]; 4] = [
        &["transfer", TO, "0.5"],
        &["withdraw", "1"],
        &["call", TO, "transfer(address,uint256)", TO, "1"],
        &["deploy", "0x6001600101"],
    ];
    for order in orders {
        let (node, home, _) = rich();
        node.state().nonce = 3;
        let sent = home.json(order);
        let cancelled = home.json(&["cancel", txid(&sent)]);
        assert_eq!(cancelled["replaces"], sent["txid"]);
        let state = node.state();
        let [Transaction::Account(one), Transaction::Account(two)] = &state.sent[..] else { panic!("not two") };
        let (one, two) = (one.fields(), two.fields());
        assert_eq!((one.nonce, two.nonce), (3, 3), "{order:?}");
        assert_eq!((two.to.unwrap().to_string().as_str(), two.value.is_zero()), (ACCOUNT, true), "{order:?}");
        assert!(two.input.is_empty() && two.gas_limit == 21_000, "{order:?}");
        let caps = |fees: &chain_core::transaction::account::Fees| [fees.fee_cap(), fees.tip_cap()];
        for (old, new) in caps(&one.fees).into_iter().zip(caps(&two.fees)) {
            let (old, new) = (old.to::<u128>(), new.to::<u128>());
            assert!(new * 10 >= old * 11, "{order:?}: {old} {new}");
        }
    }
}

#[test]
fn coins_of_a_policy_return_to_it() {
    let (node, home, friend) = rich();
    let policy = home.json(&["policy", "multisig", "1", "me", "--name", "one"])["address"].as_str().unwrap().to_owned();
    node.pay(&policy, 300_000_000);
    let spent = home.json(&["policy", "spend", "one", &format!("{friend}=1")]);
    let cancelled = home.json(&["cancel", txid(&spent)]);
    let tx = coins(&node, 1);
    let network = node.state().network.clone();
    assert_eq!(tx.inputs, coins(&node, 0).inputs);
    assert_eq!((tx.outputs.len(), network.address(&tx.outputs[0].lock)), (1, policy));
    assert!(matches!(tx.outputs[0].lock, Lock::Policy(_)));
    let hurried = home.json(&["bump", txid(&cancelled), "--fee-rate", "20"]);
    assert_eq!(hurried["outputs"].as_array().unwrap().len(), 1);
}

#[test]
fn says_what_it_does_and_refuses_what_cannot_be_cancelled() {
    let (node, home, friend) = rich();
    let paid = home.json(&["send", &format!("{friend}=1")]);
    let (payment, deposit) = (txid(&paid).to_owned(), home.json(&["deposit", "1"]));
    let dry = home.run(&["cancel", &payment, "--dry-run"]);
    assert_eq!(dry.code, 0, "{}", dry.err);
    assert!(dry.out.contains(&format!("This cancels {payment}, unless a block takes that first")), "{}", dry.out);
    let json = home.json(&["cancel", &payment, "--dry-run"]);
    assert_eq!((&json["dryRun"], &json["replaces"]), (&json!(true), &json!(payment)));
    assert_eq!(node.state().sent.len(), 2, "nothing was sent");
    home.run(&["cancel", &payment]).fails(2, "add --yes if you agree");
    home.run(&["cancel", &"0".repeat(64), "--yes"]).fails(8, "this wallet's file does not know it");
    home.run(&["cancel", "xyz", "--yes"]).fails(2, "'xyz' is not a transaction id");
    node.state().mined = true;
    home.run(&["cancel", txid(&deposit), "--yes"]).fails(8, "it is mined already, in block 121");
}

#[test]
fn a_claim_that_has_shown_its_secret_is_not_cancelled_by_mistake() {
    let (node, home, friend) = rich();
    let secret = home.json(&["policy", "secret"]);
    let sender = support::Home::numbered(&node, 2).json(&["policy", "key"])["key"].as_str().unwrap().to_owned();
    let hash = secret["hash"].as_str().unwrap();
    let htlc =
        ["policy", "htlc", "--hash", hash, "--receiver", "me", "--sender", &sender, "--after", "150", "--name", "s"];
    let address = home.json(&htlc)["address"].as_str().unwrap().to_owned();
    node.pay(&address, 300_000_000);
    let preimage = secret["secret"].as_str().unwrap();
    let claim = home.json(&["policy", "spend", "s", &friend, "--preimage", preimage]);
    let refused = home.run(&["cancel", txid(&claim), "--yes"]);
    refused.fails(8, "it claims a coin with a secret, which anyone can have read by now");
    refused.fails(8, "`cairn-wallet bump` raises the fee instead; add --yes-really to cancel it all the same");
    assert_eq!(node.state().sent.len(), 1);
    let hurried = home.json(&["bump", txid(&claim)]);
    let cancelled = home.json(&["cancel", txid(&hurried), "--yes-really"]);
    assert_eq!(cancelled["outputs"][0]["to"], address.as_str());
}

#[test]
fn the_history_says_what_a_transaction_cancels_or_replaces() {
    let (node, home, friend) = rich();
    let paid = home.json(&["send", &format!("{friend}=1")]);
    let bumped = home.json(&["bump", txid(&paid)]);
    let transferred = home.json(&["transfer", TO, "1"]);
    let cancelled = home.json(&["cancel", txid(&transferred)]);
    let received = |sent: &Value| (home.address(), txid(sent).parse().unwrap(), 1, 121);
    let both = [received(&bumped)];
    node.state().received.extend(both);
    node.state().account_history = json!([{
        "txid": cancelled["txid"], "height": 121, "time": 1_760_000_000, "confirmations": 1, "kind": "transfer",
        "direction": "self", "valueWei": "0", "feeWei": "1", "success": true,
    }]);
    let shown = home.run(&["history"]).out;
    for (word, old) in [("replaces", &paid), ("cancels", &transferred)] {
        let expected = format!("{word} {}", &txid(old)[..8]);
        assert!(shown.contains(&expected), "{expected}: {shown}");
    }
    let listed = home.json(&["history"]);
    let of = |sent: &Value| listed.as_array().unwrap().iter().find(|entry| entry["txid"] == sent["txid"]).unwrap();
    assert_eq!((&of(&bumped)["replaces"], &of(&cancelled)["cancels"]), (&paid["txid"], &transferred["txid"]));
}

#[test]
fn a_bump_of_an_account_has_no_more_decimals_than_what_it_replaces() {
    let (node, home, _) = rich();
    node.state().instead = Some((
        "coin_estimateFee".into(),
        json!({
            "baseFee": 1_000_000_000, "nextBaseFeeMax": 1_125_000_000, "tipPerGas": { "slow": 0, "normal": 0, "fast": 0 },
            "minReplacementPercent": 10,
        }),
    ));
    let paid = home.json(&["transfer", TO, "1"]);
    let bumped = home.json(&["bump", txid(&paid)]);
    let wei = |sent: &Value, field: &str| sent[field].as_str().unwrap().parse::<u128>().unwrap();
    let (old, new) = (wei(&paid, "maxFeeWei"), wei(&bumped, "maxFeeWei"));
    assert!(new * 10 >= old * 11 && new * 100 <= old * 112, "{old} {new}");
    assert_eq!(new % 10_000_000_000, 0, "whole grains");
    let Some(Transaction::Account(tx)) = node.state().sent.last().cloned() else { panic!("not of an account") };
    assert!(tx.fields().fees.tip_cap().to_string().ends_with("000000"), "what its block takes is short, too");
}
