//! The wallet's features on real nodes: restoring, replacing, resending after a kill, several signers, watching, reorgs.

use cairn_tests::{Node, Wallet, wait_for};
use serde_json::{Value, json};

const CRN: u64 = 100_000_000;
const NOBODY: &str = "0x0000000000000000000000000000000000000000";

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
}

fn amount(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// A node, and a wallet with so many coins of 5 CRN that have matured.
fn rich(coins: u32) -> (Node, Wallet) {
    let node = Node::start();
    let wallet = Wallet::create(&node);
    let (address, _) = wallet.addresses();
    node.mine(coins, &address, NOBODY);
    mine(&node, 100);
    (node, wallet)
}

/// Mines blocks that pay nobody in these tests.
fn mine(node: &Node, blocks: u32) {
    let (address, account) = (cairn_tests::TestKey::new(77, "ecrn").address(), NOBODY);
    node.mine(blocks, &address, account);
}

fn confirmed(wallet: &Wallet) -> u64 {
    amount(&wallet.ok(&["balance"])["coins"], "confirmed")
}

/// The same words in a new file.
fn restored(node: &Node, wallet: &Wallet, flags: &[&str]) -> (Wallet, Value) {
    let other = Wallet::empty(node);
    let (words, chain) = (other.path("words"), node.chain_file().display().to_string());
    std::fs::write(&words, text(&wallet.ok(&["show-mnemonic"]), "mnemonic")).expect("a folder of its own");
    let report = other.ok(&[&["restore", "--chain", &chain, "--mnemonic-file", &words], flags].concat());
    (other, report)
}

#[test]
fn restoring_finds_coins_and_accounts_as_far_apart_as_the_gap() {
    let (node, wallet) = rich(2);
    // A scan looks at whole rows of 20: the second ends at 39.
    (0..40).for_each(|_| drop(wallet.ok(&["address", "--new"])));
    (0..21).for_each(|_| drop(wallet.ok(&["address", "account", "--new"])));
    let (far, account) = wallet.addresses();
    wallet.ok(&["send", &format!("{far}=1")]);
    mine(&node, 1);
    wallet.ok(&["deposit", "2", "--to", &account]);
    mine(&node, 1);
    let (near, report) = restored(&node, &wallet, &[]);
    assert_eq!((amount(&report["used"], "receive"), amount(&report["used"], "accounts")), (2, 1));
    assert!(confirmed(&near) < confirmed(&wallet));
    near.ok(&["rescan", "--gap", "45"]);
    assert_eq!(near.ok(&["balance"])["totalWei"], wallet.ok(&["balance"])["totalWei"]);
    // What was built and never sent leaves no gap in the change.
    let (friend, _) = Wallet::create(&node).addresses();
    for _ in 0..21 {
        wallet.ok(&["build", "send", &format!("{friend}=0.1")]);
    }
    wallet.ok(&["send", &format!("{friend}=0.1")]);
    mine(&node, 1);
    let (again, _) = restored(&node, &wallet, &["--gap", "45"]);
    assert_eq!(again.ok(&["balance"])["totalWei"], wallet.ok(&["balance"])["totalWei"]);
}

#[test]
fn a_bump_replaces_coins_with_what_depends_on_them_and_account_transactions() {
    let (node, wallet) = rich(1);
    let friend = Wallet::create(&node);
    let (friend_coins, friend_account) = friend.addresses();
    let first = wallet.ok(&["send", &format!("{friend_coins}=1")]);
    let deposit = wallet.ok(&["deposit", "2"]);
    // Two transactions go, so that the pool asks for more than both paid.
    let second = wallet.ok(&["bump", &text(&first, "txid")]);
    assert_eq!(second["drops"], json!([deposit["txid"]]));
    let third = wallet.ok(&["bump", &text(&second, "txid"), "--fee-rate", "2"]);
    assert!(amount(&third, "fee") > amount(&second, "fee"));
    assert_eq!(wallet.ok(&["resend"])["resent"], json!([]), "nothing that was dropped is handed in again");
    mine(&node, 1);
    assert_eq!(confirmed(&friend), CRN);
    wallet.ok(&["deposit", "2"]);
    mine(&node, 1);
    let slow = wallet.ok(&["transfer", &format!("{friend_account}=0.5")]);
    let fast = wallet.ok(&["bump", &text(&slow, "txid"), "--fee-rate", "3"]);
    assert_eq!(slow["nonce"], fast["nonce"]);
    mine(&node, 1);
    let status = node.rpc.call("coin_getTransaction", json!([text(&fast, "txid")]));
    assert_eq!(status["confirmations"], 1);
    assert_eq!(node.rpc.call("eth_getBalance", json!([friend_account, "latest"])), "0x6f05b59d3b20000");
}

#[test]
fn what_a_killed_node_has_lost_is_resent_and_nothing_is_paid_twice() {
    let (mut node, wallet) = rich(3);
    let friend = Wallet::create(&node);
    let (friend_coins, friend_account) = friend.addresses();
    wallet.ok(&["deposit", "2"]);
    mine(&node, 1);
    let paid = wallet.ok(&["send", &format!("{friend_coins}=1")]);
    let moved = wallet.ok(&["transfer", &format!("{friend_account}=0.5")]);
    node.kill();
    node.restart();
    assert_eq!(node.rpc.call("coin_getTransaction", json!([text(&paid, "txid")])), Value::Null);
    // The same again is refused; something else keeps off its coin and its nonce.
    assert_eq!(wallet.run(&["send", &format!("{friend_coins}=1")]).code, 8);
    wallet.ok(&["send", &format!("{friend_coins}=0.25")]);
    assert_eq!(amount(&wallet.ok(&["transfer", &format!("{friend_account}=0.25")]), "nonce"), 1);
    let resent = wallet.ok(&["resend"]);
    let mut ids: Vec<&Value> = resent["resent"].as_array().expect("a list").iter().collect();
    ids.sort_by_key(|id| id.to_string());
    let mut expected = vec![&paid["txid"], &moved["txid"]];
    expected.sort_by_key(|id| id.to_string());
    assert_eq!(ids, expected);
    mine(&node, 1);
    assert_eq!(confirmed(&friend), CRN * 5 / 4);
    assert_eq!(friend.ok(&["balance"])["accounts"][0]["balanceWei"], "750000000000000000");
    assert_eq!(
        wallet.ok(&["resend"]),
        json!({ "arrived": [], "resent": [], "refused": [], "kept": [], "otherChain": [] })
    );
}

#[test]
fn two_wallets_share_a_policy_and_swap_by_a_secret() {
    let (node, alice) = rich(3);
    let bob = Wallet::create(&node);
    let (bob_coins, _) = bob.addresses();
    let keys = [&alice, &bob].map(|wallet| text(&wallet.ok(&["policy", "key"]), "key"));
    let multisig = ["policy", "multisig", "2", &keys[0], &keys[1], "--name", "safe"];
    assert_eq!(alice.ok(&multisig)["address"], bob.ok(&multisig)["address"]);
    alice.ok(&["policy", "fund", "safe", "3"]);
    mine(&node, 1);
    let begun = alice.ok(&["policy", "spend", "safe", &format!("{bob_coins}=1")]);
    std::fs::copy(alice.path(&text(&begun, "file")), bob.path("shared.json")).expect("both are on this machine");
    assert_eq!(bob.ok(&["sign", "shared.json"])["complete"], true);
    bob.ok(&["broadcast", "shared.json"]);
    mine(&node, 1);
    assert_eq!(confirmed(&bob), CRN);
    // A swap: bob claims with his secret, in time because he can raise the fee.
    let secret = bob.ok(&["policy", "secret"]);
    let after = (node.height() + 20).to_string();
    let hash = text(&secret, "hash");
    let htlc = [
        "policy",
        "htlc",
        "--hash",
        &hash,
        "--receiver",
        &keys[1],
        "--sender",
        &keys[0],
        "--after",
        &after,
        "--name",
        "swap",
    ];
    alice.ok(&htlc);
    bob.ok(&htlc);
    alice.ok(&["policy", "fund", "swap", "2"]);
    mine(&node, 1);
    assert_eq!(alice.run(&["policy", "spend", "swap"]).code, 8, "it is too early for the sender");
    let claim = bob.ok(&["policy", "spend", "swap", "--preimage", &text(&secret, "secret")]);
    let raised = bob.ok(&["bump", &text(&claim, "txid"), "--fee-rate", "2"]);
    assert!(amount(&raised, "fee") > amount(&claim, "fee"));
    mine(&node, 1);
    assert_eq!(confirmed(&bob), 3 * CRN - amount(&raised, "fee"));
    // And the other way: nobody claims, the sender takes it back when its time has come.
    alice.ok(&["policy", "fund", "swap", "1"]);
    mine(&node, 20);
    let before = confirmed(&alice);
    let refund = alice.ok(&["policy", "spend", "swap"]);
    mine(&node, 1);
    assert_eq!(confirmed(&alice), before + CRN - amount(&refund, "fee"));
}

#[test]
fn coins_are_watched_here_and_signed_elsewhere() {
    let (node, vault) = rich(2);
    let (friend, watcher) = (Wallet::create(&node), Wallet::empty(&node));
    let chain = node.chain_file().display().to_string();
    std::fs::write(watcher.path("public.json"), vault.run(&["public-keys"]).stdout).expect("a folder of its own");
    watcher.ok(&["watch", "public.json", "--chain", &chain]);
    assert_eq!(confirmed(&watcher), 10 * CRN);
    for (payment, left) in [(7, 3), (1, 2)] {
        watcher.ok(&["build", "--out", "pay.json", "send", &format!("{}={payment}", friend.addresses().0)]);
        std::fs::copy(watcher.path("pay.json"), vault.path("pay.json")).expect("both are on this machine");
        assert_eq!(vault.run(&["sign", "pay.json", "--rpc", "http://127.0.0.1:9"]).json()["complete"], true);
        std::fs::copy(vault.path("pay.json"), watcher.path("signed.json")).expect("both are on this machine");
        let sent = watcher.ok(&["broadcast", "signed.json"]);
        assert_eq!(amount(&sent, "leaves"), payment * CRN + amount(&sent, "fee"));
        std::fs::remove_file(watcher.path("pay.json")).expect("it was written");
        mine(&node, 1);
        assert_eq!((confirmed(&watcher) + CRN / 2) / CRN, left);
    }
    assert_eq!(confirmed(&friend), 8 * CRN);
}

//        /- a (the deposit)
//  ... tip
//        \- b1 - b2 - b3
#[test]
fn a_deposit_and_waiting_for_it_outlive_a_reorg() {
    let (node, wallet) = rich(2);
    let rival = Node::start();
    for block in node.blocks_above(0) {
        rival.submit(&block).expect("the common part");
    }
    let fork = rival.height();
    mine(&rival, 3);
    let branch = rival.blocks_above(fork);
    let deposit = wallet.ok(&["deposit", "2"]);
    mine(&node, 1);
    let account = |wallet: &Wallet| wallet.ok(&["balance"])["accounts"][0].clone();
    assert_eq!(account(&wallet)["balanceWei"], "2000000000000000000");
    // Something else waits for a block while the chain changes under it.
    let waiting = wallet.start(&["deposit", "1", "--wait"]);
    let pool = || node.rpc.call("chain_getInfo", json!([]))["mempool"]["transactions"].as_u64();
    wait_for("the second deposit", 30, || (pool() == Some(1)).then_some(()));
    branch.iter().for_each(|block| drop(node.submit(block).expect("a heavier branch")));
    assert_eq!(node.tip(), rival.tip());
    assert_eq!(pool(), Some(2), "the first deposit waits again");
    let now = account(&wallet);
    assert_eq!((now["balanceWei"].as_str(), now["pendingInWei"].as_str()), (Some("0"), Some("3000000000000000000")));
    let short = wallet.run(&["transfer", &format!("{NOBODY}=0.5")]);
    assert_eq!(short.code, 7);
    assert!(short.stderr.contains("3.00000000 CRN are on their way to it"), "{short:?}");
    mine(&node, 1);
    assert_eq!(waiting.end().json()["height"], fork + 4);
    assert_eq!(account(&wallet)["balanceWei"], "3000000000000000000");
    let mined = node.rpc.call("coin_getTransaction", json!([text(&deposit, "txid")]));
    assert_eq!(mined["height"], fork + 4);
}

#[test]
fn what_is_cancelled_pays_nobody_and_leaves_coins_and_nonce_to_what_comes_next() {
    let (node, wallet) = rich(2);
    let friend = Wallet::create(&node);
    let (friend_coins, friend_account) = friend.addresses();
    let paid = wallet.ok(&["send", &format!("{friend_coins}=7")]);
    let cancelled = wallet.ok(&["cancel", &text(&paid, "txid")]);
    assert_eq!((&cancelled["replaces"], amount(&cancelled, "leaves")), (&paid["txid"], amount(&cancelled, "fee")));
    mine(&node, 1);
    assert_eq!(confirmed(&friend), 0);
    assert_eq!(confirmed(&wallet), 10 * CRN - amount(&cancelled, "fee"));
    assert_eq!(wallet.run(&["cancel", &text(&cancelled, "txid")]).code, 8, "it is mined");
    wallet.ok(&["deposit", "2"]);
    mine(&node, 1);
    let moved = wallet.ok(&["transfer", &format!("{friend_account}=0.5")]);
    let nothing = wallet.ok(&["cancel", &text(&moved, "txid")]);
    assert_eq!((&nothing["nonce"], &nothing["valueWei"]), (&moved["nonce"], &json!("0")));
    mine(&node, 1);
    assert_eq!(node.rpc.call("eth_getBalance", json!([friend_account, "latest"])), "0x0");
    assert_eq!(node.rpc.call("coin_getTransaction", json!([text(&moved, "txid")])), Value::Null);
    let next = wallet.ok(&["transfer", &format!("{friend_account}=0.25")]);
    assert_eq!(amount(&next, "nonce"), 1);
    mine(&node, 1);
    assert_eq!(node.rpc.call("eth_getBalance", json!([friend_account, "latest"])), "0x3782dace9d90000");
}
