//! Which peers are asked for blocks, and what becomes of those that are late.

use chain_core::{
    hash::BlockHash,
    transaction::account::{AccountTransaction, Fields},
};

use super::{
    hostile::disconnected,
    net::{HOSTILE, Net, connected},
};
use crate::{
    engine::{
        InboundId, PeerEvent, RequestId, Side, Time,
        tests::kit::{Kit, secret, transfer_fields},
    },
    wire::{Body, HEADERS, Request, Response},
};

/// A fresh node, an honest one with a chain, and a hostile peer that says to have the same chain.
pub(super) fn syncing(blocks: u32) -> Net {
    let fresh = Kit::new();
    let mut honest = fresh.twin();
    honest.mine_many(blocks);
    let mut net = Net::new(vec![fresh, honest]);
    let status = net.status(1);
    net.intrude(0, HOSTILE, status);
    net
}

/// Answers questions for headers and the pool as an honest peer does; answers with those for blocks.
pub(super) fn serve_headers(net: &mut Net) -> Vec<(RequestId, Vec<BlockHash>)> {
    serve_headers_of(net, HOSTILE)
}

fn serve_headers_of(net: &mut Net, peer: u64) -> Vec<(RequestId, Vec<BlockHash>)> {
    let mut blocks = Vec::new();
    for (_, id, request) in net.questions(peer) {
        match request {
            Request::Blocks(hashes) => blocks.push((id, hashes)),
            other => {
                let answer = honest_answer(net, &other);
                net.inject(0, peer, PeerEvent::Response(id, Ok(answer)));
            }
        }
    }
    blocks
}

/// What an honest peer with an empty pool answers to requests other than those for blocks.
fn honest_answer(net: &Net, request: &Request) -> Response {
    match request {
        Request::Headers { locator, .. } => {
            let tree = net.nodes[1].engine.chain().tree();
            let tip = net.nodes[1].tip();
            Response::Headers(tree.headers_after(&tree.find_fork(locator, &tip), &tip, HEADERS))
        }
        Request::Status(_) => Response::Status(net.status(1)),
        _ => Response::Unknown,
    }
}

#[test]
fn a_peer_that_keeps_blocks_back_holds_up_nobody_and_is_no_offender() {
    let mut net = syncing(1_500);
    while serve_headers(&mut net).is_empty() {
        net.run(10);
    }
    // It holds the lowest block. The others come from the honest node.
    net.connect(0, 1);
    net.run_until(1_000, |net| net.heights() == [1_500; 2]);
    net.run(20_000);
    assert!(net.offences.is_empty() && !disconnected(&net), "{:?}", net.offences);
}

#[test]
fn many_that_each_keep_blocks_back_hold_up_the_window_once() {
    // Those that the node chose may have all that may be in flight: nobody else is asked before they are overdue.
    for (side, tried, at_most) in [(Side::Chosen, 128, 6_000), (Side::Inbound, 16, 2_000)] {
        let mut net = syncing(1_500);
        net.inject(0, HOSTILE, PeerEvent::Disconnected);
        let mut hostile: Vec<Server> = (1..41).map(|peer| Server::new(peer, 1_000_000, [0, 0])).collect();
        hostile.iter().for_each(|server| server.connect(&mut net, side));
        for _ in 0..50 {
            net.run(Server::STEP);
            hostile.iter_mut().for_each(|server| server.step(&mut net));
        }
        assert_eq!(hostile.iter().map(|server| server.open.len()).sum::<usize>(), tried);
        net.connect(0, 1);
        net.run_until(at_most, |net| net.heights() == [1_500; 2]);
        assert!(net.offences.is_empty(), "{:?}", net.offences);
    }
}

#[test]
fn peers_that_the_node_chose_are_asked_for_blocks_before_those_that_came() {
    let mut net = syncing(100);
    net.inject(0, HOSTILE + 1, connected(Side::Chosen, HOSTILE + 1));
    let mut asked = Vec::new();
    while asked.is_empty() {
        net.run(100);
        asked = serve_headers_of(&mut net, HOSTILE + 1);
    }
    assert!(asked[0].1.contains(&net.nodes[1].block_at(1).hash()));
}

/// A peer that serves the blocks of the second node, and how.
struct Server {
    peer: u64,
    /// Milliseconds that each block takes; requests share its line.
    each: u64,
    /// Milliseconds after which it answers at the soonest: anything, and blocks.
    delays: [u64; 2],
    open: Vec<(RequestId, Vec<BlockHash>, Time, f64)>,
    others: Vec<(RequestId, Response, Time)>,
}

impl Server {
    const STEP: u64 = 10;

    fn new(peer: u64, each: u64, delays: [u64; 2]) -> Self {
        Self { peer: HOSTILE + peer, each, delays, open: Vec::new(), others: Vec::new() }
    }

    fn connect(&self, net: &mut Net, side: Side) {
        let status = net.status(1);
        net.inject(0, self.peer, connected(side, self.peer));
        net.inject(0, self.peer, PeerEvent::Request(InboundId(0), Request::Status(status)));
    }

    /// Time has passed: serves.
    fn step(&mut self, net: &mut Net) {
        let now = net.now;
        for (_, id, request) in net.questions(self.peer) {
            match request {
                Request::Blocks(hashes) => {
                    let work = (self.each * hashes.len() as u64) as f64;
                    self.open.push((id, hashes, net.now.after(self.delays[1]), work));
                }
                other => {
                    let answer = honest_answer(net, &other);
                    self.others.push((id, answer, net.now.after(self.delays[0])));
                }
            }
        }
        for (id, response, _) in self.others.extract_if(.., |(.., due)| *due <= now) {
            net.inject(0, self.peer, PeerEvent::Response(id, Ok(response)));
        }
        let share = Self::STEP as f64 / self.open.len().max(1) as f64;
        self.open.iter_mut().for_each(|(.., left)| *left -= share);
        for (id, hashes, ..) in self.open.extract_if(.., |(.., due, left)| *due <= now && *left <= 0.0) {
            let tree = net.nodes[1].engine.chain().tree();
            let heights: Vec<_> = hashes.iter().map(|hash| tree.get(hash).unwrap().height).collect();
            let bodies = heights.into_iter().map(|height| net.nodes[1].block_at(height));
            let bodies = bodies.map(|block| Body::new(chain_core::codec::encode(&block))).collect();
            net.inject(0, self.peer, PeerEvent::Response(id, Ok(Response::Blocks(bodies))));
        }
    }
}

/// Lets a node sync from these peers, until it has so many blocks, which takes so many milliseconds at most. Nobody is blamed.
fn sync_from(servers: &mut [(Side, Server)], blocks: u32, at_most: u64) {
    let fresh = Kit::new();
    let mut honest = fresh.twin();
    honest.mine_many(blocks);
    let mut net = Net::new(vec![fresh, honest]);
    servers.iter().for_each(|(side, server)| server.connect(&mut net, *side));
    let end = net.now.after(at_most);
    while net.nodes[0].height() < blocks {
        net.run(Server::STEP);
        servers.iter_mut().for_each(|(_, server)| server.step(&mut net));
        assert!(net.now < end, "height {}", net.nodes[0].height());
    }
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn a_slow_peer_beside_fast_ones_does_not_slow_the_sync_and_gets_no_points() {
    for side in [Side::Chosen, Side::Inbound] {
        for each in [40, 400, 1_900, 5_000] {
            let fast = [1, 2].map(|peer| (Side::Inbound, Server::new(peer, 1, [0, 0])));
            let [first, second] = fast;
            let mut servers = [(side, Server::new(0, each, [0, 0])), first, second];
            sync_from(&mut servers, 3_000, 9_000);
        }
    }
}

#[test]
fn new_peers_are_tried_with_the_highest_blocks_and_do_not_keep_the_lowest_from_those_that_deliver() {
    let mut net = syncing(1_500);
    let status = net.status(1);
    let mut honest = Server::new(1_000, 1, [0, 0]);
    honest.connect(&mut net, Side::Inbound);
    let end = net.now.after(15_000);
    let mut next = 1;
    while net.nodes[0].height() < 1_500 {
        // A hundred connect, are asked, leave and come again.
        for number in next..next + 100 {
            net.intrude(0, HOSTILE + number, status.clone());
        }
        for _ in 0..30 {
            net.run(Server::STEP);
            honest.step(&mut net);
            (next..next + 100).for_each(|number| _ = serve_headers_of(&mut net, HOSTILE + number));
        }
        for number in next..next + 100 {
            net.inject(0, HOSTILE + number, PeerEvent::Disconnected);
        }
        next += if next > 700 { 0 } else { 100 };
        assert!(net.now < end, "height {}", net.nodes[0].height());
    }
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

/// A fresh node and one with a chain of blocks of 400 KB.
fn syncing_large(blocks: u64) -> Net {
    let fresh = Kit::new();
    let mut honest = fresh.twin();
    for nonce in 0..4 * blocks {
        let input = vec![1; 99_000].into();
        let fields =
            Fields { chain_id: honest.spec.chain_id, gas_limit: 5_000_000, input, ..transfer_fields(nonce, 1) };
        honest.submit(&AccountTransaction::sign(fields, &secret(1)).unwrap()).unwrap();
        if nonce % 4 == 3 {
            honest.mine();
        }
    }
    Net::new(vec![fresh, honest])
}

#[test]
fn slow_peers_do_not_keep_all_that_may_be_in_flight_from_quick_ones() {
    let mut net = syncing_large(150);
    // Few blocks come in good time, so that little may be in flight; then slow peers come just before they are overdue.
    let mut slow = [1, 2, 3, 4].map(|peer| Server::new(peer, 0, [5_000, 17_000]));
    slow.iter().for_each(|server| server.connect(&mut net, Side::Chosen));
    for _ in 0..10_000 {
        net.run(Server::STEP);
        slow.iter_mut().for_each(|server| server.step(&mut net));
    }
    assert!(net.nodes[0].height() < 50, "slow peers alone are slow");
    slow.iter_mut().for_each(|server| server.delays[1] = 8_200);
    let mut quick = Server::new(5, 1, [0, 0]);
    quick.connect(&mut net, Side::Inbound);
    let end = net.now.after(20_000);
    while net.nodes[0].height() < 150 {
        net.run(Server::STEP);
        slow.iter_mut().chain([&mut quick]).for_each(|server| server.step(&mut net));
        assert!(net.now < end, "height {}", net.nodes[0].height());
    }
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn peers_that_answer_late_on_purpose_do_not_set_the_pace() {
    // As if they were far away, and then later still; or just before blocks would be late.
    for delays in [[5_000, 7_500], [5_000, 20_000], [0, 1_900], [0, 900]] {
        for side in [Side::Chosen, Side::Inbound] {
            let late = (0..6).map(|peer| (side, Server::new(peer, 0, delays)));
            let honest = (6..8).map(|peer| (Side::Chosen, Server::new(peer, 1, [0, 0])));
            sync_from(&mut honest.chain(late).collect::<Vec<_>>(), 6_000, 15_000);
        }
    }
}
