//! Coins that account transactions withdraw, found from either side.

use super::{super::testing::withdrawal, *};
use chain_core::{execute::withdrawal_outpoint, transaction::coin::Output, units::Amount};

// GW-6
#[test]
fn a_withdrawn_coin_names_its_account_transaction_and_the_other_way_round() {
    let node = TestNode::fresh();
    node.call("dev_setAutomine", json!([false]));
    let output = Output { amount: Amount::from_grains(123_456), lock: lock(&dev_coin_key()) };
    let (genesis_coin, _) = node.coin_of(&node.address(&dev_coin_key()));
    let tx = withdrawal(ACCOUNTS[0].private_key, 0, &output);
    let hash = node.call("eth_sendRawTransaction", json!([raw(&tx)]));
    let txid = hash.as_str().unwrap().trim_start_matches("0x");
    assert_eq!(node.call("coin_getTransaction", json!([txid])).get("withdrawals"), None, "not mined yet");
    node.call("evm_mine", json!([]));

    let at = withdrawal_outpoint(txid.parse().unwrap(), 0, &output);
    let address = node.address(&dev_coin_key());
    let made = node.call("coin_getTransaction", json!([txid]))["withdrawals"].clone();
    let lock = node.call("coin_validateAddress", json!([address]))["lock"].clone();
    let expected = json!({
        "txid": at.txid.to_string(), "index": 0, "amount": 123_456, "address": address, "lock": lock,
    });
    assert_eq!(made, json!([expected]));

    let coin = node.call("coin_getCoin", json!([at.txid.to_string(), 0]));
    assert_eq!((&coin["amount"], &coin["madeBy"]), (&json!(123_456), &json!(txid)));
    let coins = node.call("coin_getCoins", json!([address]));
    let listed = coins["coins"].as_array().unwrap().iter().find(|coin| coin["txid"] == at.txid.to_string());
    assert_eq!(listed.unwrap()["amount"], 123_456);
    let history = node.call("coin_getHistory", json!([address]))["entries"][0].clone();
    assert_eq!(
        (&history["txid"], &history["kind"], &history["received"]),
        (&json!(txid), &json!("withdrawal"), &json!(123_456))
    );
    assert_eq!(node.call("coin_getTransaction", json!([at.txid.to_string()])), Value::Null);

    // Any other coin is made by what its outpoint names.
    let (name, index) = (genesis_coin.txid.to_string(), genesis_coin.index);
    assert_eq!(node.call("coin_getCoin", json!([name, index]))["madeBy"], name);
}
