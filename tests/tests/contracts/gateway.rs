//! A contract that pays out coins through the gateway.

use cairn_tests::Wallet;
use serde_json::json;

use crate::lab::{Lab, events, lock_bytes};

/// A bank with 10 CRN of the wallet, and a friend who has nothing.
fn bank(lab: &Lab) -> (String, Wallet, String) {
    let bank = lab.deploy("Bank", &[]);
    let paid = lab.call("Bank", &[&bank, "0x", "--value", "10crn"]);
    assert_eq!(events(&paid), [format!("Paid({},10000000000000000000)", lab.account)]);
    let friend = Wallet::create(&lab.node);
    let (address, _) = friend.addresses();
    (bank, friend, address)
}

fn coins(lab: &Lab, address: &str) -> Vec<u64> {
    let answer = lab.node.rpc.call("coin_getCoins", json!([address, {"mempool": false}]));
    let coins = answer["coins"].as_array().expect("a list");
    coins.iter().map(|coin| coin["amount"].as_u64().expect("grains")).collect()
}

fn supply_is_exact(lab: &Lab) {
    let supply = lab.node.rpc.call("chain_getSupply", json!([]));
    let number = |key: &str| -> u128 {
        supply[key]
            .as_str()
            .map_or_else(|| supply[key].as_u64().expect("a number").into(), |text| text.parse().expect("a number"))
    };
    let there = number("coins") * 10_000_000_000 + number("accountsWei");
    assert_eq!(number("mintedWei"), there + number("burnedWei"), "{supply}");
}

#[test]
fn a_contract_withdraws_coins_and_they_are_spent() {
    let Some(lab) = Lab::start() else { return };
    let (bank, friend, address) = bank(&lab);
    let paid = lab.call("Bank", &[&bank, "withdraw", &lock_bytes(&address), "2e18"]);
    assert_eq!(events(&paid), [format!("Withdrawal({bank},{},200000000)", lock_bytes(&address))]);
    assert_eq!(coins(&lab, &address), [200_000_000]);
    assert_eq!(lab.wei(&bank), 8 * 10u128.pow(18));

    friend.ok(&["send", &format!("{}=1.9", lab.coins)]);
    lab.mine(1);
    assert!(coins(&lab, &address).iter().sum::<u64>() < 10_000_000, "the withdrawn coin is spent");

    let two = format!("[{0},{0}]", lock_bytes(&address));
    assert_eq!(events(&lab.call("Bank", &[&bank, "withdrawAll", &two, "1e18"])).len(), 2);
    assert_eq!(coins(&lab, &address).iter().filter(|grains| **grains == 100_000_000).count(), 2);
    supply_is_exact(&lab);
}

#[test]
fn a_withdrawal_in_a_reverted_frame_pays_nobody() {
    let Some(lab) = Lab::start() else { return };
    let (bank, _, address) = bank(&lab);
    let lock = lock_bytes(&address);
    let paid = lab.call("Bank", &[&bank, "changeOfMind", &lock, "2e18"]);
    assert_eq!(events(&paid), [format!("Withdrawal({bank},{lock},100000000)")]);
    assert_eq!(coins(&lab, &address), [100_000_000], "half of it, once");
    assert_eq!(lab.wei(&bank), 9 * 10u128.pow(18));
    assert_eq!(lab.view("Bank", &[&bank, "delegated", &lock]), [false], "by DELEGATECALL nothing is paid");
    let fraction = lab.refused("call", "Bank", &[&bank, "withdraw", &lock, "15000000001"]);
    assert!(fraction.contains("grain"), "{fraction}");
    assert!(lab.refused("call", "Bank", &[&bank, "withdraw", "0xff", "1e18"]).contains("lock"));
    supply_is_exact(&lab);
}
