//! Who is asked for a transaction: nobody twice, chosen peers first, and no peer can keep one back.

use chain_core::{Bytes, hash::TxId, transaction::Transaction};

use super::{
    hostile::{announce, answer, disconnected, one_node, random_names},
    net::{HOSTILE, Net, connected},
};
use crate::{
    engine::{
        InboundId, Offence, PeerAction, PeerEvent, PeerId, RequestId, Side,
        tests::kit::{COIN, FEE, Kit, Tx, made, pay, spec},
    },
    mempool::MempoolConfig,
    wire::{Request, Response, ShortId},
};

/// Questions for transactions that a hostile peer was asked.
fn asked(net: &mut Net, peer: u64) -> Vec<(RequestId, Vec<TxId>)> {
    let transactions = |(_, id, request)| match request {
        Request::Transactions(names) => Some((id, names)),
        _ => None,
    };
    net.questions(peer).into_iter().filter_map(transactions).collect()
}

fn deliver(net: &mut Net, peer: u64, id: RequestId, transactions: &[Transaction]) {
    let encoded = transactions.iter().map(|transaction| Bytes::from(transaction.encode())).collect();
    net.inject(0, peer, PeerEvent::Response(id, Ok(Response::Transactions(encoded))));
}

fn intrude(net: &mut Net, peer: u64, side: Side) {
    let status = net.status(0);
    net.inject(0, peer, connected(side, peer));
    net.inject(0, peer, PeerEvent::Request(InboundId(0), Request::Status(status)));
    net.questions(peer);
}

fn coin(net: &Net, index: u32) -> Transaction {
    Transaction::Coin(net.nodes[0].send(index, FEE))
}

#[test]
fn a_peer_is_asked_once_for_a_transaction_however_often_it_names_it() {
    let mut net = one_node(1);
    let parent = net.nodes[0].send(0, FEE);
    let name = parent.txid();
    announce(&mut net, HOSTILE, vec![name]);
    assert_eq!(asked(&mut net, HOSTILE)[0].1, [name]);
    // Children of it want it too.
    for number in 0..7 {
        let child = net.nodes[0].spend(2, &[made(&parent, 0)], &[pay(COIN - (2 + number) * FEE, 3)]);
        let child = Tx::from(&child).0;
        announce(&mut net, HOSTILE, vec![child.txid(), name]);
        let (id, names) = asked(&mut net, HOSTILE).remove(0);
        assert_eq!(names, [child.txid()]);
        deliver(&mut net, HOSTILE, id, &[child]);
    }
    // An honest peer has it as well, and it is here as soon as the first silence is noticed.
    intrude(&mut net, HOSTILE + 1, Side::Inbound);
    announce(&mut net, HOSTILE + 1, vec![name]);
    assert!(asked(&mut net, HOSTILE + 1).is_empty());
    net.run(10_100);
    let (id, names) = asked(&mut net, HOSTILE + 1).remove(0);
    assert_eq!(names, [name]);
    deliver(&mut net, HOSTILE + 1, id, &[Tx::from(&parent).0]);
    assert!(net.nodes[0].engine.mempool().contains(&name));
    assert_eq!(net.nodes[0].engine.peer_usage().wanted, 0);
}

#[test]
fn many_silent_peers_do_not_keep_a_transaction_from_a_node_that_dialled_an_honest_one() {
    let mut net = one_node(1);
    let payment = coin(&net, 0);
    let name = payment.txid();
    for peer in 1..30 {
        intrude(&mut net, HOSTILE + peer, Side::Inbound);
        announce(&mut net, HOSTILE + peer, vec![name]);
    }
    intrude(&mut net, HOSTILE + 99, Side::Chosen);
    announce(&mut net, HOSTILE + 99, vec![name]);
    net.run(10_100);
    let (id, names) = asked(&mut net, HOSTILE + 99).remove(0);
    assert_eq!(names, [name]);
    deliver(&mut net, HOSTILE + 99, id, &[payment]);
    assert!(net.nodes[0].engine.mempool().contains(&name));
}

#[test]
fn a_bad_copy_does_not_keep_the_good_one_out() {
    let mut net = one_node(1);
    let payment = net.nodes[0].send(0, FEE);
    let mut bad = payment.clone();
    bad.witnesses = net.nodes[0].send(1, FEE).witnesses;
    assert_eq!(bad.txid(), payment.txid());
    intrude(&mut net, HOSTILE + 1, Side::Inbound);
    for peer in [HOSTILE, HOSTILE + 1] {
        announce(&mut net, peer, vec![payment.txid()]);
    }
    let (id, _) = asked(&mut net, HOSTILE).remove(0);
    deliver(&mut net, HOSTILE, id, &[Tx::from(&bad).0]);
    assert!(matches!(net.offences[..], [(0, PeerId(HOSTILE), Offence::InvalidTransaction(_))]), "{:?}", net.offences);
    let (id, _) = asked(&mut net, HOSTILE + 1).remove(0);
    deliver(&mut net, HOSTILE + 1, id, &[Tx::from(&payment).0]);
    assert!(net.nodes[0].engine.mempool().contains(&payment.txid()));
}

#[test]
fn a_peer_that_is_gone_leaves_what_it_named_to_others() {
    let mut net = one_node(1);
    let payment = coin(&net, 0);
    intrude(&mut net, HOSTILE + 1, Side::Inbound);
    for peer in [HOSTILE, HOSTILE + 1] {
        announce(&mut net, peer, vec![payment.txid()]);
    }
    net.inject(0, HOSTILE, PeerEvent::Disconnected);
    let (id, _) = asked(&mut net, HOSTILE + 1).remove(0);
    deliver(&mut net, HOSTILE + 1, id, &[payment]);
    assert_eq!(net.nodes[0].engine.mempool().stats().transactions, 1);
    assert_eq!(net.nodes[0].engine.peer_usage().wanted, 0);
}

#[test]
fn an_announcement_of_what_was_replaced_costs_nothing() {
    let first = Kit::with(spec(10), MempoolConfig::default());
    let second = first.twin();
    let mut net = Net::new(vec![first, second]);
    net.connect(0, 1);
    // No block has come for a while.
    net.run(20_000);
    let mut tip = 10;
    for _ in 0..40 {
        let transfer = Tx::from(&net.nodes[0].transfer(1, 0, tip)).0;
        net.nodes[0].now = net.now;
        assert!(net.nodes[0].submit_all(vec![transfer])[0].is_ok());
        net.collect(0);
        net.run(65);
        tip += 1 + tip / 4;
    }
    net.run(1_000);
    assert!(net.asked["announce"] > 10, "{:?}", net.asked);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
    assert_eq!(net.nodes[1].engine.mempool().stats().transactions, 1);
}

#[test]
fn an_announcement_waits_for_room_and_what_has_none_costs_nothing() {
    let mut net = one_node(1);
    let acknowledged = |net: &mut Net| {
        let is_ack = |(_, action): &(usize, PeerAction)| matches!(action, PeerAction::Respond(_, _, Response::Ack));
        let count = net.outside.iter().filter(|entry| is_ack(entry)).count();
        net.outside.retain(|entry| !is_ack(entry));
        count
    };
    for round in 0..3 {
        announce(&mut net, HOSTILE, random_names(round, 1_024));
        assert_eq!(acknowledged(&mut net), 1);
    }
    announce(&mut net, HOSTILE, random_names(3, 1_024));
    assert_eq!(acknowledged(&mut net), 0, "4,096 are wanted");
    for (id, _) in asked(&mut net, HOSTILE) {
        answer(&mut net, id, Response::Transactions(Vec::new()));
    }
    assert_eq!(acknowledged(&mut net), 0, "512 were answered");
    for _ in 0..2 {
        for (id, _) in asked(&mut net, HOSTILE) {
            answer(&mut net, id, Response::Transactions(Vec::new()));
        }
    }
    assert_eq!(acknowledged(&mut net), 1);
    // One that does not wait loses what has no room.
    for round in 4..14 {
        announce(&mut net, HOSTILE, random_names(round, 1_024));
        assert!(net.nodes[0].engine.peer_usage().wanted <= 4_096);
    }
    assert!(net.offences.is_empty(), "{:?}", net.offences);
    net.run(9_000);
    assert!(!disconnected(&net));
}

#[test]
fn what_a_block_brought_is_not_asked_for() {
    let mut net = one_node(1);
    let payment = coin(&net, 0);
    net.nodes[0].now = net.now;
    net.nodes[0].submit_all(vec![payment.clone()]);
    net.mine(0);
    assert_eq!(net.nodes[0].engine.mempool().stats().transactions, 0);
    net.questions(HOSTILE);
    announce(&mut net, HOSTILE, vec![payment.txid()]);
    assert!(asked(&mut net, HOSTILE).is_empty());
}

#[test]
fn what_no_witness_makes_acceptable_is_asked_for_once_a_block() {
    let mut net = one_node(1);
    let mut other = net.nodes[0].twin();
    other.now = net.now;
    let dust = net.nodes[0].spend(1, &[net.nodes[0].coin(0)], &[pay(1, 2), pay(COIN - FEE - 1, 2)]);
    let dust = Tx::from(&dust).0;
    intrude(&mut net, HOSTILE + 1, Side::Inbound);
    intrude(&mut net, HOSTILE + 2, Side::Inbound);
    announce(&mut net, HOSTILE, vec![dust.txid()]);
    announce(&mut net, HOSTILE + 1, vec![dust.txid()]);
    let (id, _) = asked(&mut net, HOSTILE).remove(0);
    deliver(&mut net, HOSTILE, id, std::slice::from_ref(&dust));
    announce(&mut net, HOSTILE + 2, vec![dust.txid()]);
    assert!(asked(&mut net, HOSTILE + 1).is_empty());
    assert!(asked(&mut net, HOSTILE + 2).is_empty());
    assert!(net.offences.is_empty(), "{:?}", net.offences);
    // The next block may change it.
    net.mine(0);
    intrude(&mut net, HOSTILE + 3, Side::Inbound);
    announce(&mut net, HOSTILE + 3, vec![dust.txid()]);
    assert_eq!(asked(&mut net, HOSTILE + 3).len(), 1);
}

#[test]
fn an_orphan_whose_parent_comes_with_a_block_is_taken() {
    let mut net = one_node(1);
    let parent = net.nodes[0].send(0, FEE);
    let child = net.nodes[0].spend(2, &[made(&parent, 0)], &[pay(COIN - 3 * FEE, 3)]);
    announce(&mut net, HOSTILE, vec![child.txid()]);
    let (id, _) = asked(&mut net, HOSTILE).remove(0);
    deliver(&mut net, HOSTILE, id, &[Tx::from(&child).0]);
    assert_eq!(net.nodes[0].engine.peer_usage().orphans, 1);
    let mut miner = net.nodes[0].twin();
    miner.now = net.now;
    miner.submit(&parent).unwrap();
    let block = miner.mine_many(1).remove(0);
    net.nodes[0].now = miner.now;
    net.nodes[0].take(block).unwrap();
    assert_eq!(net.nodes[0].engine.peer_usage().orphans, 0);
    assert!(net.nodes[0].is_pooled(&child));
}

#[test]
fn peers_that_flood_orphans_push_out_their_own() {
    let mut net = one_node(1);
    let orphan = |net: &Net, number: u32| {
        let mut tx = net.nodes[0].send(1, FEE);
        tx.inputs[0].txid.0[..4].copy_from_slice(&number.to_le_bytes());
        Tx::from(&tx).0
    };
    let hand_in = |net: &mut Net, peer: u64, number: u32| {
        let orphan = orphan(net, number);
        announce(net, peer, vec![orphan.txid()]);
        // It has none of the parents that it is asked for as well.
        for (id, names) in asked(net, peer) {
            let delivered = if names.contains(&orphan.txid()) { vec![orphan.clone()] } else { Vec::new() };
            deliver(net, peer, id, &delivered);
        }
        asked(net, peer).into_iter().for_each(|(id, _)| deliver(net, peer, id, &[]));
    };
    hand_in(&mut net, HOSTILE, 0);
    for peer in 1..=9 {
        intrude(&mut net, HOSTILE + peer, Side::Inbound);
        (0..32).for_each(|number| hand_in(&mut net, HOSTILE + peer, 1_000 * peer as u32 + number));
    }
    assert_eq!(net.nodes[0].engine.peer_usage().orphans, 256);
    assert!(net.nodes[0].engine.relay.transactions.holds_orphan_of(PeerId(HOSTILE)));
}

#[test]
fn a_peer_that_names_what_it_does_not_have_holds_no_comparison() {
    let mut net = one_node(1);
    for peer in [HOSTILE + 1, HOSTILE + 2] {
        let status = net.status(0);
        net.intrude(0, peer, status);
    }
    let (_, id, request) = net.questions(HOSTILE + 1).pop().unwrap();
    assert!(matches!(request, Request::Pool { .. }));
    let ids = (0..50_000_u32).map(|number| ShortId([&number.to_le_bytes()[..], &[0; 2]].concat().try_into().unwrap()));
    net.inject(0, HOSTILE + 1, PeerEvent::Response(id, Ok(Response::ShortIds(ids.collect()))));
    let (_, id, request) = net.questions(HOSTILE + 1).pop().unwrap();
    assert!(matches!(request, Request::ShortTransactions { .. }));
    deliver(&mut net, HOSTILE + 1, id, &[]);
    assert!(net.questions(HOSTILE + 1).is_empty());
    assert!(matches!(net.questions(HOSTILE + 2)[..], [(_, _, Request::Pool { .. })]));
}
