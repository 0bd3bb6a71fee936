//! Double spends and reorganisations, on real processes.

use cairn_tests::{Node, TestKey, genesis, grind, send};
use chain_core::{
    block::{Block, merkle},
    transaction::{Transaction, coin::Output},
    units::{Amount, GRAINS_PER_CRN},
};
use serde_json::json;

const NOBODY: &str = "0x0000000000000000000000000000000000000000";

fn key(number: u8) -> TestKey {
    TestKey::new(number, "ecrn")
}

fn pay(to: &TestKey, crn: u64) -> Vec<Output> {
    vec![Output { amount: Amount::from_grains(crn * GRAINS_PER_CRN), lock: to.lock() }]
}

fn mempool_size(node: &Node) -> u64 {
    node.rpc.call("chain_getInfo", json!([]))["mempool"]["transactions"].as_u64().expect("a number")
}

/// A block like this one, with these transactions after its coinbase.
fn with_transactions(mut block: Block, transactions: &[Transaction]) -> Block {
    block.transactions.truncate(1);
    block.transactions.extend_from_slice(transactions);
    let leaves: Vec<[u8; 32]> = block.transactions.iter().map(merkle::leaf).collect();
    block.header.merkle_root = merkle::root(&leaves);
    grind(&mut block);
    block
}

// COIN-7, COIN-4
#[test]
fn a_coin_is_spent_once_in_the_mempool_and_once_in_a_block() {
    let node = Node::start();
    let (owner, first, second) = (key(1), key(2), key(3));
    node.mine(101, &owner.address(), NOBODY);
    let genesis = genesis(&node.rpc);
    let coin = owner.coins(&node.rpc)[0];
    let to_first = owner.spend(&genesis, &[coin], pay(&first, 4));
    let to_second = owner.spend(&genesis, &[coin], pay(&second, 4));

    let both = with_transactions(node.template(&owner.address(), NOBODY), &[to_first.clone(), to_second.clone()]);
    let refused = node.submit(&both).expect_err("a block must not spend a coin twice");
    assert_eq!(refused.code, -32003, "{refused:?}");
    assert!(refused.message.contains(&coin.0.txid.to_string()), "names the coin: {refused:?}");

    send(&node.rpc, &to_first).expect("the first spend is fine");
    let refused = send(&node.rpc, &to_second).expect_err("the mempool must not take a second spend at the same fee");
    assert_eq!(refused.code, -32003, "{refused:?}");

    node.mine(1, &owner.address(), NOBODY);
    assert_eq!(first.coins(&node.rpc).len(), 1);
    let refused = send(&node.rpc, &to_second).expect_err("the coin is gone");
    assert_eq!(refused.code, -32003, "{refused:?}");

    let twice = owner.spend(&genesis, &[owner.coins(&node.rpc)[0]; 2], pay(&first, 4));
    let refused = send(&node.rpc, &twice).expect_err("an input must not stand twice in one transaction");
    assert!(refused.message.contains("twice"), "{refused:?}");
    assert_eq!(node.height(), 102);
}

// CB-9
#[test]
fn a_mined_coin_is_spent_exactly_when_it_matures() {
    let node = Node::start();
    let (owner, other) = (key(1), key(2));
    node.mine(99, &owner.address(), NOBODY);
    let genesis = genesis(&node.rpc);
    let immature = node.rpc.call("coin_getCoins", json!([owner.address(), {"mempool": false}]));
    assert_eq!(immature["coins"].as_array().expect("a list").len(), 99);
    assert_eq!(owner.coins(&node.rpc).len(), 0, "block 100 is one too early for the coin of block 1");
    node.mine(1, &owner.address(), NOBODY);
    let coins = owner.coins(&node.rpc);
    assert_eq!(coins.len(), 1, "block 101 may spend the coin of block 1");
    send(&node.rpc, &owner.spend(&genesis, &coins, pay(&other, 4))).expect("it matured");
    node.mine(1, &owner.address(), NOBODY);
    assert_eq!(other.coins(&node.rpc).len(), 1);
}

#[test]
fn what_waits_in_the_mempool_waits_after_a_restart() {
    let mut node = Node::start();
    let (owner, other) = (key(1), key(2));
    node.mine(102, &owner.address(), NOBODY);
    let genesis = genesis(&node.rpc);
    for coin in owner.coins(&node.rpc) {
        send(&node.rpc, &owner.spend(&genesis, &[coin], pay(&other, 4))).expect("a fine payment");
    }
    assert_eq!(mempool_size(&node), 3);
    assert!(node.stop());
    node.restart();
    cairn_tests::wait_for("the mempool to be read", 10, || (mempool_size(&node) == 3).then_some(()));
    node.mine(1, &owner.address(), NOBODY);
    assert_eq!(other.coins(&node.rpc).len(), 3);
}

//        /- a102 (pays) - a103
//  ... 101
//        \- b102 - b103 - b104
#[test]
fn a_heavier_branch_returns_transactions_and_they_are_mined_again() {
    let (a, b) = (Node::start(), Node::start());
    let (owner, other, rival) = (key(1), key(2), key(3));
    a.mine(101, &owner.address(), NOBODY);
    for block in a.blocks_above(0) {
        b.submit(&block).expect("the common part");
    }
    let payment = owner.spend(&genesis(&a.rpc), &[owner.coins(&a.rpc)[0]], pay(&other, 4));
    let txid = send(&a.rpc, &payment).expect("a fine payment");
    a.mine(2, &owner.address(), NOBODY);
    assert_eq!(other.coins(&a.rpc).len(), 1);
    assert_eq!(mempool_size(&a), 0);

    b.mine(3, &rival.address(), NOBODY);
    let branch = b.blocks_above(101);
    for block in &branch[..2] {
        let answer = a.submit(block).expect("a branch with no more work is stored");
        assert_eq!(answer["status"], "stored");
    }
    assert_eq!(other.coins(&a.rpc).len(), 1, "first seen wins a tie");
    assert_eq!(a.submit(&branch[2]).expect("the heavier branch")["status"], "connected");

    assert_eq!(a.tip(), b.tip());
    assert_eq!(other.coins(&a.rpc).len(), 0, "the payment is unconfirmed again");
    assert_eq!(mempool_size(&a), 1, "and waits in the mempool");
    a.mine(1, &owner.address(), NOBODY);
    let mined = a.rpc.call("coin_getTransaction", json!([txid]));
    assert_eq!(mined["height"], 105);
    assert_eq!(other.coins(&a.rpc).len(), 1);

    b.submit(&a.blocks_above(104)[0]).expect("both nodes agree on the state");
    assert_eq!(a.tip(), b.tip());
}
