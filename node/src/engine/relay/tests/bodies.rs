//! Bodies that are false under right headers, and blocks that come by other ways than they were asked for.

use chain_core::hash::BlockHash;

use super::{
    hostile::{ask, disconnected},
    net::{HOSTILE, Net},
};
use crate::{
    engine::{GossipId, Offence, PeerEvent, RequestId, compact, tests::kit::Kit},
    store::StoreConfig,
    wire::{Body, HEADERS, Request, Response},
};

/// Lets a hostile peer answer questions for headers as if it stood where `node` does; answers with those for blocks.
fn serve_headers(net: &mut Net, peer: u64, node: &Kit) -> Vec<(RequestId, Vec<BlockHash>)> {
    let mut blocks = Vec::new();
    for (_, id, request) in net.questions(peer) {
        let response = match request {
            Request::Headers { locator, .. } => {
                let tree = node.engine.chain().tree();
                Response::Headers(tree.headers_after(&tree.find_fork(&locator, &node.tip()), &node.tip(), HEADERS))
            }
            Request::Blocks(hashes) => {
                blocks.push((id, hashes));
                continue;
            }
            Request::Status(_) => Response::Status(node.engine.status()),
            _ => Response::Unknown,
        };
        net.inject(0, peer, PeerEvent::Response(id, Ok(response)));
    }
    blocks
}

/// The body of a block without its transactions.
fn mutated(node: &Kit, hash: &BlockHash) -> Body {
    let height = node.engine.chain().tree().get(hash).unwrap().height;
    let mut block = node.block_at(height);
    block.transactions.clear();
    Body::new(chain_core::codec::encode(&block))
}

fn lie(net: &mut Net, peer: u64, node: &Kit, (id, hashes): &(RequestId, Vec<BlockHash>)) {
    let bodies = hashes.iter().map(|hash| mutated(node, hash)).collect();
    net.inject(0, peer, PeerEvent::Response(*id, Ok(Response::Blocks(bodies))));
}

// Two attackers show a branch of 250 blocks; while its bodies are on their way, a better one becomes known:
//
//     genesis - a1 ... a250
//            \- g1 ... g1200
#[test]
fn a_mutated_body_of_a_branch_left_aside_loses_no_block_of_the_goal() {
    let fresh = Kit::new();
    let (mut honest, mut branch) = (fresh.twin(), fresh.twin());
    (branch.name, honest.name) = (77, 78);
    branch.mine_many(250);
    honest.mine_many(1_200);
    let mut net = Net::new(vec![fresh, honest]);
    let mut questions = Vec::new();
    for peer in [HOSTILE, HOSTILE + 1] {
        let status = branch.engine.status();
        net.intrude(0, peer, status);
        while questions.len() < if peer == HOSTILE { 4 } else { 8 } {
            questions.extend(serve_headers(&mut net, peer, &branch).into_iter().map(|asked| (peer, asked)));
            net.run(10);
        }
    }
    net.connect(0, 1);
    net.run_until(1_000, |net| net.asked.get("blocks").is_some_and(|count| *count >= 4));
    // Blocks that the second was asked for are at heights that the honest node is not asked for yet.
    for (peer, asked) in questions.iter().filter(|(peer, _)| *peer != HOSTILE) {
        lie(&mut net, *peer, &branch, asked);
    }
    assert!(matches!(net.offences_of(0, HOSTILE + 1)[0], Offence::InvalidBlock(_)), "{:?}", net.offences);
    net.run_until(100_000, |net| net.heights() == [1_200; 2]);
}

#[test]
fn a_false_body_says_nothing_about_another_peer_that_is_asked_for_the_block() {
    let fresh = Kit::new();
    let mut chain = fresh.twin();
    chain.mine_many(1);
    let mut net = Net::new(vec![fresh]);
    net.now = chain.now;
    let mut first = Vec::new();
    for peer in [HOSTILE, HOSTILE + 1] {
        let status = chain.engine.status();
        net.intrude(0, peer, status);
        serve_headers(&mut net, peer, &chain);
        first.extend(serve_headers(&mut net, peer, &chain));
    }
    assert_eq!(first.len(), 1, "the first is asked for the block");
    // The first is silent for two seconds, so that the second is asked as well.
    net.run(3_000);
    let second = serve_headers(&mut net, HOSTILE + 1, &chain);
    assert_eq!(second.len(), 1);
    let before = net.nodes[0].engine.peer_usage().bodies;
    lie(&mut net, HOSTILE, &chain, &first[0]);
    assert_eq!(net.nodes[0].engine.peer_usage().bodies, before, "the second is asked for it still");
    assert!(serve_headers(&mut net, HOSTILE, &chain).is_empty(), "it is asked of nobody else");
    let body = Body::new(chain_core::codec::encode(&chain.block_at(1)));
    net.inject(0, HOSTILE + 1, PeerEvent::Response(second[0].0, Ok(Response::Blocks(vec![body]))));
    net.run(10);
    assert_eq!(net.heights(), [1]);
}

#[test]
fn a_block_that_came_by_gossip_is_missing_no_more() {
    let fresh = Kit::new();
    let mut chain = fresh.twin();
    chain.mine_many(1);
    let mut net = Net::new(vec![fresh]);
    net.now = chain.now;
    let status = chain.engine.status();
    net.intrude(0, HOSTILE, status.clone());
    let asked = serve_headers(&mut net, HOSTILE, &chain).len() + serve_headers(&mut net, HOSTILE, &chain).len();
    assert_eq!(asked, 1);
    net.intrude(0, HOSTILE + 1, status);
    let form = compact(&chain.block_at(1)).unwrap();
    net.inject(0, HOSTILE + 1, PeerEvent::Gossip(GossipId(1), form));
    net.run(10);
    assert_eq!(net.heights(), [1]);
    assert_eq!(net.nodes[0].engine.peer_usage().bodies, 0);
    net.run(25_000);
    assert!(!disconnected(&net));
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn a_pruned_peer_is_asked_only_for_blocks_that_it_keeps() {
    let fresh = Kit::new();
    let (mut chain, mut whole) = (fresh.twin(), fresh.twin());
    chain.store = StoreConfig { prune: Some(50), ..StoreConfig::default() };
    chain.restart();
    for block in chain.mine_many(400) {
        whole.now = chain.now;
        whole.take(block).unwrap();
    }
    let mut net = Net::new(vec![fresh, whole]);
    net.now = chain.now;
    let status = chain.engine.status();
    assert_eq!(status.oldest, 321);
    net.intrude(0, HOSTILE, status);
    let height = |hash: &BlockHash| chain.engine.chain().tree().get(hash).unwrap().height;
    let mut heights: Vec<u32> = Vec::new();
    for _ in 0..20 {
        for (id, hashes) in serve_headers(&mut net, HOSTILE, &chain) {
            let asked = hashes.iter().map(height);
            let body = |height| Body::new(chain_core::codec::encode(&chain.block_at(height)));
            let bodies = asked.clone().map(body).collect();
            heights.extend(asked);
            net.inject(0, HOSTILE, PeerEvent::Response(id, Ok(Response::Blocks(bodies))));
        }
        net.run(10);
    }
    heights.sort_unstable();
    assert!(heights.iter().copied().eq(321..=400), "{heights:?}");
    // What it does not keep comes from the peer that keeps all.
    net.connect(0, 1);
    net.run_until(60_000, |net| net.heights() == [400; 2]);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn a_pruned_node_says_what_it_keeps_and_serves_that() {
    let mut node = Kit::new();
    node.store = StoreConfig { prune: Some(10), ..StoreConfig::default() };
    node.restart();
    node.mine_many(80);
    let hashes: Vec<BlockHash> =
        (63..=66).map(|height| node.engine.chain().tree().ancestor(&node.tip(), height).unwrap()).collect();
    let mut net = Net::new(vec![node]);
    assert_eq!(net.status(0).oldest, 65);
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    let blocks = |net: &mut Net, hashes: &[BlockHash]| match ask(net, Request::Blocks(hashes.to_vec())) {
        Response::Blocks(blocks) => blocks.len(),
        Response::Unknown => 0,
        other => panic!("{other:?}"),
    };
    assert_eq!(blocks(&mut net, &hashes[..2]), 0);
    assert_eq!(blocks(&mut net, &hashes[2..]), 2);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}
