//! Peers that mean no good: what they do costs them points, and never the node's progress or memory.

use chain_core::{
    Bytes, U256,
    hash::{BlockHash, TxId},
    transaction::Transaction,
    units::{Amount, Height},
};

use super::{
    download::{serve_headers, syncing},
    net::{HOSTILE, Net, connected},
};
use crate::{
    engine::{
        BAN, Failure, GossipId, InboundId, Offence, PeerAction, PeerEvent, RequestId, Side, compact,
        tests::kit::{FEE, Kit, spec},
    },
    mempool::MempoolConfig,
    wire::{Body, Request, Response, Status, TRANSACTIONS},
};

/// A node with some blocks, and a hostile peer that says to stand where it does.
pub(super) fn one_node(blocks: u32) -> Net {
    let mut node = Kit::with(spec(100), MempoolConfig::default());
    node.mine_many(blocks);
    let mut net = Net::new(vec![node]);
    // What was announced just before a block may be gone.
    net.run(16_000);
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    // It has nothing in its pool.
    for (_, id, request) in net.questions(HOSTILE) {
        assert!(matches!(request, Request::Pool { .. }));
        answer(&mut net, id, Response::ShortIds(Vec::new()));
    }
    net.outside.clear();
    net
}

/// Asks, and takes the answer if that comes at once.
pub(super) fn try_ask(net: &mut Net, request: Request) -> Option<Response> {
    net.inject(0, HOSTILE, PeerEvent::Request(InboundId(9), request));
    answered(net)
}

/// The last answer that the hostile peer was given.
pub(super) fn answered(net: &mut Net) -> Option<Response> {
    let response = net.outside.iter().rev().find_map(|(_, action)| match action {
        PeerAction::Respond(_, InboundId(9), response) => Some(response.clone()),
        _ => None,
    });
    net.outside.retain(|(_, action)| !matches!(action, PeerAction::Respond(..)));
    response
}

pub(super) fn ask(net: &mut Net, request: Request) -> Response {
    try_ask(net, request).unwrap()
}

pub(super) fn answer(net: &mut Net, id: RequestId, response: Response) {
    net.inject(0, HOSTILE, PeerEvent::Response(id, Ok(response)));
}

pub(super) fn points(net: &Net) -> u32 {
    net.offences_of(0, HOSTILE).iter().map(Offence::points).sum()
}

/// Names transactions; the acknowledgement may come later.
pub(super) fn announce(net: &mut Net, hostile: u64, names: Vec<TxId>) {
    net.inject(0, hostile, PeerEvent::Request(InboundId(8), Request::Announce(names)));
}

pub(super) fn disconnected(net: &Net) -> bool {
    net.outside.iter().any(|(_, action)| matches!(action, PeerAction::Disconnect(peer, _) if peer.0 == HOSTILE))
}

pub(super) fn random_names(seed: u64, count: usize) -> Vec<TxId> {
    let mut random = crate::engine::relay::random::Random::new(seed);
    (0..count).map(|_| TxId(std::array::from_fn(|_| random.next() as u8))).collect()
}

pub(super) fn taller(net: &Net, by: Height) -> Status {
    let status = net.status(0);
    let work = status.work + U256::from(2 * u64::from(by));
    Status { best: BlockHash([0xee; 32]), height: status.height + by, work, ..status }
}

#[test]
fn endless_announcements_cost_points_and_bounded_memory() {
    let mut net = one_node(1);
    for round in 0..200 {
        try_ask(&mut net, Request::Announce(random_names(round, 1_024)));
        while let Some((_, id, request)) = net.questions(HOSTILE).pop() {
            assert!(matches!(&request, Request::Transactions(names) if names.len() <= TRANSACTIONS));
            answer(&mut net, id, Response::Transactions(Vec::new()));
        }
        assert!(net.nodes[0].engine.peer_usage().wanted <= 4_096);
        net.run(20);
    }
    assert!(points(&net) >= BAN, "{}", points(&net));
}

#[test]
fn who_announces_and_never_answers_is_asked_little_and_sent_away() {
    let mut net = one_node(1);
    for round in 0..9 {
        assert!(!disconnected(&net));
        announce(&mut net, HOSTILE, random_names(round, 1_024));
        net.run(5_000);
        assert!(net.nodes[0].engine.peer_usage().wanted <= 4_096);
        assert!(net.nodes[0].engine.peer_usage().questions <= 4);
    }
    net.run(20_000);
    assert!(disconnected(&net));
    assert_eq!(net.nodes[0].engine.peer_usage().wanted, 0);
}

#[test]
fn slow_answers_cost_no_points_and_now_and_then_no_connection() {
    let mut net = one_node(1);
    for round in 0..100 {
        ask(&mut net, Request::Announce(random_names(round, 10)));
        let late = round % 8 == 0;
        net.run(if late { 11_000 } else { 1_000 });
        for (_, id, request) in net.questions(HOSTILE) {
            let response = match request {
                Request::Status(_) => Response::Status(net.status(0)),
                Request::Pool { .. } => Response::ShortIds(Vec::new()),
                _ => Response::Unknown,
            };
            answer(&mut net, id, response);
        }
    }
    assert!(net.offences.is_empty(), "{:?}", net.offences);
    assert!(!disconnected(&net));
}

#[test]
fn questions_before_the_handshake_are_out_of_turn() {
    let mut net = Net::new(vec![Kit::new()]);
    net.inject(0, HOSTILE, connected(Side::Inbound, HOSTILE));
    assert_eq!(ask(&mut net, Request::Pool { salt: 1 }), Response::Unknown);
    assert_eq!(net.offences_of(0, HOSTILE), [Offence::OutOfTurn("a request")]);
    net.run(11_000);
    assert!(disconnected(&net), "no handshake");
}

#[test]
fn another_chain_and_an_older_protocol_are_refused() {
    for change in [0, 1] {
        let mut net = Net::new(vec![Kit::new()]);
        let mut status = net.status(0);
        match change {
            0 => status.genesis.0[0] ^= 1,
            _ => status.protocol = 0,
        }
        net.intrude(0, HOSTILE, status);
        assert!(disconnected(&net));
    }
}

#[test]
fn too_many_questions_cost_points_and_are_not_answered() {
    let mut net = one_node(10);
    let question = Request::Headers { locator: vec![net.nodes[0].genesis.hash()], most: 2_000 };
    let answers: Vec<_> = (0..1_000).filter_map(|_| try_ask(&mut net, question.clone())).collect();
    let served = answers.iter().filter(|answer| **answer != Response::Unknown).count();
    assert!((100..400).contains(&served), "{served}");
    assert_eq!(net.nodes[0].engine.peer_usage().waiting, 24);
    assert!(points(&net) >= BAN);
    net.run(6_000);
    assert_eq!(net.nodes[0].engine.peer_usage().waiting, 0, "what waited is answered in time");
    assert!(ask(&mut net, question) != Response::Unknown, "it may ask again in time");
}

#[test]
fn the_pool_is_told_once() {
    let mut net = one_node(1);
    assert_eq!(ask(&mut net, Request::Pool { salt: 1 }), Response::ShortIds(Vec::new()));
    assert_eq!(ask(&mut net, Request::Pool { salt: 2 }), Response::Unknown);
    assert_eq!(net.offences_of(0, HOSTILE), [Offence::Doubled("a request for the pool")]);
}

#[test]
fn answers_that_nobody_waits_for_change_nothing() {
    let mut net = one_node(3);
    for id in [0, 1, 2, 77, u64::MAX] {
        answer(&mut net, RequestId(id), Response::Ack);
        let headers = vec![net.nodes[0].genesis.header; 10];
        answer(&mut net, RequestId(id), Response::Headers(headers));
    }
    assert!(net.offences.is_empty());
}

#[test]
fn an_answer_to_another_question_costs_points() {
    let mut net = one_node(1);
    ask(&mut net, Request::Announce(random_names(1, 10)));
    let (_, id, _) = net.questions(HOSTILE).remove(0);
    answer(&mut net, id, Response::ShortIds(Vec::new()));
    assert_eq!(net.offences_of(0, HOSTILE), [Offence::WrongAnswer("transactions")]);
}

#[test]
fn malformed_messages_cost_points() {
    let mut net = one_node(1);
    let error = || chain_core::codec::CodecError::NotCanonical;
    net.inject(0, HOSTILE, PeerEvent::Malformed(error()));
    ask(&mut net, Request::Announce(random_names(1, 10)));
    let (_, id, _) = net.questions(HOSTILE).remove(0);
    net.inject(0, HOSTILE, PeerEvent::Response(id, Err(Failure::Malformed(error()))));
    assert_eq!(net.offences_of(0, HOSTILE), vec![Offence::Malformed(error()); 2]);
    assert_eq!(points(&net), BAN);
}

#[test]
fn a_transaction_that_was_not_asked_for_costs_points() {
    let mut net = one_node(1);
    ask(&mut net, Request::Announce(random_names(1, 10)));
    let (_, id, _) = net.questions(HOSTILE).remove(0);
    let stranger = Transaction::Coin(net.nodes[0].send(0, FEE)).encode();
    answer(&mut net, id, Response::Transactions(vec![Bytes::from(stranger)]));
    assert_eq!(net.offences_of(0, HOSTILE)[0], Offence::WrongAnswer("transactions"));
    assert_eq!(net.nodes[0].engine.mempool().stats().transactions, 0);
}

#[test]
fn an_invalid_transaction_bans_and_an_orphan_does_not() {
    let mut net = one_node(1);
    let mut forged = net.nodes[0].send(0, FEE);
    forged.outputs[0].amount = Amount::from_grains(forged.outputs[0].amount.grains() - 1);
    let mut orphan = net.nodes[0].send(1, FEE);
    orphan.inputs[0].txid.0[0] ^= 1;
    let names = vec![orphan.txid(), forged.txid()];
    ask(&mut net, Request::Announce(names));
    let (_, id, _) = net.questions(HOSTILE).remove(0);
    let encoded = [orphan, forged].map(|tx| Bytes::from(Transaction::Coin(tx).encode()));
    answer(&mut net, id, Response::Transactions(encoded.to_vec()));
    assert!(matches!(net.offences_of(0, HOSTILE)[..], [Offence::InvalidTransaction(_)]), "{:?}", net.offences);
    assert_eq!(net.nodes[0].engine.peer_usage().orphans, 1);
}

#[test]
fn orphan_transactions_are_bounded() {
    let mut net = one_node(1);
    for round in 0..60 {
        let mut tx = net.nodes[0].send(1, FEE);
        tx.inputs[0].txid.0[..4].copy_from_slice(&(round as u32).to_le_bytes());
        ask(&mut net, Request::Announce(vec![tx.txid()]));
        for (_, id, request) in net.questions(HOSTILE) {
            let wanted = matches!(&request, Request::Transactions(names) if names.contains(&tx.txid()));
            let encoded = Bytes::from(Transaction::Coin(tx.clone()).encode());
            answer(&mut net, id, if wanted { Response::Transactions(vec![encoded]) } else { Response::Unknown });
        }
        assert!(net.nodes[0].engine.peer_usage().orphans <= 32);
    }
    assert_eq!(net.nodes[0].engine.peer_usage().orphans, 32);
    net.inject(0, HOSTILE, PeerEvent::Disconnected);
    assert_eq!(net.nodes[0].engine.peer_usage().orphans, 0);
    assert_eq!(net.nodes[0].engine.peer_usage().wanted, 0);
}

#[test]
fn a_block_from_a_peer_that_is_gone_is_not_held() {
    let mut net = one_node(3);
    let orphan = {
        let mut other = net.nodes[0].twin();
        other.mine_many(2);
        compact(&other.block_at(5)).unwrap()
    };
    net.inject(0, HOSTILE, PeerEvent::Disconnected);
    net.inject(0, HOSTILE, PeerEvent::Gossip(GossipId(1), orphan));
    assert_eq!(net.nodes[0].engine.peer_usage().held, 0);
}

#[test]
fn blocks_that_were_not_asked_for_are_a_wrong_answer_and_come_from_another() {
    let mut net = syncing(100);
    let mut blocks = Vec::new();
    while blocks.is_empty() {
        blocks = serve_headers(&mut net);
        net.run(10);
    }
    let stranger = Body::new(chain_core::codec::encode(&net.nodes[1].block_at(99)));
    let (id, _) = blocks.remove(0);
    answer(&mut net, id, Response::Blocks(vec![stranger]));
    assert_eq!(net.offences_of(0, HOSTILE), [Offence::WrongAnswer("blocks")]);
    net.connect(0, 1);
    net.run_until(40_000, |net| net.heights() == [100; 2]);
}

#[test]
fn a_body_with_a_false_transaction_bans_and_the_honest_one_is_still_taken() {
    let mut net = syncing(40);
    let mut blocks = Vec::new();
    while blocks.is_empty() {
        blocks = serve_headers(&mut net);
        net.run(10);
    }
    let (id, hashes) = blocks.remove(0);
    let height = net.nodes[1].engine.chain().height_of(&hashes[0]);
    let mut block = net.nodes[1].block_at(height);
    let Transaction::Coinbase(coinbase) = &mut block.transactions[0] else { panic!() };
    coinbase.outputs[0].amount = Amount::from_grains(coinbase.outputs[0].amount.grains() - 1);
    answer(&mut net, id, Response::Blocks(vec![Body::new(chain_core::codec::encode(&block))]));
    assert!(matches!(net.offences_of(0, HOSTILE)[..], [Offence::InvalidBlock(_)]), "{:?}", net.offences);
    net.inject(0, HOSTILE, PeerEvent::Disconnected);
    net.connect(0, 1);
    net.run_until(40_000, |net| net.heights() == [40; 2]);
}

#[test]
fn who_serves_an_invalid_block_is_banned_and_who_gossips_it_is_not() {
    for served in [true, false] {
        let mut net = one_node(3);
        let mut other = net.nodes[0].twin();
        other.now = net.now;
        let block = other.block_with(|transactions| {
            let Transaction::Coinbase(coinbase) = &mut transactions[0] else { panic!() };
            coinbase.outputs[0].amount = Amount::from_grains(coinbase.outputs[0].amount.grains() + 1);
        });
        net.now = other.now;
        if served {
            let status = Status { best: block.hash(), ..taller(&net, 1) };
            ask(&mut net, Request::Status(status));
            let (_, id, _) = net.questions(HOSTILE).remove(0);
            answer(&mut net, id, Response::Headers(vec![block.header]));
            let (_, id, request) = net.questions(HOSTILE).remove(0);
            assert_eq!(request, Request::Blocks(vec![block.hash()]));
            answer(&mut net, id, Response::Blocks(vec![Body::new(chain_core::codec::encode(&block))]));
            assert!(matches!(net.offences_of(0, HOSTILE)[..], [Offence::InvalidBlock(_)]), "{:?}", net.offences);
        } else {
            net.inject(0, HOSTILE, PeerEvent::Gossip(GossipId(1), compact(&block).unwrap()));
            assert!(net.offences.is_empty(), "{:?}", net.offences);
        }
        assert_eq!(net.heights(), [3]);
        assert!(
            net.nodes[0]
                .engine
                .chain()
                .tree()
                .get(&block.hash())
                .is_some_and(|info| { info.status == chain_core::headers::Status::Invalid })
        );
    }
}

#[test]
fn peers_that_come_and_go_leave_nothing_behind() {
    let mut net = syncing(300);
    for peer in HOSTILE..HOSTILE + 50 {
        let status = taller(&net, 50);
        net.intrude(0, peer, status);
        net.inject(0, peer, PeerEvent::Request(InboundId(1), Request::Announce(random_names(peer, 1_024))));
        net.run(30);
        net.inject(0, peer, PeerEvent::Disconnected);
    }
    let usage = net.nodes[0].engine.peer_usage();
    assert_eq!(usage.peers, 0);
    assert_eq!((usage.questions, usage.wanted, usage.orphans), (0, 0, 0));
}
