//! The README's walk through, with the wallet's binary: mine, pay, deposit, transfer, withdraw, spend what was withdrawn,
//! restart.

use cairn_tests::{Node, Wallet};
use serde_json::{Value, json};

const CRN: u64 = 100_000_000;

fn confirmed(wallet: &Wallet) -> u64 {
    wallet.ok(&["balance"])["coins"]["confirmed"].as_u64().expect("a balance is a number")
}

fn wei_of(node: &Node, account: &str) -> u128 {
    let answer = node.rpc.call("eth_getBalance", json!([account, "latest"]));
    let digits = answer.as_str().and_then(|text| text.strip_prefix("0x")).expect("a quantity");
    u128::from_str_radix(digits, 16).expect("hexadecimal")
}

fn supply_is_exact(node: &Node) {
    let supply = node.rpc.call("chain_getSupply", json!([]));
    let number = |key: &str| -> u128 {
        match &supply[key] {
            Value::String(text) => text.parse().expect("a decimal number"),
            value => u128::from(value.as_u64().unwrap_or_else(|| panic!("no {key} in {supply}"))),
        }
    };
    let made = number("mintedWei");
    assert_eq!(number("subsidies") * 10_000_000_000 + number("allocatedWei"), made, "{supply}");
    let there = number("coins") * 10_000_000_000 + number("accountsWei");
    assert_eq!(made, there + number("burnedWei"), "{supply}");
}

#[test]
fn money_goes_through_both_sides_of_the_ledger_and_survives_a_restart() {
    let mut node = Node::start();
    let (miner, friend) = (Wallet::create(&node), Wallet::create(&node));
    let (coins, account) = miner.addresses();
    let (friend_coins, friend_account) = friend.addresses();
    let mine = |node: &Node, blocks| node.mine(blocks, &coins, &account);
    mine(&node, 103);
    assert_eq!(confirmed(&miner), 4 * 5 * CRN, "blocks 1 to 4 have matured for block 104");

    miner.ok(&["send", &format!("{friend_coins}=1.5")]);
    mine(&node, 1);
    assert_eq!(confirmed(&friend), CRN * 3 / 2);

    miner.ok(&["deposit", "2"]);
    mine(&node, 1);
    assert_eq!(wei_of(&node, &account), 2 * 10u128.pow(18));

    miner.ok(&["transfer", &format!("{friend_account}=0.75")]);
    mine(&node, 1);
    assert_eq!(wei_of(&node, &friend_account), 75 * 10u128.pow(16));

    friend.ok(&["withdraw", "0.5"]);
    mine(&node, 1);
    assert_eq!(confirmed(&friend), 2 * CRN);
    assert!(wei_of(&node, &friend_account) < 25 * 10u128.pow(16), "a fee was paid");

    // More than was ever received in coins: the withdrawn coin is among the inputs.
    friend.ok(&["send", &format!("{coins}=1.9")]);
    mine(&node, 1);
    assert!(confirmed(&friend) < CRN / 10);
    supply_is_exact(&node);

    let before = (node.tip(), miner.ok(&["balance"]), friend.ok(&["history"]));
    assert!(node.stop(), "a clean end on SIGTERM: {}", node.log());
    node.restart();
    let after = (node.tip(), miner.ok(&["balance"]), friend.ok(&["history"]));
    assert_eq!(before, after);
}

#[test]
fn the_node_mines_for_a_wallet_that_asks() {
    let node = Node::start();
    let wallet = Wallet::create(&node);
    assert_eq!(wallet.ok(&["mine", "--threads", "1"])["mining"], true);
    cairn_tests::wait_for("a block", 60, || (node.height() > 0).then_some(()));
    assert_eq!(wallet.ok(&["mine", "--stop"])["mining"], false);
    assert!(wallet.ok(&["balance"])["coins"]["immature"].as_u64() >= Some(5 * CRN));
}

#[test]
fn a_wallet_without_funds_says_how_much_is_missing() {
    let node = Node::start();
    let wallet = Wallet::create(&node);
    let (coins, _) = wallet.addresses();
    let outcome = wallet.run(&["send", &format!("{coins}=3")]);
    assert_eq!(outcome.code, 7, "{outcome:?}");
    assert!(outcome.stderr.contains("3.00000976 short"), "{outcome:?}");
}
