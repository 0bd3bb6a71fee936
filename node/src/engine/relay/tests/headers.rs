//! Headers that are worth less than was claimed, or whose blocks nobody hands out.

use chain_core::{U256, block::header::Header, hash::BlockHash};

use super::{
    hostile::{answer, ask, one_node, points, taller},
    net::{HOSTILE, Net},
};
use crate::{
    engine::{InboundId, Offence, PeerEvent, tests::kit::Kit},
    wire::{Body, HEADERS, Request, Response, Status},
};

/// Headers on a known block, all of its time.
fn cheap_headers(net: &Net, on: &Header, count: usize) -> Vec<Header> {
    cheap_branch(net, on, count, 1)
}

/// Headers on a known block, others for each version.
fn cheap_branch(net: &Net, on: &Header, count: usize, version: i32) -> Vec<Header> {
    let spec = &net.nodes[0].spec;
    let tree = net.nodes[0].engine.chain().tree();
    let mut context = tree.context(&on.hash()).unwrap();
    let limit = chain_core::work::pow::target(spec.pow_limit_bits).unwrap();
    let mut headers = Vec::with_capacity(count);
    for _ in 0..count {
        let (prev, time, bits) = (context.hash, context.time, context.next_bits(spec));
        let mut header = Header { version, prev, merkle_root: [7; 32], time, bits, nonce: 0 };
        while chain_core::work::pow::check_pow(&header.hash(), bits, limit).is_err() {
            header.nonce += 1;
        }
        context = context.child(spec, &header, net.now.seconds()).unwrap();
        headers.push(header);
    }
    headers
}

#[test]
fn floods_of_low_work_headers_are_not_stored_and_cost_bounded_memory() {
    // The fork of the flood is 6,500 blocks below the tip; it shows 6,000.
    let mut net = one_node(6_500);
    let stored = net.nodes[0].engine.chain().tree().len();
    let genesis = net.nodes[0].genesis.header;
    let flood = cheap_headers(&net, &genesis, 6_000);
    let claim = taller(&net, 100);
    ask(&mut net, Request::Status(claim));
    let mut sent = 0;
    while let Some((_, id, request)) = net.questions(HOSTILE).pop() {
        let Request::Headers { locator, .. } = request else { panic!("{request:?}") };
        let from = flood.iter().position(|header| locator.contains(&header.hash())).map_or(0, |at| at + 1);
        let some = flood[from..].iter().take(HEADERS).copied().collect::<Vec<_>>();
        sent += some.len();
        answer(&mut net, id, Response::Headers(some));
        // Of the only peer there is.
        assert!(32 * net.nodes[0].engine.peer_usage().checkpoints <= 128 << 10);
        assert_eq!(net.nodes[0].engine.chain().tree().len(), stored, "nothing is stored");
        if sent >= flood.len() {
            break;
        }
    }
    let (_, id, _) = net.questions(HOSTILE).pop().unwrap();
    answer(&mut net, id, Response::Headers(Vec::new()));
    assert_eq!(net.offences_of(0, HOSTILE), [Offence::LessWork]);
    assert_eq!(net.nodes[0].engine.chain().tree().len(), stored);
}

#[test]
fn who_claims_much_and_shows_nothing_pays() {
    let mut net = one_node(5);
    let claim = taller(&net, 1_000);
    ask(&mut net, Request::Status(claim));
    for _ in 0..5 {
        for (_, id, _) in net.questions(HOSTILE) {
            answer(&mut net, id, Response::Headers(Vec::new()));
        }
        net.run(40_000);
    }
    assert!(points(&net) >= 60, "{}", points(&net));
}

// Two answers of one peer may overtake each other: that to a question where it stands may come before the headers it was asked for
// first, and be of a block that was found in between.
#[test]
fn headers_need_not_show_what_was_claimed_after_they_were_asked_for() {
    let mut net = one_node(5);
    let genesis = net.nodes[0].genesis.header;
    let headers = cheap_headers(&net, &genesis, 9);
    let claim = |net: &Net, count: usize| Status {
        best: headers[count - 1].hash(),
        height: count as u32,
        work: net.nodes[0].engine.chain().tree().get(&genesis.hash()).unwrap().work + U256::from(2 * count),
        ..net.status(0)
    };
    let (before, after) = (claim(&net, 8), claim(&net, 9));
    ask(&mut net, Request::Status(before));
    let (_, id, _) = net.questions(HOSTILE).remove(0);
    ask(&mut net, Request::Status(after));
    answer(&mut net, id, Response::Headers(headers[..8].to_vec()));
    assert_eq!(net.offences_of(0, HOSTILE), []);
    assert!(net.nodes[0].engine.chain().tree().contains(&headers[7].hash()));
    // The next answer shows it, or else.
    net.run(5_000);
    let (_, id, _) = net.questions(HOSTILE).remove(0);
    answer(&mut net, id, Response::Headers(Vec::new()));
    assert_eq!(net.offences_of(0, HOSTILE), [Offence::LessWork]);
}

#[test]
fn headers_that_are_worth_less_than_claimed_are_not_stored_on_a_young_chain_either() {
    for claimed in [2, 4] {
        let mut net = one_node(5);
        let stored = net.nodes[0].engine.chain().tree().len();
        let genesis = net.nodes[0].genesis.header;
        let headers = cheap_headers(&net, &genesis, 9);
        let best = if claimed == 2 { headers[8].hash() } else { BlockHash([0xee; 32]) };
        let work = net.status(0).work * U256::from(claimed);
        let status = Status { best, work, ..net.status(0) };
        ask(&mut net, Request::Status(status));
        let (_, id, _) = net.questions(HOSTILE).remove(0);
        answer(&mut net, id, Response::Headers(headers));
        let (offences, more) = if claimed == 2 { (vec![], 9) } else { (vec![Offence::LessWork], 0) };
        assert_eq!(net.offences_of(0, HOSTILE), offences);
        assert_eq!(net.nodes[0].engine.chain().tree().len(), stored + more);
    }
}

#[test]
fn a_node_that_has_no_chain_keeps_a_bounded_number_of_cheap_branches() {
    let mut net = one_node(0);
    let headers = &mut net.nodes[0].engine.relay.headers;
    (headers.margin, headers.beside) = (10, 20);
    let genesis = net.nodes[0].genesis.header;
    // 30 headers, whose bodies never come; then branches from the start.
    let mut stored = 1;
    for (version, length, more) in [(1, 30, 30), (2, 12, 12), (3, 12, 12), (4, 12, 0), (5, 25, 25), (6, 12, 0)] {
        let headers = cheap_branch(&net, &genesis, length, version);
        let hostile = HOSTILE + version as u64;
        let work = U256::from(2 * length + 2);
        net.intrude(
            0,
            hostile,
            Status { best: headers[length - 1].hash(), height: length as u32, work, ..net.status(0) },
        );
        for (_, id, request) in net.questions(hostile) {
            if matches!(request, Request::Headers { .. }) {
                net.inject(0, hostile, PeerEvent::Response(id, Ok(Response::Headers(headers.clone()))));
            }
        }
        stored += more;
        assert_eq!(net.nodes[0].engine.chain().tree().len(), stored, "branch {version}");
    }
}

#[test]
fn a_header_of_the_future_makes_no_others_worth_storing() {
    let mut net = one_node(20);
    // A clock that may be wrong does not time the next warning.
    net.nodes[0].ahead = 5_000;
    let stored = net.nodes[0].engine.chain().tree().len();
    let genesis = net.nodes[0].genesis.header;
    let mut headers = cheap_headers(&net, &genesis, 4);
    let limit = chain_core::work::pow::target(net.nodes[0].spec.pow_limit_bits).unwrap();
    headers[3].time += 100_000;
    while chain_core::work::pow::check_pow(&headers[3].hash(), headers[3].bits, limit).is_err() {
        headers[3].nonce += 1;
    }
    let claim = taller(&net, 1_000);
    ask(&mut net, Request::Status(claim));
    let (_, id, _) = net.questions(HOSTILE).remove(0);
    assert_eq!(net.nodes[0].engine.relay.headers.warned_of_future, None);
    answer(&mut net, id, Response::Headers(headers));
    assert!(net.offences.is_empty(), "{:?}", net.offences);
    assert_eq!(net.nodes[0].engine.chain().tree().len(), stored);
    assert_eq!(
        net.nodes[0].engine.relay.headers.warned_of_future,
        Some(net.now),
        "the clock may be what is wrong: the log says so"
    );
}

// Found by the simulator: a node whose clock was behind banned the honest peers that it synced from.
#[test]
fn a_long_chain_that_a_clock_cuts_short_is_not_held_against_who_sent_it() {
    let mut net = one_node(20);
    net.nodes[0].engine.relay.headers.minimum_work = U256::from(1 << 20);
    let stored = net.nodes[0].engine.chain().tree().len();
    let genesis = net.nodes[0].genesis.header;
    let mut headers = cheap_headers(&net, &genesis, HEADERS + 4);
    let limit = chain_core::work::pow::target(net.nodes[0].spec.pow_limit_bits).unwrap();
    let last = headers.last_mut().unwrap();
    last.time += 100_000;
    while chain_core::work::pow::check_pow(&last.hash(), last.bits, limit).is_err() {
        last.nonce += 1;
    }
    let claim = Status { work: U256::from(1 << 21), ..taller(&net, 5_000) };
    ask(&mut net, Request::Status(claim));
    for part in [&headers[..HEADERS], &headers[HEADERS..]] {
        let (_, id, _) = net.questions(HOSTILE).remove(0);
        answer(&mut net, id, Response::Headers(part.to_vec()));
        assert!(net.offences.is_empty(), "{:?}", net.offences);
    }
    assert_eq!(net.nodes[0].engine.chain().tree().len(), stored);
    assert_eq!(net.questions(HOSTILE).len(), 0, "it rests");
    // Without the header of the future it is what it is: too little.
    net.run(2_000);
    for part in [&headers[..HEADERS], &headers[HEADERS..HEADERS + 3]] {
        let (_, id, _) = net.questions(HOSTILE).remove(0);
        answer(&mut net, id, Response::Headers(part.to_vec()));
    }
    assert_eq!(net.offences_of(0, HOSTILE), [Offence::LessWork]);
}

#[test]
fn invalid_headers_ban() {
    let mut net = one_node(5);
    let claim = taller(&net, 10);
    ask(&mut net, Request::Status(claim));
    let tip = net.nodes[0].block_at(5).header;
    let mut headers = cheap_headers(&net, &tip, 3);
    headers[2].bits = 0x2000_ffff;
    let (_, id, _) = net.questions(HOSTILE).remove(0);
    let stored = net.nodes[0].engine.chain().tree().len();
    answer(&mut net, id, Response::Headers(headers));
    assert!(matches!(net.offences_of(0, HOSTILE)[..], [Offence::InvalidHeader(_)]), "{:?}", net.offences);
    assert_eq!(net.nodes[0].engine.chain().tree().len(), stored, "of a bad run nothing is kept");
}

#[test]
fn headers_that_do_not_hang_together_are_a_wrong_answer() {
    let mut net = one_node(5);
    let claim = taller(&net, 10);
    ask(&mut net, Request::Status(claim));
    let tip = net.nodes[0].block_at(5).header;
    let mut headers = cheap_headers(&net, &tip, 3);
    headers.remove(1);
    let (_, id, _) = net.questions(HOSTILE).remove(0);
    answer(&mut net, id, Response::Headers(headers));
    assert_eq!(net.offences_of(0, HOSTILE), [Offence::WrongAnswer("headers")]);
}

/// A node that knows the headers of a better chain than that of the other node, of which nobody hands out the bodies.
fn withheld(mute: bool) -> (Net, impl Fn(&mut Net)) {
    let fresh = Kit::new();
    let mut honest = fresh.twin();
    honest.mine_many(10);
    let mut net = Net::new(vec![fresh, honest]);
    let genesis = net.nodes[0].genesis.header;
    let headers = cheap_headers(&net, &genesis, 20);
    let best = headers[19].hash();
    let status = Status { best, height: 20, work: net.status(1).work + U256::ONE, ..net.status(1) };
    net.intrude(0, HOSTILE, status.clone());
    let serve = move |net: &mut Net| {
        for (_, id, request) in net.questions(HOSTILE) {
            match request {
                Request::Headers { .. } => answer(net, id, Response::Headers(headers.clone())),
                Request::Status(_) => answer(net, id, Response::Status(status.clone())),
                Request::Blocks(_) if mute => {}
                _ => answer(net, id, Response::Unknown),
            }
        }
    };
    serve(&mut net);
    assert_eq!(net.nodes[0].engine.chain().tree().best_header(), best);
    (net, serve)
}

#[test]
fn a_branch_whose_bodies_are_withheld_does_not_keep_a_node_from_another() {
    for mute in [false, true] {
        let (mut net, serve) = withheld(mute);
        net.connect(0, 1);
        for _ in 0..60 {
            serve(&mut net);
            net.run(500);
        }
        assert_eq!(net.heights(), [10; 2], "mute: {mute}");
        assert!(net.offences.is_empty(), "{:?}", net.offences);
    }
}

#[test]
fn a_mined_block_is_gossiped_though_headers_of_a_better_branch_are_known() {
    let (mut net, serve) = withheld(false);
    net.nodes[1] = net.nodes[0].twin();
    net.nodes[1].now = net.now;
    net.connect(0, 1);
    net.run(1_000);
    serve(&mut net);
    net.mine(0);
    net.run(1_000);
    assert_eq!(net.heights(), [1; 2]);
}

#[test]
fn who_does_not_deliver_blocks_is_asked_last() {
    let fresh = Kit::new();
    let mut honest = fresh.twin();
    honest.mine_many(2);
    let mut net = Net::new(vec![fresh, honest]);
    // The first two hand out no bodies.
    let peers = [HOSTILE, HOSTILE + 1, HOSTILE + 2];
    for (height, patience) in [(1, 20), (2, 4)] {
        let block = net.nodes[1].block_at(height);
        let work = net.nodes[1].engine.chain().work_of(&block.hash());
        let status = Status { best: block.hash(), height, work, ..net.status(1) };
        for peer in peers {
            match height {
                1 => net.intrude(0, peer, status.clone()),
                _ => net.inject(0, peer, PeerEvent::Request(InboundId(1), Request::Status(status.clone()))),
            }
        }
        for peer in std::iter::repeat_n(peers, patience).flatten() {
            for (_, id, request) in net.questions(peer) {
                let response = match request {
                    Request::Headers { .. } => Response::Headers(vec![block.header]),
                    Request::Blocks(_) if peer != peers[2] => continue,
                    Request::Blocks(_) => Response::Blocks(vec![Body::new(chain_core::codec::encode(&block))]),
                    _ => Response::Unknown,
                };
                net.inject(0, peer, PeerEvent::Response(id, Ok(response)));
            }
            net.run(300);
        }
        assert_eq!(net.heights()[0], height);
    }
}
