//! Which peers are asked for blocks, and what becomes of those that are late.

use chain_core::hash::BlockHash;

use super::{
    hostile::{answer, disconnected},
    net::{HOSTILE, Net, connected},
};
use crate::{
    engine::{InboundId, Offence, PeerEvent, RequestId, Side, tests::kit::Kit},
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
    let answer = |net: &mut Net, id, response| net.inject(0, peer, PeerEvent::Response(id, Ok(response)));
    let mut blocks = Vec::new();
    for (_, id, request) in net.questions(peer) {
        match request {
            Request::Headers { locator, .. } => {
                let tree = net.nodes[1].engine.chain().tree();
                let tip = net.nodes[1].tip();
                let headers = tree.headers_after(&tree.find_fork(&locator, &tip), &tip, HEADERS);
                answer(net, id, Response::Headers(headers));
            }
            Request::Blocks(hashes) => blocks.push((id, hashes)),
            Request::Status(_) => answer(net, id, Response::Status(net.status(1))),
            _ => answer(net, id, Response::Unknown),
        }
    }
    blocks
}

#[test]
fn a_staller_in_the_window_is_dropped_and_the_sync_goes_on() {
    let mut net = syncing(1_500);
    while serve_headers(&mut net).is_empty() {
        net.run(10);
    }
    // It holds the lowest blocks. The others come from the honest node.
    net.connect(0, 1);
    net.run(1_500);
    assert!(!disconnected(&net));
    net.run(1_500);
    assert!(disconnected(&net), "{:?}", net.offences);
    assert_eq!(net.offences_of(0, HOSTILE), [Offence::Stalled]);
    net.run_until(5_000, |net| net.heights() == [1_500; 2]);
}

#[test]
fn a_peer_that_delivered_and_then_holds_up_the_window_is_dropped_unless_the_node_chose_it() {
    for side in [Side::Chosen, Side::Inbound] {
        let mut net = syncing(1_500);
        net.inject(0, HOSTILE, PeerEvent::Disconnected);
        net.outside.clear();
        let status = net.status(1);
        net.inject(0, HOSTILE, connected(side, HOSTILE));
        net.inject(0, HOSTILE, PeerEvent::Request(InboundId(0), Request::Status(status)));
        let mut asked = Vec::new();
        while asked.is_empty() {
            asked = serve_headers(&mut net);
            net.run(10);
        }
        let first = Body::new(chain_core::codec::encode(&net.nodes[1].block_at(1)));
        answer(&mut net, asked[0].0, Response::Blocks(vec![first]));
        assert_eq!(serve_headers(&mut net).len(), 2, "it is asked for more");
        net.connect(0, 1);
        net.run_until(5_000, |net| net.heights() == [1_500; 2]);
        let offences: &[Offence] = if side == Side::Chosen { &[] } else { &[Offence::Stalled] };
        assert_eq!(net.offences_of(0, HOSTILE), offences);
    }
}

#[test]
fn a_peer_far_away_is_no_staller() {
    const ROUND_TRIP: u64 = 2_400;
    let mut net = syncing(1_500);
    net.run(ROUND_TRIP);
    // With its headers it is asked for the lowest blocks. The others come from the honest node, at once.
    assert!(serve_headers(&mut net).is_empty());
    net.connect(0, 1);
    net.run(ROUND_TRIP);
    assert!(!serve_headers(&mut net).is_empty());
    assert!(!disconnected(&net), "{:?}", net.offences);
    net.run(ROUND_TRIP);
    assert!(disconnected(&net));
}

#[test]
fn however_late_its_responses_come_a_staller_is_dropped_in_time() {
    let mut net = syncing(1_500);
    net.run(9_000);
    assert!(serve_headers(&mut net).is_empty());
    net.connect(0, 1);
    net.run(6_900);
    assert!(!disconnected(&net), "{:?}", net.offences);
    net.run(200);
    assert!(disconnected(&net));
}

#[test]
fn who_is_asked_next_does_not_pay_for_the_time_of_the_one_before() {
    const ROUND_TRIP: u64 = 2_400;
    let mut net = syncing(1_500);
    net.run(ROUND_TRIP);
    assert!(serve_headers(&mut net).is_empty());
    net.connect(0, 1);
    net.run(ROUND_TRIP + 1_500);
    // It holds the window up for longer than a peer near by may, and then lacks the blocks.
    for (id, _) in serve_headers(&mut net) {
        answer(&mut net, id, Response::Unknown);
    }
    net.run_until(5_000, |net| net.heights() == [1_500; 2]);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn a_peer_that_has_not_answered_anything_yet_may_be_far_away() {
    let mut net = syncing(1_500);
    while serve_headers(&mut net).is_empty() {
        net.run(10);
    }
    net.inject(0, HOSTILE, PeerEvent::Disconnected);
    // Its tip is known, so that blocks are the first that it is asked for.
    let status = net.status(1);
    net.intrude(0, HOSTILE + 1, status);
    assert!(net.questions(HOSTILE + 1).iter().any(|(.., request)| matches!(request, Request::Blocks(_))));
    net.connect(0, 1);
    net.run(2_400);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
    net.run(5_000);
    assert_eq!(net.offences_of(0, HOSTILE + 1), [Offence::Stalled]);
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

/// A peer that serves the blocks of the second node, which takes so many milliseconds for each; requests share its line.
struct Slow {
    each: u64,
    open: Vec<(RequestId, Vec<BlockHash>, f64)>,
    served: usize,
}

impl Slow {
    const PEER: u64 = HOSTILE + 1;
    const STEP: u64 = 10;

    fn new(each: u64) -> Self {
        Self { each, open: Vec::new(), served: 0 }
    }

    /// Lets time pass, and serves.
    fn step(&mut self, net: &mut Net) {
        net.run(Self::STEP);
        for (id, hashes) in serve_headers_of(net, Self::PEER) {
            let work = (self.each * hashes.len() as u64) as f64;
            self.open.push((id, hashes, work));
        }
        let share = Self::STEP as f64 / self.open.len().max(1) as f64;
        self.open.iter_mut().for_each(|(.., left)| *left -= share);
        for (id, hashes, _) in self.open.extract_if(.., |(.., left)| *left <= 0.0) {
            self.served += hashes.len();
            let tree = net.nodes[1].engine.chain().tree();
            let heights: Vec<_> = hashes.iter().map(|hash| tree.get(hash).unwrap().height).collect();
            let bodies = heights.into_iter().map(|height| net.nodes[1].block_at(height));
            let bodies = bodies.map(|block| Body::new(chain_core::codec::encode(&block))).collect();
            net.inject(0, Self::PEER, PeerEvent::Response(id, Ok(Response::Blocks(bodies))));
        }
    }
}

#[test]
fn a_slow_peer_that_the_node_chose_is_no_staller() {
    for each in [40, 400, 1_900] {
        let fresh = Kit::new();
        let mut honest = fresh.twin();
        honest.mine_many(1_500);
        let mut net = Net::new(vec![fresh, honest]);
        net.inject(0, Slow::PEER, connected(Side::Chosen, Slow::PEER));
        let mut slow = Slow::new(each);
        while slow.open.is_empty() {
            slow.step(&mut net);
        }
        // The others come to this node, and are fast.
        net.connect(1, 0);
        let end = net.now.after(20_000);
        while net.nodes[0].height() < 1_500 {
            slow.step(&mut net);
            assert!(net.now < end && net.offences.is_empty(), "{each}: {:?}, {:?}", net.heights(), net.offences);
        }
        assert!(slow.served > 0);
    }
}
