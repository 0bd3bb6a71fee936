//! Transactions between honest nodes.

use chain_core::transaction::Transaction;

use super::net::Net;
use crate::{
    engine::tests::kit::{COIN, FEE, Kit, Tx, made, pay, spec},
    mempool::MempoolConfig,
    wire::Request,
};

fn nodes(count: usize, coins: usize) -> Net {
    let first = Kit::with(spec(coins), MempoolConfig::default());
    let others: Vec<Kit> = (1..count).map(|_| first.twin()).collect();
    Net::new(std::iter::once(first).chain(others).collect())
}

fn pooled(net: &Net) -> Vec<usize> {
    net.nodes.iter().map(|node| node.engine.mempool().stats().transactions).collect()
}

fn payments(kit: &Kit, range: std::ops::Range<u32>) -> Vec<Transaction> {
    range.map(|index| Transaction::Coin(kit.send(index, FEE))).collect()
}

fn submit(net: &mut Net, node: usize, transactions: Vec<Transaction>) {
    net.nodes[node].now = net.now;
    assert!(net.nodes[node].submit_all(transactions).iter().all(Result::is_ok));
    net.collect(node);
}

#[test]
fn transactions_reach_everybody_once_and_in_batches() {
    let mut net = nodes(4, 200);
    net.connect_all();
    net.run(500);
    net.asked.clear();
    let all = payments(&net.nodes[0], 0..200);
    for (node, some) in all.chunks(100).enumerate() {
        submit(&mut net, node, some.to_vec());
    }
    net.run(1_000);
    assert_eq!(pooled(&net), [200; 4]);
    assert!(net.asked["announce"] <= 16, "{:?}", net.asked);
    assert!(net.asked["transactions"] <= 8, "{:?}", net.asked);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn accounts_are_relayed_as_coins_are() {
    let mut net = nodes(3, 1);
    net.connect(0, 1);
    net.connect(1, 2);
    net.run(500);
    let transfers: Vec<_> = (0..20).map(|nonce| Tx::from(&net.nodes[0].transfer(1, nonce, 2)).0).collect();
    submit(&mut net, 0, transfers);
    net.run(2_000);
    assert_eq!(pooled(&net), [20; 3]);
}

#[test]
fn pools_that_were_apart_are_alike_after_they_meet() {
    let mut net = nodes(3, 1_500);
    let all = payments(&net.nodes[0], 0..1_500);
    submit(&mut net, 0, all[..1_400].to_vec());
    submit(&mut net, 1, all[1_300..].to_vec());
    net.connect(0, 1);
    net.run(1_000);
    assert_eq!(pooled(&net)[..2], [1_500; 2]);
    net.connect(1, 2);
    net.run(1_000);
    assert_eq!(pooled(&net), [1_500; 3]);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn a_chain_of_transactions_arrives_in_any_order() {
    let mut net = nodes(2, 3);
    let mut chain = vec![net.nodes[0].send(0, FEE)];
    for number in 1..10_u64 {
        let last = chain.last().unwrap();
        let next = net.nodes[0].spend(2, &[made(last, 0)], &[pay(COIN - (number + 1) * FEE, 2)]);
        chain.push(next);
    }
    let all: Vec<_> = chain.iter().map(|tx| Tx::from(tx).0).collect();
    submit(&mut net, 0, all);
    net.connect(0, 1);
    net.run(1_000);
    assert_eq!(pooled(&net), [10; 2], "short ids come best first, whatever spends what");
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn what_one_peer_does_not_deliver_is_asked_of_another() {
    let mut net = nodes(3, 10);
    net.connect_all();
    net.run(500);
    // Node 0 announces first and never delivers.
    net.mute = |node, request| node == 0 && matches!(request, Request::Transactions(_));
    let all = payments(&net.nodes[0], 0..10);
    submit(&mut net, 0, all.clone());
    net.run(200);
    submit(&mut net, 1, all);
    net.run(15_000);
    assert_eq!(pooled(&net), [10; 3]);
    net.run(60_000);
    assert_eq!(net.nodes[2].engine.peer_usage().wanted, 0);
}

#[test]
fn a_mined_transaction_is_forgotten_by_all() {
    let mut net = nodes(3, 10);
    net.connect_all();
    let all = payments(&net.nodes[0], 0..10);
    submit(&mut net, 0, all);
    net.run(1_000);
    net.mine(2);
    net.run(1_000);
    assert_eq!(pooled(&net), [0; 3]);
    assert_eq!(net.heights(), [1; 3]);
}

#[test]
fn what_was_mined_while_others_asked_for_it_is_announced_again_when_its_block_falls() {
    let mut net = nodes(2, 2);
    net.connect(0, 1);
    net.run(500);
    let payment = payments(&net.nodes[0], 0..1);
    let txid = payment[0].txid();
    net.mute = |_, request| matches!(request, Request::Transactions(_));
    submit(&mut net, 0, payment);
    // Node 1 is told of it and asks in vain; then it is mined, in a block that nobody hears of.
    net.run(12_000);
    net.mute = |_, _| false;
    net.links.clear();
    net.mine(0);
    net.links.insert((0, 1));
    assert_eq!(pooled(&net), [0, 0]);
    let mut other = net.nodes[1].twin();
    other.now = net.now;
    for block in other.mine_many(2) {
        net.nodes[0].now = other.now;
        net.nodes[0].take(block).unwrap();
    }
    net.now = other.now;
    net.collect(0);
    assert_eq!(pooled(&net), [1, 0]);
    net.run(2_000);
    assert!(net.nodes[1].engine.mempool().contains(&txid), "{:?}", net.asked);
}

#[test]
fn a_thousand_nonces_of_one_account_reach_everybody() {
    let mut net = nodes(4, 1);
    net.connect_all();
    net.run(500);
    let transfers: Vec<_> = (0..1_000).map(|nonce| Tx::from(&net.nodes[0].transfer(1, nonce, 2)).0).collect();
    submit(&mut net, 0, transfers);
    net.run(20_000);
    let pending: Vec<_> = net.nodes.iter().map(|node| node.engine.mempool().stats().pending).collect();
    assert_eq!(pending, [1_000; 4]);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn what_waits_for_a_nonce_is_announced_once_that_is_there() {
    let mut net = nodes(3, 1);
    net.connect(0, 1);
    net.run(500);
    let [first, rest @ ..]: [_; 6] =
        std::array::from_fn(|nonce| Tx::from(&net.nodes[0].transfer(1, nonce as u64, 2)).0);
    submit(&mut net, 0, rest.to_vec());
    net.run(5_000);
    assert_eq!(pooled(&net), [5, 0, 0], "behind a gap it may never be mined");
    // Nor is it told to who comes later.
    net.connect(0, 2);
    net.run(5_000);
    assert_eq!(pooled(&net), [5, 0, 0]);
    submit(&mut net, 0, vec![first]);
    net.run(5_000);
    assert_eq!(pooled(&net), [6, 6, 6]);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}
