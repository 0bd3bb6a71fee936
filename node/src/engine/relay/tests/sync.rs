//! Headers, bodies and reorganisations between honest nodes.

use super::net::Net;
use crate::{
    engine::{Action, Engine, Event, InboundId, Payer, PeerAction, PeerEvent, PeerId, Side, Time, tests::kit::Kit},
    wire::{Request, Response},
};

/// A node with a chain, and some with nothing.
fn one_ahead(blocks: u32, others: usize) -> Net {
    let mut first = Kit::new();
    let new: Vec<Kit> = (0..others).map(|_| first.twin()).collect();
    first.mine_many(blocks);
    Net::new(std::iter::once(first).chain(new).collect())
}

#[test]
fn a_fresh_node_follows_a_chain_of_many_headers_from_several_peers() {
    let mut first = Kit::new();
    first.mine_many(4_500);
    let (second, third) = (first.twin(), first.twin());
    let fresh = Kit::new();
    let mut net = Net::new(vec![first, second, third, fresh]);
    (0..3).for_each(|peer| net.connect(3, peer));
    net.run_until(60_000, |net| net.heights() == [4_500; 4]);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
    assert!(net.agree());
    assert!(net.asked["headers"] <= 8, "{:?}", net.asked);
}

#[test]
fn blocks_that_come_while_syncing_do_not_disturb() {
    let mut net = one_ahead(1_500, 2);
    net.connect(0, 1);
    net.connect(1, 2);
    for _ in 0..30 {
        net.run(100);
        net.mine(0);
    }
    net.run_until(60_000, |net| net.heights() == [1_530; 3]);
    assert!(net.agree());
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn a_mined_block_reaches_everybody_through_others() {
    let mut net = one_ahead(3, 4);
    (0..4).for_each(|node| net.connect(node, node + 1));
    net.run_until(10_000, |net| net.heights() == [3; 5]);
    net.mine(4);
    net.run_until(1_000, |net| net.heights() == [4; 5]);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

// Two branches of 4,000 blocks, of which the second is better by one:
//   genesis - a1 ... a4000
//          \- b1 ... b4001
#[test]
fn an_honest_reorganisation_of_four_thousand_blocks_succeeds() {
    let (mut loser, mut winner) = (Kit::new(), Kit::new());
    winner.name = 77;
    loser.mine_many(4_000);
    winner.mine_many(4_001);
    let mut net = Net::new(vec![loser, winner]);
    net.connect(0, 1);
    net.run_until(120_000, |net| net.heights() == [4_001; 2]);
    assert!(net.agree());
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

/// One event, without going on; returns the answer to a question.
fn step(engine: &mut Engine, event: PeerEvent, now: Time) -> Option<Response> {
    let answer = |action| match action {
        Action::Peer(PeerAction::Respond(_, _, response)) => Some(response),
        _ => None,
    };
    engine.handle(Event::Peer(PeerId(5), event), now).into_iter().find_map(answer)
}

//     G -- a1 ... a200
//      \\-- b1 ... b201            better, and some slices of work away
#[test]
fn a_node_on_its_way_to_a_better_branch_shows_the_chain_that_it_told() {
    let mut node = Kit::new();
    let mut twin = node.twin();
    node.mine_many(200);
    let mut branch = twin.mine_many(201);
    let last = branch.pop().unwrap();
    for block in branch {
        node.take(block).unwrap();
    }
    let (told, status, now) = (node.tip(), node.engine.status(), node.now);
    node.engine.handle(Event::Block(7, last), now);
    assert!(node.engine.chain().is_reorganising() && node.height() < 200);
    let engine = &mut node.engine;
    step(engine, PeerEvent::Connected(Side::Inbound, Payer(5)), now);
    let said = step(engine, PeerEvent::Request(InboundId(1), Request::Status(status.clone())), now);
    assert_eq!(said, Some(Response::Status(status)), "it claims what it claimed before");
    let question = Request::Headers { locator: vec![node.genesis.hash()], most: 2_000 };
    match step(engine, PeerEvent::Request(InboundId(2), question.clone()), now) {
        Some(Response::Headers(headers)) => assert_eq!((headers.len(), headers[199].hash()), (200, told)),
        other => panic!("{other:?}"),
    }
    let asked = PeerEvent::Request(InboundId(3), Request::Blocks(vec![told]));
    assert!(matches!(step(engine, asked, now), Some(Response::Blocks(_))), "and it serves it");
    node.settle_all();
    match step(&mut node.engine, PeerEvent::Request(InboundId(4), question), now) {
        Some(Response::Headers(headers)) => assert_eq!(headers[200].hash(), node.tip()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_partitions_agree_after_they_meet() {
    let mut net = one_ahead(5, 3);
    net.connect_all();
    net.run_until(10_000, |net| net.heights() == [5; 4]);
    for (a, b) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
        net.disconnect(a, b);
    }
    for _ in 0..7 {
        net.mine(0);
        net.run(1_000);
    }
    for _ in 0..9 {
        net.mine(3);
        net.run(1_000);
    }
    assert_eq!(net.heights(), [12, 12, 14, 14]);
    net.connect(1, 2);
    net.run_until(10_000, |net| net.heights() == [14; 4]);
    assert!(net.agree());
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

//     0 - 1 - 2 - 3 - 4       who knows whom
//     G -- a1 ... a40         of 0 to 3
//      \\-- b1 ... b60         of 4
#[test]
fn a_branch_that_was_fetched_is_told_to_those_behind() {
    let (mut loser, mut winner) = (Kit::new(), Kit::new());
    winner.name = 77;
    let behind: Vec<Kit> = (0..3).map(|_| loser.twin()).collect();
    loser.mine_many(40);
    winner.mine_many(60);
    let mut net = Net::new(std::iter::once(loser).chain(behind).chain([winner]).collect());
    (0..3).for_each(|node| net.connect(node, node + 1));
    net.run_until(10_000, |net| net.heights() == [40, 40, 40, 40, 60]);
    net.connect(3, 4);
    net.run_until(5_000, |net| net.heights() == [60; 5]);
    assert!(net.agree());
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}
