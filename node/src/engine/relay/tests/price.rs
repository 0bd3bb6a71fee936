//! What peers may make a node do, and the clock that it is measured by.

use chain_core::transaction::Transaction;

use super::{
    blocks::{solve, with_block},
    hostile::{answer, answered, ask, disconnected, one_node, points, try_ask},
    net::{HOSTILE, Net},
};
use crate::{
    engine::{
        BAN, GossipId, InboundId, Payer, PeerAction, PeerEvent, PeerId, PeerWork, RequestId, Side,
        tests::kit::{FEE, Kit},
    },
    wire::{HEADERS, Request, Response, ShortIds},
};

fn work(net: &Net) -> PeerWork {
    net.nodes[0].engine.peer_work().next().unwrap().1
}

#[test]
fn questions_about_the_pool_need_the_salt_of_the_pool_that_was_told() {
    let mut net = one_node(1);
    let payment = Transaction::Coin(net.nodes[0].send(0, FEE));
    net.nodes[0].submit_all(vec![payment.clone()]);
    let id = |salt: u64| ShortIds::of_salt(salt).id(&chain_core::block::merkle::leaf(&payment));
    let question = |salt: u64| Request::ShortTransactions { salt, ids: vec![id(salt)] };
    assert_eq!(ask(&mut net, question(1)), Response::Unknown);
    assert_eq!(ask(&mut net, Request::Pool { salt: 1 }), Response::ShortIds(vec![id(1)]));
    assert_eq!(ask(&mut net, question(2)), Response::Unknown);
    let walked = work(&net).leaves;
    assert_eq!(ask(&mut net, question(1)), Response::Transactions(vec![payment.encode().into()]));
    assert_eq!(work(&net).leaves, walked, "the answer needs no walk over the pool");
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn a_question_costs_what_its_answer_touches() {
    let mut net = one_node(40);
    let before = work(&net);
    let blocks: Vec<_> = (1..=32).map(|height| net.nodes[0].block_at(height).hash()).collect();
    let Response::Blocks(bodies) = ask(&mut net, Request::Blocks(blocks.clone())) else { panic!() };
    let bytes: usize = bodies.iter().map(|body| body.bytes().len()).sum();
    assert_eq!((work(&net).rows, work(&net).copied), (before.rows + 32, before.copied + bytes as u64));
    let before = work(&net);
    ask(&mut net, Request::BlockTransactions { block: blocks[0], positions: vec![0] });
    assert_eq!(work(&net).decoded, before.decoded + bodies[0].bytes().len() as u64);
}

fn headers(net: &Net) -> Request {
    Request::Headers { locator: vec![net.nodes[0].genesis.hash()], most: 2_000 }
}

/// Asks as fast as answers come; returns how many come in so many milliseconds.
fn ask_for(net: &mut Net, milliseconds: u64, question: &Request) -> usize {
    let (end, mut count) = (net.now.after(milliseconds), 0);
    while net.now < end {
        let mut answer = try_ask(net, question.clone());
        while answer.is_none() {
            net.run(1);
            answer = answered(net);
        }
        assert_ne!(answer, Some(Response::Unknown), "after {count} answers");
        count += 1;
    }
    count
}

// A node in the same room asks a few hundred times a second when it syncs.
#[test]
fn a_fast_peer_is_answered_at_the_pace_of_its_budget_and_without_points() {
    let mut net = one_node(40);
    let question = headers(&net);
    let count = ask_for(&mut net, 60_000, &question);
    assert!((60_000 / 30..65_000 / 20).contains(&count), "{count}");
    let blocks = (1..=32).map(|height| net.nodes[0].block_at(height).hash()).collect();
    let count = ask_for(&mut net, 10_000, &Request::Blocks(blocks));
    assert!(count >= 10_000 / 11, "{count}");
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn a_question_that_waits_too_long_is_refused_without_points() {
    let mut net = one_node(10);
    let question = headers(&net);
    while try_ask(&mut net, question.clone()).is_some() {}
    let payer = Payer(HOSTILE);
    let now = net.now;
    for _ in 0..40 {
        net.nodes[0].engine.set_time(net.now);
        let work = PeerWork { base: 10_000, ..PeerWork::default() };
        net.nodes[0].engine.relay.peers.charge(PeerId(HOSTILE), &work, net.now);
        net.run(1_000);
    }
    assert!(net.nodes[0].engine.relay.peers.opens_at(payer, net.now) >= now.after(40_000));
    assert_eq!(answered(&mut net), Some(Response::Unknown));
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn a_budget_outlives_the_connection_and_is_shared_by_an_owners_connections() {
    let mut net = one_node(10);
    let question = headers(&net);
    while try_ask(&mut net, question.clone()).is_some() {}
    let mut served = |peer: u64, payer: u64| {
        let status = net.status(0);
        net.inject(0, peer, PeerEvent::Connected(Side::Inbound, Payer(payer)));
        net.inject(0, peer, PeerEvent::Request(InboundId(7), Request::Status(status)));
        let answers = |net: &Net| {
            let respond =
                |(_, action): &&(usize, PeerAction)| matches!(action, PeerAction::Respond(to, ..) if to.0 == peer);
            net.outside.iter().filter(respond).count()
        };
        let at_once = answers(&net);
        net.run(1_000);
        assert_eq!(answers(&net), 1, "it waits, and is answered");
        net.inject(0, peer, PeerEvent::Disconnected);
        at_once
    };
    assert_eq!(served(HOSTILE + 1, HOSTILE), 0, "another connection of the same owner");
    assert_eq!(served(HOSTILE + 2, HOSTILE + 2), 1, "another owner");
    let mut net = one_node(10);
    while try_ask(&mut net, question.clone()).is_some() {}
    net.inject(0, HOSTILE, PeerEvent::Disconnected);
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    assert_eq!(answered(&mut net), None, "a new connection begins where the old one ended");
}

#[test]
fn the_pool_is_not_told_again_to_a_peer_that_reconnects() {
    let mut net = one_node(1);
    assert_eq!(ask(&mut net, Request::Pool { salt: 1 }), Response::ShortIds(Vec::new()));
    net.inject(0, HOSTILE, PeerEvent::Disconnected);
    let status = net.status(0);
    net.intrude(0, HOSTILE, status.clone());
    assert_eq!(ask(&mut net, Request::Pool { salt: 2 }), Response::Unknown);
    assert!(net.offences.is_empty(), "it may be another node of the same host: {:?}", net.offences);
    net.inject(0, HOSTILE, PeerEvent::Disconnected);
    net.run(60_000);
    net.intrude(0, HOSTILE, status);
    assert_eq!(ask(&mut net, Request::Pool { salt: 3 }), Response::ShortIds(Vec::new()));
}

#[test]
fn peers_that_ask_for_the_pool_do_not_end_each_others_comparisons() {
    let mut net = one_node(1);
    let payment = Transaction::Coin(net.nodes[0].send(0, FEE));
    net.nodes[0].submit_all(vec![payment.clone()]);
    let status = net.status(0);
    let tell = |net: &mut Net, peer: u64, side: Side| {
        net.inject(0, peer, PeerEvent::Connected(side, Payer(peer)));
        net.inject(0, peer, PeerEvent::Request(InboundId(7), Request::Status(status.clone())));
        net.inject(0, peer, PeerEvent::Request(InboundId(9), Request::Pool { salt: 5 }));
        answered(net) != Some(Response::Unknown)
    };
    let part = |net: &mut Net, peer: u64| {
        let ids = vec![ShortIds::of_salt(5).id(&chain_core::block::merkle::leaf(&payment))];
        let question = Request::ShortTransactions { salt: 5, ids };
        net.inject(0, peer, PeerEvent::Request(InboundId(9), question));
        answered(net) != Some(Response::Unknown)
    };
    let told = (1..20).filter(|peer| tell(&mut net, HOSTILE + peer, Side::Inbound)).count();
    assert_eq!(told, 4);
    assert!(part(&mut net, HOSTILE + 1), "the first goes on");
    assert!(tell(&mut net, HOSTILE + 50, Side::Chosen), "one that this node chose has the place of a stranger");
    assert!(!part(&mut net, HOSTILE + 1));
    for _ in 0..5 {
        net.run(10_000);
        assert!(part(&mut net, HOSTILE + 2), "what is in use stays");
    }
    assert!((30..33).all(|peer| tell(&mut net, HOSTILE + peer, Side::Inbound)), "the others have had their time");
    assert!(!tell(&mut net, HOSTILE + 33, Side::Inbound) && part(&mut net, HOSTILE + 2));
    net.run(10_000);
    assert!(tell(&mut net, HOSTILE + 34, Side::Inbound), "and nobody has it for more than a minute");
    assert!(!part(&mut net, HOSTILE + 2));
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn a_pool_that_is_not_told_now_is_asked_for_again() {
    let mut net = one_node(1);
    net.nodes[0].engine.relay.transactions.reconciler.compare_again();
    // Answers what the node asks for so many seconds, the question for the pool like this; returns how often that came.
    let live = |net: &mut Net, seconds: u64, pool: &Response| {
        let mut asked = 0;
        for _ in 0..seconds {
            net.run(1_000);
            for (_, id, request) in net.questions(HOSTILE) {
                let response = match request {
                    Request::Pool { .. } => pool.clone(),
                    _ => Response::Status(net.status(0)),
                };
                asked += usize::from(response == *pool);
                answer(net, id, response);
            }
        }
        asked
    };
    assert_eq!(live(&mut net, 120, &Response::Unknown), 1, "after a minute and a half");
    assert_eq!(live(&mut net, 40, &Response::ShortIds(Vec::new())), 0);
    assert_eq!(live(&mut net, 80, &Response::ShortIds(Vec::new())), 1);
    assert_eq!(live(&mut net, 300, &Response::ShortIds(Vec::new())), 0, "once is enough");
}

#[test]
fn an_honest_reorganisation_and_a_long_sync_stay_within_the_budget() {
    let mut first = Kit::new();
    let fresh = first.twin();
    first.mine_many(4_200);
    let mut net = Net::new(vec![first, fresh]);
    net.connect(0, 1);
    net.run_until(60_000, |net| net.heights() == [4_200; 2]);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

// A clock that is set back by an hour left peers without budget for an hour; one that is set ahead let all deadlines pass.
#[test]
fn a_wall_clock_that_is_set_starves_no_budget_and_moves_no_deadline() {
    for step in [-3_600_000, 3_600_000] {
        let mut net = one_node(10);
        let question = headers(&net);
        while try_ask(&mut net, question.clone()).is_some() {}
        net.nodes[0].ahead = step;
        assert_eq!(try_ask(&mut net, question.clone()), None, "no time has passed: {step}");
        super::hostile::announce(&mut net, HOSTILE, super::hostile::random_names(1, 10));
        net.run(1_000);
        assert_ne!(ask(&mut net, question.clone()), Response::Unknown, "{step}");
        net.run(30_000);
        assert!(!disconnected(&net), "{step}");
        assert!(points(&net) < BAN);
    }
}

/// Lets a peer gossip an orphan block and answer all questions for headers at once; answers with how many those were.
fn questions_about_an_orphan(net: &mut Net, answers: impl Fn(&Net) -> Response) -> usize {
    let (_, mut form) = with_block(|_, _| {});
    form.header.prev.0 = [9; 32];
    solve(&net.nodes[0], &mut form.header);
    net.inject(0, HOSTILE, PeerEvent::Gossip(GossipId(1), form));
    let mut count = 0;
    for _ in 0..4_000 {
        let headers = |(_, id, request)| matches!(request, Request::Headers { .. }).then_some(id);
        let ids: Vec<RequestId> = net.questions(HOSTILE).into_iter().filter_map(headers).collect();
        for id in ids {
            count += 1;
            let response = answers(net);
            answer(net, id, response);
        }
        net.run(10);
    }
    count
}

#[test]
fn a_peer_whose_headers_lead_nowhere_is_asked_ever_more_seldom() {
    let mut net = one_node(5);
    let count = questions_about_an_orphan(&mut net, |_| Response::Headers(Vec::new()));
    assert!((1..=7).contains(&count), "{count}");
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn a_peer_that_answers_the_same_headers_again_and_again_is_asked_ever_more_seldom() {
    let mut net = one_node(2_100);
    let count = questions_about_an_orphan(&mut net, |net| {
        let (genesis, tip) = (net.nodes[0].genesis.hash(), net.nodes[0].tip());
        Response::Headers(net.nodes[0].engine.chain().tree().headers_after(&genesis, &tip, HEADERS))
    });
    assert!((1..=14).contains(&count), "{count}");
}
