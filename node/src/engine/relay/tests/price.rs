//! What peers may make a node do, and the clock that it is measured by.

use chain_core::transaction::Transaction;

use super::{
    blocks::{solve, with_block},
    hostile::{answer, ask, disconnected, one_node, points},
    net::{HOSTILE, Net},
};
use crate::{
    engine::{
        BAN, GossipId, PeerEvent, PeerWork, RequestId,
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
    let id = |salt: u64| ShortIds::of_salt(salt).id(&chain_core::merkle::leaf(&payment));
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

#[test]
fn questions_over_the_budget_cost_nothing_until_they_are_many() {
    let mut net = one_node(10);
    let question = Request::Headers { locator: vec![net.nodes[0].genesis.hash()], most: 2_000 };
    let mut refused = 0;
    while points(&net) == 0 {
        refused += u32::from(ask(&mut net, question.clone()) == Response::Unknown);
    }
    assert_eq!(refused, 17);
    net.run(6_000);
    assert_ne!(ask(&mut net, question), Response::Unknown);
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
        let question = Request::Headers { locator: vec![net.nodes[0].genesis.hash()], most: 2_000 };
        while ask(&mut net, question.clone()) != Response::Unknown {}
        net.nodes[0].ahead = step;
        assert_eq!(ask(&mut net, question.clone()), Response::Unknown, "no time has passed: {step}");
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
        Response::Headers(net.nodes[0].engine.tree.headers_after(&genesis, &tip, HEADERS))
    });
    assert!((1..=14).contains(&count), "{count}");
}
